package lab

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// portRowOf is a port's row in the recordings' form.
func portRowOf(t *testing.T, c *Cloud, port string) map[string]any {
	t.Helper()
	for _, row := range dumpTable(t, c.nb, "Logical_Switch_Port") {
		if row["name"] == c.state.Ports[port].ID {
			return row
		}
	}
	t.Fatalf("port %s has no row", port)
	return nil
}

func TestSubportRowIsNeutrons(t *testing.T) {
	ctx := t.Context()
	c := startCloud(t)
	buildFullCloud(t, c)
	value[*Network](t)(c.CreateNetwork(ctx, NetworkOptions{Name: "trunked", Type: Geneve}))
	value[*Subnet](t)(c.CreateSubnet(ctx, SubnetOptions{
		Network: "trunked", Name: "v4", CIDR: netip.MustParsePrefix("10.5.0.0/24"), DHCP: true,
	}))
	must(t, c.AddInterface(ctx, "router1", "trunked", "v4"))
	value[*Port](t)(c.CreatePort(ctx, PortOptions{
		Name: "trunk-sub", Network: "trunked", Addresses: []netip.Addr{netip.MustParseAddr("10.5.0.205")},
	}))
	must(t, c.AddSubport(ctx, "trunk-sub", "vm1", 55))
	northdUp(t, c, "trunk-sub", true)
	must(t, c.portUp(ctx, c.state.Ports["trunk-sub"]))
	fip := value[*FloatingIP](t)(c.CreateFloatingIP(ctx, "public", netip.MustParseAddr("203.0.113.150")))
	must(t, c.Associate(ctx, fip.Address.String(), "trunk-sub"))
	var recorded map[string]map[string]map[string]any
	must(t, json.Unmarshal(value[[]byte](t)(os.ReadFile("testdata/neutron/l4-fip-of-subport.json")), &recorded))
	for table, rows := range recorded {
		for _, row := range rows {
			want, have := normal(t, row), ""
			if table == "NAT" {
				for _, nat := range natRows(t, c) {
					if nat["external_ip"] == "203.0.113.150" {
						have = normal(t, nat)
					}
				}
			} else {
				have = normal(t, portRowOf(t, c, "trunk-sub"))
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s differs from Neutron's (-recorded +ours):\n%s", table, diff)
			}
		}
	}
	must(t, c.RemoveSubport(ctx, "trunk-sub"))
	if row := portRowOf(t, c, "trunk-sub"); row["parent_name"] != nil || row["tag_request"] != nil || row["up"] != false {
		t.Errorf("off the trunk: %v", row)
	}
}

func TestVirtualPortRow(t *testing.T) {
	ctx := t.Context()
	c := startCloud(t)
	buildFullCloud(t, c)
	value[*Port](t)(c.CreatePort(ctx, PortOptions{
		Name: "vip", Network: "tenant", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.90")},
	}))
	must(t, c.MakeVirtual(ctx, "vip", "vm1", "vm2"))
	row := portRowOf(t, c, "vip")
	want := map[string]any{
		"virtual-ip": "10.0.0.90", "virtual-parents": c.state.Ports["vm1"].ID + "," + c.state.Ports["vm2"].ID,
	}
	if diff := cmp.Diff(want, row["options"]); diff != "" || row["type"] != "virtual" {
		t.Errorf("type %v, options (-want +have):\n%s", row["type"], diff)
	}
	if host, ok := row["external_ids"].(map[string]any)["neutron:parent_hostname"]; host != "" || !ok {
		t.Errorf("parent_hostname of a port that no VM has held is %v, want an empty one", host)
	}
	holder := c.state.Ports["vm1"]
	if got := portRowOf(t, c, "vm1")["port_security"]; got != holder.addresses()+" 10.0.0.90" {
		t.Errorf("port_security of a holder is %v", got)
	}
}

