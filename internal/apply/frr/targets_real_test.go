package frr

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr/text"
)

// addTenant gives a VRF, whose namespace is there, a VNI in the kernel, so that FRR derives its route targets.
func (r real) addTenant(vrf string, vni int) {
	r.t.Helper()
	eventually(r.t, func() error { // zebra reads a new namespace once: what is made in it meanwhile it may miss
		if !r.kernelHas(r.t.Context(), vrf) {
			return fmt.Errorf("zebra does not know %s", vrf)
		}
		return nil
	})
	for _, line := range []string{
		fmt.Sprintf("link add vx-tenant type vxlan id %d local 10.0.0.1 dstport 4789 nolearning", vni), "link set vx-tenant netns " + vrf,
		"-n " + vrf + " link add br-tenant address 02:00:00:00:00:0a type bridge", "-n " + vrf + " link set vx-tenant master br-tenant up",
		"-n " + vrf + " link set br-tenant up"} {
		r.IP(strings.Fields(line)...)
	}
}

// imports are the targets by which bgpd imports into VRFs now, derived ones too: "0:10" is VNI 10 of any AS.
func (r real) imports(t *testing.T) []string {
	t.Helper()
	text, err := r.operator.Show(t.Context(), "show bgp l2vpn evpn vrf-import-rt")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if target, is := strings.CutPrefix(strings.TrimSpace(line), "Route-target: "); is {
			list = append(list, target)
		}
	}
	slices.Sort(list)
	return list
}

// TestRealTargets: FRR takes a typed target that is the same as the one it derives for one that it has. Each set comes
// about at once, whichever was there before, and nothing is left of what stood in.
func TestRealTargets(t *testing.T) {
	const derived, other, third = "64999:10", "65000:5", "65000:6"
	forEachFRR(t, func(t *testing.T, r real) {
		want := features()["EVPN"]
		vrf := &want.BGP.VRFs[0]
		r.addTenant(vrf.Name, int(vrf.VNI))
		vrf.Import, vrf.Export = nil, nil
		settle(t, r, want)
		eventually(t, func() error {
			if got := r.imports(t); !slices.Equal(got, []string{"0:10"}) {
				return fmt.Errorf("FRR has derived %q", got)
			}
			return nil
		})
		for i, set := range []struct{ in, out, imports []string }{
			{[]string{derived}, []string{derived}, []string{derived}},
			{nil, nil, []string{"0:10"}},
			{[]string{derived, other}, []string{derived, other}, []string{derived, other}},
			{[]string{derived}, []string{derived}, []string{derived}},
			{[]string{other}, []string{other}, []string{other}},
			{[]string{derived}, nil, []string{derived}},
			{nil, []string{derived, other}, []string{"0:10"}},
			{[]string{other, third}, []string{derived}, []string{other, third}},
			{[]string{derived}, []string{derived}, []string{derived}},
		} {
			vrf.Import, vrf.Export = set.in, set.out
			settle(t, r, want)
			if d := cmp.Diff(set.imports, r.imports(t)); d != "" {
				t.Errorf("set %d: imported by (-want +got):\n%s", i, d)
			}
			running, err := r.readAll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if shown := text.Format(running[text.BGP]); strings.Contains(shown, "65535:0") {
				t.Errorf("set %d: what stood in is left:\n%s", i, shown)
			}
		}
		checkShown(t, r, want)

		// Cut short, what stands in is all there is: it is taken away again.
		vrf.Import = nil
		settle(t, r, want)
		r.configure(t, "router bgp 64999 vrf "+vrf.Name, "address-family l2vpn evpn", "route-target import 65535:0", "exit-address-family", "exit")
		r.poke()
		vrf.Import = []string{derived}
		settle(t, r, want)
		if got := r.imports(t); !slices.Equal(got, []string{derived}) {
			t.Errorf("after one that was cut short: %q", got)
		}
	})
}
