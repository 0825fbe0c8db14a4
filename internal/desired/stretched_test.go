package desired

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovnbgp/internal/config"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

func stretchedSettings() config.Node {
	c := defaults()
	c.Driver = config.DriverStretchedL2
	return c
}

// TestNeutronStretched holds Node against what northd made of Neutron's rows, and a table made by hand: every node
// announces the same, also one that maps no bridge, and so does one that is given the Northbound rows.
func TestNeutronStretched(t *testing.T) {
	data, err := os.ReadFile("testdata/announced-stretched.txt")
	if err != nil {
		t.Fatal(err)
	}
	southbound, northbound := southboundSteps(t), neutronSteps(t)
	for step, lines := range parseStretched(string(data)) {
		for from, steps := range map[string]map[string]ovn.Snapshot{"Southbound": southbound, "Northbound": northbound} {
			cloud, ok := steps[step]
			if !ok {
				t.Errorf("%s: there is no such step of the %s database", step, from)
			}
			for _, in := range []Input{seenFrom("gw1", cloud), seenFrom("compute1", cloud), {OVN: cloud}} {
				n, decisions := Node(in, stretchedSettings())
				if diff := cmp.Diff(lines, announcedRoutes(n)); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s%s", step, from, diff, decisionText(decisions))
				}
				if len(n.Rules)+len(n.Routes)+len(n.Neighbors)+len(n.Proxies)+len(n.Flows)+len(n.Sysctls)+len(n.Addresses) > 0 ||
					len(n.Links) != 2 {
					t.Errorf("%s: something is wired:\n%s", step, stateText(n, false))
				}
			}
		}
	}
}

func southboundSteps(t *testing.T) map[string]ovn.Snapshot {
	t.Helper()
	all, err := neutron.Southbound()
	if err != nil {
		t.Fatal(err)
	}
	return stepsByName(t, all)
}

// TestNeutronStretchedScopes exposes one scope of a cloud with a network in two, and one in none.
func TestNeutronStretchedScopes(t *testing.T) {
	cloud, c := southboundSteps(t)["i5-snat-on"], stretchedSettings()
	for _, p := range cloud.Ports {
		if p.Type == ovn.PortRouter && slices.Contains(p.CIDRs, netip.MustParsePrefix("10.64.0.1/26")) {
			c.AddressScopes = []string{p.ScopeV4}
		}
	}
	n, decisions := Node(Input{OVN: cloud}, c)
	want := []string{"10.64.0.0/26 via 203.0.113.33", "203.0.113.0/24"}
	if diff := cmp.Diff(want, announcedRoutes(n)); diff != "" {
		t.Errorf("(-want +got):\n%s%s", diff, decisionText(decisions))
	}
	var out []string
	for _, d := range decisions {
		if d.Reason == "address-scope" {
			out = append(out, d.Key)
		}
	}
	if want := []string{"bgp-vrf 10.99.0.0/24", "bgp-vrf 2001:db8:6400::/64"}; !slices.Equal(out, want) {
		t.Errorf("out of scope: %v, want %v", out, want)
	}
}

func announcedRoutes(n model.Node) (lines []string) {
	for _, a := range n.Announcements {
		line := a.Prefix.String()
		if a.Gateway.IsValid() {
			line += " via " + a.Gateway.String()
		}
		lines = append(lines, line)
	}
	return lines
}

func parseStretched(text string) map[string][]string {
	table, step := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case !strings.HasPrefix(line, " "):
			step = trimmed
			table[step] = nil
		default:
			table[step] = append(table[step], trimmed)
		}
	}
	return table
}

// stretchedCloud is the state of the golden file after a step.
func stretchedCloud(t *testing.T, step string) (Input, config.Node) {
	t.Helper()
	for _, s := range load(t, "testdata/stretched.txtar").steps {
		if s.name == step {
			return s.in, s.c
		}
	}
	t.Fatalf("there is no step %q", step)
	return Input{}, config.Node{}
}

// TestStretchedWhy asks about addresses and subnets, announced and not.
func TestStretchedWhy(t *testing.T) {
	in, c := stretchedCloud(t, "a router behind a tenant network, one without a gateway, an interface on the provider network")
	for asked, want := range map[string]string{
		"10.7.0.11/32":      "announced behind-router explained bgp-vrf 10.7.0.0/24",
		"203.0.113.11/32":   "announced next-hop-network explained bgp-vrf 203.0.113.0/24", // a port's
		"203.0.113.50/32":   "announced next-hop-network explained bgp-vrf 203.0.113.0/24", // a floating IP
		"10.7.0.0/24":       "announced behind-router  bgp-vrf 10.7.0.0/24",
		"10.11.0.0/24":      "suppressed gateway-inside explained bgp-vrf 10.11.0.0/24",
		"10.11.0.7/32":      "suppressed gateway-inside explained bgp-vrf 10.11.0.7/32",
		"10.99.0.0/24":      "unknown no-row unexplained bgp-vrf 10.99.0.0/24",
		"10.99.0.1/32":      "unknown no-row unexplained bgp-vrf 10.99.0.1/32",
		"2a0f:0:7::5/128":   "announced behind-router explained bgp-vrf 2a0f:0:7::/64",
		"2001:db8:1::/64":   "announced next-hop-network  bgp-vrf 2001:db8:1::/64",
		"2001:db8:9::5/128": "unknown no-row unexplained bgp-vrf 2001:db8:9::5/128",
	} {
		p := netip.MustParsePrefix(asked)
		d := Whys(in, c, p)[p]
		if got := string(d.Verdict) + " " + d.Reason + " " + string(d.Evidence) + " " + d.Key; got != want {
			t.Errorf("%s: %s, want %s", asked, got, want)
		}
	}
	if d := Why(in, c, netip.MustParseAddr("10.7.0.11")); !strings.HasPrefix(d.Text, "announced as part of 10.7.0.0/24: ") {
		t.Errorf("as part: %q", d.Text)
	}
}

