package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"ovnbgp/internal/client/vty"
)

// Route is one path in the leaf's BGP table.
type Route struct {
	Prefix  netip.Prefix
	Node    string // the neighbour it was learned from; "" for the leaf's own
	NextHop netip.Addr
	Best    bool
	ASPath  string
}

// LeafTable is the leaf's BGP table of both families, sorted by prefix and node.
func (f *Fabric) LeafTable(ctx context.Context) ([]Route, error) {
	var all []Route
	for _, family := range []string{"ipv4", "ipv6"} {
		out, err := f.showLeaf(ctx, "show bgp "+family+" unicast json")
		if err != nil {
			return nil, err
		}
		routes, err := parseTable(out)
		if err != nil {
			return nil, fmt.Errorf("read the leaf's %s table: %w", family, err)
		}
		all = append(all, routes...)
	}
	slices.SortFunc(all, func(a, b Route) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.Node, b.Node))
	})
	return all, nil
}

// showLeaf asks the leaf's bgpd. Its socket answers in less than a millisecond; a vtysh takes a hundred times that.
func (f *Fabric) showLeaf(ctx context.Context, command string) ([]byte, error) {
	bgpd := vty.New(f.nodes[leafName].Path("/run/frr/bgpd.vty"))
	defer bgpd.Close()
	return bgpd.Show(ctx, command)
}

// parseTable reads `show bgp … json`. A path of a neighbour names it by the host name that it told when the session began.
func parseTable(text []byte) ([]Route, error) {
	var table struct {
		Routes map[string][]struct {
			PeerID   string `json:"peerId"` // "(unspec)" for what the leaf has itself
			Path     string `json:"path"`
			Best     bool   `json:"bestpath"`
			NextHops []struct {
				IP       string `json:"ip"`
				HostName string `json:"hostname"`
			} `json:"nexthops"`
		} `json:"routes"`
	}
	if err := json.Unmarshal(text, &table); err != nil {
		return nil, err
	}
	var routes []Route
	for text, paths := range table.Routes {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			r := Route{Prefix: prefix, Best: p.Best, ASPath: p.Path}
			for _, hop := range p.NextHops {
				if p.PeerID != "(unspec)" {
					r.Node = hop.HostName
				}
				if a, err := netip.ParseAddr(hop.IP); err == nil {
					r.NextHop = a
				}
			}
			routes = append(routes, r)
		}
	}
	return routes, nil
}

// Announcers lists the nodes that announce a prefix to the leaf.
func Announcers(table []Route, prefix netip.Prefix) []string {
	var nodes []string
	for _, r := range table {
		if r.Prefix == prefix && r.Node != "" {
			nodes = append(nodes, r.Node)
		}
	}
	return nodes
}

// Updates counts the UPDATE messages that the leaf has received from each node since its session began. It tells
// whether a node was silent, and whether many changes went in few messages.
func (f *Fabric) Updates(ctx context.Context) (map[string]int, error) {
	out, err := f.showLeaf(ctx, "show bgp neighbors json")
	if err != nil {
		return nil, err
	}
	// The answer also has members that are no neighbours, of other types.
	var neighbours map[string]json.RawMessage
	if err := json.Unmarshal(out, &neighbours); err != nil {
		return nil, fmt.Errorf("read the leaf's neighbours: %w", err)
	}
	counts := map[string]int{}
	for _, spec := range f.Topology.Chassis() {
		var n struct {
			Stats struct {
				Updates int `json:"updatesRecv"`
			} `json:"messageStats"`
		}
		if err := json.Unmarshal(neighbours[spec.Name], &n); err != nil {
			return nil, fmt.Errorf("read the leaf's neighbour %s: %w", spec.Name, err)
		}
		counts[spec.Name] = n.Stats.Updates
	}
	return counts, nil
}

// AcceptPrefixes makes the leaf take prefixes of any length from the nodes, not only host routes, or only those again.
func (f *Fabric) AcceptPrefixes(ctx context.Context, all bool) error {
	return permit(ctx, f.nodes[leafName], "from-nodes", all, netip.PrefixFrom(netip.IPv4Unspecified(), 0),
		netip.PrefixFrom(netip.IPv6Unspecified(), 0))
}

