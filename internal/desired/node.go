package desired

import (
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// Node decides what must be on this node, and says why for each address that is announced here, was, or is not
// because of a policy. Decisions without an address are about rows and settings.
func Node(in Input, c config.Node) (model.Node, []model.Decision) {
	v := newView(&in, c)
	if v.stretched() {
		return v.stretchedNode()
	}
	var found []finding
	found = append(found, v.localGateways()...)
	found = append(found, v.localFloatingIPs()...)
	found = append(found, v.localPorts()...)
	found = append(found, v.localSubnets()...)
	found = append(found, v.localBalancers()...)
	found = append(found, v.hostAddresses()...)
	won, decisions := v.settle(found)

	b := builder{v: v, keys: map[place][]string{}}
	b.announce(won)
	b.base()
	b.carry(won)
	b.sort()
	v.speak(&b.node)

	decisions = append(decisions, slices.Concat(v.notes, v.absent(), v.faults())...)
	slices.SortStableFunc(decisions, compareDecisions)
	return b.node, slices.Compact(decisions)
}

// builder puts a state together.
type builder struct {
	v    *view
	node model.Node
	keys map[place][]string // the announcements that need a place, sorted as they are announced
}

// place is what an announcement may need, by address family: a bridge, a device, or a localnet port's way into
// OVN. The family 0 stands for both.
type place struct {
	kind   placeKind
	name   string
	family model.Family
}

type placeKind int

const (
	onBridge placeKind = iota
	onDevice
	onLocalnet
	onNode
)

// serves lists the keys that need a place. It is never nil, which would mean all keys.
func (b *builder) serves(kind placeKind, name string, family model.Family) []string {
	return slices.Clone(append([]string{}, b.keys[place{kind, name, family}]...))
}

// announce makes the announcements, one for each prefix, and notes what they need.
func (b *builder) announce(won []finding) {
	b.node.Announcements = make([]model.Announcement, 0, len(won))
	for i, f := range won {
		if i > 0 && won[i-1].prefix == f.prefix {
			last := &b.node.Announcements[len(b.node.Announcements)-1]
			another(last, f)
			continue
		}
		if f.kind == model.KindHost {
			b.node.Announcements = append(b.node.Announcements, b.v.hostAnnouncement(f))
			continue
		}
		s := f.net.segment
		b.node.Announcements = append(b.node.Announcements, model.Announcement{VRF: b.v.c.VRF,
			Prefix: f.prefix, Device: s.device, AsRoute: b.v.byRoute(f.prefix), Kinds: []model.Kind{f.kind}, Whys: []string{f.why}})
		for _, p := range []place{{onBridge, s.mapping.Bridge, 0}, {onDevice, s.device, 0},
			{onLocalnet, s.localnet.Name, 0}, {onNode, "", 0}} {
			for _, family := range []model.Family{0, model.FamilyOf(f.Address)} {
				p.family = family
				b.keys[p] = append(b.keys[p], f.Key)
			}
		}
	}
}

// sort puts every list in its order. What is equal in all that counts has been made once.
func (b *builder) sort() {
	n := &b.node
	slices.Sort(n.Unmapped)
	slices.SortFunc(n.Links, compareLinks)
	slices.SortFunc(n.Addresses, compareAddresses)
	n.Addresses = slices.CompactFunc(n.Addresses, func(a, b model.Address) bool { return compareAddresses(a, b) == 0 })
	slices.SortFunc(n.Sysctls, compareSysctls)
	slices.SortFunc(n.Rules, compareRules)
	slices.SortFunc(n.Routes, compareRoutes)
	slices.SortFunc(n.Neighbors, compareNeighbors)
	slices.SortFunc(n.Proxies, compareProxies)
	slices.SortFunc(n.Flows, compareFlows)
}
