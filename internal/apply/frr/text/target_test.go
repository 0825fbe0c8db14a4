package text

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/model"
)

// TestTargets: of the targets that FRR derives by itself none is typed while FRR would take it for its own.
func TestTargets(t *testing.T) {
	const derived, other, third = "64999:10", "65000:5", "65000:6"
	render := func(in, out []string) Config {
		t.Helper()
		c, err := Render(model.Node{BGP: model.BGP{AS: 64999, RouterID: netip.MustParseAddr("10.0.0.1"),
			VRFs: []model.BGPVRF{{Name: "vrf-10", VNI: 10, Import: in, Export: out}}}}, Oldest())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, tt := range map[string]struct {
		have, want []string // of import
		typed      []string
	}{
		"derived alone":               {nil, []string{derived}, []string{"+standin", "+derived", "-standin"}},
		"another":                     {nil, []string{other}, []string{"+other"}},
		"derived and another":         {nil, []string{derived, other}, []string{"+other", "+derived"}},
		"derived beside another":      {[]string{other}, []string{derived, other}, []string{"+derived"}},
		"another beside derived":      {[]string{derived}, []string{derived, other}, []string{"+other", "+derived"}},
		"two beside derived":          {[]string{derived}, []string{derived, other, third}, []string{"+other", "+third", "+derived"}},
		"another in place of derived": {[]string{derived}, []string{other}, []string{"+other"}},
		"derived in place of another": {[]string{other}, []string{derived}, []string{"+derived"}},
		"after one that was cut":      {[]string{standIn}, []string{derived}, []string{"+derived"}},
		"derived, as it is":           {[]string{derived}, []string{derived}, nil},
	} {
		running := render(tt.have, nil).Ours
		diff := Diff(render(tt.want, nil), Running{BGP: running, Zebra: running, BFD: running})
		var typed []string
		names := strings.NewReplacer(derived, "derived", other, "other", third, "third", standIn, "standin", "no route-target import ", "-",
			"route-target import ", "+")
		for _, batch := range diff.Updating() {
			for _, line := range batch.Lines {
				if strings.Contains(line, "route-target") {
					typed = append(typed, names.Replace(line))
				}
			}
		}
		if d := cmp.Diff(tt.typed, typed); d != "" {
			t.Errorf("%s (-want +typed):\n%s", name, d)
		}
	}
	for name, tt := range map[string]struct{ in, want []string }{
		"derived":             {[]string{derived}, nil},
		"another":             {[]string{other}, []string{other}},
		"derived and another": {[]string{derived, other}, []string{other, derived}},
	} {
		var got []string
		for _, b := range at(render(nil, tt.in).Ours, []string{"router bgp 64999 vrf vrf-10", "address-family l2vpn evpn"}) {
			if target, is := strings.CutPrefix(b.Line, "route-target export "); is {
				got = append(got, target)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("export of %s (-want +got):\n%s", name, d)
		}
	}
	if got := derivedTarget(4_200_000_001, 10); got != "59905:10" { // 0xFA56EA01: FRR has room for 16 bits
		t.Errorf("of an AS of 32 bits FRR derives %s", got)
	}
}
