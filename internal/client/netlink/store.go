package netlink

import (
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// kinds is a set of object kinds that are to be dumped.
type kinds uint

const (
	kindLinks kinds = 1 << iota
	kindAddrs
	kindRoutes
	kindRules
	kindNeighbors
	kindProxies
	kindNetConf

	kindsAll = kindLinks | kindAddrs | kindRoutes | kindRules | kindNeighbors | kindProxies | kindNetConf
)

type addrKey struct {
	link   int
	prefix netip.Prefix
}

// routeKey is what a replace looks at. More than one route may have it, by appending.
type routeKey struct {
	table  uint32
	dst    netip.Prefix
	tos    uint8
	metric uint32
}

func (r Route) key() routeKey { return routeKey{r.Table, r.Dst, r.TOS, r.Metric} }

type neighKey struct {
	link int
	ip   netip.Addr
}

func (n Neighbor) key() neighKey { return neighKey{n.LinkIndex, n.IP} }

type confKey struct {
	family Family
	link   int
}

// store is the copy. It takes messages, of dumps and of notifications alike, and says what they changed.
type store struct {
	keep    func(Route) bool // routes of interest
	links   map[int]Link
	addrs   map[addrKey]Addr
	routes  map[routeKey][]Route
	rules   map[Rule]struct{}
	neighs  map[neighKey]Neighbor
	proxies map[neighKey]Neighbor
	conf    map[confKey]NetConf
	stale   kinds // what must be dumped, because the kernel changes it without telling
	changed bool  // something changed since the flag was cleared
	silent  bool  // there was a silence since the flag was cleared
}

func newStore(keep func(Route) bool) *store {
	s := &store{keep: keep, stale: kindsAll}
	s.clear(kindsAll)
	return s
}

// clear forgets what a dump is about to tell again.
func (s *store) clear(k kinds) {
	if k&kindLinks != 0 {
		s.links = map[int]Link{}
	}
	if k&kindAddrs != 0 {
		s.addrs = map[addrKey]Addr{}
	}
	if k&kindRoutes != 0 {
		s.routes = map[routeKey][]Route{}
	}
	if k&kindRules != 0 {
		s.rules = map[Rule]struct{}{}
	}
	if k&kindNeighbors != 0 {
		s.neighs = map[neighKey]Neighbor{}
	}
	if k&kindProxies != 0 {
		s.proxies = map[neighKey]Neighbor{}
	}
	if k&kindNetConf != 0 {
		s.conf = map[confKey]NetConf{}
	}
}

// take applies one message.
func (s *store) take(m message) {
	switch m.typ {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if l, ok := parseLink(m.body); ok {
			s.takeLink(l, m.typ == unix.RTM_DELLINK)
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if a, ok := parseAddr(m.body); ok {
			s.takeAddr(a, m.typ == unix.RTM_DELADDR)
		}
	case unix.RTM_NEWROUTE:
		if r, ok := parseRoute(m.body); ok && s.keep(r) {
			s.addRoute(r, m.flags&unix.NLM_F_REPLACE != 0)
		} else if ok && m.flags&unix.NLM_F_REPLACE != 0 {
			s.replacedByOther(r)
		}
	case unix.RTM_DELROUTE:
		if r, ok := parseRoute(m.body); ok {
			s.removeRoute(r)
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		if r, ok := parseRule(m.body); ok {
			set(s, s.rules, r, struct{}{}, m.typ == unix.RTM_NEWRULE)
		}
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		if n, permanent, ok := parseNeighbor(m.body); ok {
			s.takeNeighbor(n, permanent && m.typ == unix.RTM_NEWNEIGH)
		}
	case unix.RTM_NEWNETCONF, unix.RTM_DELNETCONF:
		if key, ok := parseNetConfKey(m.body); ok {
			c := s.conf[key]
			c.Family, c.LinkIndex = key.family, key.link
			mergeNetConf(m.body, &c)
			set(s, s.conf, key, c, m.typ == unix.RTM_NEWNETCONF)
		}
	}
}

// set writes or removes one entry, and notes whether that changed anything.
func set[K, V comparable](s *store, m map[K]V, key K, value V, present bool) {
	old, had := m[key]
	switch {
	case present && (!had || old != value):
		m[key] = value
	case !present && had:
		delete(m, key)
	default:
		return
	}
	s.changed = true
}

// takeLink notes that a link that goes down or away takes others along in silence.
func (s *store) takeLink(l Link, gone bool) {
	old, had := s.links[l.Index]
	set(s, s.links, l.Index, l, !gone)
	if gone || had && old.AdminUp && !l.AdminUp {
		s.silence(kindsSilent)
	}
	if !gone {
		return
	}
	onLink := func(n Neighbor) bool { return n.LinkIndex == l.Index }
	maps.DeleteFunc(s.addrs, func(k addrKey, _ Addr) bool { return k.link == l.Index })
	maps.DeleteFunc(s.neighs, func(_ neighKey, n Neighbor) bool { return onLink(n) })
	maps.DeleteFunc(s.proxies, func(_ neighKey, n Neighbor) bool { return onLink(n) })
	maps.DeleteFunc(s.conf, func(k confKey, _ NetConf) bool { return k.link == l.Index })
}

// takeAddr notes that a link that loses its last IPv4 address loses its IPv4 routes too, in silence.
func (s *store) takeAddr(a Addr, gone bool) {
	set(s, s.addrs, addrKey{a.LinkIndex, a.Prefix}, a, !gone)
	if !gone || a.Prefix.Addr().Is6() || s.silent && s.stale&kindRoutes != 0 {
		return
	}
	for k := range s.addrs {
		if k.link == a.LinkIndex && k.prefix.Addr().Is4() {
			return
		}
	}
	s.silence(kindRoutes)
}

func (s *store) addRoute(r Route, replace bool) {
	key := r.key()
	have := s.routes[key]
	if len(have) == 1 && have[0] == r || slices.Contains(have, r) && !replace {
		return
	}
	s.changed = true
	switch {
	case replace && len(have) > 1:
		s.stale |= kindRoutes // it does not say which of them it replaced
	case replace:
		s.routes[key] = []Route{r}
	default:
		s.routes[key] = append(have, r)
	}
}

// replacedByOther notes that a route of interest may have been replaced by one that is of none: the kernel
// announces no delete.
func (s *store) replacedByOther(r Route) {
	if len(s.routes[r.key()]) > 0 {
		s.changed = true
		s.stale |= kindRoutes
	}
}

func (s *store) removeRoute(r Route) {
	key := r.key()
	have, had := s.routes[key]
	if !had {
		return
	}
	i := slices.Index(have, r)
	if i < 0 {
		// Either one we do not keep, or one we know in another form.
		if s.keep(r) {
			s.changed = true
			s.stale |= kindRoutes
		}
		return
	}
	s.changed = true
	if len(have) == 1 {
		delete(s.routes, key)
		return
	}
	s.routes[key] = slices.Delete(slices.Clone(have), i, i+1)
}

func (s *store) takeNeighbor(n Neighbor, present bool) {
	if n.Proxy {
		set(s, s.proxies, n.key(), n, present)
		return
	}
	set(s, s.neighs, n.key(), n, present)
}

// Actual is what the kernel has, in no order.
type Actual struct {
	Links     []Link
	Addrs     []Addr
	Routes    []Route // those of interest: Options.Tables, Options.Protocols
	Rules     []Rule
	Neighbors []Neighbor // permanent ones
	Proxies   []Neighbor
	NetConfs  []NetConf
}

func (s *store) actual() Actual {
	a := Actual{
		Links:     slices.Collect(maps.Values(s.links)),
		Addrs:     slices.AppendSeq(make([]Addr, 0, len(s.addrs)), maps.Values(s.addrs)),
		Routes:    make([]Route, 0, len(s.routes)),
		Rules:     slices.AppendSeq(make([]Rule, 0, len(s.rules)), maps.Keys(s.rules)),
		Neighbors: slices.AppendSeq(make([]Neighbor, 0, len(s.neighs)), maps.Values(s.neighs)),
		Proxies:   slices.Collect(maps.Values(s.proxies)),
		NetConfs:  slices.Collect(maps.Values(s.conf)),
	}
	for _, rs := range s.routes {
		a.Routes = append(a.Routes, rs...)
	}
	return a
}
