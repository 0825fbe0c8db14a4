package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/client/ovsdb"
)

// Router is a router with at most one gateway.
type Router struct {
	ID, Name   string
	Gateway    *Port // DeviceOwner network:router_gateway
	Interfaces []*Port
	SNAT       bool
	// Chassis are the candidates for the gateway, the one of the highest priority first.
	Chassis  []string
	Revision int
}

func (r *Router) ports() []*Port {
	if r.Gateway == nil {
		return r.Interfaces
	}
	return append(slices.Clone(r.Interfaces), r.Gateway)
}

// Router finds a router by name.
func (c *Cloud) Router(name string) (*Router, error) {
	r, ok := c.state.Routers[name]
	if !ok {
		return nil, fmt.Errorf("no router %q in the cloud", name)
	}
	return r, nil
}

// CreateRouter creates a router without gateway and interfaces.
func (c *Cloud) CreateRouter(ctx context.Context, name string) (*Router, error) {
	if _, err := c.Router(name); err == nil {
		return nil, fmt.Errorf("create router %s: it exists", name)
	}
	r := &Router{ID: newID(), Name: name, Revision: 1}
	if err := c.transact(ctx, ovsdb.Insert("Logical_Router", "", ovsdb.Columns{
		"name":    "neutron-" + r.ID,
		"enabled": ovsdb.Some(true),
		"external_ids": map[string]string{
			"neutron:availability_zone_hints": "", "neutron:revision_number": "1", "neutron:router_name": name,
		},
		"options": map[string]string{
			"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true", "mac_binding_age_threshold": "300",
		},
	})); err != nil {
		return nil, fmt.Errorf("create router %s: %w", name, err)
	}
	c.state.Routers[name] = r
	return r, c.save()
}

// GatewayOptions describe a router's gateway.
type GatewayOptions struct {
	Router, Network string
	Addresses       []netip.Addr // none: one of each subnet
	NoSNAT          bool
	Chassis         []string // candidates in order; none: the cloud's gateways, a different first one for each router
}

// SetGateway gives a router its gateway: the switch port first, then all the rest in one transaction.
func (c *Cloud) SetGateway(ctx context.Context, o GatewayOptions) error {
	r, err := c.Router(o.Router)
	if err != nil {
		return err
	}
	n, err := c.Network(o.Network)
	if err != nil {
		return err
	}
	if r.Gateway != nil {
		return fmt.Errorf("router %s has a gateway", r.Name)
	}
	p := c.routerPort(r, n, "network:router_gateway", o.Addresses)
	if err := c.insertRouterPort(ctx, n, p); err != nil {
		return fmt.Errorf("set gateway of router %s: %w", r.Name, err)
	}
	r.Gateway, r.SNAT, r.Chassis = p, !o.NoSNAT, o.Chassis
	if len(r.Chassis) == 0 {
		r.Chassis = rotated(c.Gateways, len(c.state.Routers)-1)
	}
	r.Revision++
	ops := []ovsdb.Operation{setRevision("Logical_Router", lr(r.ID), r.Revision)}
	row := c.routerPortRow(r, n, p)
	row["options"] = c.gatewayOptions(r)
	if len(r.Chassis) > 0 {
		group := haGroup("group", r.ID, map[string]string{"neutron:router_id": r.ID}, r.Chassis)
		// The group outlives the gateway: a second gateway of the same router finds it.
		ops = append(ops, ovsdb.Delete("HA_Chassis_Group", named("neutron-"+r.ID)...))
		ops = append(ops, group...)
		row["ha_chassis_group"] = ovsdb.Named("group")
	}
	ops = append(ops,
		ovsdb.Insert("Logical_Router_Port", "gateway", row),
		add("Logical_Router", lr(r.ID), "ports", ovsdb.Named("gateway")),
		ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{
			"type": "router", "addresses": []string{"router"},
			"options": map[string]string{
				"router-port": "lrp-" + p.ID, "nat-addresses": "router", "exclude-lb-vips-from-garp": "true",
			},
		}))
	ops = append(ops, r.defaultRoutes(n)...)
	if err := c.commit(ctx, append(ops, r.snat()...)...); err != nil {
		return fmt.Errorf("set gateway of router %s: %w", r.Name, err)
	}
	return nil
}

func rotated(list []string, by int) []string {
	if len(list) == 0 {
		return nil
	}
	by %= len(list)
	return append(slices.Clone(list[by:]), list[:by]...)
}

// gatewayOptions depend on the interfaces: what comes from a tunnelled network needs its MTU, and its gateway's chassis.
func (c *Cloud) gatewayOptions(r *Router) map[string]string {
	for _, p := range r.Interfaces {
		if n := c.state.Networks[p.Network]; n != nil && !n.Provider() {
			return map[string]string{"gateway_mtu": strconv.Itoa(n.MTU), "reside-on-redirect-chassis": "true"}
		}
	}
	return map[string]string{"gateway_mtu": "1500", "reside-on-redirect-chassis": "false"}
}

