package gobgp

import (
	"net/netip"
	"strings"
	"testing"

	"ovnbgp/internal/model"
)

// TestCheck: what GoBGP cannot do for a neighbour is refused with the reason.
func TestCheck(t *testing.T) {
	ten := model.PrefixRange{Prefix: netip.MustParsePrefix("10.0.0.0/8"), GE: 8, LE: 8}
	for _, tt := range []struct {
		name   string
		change func(*model.Peer)
		want   string // "": nothing is wrong
	}{
		{"a leaf", func(*model.Peer) {}, ""},
		{"its prefixes", func(p *model.Peer) { p.Families[0].In.Prefixes = []model.PrefixRange{ten} }, ""},
		{"no such profile", func(p *model.Peer) { p.BFD = "slow" }, "there is no BFD profile slow"},
		{"the control plane's bit", func(p *model.Peer) { p.BFDControlPlane = true }, "bfd_control_plane"},
		{"IPv4 over IPv6", func(p *model.Peer) { p.Address = netip.MustParseAddr("2001:db8::1") }, "without extended_nexthop"},
		{"a limit", func(p *model.Peer) { p.Families[0].LimitPrefixes = 1 }, "limit the number of prefixes sent (ipv4 unicast)"},
		{"EVPN, all of it", func(p *model.Peer) {
			p.Families = append(p.Families, model.PeerFamily{Family: model.EVPN, In: model.Filter{All: true}, Out: model.Filter{Own: true}})
		}, ""},
		{"EVPN by prefixes", func(p *model.Peer) {
			p.Families = []model.PeerFamily{{Family: model.EVPN, Out: model.Filter{Prefixes: []model.PrefixRange{ten}}}}
		}, "tell routes of l2vpn evpn apart by prefixes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := node(model.Peer{Name: "leaf", Address: netip.MustParseAddr("100.64.1.1"), BFD: "normal"})
			tt.change(&n.BGP.Peers[0])
			err := check(n.BGP, n.BGP.Peers[0])
			if got := errText(err); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
