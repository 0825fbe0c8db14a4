package desired

import (
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// LearnedNow brings into a state what BGP peers tell now. It is for the time while OVN cannot be read, which has no say in
// it.
func LearnedNow(n model.Node, rib model.RIB) model.Node {
	routes := slices.DeleteFunc(slices.Clone(n.Routes), func(r model.Route) bool { return r.Table == model.MainTable })
	learned, unknown := Learned(rib, n.BGP)
	n.Routes, n.LearnedUnknown = append(routes, learned...), unknown
	return n
}

// First is what must be on a node of which OVN has not been read yet: whom it speaks BGP with, what it learned, its own
// addresses, and what stands in the kernel to be announced, as it is. That says nothing of what carries those: it is in
// the kernel and the switch, too, and stays.
func First(in Input, c config.Node, announced []model.Announcement) model.Node {
	in.OVN = ovn.Snapshot{}
	v := newView(&in, c)
	n := model.Node{VRF: model.VRF{Name: c.VRF, Table: c.VRFTable, Device: c.NIC}, Leak: leak(c), Links: announcing(c),
		Announcements: slices.Clone(announced)}
	for i := range n.Announcements {
		a := &n.Announcements[i]
		a.Whys = []string{"announced before; OVN has not been read yet"}
		if slices.ContainsFunc(c.HostAddresses, func(h config.HostAddress) bool {
			return a.Prefix == netip.PrefixFrom(h.Address, h.Address.BitLen())
		}) {
			a.Kinds = []model.Kind{model.KindHost}
		}
	}
	v.speak(&n)
	return HostAddresses(n, in.Host, c)
}

// Kept brings into a state what is announced and not wanted, as it is announced, while its withdrawal is held: for the
// speaker that is built in and knows nothing of it after a restart. What belongs to which kind is not recorded.
func Kept(n model.Node, c config.Node, announced []model.Announcement, keys []string) model.Node {
	n.Announcements = slices.Clone(n.Announcements)
	for _, a := range announced {
		if slices.Contains(keys, a.Key()) {
			a.Whys, a.Attributes = []string{"announced before; its withdrawal is held"}, c.BGP.AttributesOf(nil)
			n.Announcements = append(n.Announcements, a)
		}
	}
	slices.SortFunc(n.Announcements, func(a, b model.Announcement) int { return a.Prefix.Compare(b.Prefix) })
	return n
}