// defaultRoutes are one route for each subnet of the external network that the gateway is in.
func (r *Router) defaultRoutes(n *Network) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for i, s := range n.Subnets {
		dst := "0.0.0.0/0"
		if s.CIDR.Addr().Is6() {
			dst = "::/0"
		}
		name := "route" + strconv.Itoa(i)
		ops = append(ops, ovsdb.Insert("Logical_Router_Static_Route", name, ovsdb.Columns{
			"ip_prefix": dst, "nexthop": s.Gateway.String(),
			"external_ids": map[string]string{
				"neutron:is_ext_gw": "true", "neutron:is_static_route": "true", "neutron:subnet_id": s.ID,
			},
		}), add("Logical_Router", lr(r.ID), "static_routes", ovsdb.Named(name)))
	}
	return ops
}

func (r *Router) snat() []ovsdb.Operation {
	var ops []ovsdb.Operation
	for i, a := range r.Gateway.Addresses {
		if !r.SNAT || !a.Is4() {
			continue
		}
		name := "snat" + strconv.Itoa(i)
		ops = append(ops, ovsdb.Insert("NAT", name, ovsdb.Columns{
			"type": "snat", "external_ip": a.String(), "logical_ip": "0.0.0.0/0",
		}), add("Logical_Router", lr(r.ID), "nat", ovsdb.Named(name)))
	}
	return ops
}

// haGroup inserts an HA chassis group for a router or a network, with priorities that count down to 1.
func haGroup(name, id string, ids map[string]string, chassis []string) []ovsdb.Operation {
	ids["neutron:availability_zone_hints"] = ""
	var ops []ovsdb.Operation
	var members ovsdb.Set
	for i, host := range chassis {
		member := fmt.Sprintf("%s%d", name, i)
		members = append(members, ovsdb.Named(member))
		ops = append(ops, ovsdb.Insert("HA_Chassis", member, ovsdb.Columns{
			"chassis_name": host, "priority": int64(len(chassis) - i),
		}))
	}
	return append(ops, ovsdb.Insert("HA_Chassis_Group", name, ovsdb.Columns{
		"name": "neutron-" + id, "external_ids": ids, "ha_chassis": members,
	}))
}

func (c *Cloud) routerPort(r *Router, n *Network, owner string, addrs []netip.Addr) *Port {
	p := &Port{ID: newID(), Network: n.Name, MAC: newMAC(), DeviceID: r.ID, DeviceOwner: owner, Addresses: addrs, Revision: 1}
	if owner != "network:router_gateway" {
		p.Project = project
		return p
	}
	if len(addrs) == 0 {
		for _, s := range n.Subnets {
			p.Addresses = append(p.Addresses, c.free(n, s, p.MAC))
		}
	}
	return p
}

// insertRouterPort is the first step of gateways and interfaces: a switch port that is not a router's yet.
func (c *Cloud) insertRouterPort(ctx context.Context, n *Network, p *Port) error {
	row := c.portRow(p)
	row["addresses"] = []string{"unknown"}
	delete(row, "port_security")
	return c.transact(ctx, ovsdb.Insert("Logical_Switch_Port", "port", row),
		add("Logical_Switch", ls(n.ID), "ports", ovsdb.Named("port")))
}

func (c *Cloud) routerPortRow(r *Router, n *Network, p *Port) ovsdb.Columns {
	var networks, subnets []string
	for _, a := range p.Addresses {
		s, err := n.subnet(a)
		if err != nil {
			continue
		}
		networks = append(networks, cidr(a, s))
		subnets = append(subnets, s.ID)
	}
	gateway := "False"
	if p == r.Gateway {
		gateway = "True"
	}
	return ovsdb.Columns{
		"name": "lrp-" + p.ID, "mac": p.MAC, "networks": networks,
		"external_ids": map[string]string{
			"neutron:is_ext_gw": gateway, "neutron:network_name": "neutron-" + n.ID, "neutron:revision_number": "1",
			"neutron:router_name": "neutron-" + r.ID, "neutron:subnet_ids": strings.Join(subnets, " "),
		},
	}
}

// AddInterface attaches a router to a subnet of a network, with the subnet's gateway address. The rows come in
// Neutron's order: switch port, its type, then the router's port together with what the gateway owes to it.
func (c *Cloud) AddInterface(ctx context.Context, router, network, subnet string) error {
	r, err := c.Router(router)
	if err != nil {
		return err
	}
	n, err := c.Network(network)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(n.Subnets, func(s *Subnet) bool { return s.Name == subnet })
	if i < 0 {
		return fmt.Errorf("network %s has no subnet %q", network, subnet)
	}
	s := n.Subnets[i]
	p := c.routerPort(r, n, "network:router_interface", []netip.Addr{s.Gateway})
	if err := c.insertRouterPort(ctx, n, p); err != nil {
		return fmt.Errorf("attach router %s to %s: %w", router, subnet, err)
	}
	p.Revision++
	if err := c.transact(ctx, ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{"type": "router"}),
		setRevision("Logical_Switch_Port", lsp(p.ID), p.Revision)); err != nil {
		return err
	}
	r.Interfaces = append(r.Interfaces, p)
	row := c.routerPortRow(r, n, p)
	if s.CIDR.Addr().Is6() {
		row["ipv6_ra_configs"] = map[string]string{
			"address_mode": "slaac", "mtu": strconv.Itoa(n.MTU), "send_periodic": "true",
			"route_info": "MEDIUM-fe80::a9fe:a9fe/128",
		}
	}
	ops := []ovsdb.Operation{
		ovsdb.Insert("Logical_Router_Port", "interface", row),
		add("Logical_Router", lr(r.ID), "ports", ovsdb.Named("interface")),
		ovsdb.Update("Logical_Switch_Port", lsp(p.ID), ovsdb.Columns{
			"addresses": []string{"router"}, "options": map[string]string{"router-port": "lrp-" + p.ID},
		}),
	}
	return c.commit(ctx, append(ops, c.gatewayFollows(r, n)...)...)
}