// AcceptPrefix makes the nodes announce one prefix, and the leaf take it, or no more: the leaf and the nodes' FRR let only
// host routes pass. An agent that speaks BGP itself announces whatever it wants to.
func (f *Fabric) AcceptPrefix(ctx context.Context, prefix netip.Prefix, yes bool) error {
	leaf := permit(ctx, f.nodes[leafName], "from-nodes", yes, prefix)
	if f.Topology.Embedded {
		return leaf
	}
	return errors.Join(leaf, each(f.Chassis(), func(n Node) error { return permit(ctx, n, "only-host-prefixes", yes, prefix) }))
}

// permit adds prefixes, and what is in them, to a prefix list of a speaker, or takes them off it.
func permit(ctx context.Context, n Node, list string, yes bool, what ...netip.Prefix) error {
	argv := []string{"vtysh", "-c", "configure terminal"}
	for _, p := range what {
		command := fmt.Sprintf("prefix-list %s permit %s le %d", list, p, p.Addr().BitLen())
		if p.Addr().Is4() {
			command = "ip " + command
		} else {
			command = "ipv6 " + command
		}
		if !yes {
			command = "no " + command
		}
		argv = append(argv, "-c", command)
	}
	// What has passed, or has not, passes anew.
	_, err := n.Output(ctx, append(argv, "-c", "end", "-c", "clear bgp ipv4 unicast * soft",
		"-c", "clear bgp ipv6 unicast * soft")...)
	return err
}

// Ping sends one echo request from the outside host and waits up to two seconds. A node may answer for an address it
// has itself: Banner does not have that doubt.
func (f *Fabric) Ping(ctx context.Context, to netip.Addr) error {
	_, err := f.nodes[outsideName].Output(ctx, "ping", "-n", "-c", "1", "-W", "2", to.String())
	return err
}

// Banner connects from the outside host to a virtual machine's banner server and returns the name it answers.
func (f *Fabric) Banner(ctx context.Context, to netip.Addr) (string, error) {
	return f.nodes[outsideName].Banner(ctx, to)
}

// Banner connects from the node to a virtual machine's banner server and returns the name it answers.
func (n Node) Banner(ctx context.Context, to netip.Addr) (string, error) {
	var name string
	err := onThread(func() error {
		// A socket stays in the namespace it was made in: only making it needs this thread.
		return enterNamespaces(n.Pid, []string{"net"}, func() error {
			conn, err := dialHere(to, BannerPort)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
				return err
			}
			text, err := io.ReadAll(io.LimitReader(conn, 256))
			name = strings.TrimSpace(string(text))
			return err
		})
	})
	if err != nil {
		return "", fmt.Errorf("banner of %s from %s: %w", to, n.Name, err)
	}
	return name, ctx.Err()
}

// dialHere connects without the parallel attempts of net.Dialer, which would run on threads outside the namespace: an
// address, not a name, is dialled on the calling goroutine.
func dialHere(to netip.Addr, port int) (net.Conn, error) {
	d := net.Dialer{Timeout: 2 * time.Second, FallbackDelay: -1}
	return d.Dial("tcp", net.JoinHostPort(to.String(), strconv.Itoa(port)))
}

