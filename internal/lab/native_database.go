package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Database is one of OVN's central databases.
type Database string

// OVN's databases, by the names its tools use.
const (
	Northbound Database = "nb"
	Southbound Database = "sb"
)

func (d Database) file() string { return "/var/lib/ovn/ovn" + string(d) + "_db.db" }
func (d Database) ctl() string  { return "/run/ovn/ovn" + string(d) + "_db.ctl" }

func (d Database) schema() string {
	if d == Northbound {
		return nbSchema
	}
	return sbSchema
}

func (d Database) connections() string {
	if d == Northbound {
		return "db:OVN_Northbound,NB_Global,connections"
	}
	return "db:OVN_Southbound,SB_Global,connections"
}

// StartDatabase starts the server of one of OVN's databases with the file there is.
func (f *Fabric) StartDatabase(ctx context.Context, d Database) error {
	return f.nodes[centralName].Daemon(ctx, "ovsdb-server", d.file(), "--detach", "--no-chdir",
		"--log-file=/var/log/ovn/ovsdb-server-"+string(d)+".log",
		"--pidfile=/run/ovn/ovn"+string(d)+"_db.pid", "--unixctl="+d.ctl(),
		"--remote=punix:/run/ovn/ovn"+string(d)+"_db.sock",
		"--remote="+d.connections())
}

// StopDatabase ends the server of one of OVN's databases. Its file stays.
func (f *Fabric) StopDatabase(ctx context.Context, d Database) error {
	_, err := f.nodes[centralName].Output(ctx, "ovs-appctl", "-t", d.ctl(), "exit")
	return err
}

// ReplaceDatabase sets the file of one of OVN's databases aside and serves an empty one, as somebody does who restores
// the wrong backup. RestoreDatabase takes the old file back.
func (f *Fabric) ReplaceDatabase(ctx context.Context, d Database) error {
	if err := f.StopDatabase(ctx, d); err != nil {
		return err
	}
	central := f.nodes[centralName]
	path := central.Path(d.file())
	if err := os.Rename(path, path+".aside"); err != nil {
		return fmt.Errorf("set database %s aside: %w", d, err)
	}
	if err := createDatabase(ctx, path, d.schema()); err != nil {
		return err
	}
	if err := f.StartDatabase(ctx, d); err != nil {
		return err
	}
	return f.listen(ctx, d)
}

// RestoreDatabase undoes ReplaceDatabase. What was written to the empty database is lost.
func (f *Fabric) RestoreDatabase(ctx context.Context, d Database) error {
	path := f.nodes[centralName].Path(d.file())
	if _, err := os.Stat(path + ".aside"); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := f.StopDatabase(ctx, d); err != nil {
		return err
	}
	if err := os.Rename(path+".aside", path); err != nil {
		return fmt.Errorf("take database %s back: %w", d, err)
	}
	return f.StartDatabase(ctx, d)
}

// listen makes a new database accept connections from the nodes.
func (f *Fabric) listen(ctx context.Context, d Database) error {
	port := f.Topology.NBPort
	if d == Southbound {
		port = f.Topology.SBPort
	}
	_, err := f.nodes[centralName].Output(ctx, "ovn-"+string(d)+"ctl", "--no-leader-only", "init", "--",
		"set-connection", listen(port), "--", "set", "connection", ".", "inactivity_probe=60000")
	return err
}
