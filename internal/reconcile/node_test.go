package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// node is where the property test's loop works: the kernel, the switch and the BGP daemon.
type node struct {
	kernel *fakekernel.Kernel
	flows  map[string]string // "br-ex in_port=1 ip" → MAC
	leak   bool
	own    int // writes to flows and leak
}

func newNode() *node {
	n := &node{kernel: fakekernel.New(), flows: map[string]string{}}
	for _, bridge := range []string{"br-ex", "br-two"} {
		n.kernel.AddBridge(bridge, bridgeMAC(bridge))
	}
	return n
}

func (n *node) writes() int { return n.kernel.Writes() + n.own }

// appliers returns new appliers, as a started agent has them.
func (n *node) appliers() (carriers []Applier[model.Node], announcers []Announcer[model.Node]) {
	vrf := model.VRF{Name: "bgp-vrf", Table: 10, Device: "bgp-nic"}
	return []Applier[model.Node]{kernel.NewCarriers(n.kernel), flows{n}},
		[]Announcer[model.Node]{kernel.NewAnnouncements(n.kernel, vrf), leak{n}}
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

// announced lists the keys whose addresses are there to be announced, sorted.
func (v view) announced() (keys []string) {
	nic, there := v.links["bgp-nic"]
	for _, a := range v.Addrs {
		if there && a.LinkIndex == nic.Index && a.Prefix.IsSingleIP() {
			keys = append(keys, model.Key("bgp-vrf", a.Prefix))
		}
	}
	slices.Sort(keys)
	return keys
}

// device finds where a packet leaves: by the first rule that matches and the longest prefix in its table.
func (v view) device(ip netip.Addr) (index int, ok bool) {
	for _, rule := range v.Rules {
		if rule.Priority != model.RulePriority || rule.Dst.IsValid() && !rule.Dst.Contains(ip) {
			continue
		}
		best := -1
		for _, r := range v.Routes {
			if r.Table == rule.Table && r.Dst.Contains(ip) && r.Dst.Bits() > best {
				best, index = r.Dst.Bits(), r.LinkIndex
			}
		}
		if best >= 0 {
			return index, true
		}
	}
	return 0, false
}

// forwards walks a packet: rule, route, link and what it stands on, neighbour, and the flow by which the answer
// comes back.
func (n *node) forwards(v view, ip netip.Addr, to place) bool {
	out, known := v.links[to.device]
	index, ok := v.device(ip)
	if !ok || !known || index != out.Index || !out.AdminUp || !v.forwarding(ip) {
		return false
	}
	if parent := strings.Split(to.device, ".")[0]; !v.links[parent].AdminUp {
		return false
	}
	for _, nb := range v.Neighbors {
		if nb.LinkIndex == index && nb.IP == ip && nb.MAC != to.mac {
			return false
		}
	}
	ether := model.EtherIPv4
	if ip.Is6() {
		ether = model.EtherIPv6
	}
	return n.flows[fmt.Sprintf("%s in_port=%d %s", to.bridge, to.ofport, ether)] == bridgeMAC(to.bridge)
}

func (v view) forwarding(ip netip.Addr) bool {
	return slices.ContainsFunc(v.NetConfs, func(c netlink.NetConf) bool {
		return c.LinkIndex == netlink.ConfAll && c.Family == netlink.FamilyOf(ip) && c.Forwarding
	})
}

// told lists the keys the world is told.
func (n *node) told(v view) []string {
	if !n.leak {
		return nil
	}
	return v.announced()
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
	for f := range n.flows {
		deletes["flow "+f] = func() error { delete(n.flows, f); return nil }
	}
	names := slices.Sorted(maps.Keys(deletes))
	if len(names) == 0 {
		return "nothing"
	}
	name := names[number%len(names)]
	_ = deletes[name]() // nothing fails here
	return name
}

// flows is the applier of the flows.
type flows struct{ n *node }

func (flows) Name() string           { return "ovs" }
func (flows) Pokes() <-chan struct{} { return nil }

func (f flows) Plan(_ context.Context, want model.Node) ([]plan.Step, error) {
	var steps []plan.Step
	wanted := map[string]bool{}
	for _, w := range want.Flows {
		name := fmt.Sprintf("%s in_port=%d %s", w.Bridge, w.OFPort, w.EtherType)
		wanted[name] = true
		if f.n.flows[name] == w.EthDst {
			continue
		}
		steps = append(steps, plan.Step{Verb: plan.Create, Object: "flow " + name, Serves: w.Serves,
			Do: func(context.Context) error {
				if w.OFPort == 0 {
					return errors.New("the patch port has no number")
				}
				f.n.own++
				f.n.flows[name] = w.EthDst
				return nil
			}})
	}
	for _, name := range slices.Sorted(maps.Keys(f.n.flows)) {
		if !wanted[name] {
			steps = append(steps, plan.Step{Verb: plan.Delete, Object: "flow " + name,
				Do: func(context.Context) error { f.n.own++; delete(f.n.flows, name); return nil }})
		}
	}
	return steps, nil
}

// leak is the applier of FRR's leak: it hands on what the kernel has.
type leak struct{ n *node }

func (leak) Name() string                                { return "frr" }
func (leak) Pokes() <-chan struct{}                      { return nil }
func (leak) Announced(context.Context) ([]string, error) { return nil, nil }

func (l leak) Plan(context.Context, model.Node) ([]plan.Step, error) {
	if l.n.leak {
		return nil, nil
	}
	return []plan.Step{{Verb: plan.Create, Object: "leak",
		Do: func(context.Context) error { l.n.own++; l.n.leak = true; return nil }}}, nil
}

var errInjected = errors.New("injected")
