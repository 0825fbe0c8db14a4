package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// StartMigration begins a VM's live migration, as the compute service and Neutron do before the VM's memory moves: its
// port may be on both nodes, and on the destination a VM waits, cut off by OVN until it says that it is there.
func (c *Cloud) StartMigration(ctx context.Context, name, destination string) error {
	v, err := c.VM(name)
	if err != nil {
		return err
	}
	if v.Copy != nil || v.Node == destination {
		return fmt.Errorf("migrate VM %s to %s: it is there, or on its way", name, destination)
	}
	n, err := c.fabric.Node(destination)
	if err != nil {
		return err
	}
	p := c.state.Ports[name]
	if err := c.transact(ctx, setKeys("Logical_Switch_Port", lsp(p.ID), "options", map[string]string{
		"requested-chassis": v.Node + "," + destination, "activation-strategy": "rarp",
	})); err != nil {
		return fmt.Errorf("migrate VM %s to %s: %w", name, destination, err)
	}
	twin := &VM{Name: name, Node: destination, Tap: v.Tap}
	if twin.Pid, err = startBanner(n, name); err != nil {
		return err
	}
	v.Copy = twin
	if err := c.save(); err != nil {
		return err
	}
	if err := c.plug(n, twin, p); err != nil {
		return err
	}
	if err := plugSwitch(ctx, n, twin.Tap, p); err != nil {
		return err
	}
	return poll(ctx, 30*time.Second, 50*time.Millisecond, func() error { return c.isOnToo(ctx, p, destination) })
}

// isOnToo reports as an error that OVN has not bound a port to a node beside the one that has it.
func (c *Cloud) isOnToo(ctx context.Context, p *Port, node string) error {
	row, err := c.binding(ctx, p, "additional_chassis")
	if err != nil {
		return err
	}
	want, err := c.chassisID(ctx, node)
	if err != nil {
		return err
	}
	var also []ovsdb.UUID
	if err := row.Get("additional_chassis", &also); err != nil {
		return err
	}
	if !slices.Contains(also, want) {
		return fmt.Errorf("port %s is not bound to %s beside %s", p.Name, node, p.Host)
	}
	return nil
}

// FinishMigration ends a live migration well: the VM goes on at the destination and says so, Neutron activates the
// destination's binding, and the source is unplugged.
func (c *Cloud) FinishMigration(ctx context.Context, name string) error {
	v, p, err := c.migrating(name)
	if err != nil {
		return err
	}
	source := *v
	if err := v.Copy.send(reverseARP(p.MAC)); err != nil {
		return err
	}
	if err := c.pause(ctx, 300*time.Millisecond); err != nil {
		return err
	}
	p.Host = v.Copy.Node
	p.Revision++
	c.state.VMs[name] = v.Copy
	if err := c.commit(ctx,
		setKeys("Logical_Switch_Port", lsp(p.ID), "options", map[string]string{"requested-chassis": p.Host}),
		deleteKeys("Logical_Switch_Port", lsp(p.ID), "options", "activation-strategy"),
		setRevision("Logical_Switch_Port", lsp(p.ID), p.Revision)); err != nil {
		return fmt.Errorf("end the migration of VM %s: %w", name, err)
	}
	if err := c.removeVM(ctx, &source); err != nil {
		return err
	}
	return c.followMigration(ctx, p)
}

// followMigration writes what Neutron writes where the destination's claim toggles `up`. Where it does not, host_id stays
// on the source for good.
func (c *Cloud) followMigration(ctx context.Context, p *Port) error {
	const settles = 3 * time.Second
	for deadline := time.Now().Add(settles); time.Now().Before(deadline); {
		up, err := c.up(ctx, p)
		if err != nil {
			return err
		}
		if !up {
			return errors.Join(c.portDown(ctx, p), c.waitUp(ctx, p, true))
		}
		if err := c.isOn(ctx, p, p.Host); err == nil {
			return nil
		}
		if err := c.pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return c.isOn(ctx, p, p.Host)
}

// AbortMigration ends a live migration that has failed: the VM stays where it is.
func (c *Cloud) AbortMigration(ctx context.Context, name string) error {
	v, p, err := c.migrating(name)
	if err != nil {
		return err
	}
	twin := v.Copy
	v.Copy = nil
	if err := c.removeVM(ctx, twin); err != nil {
		return err
	}
	return c.commit(ctx,
		setKeys("Logical_Switch_Port", lsp(p.ID), "options", map[string]string{"requested-chassis": v.Node}),
		deleteKeys("Logical_Switch_Port", lsp(p.ID), "options", "activation-strategy"))
}

func (c *Cloud) migrating(name string) (*VM, *Port, error) {
	v, err := c.VM(name)
	if err != nil {
		return nil, nil, err
	}
	if v.Copy == nil {
		return nil, nil, fmt.Errorf("VM %s does not migrate", name)
	}
	return v, c.state.Ports[name], nil
}

// removeVM unplugs a VM and ends it, whatever the database says of its port.
func (c *Cloud) removeVM(ctx context.Context, v *VM) error {
	n, err := c.fabric.Node(v.Node)
	if err != nil {
		return err
	}
	if err := unplugSwitch(ctx, n, v.Tap); err != nil {
		return err
	}
	if err := v.kill(n); err != nil {
		return fmt.Errorf("end VM %s on %s: %w", v.Name, v.Node, err)
	}
	return nil
}
