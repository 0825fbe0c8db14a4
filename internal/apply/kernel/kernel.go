// Package kernel brings the node's kernel to what must be: links, addresses, routes, rules, neighbours and proxy
// entries that carry packets to OVN (Carriers), and the addresses on the VRF's device and routes to it that tell the world
// about them (Announcements).
//
// It knows its own objects by marks that stand on them: the protocol number 179 on routes, rules, neighbours and
// proxy entries, the alias "ovnbgp" on links, the addresses themselves. What the old agent left without a mark is
// adopted, in the tables and on the devices of mapped bridges only. Nothing else is ever changed: each kind has its
// owned function. It compares with netlink's mirror and remembers nothing. Start at Carriers.Plan.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// alias marks links of ours.
const alias = "ovnbgp"

// Kernel is what the appliers read and write; netlink.Conn is one. Methods are described there.
type Kernel interface {
	Actual(ctx context.Context) (netlink.Actual, error)
	LinkByName(ctx context.Context, name string) (netlink.Link, bool, error)
	Watch(tables ...uint32)
	Invalidate()
	Pokes() <-chan struct{}

	LinkAdd(netlink.Link) error
	LinkDel(netlink.Link) error
	LinkSetUp(netlink.Link) error
	LinkSetMaster(l netlink.Link, master int) error
	LinkSetAlias(l netlink.Link, alias string) error
	AddrReplace(netlink.Addr) error
	AddrDel(netlink.Addr) error
	RouteAdd(netlink.Route) error
	RouteReplace(netlink.Route) error
	RouteDel(netlink.Route) error
	RuleAdd(netlink.Rule) error
	RuleDel(netlink.Rule) error
	NeighReplace(netlink.Neighbor) error
	NeighDel(netlink.Neighbor) error
	ProxyAdd(netlink.Neighbor) error
	ProxyDel(netlink.Neighbor) error
	SetSysctl(value string, path ...string) error
	Sysctl(path ...string) (string, error)
}

// unwanted is the reason of most deletes.
const unwanted = "not wanted any more"

// device finds a link when a step runs.
func device(ctx context.Context, k Kernel, name string) (netlink.Link, error) {
	l, ok, err := k.LinkByName(ctx, name)
	if err != nil {
		return netlink.Link{}, err
	}
	if !ok {
		return netlink.Link{}, fmt.Errorf("there is no device %s", name)
	}
	return l, nil
}

// device finds a wanted link when a step runs. Nothing is put on one that is not what is wanted: it might lead packets
// into another network.
func (v *view) device(ctx context.Context, k Kernel, name string) (netlink.Link, error) {
	if why := v.unfit[name]; why != "" {
		return netlink.Link{}, errors.New(why)
	}
	return device(ctx, k, name)
}

// fails is the deed of a step that cannot be done, for the reason given.
func fails(format string, args ...any) func(context.Context) error {
	err := fmt.Errorf(format, args...)
	return func(context.Context) error { return err }
}

// view is the actual state as a plan looks at it.
type view struct {
	netlink.Actual
	vrf    model.VRF
	wanted []model.Announcement
	byName map[string]netlink.Link
	names  map[int]string
	// The tables of mapped bridges, the indexes of bridges that are or were mapped, those that only were, and the first
	// with the VLAN devices on them: objects without a mark are adopted in the tables and on the devices.
	tables  map[uint32]bool
	bridges map[int]bool
	former  map[int]bool
	devices map[int]bool
	// doomed are the indexes of links that the plan deletes, unfit the names of those that are not what is wanted under
	// their name, with the reason.
	doomed map[int]bool
	unfit  map[string]string
	// gateways are the next hops of routes, and what is routed by them.
	gateways map[hop][]netip.Prefix
	// withoutIPv6 says of devices why they have no IPv6, as far as it was asked.
	withoutIPv6 map[string]string
	tellable    []netip.Prefix // see announced
	inVRF       map[int]bool   // see deviceOf
}

