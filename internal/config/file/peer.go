package file

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// peers completes the neighbours by what [bgp] says, and looks whether each fits together, and to the others.
func (l *loader) peers(node *config.Node, b *speech, n named, known map[string]model.BFDProfile) []model.Peer {
	var done []model.Peer
	taken := map[string]string{} // address or interface → group
	for _, name := range slices.Sorted(maps.Keys(n.peers)) {
		p := n.peers[name]
		c := peerCheck{loader: l, group: "bgp_peer:" + name, peer: p}
		c.timers(b)
		c.place(node, b, taken)
		c.as(node.AS)
		c.distance(node.AS)
		c.profile(b, known)
		c.password()
		c.attributes(node.AS)
		c.families()
		done = append(done, p.Peer)
	}
	return done
}

// peerCheck looks at one neighbour.
type peerCheck struct {
	*loader
	group string
	peer  *peer
}

func (c peerCheck) wrong(option, format string, args ...any) {
	c.loader.wrong(c.group, option, fmt.Sprintf(format, args...))
}

func (c peerCheck) at(option string) string { return c.loader.at(c.group, option) }

func (c peerCheck) timers(b *speech) {
	t := &c.peer.times
	c.checkTimers(c.group, &times{keepalive: cmp.Or(t.keepalive, b.timers.keepalive), hold: cmp.Or(t.hold, b.timers.hold)})
	c.peer.Keepalive = cmp.Or(t.keepalive, b.timers.keepalive)
	c.peer.Hold = cmp.Or(t.hold, b.timers.hold)
	c.peer.ConnectRetry = cmp.Or(t.connect, b.timers.connect)
}

// place looks at where the neighbour is.
func (c peerCheck) place(node *config.Node, b *speech, taken map[string]string) {
	p := c.peer
	where := p.Interface
	switch {
	case p.Address.IsValid() && p.Interface != "":
		c.wrong("interface", "the neighbour has an address, too (%s); keep one of the two", c.at("address"))
		return
	case p.Address.IsValid():
		where = p.Address.String()
		c.address(b)
	case p.Interface == "" && (c.misread[spelling{c.group, "address"}] || c.misread[spelling{c.group, "interface"}]):
		return
	case p.Interface == "":
		c.problems = append(c.problems, c.ofGroup(c.group, "the neighbour has no address and no interface; set one of the two"))
		return
	default:
		c.unnumbered(node)
	}
	if other, again := taken[where]; again {
		option := "interface"
		if p.Address.IsValid() {
			option = "address"
		}
		c.wrong(option, "is the neighbour [%s], too (%s); one of the two groups is too many", other, c.loader.at(other, option))
		return
	}
	taken[where] = c.group
}

func (c peerCheck) address(b *speech) {
	p := c.peer
	switch {
	case p.Address.Is6() && p.Address.IsLinkLocalUnicast(): // those of IPv4 are common in tunnels to clouds
		c.wrong("address", "a link-local address means nothing without its link; set interface instead, which finds it")
	case !isHostAddress(p.Address):
		c.wrong("address", "no neighbour can have this address")
	case slices.Contains(b.Loopbacks, p.Address):
		c.wrong("address", "is this node's own ([bgp] loopbacks)")
	}
	if p.Source.IsValid() {
		switch {
		case model.FamilyOf(p.Source) != model.FamilyOf(p.Address):
			c.wrong("source", "must be of the address's family (%s)", c.at("address"))
		case !isHostAddress(p.Source) || p.Source.Is6() && p.Source.IsLinkLocalUnicast():
			c.wrong("source", "cannot be reached from elsewhere")
		case p.Source == p.Address:
			c.wrong("source", "is the neighbour's address (%s)", c.at("address"))
		}
	}
	if p.extended != nil {
		p.ExtendedNextHop = *p.extended
	}
	if p.ExtendedNextHop && p.Address.Is4() {
		c.wrong("extended_nexthop", "means something only in a session over IPv6, and the address is of IPv4 (%s)", c.at("address"))
	}
}

func (c peerCheck) unnumbered(node *config.Node) {
	p := c.peer
	if p.Multihop != 0 {
		c.wrong("multihop", "a neighbour on an interface (%s) is on the link; set its address instead, or leave multihop away",
			c.at("interface"))
	}
	if p.Source.IsValid() {
		c.wrong("source", "a session on an interface (%s) is between link-local addresses; leave source away", c.at("interface"))
	}
	if p.extended != nil && !*p.extended {
		c.wrong("extended_nexthop", "cannot be turned off on an interface (%s): there are IPv6 next hops only", c.at("interface"))
	}
	if p.Interface == node.VRF || p.Interface == node.NIC {
		c.wrong("interface", "is a device of the agent's own, on which no neighbour is")
	}
	p.ExtendedNextHop = true
}

func (c peerCheck) as(own uint32) {
	if c.peer.AS.Kind == "" {
		c.wrong("as", "the neighbour's AS is not said; set as to its number, to internal (%d, as this node) or to external", own)
	}
}

