package conformance

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnbgp/internal/model"
)

// evpn is the case of type-5 routes.
func evpn() test {
	return test{name: "EVPN type 5", play: typeFive, cannot: map[string]refusal{
		"bird": {birdHasNoEVPN, "BIRD 2 has no EVPN"},
	}}
}

// birdHasNoEVPN has BIRD look at a configuration with EVPN.
func birdHasNoEVPN(s *scene) {
	l := s.leaf(func(b both) { b.leaf.Families = append(b.leaf.Families, model.EVPN) })
	if err := l.Check(s.t.Context()); err == nil || !strings.Contains(err.Error(), "syntax error") {
		s.t.Errorf("BIRD says %v of a channel for EVPN, want a syntax error", err)
	}
}

// The case's tenant.
const (
	tenantVRF        = "vrf-100"
	tenantVNI        = 100
	tenantMAC        = "02:00:00:00:01:00"
	tenant4, tenant6 = "198.51.100.7/32", "2001:db8:100::7/128"
	tenantPath       = " via 10.255.0.1 as 64999 rd 10.255.0.1:100 encapsulation vxlan rt 64999:100 router-mac " + tenantMAC + " vni 100"
)

// typeFive: a tenant's prefixes go to a neighbour that has EVPN, and to no other, with the VRF's route distinguisher, route
// target, VNI and router's MAC. What is told into the VRF is FRR's alone to take: another speaker says that it does not.
func typeFive(s *scene) {
	l := s.leaf(func(b both) {
		evpn := model.PeerFamily{Family: model.EVPN, In: model.Filter{All: true}, Out: model.Filter{Own: true}}
		b.node.Families = append(b.node.Families, evpn)
		b.leaf.Families = append(b.leaf.Families, model.EVPN)
	})
	without := s.leaf()
	s.tenant()
	s.announce(model.Attributes{}, first)
	s.play()
	for _, each := range []*leaf{l, without} {
		s.told(each, model.IPv4Unicast, fmt.Sprintf("%s via 10.0.%d.2 as 64999", first, each.number))
	}
	s.told(l, model.EVPN, tenant4+tenantPath, tenant6+tenantPath)
	before := s.up(l)
	s.node.BatchVRF(tenantVRF, "addr del "+tenant4+" dev in-100")
	s.want = s.want.Without(model.Key(tenantVRF, netip.MustParsePrefix(tenant4)))
	s.apply()
	s.told(l, model.EVPN, tenant6+tenantPath)
	s.same(l, before)
	if speakers()[s.kind].frr {
		for _, targets := range [][]string{nil, {"64999:100"}} { // FRR derives the same one by itself, and then overhears it
			s.want.BGP.VRFs[0].Import, s.want.BGP.VRFs[0].Export = targets, targets
			s.apply()
		}
		s.told(l, model.EVPN, tenant6+tenantPath)
		s.same(l, before)
		return
	}
	s.want.BGP.VRFs[0].Import = []string{"64999:100"}
	s.refuses("the embedded speaker cannot import 64999:100")
	s.told(l, model.EVPN, tenant6+tenantPath)
	s.same(l, before)
}

// tenant makes a VRF with a VNI and two addresses, as the kernel's applier would, and has the speaker announce them.
func (s *scene) tenant() {
	s.t.Helper()
	s.node.AddVRF(tenantVRF, "in-100")
	s.node.Batch(fmt.Sprintf("link add vx100 type vxlan id %d local %s dstport 4789 nolearning", tenantVNI, loopback4),
		"link set vx100 netns "+tenantVRF)
	s.node.BatchVRF(tenantVRF, "link add br100 address "+tenantMAC+" type bridge", "link set vx100 master br100 up",
		"link set br100 up", "addr add "+tenant4+" dev in-100", "addr add "+tenant6+" dev in-100 nodad")
	s.want.BGP.VRFs = []model.BGPVRF{{Name: tenantVRF, VNI: tenantVNI, RD: "10.255.0.1:100", Export: []string{"64999:100"},
		Redistribute: []string{"connected"}, VTEP: loopback4, RouterMAC: tenantMAC}}
	if speakers()[s.kind].frr {
		s.want.BGP.VRFs[0].Import = []string{"64999:100"}
	}
	for _, text := range []string{tenant4, tenant6} {
		s.want.Announcements = append(s.want.Announcements, model.Announcement{VRF: tenantVRF, Prefix: netip.MustParsePrefix(text),
			Device: "in-100", Kinds: []model.Kind{model.KindTenant}, Whys: []string{"the case wants it"}})
	}
}

// refuses hands the node to the speaker, which must say that it cannot, and why.
func (s *scene) refuses(why string) {
	s.t.Helper()
	if a := s.ask(); !strings.Contains(a.Err, why) || why == "" {
		s.t.Fatalf("the speaker did %q and says %q, want a refusal with %q", a.Steps, a.Err, why)
	}
}
