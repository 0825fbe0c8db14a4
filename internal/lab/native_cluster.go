package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// clusterSize is how many members a database has that is a cluster.
const clusterSize = 3

// member is one server of a clustered Northbound database, counted from 1. The first one has the socket and the port of
// the standalone server.
type member int

func (m member) base() string {
	if m == 1 {
		return "ovnnb_db"
	}
	return "ovnnb_db" + strconv.Itoa(int(m))
}

func (m member) file() string   { return "/var/lib/ovn/cluster" + strconv.Itoa(int(m)) + ".db" }
func (m member) socket() string { return "/run/ovn/" + m.base() + ".sock" }
func (m member) ctl() string    { return "/run/ovn/" + m.base() + ".ctl" }
func (m member) raft() string   { return "tcp:127.0.0.1:" + strconv.Itoa(6700+int(m)) }

func (f *Fabric) memberPort(m member) int { return f.Topology.NBPort + 100*int(m-1) }

func members() []member {
	var all []member
	for m := member(1); m <= clusterSize; m++ {
		all = append(all, m)
	}
	return all
}

// NBRemotes is what agents are given to reach a Northbound database that is a cluster.
func (f *Fabric) NBRemotes() string {
	var all []string
	for _, m := range members() {
		all = append(all, f.Topology.Remote(f.memberPort(m)))
	}
	return strings.Join(all, ",")
}

// ClusterNB makes the Northbound database a Raft cluster of three servers, with what is in it, and has northd know all.
func (f *Fabric) ClusterNB(ctx context.Context) error {
	central := f.nodes[centralName]
	if err := f.StopDatabase(ctx, Northbound); err != nil {
		return err
	}
	for _, m := range members() {
		if err := os.RemoveAll(central.Path(m.file())); err != nil {
			return err
		}
	}
	if err := ovsdbTool(ctx, "--election-timer=2000", "create-cluster", central.Path(member(1).file()),
		central.Path(Northbound.file()), member(1).raft()); err != nil {
		return err
	}
	for _, m := range members() {
		if m > 1 {
			if err := ovsdbTool(ctx, "join-cluster", central.Path(m.file()), nbDatabase, m.raft(), member(1).raft()); err != nil {
				return err
			}
		}
		if err := f.startMember(ctx, m); err != nil {
			return err
		}
	}
	if err := f.waitMembers(ctx); err != nil {
		return err
	}
	return f.restartNorthd(ctx, members())
}

// StandaloneNB undoes ClusterNB, with what is in the database now.
func (f *Fabric) StandaloneNB(ctx context.Context) error {
	central := f.nodes[centralName]
	var last member
	for _, m := range members() {
		if _, err := os.Stat(central.Path(m.file())); err != nil {
			continue
		}
		last = m
		if _, err := central.Output(ctx, "ovs-appctl", "-t", m.ctl(), "exit"); err != nil && f.answers(m) {
			return err
		}
	}
	if last == 0 {
		if f.answers(1) {
			return nil
		}
		return f.StartDatabase(ctx, Northbound) // it was not a cluster yet
	}
	// A member that was away may lack the newest: any other does.
	path := central.Path(Northbound.file())
	if err := os.Remove(path); err != nil {
		return err
	}
	if err := ovsdbTool(ctx, "cluster-to-standalone", path, central.Path(last.file())); err != nil {
		return err
	}
	for _, m := range members() {
		if err := os.RemoveAll(central.Path(m.file())); err != nil {
			return err
		}
	}
	if err := f.StartDatabase(ctx, Northbound); err != nil {
		return err
	}
	return f.restartNorthd(ctx, []member{1})
}

func (f *Fabric) startMember(ctx context.Context, m member) error {
	return f.nodes[centralName].Daemon(ctx, "ovsdb-server", m.file(), "--detach", "--no-chdir",
		"--log-file=/var/log/ovn/ovsdb-server-"+m.base()+".log", "--pidfile=/run/ovn/"+m.base()+".pid",
		"--unixctl="+m.ctl(), "--remote=punix:"+m.socket(), "--remote="+listen(f.memberPort(m)))
}

// waitMembers waits until every member has joined and knows the leader.
func (f *Fabric) waitMembers(ctx context.Context) error {
	return poll(ctx, 60*time.Second, 100*time.Millisecond, func() error {
		for _, m := range members() {
			if _, err := f.leads(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// leads reports whether a member is the leader. A member that is away, joins, or knows no leader is an error.
func (f *Fabric) leads(ctx context.Context, m member) (bool, error) {
	out, err := f.nodes[centralName].Output(ctx, "ovs-appctl", "-t", m.ctl(), "cluster/status", nbDatabase)
	if err != nil {
		return false, err
	}
	text := string(out)
	if !strings.Contains(text, "Status: cluster member") || strings.Contains(text, "Leader: unknown") {
		return false, fmt.Errorf("member %d of the Northbound cluster has not joined or knows no leader:\n%s", m, text)
	}
	return strings.Contains(text, "Leader: self"), nil
}

// KillNBLeader kills the cluster's leader and waits until another member leads. It returns what starts the killed one again.
func (f *Fabric) KillNBLeader(ctx context.Context) (restart func(context.Context) error, err error) {
	var leader member
	for _, m := range members() {
		if is, err := f.leads(ctx, m); err == nil && is {
			leader = m
		}
	}
	if leader == 0 {
		return nil, errors.New("no member of the Northbound cluster leads")
	}
	// It gets no chance to hand over: the others must find out.
	if err := f.killMember(ctx, leader); err != nil {
		return nil, err
	}
	restart = func(ctx context.Context) error {
		if err := f.startMember(ctx, leader); err != nil {
			return err
		}
		return f.waitMembers(ctx)
	}
	return restart, poll(ctx, 60*time.Second, 100*time.Millisecond, func() error {
		for _, m := range members() {
			if is, err := f.leads(ctx, m); m != leader && err == nil && is {
				return nil
			}
		}
		return errors.New("no other member of the Northbound cluster leads")
	})
}

func (f *Fabric) killMember(ctx context.Context, m member) error {
	// The number in the file is the one of its PID namespace: a kill from inside.
	_, err := f.nodes[centralName].Output(ctx, "sh", "-c", "kill -9 $(cat /run/ovn/"+m.base()+".pid)")
	return err
}

// answers reports whether a member's server accepts connections.
func (f *Fabric) answers(m member) bool {
	conn, err := net.Dial("unix", f.nodes[centralName].Path(m.socket()))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// restartNorthd starts ovn-northd with other servers: without all of a cluster's it would not find the leader.
func (f *Fabric) restartNorthd(ctx context.Context, of []member) error {
	if _, err := f.nodes[centralName].Output(ctx, "ovn-appctl", "-t", "ovn-northd", "exit"); err != nil {
		return err
	}
	return f.startNorthd(ctx, of)
}

func (f *Fabric) startNorthd(ctx context.Context, of []member) error {
	var remotes []string
	for _, m := range of {
		remotes = append(remotes, "unix:"+m.socket())
	}
	return f.nodes[centralName].Daemon(ctx, "ovn-northd", "--detach", "--no-chdir",
		"--log-file=/var/log/ovn/ovn-northd.log", "--pidfile",
		"--ovnnb-db="+strings.Join(remotes, ","), "--ovnsb-db=unix:/run/ovn/ovnsb_db.sock")
}

func ovsdbTool(ctx context.Context, argv ...string) error {
	if out, err := exec.CommandContext(ctx, tool("ovsdb-tool"), argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("ovsdb-tool %s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
