package netlink

import (
	"net/netip"
	"os"
	"slices"
	"testing"
)

// TestGuestLinks needs kinds of links that the kernel of a build machine may lack.
func TestGuestLinks(t *testing.T) {
	if os.Getenv("OVNBGP_GUEST") == "" {
		t.Skip("needs the lab's kernel: run by make test in the lab")
	}
	inNamespace(t)
	c := openConn(t)
	find := func(name string) Link {
		t.Helper()
		l, ok, err := c.LinkByName(t.Context(), name)
		if err != nil || !ok {
			t.Fatalf("link %s: found %v, %v", name, ok, err)
		}
		return l
	}
	must(t, c.LinkAdd(Link{Name: "bgp-vrf", Kind: "vrf", Table: 10, Alias: "ovnbgp"}))
	vrf := find("bgp-vrf")
	if vrf.Kind != "vrf" || vrf.Table != 10 || vrf.Alias != "ovnbgp" {
		t.Errorf("VRF: kind %q, table %d, alias %q", vrf.Kind, vrf.Table, vrf.Alias)
	}
	must(t, c.LinkSetUp(vrf))
	must(t, c.LinkAdd(Link{Name: "bgp-nic", Kind: "dummy", Master: vrf.Index}))
	nic := find("bgp-nic")
	if nic.Kind != "dummy" || nic.Master != vrf.Index {
		t.Errorf("dummy: kind %q, master %d", nic.Kind, nic.Master)
	}
	must(t, c.LinkSetUp(nic))
	must(t, c.LinkAdd(Link{Name: "bgp-nic.100", Kind: "vlan", Parent: nic.Index, VLAN: 100}))
	if v := find("bgp-nic.100"); v.Kind != "vlan" || v.VLAN != 100 || v.Parent != nic.Index {
		t.Errorf("VLAN: kind %q, tag %d, parent %d", v.Kind, v.VLAN, v.Parent)
	}
	must(t, c.RouteReplace(route(nic, "203.0.113.9/32", "")))
	must(t, c.AddrReplace(Addr{LinkIndex: nic.Index, Prefix: netip.MustParsePrefix("203.0.113.9/32")}))
	if len(actual(t, c).Routes) == 0 {
		t.Error("no route in the VRF's table")
	}
	// Moved out of the VRF the device goes down and up again, and its routes go in silence.
	must(t, c.LinkSetMaster(nic, 0))
	ours := func(r Route) bool { return r.Protocol == 179 }
	if rs := actual(t, c).Routes; slices.ContainsFunc(rs, ours) {
		t.Errorf("after the master changed: %v", rs)
	}
	must(t, c.LinkDel(nic))
	if _, ok, _ := c.LinkByName(t.Context(), "bgp-nic.100"); ok {
		t.Error("the VLAN device outlived its parent")
	}
}
