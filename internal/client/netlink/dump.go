package netlink

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/sys/unix"
)

const skipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS

// query is one dump request.
type query struct {
	typ  uint16
	body []byte
}

// dump reads kinds that are stale. What could not be read stays stale, and the copy as it was.
func (m *Mirror) dump(ctx context.Context, todo kinds) error {
	if todo&kindsSilent != 0 {
		if err := m.settle(); err != nil {
			return err
		}
	}
	for k := kinds(1); k <= todo; k <<= 1 {
		if todo&k == 0 {
			continue
		}
		if err := m.dumpKind(ctx, k); err != nil {
			return err
		}
		m.store.stale &^= k
	}
	return nil
}

func (m *Mirror) dumpKind(ctx context.Context, k kinds) error {
	all := newStore(m.keeps)
	for _, q := range m.queries(k) {
		part := newStore(m.keeps)
		err := m.ask.dump(ctx, q.typ, q.body, func() { part.clear(k) }, part.take)
		if err != nil && !nothingThere(err) {
			return fmt.Errorf("dump (message %d, family %d): %w", q.typ, q.body[0], err)
		}
		all.merge(part)
	}
	m.store.replace(k, all)
	m.copied = nil
	return nil
}

// nothingThere tells that a dump failed for want of its subject: a table without routes does not exist, and a kernel
// without IPv6 does not know the question.
func nothingThere(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)
}

// queries lists the dumps that together tell all of one kind.
func (m *Mirror) queries(k kinds) []query {
	if k == kindLinks {
		body := appendUint32(make([]byte, unix.SizeofIfInfomsg), unix.IFLA_EXT_MASK, skipStats)
		return []query{{unix.RTM_GETLINK, body}}
	}
	var qs []query
	for _, family := range []Family{IPv4, IPv6} {
		add := func(typ uint16, size int) []byte {
			body := make([]byte, size)
			body[0] = byte(family)
			qs = append(qs, query{typ, body})
			return body
		}
		switch k {
		case kindAddrs:
			add(unix.RTM_GETADDR, unix.SizeofIfAddrmsg)
		case kindRoutes:
			qs = append(qs, m.routeQueries(family)...)
		case kindRules:
			add(unix.RTM_GETRULE, sizeofRuleHdr)
		case kindNeighbors:
			add(unix.RTM_GETNEIGH, unix.SizeofNdMsg)
		case kindProxies:
			add(unix.RTM_GETNEIGH, unix.SizeofNdMsg)[10] = unix.NTF_PROXY
		case kindNetConf:
			add(unix.RTM_GETNETCONF, align(1))
		}
	}
	return qs
}

// routeQueries has the kernel filter, so that a full table of others is not copied.
func (m *Mirror) routeQueries(family Family) []query {
	var qs []query
	for _, p := range m.opts.Protocols {
		body := make([]byte, unix.SizeofRtMsg)
		body[0], body[5] = byte(family), p
		qs = append(qs, query{unix.RTM_GETROUTE, body})
	}
	for _, t := range m.opts.Tables {
		body := make([]byte, unix.SizeofRtMsg)
		body[0] = byte(family)
		qs = append(qs, query{unix.RTM_GETROUTE, appendUint32(body, unix.RTA_TABLE, t)})
	}
	return qs
}

// merge adds what another store has.
func (s *store) merge(o *store) {
	maps.Copy(s.links, o.links)
	maps.Copy(s.addrs, o.addrs)
	maps.Copy(s.rules, o.rules)
	maps.Copy(s.neighs, o.neighs)
	maps.Copy(s.proxies, o.proxies)
	maps.Copy(s.conf, o.conf)
	for _, rs := range o.routes {
		for _, r := range rs {
			s.addRoute(r, false)
		}
	}
}

// replace takes one kind from another store.
func (s *store) replace(k kinds, o *store) {
	switch k {
	case kindLinks:
		s.takeLinks(o.links)
	case kindAddrs:
		s.addrs = o.addrs
	case kindRoutes:
		s.routes = o.routes
	case kindRules:
		s.rules = o.rules
	case kindNeighbors:
		s.neighs = o.neighs
	case kindProxies:
		s.proxies = o.proxies
	case kindNetConf:
		s.conf = o.conf
	}
}
