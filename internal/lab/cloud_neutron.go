package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// neutronInterval is how often the stand-in for Neutron looks at gateways: Neutron itself needs 0.2 s to follow.
const neutronInterval = 200 * time.Millisecond

// Neutron plays Neutron's part in what happens without an API call, until ctx ends: when another chassis takes a
// router's gateway, it writes that chassis into the gateway's switch port. What follows from a VM's port going up or
// down is written by whoever boots or stops the VM. It is started by NativeUp as `ovnbgp lab neutron`.
func Neutron(ctx context.Context) error {
	f, err := OpenFabric()
	if err != nil {
		return err
	}
	seen := map[string]string{}
	for ctx.Err() == nil {
		// The database may be away for a while, and be another one afterwards.
		if err := neutronSession(ctx, f, seen); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "neutron:", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(neutronInterval):
		}
	}
	return nil
}

// neutronSession follows gateways for as long as the database answers.
func neutronSession(ctx context.Context, f *Fabric, seen map[string]string) error {
	conn, err := ovsdb.Dial(ctx, "unix:"+f.NBSocket(), nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	tick := time.NewTicker(neutronInterval)
	defer tick.Stop()
	for {
		if err := followGateways(ctx, conn, seen); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// followGateways writes requested-chassis, then neutron:host_id, of each gateway whose hosting chassis is not the one
// seen last. A gateway that nobody hosts keeps what it had: so does Neutron.
func followGateways(ctx context.Context, conn *ovsdb.Conn, seen map[string]string) error {
	rows, err := conn.Select(ctx, nbDatabase, "Logical_Router_Port",
		[]ovsdb.Condition{{Column: "ha_chassis_group", Function: "!=", Value: ovsdb.Set{}}}, "name", "status")
	if err != nil {
		return err
	}
	for _, row := range rows {
		var name string
		var status ovsdb.Map
		if err := errors.Join(row.Get("name", &name), row.Get("status", &status)); err != nil {
			return err
		}
		host := status.Get("hosting-chassis")
		if host == "" || seen[name] == host {
			continue
		}
		if err := gatewayMoved(ctx, conn, strings.TrimPrefix(name, "lrp-"), host); err != nil {
			return fmt.Errorf("gateway %s: %w", name, err)
		}
		seen[name] = host
	}
	return nil
}

func gatewayMoved(ctx context.Context, conn *ovsdb.Conn, port, host string) error {
	const table = "Logical_Switch_Port"
	rows, err := conn.Select(ctx, nbDatabase, table, lsp(port), "external_ids")
	if err != nil || len(rows) == 0 {
		return err // deleted meanwhile
	}
	var ids ovsdb.Map
	if err := rows[0].Get("external_ids", &ids); err != nil {
		return err
	}
	revision, err := strconv.Atoi(ids.Get("neutron:revision_number"))
	if err != nil {
		return fmt.Errorf("revision of port %s: %w", port, err)
	}
	for _, op := range []ovsdb.Operation{
		setKeys(table, lsp(port), "options", map[string]string{"requested-chassis": host}),
		setRevision(table, lsp(port), revision+3),
		setKeys(table, lsp(port), "external_ids", map[string]string{"neutron:host_id": host}),
		setRevision(table, lsp(port), revision+4),
	} {
		if _, err := conn.Transact(ctx, nbDatabase, op); err != nil {
			return err
		}
	}
	return nil
}

// startNeutron starts Neutron in the central node's PID namespace, so that it ends with the fabric.
func (f *Fabric) startNeutron(context.Context) error {
	central := f.nodes[centralName]
	cmd := exec.Command(central.Program, "lab", "neutron")
	cmd.Dir = "/"
	// Only the PID namespace: it reads the lab's state where we keep it.
	return central.startDetached(cmd, "/var/log/ovnbgp/neutron.log", func(cmd *exec.Cmd) error {
		return onThread(func() error { return enterNamespaces(central.Pid, []string{"pid"}, cmd.Start) })
	})
}