// hop is an address behind a link.
type hop struct {
	link int
	ip   netip.Addr
}

func newView(a netlink.Actual, want model.Node) *view {
	v := &view{Actual: a, vrf: want.VRF, wanted: want.Announcements, byName: map[string]netlink.Link{}, names: map[int]string{},
		tables: map[uint32]bool{}, bridges: map[int]bool{}, former: map[int]bool{}, devices: map[int]bool{}, doomed: map[int]bool{},
		unfit: map[string]string{}, gateways: map[hop][]netip.Prefix{}, withoutIPv6: map[string]string{}}
	for _, l := range a.Links {
		v.byName[l.Name] = l
		v.names[l.Index] = l.Name
	}
	for _, b := range want.Bridges {
		v.tables[b.Table] = true
		if l, ok := v.byName[b.Name]; ok {
			v.bridges[l.Index] = true
		}
	}
	for _, r := range a.Routes {
		if r.Gateway.IsValid() {
			at := hop{r.LinkIndex, r.Gateway}
			v.gateways[at] = append(v.gateways[at], r.Dst)
		}
	}
	v.formerBridges(want.VRF.Device)
	for _, l := range a.Links {
		// A VLAN device on a VLAN device of a bridge is somebody else's.
		if v.bridges[l.Index] || l.Kind == "vlan" && (v.bridges[l.Parent] || l.Alias == alias) {
			v.devices[l.Index] = true
		}
	}
	return v
}

// formerBridges counts in the bridges that are mapped no more and known by our default route to them. So that route is
// the last to go.
func (v *view) formerBridges(nic string) {
	for _, r := range v.Routes {
		if r.Protocol == model.Protocol && marksBridge(r) && v.names[r.LinkIndex] != nic && !v.bridges[r.LinkIndex] {
			v.former[r.LinkIndex] = true
		}
	}
	maps.Copy(v.bridges, v.former)
}

// knownBy names something that is ours only because it is on a bridge of ours: "" when there is nothing.
func (v *view) knownBy(bridge int) string {
	on := map[int]bool{bridge: true}
	for _, l := range v.Links {
		if l.Kind == "vlan" && l.Parent == bridge {
			on[l.Index] = true
			if l.Alias != alias && v.ownedLink(l) {
				return "link " + l.Name
			}
		}
	}
	for _, a := range v.Addrs {
		if on[a.LinkIndex] && v.ownedAddr(a) {
			return model.Address{Prefix: a.Prefix, Device: v.name(a.LinkIndex)}.String()
		}
	}
	for _, n := range slices.Concat(v.Neighbors, v.Proxies) {
		if on[n.LinkIndex] && n.Protocol != model.Protocol && v.ownedNeighbor(n) {
			return "neighbour " + neighborKey{n.IP, v.name(n.LinkIndex)}.String()
		}
	}
	return ""
}

func marksBridge(r netlink.Route) bool {
	return r.Dst.Bits() == 0 && !r.Gateway.IsValid() && r.NextHops == "" && r.Table != model.MainTable
}

// name returns a link's name, for what hangs on one that has just gone "if7".
func (v *view) name(index int) string {
	if n := v.names[index]; n != "" {
		return n
	}
	return fmt.Sprintf("if%d", index)
}

// steps collects the steps of one plan: what makes and changes in the order of making, deletes apart. Those in last
// are deletes of what other objects are known for ours by.
type steps struct {
	makes   []plan.Step
	deletes []plan.Step
	last    []plan.Step
}

func (s *steps) add(verb plan.Verb, object, why string, serves []string, do func(context.Context) error) {
	step := plan.Step{Verb: verb, Object: object, Why: why, Serves: serves, Do: do}
	if verb == plan.Delete {
		s.deletes = append(s.deletes, step)
		return
	}
	s.makes = append(s.makes, step)
}
