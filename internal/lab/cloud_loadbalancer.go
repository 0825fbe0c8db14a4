package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/client/ovsdb"
)

// LoadBalancerOptions describe an Octavia load balancer of the OVN provider, with one TCP listener and its pool.
type LoadBalancerOptions struct {
	Name    string
	Network string     // of the VIP: a tenant network or an external one
	VIP     netip.Addr // zero: a free one
	Port    int
}

// LoadBalancer is a load balancer. Its VIP has a port, named as the row's VIP port, that never comes up.
type LoadBalancer struct {
	LoadBalancerOptions
	ID, Listener, Pool string
	VIPPort            string // name of the port, by which Associate gives the VIP a floating IP
	FloatingIP         string
	Members            []Member
	Disabled           bool
	Router             string
	Refs               map[string]int // by switch, as in ls_refs
}

// Member is a member of a pool.
type Member struct {
	ID, Subnet string
	Address    netip.AddrPort
	Status     string // "" is NO_MONITOR
}

// LoadBalancer finds a load balancer by name.
func (c *Cloud) LoadBalancer(name string) (*LoadBalancer, error) {
	lb, ok := c.state.LoadBalancers[name]
	if !ok {
		return nil, fmt.Errorf("no load balancer %q in the cloud", name)
	}
	return lb, nil
}

func (l *LoadBalancer) where() []ovsdb.Condition { return named(l.ID) }

func (l *LoadBalancer) setKeys(values map[string]string) ovsdb.Operation {
	return setKeys("Load_Balancer", l.where(), "external_ids", values)
}

// CreateLoadBalancer creates a load balancer without members, in the provider driver's steps: VIP port, row, attachments
// (if the VIP is on a tenant network), protocol, listener, pool.
func (c *Cloud) CreateLoadBalancer(ctx context.Context, o LoadBalancerOptions) (*LoadBalancer, error) {
	if _, err := c.LoadBalancer(o.Name); err == nil {
		return nil, fmt.Errorf("create load balancer %s: it exists", o.Name)
	}
	n, err := c.Network(o.Network)
	if err != nil {
		return nil, err
	}
	l := &LoadBalancer{LoadBalancerOptions: o, ID: newID(), Listener: newID(), Pool: newID(), Refs: map[string]int{}}
	l.VIPPort = "ovn-lb-vip-" + l.ID
	if !l.VIP.IsValid() {
		l.VIP = c.free(n, n.Subnets[0], "")
	}
	p, err := c.CreatePort(ctx, PortOptions{
		Name: l.VIPPort, Network: o.Network, Addresses: []netip.Addr{l.VIP}, DeviceID: "lb-" + l.ID, DeviceOwner: vipOwner,
	})
	if err != nil {
		return nil, err
	}
	c.state.LoadBalancers[l.Name] = l
	if err := c.commit(ctx, ovsdb.Insert("Load_Balancer", "", ovsdb.Columns{
		"name": l.ID, "selection_fields": []string{"ip_dst", "ip_src", "tp_dst", "tp_src"},
		"external_ids": map[string]string{"enabled": "True", "neutron:vip": l.VIP.String(), "neutron:vip_port_id": p.ID},
	})); err != nil {
		return nil, fmt.Errorf("create load balancer %s: %w", o.Name, err)
	}
	if !n.External {
		if err := c.attach(ctx, l, n); err != nil {
			return nil, err
		}
	}
	listener, pool := "listener_"+l.Listener, "pool_"+l.Pool
	port := strconv.Itoa(l.Port) + ":"
	for _, op := range []ovsdb.Operation{
		ovsdb.Update("Load_Balancer", l.where(), ovsdb.Columns{"protocol": ovsdb.Some("tcp")}),
		l.setKeys(map[string]string{listener: port}),
		l.setKeys(map[string]string{pool: "", listener: port + pool}),
	} {
		if err := c.transact(ctx, op); err != nil {
			return nil, fmt.Errorf("create load balancer %s: %w", o.Name, err)
		}
	}
	return l, c.save()
}

const vipOwner = "ovn-lb:vip"

// attach hangs a load balancer on a network's switch and on the network's router, unless it hangs there, and counts.
func (c *Cloud) attach(ctx context.Context, l *LoadBalancer, n *Network) error {
	row, err := c.rowID(ctx, "Load_Balancer", l.where())
	if err != nil {
		return err
	}
	key := "neutron-" + n.ID
	l.Refs[key]++
	ops := []ovsdb.Operation{l.setKeys(map[string]string{"ls_refs": pythonJSON(l.Refs)})}
	if l.Refs[key] == 1 {
		ops = append(ops, add("Logical_Switch", ls(n.ID), "load_balancer", row))
	}
	for _, r := range c.state.Routers {
		if l.Router == "" && slices.ContainsFunc(r.Interfaces, func(p *Port) bool { return p.Network == n.Name }) {
			l.Router = r.Name
			ops = append(ops, add("Logical_Router", lr(r.ID), "load_balancer", row),
				l.setKeys(map[string]string{"lr_ref": "neutron-" + r.ID}))
		}
	}
	return c.commit(ctx, ops...)
}

// pythonJSON is a map as Python's json module writes it: with a blank behind colons and commas.
func pythonJSON[T any](m map[string]T) string {
	var b strings.Builder
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteString(", ")
		}
		text, err := json.Marshal(m[k])
		if err != nil {
			continue // numbers and strings always can
		}
		fmt.Fprintf(&b, "%q: %s", k, text)
	}
	return "{" + b.String() + "}"
}

