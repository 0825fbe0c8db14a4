package kernel_test

import (
	"net/netip"
	"slices"
	"testing"

	"ovnbgp/internal/apply/kernel"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// learnt wants these prefixes learned by BGP.
func learnt(prefixes ...string) model.Node {
	n := base()
	for _, text := range prefixes {
		p := netip.MustParsePrefix(text)
		gateway := netip.MustParseAddr("fe80::1")
		if p.Addr().Is4() {
			gateway = netip.MustParseAddr("192.0.2.1")
		}
		n.Routes = append(n.Routes, model.Route{Table: model.MainTable, Prefix: p, Metric: model.LearnedMetric, Why: "learned by BGP",
			NextHops: []model.NextHop{{Gateway: gateway, Device: "br-ex"}}, Serves: []string{}})
	}
	return n
}

// defaults are the default routes of the main table as people are told.
func defaults(t *testing.T, k *fakekernel.Kernel) (prefixes []string) {
	t.Helper()
	list, err := kernel.NewCarriers(k).Defaults(t.Context())
	must(t, err)
	for _, r := range list {
		prefixes = append(prefixes, r.Prefix.String())
		if r.By != model.ByBGP || len(r.NextHops) != 1 || r.NextHops[0].Device != "br-ex" {
			t.Errorf("%+v", r)
		}
	}
	slices.Sort(prefixes)
	return prefixes
}

// TestLearnedUnknown: while not all is known, what nobody has told yet stays, and what was told and taken back goes.
func TestLearnedUnknown(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	k.Watch(model.MainTable)
	have := func() (prefixes []string) {
		actual, err := k.Actual(t.Context())
		must(t, err)
		for _, r := range actual.Routes {
			if r.Table == model.MainTable && r.Protocol == model.Protocol {
				prefixes = append(prefixes, r.Dst.String())
			}
		}
		slices.Sort(prefixes)
		return prefixes
	}
	unknown, gone := learnt(), learnt()
	unknown.LearnedUnknown, gone.LearnedUnknown = true, true
	gone.LearnedGone = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	for _, c := range []struct {
		what string
		node model.Node
		want []string
	}{
		{"told", learnt("0.0.0.0/0", "::/0"), []string{"0.0.0.0/0", "::/0"}},
		{"not told yet", unknown, []string{"0.0.0.0/0", "::/0"}},
		{"taken back", gone, []string{"::/0"}},
		{"known", learnt(), nil},
	} {
		converge(t, k, c.node)
		if got := have(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
		if got := defaults(t, k); !slices.Equal(got, c.want) {
			t.Errorf("%s: defaults %q, want %q", c.what, got, c.want)
		}
	}
}
