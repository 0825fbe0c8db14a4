package desired

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/model"
)

func TestLearned(t *testing.T) {
	addr := netip.MustParseAddr
	b := model.BGP{Loopbacks: []netip.Addr{addr("10.0.0.1"), addr("2001:db8::1")}, Multipath: model.Multipath{Paths: 8, Relax: true}}
	rib := model.RIB{Known: true, Learned: []model.Learned{
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Paths: []model.LearnedPath{{NextHop: addr("fe80::2%eth2"), ASPath: "65001"},
			{NextHop: addr("fe80::1%eth1"), ASPath: "65002"}}},
		{Prefix: netip.MustParsePrefix("::/0"), Paths: []model.LearnedPath{{NextHop: addr("2001:db8:1::1"), ASPath: "65001"}}},
	}}
	texts := func(b model.BGP) (list []string) {
		routes, unknown := Learned(rib, b)
		if unknown == rib.Known {
			t.Errorf("known is %v, unknown %v", rib.Known, unknown)
		}
		for _, r := range routes {
			if r.Serves == nil || len(r.Serves) > 0 {
				t.Errorf("%s serves %q: no announcement depends on it", r, r.Serves)
			}
			list = append(list, r.String())
		}
		return list
	}
	v6 := "route ::/0 nexthop via 2001:db8:1::1 src 2001:db8::1 table 254 metric 20"
	for name, c := range map[string]struct {
		m    model.Multipath
		want string
	}{
		"all":      {b.Multipath, "route 0.0.0.0/0 nexthop via fe80::1 dev eth1 nexthop via fe80::2 dev eth2 src 10.0.0.1 table 254 metric 20"},
		"strict":   {model.Multipath{Paths: 8}, "route 0.0.0.0/0 nexthop via fe80::2 dev eth2 src 10.0.0.1 table 254 metric 20"},
		"one":      {model.Multipath{Paths: 1, Relax: true}, "route 0.0.0.0/0 nexthop via fe80::2 dev eth2 src 10.0.0.1 table 254 metric 20"},
		"not told": {model.Multipath{}, "route 0.0.0.0/0 nexthop via fe80::2 dev eth2 src 10.0.0.1 table 254 metric 20"},
	} {
		b.Multipath = c.m
		if d := cmp.Diff([]string{c.want, v6}, texts(b)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	rib.Known = false
	texts(b)
}

// TestUsed: of the paths those are used that become next hops, the best first, and what was read stays as it was.
func TestUsed(t *testing.T) {
	path := func(hop, as, from string) model.LearnedPath {
		return model.LearnedPath{NextHop: netip.MustParseAddr(hop), ASPath: as, Neighbor: from}
	}
	rib := model.RIB{Learned: []model.Learned{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Paths: []model.LearnedPath{
		path("192.0.2.2", "65001", "leaf1"), path("192.0.2.2", "65001", "leaf1 again"), path("192.0.2.1", "65002", "leaf2"), path("192.0.2.3", "65001", "leaf3")}}}}
	for name, tt := range map[string]struct {
		m    model.Multipath
		want []string
	}{
		"all":    {model.Multipath{Paths: 8, Relax: true}, []string{"leaf1", "leaf2", "leaf3"}},
		"two":    {model.Multipath{Paths: 2, Relax: true}, []string{"leaf1", "leaf2"}},
		"strict": {model.Multipath{Paths: 8}, []string{"leaf1", "leaf3"}},
		"one":    {model.Multipath{}, []string{"leaf1"}},
	} {
		var got []string
		for _, p := range Used(rib, tt.m).Learned[0].Paths {
			got = append(got, p.Neighbor)
		}
		if d := cmp.Diff(tt.want, got); d != "" || len(rib.Learned[0].Paths) != 4 {
			t.Errorf("%s: %d paths read (-want +got):\n%s", name, len(rib.Learned[0].Paths), d)
		}
	}
}
