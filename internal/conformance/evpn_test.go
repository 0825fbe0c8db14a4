package conformance

import (
	"fmt"
	"strings"

	"ovnbgp/internal/model"
)

// evpn is the case of type-5 routes.
func evpn() test {
	return test{name: "EVPN type 5", play: typeFive, cannot: map[string]refusal{
		"bird":  {birdHasNoEVPN, "BIRD 2 has no EVPN"},
		"gobgp": {evpnRefused, "VRFs of their own are FRR's: type-5 routes need its VRFs and VXLAN devices"},
	}}
}

// birdHasNoEVPN has BIRD look at a configuration with EVPN.
func birdHasNoEVPN(s *scene) {
	l := s.leaf(func(b both) { b.leaf.Families = append(b.leaf.Families, model.EVPN) })
	if err := l.Check(s.t.Context()); err == nil || !strings.Contains(err.Error(), "syntax error") {
		s.t.Errorf("BIRD says %v of a channel for EVPN, want a syntax error", err)
	}
}

// evpnRefused hands the speaker a VRF with a VNI.
func evpnRefused(s *scene) {
	s.leaf()
	s.startSpeaker()
	s.tenant("vrf-100", 100, "198.51.100.7/32")
	s.refuses("VRF vrf-100")
}

// typeFive: a tenant's prefix goes to a neighbour with the VRF's route distinguisher, route target and VNI.
func typeFive(s *scene) {
	l := s.leaf(func(b both) {
		evpn := model.PeerFamily{Family: model.EVPN, In: model.Filter{All: true}, Out: model.Filter{Own: true}}
		b.node.Families = append(b.node.Families, evpn)
		b.leaf.Families = append(b.leaf.Families, model.EVPN)
	})
	s.tenant("vrf-100", 100, "198.51.100.7/32")
	s.announce(model.Attributes{}, first)
	s.play()
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	s.told(l, model.EVPN, "198.51.100.7/32 via 10.255.0.1 as 64999 rd 10.255.0.1:100 rt 64999:100 vni 100")
	before := s.up(l)
	s.node.BatchVRF("vrf-100", "addr del 198.51.100.7/32 dev in-100")
	s.told(l, model.EVPN)
	s.same(l, before)
}

// tenant makes a VRF with a VNI and an address, as the kernel's applier would, and has the speaker announce it.
func (s *scene) tenant(vrf string, vni uint32, prefix string) {
	s.t.Helper()
	device := fmt.Sprintf("in-%d", vni)
	s.node.AddVRF(vrf, device)
	s.node.Batch(fmt.Sprintf("link add vx%d type vxlan id %d local %s dstport 4789 nolearning", vni, vni, loopback4),
		fmt.Sprintf("link set vx%d netns %s", vni, vrf))
	s.node.BatchVRF(vrf, fmt.Sprintf("link add br%d type bridge", vni), fmt.Sprintf("link set vx%d master br%d up", vni, vni),
		fmt.Sprintf("link set br%d up", vni), fmt.Sprintf("addr add %s dev %s", prefix, device))
	target := fmt.Sprintf("%d:%d", nodeAS, vni)
	s.want.BGP.VRFs = append(s.want.BGP.VRFs, model.BGPVRF{Name: vrf, VNI: vni, RD: fmt.Sprintf("%s:%d", loopback4, vni),
		Import: []string{target}, Export: []string{target}, Redistribute: []string{"connected"}})
}

// refuses hands the node to the speaker, which must say that it cannot, and why.
func (s *scene) refuses(why string) {
	s.t.Helper()
	if a := s.ask(); !strings.Contains(a.Err, why) || why == "" {
		s.t.Fatalf("the speaker did %q and says %q, want a refusal with %q", a.Steps, a.Err, why)
	}
}