// Talk connects from the outside host to a virtual machine's echo server. The caller closes the connection.
func (f *Fabric) Talk(ctx context.Context, to netip.Addr) (net.Conn, error) {
	var conn net.Conn
	err := onThread(func() error {
		return enterNamespaces(f.nodes[outsideName].Pid, []string{"net"}, func() (err error) {
			conn, err = dialHere(to, EchoPort)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("talk to %s: %w", to, err)
	}
	return conn, ctx.Err()
}

// Reach is what the outside host finds at an address.
type Reach struct {
	Name    string
	Address netip.Addr
	TCPOnly bool // a load balancer's address answers no ping
	Ping    error
	Banner  string
	Err     error // of the banner
}

// Summary is what the lab shows when it is up.
type Summary struct {
	Table []Route
	Reach []Reach
}

// Summarize reads the leaf's table and tries every address of the demonstration cloud from outside.
func (f *Fabric) Summarize(ctx context.Context, c *Cloud) (Summary, error) {
	var s Summary
	var err error
	if s.Table, err = f.LeafTable(ctx); err != nil {
		return s, err
	}
	for _, target := range c.outsideTargets() {
		if !target.TCPOnly {
			target.Ping = f.Ping(ctx, target.Address)
		}
		target.Banner, target.Err = f.Banner(ctx, target.Address)
		s.Reach = append(s.Reach, target)
	}
	return s, nil
}

// outsideTargets are the addresses that a fabric is to reach: of VMs on provider networks and on tenants' without SNAT,
// floating IPs of VMs, and VIPs on external networks.
func (c *Cloud) outsideTargets() []Reach {
	var out []Reach
	for name := range c.state.VMs {
		p := c.state.Ports[name]
		var inside []netip.Addr
		what := name
		if n := c.state.Networks[p.Network]; n != nil && n.Provider() {
			inside = p.Addresses
		} else if c.routed(p.Network) {
			inside, what = p.Addresses, name+" (tenant network)"
		}
		for _, a := range inside {
			out = append(out, Reach{Name: what, Address: a})
		}
		if a, err := netip.ParseAddr(p.FloatingIP); err == nil {
			out = append(out, Reach{Name: name + " (floating IP)", Address: a})
		}
	}
	for _, l := range c.state.LoadBalancers {
		if n := c.state.Networks[l.Network]; n != nil && n.External {
			out = append(out, Reach{Name: l.Name + " (load balancer)", Address: l.VIP, TCPOnly: true})
		}
	}
	slices.SortFunc(out, func(a, b Reach) int { return a.Address.Compare(b.Address) })
	return out
}

// routed tells whether a network is behind a router that leaves its addresses as they are.
func (c *Cloud) routed(network string) bool {
	for _, r := range c.state.Routers {
		if r.Gateway != nil && !r.SNAT && slices.ContainsFunc(r.Interfaces, func(p *Port) bool { return p.Network == network }) {
			return true
		}
	}
	return false
}

// Print shows the host routes that nodes announce, then what was reached.
func (s Summary) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "THE LEAF KNOWS\tFROM\tNEXT HOP")
	for _, r := range s.Table {
		if r.Node != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Prefix, r.Node, r.NextHop)
		}
	}
	if len(s.Reach) > 0 {
		fmt.Fprintln(w, "\t\t\nFROM OUTSIDE TO\tPING\tTCP BANNER")
	}
	for _, r := range s.Reach {
		ping, banner := "ok", r.Banner
		switch {
		case r.TCPOnly:
			ping = "-"
		case r.Ping != nil:
			ping = "no answer"
		}
		if r.Err != nil {
			banner = "no answer"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", r.Address, r.Name, ping, banner)
	}
	return w.Flush()
}

// Reached reports whether every address answered as it should.
func (s Summary) Reached() bool {
	return !slices.ContainsFunc(s.Reach, func(r Reach) bool { return r.Ping != nil || r.Err != nil || r.Banner == "" })
}

// NativeSummary prints the leaf's table, what is reached from outside, and what the agent says of the floating IP. It
// tries again until all is reached, at most for the given time; then what is not reached is an error.
func NativeSummary(ctx context.Context, wait time.Duration, out io.Writer) error {
	c, err := OpenCloud(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline := time.Now().Add(wait)
	for {
		s, err := c.fabric.Summarize(ctx, c)
		if err != nil {
			return err
		}
		if !s.Reached() && time.Now().Before(deadline) {
			continue
		}
		if err := errors.Join(s.Print(out), c.askAgent(ctx, out)); err != nil {
			return err
		}
		if !s.Reached() {
			return fmt.Errorf("not every address was reached from outside within %v: see above", wait)
		}
		return nil
	}
}

// askAgent shows what the agents say: on the node that has the demonstration's floating IP, and, of the machine on a
// tenant network, on the node that may host its router's gateway first.
func (c *Cloud) askAgent(ctx context.Context, out io.Writer) error {
	vm, err := c.VM(DemoTenantVM)
	if err != nil {
		return err
	}
	router, err := c.Router(DemoRoutedRouter)
	if err != nil {
		return err
	}
	routed, err := c.Port(DemoRoutedVM)
	if err != nil {
		return err
	}
	for _, ask := range []struct {
		node string
		argv []string
	}{
		{vm.Node, []string{"ovnbgp", "status"}},
		{vm.Node, []string{"ovnbgp", "explain", DemoFloatingIP}},
		{router.Chassis[0], []string{"ovnbgp", "explain", routed.address4().String()}},
	} {
		node, err := c.fabric.Node(ask.node)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s# %s\n", node.Name, strings.Join(ask.argv, " "))
		// The exit code is part of what is shown: degraded is no error of the lab.
		if _, err := node.Attach(ctx, strings.NewReader(""), out, out, ask.argv); err != nil {
			return err
		}
	}
	return nil
}
