package desired

import (
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"ovnbgp/internal/ovn"
)

// Names are written by tenants: what a terminal could take for an order, or a table for its end, is written out.
func TestNamesArePrintable(t *testing.T) {
	in := rows{}.apply(t, `
chassis S1 hostname=node1
host node1
mapping 1 physnet=physnet1 bridge=br-ex
bridge br-ex mac=02:aa:bb:cc:dd:01 ports=patch-provnet-ext1-to-br-int:1
switch neutron-ext1
localnet provnet-ext1 switch=neutron-ext1 physnet=physnet1
router neutron-r1
gateway lrp-g1 router=neutron-r1 switch=neutron-ext1 mac=fa:16:3e:0f:00:02 networks=203.0.113.2/24 hosting=S1
port vm1 switch=neutron-ext1 mac=fa:16:3e:00:00:11 ips=203.0.113.11 requested=node1 up=true
lb web router=neutron-r1 vip=203.0.113.70 vips=203.0.113.70 at=neutron-r1`).input(t)
	const evil = "a\x1b[2J\tb\nc"
	in.OVN.Switches = []*ovn.LogicalSwitch{{Name: "neutron-ext1", NetworkName: evil}}
	in.OVN.Routers = []*ovn.LogicalRouter{{Name: "neutron-r1", RouterName: evil}}
	in.OVN.Balancers[0].Name = evil
	in.OVN.Ports[len(in.OVN.Ports)-1].PortName = evil
	n, decisions := Node(in, defaults())
	if len(n.Announcements) != 3 {
		t.Fatalf("%d announcements, want 3: %s", len(n.Announcements), decisionText(decisions))
	}
	check := func(text string) {
		t.Helper()
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q has control characters", text)
		}
	}
	for _, d := range append(decisions, Why(in, defaults(), netip.MustParseAddr("203.0.113.70"))) {
		check(d.Text)
		check(d.Row)
	}
	for _, a := range n.Announcements {
		check(strings.Join(a.Whys, ";"))
	}
	for _, f := range n.Flows {
		check(f.Why)
	}
	for _, r := range n.Rules {
		check(r.Why)
	}
}
