package desired

import (
	"net/netip"
	"slices"
	"testing"

	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// southboundDiffers is what a node announces otherwise when it reads the Southbound database, and why; see
// docs/parity.md.
func southboundDiffers() map[string][]string {
	return map[string][]string{
		// That a port is disabled stays in the Northbound database: its chassis binds it and calls it up.
		"n5-provider-port-disabled on compute1": {"203.0.113.130", "2001:db8:f::1e0"},
		"n6-port-without-address on compute1":   {"203.0.113.130", "2001:db8:f::1e0"},
		"n7-network-disabled on compute1":       {"203.0.113.130", "2001:db8:f::1e0"},
	}
}

// TestNeutronSouthbound holds Node against the rows that northd made of Neutron's: the same addresses are announced in
// the same places.
func TestNeutronSouthbound(t *testing.T) {
	table, differs := readAnnounced(t), southboundDiffers()
	all, err := neutron.Southbound()
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range all {
		for _, step := range scenario.Steps {
			cloud, err := step.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
				what := step.Name + " on " + node
				want := table[step.Name][node]
				if other, ok := differs[what]; ok {
					want = other
				}
				checkNeutron(t, what, seenFrom(node, cloud), defaults(), withoutBalanced(want, cloud))
			}
		}
	}
}

// withoutBalanced leaves out what load balancers serve: the recordings lack Logical_DP_Group, so nobody can say which
// routers have them. TestParity of package source/ovn compares those, with groups that a northd made.
func withoutBalanced(want []string, cloud ovn.Snapshot) []string {
	return slices.DeleteFunc(slices.Clone(want), func(a string) bool {
		return slices.ContainsFunc(cloud.Balancers, func(lb *ovn.LoadBalancer) bool {
			return slices.Contains(lb.VIPs, netip.MustParseAddr(a))
		})
	})
}

// TestNeutronEmptied takes away what a lost Southbound database loses: every chassis, then every row. What was
// announced is doubted, and not explained away.
func TestNeutronEmptied(t *testing.T) {
	all, err := neutron.Southbound()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, scenario := range all {
		for _, step := range scenario.Steps {
			full, err := step.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
				checked += checkEmptied(t, step.Name+" on "+node, seenFrom(node, full))
			}
		}
	}
	if checked == 0 {
		t.Error("nothing was announced")
	}
}

func checkEmptied(t *testing.T, what string, in Input) (checked int) {
	t.Helper()
	for _, p := range in.OVN.Ports {
		if p.Chassis == in.OVN.Local.SystemID {
			in.OVN.Local.Interfaces = append(in.OVN.Local.Interfaces, p.Name)
		}
	}
	was, _ := Node(in, defaults())
	unbound, empty := in, in
	unbound.OVN.Ports, unbound.OVN.RouterPorts = nil, nil
	empty.OVN.Ports, empty.OVN.RouterPorts, empty.OVN.NATs, empty.OVN.Balancers = nil, nil, nil, nil
	for _, p := range in.OVN.Ports {
		p := *p
		p.Chassis = ""
		unbound.OVN.Ports = append(unbound.OVN.Ports, &p)
	}
	for _, rp := range in.OVN.RouterPorts {
		rp := *rp
		rp.HostingChassis = ""
		unbound.OVN.RouterPorts = append(unbound.OVN.RouterPorts, &rp)
	}
	for _, a := range was.Announcements {
		checked++
		d := Why(unbound, defaults(), a.Prefix.Addr())
		if d.Verdict == model.Announced || d.Evidence != model.Doubtful {
			t.Errorf("%s, bound nowhere: %+v", what, d)
		}
		if d := Why(empty, defaults(), a.Prefix.Addr()); d.Evidence != model.Unexplained {
			t.Errorf("%s, without rows: %+v", what, d)
		}
	}
	return checked
}

// A node that does not know its name in OVN cannot tell that a port is elsewhere.
func TestUnnamedChassis(t *testing.T) {
	in := rows{}.apply(t, `
chassis - hostname=node1
host node1
cloud c bindings=true
mapping 1 physnet=physnet1 bridge=br-ex
bridge br-ex mac=02:aa:bb:cc:dd:01 ports=patch-provnet-ext1-to-br-int:1
switch neutron-ext1 name=public
localnet provnet-ext1 switch=neutron-ext1 physnet=physnet1
port vm1 switch=neutron-ext1 mac=fa:16:3e:00:00:11 ips=203.0.113.11 chassis=0a1b up=true`).input(t)
	d := Why(in, defaults(), netip.MustParseAddr("203.0.113.11"))
	if d.Reason != "no-chassis-name" || d.Evidence != model.Doubtful || d.Node != "0a1b" {
		t.Errorf("%+v", d)
	}
}
