package kernel_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// Our VRFs and their devices are found by the alias; what the old agent or anybody else made is not counted in.
func TestOwnVRFs(t *testing.T) {
	k := fakekernel.New()
	must(t, k.LinkAdd(netlink.Link{Name: "vrf-b", Kind: "vrf", Table: 20, Alias: "ovnbgp"}),
		k.LinkAdd(netlink.Link{Name: "vrf-a", Kind: "vrf", Table: 30, Alias: "ovnbgp"}),
		k.LinkAdd(netlink.Link{Name: "vrf-x", Kind: "vrf", Table: 40}))
	must(t, k.LinkAdd(netlink.Link{Name: "nic-b", Kind: "dummy", Alias: "ovnbgp", Master: link(t, k, "vrf-b").Index}),
		k.LinkAdd(netlink.Link{Name: "nic-x", Kind: "dummy", Alias: "ovnbgp", Master: link(t, k, "vrf-x").Index}),
		k.LinkAdd(netlink.Link{Name: "dummy0", Kind: "dummy", Master: link(t, k, "vrf-a").Index}))
	got, err := kernel.NewCarriers(k).OwnVRFs(t.Context())
	must(t, err)
	want := []model.VRF{{Device: "nic-x"}, {Name: "vrf-a", Table: 30}, {Name: "vrf-b", Table: 20, Device: "nic-b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Cleanup under a changed configuration withdraws and removes what was made under the old one, in one pass.
func TestCleanupUnderAnotherConfiguration(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, g3())
	where := model.Node{VRF: model.VRF{Name: "vrf2", Table: 11, Device: "nic2"}, Bridges: base().Bridges}
	told, err := kernel.NewAnnouncements(k, where.VRF).Cleanup(t.Context())
	must(t, err)
	if len(told) != len(g3().Announcements) {
		t.Errorf("withdraws %v", told)
	}
	for _, s := range told {
		if want := "bgp-vrf "; len(s.Serves) != 1 || !strings.HasPrefix(s.Serves[0], want) {
			t.Errorf("%s serves %v, want a key of %s", s, s.Serves, want)
		}
	}
	carriers, err := kernel.NewCarriers(k).Cleanup(t.Context(), where)
	must(t, err)
	for _, s := range append(told, carriers...) {
		must(t, s.Do(t.Context()))
	}
	var left []string
	for line := range strings.Lines(k.String()) {
		if !strings.HasPrefix(line, "sysctl ") {
			left = append(left, line)
		}
	}
	if diff := cmp.Diff([]string{"link br-ex type openvswitch up\n"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
