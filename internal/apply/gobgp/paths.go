package gobgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// path is a path of our own, in the values that count.
type path struct {
	Prefix  netip.Prefix
	Own     bool       // a loopback of the node: origin IGP
	NextHop netip.Addr // unspecified: each neighbour's session's own address
	// Drained paths carry the community graceful-shutdown and local preference 0.
	Drained bool
	model.Attributes
	evpn
}

// id is what GoBGP tells paths apart by.
type id struct {
	rd     string // of a type-5 route
	prefix netip.Prefix
}

func (p path) id() id { return id{p.RD, p.Prefix} }

func (i id) compare(o id) int { return cmp.Or(cmp.Compare(i.rd, o.rd), i.prefix.Compare(o.prefix)) }

// String returns "path 203.0.113.9/32", and of a type-5 route "path 203.0.113.9/32 rd 192.0.2.1:100".
func (i id) String() string {
	if i.rd == "" {
		return "path " + i.prefix.String()
	}
	return "path " + i.prefix.String() + " rd " + i.rd
}

// drainedPreference is the local preference of what is drained (RFC 8326, section 4.2).
const drainedPreference = 0

// String returns "path 203.0.113.9/32 via 192.0.2.1 community 64999:100".
func (p path) String() string {
	s := p.id().String() + p.evpn.String()
	if !p.NextHop.IsUnspecified() {
		s += " via " + p.NextHop.String()
	}
	s += p.Attributes.String()
	if p.Drained {
		s += " graceful-shutdown"
	}
	return s
}

// same tells whether two paths tell the same. What local preference a drained one has otherwise is not told.
func (p path) same(o path) bool {
	return p.Drained == o.Drained && p.sameButDrain(o) && (p.Drained || samePreference(p.LocalPreference, o.LocalPreference))
}

func (p path) sameButDrain(o path) bool {
	return p.Prefix == o.Prefix && p.Own == o.Own && p.NextHop == o.NextHop && p.evpn == o.evpn &&
		slices.Equal(p.Communities, o.Communities) && slices.Equal(p.LargeCommunities, o.LargeCommunities)
}

func samePreference(a, b *uint32) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// wantedPaths lists the paths of a state: the announcements' of the underlay and of VRFs that can be had, and the loopbacks,
// which the node itself is reached by whatever OVN says.
func (a *Applier) wantedPaths(want model.Node) map[id]wanted {
	paths := make(map[id]wanted, len(want.Announcements)+len(want.BGP.Loopbacks))
	vrfs, _ := tenants(want.BGP)
	for _, x := range want.Announcements {
		p := path{Prefix: x.Prefix, NextHop: x.Gateway, Drained: want.BGP.Drained, Attributes: x.Attributes}
		vrf, known := vrfs[x.VRF]
		switch {
		case known:
			p.NextHop, p.evpn = vrf.vtep, vrf.evpn
		case x.VRF != a.vrf:
			continue
		case !p.NextHop.IsValid():
			p.NextHop = unspecified(x.Prefix.Addr())
		}
		paths[p.id()] = wanted{path: p.normal(), why: strings.Join(x.Whys, "; "), serves: []string{x.Key()}}
	}
	for _, l := range want.BGP.Loopbacks {
		p := path{Prefix: netip.PrefixFrom(l, l.BitLen()), Own: true, NextHop: unspecified(l), Drained: want.BGP.Drained}
		if _, announced := paths[p.id()]; !announced {
			paths[p.id()] = wanted{path: p, why: "address of this node", serves: []string{}}
		}
	}
	return paths
}

