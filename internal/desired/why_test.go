package desired

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

const whyCloud = `
chassis S1 hostname=node1
mapping 1 physnet=physnet1 bridge=br-ex
switch neutron-ext1 name=public
localnet provnet-ext1 switch=neutron-ext1 physnet=physnet1
port here switch=neutron-ext1 ips=203.0.113.11 requested=node1 up=true
port there switch=neutron-ext1 ips=203.0.113.12 requested=node2 up=true
port moved-and-down switch=neutron-ext1 ips=203.0.113.13 requested=node2 up=false
interface moved-and-down
port stopped switch=neutron-ext1 ips=203.0.113.14 requested=node1 up=false
port looks-stopped switch=neutron-ext1 ips=203.0.113.15 requested=node1 up=false
interface looks-stopped
port disabled switch=neutron-ext1 ips=203.0.113.16 requested=node1 up=true disabled=true
port hostless switch=neutron-ext1 ips=203.0.113.17 up=true
port looks-stopped-sub switch=neutron-ext1 ips=203.0.113.18 parent=looks-stopped up=false
port unread switch=neutron-ext1 cidrs=203.0.113.19/24 fault=addresses:zz:zz requested=node1 up=true
port tenant switch=neutron-ten1 ips=10.7.0.11 requested=node1 up=true
port tenant-there switch=neutron-ten1 ips=10.7.0.12 requested=node2 up=true
port lbvip switch=neutron-ext1 owner=ovn-lb:vip ips=203.0.113.70 up=false
router neutron-r1
router neutron-r2 disabled=true
group neutron-r1 chassis=S2,S3
gateway g1 router=neutron-r1 switch=neutron-ext1 networks=203.0.113.2/24 hosting=
gateway g2 router=neutron-r2 switch=neutron-ext1 networks=203.0.113.3/24 hosting=
gateway g3 router=neutron-r3 switch=neutron-ext1 networks=203.0.113.4/24 hosting=S2
interface-port i1 router=neutron-r1 switch=neutron-ten1 networks=10.7.0.1/24
nat f1 router=neutron-r1 external=203.0.113.51 port=tenant mac=fa:16:3e:00:00:51 network=neutron-ext1
nat f2 router=neutron-r1 external=203.0.113.52 port=looks-stopped mac=fa:16:3e:00:00:52 network=neutron-ext1
nat f3 router=neutron-r1 external=203.0.113.53 port=gone mac=fa:16:3e:00:00:53 network=neutron-ext1
nat f4 router=neutron-r1 external=203.0.113.54 network=neutron-ext1
nat f5 router=neutron-r9 external=203.0.113.55
lb l1 router=neutron-r1 vips=203.0.113.71
lb pf-floatingip-x-tcp router=neutron-r1 at=neutron-r1 vips=203.0.113.72
`

func TestWhy(t *testing.T) {
	in := rows{}.apply(t, whyCloud).input(t)
	for _, tt := range []struct {
		address string
		want    string // verdict, reason, evidence, node
	}{
		{"203.0.113.11", "announced port-up  node1"},
		{"203.0.113.12", "elsewhere other-host explained node2"},
		{"203.0.113.13", "unplaced port-down explained node2"},
		{"203.0.113.14", "unplaced port-down explained node1"},
		{"203.0.113.15", "unplaced port-down doubtful node1"},
		{"203.0.113.16", "suppressed port-disabled explained node1"},
		{"203.0.113.17", "unplaced no-host explained "},
		{"203.0.113.18", "unplaced port-down doubtful node1"},
		{"203.0.113.19", "suppressed bad-value unexplained "},
		{"10.7.0.11", "suppressed tenant-network explained node1"},
		{"10.7.0.12", "suppressed tenant-network explained node2"},
		{"10.7.0.1", "suppressed router-interface explained "},
		{"203.0.113.70", "suppressed load-balancer explained "},
		{"203.0.113.71", "suppressed not-attached explained "},
		{"203.0.113.72", "unplaced gateway-unclaimed doubtful "},
		{"203.0.113.2", "unplaced gateway-unclaimed doubtful "},
		{"203.0.113.3", "suppressed router-disabled explained "},
		{"203.0.113.4", "elsewhere other-chassis explained S2"},
		{"203.0.113.51", "announced floating-ip-distributed  node1"},
		{"203.0.113.52", "unplaced port-down doubtful node1"},
		{"203.0.113.53", "unplaced no-port unexplained "},
		{"203.0.113.54", "unplaced gateway-unclaimed doubtful "},
		{"203.0.113.55", "unplaced no-gateway unexplained "},
		{"203.0.113.99", "unknown no-row unexplained "},
	} {
		d := Why(in, defaults(), netip.MustParseAddr(tt.address))
		if got := fmt.Sprintf("%s %s %s %s", d.Verdict, d.Reason, d.Evidence, d.Node); got != tt.want {
			t.Errorf("Why(%s) = %q, want %q", tt.address, got, tt.want)
		}
		if d.Text == "" || d.Key != "bgp-vrf "+tt.address+"/32" || d.Address.String() != tt.address {
			t.Errorf("Why(%s) = %+v", tt.address, d)
		}
	}
}

