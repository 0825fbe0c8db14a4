package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// FloatingIP is a floating IP. Unassociated it has no row anywhere.
type FloatingIP struct {
	ID       string // and its NAT's UUID
	Address  netip.Addr
	Network  string // the external one
	MAC      string
	Port     string // associated with, "" for none
	Fixed    netip.Addr
	Router   string
	Revision int
	// Forwardings are there instead of a port.
	Forwardings []Forwarding
}

// FloatingIP finds a floating IP by address.
func (c *Cloud) FloatingIP(address string) (*FloatingIP, error) {
	fip, ok := c.state.FloatingIPs[address]
	if !ok {
		return nil, fmt.Errorf("no floating IP %s in the cloud", address)
	}
	return fip, nil
}

// CreateFloatingIP reserves an address of an external network; the zero address takes a free one.
func (c *Cloud) CreateFloatingIP(_ context.Context, network string, address netip.Addr) (*FloatingIP, error) {
	n, err := c.Network(network)
	if err != nil {
		return nil, err
	}
	if !address.IsValid() {
		for _, s := range n.Subnets {
			if s.CIDR.Addr().Is4() {
				address = c.free(n, s, "")
				break
			}
		}
	}
	if _, err := n.subnet(address); err != nil {
		return nil, err
	}
	if _, err := c.FloatingIP(address.String()); err == nil {
		return nil, fmt.Errorf("floating IP %s exists", address)
	}
	fip := &FloatingIP{ID: newID(), Address: address, Network: network, MAC: newMAC(), Revision: 0}
	c.state.FloatingIPs[address.String()] = fip
	return fip, c.save()
}

// Associate gives a floating IP to a port's first IPv4 address. One that another port has is disassociated first, in
// a transaction of its own some 100 ms before.
func (c *Cloud) Associate(ctx context.Context, address, port string) error {
	fip, err := c.FloatingIP(address)
	if err != nil {
		return err
	}
	if fip.Port != "" {
		if err := c.Disassociate(ctx, address); err != nil {
			return err
		}
		if err := c.pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	ops, err := c.associate(ctx, fip, port)
	if err != nil {
		return fmt.Errorf("associate floating IP %s with %s: %w", address, port, err)
	}
	if err := c.commit(ctx, ops...); err != nil {
		return fmt.Errorf("associate floating IP %s with %s: %w", address, port, err)
	}
	if err := c.pause(ctx, 80*time.Millisecond); err != nil {
		return err
	}
	if err := c.vipFloatingIP(ctx, c.state.Ports[port]); err != nil {
		return err
	}
	fip.Revision++
	return c.commit(ctx, setRevision("NAT", fip.where(), fip.Revision))
}

// associate is the transaction of an association. It changes the state.
func (c *Cloud) associate(ctx context.Context, fip *FloatingIP, port string) ([]ovsdb.Operation, error) {
	p, err := c.Port(port)
	if err != nil {
		return nil, err
	}
	r, err := c.routerBetween(p.Network, fip.Network)
	if err != nil {
		return nil, err
	}
	fip.Port, fip.Router, fip.Revision = p.Name, r.Name, fip.Revision+1
	fip.Fixed = p.address4()
	p.FloatingIP = fip.Address.String()
	row, err := c.natRow(ctx, fip, p, r)
	if err != nil {
		return nil, err
	}
	name := "nat" + fip.MAC[9:11] + fip.MAC[12:14] + fip.MAC[15:] + strconv.FormatUint(uint64(fip.Revision), 10)
	return []ovsdb.Operation{
		ovsdb.InsertAs(rowUUID(fip.ID), "NAT", name, row),
		add("Logical_Router", lr(r.ID), "nat", ovsdb.Named(name)),
		setKeys("Logical_Switch_Port", lsp(p.ID), "external_ids", map[string]string{"neutron:port_fip": p.FloatingIP}),
	}, nil
}

func (c *Cloud) natRow(ctx context.Context, fip *FloatingIP, p *Port, r *Router) (ovsdb.Columns, error) {
	n, err := c.Network(fip.Network)
	if err != nil {
		return nil, err
	}
	row := fip.row(p, r, n)
	if c.isMember(p) {
		delete(row, "logical_port")
	}
	distributed, err := c.distributed(ctx)
	if err != nil || !distributed {
		return row, err
	}
	gateway, err := c.rowID(ctx, "Logical_Router_Port", lrp(r.Gateway.ID))
	if err != nil {
		return nil, err
	}
	row["gateway_port"] = gateway
	up, err := c.up(ctx, p)
	if up && !c.isMember(p) {
		row["external_mac"] = ovsdb.Some(fip.MAC)
	}
	return row, err
}

// row is what a NAT has in both modes.
func (f *FloatingIP) row(p *Port, r *Router, external *Network) ovsdb.Columns {
	return ovsdb.Columns{
		"type": "dnat_and_snat", "external_ip": f.Address.String(), "logical_ip": f.Fixed.String(),
		"logical_port": ovsdb.Some(p.ID), "options": map[string]string{"stateless": "false"},
		"external_ids": map[string]string{
			"neutron:fip_external_mac": f.MAC, "neutron:fip_id": f.ID, "neutron:fip_network_id": external.ID,
			"neutron:fip_port_id": p.ID, "neutron:revision_number": strconv.Itoa(f.Revision),
			"neutron:router_name": "neutron-" + r.ID,
		},
	}
}

// routerBetween finds the router that has an interface on one network and its gateway on the other.
func (c *Cloud) routerBetween(inside, outside string) (*Router, error) {
	for _, r := range c.state.Routers {
		if r.Gateway == nil || r.Gateway.Network != outside {
			continue
		}
		for _, p := range r.Interfaces {
			if p.Network == inside {
				return r, nil
			}
		}
	}
	return nil, fmt.Errorf("no router joins %s and %s", inside, outside)
}

// where finds a floating IP's row by what only it has, so that it does not matter which UUID the row got.
func (f *FloatingIP) where() []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.Includes("external_ids", map[string]string{"neutron:fip_id": f.ID})}
}