// What a load balancer's members and a floating IP's forwardings leave in vips.
func TestVIPs(t *testing.T) {
	ctx := t.Context()
	c := startCloud(t)
	buildFullCloud(t, c)
	a := c.state.Ports["vm1"].address4().String()
	b := c.state.Ports["vm2"].address4().String()
	vips := func() map[string]any {
		all := map[string]any{}
		for _, row := range dumpTable(t, c.nb, "Load_Balancer") {
			v, _ := row["vips"].(map[string]any)
			for key, backends := range v {
				all[row["protocol"].(string)+" "+key] = backends
			}
		}
		return all
	}
	value[*LoadBalancer](t)(c.CreateLoadBalancer(ctx, LoadBalancerOptions{
		Name: "lb1", Network: "public", VIP: netip.MustParseAddr("203.0.113.70"), Port: 80,
	}))
	value[*FloatingIP](t)(c.CreateFloatingIP(ctx, "public", netip.MustParseAddr("203.0.113.80")))
	const vip, tcp, udp = "tcp 203.0.113.70:80", "tcp 203.0.113.80:22", "udp 203.0.113.80:53"
	for _, step := range []struct {
		name string
		do   func() error
		want map[string]any
	}{
		{"first member", func() error { return c.AddMember(ctx, "lb1", "vm1", 80) }, map[string]any{vip: a + ":80"}},
		{"second member", func() error { return c.AddMember(ctx, "lb1", "vm2", 80) },
			map[string]any{vip: a + ":80," + b + ":80"}},
		{"one offline", func() error { return c.SetMember(ctx, "lb1", "vm1", false) }, map[string]any{vip: b + ":80"}},
		{"all offline", func() error { return c.SetMember(ctx, "lb1", "vm2", false) }, map[string]any{}},
		{"one online", func() error { return c.SetMember(ctx, "lb1", "vm1", true) }, map[string]any{vip: a + ":80"}},
		{"disabled", func() error { return c.SetBalancerEnabled(ctx, "lb1", false) }, map[string]any{}},
		{"enabled", func() error { return c.SetBalancerEnabled(ctx, "lb1", true) }, map[string]any{vip: a + ":80"}},
		{"removed", func() error { return c.RemoveMember(ctx, "lb1", "vm1") }, map[string]any{}},
		{"forwarded", func() error { return c.Forward(ctx, "203.0.113.80", "tcp", 22, "vm1", 2222) },
			map[string]any{tcp: a + ":2222"}},
		{"by two protocols", func() error { return c.Forward(ctx, "203.0.113.80", "udp", 53, "vm2", 53) },
			map[string]any{tcp: a + ":2222", udp: b + ":53"}},
		{"one protocol ends", func() error { return c.Unforward(ctx, "203.0.113.80", "tcp") }, map[string]any{udp: b + ":53"}},
		{"floating IP goes", func() error { return c.DeleteFloatingIP(ctx, "203.0.113.80") }, map[string]any{}},
	} {
		must(t, step.do())
		if diff := cmp.Diff(step.want, vips()); diff != "" {
			t.Errorf("%s (-want +have):\n%s", step.name, diff)
		}
	}
}

// Address scopes are on the LSPs of a network, its routers' too.
func TestAddressScopes(t *testing.T) {
	ctx := t.Context()
	c := startCloud(t)
	value[*Network](t)(c.CreateNetwork(ctx, NetworkOptions{Name: "scoped", Type: Geneve}))
	for _, s := range []SubnetOptions{
		{Network: "scoped", Name: "v4", CIDR: netip.MustParsePrefix("10.0.0.0/24"), Scope: "scope4"},
		{Network: "scoped", Name: "v6", CIDR: netip.MustParsePrefix("2a0f:0:62::/64"), Scope: "scope6"},
	} {
		value[*Subnet](t)(c.CreateSubnet(ctx, s))
	}
	value[*Port](t)(c.CreatePort(ctx, PortOptions{Name: "vm", Network: "scoped"}))
	ids := portRowOf(t, c, "vm")["external_ids"].(map[string]any)
	got := []any{ids["neutron:subnet_pool_addr_scope4"], ids["neutron:subnet_pool_addr_scope6"]}
	if diff := cmp.Diff([]any{"scope4", "scope6"}, got); diff != "" {
		t.Errorf("scopes (-want +have):\n%s", diff)
	}
}