// gatewayFollows is what a new interface changes at the router's gateway, and the group its network gets.
func (c *Cloud) gatewayFollows(r *Router, n *Network) []ovsdb.Operation {
	if r.Gateway == nil {
		return nil
	}
	ops := []ovsdb.Operation{
		ovsdb.Update("Logical_Router_Port", lrp(r.Gateway.ID), ovsdb.Columns{"options": c.gatewayOptions(r)}),
		deleteKeys("Logical_Switch_Port", lsp(r.Gateway.ID), "options", "requested-chassis"),
	}
	if n.Provider() || len(r.Chassis) == 0 {
		return ops
	}
	ops = append(ops, ovsdb.Delete("HA_Chassis_Group", named("neutron-"+n.ID)...))
	return append(ops, haGroup("network", n.ID,
		map[string]string{"neutron:network_id": n.ID, "neutron:router_id": r.ID}, r.Chassis)...)
}

// ClearGateway takes a router's gateway away: the switch port first. The HA chassis group stays.
func (c *Cloud) ClearGateway(ctx context.Context, router string) error {
	r, err := c.Router(router)
	if err != nil {
		return err
	}
	if r.Gateway == nil {
		return nil
	}
	p := r.Gateway
	for _, fip := range c.state.FloatingIPs {
		if fip.Router == r.Name {
			return fmt.Errorf("router %s: floating IP %s needs its gateway", router, fip.Address)
		}
	}
	r.Gateway = nil
	// Without floating IPs all that is left in these lists is the gateway's.
	return c.deleteRouterPort(ctx, r, p, ovsdb.Update("Logical_Router", lr(r.ID), ovsdb.Columns{
		"static_routes": ovsdb.Set{}, "nat": ovsdb.Set{},
	}))
}

// RemoveInterface detaches a router from a network: the switch port first, as Neutron does.
func (c *Cloud) RemoveInterface(ctx context.Context, router, network, subnet string) error {
	r, err := c.Router(router)
	if err != nil {
		return err
	}
	n, err := c.Network(network)
	if err != nil {
		return err
	}
	for i, p := range r.Interfaces {
		s, err := n.subnet(p.Addresses[0])
		if p.Network == network && err == nil && s.Name == subnet {
			r.Interfaces = slices.Delete(r.Interfaces, i, i+1)
			return c.deleteRouterPort(ctx, r, p)
		}
	}
	return fmt.Errorf("router %s is not attached to %s of %s", router, subnet, network)
}

func (c *Cloud) deleteRouterPort(ctx context.Context, r *Router, p *Port, more ...ovsdb.Operation) error {
	n, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	switchPort, err := c.rowID(ctx, "Logical_Switch_Port", lsp(p.ID))
	if err != nil {
		return err
	}
	if err := c.transact(ctx, remove("Logical_Switch", ls(n.ID), "ports", switchPort)); err != nil {
		return err
	}
	routerPort, err := c.rowID(ctx, "Logical_Router_Port", lrp(p.ID))
	if err != nil {
		return err
	}
	r.Revision++
	ops := append(more, remove("Logical_Router", lr(r.ID), "ports", routerPort),
		setRevision("Logical_Router", lr(r.ID), r.Revision))
	return c.commit(ctx, ops...)
}

// DeleteRouter deletes a router without gateway and interfaces, and its HA chassis group.
func (c *Cloud) DeleteRouter(ctx context.Context, name string) error {
	r, err := c.Router(name)
	if err != nil {
		return err
	}
	if len(r.ports()) > 0 {
		return fmt.Errorf("router %s has ports", name)
	}
	delete(c.state.Routers, name)
	return c.commit(ctx, ovsdb.Delete("Logical_Router", lr(r.ID)...),
		ovsdb.Delete("HA_Chassis_Group", named("neutron-"+r.ID)...))
}

// HasInterface reports whether a router is attached to a subnet of a network.
func (c *Cloud) HasInterface(router, network, subnet string) bool {
	r, err := c.Router(router)
	if err != nil {
		return false
	}
	n, err := c.Network(network)
	return err == nil && slices.ContainsFunc(r.Interfaces, func(p *Port) bool {
		s, err := n.subnet(p.Addresses[0])
		return p.Network == network && err == nil && s.Name == subnet
	})
}