// distance looks at how far away the neighbour may be.
func (c peerCheck) distance(own uint32) {
	p := c.peer
	if p.Multihop == 0 {
		return
	}
	if p.TTLSecurity != 0 {
		c.wrong("ttl_security", "excludes multihop (%s): one says how near the neighbour is, the other how far; for a distant "+
			"neighbour that is to be checked, set ttl_security alone, to its distance", c.at("multihop"))
	}
	if p.AS.Internal(own) {
		c.wrong("multihop", "a neighbour in this node's AS may be any number of hops away without it; leave it away")
	}
}

func (c peerCheck) profile(b *speech, known map[string]model.BFDProfile) {
	p := c.peer
	name := p.bfd
	if name == "" {
		name = b.bfd
		if p.Multihop != 0 {
			name = noProfile
		}
	}
	if name != noProfile {
		p.BFD = name
	}
	if _, ok := known[name]; !ok && p.bfd != "" && name != noProfile {
		c.wrong("bfd", "%s", unknownProfile(known))
	}
	if p.BFDControlPlane && p.BFD == "" {
		c.wrong("bfd_check_control_plane", "there is no BFD with this neighbour (bfd: %s); set bfd, or leave it away", c.at("bfd"))
	}
}

func (c peerCheck) password() {
	if c.peer.passwordFile != "" {
		c.peer.Password = c.secret(c.group, "password_file", c.peer.passwordFile)
	}
}

// families makes the address families, each with the part of the filters that is its own.
func (c peerCheck) families() {
	p := c.peer
	all := p.families
	if len(all) == 0 {
		all = []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast}
		if p.Address.IsValid() {
			all = []model.BGPFamily{unicast(p.Address)}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if slices.Contains(all, model.IPv4Unicast) && p.Address.Is6() && !p.ExtendedNextHop {
		c.wrong("families", "IPv4 prefixes to a neighbour with an IPv6 address (%s) need extended_nexthop = true", c.at("address"))
	}
	unicasts := slices.DeleteFunc(slices.Clone(all), func(f model.BGPFamily) bool { return f == model.EVPN })
	c.strayPrefixes("in", p.in, unicasts)
	c.strayPrefixes("out", p.out, unicasts)
	if len(unicasts) == 0 {
		c.evpnAlone()
	}
	for _, f := range all {
		p.Families = append(p.Families, c.family(f))
	}
}

func (c peerCheck) family(f model.BGPFamily) model.PeerFamily {
	p := c.peer
	if f == model.EVPN { // not told apart by prefixes, nor counted
		return model.PeerFamily{Family: f, In: model.Filter{All: !p.in.none, Attributes: p.taken},
			Out: model.Filter{All: p.out.All, Own: p.out.Own, Attributes: p.told}, NextHopSelf: p.nextHopSelf}
	}
	return model.PeerFamily{Family: f, In: p.in.of(f, p.taken), Out: p.out.of(f, p.told), WarnPrefixes: p.warn,
		LimitPrefixes: p.limit, NextHopSelf: p.nextHopSelf}
}

// of returns the part of a filter that is about one family.
func (f filter) of(family model.BGPFamily, a model.Attributes) model.Filter {
	part := f.Filter
	part.Prefixes = nil
	for _, r := range f.Prefixes {
		if unicast(r.Prefix.Addr()) == family {
			part.Prefixes = append(part.Prefixes, r)
		}
	}
	part.Attributes = a
	return part
}

func unicast(a netip.Addr) model.BGPFamily {
	if a.Is4() {
		return model.IPv4Unicast
	}
	return model.IPv6Unicast
}

// strayPrefixes reports prefixes that no family of the neighbour can carry.
func (c peerCheck) strayPrefixes(option string, f filter, unicasts []model.BGPFamily) {
	if len(unicasts) == 0 {
		return // evpnAlone reports
	}
	for _, r := range f.Prefixes {
		if !slices.Contains(unicasts, unicast(r.Prefix.Addr())) {
			c.wrong(option, "%s is of a family that the session does not carry (families: %s)", r, c.at("families"))
		}
	}
}

// evpnAlone reports what has no meaning in a session for EVPN.
func (c peerCheck) evpnAlone() {
	p := c.peer
	if c.written(c.group, "in") && !p.in.All && !p.in.none {
		c.wrong("in", "EVPN routes are not told apart by prefixes (families: %s); leave in away, or set all or none", c.at("families"))
	}
	if p.out.Default || len(p.out.Prefixes) > 0 {
		c.wrong("out", "EVPN routes are not told apart by prefixes (families: %s); set own, all or none", c.at("families"))
	}
	if p.warn > 0 {
		c.wrong("warn_prefixes", "EVPN routes are not counted (families: %s); leave it away", c.at("families"))
	}
	if p.limit > 0 {
		c.wrong("limit_prefixes", "EVPN routes are not counted (families: %s); leave it away", c.at("families"))
	}
}

func (c peerCheck) attributes(own uint32) {
	p := c.peer
	c.checkAttributes(c.group, &p.told)
	sortAttributes(&p.taken)
	if p.told.LocalPreference != nil && p.AS.Kind != "" && !p.AS.Internal(own) {
		c.wrong("local_preference", "is told to neighbours in this node's AS only, and this one is %s (%s); to prefer what comes "+
			"from it, set in_local_preference", p.AS, c.at("as"))
	}
}
