package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/client/openflow"
	fakekernel "ovnbgp/internal/fake/kernel"
	fakeswitch "ovnbgp/internal/fake/ovs"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

func bridges() []string { return []string{"br-ex", "br-two"} }

// node is where the property test's loop works: the kernel, the switch and the BGP daemon, or the speaker built in.
type node struct {
	kernel  *fakekernel.Kernel
	ovs     *fakeswitch.Switch
	applier *ovs.Applier // keeps connections
	leak    bool
	leaks   int                  // writes to leak
	sources map[string]time.Time // what the BGP daemon redistributes, and since when it has heard of it

	embedded bool
	nic      *kernel.Announcements
	speaker  *speaker // nil: FRR speaks
}

func newNode(embedded bool) *node {
	n := &node{kernel: fakekernel.New(), ovs: fakeswitch.New(), embedded: embedded}
	for _, bridge := range bridges() {
		n.ovs.AddBridge(bridge)
		n.kernel.AddBridge(bridge, bridgeMAC(bridge))
	}
	return n
}

func (n *node) writes() int { return n.kernel.Writes() + n.ovs.Writes() + n.leaks }

// appliers returns new appliers, as a started agent has them.
func (n *node) appliers() (carriers []Applier[model.Node], announcers []Announcer[model.Node]) {
	n.close()
	n.applier = ovs.New(n.ovs.Dial, ovs.DefaultTimers())
	vrf := model.VRF{Name: "bgp-vrf", Table: 10, Device: "bgp-nic"}
	carriers = []Applier[model.Node]{kernel.NewCarriers(n.kernel), n.applier}
	n.nic = kernel.NewAnnouncements(n.kernel, vrf)
	if !n.embedded {
		return carriers, []Announcer[model.Node]{n.nic, leak{n}}
	}
	n.speaker = newSpeaker(n.told(n.look()))
	return carriers, []Announcer[model.Node]{n.nic, n.speaker}
}

// close ends the connections of the appliers that there were.
func (n *node) close() {
	if n.applier != nil {
		n.applier.Close()
	}
}

// look returns what the kernel has.
func (n *node) look() view {
	actual, err := n.kernel.Actual(context.Background())
	if err != nil {
		panic(err) // failures are injected around appliers' calls only
	}
	v := view{actual, map[string]netlink.Link{}}
	for _, l := range actual.Links {
		v.links[l.Name] = l
	}
	return v
}

// view is what the kernel has, links by name.
type view struct {
	netlink.Actual
	links map[string]netlink.Link
}