type wanted struct {
	path
	why    string
	serves []string
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func (a *Applier) planPaths(s *steps, want model.Node) error {
	paths, err := a.paths()
	if err != nil {
		return err
	}
	have := make(map[id]path, len(paths))
	for _, p := range paths {
		have[p.id()] = p
	}
	var draining []wanted
	same := func(w wanted, h path) bool { return w.same(h) }
	stay := unmade(want)
	for _, d := range plan.Differences(a.wantedPaths(want), have, id.compare, same) {
		switch {
		case !d.Wanted:
			key := a.keyOf(d.Have)
			if stay[key] {
				continue
			}
			serves := []string{key}
			if d.Have.Own {
				serves = []string{}
			}
			s.add(plan.Step{Verb: plan.Delete, Object: d.Key.String(), Why: unwanted, Serves: serves,
				Do: func(context.Context) error { return a.withdraw(d.Have) }})
		case !d.There:
			s.add(plan.Step{Verb: plan.Create, Object: d.Want.String(), Why: d.Want.why, Serves: d.Want.serves,
				Do: func(context.Context) error { return a.announce(d.Want.path) }})
		case d.Want.Drained != d.Have.Drained && d.Want.sameButDrain(d.Have):
			draining = append(draining, d.Want)
		default:
			s.add(plan.Step{Verb: plan.Update, Object: d.Want.String(), Why: d.Want.why, Serves: d.Want.serves,
				Do: func(context.Context) error { return a.announce(d.Want.path) }})
		}
	}
	if len(draining) > 0 {
		s.add(a.drain(draining, want.BGP.Drained))
	}
	return nil
}

// drain changes all paths at once: that is one decision, and as many lines in the log would hide it.
func (a *Applier) drain(list []wanted, drained bool) plan.Step {
	step := plan.Step{Verb: plan.Update, Serves: []string{}, Why: "the node is drained",
		Object: fmt.Sprintf("%d paths: community graceful-shutdown, local preference 0", len(list))}
	if !drained {
		step.Object, step.Why = fmt.Sprintf("%d paths: no community graceful-shutdown", len(list)), "the node is drained no more"
	}
	paths := make([]path, len(list))
	for i, w := range list {
		paths[i] = w.path
	}
	step.Do = func(context.Context) error { return a.announce(paths...) }
	return step
}

// copied is what was last read of the speaker's own paths, and after how many changes that was: nobody else changes them.
type copied struct {
	sync.Mutex
	server  *server.BgpServer
	version uint64
	paths   []path
}

// paths reads our own paths, in no order.
func (a *Applier) paths() ([]path, error) {
	if _, _, started := a.speaker.Global(); !started {
		return nil, nil
	}
	b, version, err := a.speaker.Server()
	if err != nil {
		return nil, err
	}
	a.copy.Lock()
	defer a.copy.Unlock()
	if a.copy.server == b && a.copy.version == version {
		return a.copy.paths, nil
	}
	var paths []path
	for _, family := range []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC, bgp.RF_EVPN} {
		err := b.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: family},
			func(_ bgp.NLRI, known []*apiutil.Path) {
				for _, k := range known {
					if p, ok := ofPath(k); ok {
						paths = append(paths, p)
					}
				}
			})
		if err != nil {
			return nil, fmt.Errorf("read the speaker's paths: %w", err)
		}
	}
	a.copy.server, a.copy.version, a.copy.paths = b, version, paths
	return paths, nil
}

// normal is the form in which paths are compared: one that bears both marks is drained, however it came to them.
func (p path) normal() path {
	i := slices.Index(p.Communities, model.GracefulShutdown)
	if i >= 0 && p.LocalPreference != nil && *p.LocalPreference == drainedPreference {
		p.Drained, p.LocalPreference = true, nil
		p.Communities = slices.Delete(slices.Clone(p.Communities), i, i+1)
	}
	return p
}

// announce tells the neighbours of paths, in place of those there are with the same prefixes.
func (a *Applier) announce(paths ...path) error {
	list := make([]*apiutil.Path, len(paths))
	for i, p := range paths {
		var err error
		if list[i], err = p.encode(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return a.speaker.Write(func(b *server.BgpServer) error {
		answers, err := b.AddPath(apiutil.AddPathRequest{Paths: list})
		for _, r := range answers {
			err = errors.Join(err, r.Error)
		}
		return err
	})
}

func (a *Applier) withdraw(p path) error {
	encoded, err := p.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return a.speaker.Write(func(b *server.BgpServer) error {
		return b.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{encoded}})
	})
}
