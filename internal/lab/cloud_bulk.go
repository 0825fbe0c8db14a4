package lab

import (
	"context"
	"fmt"
	"net/netip"

	"ovnbgp/internal/client/ovsdb"
)

// BulkOptions describe many ports with a floating IP each, for measurements. They are bound to a node as VMs are, but no
// VM runs: Up says what their rows say of it.
type BulkOptions struct {
	Prefix   string // of the ports' names
	Network  string // of the ports; a router must join it with the external network
	External string
	Node     string
	Count    int
	First    netip.Addr // of the floating IPs, which follow one another
	Fixed    netip.Addr // of the ports' addresses, likewise
	Up       bool       // northd may say otherwise, where it runs
}

// CreateBulk creates ports with floating IPs in one transaction, each row as if it had been made alone and its VM were
// up, and does not write the state file per port. Both ranges must lie in subnets of their networks.
func (c *Cloud) CreateBulk(ctx context.Context, o BulkOptions) error {
	r, err := c.routerBetween(o.Network, o.External)
	if err != nil {
		return err
	}
	gateway, err := c.rowID(ctx, "Logical_Router_Port", lrp(r.Gateway.ID))
	if err != nil {
		return err
	}
	network, external, err := c.bulkNetworks(o)
	if err != nil {
		return err
	}
	var ops []ovsdb.Operation
	var ports, nats ovsdb.Set
	public, fixed := o.First, o.Fixed
	for i := range o.Count {
		p := &Port{
			ID: newID(), Name: fmt.Sprintf("%s%d", o.Prefix, i), Network: o.Network, MAC: newMAC(),
			Addresses: []netip.Addr{fixed}, DeviceID: newID(), DeviceOwner: "compute:nova", Host: o.Node, HostID: o.Node,
			FloatingIP: public.String(), Project: project, Revision: 5,
		}
		fip := &FloatingIP{
			ID: newID(), Address: public, Network: o.External, MAC: newMAC(), Port: p.Name, Fixed: fixed, Router: r.Name, Revision: 2,
		}
		c.state.Ports[p.Name], c.state.FloatingIPs[p.FloatingIP] = p, fip
		portName, natName := fmt.Sprintf("port%d", i), fmt.Sprintf("nat%d", i)
		row := c.portRow(p)
		row["options"] = map[string]string{"requested-chassis": o.Node}
		if o.Up {
			row["up"] = ovsdb.Some(true)
		}
		nat := fip.row(p, r, external)
		nat["gateway_port"], nat["external_mac"] = gateway, ovsdb.Some(fip.MAC)
		ops = append(ops, ovsdb.Insert("Logical_Switch_Port", portName, row), insertAs("NAT", fip.ID, natName, nat))
		ports, nats = append(ports, ovsdb.Named(portName)), append(nats, ovsdb.Named(natName))
		public, fixed = public.Next(), fixed.Next()
	}
	ops = append(ops, add("Logical_Switch", ls(network.ID), "ports", ports...), add("Logical_Router", lr(r.ID), "nat", nats...))
	if err := c.commit(ctx, ops...); err != nil {
		return fmt.Errorf("create %d ports with floating IPs: %w", o.Count, err)
	}
	return nil
}

func (c *Cloud) bulkNetworks(o BulkOptions) (network, external *Network, err error) {
	if network, err = c.Network(o.Network); err != nil {
		return nil, nil, err
	}
	if external, err = c.Network(o.External); err != nil {
		return nil, nil, err
	}
	last := func(a netip.Addr) netip.Addr {
		for range o.Count - 1 {
			a = a.Next()
		}
		return a
	}
	for _, a := range []netip.Addr{o.Fixed, last(o.Fixed)} {
		if _, err := network.subnet(a); err != nil {
			return nil, nil, err
		}
	}
	for _, a := range []netip.Addr{o.First, last(o.First)} {
		if _, err := external.subnet(a); err != nil {
			return nil, nil, err
		}
	}
	return network, external, nil
}

// DeleteBulk deletes what CreateBulk created, in one transaction.
func (c *Cloud) DeleteBulk(ctx context.Context, o BulkOptions) error {
	network, err := c.Network(o.Network)
	if err != nil {
		return err
	}
	r, err := c.routerBetween(o.Network, o.External)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for i := range o.Count {
		name := fmt.Sprintf("%s%d", o.Prefix, i)
		p, err := c.Port(name)
		if err != nil {
			return err
		}
		wanted[p.ID] = true
		delete(c.state.FloatingIPs, p.FloatingIP)
		delete(c.state.Ports, name)
	}
	ports, err := c.rowsBy(ctx, "Logical_Switch_Port", "name", wanted)
	if err != nil {
		return err
	}
	nats, err := c.rowsBy(ctx, "NAT", "logical_port", wanted)
	if err != nil {
		return err
	}
	return c.commit(ctx, remove("Logical_Switch", ls(network.ID), "ports", ports...),
		remove("Logical_Router", lr(r.ID), "nat", nats...))
}

// rowsBy lists the rows of a table whose column has one of the values.
func (c *Cloud) rowsBy(ctx context.Context, table, column string, values map[string]bool) (ovsdb.Set, error) {
	rows, err := c.nb.Select(ctx, nbDatabase, table, nil, "_uuid", column)
	if err != nil {
		return nil, err
	}
	var found ovsdb.Set
	for _, row := range rows {
		var value ovsdb.Optional[string]
		if err := row.Get(column, &value); err != nil {
			return nil, err
		}
		var id ovsdb.UUID
		if err := row.Get("_uuid", &id); err != nil {
			return nil, err
		}
		if values[value.Value] {
			found = append(found, id)
		}
	}
	return found, nil
}
