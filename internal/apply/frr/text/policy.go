package text

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnbgp/internal/model"
)

// Names of the route-maps and lists that are there once.
const (
	loopbackMap  = Prefix + "loopback"
	loopbackList = Prefix + "loopback"
	defaultList  = Prefix + "default"
	hostList     = Prefix + "hosts"
	installList  = Prefix + "install"
	installMap   = Prefix + "install" // -ipv4, -ipv6
	localPaths   = Prefix + "local"
	lastSeq      = 65535
)

// direction is one of the two route-maps of a peer's family.
type direction string

const (
	inbound  direction = "in"
	outbound direction = "out"
)

// short is how names end: a family's own lists and maps do not number those of another.
func short(name model.BGPFamily) string {
	switch name {
	case model.IPv6Unicast:
		return "ipv6"
	case model.EVPN:
		return "evpn"
	case model.IPv4Unicast:
	}
	return "ipv4"
}

// ip is the word by which prefix lists and protocols of a family begin.
func ip(name model.BGPFamily) string {
	if name == model.IPv6Unicast {
		return "ipv6"
	}
	return "ip"
}

func mapOf(d direction, p model.Peer, name model.BGPFamily) string {
	return Prefix + string(d) + "-" + p.Name + "-" + short(name)
}

// announceMap lets what is ours into the VRF's instance: host routes of addresses, or routes of any length.
func announceMap(source string, name model.BGPFamily) string {
	return Prefix + source + "-" + short(name)
}

// Announces tells whether a route-map of that name lets what is announced into the VRF's instance.
func Announces(name string) bool {
	for _, source := range []string{"connected", "kernel"} {
		for _, family := range unicast() {
			if name == announceMap(source, family) {
				return true
			}
		}
	}
	return false
}

func unicast() []model.BGPFamily { return []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} }

// policies makes all lists and route-maps, in the order of their names.
func (c *conf) policies(n model.Node) {
	for _, name := range unicast() {
		c.loopbacks(n.BGP, name)
		if n.Leak.VRF != "" {
			c.announcements(n, name)
		}
		c.install(n, name)
	}
	for _, p := range n.BGP.Peers {
		for _, f := range p.Families {
			c.filter(n, inbound, p, f.Family, f.In)
			c.filter(n, outbound, p, f.Family, f.Out)
		}
	}
	if n.BGP.Drained {
		c.questions()
	}
	slices.SortStableFunc(c.Lists, func(a, b listEntry) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Seq, b.Seq))
	})
	c.Lists = slices.Compact(c.Lists)
	slices.SortStableFunc(c.Maps, func(a, b mapEntry) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Seq, b.Seq))
	})
}

// list adds a prefix list whose entries are numbered by their place in it.
func (c *conf) list(name model.BGPFamily, list string, ranges ...model.PrefixRange) string {
	for i, r := range ranges {
		c.Lists = append(c.Lists, listEntry{Family: ip(name), Name: list, Seq: uint32(5 * (i + 1)), Range: rangeText(r)})
	}
	return matchList(name, list)
}

func matchList(name model.BGPFamily, list string) string {
	return ip(name) + " address prefix-list " + list
}

// rangeText is a range as FRR shows it.
func rangeText(r model.PrefixRange) string {
	if r.Prefix.Bits() == 0 && r.GE <= 0 && r.LE == r.Prefix.Addr().BitLen() {
		return "any"
	}
	return r.String()
}

func exactly(p netip.Prefix) model.PrefixRange {
	return model.PrefixRange{Prefix: p, GE: p.Bits(), LE: p.Bits()}
}

