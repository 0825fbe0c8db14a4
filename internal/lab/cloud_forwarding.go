package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"ovnbgp/internal/client/ovsdb"
)

// Forwarding is one port of a floating IP that is forwarded to a port of a VM. The floating IP itself stays without a
// port, and without a NAT.
type Forwarding struct {
	Protocol string // tcp or udp
	From     uint16
	To       netip.AddrPort
	Network  string
}

// forwardingName is the name of the one row that Neutron keeps for a floating IP's forwardings of a protocol.
func (f *FloatingIP) forwardingName(protocol string) string {
	return "pf-floatingip-" + f.ID + "-" + protocol
}

// forwardingVIPs are the vips of that row.
func (f *FloatingIP) forwardingVIPs(protocol string) map[string]string {
	vips := map[string]string{}
	for _, w := range f.Forwardings {
		if w.Protocol == protocol {
			vips[netip.AddrPortFrom(f.Address, w.From).String()] = w.To.String()
		}
	}
	return vips
}

// Forward forwards a port of a floating IP to a port of a VM's first IPv4 address.
func (c *Cloud) Forward(ctx context.Context, address, protocol string, from uint16, port string, to uint16) error {
	fip, err := c.FloatingIP(address)
	if err != nil {
		return err
	}
	p, err := c.Port(port)
	if err != nil {
		return err
	}
	r, err := c.routerBetween(p.Network, fip.Network)
	if err != nil {
		return err
	}
	n, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	name := fip.forwardingName(protocol)
	isNew := len(fip.forwardingVIPs(protocol)) == 0
	fip.Router = r.Name
	fip.Forwardings = append(fip.Forwardings, Forwarding{
		Protocol: protocol, From: from, To: netip.AddrPortFrom(p.address4(), to), Network: p.Network,
	})
	vips := fip.forwardingVIPs(protocol)
	if !isNew {
		return c.commit(ctx, ovsdb.Update("Load_Balancer", named(name), ovsdb.Columns{"vips": vips}))
	}
	return c.commit(ctx,
		ovsdb.Insert("Load_Balancer", "forwarding", ovsdb.Columns{
			"name": name, "protocol": ovsdb.Some(protocol), "vips": vips,
			"external_ids": map[string]string{
				"neutron:device_owner": "port_forwarding_plugin", "neutron:fip_id": fip.ID,
				"neutron:router_name": "neutron-" + r.ID,
			},
		}),
		add("Logical_Router", lr(r.ID), "load_balancer", ovsdb.Named("forwarding")),
		add("Logical_Switch", ls(n.ID), "load_balancer", ovsdb.Named("forwarding")))
}

// Unforward ends all forwardings of a floating IP for a protocol, and with them their row.
func (c *Cloud) Unforward(ctx context.Context, address, protocol string) error {
	fip, err := c.FloatingIP(address)
	if err != nil {
		return err
	}
	name := fip.forwardingName(protocol)
	row, err := c.rowID(ctx, "Load_Balancer", named(name))
	if err != nil {
		return fmt.Errorf("end the forwardings of %s: %w", address, err)
	}
	var ops []ovsdb.Operation
	for _, w := range fip.Forwardings {
		if n := c.state.Networks[w.Network]; n != nil && w.Protocol == protocol {
			ops = append(ops, remove("Logical_Switch", ls(n.ID), "load_balancer", row))
		}
	}
	if r, ok := c.state.Routers[fip.Router]; ok {
		ops = append(ops, remove("Logical_Router", lr(r.ID), "load_balancer", row))
	}
	fip.Forwardings = slices.DeleteFunc(fip.Forwardings, func(w Forwarding) bool { return w.Protocol == protocol })
	if len(fip.Forwardings) == 0 {
		fip.Router = ""
	}
	return c.commit(ctx, append(ops, ovsdb.Delete("Load_Balancer", named(name)...))...)
}