// distribute makes a floating IP that is associated be answered for on its port's host from now on: Neutron does so
// when the port comes up, and never takes it back.
func (c *Cloud) distribute(ctx context.Context, fip *FloatingIP) error {
	distributed, err := c.distributed(ctx)
	if err != nil || !distributed || c.isMember(c.state.Ports[fip.Port]) {
		return err
	}
	return c.transact(ctx, ovsdb.Update("NAT", fip.where(), ovsdb.Columns{"external_mac": ovsdb.Some(fip.MAC)}))
}

// Disassociate takes a floating IP from its port; its NAT is deleted. One without port is success.
func (c *Cloud) Disassociate(ctx context.Context, address string) error {
	fip, err := c.FloatingIP(address)
	if err != nil {
		return err
	}
	if fip.Port == "" {
		return nil
	}
	r, err := c.Router(fip.Router)
	if err != nil {
		return err
	}
	row, err := c.rowID(ctx, "NAT", fip.where())
	if err != nil {
		return fmt.Errorf("disassociate floating IP %s: %w", address, err)
	}
	ops := []ovsdb.Operation{remove("Logical_Router", lr(r.ID), "nat", row)}
	p, ok := c.state.Ports[fip.Port]
	if ok {
		p.FloatingIP = ""
		ops = append(ops, deleteKeys("Logical_Switch_Port", lsp(p.ID), "external_ids", "neutron:port_fip"))
	}
	fip.Port, fip.Router, fip.Fixed = "", "", netip.Addr{}
	if err := c.commit(ctx, ops...); err != nil || !ok {
		return err
	}
	return c.vipFloatingIP(ctx, p)
}

// DeleteFloatingIP gives a floating IP back.
func (c *Cloud) DeleteFloatingIP(ctx context.Context, address string) error {
	if err := c.Disassociate(ctx, address); err != nil {
		return err
	}
	for fip := c.state.FloatingIPs[address]; len(fip.Forwardings) > 0; {
		if err := c.Unforward(ctx, address, fip.Forwardings[0].Protocol); err != nil {
			return err
		}
	}
	delete(c.state.FloatingIPs, address)
	return c.save()
}

const distributedKey = "neutron:fip-distributed"

// distributed reads whether floating IPs are answered for on their port's host, or on their router's gateway.
func (c *Cloud) distributed(ctx context.Context) (bool, error) {
	rows, err := c.nb.Select(ctx, nbDatabase, "NB_Global", nil, "external_ids")
	if err != nil || len(rows) != 1 {
		return false, fmt.Errorf("read NB_Global (%d rows): %w", len(rows), err)
	}
	var ids ovsdb.Map
	err = rows[0].Get("external_ids", &ids)
	return ids.Get(distributedKey) == "True", err
}

// SetDistributed switches between distributed and centralised floating IPs, and changes the NATs there are as
// Neutron's maintenance worker does.
func (c *Cloud) SetDistributed(ctx context.Context, distributed bool) error {
	value := "False"
	if distributed {
		value = "True"
	}
	ops := []ovsdb.Operation{setKeys("NB_Global", nil, "external_ids", map[string]string{distributedKey: value})}
	for _, fip := range c.state.FloatingIPs {
		if fip.Port == "" {
			continue
		}
		change := ovsdb.Columns{"external_mac": ovsdb.Set{}, "gateway_port": ovsdb.Set{}}
		if distributed {
			r, err := c.Router(fip.Router)
			if err != nil {
				return err
			}
			gateway, err := c.rowID(ctx, "Logical_Router_Port", lrp(r.Gateway.ID))
			if err != nil {
				return err
			}
			change["gateway_port"] = gateway
			if up, err := c.up(ctx, c.state.Ports[fip.Port]); err != nil {
				return err
			} else if up && !c.isMember(c.state.Ports[fip.Port]) {
				change["external_mac"] = ovsdb.Some(fip.MAC)
			} else {
				delete(change, "external_mac")
			}
		}
		ops = append(ops, ovsdb.Update("NAT", fip.where(), change))
	}
	return c.transact(ctx, ops...)
}