func everyDefault(name model.BGPFamily) netip.Prefix {
	if name == model.IPv6Unicast {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func (c *conf) entry(name, action string, matches, sets []string) {
	seq := 10
	for _, e := range c.Maps {
		if e.Name == name {
			seq = e.Seq + 10
		}
	}
	c.Maps = append(c.Maps, mapEntry{Name: name, Action: action, Seq: seq, Matches: matches, Sets: sets})
}

func (c *conf) permit(name string, matches, sets []string) { c.entry(name, "permit", matches, sets) }

// end closes a route-map for all that no entry permits. FRR would do so by itself; here it can be read.
func (c *conf) end(name string) {
	c.Maps = append(c.Maps, mapEntry{Name: name, Action: "deny", Seq: lastSeq})
}

// loopbacks lets the node's own address into the default instance, and no other address of the host.
func (c *conf) loopbacks(b model.BGP, name model.BGPFamily) {
	a := loopback(b, name)
	if !a.IsValid() {
		return
	}
	match := c.list(name, loopbackList, exactly(netip.PrefixFrom(a, a.BitLen())))
	c.permit(loopbackMap+"-"+short(name), []string{match}, nil)
	c.end(loopbackMap + "-" + short(name))
}

// announcements lets what is ours into the VRF's instance, by the device that bears it, so that the text does not grow
// with the addresses. Attributes are set here: on all alike by the last entry, else by a list of the prefixes.
func (c *conf) announcements(n model.Node, name model.BGPFamily) {
	groups := attributeGroups(n, name)
	for _, source := range n.Leak.Redistribute {
		list := announceMap(source, name)
		device := "interface " + n.VRF.Device
		var always []string
		if source == "kernel" {
			always = []string{"metric 0"} // a route's would be told as MED: it is announced like an address
		}
		var common model.Attributes
		if len(groups) == 1 {
			common = groups[0].attributes
		} else {
			for _, g := range groups {
				if sets := setLines(g.attributes); sets != nil {
					c.permit(list, []string{device, matchList(name, g.name)}, append(sets, always...))
				}
			}
		}
		matches := []string{device}
		if source == "connected" {
			bits := everyDefault(name).Addr().BitLen()
			matches = append(matches, c.list(name, hostList, model.PrefixRange{Prefix: everyDefault(name), GE: bits, LE: bits}))
		}
		c.permit(list, matches, append(setLines(common), always...))
		c.end(list)
	}
	if len(groups) > 1 {
		for _, g := range groups {
			if setLines(g.attributes) != nil {
				c.members(name, g)
			}
		}
	}
}

// group is what is announced with the same attributes.
type group struct {
	name       string
	attributes model.Attributes
	prefixes   []netip.Prefix
}

func attributeGroups(n model.Node, name model.BGPFamily) []group {
	by := map[string]group{}
	for _, a := range n.Announcements {
		if a.VRF != n.Leak.VRF || a.Prefix.Addr().Is4() != (name == model.IPv4Unicast) {
			continue
		}
		text := strings.Join(setLines(a.Attributes), "\n")
		g := by[text]
		g.attributes = a.Attributes
		g.prefixes = append(g.prefixes, a.Prefix)
		by[text] = g
	}
	var groups []group
	for _, text := range slices.Sorted(maps.Keys(by)) {
		g := by[text]
		g.name = fmt.Sprintf("%s%08x", attributeList, hash(text)) // it must not change with the other groups
		groups = append(groups, g)
	}
	return groups
}

// questions are route-maps that nothing uses but those who ask, while the node is drained, how much of what was told to
// a peer says so; and the mark that tells our drain from an operator's, for when the mode is another.
func (c *conf) questions() {
	const told = Prefix + "drained"
	c.Communities = []string{told + " seq 5 permit graceful-shutdown"}
	c.permit(Prefix+"graceful-shutdown", nil, nil)
	c.permit(told, []string{"community " + told}, nil)
	c.permit(told+"-internal", []string{"local-preference 0"}, nil)
}

// members lists a group's prefixes. The number of an entry follows from its prefix: one that comes or goes must change
// no other line.
func (c *conf) members(name model.BGPFamily, g group) {
	taken := map[uint32]bool{0: true}
	for _, p := range g.prefixes {
		seq := hash(p.String())
		for taken[seq] {
			seq++
		}
		taken[seq] = true
		c.Lists = append(c.Lists, listEntry{Family: ip(name), Name: g.name, Seq: seq, Range: p.String()})
	}
}

func hash(text string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // it cannot fail
	return h.Sum32()
}

// filter makes the route-map of a peer's family in one direction. What no entry permits is denied.
func (c *conf) filter(n model.Node, d direction, p model.Peer, name model.BGPFamily, f model.Filter) {
	list := mapOf(d, p, name)
	sets := setLines(f.Attributes)
	defer c.end(list)
	if f.All {
		c.permit(list, nil, sets)
		return
	}
	if f.Own && name == model.EVPN {
		c.ASPaths = []string{localPaths + " seq 5 permit ^$"}
		c.permit(list, []string{"as-path " + localPaths}, sets)
	}
	if f.Own && name != model.EVPN {
		if n.Leak.VRF != "" {
			c.permit(list, []string{"source-vrf " + n.Leak.VRF}, sets)
		}
		if loopback(n.BGP, name).IsValid() {
			c.permit(list, []string{matchList(name, loopbackList)}, sets)
		}
	}
	if f.Default {
		c.permit(list, []string{c.list(name, defaultList, exactly(everyDefault(name)))}, sets)
	}
	if len(f.Prefixes) > 0 {
		c.permit(list, []string{c.list(name, Prefix+string(d)+"-"+p.Name, f.Prefixes...)}, sets)
	}
}

// install has zebra take what peers announced into the kernel, with the loopback as source. What leaks out of the VRF
// must not arrive there: the kernel has it.
func (c *conf) install(n model.Node, name model.BGPFamily) {
	var ranges []model.PrefixRange
	for _, p := range n.BGP.Peers {
		for _, f := range p.Families {
			if f.Family == name {
				ranges = append(ranges, taken(f.In, name)...)
			}
		}
	}
	slices.SortFunc(ranges, compareRanges)
	ranges = slices.Compact(ranges)
	list := installMap + "-" + short(name)
	c.Protocols = append(c.Protocols, protocol{Family: ip(name), Map: list})
	if len(ranges) > 0 {
		if n.Leak.VRF != "" && (len(ranges) > 1 || ranges[0] != exactly(everyDefault(name))) {
			c.entry(list, "deny", []string{"interface " + n.VRF.Device}, nil)
		}
		var sets []string
		if a := loopback(n.BGP, name); a.IsValid() {
			sets = []string{"src " + a.String()}
		}
		c.permit(list, []string{c.list(name, installList, ranges...)}, sets)
	}
	c.end(list)
}

func taken(f model.Filter, name model.BGPFamily) []model.PrefixRange {
	if f.All {
		all := everyDefault(name)
		return []model.PrefixRange{{Prefix: all, GE: 0, LE: all.Addr().BitLen()}}
	}
	ranges := slices.Clone(f.Prefixes)
	if f.Default {
		ranges = append(ranges, exactly(everyDefault(name)))
	}
	return ranges
}

func compareRanges(a, b model.PrefixRange) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		cmp.Compare(a.GE, b.GE), cmp.Compare(a.LE, b.LE))
}