// AddMember adds a port's first address of the VIP's family, with a TCP port, to a load balancer's pool. A floating IP of
// the port is associated anew, because it becomes a centralised one.
func (c *Cloud) AddMember(ctx context.Context, balancer, port string, tcp uint16) error {
	l, err := c.LoadBalancer(balancer)
	if err != nil {
		return err
	}
	p, err := c.Port(port)
	if err != nil {
		return err
	}
	n, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	a, ok := l.reaches(p)
	if !ok {
		return fmt.Errorf("add %s to load balancer %s: it has no address of the family of %s", port, balancer, l.VIP)
	}
	s, err := n.subnet(a)
	if err != nil {
		return err
	}
	l.Members = append(l.Members, Member{ID: newID(), Subnet: s.ID, Address: netip.AddrPortFrom(a, tcp)})
	if err := c.transact(ctx, l.membersChanged()...); err != nil {
		return fmt.Errorf("add %s to load balancer %s: %w", port, balancer, err)
	}
	if !n.External { // a member on an external network attaches the load balancer to nothing
		if err := c.attach(ctx, l, n); err != nil {
			return err
		}
	}
	if err := c.commit(ctx, l.setKeys(map[string]string{"neutron:member_status": l.memberStatus()})); err != nil {
		return err
	}
	if p.FloatingIP == "" {
		return nil
	}
	return c.Associate(ctx, p.FloatingIP, p.Name)
}

// reaches is the address of a port that the load balancer sends to: the first of its VIP's family.
func (l *LoadBalancer) reaches(p *Port) (netip.Addr, bool) {
	i := slices.IndexFunc(p.Addresses, func(a netip.Addr) bool { return a.Is4() == l.VIP.Is4() })
	if i < 0 {
		return netip.Addr{}, false
	}
	return p.Addresses[i], true
}

// isMember reports whether a port is a member of some load balancer. The floating IP of a member is the gateway's in both
// modes, without logical_port: what the load balancer answers must pass the gateway, too.
func (c *Cloud) isMember(p *Port) bool {
	for _, l := range c.state.LoadBalancers {
		if slices.ContainsFunc(l.Members, func(m Member) bool { return m.Address.Addr() == p.address4() && l.joins(c, p) }) {
			return true
		}
	}
	return false
}

// joins reports whether the load balancer hangs on a port's network: addresses may occur on several.
func (l *LoadBalancer) joins(c *Cloud, p *Port) bool {
	n := c.state.Networks[p.Network]
	return n != nil && (n.External || l.Refs["neutron-"+n.ID] > 0)
}

func (l *LoadBalancer) memberStatus() string {
	status := map[string]string{}
	for _, m := range l.Members {
		status[m.ID] = cmp.Or(m.Status, "NO_MONITOR")
	}
	return pythonJSON(status)
}

// membersChanged writes the pool and the vips that follow from it.
func (l *LoadBalancer) membersChanged() []ovsdb.Operation {
	var members, backends []string
	for _, m := range l.Members {
		members = append(members, "member_"+m.ID+"_"+m.Address.String()+"_"+m.Subnet)
		if m.Status != memberOffline && !l.Disabled {
			backends = append(backends, m.Address.String())
		}
	}
	return []ovsdb.Operation{
		l.setKeys(map[string]string{"pool_" + l.Pool: strings.Join(members, ",")}),
		ovsdb.Update("Load_Balancer", l.where(), ovsdb.Columns{"vips": l.vips(strings.Join(backends, ","))}),
	}
}

// vips is empty without members, as Octavia's are.
func (l *LoadBalancer) vips(backends string) map[string]string {
	vips := map[string]string{}
	if backends == "" {
		return vips
	}
	vips[netip.AddrPortFrom(l.VIP, uint16(l.Port)).String()] = backends
	if a, err := netip.ParseAddr(l.FloatingIP); err == nil {
		vips[netip.AddrPortFrom(a, uint16(l.Port)).String()] = backends
	}
	return vips
}

// vipFloatingIP tells the load balancer of a VIP port that it has got, or lost, its floating IP. The provider's agent does
// so 0.1 s after Neutron has written the NAT.
func (c *Cloud) vipFloatingIP(ctx context.Context, p *Port) error {
	for _, l := range c.state.LoadBalancers {
		if l.VIPPort != p.Name {
			continue
		}
		l.FloatingIP = p.FloatingIP
		ops := l.membersChanged()
		if l.FloatingIP == "" {
			ops = append(ops, deleteKeys("Load_Balancer", l.where(), "external_ids", "neutron:vip_fip"))
		} else {
			ops = append(ops, l.setKeys(map[string]string{"neutron:vip_fip": l.FloatingIP}))
		}
		return c.commit(ctx, ops...)
	}
	return nil
}

// DeleteLoadBalancer deletes a load balancer and its VIP port.
func (c *Cloud) DeleteLoadBalancer(ctx context.Context, name string) error {
	l, err := c.LoadBalancer(name)
	if err != nil {
		return err
	}
	row, err := c.rowID(ctx, "Load_Balancer", l.where())
	if err != nil {
		return err
	}
	var ops []ovsdb.Operation
	for network := range l.Refs {
		ops = append(ops, remove("Logical_Switch", named(network), "load_balancer", row))
	}
	if r, ok := c.state.Routers[l.Router]; ok {
		ops = append(ops, remove("Logical_Router", lr(r.ID), "load_balancer", row))
	}
	delete(c.state.LoadBalancers, name)
	if err := c.commit(ctx, append(ops, ovsdb.Delete("Load_Balancer", l.where()...))...); err != nil {
		return fmt.Errorf("delete load balancer %s: %w", name, err)
	}
	return c.DeletePort(ctx, l.VIPPort)
}