// An address that two rows have is answered by the row that says most. A tenant's machine elsewhere that happens to
// have a provider address says nothing of it.
func TestWhyOfSeveralRows(t *testing.T) {
	cloud := rows{}.apply(t, whyCloud)
	for _, tt := range []struct {
		row  string
		want model.Verdict
	}{
		{"", model.Announced},
		{"port here requested=node2", model.Elsewhere},
		{"port here up=false requested=node2", model.Unplaced},
		{"port here up=false\ninterface here\nport again switch=neutron-ten1 up=true", model.Unplaced},
		{"port here up=false\ninterface here\nport again up=true", model.Elsewhere},
		{"port here disabled=true", model.Suppressed},
	} {
		in := cloud.apply(t, "port again switch=neutron-ext1 ips=203.0.113.11 requested=node2 up=false\n"+tt.row).input(t)
		if got := Why(in, defaults(), netip.MustParseAddr("203.0.113.11")).Verdict; got != tt.want {
			t.Errorf("with %q: %s, want %s", tt.row, got, tt.want)
		}
	}
}

// A node that has lost its own name must not conclude that what it hosts is elsewhere.
func TestWhyWithoutChassisName(t *testing.T) {
	in := rows{}.apply(t, whyCloud+"-chassis S1\n").input(t)
	for _, address := range []string{"203.0.113.4", "203.0.113.54"} {
		if d := Why(in, defaults(), netip.MustParseAddr(address)); d.Evidence != model.Doubtful {
			t.Errorf("Why(%s) = %+v", address, d)
		}
	}
}

// What a lost Southbound database makes of the Northbound one must be told from what operators do: northd calls
// every port down and clears every hosting-chassis.
func TestLostSouthboundIsDoubtful(t *testing.T) {
	cloud := rows{}.apply(t, whyCloud+"gateway g3 hosting=S1\ninterface here\ninterface tenant\n"+
		"nat f4 router=neutron-r3\ngroup neutron-r3 chassis=S1\ngateway g3 group=neutron-r3\n")
	before, _ := Node(cloud.input(t), defaults())
	for key := range cloud {
		if len(key) > 5 && key[:5] == "port " {
			cloud[key]["up"] = "false"
		}
	}
	cloud["gateway g3"]["hosting"] = ""
	after := cloud.input(t)
	if len(before.Announcements) != 4 {
		t.Fatalf("announced before: %v", before.Keys())
	}
	for _, a := range before.Announcements {
		if d := Why(after, defaults(), a.Prefix.Addr()); d.Evidence != model.Doubtful {
			t.Errorf("%s: %+v", a.Prefix, d)
		}
	}
}

const tenantWhyCloud = whyCloud + `
gateway g4 router=neutron-r4 switch=neutron-ext1 networks=203.0.113.5/24 hosting=S1
interface-port i1 networks=10.1.0.1/24
port p1 switch=neutron-ten1 type=router owner=network:router_interface router_port=i1 cidrs=10.1.0.1/24 up=true
interface-port i3 router=neutron-r3 switch=neutron-ten3 networks=10.3.0.1/24
port p3 switch=neutron-ten3 type=router owner=network:router_interface router_port=i3 cidrs=10.3.0.1/24 up=true
interface-port i4 router=neutron-r4 switch=neutron-ten4 networks=10.4.0.1/24
port p4 switch=neutron-ten4 type=router owner=network:router_interface router_port=i4 cidrs=10.4.0.1/24 up=true
port t1 switch=neutron-ten1 ips=10.1.0.11 requested=node1 up=true
port t3 switch=neutron-ten3 ips=10.3.0.11 requested=node1 up=true
port t4 switch=neutron-ten4 ips=10.4.0.11 requested=node2 up=true
port t5 switch=neutron-ten4 ips=10.4.0.12 requested=node2 up=false
port t6 switch=neutron-ten6 ips=10.6.0.11 requested=node1 up=true
`