// setLines sets attributes, as FRR shows them.
func setLines(a model.Attributes) []string {
	var lines []string
	if len(a.Communities) > 0 {
		var names []string
		for _, c := range a.Communities {
			names = append(names, communityText(c))
		}
		lines = append(lines, "community "+strings.Join(names, " ")+" additive")
	}
	if len(a.LargeCommunities) > 0 {
		var names []string
		for _, c := range a.LargeCommunities {
			names = append(names, c.String())
		}
		lines = append(lines, "large-community "+strings.Join(names, " ")+" additive")
	}
	if a.LocalPreference != nil {
		lines = append(lines, "local-preference "+strconv.FormatUint(uint64(*a.LocalPreference), 10))
	}
	return lines
}

// communityText is a community as FRR shows it: the well-known ones by name.
func communityText(c model.Community) string {
	known := map[model.Community]string{
		0xffff_0000: "graceful-shutdown", 0xffff_0001: "accept-own", 0xffff_0002: "route-filter-translated-v4",
		0xffff_0003: "route-filter-v4", 0xffff_0004: "route-filter-translated-v6", 0xffff_0005: "route-filter-v6",
		0xffff_0006: "llgr-stale", 0xffff_0007: "no-llgr", 0xffff_0008: "accept-own-nexthop",
		0xffff_029a: "blackhole", 0xffff_ff01: "no-export", 0xffff_ff02: "no-advertise", 0xffff_ff03: "local-AS",
		0xffff_ff04: "no-peer",
	}
	return cmp.Or(known[c], c.String())
}
