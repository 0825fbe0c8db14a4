package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"ovnbgp/internal/client/ovsdb"
)

// BulkOptions describe many ports, with a floating IP each or none, for measurements.
type BulkOptions struct {
	Prefix  string // of the ports' names, which go on with a number from 0
	Network string
	Count   int
	Fixed   netip.Addr // the first port's address; the others follow
	// Parent is the port of a running VM whose subports they become: its node claims them all, and no VM is started.
	// A port has at most 4094 subports. Without parent they stay down, and are bound to Node.
	Parent string
	Node   string
	// External and First add floating IPs: the network, which a router must join with Network, and the first address.
	External string
	First    netip.Addr
}

const maxSubports = 4094

// CreateBulk creates ports in one transaction, each row as Neutron would have made it alone.
func (c *Cloud) CreateBulk(ctx context.Context, o BulkOptions) error {
	b, err := c.newBulk(ctx, o)
	if err != nil {
		return fmt.Errorf("create %d ports: %w", o.Count, err)
	}
	fixed, public := o.Fixed, o.First
	for i := range o.Count {
		p := b.port(c, i, fixed)
		if o.External != "" {
			b.floatingIP(c, i, public, p)
			public = public.Next()
		}
		b.insertPort(c, i, p)
		fixed = fixed.Next()
	}
	b.ops = append(b.ops, add("Logical_Switch", ls(b.network.ID), "ports", b.ports...))
	if o.External != "" {
		b.ops = append(b.ops, add("Logical_Router", lr(b.router.ID), "nat", b.nats...))
	}
	if err := c.commit(ctx, b.ops...); err != nil {
		return fmt.Errorf("create %d ports: %w", o.Count, err)
	}
	return nil
}

// bulk is a transaction that grows.
type bulk struct {
	BulkOptions
	network, external *Network
	parent            *Port
	router            *Router
	gateway           ovsdb.UUID
	distributed       bool
	ops               []ovsdb.Operation
	ports, nats       ovsdb.Set
}

func (c *Cloud) newBulk(ctx context.Context, o BulkOptions) (*bulk, error) {
	b := &bulk{BulkOptions: o}
	var err error
	if b.network, err = c.Network(o.Network); err != nil {
		return nil, err
	}
	if err := b.network.hasRange(o.Fixed, o.Count); err != nil {
		return nil, err
	}
	if o.Parent != "" {
		if b.parent, err = c.Port(o.Parent); err != nil {
			return nil, err
		}
		if o.Count > maxSubports {
			return nil, errors.New("too many subports of one port")
		}
	}
	if o.External == "" {
		return b, nil
	}
	if b.external, err = c.Network(o.External); err != nil {
		return nil, err
	}
	if err := b.external.hasRange(o.First, o.Count); err != nil {
		return nil, err
	}
	if b.router, err = c.routerBetween(o.Network, o.External); err != nil {
		return nil, err
	}
	if b.gateway, err = c.rowID(ctx, "Logical_Router_Port", lrp(b.router.Gateway.ID)); err != nil {
		return nil, err
	}
	b.distributed, err = c.distributed(ctx)
	return b, err
}

// hasRange reports as an error that some of count addresses from first are in no subnet.
func (n *Network) hasRange(first netip.Addr, count int) error {
	a := first
	for range count {
		if _, err := n.subnet(a); err != nil {
			return err
		}
		a = a.Next()
	}
	return nil
}

func (b *bulk) port(c *Cloud, i int, fixed netip.Addr) *Port {
	p := &Port{
		ID: newID(), Name: fmt.Sprintf("%s%d", b.Prefix, i), Network: b.Network, MAC: newMAC(),
		Addresses: []netip.Addr{fixed}, Project: project, Revision: 3,
	}
	if b.parent != nil {
		p.DeviceOwner = "trunk:subport" // no host of its own, even when it is up
	} else {
		p.DeviceOwner, p.DeviceID, p.Host = "compute:nova", newID(), b.Node
	}
	c.state.Ports[p.Name] = p
	return p
}

func (b *bulk) insertPort(c *Cloud, i int, p *Port) {
	row := c.portRow(p)
	if b.parent != nil {
		row["parent_name"], row["tag_request"] = ovsdb.Some(b.parent.ID), ovsdb.Some(int64(i+1))
	} else {
		row["options"] = map[string]string{"requested-chassis": p.Host}
	}
	name := fmt.Sprintf("port%d", i)
	b.ops = append(b.ops, ovsdb.Insert("Logical_Switch_Port", name, row))
	b.ports = append(b.ports, ovsdb.Named(name))
}

func (b *bulk) floatingIP(c *Cloud, i int, public netip.Addr, p *Port) {
	fip := &FloatingIP{
		ID: newID(), Address: public, Network: b.External, MAC: newMAC(), Port: p.Name, Fixed: p.Addresses[0],
		Router: b.router.Name, Revision: 2,
	}
	p.FloatingIP = public.String()
	c.state.FloatingIPs[p.FloatingIP] = fip
	row := fip.row(p, b.router, b.external)
	if b.distributed {
		// As if each port had been up once: otherwise every one of them would need an update later.
		row["gateway_port"], row["external_mac"] = b.gateway, ovsdb.Some(fip.MAC)
	}
	name := fmt.Sprintf("nat%d", i)
	b.ops = append(b.ops, ovsdb.InsertAs(rowUUID(fip.ID), "NAT", name, row))
	b.nats = append(b.nats, ovsdb.Named(name))
}

// DeleteBulk deletes what CreateBulk created, in one transaction.
func (c *Cloud) DeleteBulk(ctx context.Context, o BulkOptions) error {
	n, err := c.Network(o.Network)
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
	ops := []ovsdb.Operation{remove("Logical_Switch", ls(n.ID), "ports", ports...)}
	if o.External != "" {
		r, err := c.routerBetween(o.Network, o.External)
		if err != nil {
			return err
		}
		nats, err := c.rowsBy(ctx, "NAT", "logical_port", wanted)
		if err != nil {
			return err
		}
		ops = append(ops, remove("Logical_Router", lr(r.ID), "nat", nats...))
	}
	return c.commit(ctx, ops...)
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
		var id ovsdb.UUID
		if err := errors.Join(row.Get(column, &value), row.Get("_uuid", &id)); err != nil {
			return nil, err
		}
		if values[value.Value] {
			found = append(found, id)
		}
	}
	return found, nil
}
