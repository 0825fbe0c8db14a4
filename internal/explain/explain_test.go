package explain

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

func input() desired.Input {
	up := true
	return desired.Input{OVN: ovn.Snapshot{
		Switches: []*ovn.LogicalSwitch{{UUID: "u1", Name: "neutron-ext1", NetworkName: "public"}},
		Ports: []*ovn.LogicalSwitchPort{
			{UUID: "u2", Name: "provnet", Switch: "neutron-ext1", Type: ovn.PortLocalnet, PhysicalNetwork: "physnet1"},
			{UUID: "u3", Name: "vm1", Switch: "neutron-ext1", MAC: "fa:16:3e:00:00:11", Up: &up,
				RequestedChassis: []string{"node1"}, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.11")}},
			{UUID: "u4", Name: "vm2", Switch: "neutron-ext1", MAC: "fa:16:3e:00:00:12", Up: &up,
				RequestedChassis: []string{"node2"}, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.12")}},
		},
		Local: ovn.Local{SystemID: "S1", Hostname: "node1",
			Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "physnet1", Bridge: "br-ex"}}},
	}}
}

func TestAddress(t *testing.T) {
	yes, no := true, false
	ok := Object{Text: "rule to 203.0.113.11/32 lookup 17900", OK: true, State: "in place"}
	bad := Object{Text: "route 203.0.113.11/32 dev br-ex table 17900", State: "failed", Error: "no such device"}
	for _, tt := range []struct {
		name, address string
		status        *Status
		want          string
	}{
		{"agent not asked", "203.0.113.11", nil, `203.0.113.11
  known      yes      Logical_Switch_Port u3 (port vm1)
  wanted     yes      port vm1 is up here, on provider network public (br-ex)
  built      unknown  the agent was not asked
  announced  unknown  the agent was not asked
  why                 port vm1 is up here, on provider network public (br-ex)
  node                node1
`},
		{"all is well", "203.0.113.11", &Status{Objects: []Object{ok}, Announced: &yes}, `203.0.113.11
  known      yes       Logical_Switch_Port u3 (port vm1)
  wanted     yes       port vm1 is up here, on provider network public (br-ex)
  built      yes       1 objects in place
  announced  yes       bgp-vrf 203.0.113.11/32
  why                  port vm1 is up here, on provider network public (br-ex)
  node                 node1
  object     in place  rule to 203.0.113.11/32 lookup 17900
`},
		{"heard", "203.0.113.11", &Status{Objects: []Object{ok}, Announced: &yes, Fabric: &Fabric{Told: []string{"leaf1", "leaf2"}}}, `203.0.113.11
  known      yes       Logical_Switch_Port u3 (port vm1)
  wanted     yes       port vm1 is up here, on provider network public (br-ex)
  built      yes       1 objects in place
  announced  yes       bgp-vrf 203.0.113.11/32, to leaf1, leaf2
  why                  port vm1 is up here, on provider network public (br-ex)
  node                 node1
  object     in place  rule to 203.0.113.11/32 lookup 17900
`},
		{"not heard", "203.0.113.11", &Status{Objects: []Object{ok}, Announced: &yes, Fabric: &Fabric{Silent: "no BGP neighbour has a session"}}, `203.0.113.11
  known      yes       Logical_Switch_Port u3 (port vm1)
  wanted     yes       port vm1 is up here, on provider network public (br-ex)
  built      yes       1 objects in place
  announced  no        no BGP neighbour has a session
  why                  built, and not heard by the fabric: no BGP neighbour has a session
  node                 node1
  object     in place  rule to 203.0.113.11/32 lookup 17900
`},
		{"the speaker cannot say", "203.0.113.11", &Status{Objects: []Object{ok}, Announced: &yes, Fabric: &Fabric{Unknown: "FRR does not answer"}}, `203.0.113.11
  known      yes       Logical_Switch_Port u3 (port vm1)
  wanted     yes       port vm1 is up here, on provider network public (br-ex)
  built      yes       1 objects in place
  announced  unknown   FRR does not answer
  why                  port vm1 is up here, on provider network public (br-ex)
  node                 node1
  object     in place  rule to 203.0.113.11/32 lookup 17900
`},
		{"not built", "203.0.113.11", &Status{Objects: []Object{ok, bad}, Announced: &no}, `203.0.113.11
  known      yes       Logical_Switch_Port u3 (port vm1)
  wanted     yes       port vm1 is up here, on provider network public (br-ex)
  built      no        route 203.0.113.11/32 dev br-ex table 17900: failed: no such device
  announced  no        by this node's agent
  why                  not built: route 203.0.113.11/32 dev br-ex table 17900: failed: no such device
  node                 node1
  object     in place  rule to 203.0.113.11/32 lookup 17900
  object     failed    route 203.0.113.11/32 dev br-ex table 17900
`},
		{"a part that cannot be read", "203.0.113.11", &Status{Unread: []string{"ovs"}, Announced: &yes}, `203.0.113.11
  known      yes      Logical_Switch_Port u3 (port vm1)
  wanted     yes      port vm1 is up here, on provider network public (br-ex)
  built      unknown  cannot be read now: ovs
  announced  yes      bgp-vrf 203.0.113.11/32
  why                 port vm1 is up here, on provider network public (br-ex)
  node                node1
`},
		{"elsewhere", "203.0.113.12", &Status{Announced: &no}, `203.0.113.12
  known      yes  Logical_Switch_Port u4 (port vm2)
  wanted     no   port vm2 is on node2: not this node's
  built      -    
  announced  no   by this node's agent
  why             port vm2 is on node2
  node            node2
`},
		{"held by the guard", "203.0.113.13", &Status{Announced: &yes, Held: "no row has it"}, `203.0.113.13
  known      no   no row of the database has this address
  wanted     -    
  built      -    
  announced  yes  held: no row has it
  why             no row of the database has this address
`},
		{"announced cannot be read", "203.0.113.11", &Status{Objects: []Object{ok}}, `203.0.113.11
  known      yes       Logical_Switch_Port u3 (port vm1)
  wanted     yes       port vm1 is up here, on provider network public (br-ex)
  built      yes       1 objects in place
  announced  unknown   what is announced could not be read
  why                  port vm1 is up here, on provider network public (br-ex)
  node                 node1
  object     in place  rule to 203.0.113.11/32 lookup 17900
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			c := config.Node{VRF: "bgp-vrf", VRFTable: 10, NIC: "bgp-nic"}
			if err := Address(input(), c, netip.MustParseAddr(tt.address), tt.status).Write(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of several rows with one address the one that decides comes first, and the others are told.
func TestAddressTellsConflicts(t *testing.T) {
	in := input()
	in.OVN.Ports[2].RequestedChassis = []string{"node1"}
	in.OVN.Ports[2].Addresses = in.OVN.Ports[1].Addresses
	got := Address(in, config.Node{VRF: "bgp-vrf"}, in.OVN.Ports[1].Addresses[0], nil)
	if len(got.Decisions) != 2 || got.Decisions[0].Verdict != model.Announced || got.Decisions[1].Reason != "overlap" {
		t.Errorf("decisions = %+v", got.Decisions)
	}
}

// An address within an announced subnet is announced with it.
func TestAddressWithinASubnet(t *testing.T) {
	in, up := input(), true
	network := netip.MustParsePrefix("10.7.0.1/24")
	in.OVN.Ports = append(in.OVN.Ports, &ovn.LogicalSwitchPort{UUID: "u5", Name: "sub", Switch: "neutron-ten1", Up: &up,
		Type: ovn.PortRouter, DeviceOwner: "network:router_interface", RouterPort: "lrp-sub", CIDRs: []netip.Prefix{network}})
	in.OVN.RouterPorts = []*ovn.LogicalRouterPort{
		{UUID: "u6", Name: "lrp-sub", Router: "neutron-r1", Switch: "neutron-ten1", Networks: []netip.Prefix{network}},
		{UUID: "u7", Name: "lrp-gw", Router: "neutron-r1", Switch: "neutron-ext1", Gateway: true, HostingChassis: "S1",
			MAC: "fa:16:3e:0f:00:02", Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.2/24")}},
	}
	c := config.Node{VRF: "bgp-vrf", VRFTable: 10, NIC: "bgp-nic", ExposeTenantNetworks: true, TenantMethod: config.TenantSubnet}
	yes := true
	status := &Status{Announced: &yes, Objects: []Object{{Text: "route 10.7.0.0/24 dev bgp-nic table 10", OK: true, State: "in place"}}}
	var got strings.Builder
	if err := Address(in, c, netip.MustParseAddr("10.7.0.11"), status).Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `10.7.0.11
  known      yes       Logical_Router_Port u6 (router port lrp-sub)
  wanted     yes       announced as part of 10.7.0.0/24: neutron-ten1 is behind router neutron-r1, whose gateway is hosted here, on provider network public (br-ex)
  built      yes       1 objects in place
  announced  yes       bgp-vrf 10.7.0.0/24
  why                  announced as part of 10.7.0.0/24: neutron-ten1 is behind router neutron-r1, whose gateway is hosted here, on provider network public (br-ex)
  node                 S1
  object     in place  route 10.7.0.0/24 dev bgp-nic table 10
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	state, _ := desired.Node(in, c)
	objects := strings.Join(state.Serving("bgp-vrf 10.7.0.0/24"), "\n")
	for _, object := range []string{"rule to 10.7.0.0/24 lookup 17900", "route 10.7.0.0/24 via 203.0.113.2 dev br-ex table 17900",
		"neighbour 203.0.113.2 lladdr fa:16:3e:0f:00:02 dev br-ex", "route 10.7.0.0/24 dev bgp-nic table 10"} {
		if !strings.Contains(objects, object) {
			t.Errorf("%q is not among\n%s", object, objects)
		}
	}
}