// announced lists the keys whose addresses, or subnets' routes, are there to be announced, sorted.
func (v view) announced() (keys []string) {
	nic, there := v.links["bgp-nic"]
	for _, a := range v.Addrs {
		if there && a.LinkIndex == nic.Index && a.Prefix.IsSingleIP() && !a.Prefix.Addr().IsLinkLocalUnicast() {
			keys = append(keys, model.Key("bgp-vrf", a.Prefix))
		}
	}
	for _, r := range v.Routes {
		if there && r.LinkIndex == nic.Index && r.Table == 10 {
			keys = append(keys, model.Key("bgp-vrf", r.Dst))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// device finds where a packet leaves, and for whom there: by the first rule that matches and the longest prefix in its
// table.
func (v view) device(ip netip.Addr) (index int, hop netip.Addr, ok bool) {
	for _, rule := range v.Rules {
		if rule.Priority != model.RulePriority || rule.Dst.IsValid() && !rule.Dst.Contains(ip) {
			continue
		}
		best := -1
		for _, r := range v.Routes {
			if r.Table == rule.Table && r.Dst.Contains(ip) && r.Dst.Bits() > best {
				best, index, hop = r.Dst.Bits(), r.LinkIndex, ip
				if r.Gateway.IsValid() {
					hop = r.Gateway
				}
			}
		}
		if best >= 0 {
			return index, hop, true
		}
	}
	return 0, netip.Addr{}, false
}

// forwards walks a packet: rule, route, link and what it stands on, neighbour, and the flow by which the answer
// comes back.
func (n *node) forwards(v view, ip netip.Addr, to place) bool {
	out, known := v.links[to.device]
	index, hop, ok := v.device(ip)
	if !ok || !known || index != out.Index || !out.AdminUp || !v.forwarding(ip) {
		return false
	}
	if parent := strings.Split(to.device, ".")[0]; !v.links[parent].AdminUp {
		return false
	}
	for _, nb := range v.Neighbors {
		if nb.LinkIndex == index && nb.IP == hop && nb.MAC != to.mac {
			return false
		}
	}
	return n.comesBack(ip, to)
}

// comesBack tells whether a flow sends the answers of an address to the kernel.
func (n *node) comesBack(ip netip.Addr, to place) bool {
	ether := openflow.IPv4
	if ip.Is6() {
		ether = openflow.IPv6
	}
	mac, err := openflow.ParseMAC(bridgeMAC(to.bridge))
	if err != nil {
		panic(err)
	}
	return slices.ContainsFunc(n.ovs.Flows(to.bridge), func(f openflow.Flow) bool {
		return f.Match.InPort == uint32(to.ofport) && f.Match.EthType == ether &&
			slices.Contains(f.Actions, openflow.SetEthDst(mac))
	})
}

func (v view) forwarding(ip netip.Addr) bool {
	return slices.ContainsFunc(v.NetConfs, func(c netlink.NetConf) bool {
		return c.LinkIndex == netlink.ConfAll && c.Family == netlink.FamilyOf(ip) && c.Forwarding
	})
}

// told lists the keys the world is told.
func (n *node) told(v view) []string {
	if n.speaker != nil {
		return n.speaker.told()
	}
	if !n.leak {
		return nil
	}
	heard := func(source string) bool { at, ok := n.sources[source]; return ok && !time.Now().Before(at) }
	return slices.DeleteFunc(v.announced(), func(key string) bool {
		// Of an address and a route the daemon takes the address, whether it redistributes it or not.
		if v.hasAddress(key) {
			return !heard("connected")
		}
		return !heard("kernel")
	})
}

func (v view) hasAddress(key string) bool {
	return slices.ContainsFunc(v.Addrs, func(a netlink.Addr) bool {
		return a.LinkIndex == v.links["bgp-nic"].Index && model.Key("bgp-vrf", a.Prefix) == key
	})
}

func (n *node) setBridge(name string, up bool) {
	l := n.look().links[name]
	if up {
		_ = n.kernel.LinkSetUp(l) // nothing fails here
	} else {
		_ = n.kernel.LinkSetDown(l)
	}
}

// stranger deletes one of the objects that are not the operator's.
func (n *node) stranger(number int) string {
	v := n.look()
	deletes := map[string]func() error{}
	for _, l := range v.Links {
		if l.Kind != "openvswitch" {
			deletes["link "+l.Name] = func() error { return n.kernel.LinkDel(l) }
		}
	}
	for _, a := range v.Addrs {
		deletes[fmt.Sprint("addr ", a)] = func() error { return n.kernel.AddrDel(a) }
	}
	for _, r := range v.Routes {
		deletes[fmt.Sprint("route ", r)] = func() error { return n.kernel.RouteDel(r) }
	}
	for _, r := range v.Rules {
		deletes[fmt.Sprint("rule ", r)] = func() error { return n.kernel.RuleDel(r) }
	}
	for _, nb := range v.Neighbors {
		deletes[fmt.Sprint("neighbour ", nb)] = func() error { return n.kernel.NeighDel(nb) }
	}
	for _, nb := range v.Proxies {
		deletes[fmt.Sprint("proxy ", nb)] = func() error { return n.kernel.ProxyDel(nb) }
	}
	for _, bridge := range bridges() {
		for _, f := range n.ovs.Flows(bridge) {
			deletes[fmt.Sprint("flow ", bridge, f)] = func() error { n.ovs.Change(bridge, openflow.Remove(f)); return nil }
		}
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(deletes)), func(name string) bool {
		return n.embedded && v.isRecord(name)
	})
	if len(names) == 0 {
		return "nothing"
	}
	name := names[number%len(names)]
	_ = deletes[name]() // nothing fails here
	return name
}

// isRecord tells of an object that a stranger deletes whether it is part of what is announced, as the kernel has it. The
// speaker built in tells it on when it is gone there; and while it is held, so that nothing else names it, what carries the
// subnet around it may be deleted: that is known, and not mended.
func (v view) isRecord(name string) bool {
	nic := v.links["bgp-nic"]
	return name == "link bgp-nic" || name == "link bgp-vrf" ||
		slices.ContainsFunc(v.Addrs, func(a netlink.Addr) bool { return a.LinkIndex == nic.Index && name == fmt.Sprint("addr ", a) }) ||
		slices.ContainsFunc(v.Routes, func(r netlink.Route) bool { return r.LinkIndex == nic.Index && name == fmt.Sprint("route ", r) })
}

// leak is the applier of FRR's leak: it hands on what the kernel has. (FRR's own applier speaks over sockets, for
// which the bubble's clock does not wait.)
type leak struct{ n *node }

func (leak) Name() string                                { return "frr" }
func (leak) Pokes() <-chan struct{}                      { return nil }
func (leak) Announced(context.Context) ([]string, error) { return nil, nil }

// hearing is how long it takes until a daemon that was told to redistribute more has it.
const hearing = 200 * time.Millisecond

func (l leak) Plan(_ context.Context, want model.Node) ([]plan.Step, error) {
	n := l.n
	lacks := !n.leak
	for _, source := range want.Leak.Redistribute {
		lacks = lacks || n.sources[source].IsZero()
	}
	if !lacks {
		return nil, nil
	}
	return []plan.Step{{Verb: plan.Create, Object: "leak", Do: func(context.Context) error {
		n.leaks++
		if !n.leak { // a daemon that was started anew asks for all
			n.leak, n.sources = true, map[string]time.Time{}
		}
		for _, source := range want.Leak.Redistribute {
			if n.sources[source].IsZero() {
				n.sources[source] = time.Now()
				if len(n.sources) > 1 {
					n.sources[source] = time.Now().Add(hearing)
				}
			}
		}
		return nil
	}}}, nil
}

var errInjected = errors.New("injected")