// TestStretchedEvidence takes rows away: what is gone without a word is unexplained, what a row says is explained.
func TestStretchedEvidence(t *testing.T) {
	full, c := stretchedCloud(t, "IPv6")
	without := func(change func(*ovn.Snapshot)) Input {
		in := full
		change(&in.OVN)
		return in
	}
	for name, step := range map[string]struct {
		in   Input
		want map[string]string
	}{
		"no row left": {without(func(s *ovn.Snapshot) { s.Ports, s.RouterPorts, s.Routers = nil, nil, nil }), map[string]string{
			"10.7.0.0/24": "unknown no-row unexplained", "203.0.113.0/24": "unknown no-row unexplained"}},
		"the interfaces are gone": {without(func(s *ovn.Snapshot) {
			s.RouterPorts = slices.DeleteFunc(slices.Clone(s.RouterPorts), func(rp *ovn.LogicalRouterPort) bool { return !rp.Gateway })
		}), map[string]string{"10.7.0.0/24": "unknown no-row unexplained", "203.0.113.0/24": "unplaced no-next-hop unexplained"}},
		"the gateway is cleared": {without(func(s *ovn.Snapshot) {
			s.RouterPorts = slices.DeleteFunc(slices.Clone(s.RouterPorts), func(rp *ovn.LogicalRouterPort) bool { return rp.Gateway })
		}), map[string]string{"10.7.0.0/24": "unplaced no-gateway explained", "203.0.113.0/24": "unknown no-row unexplained"}},
		"the gateway's addresses cannot be understood": {without(func(s *ovn.Snapshot) {
			s.RouterPorts = slices.Clone(s.RouterPorts)
			for i, rp := range s.RouterPorts {
				if rp.Gateway {
					broken := *rp
					broken.Networks, broken.Faults = nil, []ovn.Fault{{Table: "Port_Binding", Column: "mac", Value: "x"}}
					s.RouterPorts[i] = &broken
				}
			}
		}), map[string]string{"10.7.0.0/24": "suppressed gateway-family unexplained"}},
	} {
		for asked, want := range step.want {
			p := netip.MustParsePrefix(asked)
			d := Whys(step.in, c, p)[p]
			if got := string(d.Verdict) + " " + d.Reason + " " + string(d.Evidence); got != want {
				t.Errorf("%s, %s: %s, want %s", name, asked, got, want)
			}
		}
	}
}

// Whatever the rows say: every node announces the same, wherever gateways are hosted, and Whys agrees with Node.
func TestAnyStretchedCloud(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, c := tenants(t), stretchedSettings()
		if rapid.Bool().Draw(t, "scopes") {
			c.AddressScopes = []string{"a"}
		}
		here, decisions := Node(on(s, "n1", "S1"), c)
		moved := s
		moved.RouterPorts = nil
		for _, rp := range s.RouterPorts {
			rp := *rp
			rp.HostingChassis = ""
			moved.RouterPorts = append(moved.RouterPorts, &rp)
		}
		there, _ := Node(on(moved, "n2", "S2"), c)
		if diff := cmp.Diff(announcedRoutes(here), announcedRoutes(there)); diff != "" {
			t.Errorf("n1 and n2 differ:\n%s", diff)
		}
		for _, a := range here.Announcements {
			if w := Whys(on(s, "n1", "S1"), c, a.Prefix)[a.Prefix]; w.Verdict != model.Announced || !slices.Contains(decisions, w) {
				t.Errorf("Whys says of %s: %+v", a.Prefix, w)
			}
			if a.Gateway.IsValid() && !slices.ContainsFunc(here.Announcements, func(to model.Announcement) bool {
				return !to.Gateway.IsValid() && to.Prefix.Contains(a.Gateway) && !(a.Prefix.Contains(a.Gateway) && a.Prefix.Bits() >= to.Prefix.Bits())
			}) {
				t.Errorf("%s: nothing leads to its next hop %s: %v", a.Prefix, a.Gateway, announcedRoutes(here))
			}
		}
		for _, d := range decisions {
			if d.Verdict != model.Announced && d.Evidence == "" || d.Text == "" || d.Row == "" || d.Reason == "" {
				t.Errorf("a decision lacks something: %+v", d)
			}
		}
	})
}