// An address of a tenant network is where its router's gateway is.
func TestWhyOfTenants(t *testing.T) {
	in := rows{}.apply(t, tenantWhyCloud).input(t)
	for _, tt := range []struct {
		method config.TenantMethod
		prefix string
		want   string // verdict, reason, evidence, node, key
	}{
		{config.TenantHost, "10.1.0.11/32", "unplaced gateway-unclaimed doubtful  bgp-vrf 10.1.0.11/32"},
		{config.TenantHost, "10.3.0.11/32", "elsewhere other-chassis explained S2 bgp-vrf 10.3.0.11/32"},
		{config.TenantHost, "10.4.0.11/32", "announced tenant-address  S1 bgp-vrf 10.4.0.11/32"},
		{config.TenantHost, "10.4.0.12/32", "unplaced port-down unexplained node2 bgp-vrf 10.4.0.12/32"},
		{config.TenantHost, "10.4.0.1/32", "suppressed router-interface explained  bgp-vrf 10.4.0.1/32"},
		{config.TenantHost, "10.4.0.99/32", "unknown no-row unexplained  bgp-vrf 10.4.0.99/32"},
		{config.TenantHost, "10.6.0.11/32", "unplaced no-router explained  bgp-vrf 10.6.0.11/32"},
		{config.TenantHost, "10.4.0.0/24", "suppressed host-routes explained  bgp-vrf 10.4.0.0/24"},
		{config.TenantHost, "10.3.0.0/24", "elsewhere other-chassis explained S2 bgp-vrf 10.3.0.0/24"},
		{config.TenantHost, "10.9.0.0/24", "unknown no-row unexplained  bgp-vrf 10.9.0.0/24"},
		{config.TenantSubnet, "10.4.0.0/24", "announced tenant-subnet  S1 bgp-vrf 10.4.0.0/24"},
		{config.TenantSubnet, "10.3.0.0/24", "elsewhere other-chassis explained S2 bgp-vrf 10.3.0.0/24"},
		{config.TenantSubnet, "10.1.0.0/24", "unplaced gateway-unclaimed doubtful  bgp-vrf 10.1.0.0/24"},
		// What was announced by itself before is explained, and may go.
		{config.TenantSubnet, "10.4.0.11/32", "announced tenant-subnet explained S1 bgp-vrf 10.4.0.0/24"},
		{config.TenantSubnet, "10.4.0.0/32", "announced tenant-subnet explained S1 bgp-vrf 10.4.0.0/24"},
		{config.TenantSubnet, "10.4.0.99/32", "announced tenant-subnet explained S1 bgp-vrf 10.4.0.0/24"},
		{config.TenantSubnet, "10.3.0.11/32", "elsewhere other-chassis explained S2 bgp-vrf 10.3.0.11/32"},
	} {
		p := netip.MustParsePrefix(tt.prefix)
		d := Whys(in, exposed(tt.method), p)[p]
		if got := fmt.Sprintf("%s %s %s %s %s", d.Verdict, d.Reason, d.Evidence, d.Node, d.Key); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.prefix, tt.method, got, tt.want)
		}
		if d.Text == "" || d.Address != p.Addr() {
			t.Errorf("%s: %+v", tt.prefix, d)
		}
	}
}

// With the Southbound database everything seems to go; what was announced for tenants must be doubtful, not explained.
func TestLostSouthboundIsDoubtfulForTenants(t *testing.T) {
	for _, method := range []config.TenantMethod{config.TenantHost, config.TenantSubnet} {
		cloud := rows{}.apply(t, tenantWhyCloud)
		before, _ := Node(cloud.input(t), exposed(method))
		checked := 0
		for key, a := range maps.All(cloud) {
			if a["hosting"] != "" {
				a["hosting"] = ""
			}
			if len(key) > 5 && key[:5] == "port " && a["type"] != "router" {
				a["up"] = "false"
			}
		}
		after := cloud.input(t)
		tenants := netip.MustParsePrefix("10.0.0.0/8")
		for _, a := range before.Announcements {
			if !tenants.Contains(a.Prefix.Addr()) {
				continue
			}
			checked++
			if d := Whys(after, exposed(method), a.Prefix)[a.Prefix]; d.Evidence != model.Doubtful {
				t.Errorf("%s: %+v", a.Prefix, d)
			}
		}
		if checked != 1 {
			t.Errorf("%d of tenants announced: %v", checked, before.Keys())
		}
	}
}
