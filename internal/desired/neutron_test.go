package desired

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
	"ovnbgp/internal/fake/neutron"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// announcedTable is testdata/announced.txt: by step and node the addresses to announce, sorted.
type announcedTable map[string]map[string][]string

func readAnnounced(t *testing.T) announcedTable {
	t.Helper()
	data, err := os.ReadFile("testdata/announced.txt")
	if err != nil {
		t.Fatal(err)
	}
	return parseAnnounced(string(data))
}

// readTenants returns the tables of testdata/announced-tenants.txt, by the options that they are for.
func readTenants(t *testing.T) map[string]announcedTable {
	t.Helper()
	data, err := os.ReadFile("testdata/announced-tenants.txt")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]announcedTable{}
	for section := range strings.SplitSeq(string(data), "\n= ") {
		if options, table, _ := strings.Cut(section, "\n"); !strings.HasPrefix(options, "#") { // the head of the file
			tables[options] = parseAnnounced(table)
		}
	}
	return tables
}

func parseAnnounced(text string) announcedTable {
	table := announcedTable{}
	var step string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "#"):
		case !strings.HasPrefix(line, " "):
			step = fields[0]
			table[step] = map[string][]string{}
		default:
			table[step][fields[0]] = fields[1:]
		}
	}
	return table
}

// TestNeutron holds Node against what Neutron and northd really write: 131 steps, four nodes, a table made by hand.
func TestNeutron(t *testing.T) {
	table := readAnnounced(t)
	steps := neutronSteps(t)
	if len(steps) != len(table) || len(steps) != 131 {
		t.Errorf("%d steps and %d in the table", len(steps), len(table))
	}
	for step, cloud := range steps {
		want, ok := table[step]
		if !ok {
			t.Errorf("step %s is not in the table", step)
		}
		for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
			checkNeutron(t, step+" on "+node, seenFrom(node, cloud), defaults(), want[node])
		}
	}
}

// neutronSteps loads all steps of the fixtures.
func neutronSteps(t *testing.T) map[string]ovn.Snapshot {
	t.Helper()
	scenarios, err := neutron.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	return stepsByName(t, scenarios)
}

func stepsByName(t *testing.T, scenarios []neutron.Scenario) map[string]ovn.Snapshot {
	t.Helper()
	var err error
	steps := map[string]ovn.Snapshot{}
	for _, scenario := range scenarios {
		for _, step := range scenario.Steps {
			if steps[step.Name], err = step.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return steps
}

func seenFrom(node string, cloud ovn.Snapshot) Input {
	cloud.Local = providerNode(node, cloud.Ports)
	return Input{OVN: cloud}
}

// providerNode is a node with physnet1 on br-ex, and a patch port for each localnet port there.
func providerNode(name string, ports []*ovn.LogicalSwitchPort) ovn.Local {
	bridge := ovn.Bridge{Name: "br-ex", MAC: "02:aa:bb:cc:dd:01"}
	for i, p := range ports {
		if p.Type == ovn.PortLocalnet {
			bridge.Ports = append(bridge.Ports, ovn.OVSPort{Name: "patch-" + p.Name + "-to-br-int", Type: "patch", OFPort: i + 1})
		}
	}
	return ovn.Local{SystemID: name, Hostname: name, Bridges: []ovn.Bridge{bridge},
		Mappings: []ovn.Mapping{{Index: 1, PhysicalNetwork: "physnet1", Bridge: "br-ex"}}}
}

// TestNeutronTenants does the same where tenant networks are exposed.
func TestNeutronTenants(t *testing.T) {
	steps := neutronSteps(t)
	checked := 0
	for options, table := range readTenants(t) {
		c := rows{}.apply(t, "config node "+options).settings(t)
		for step, want := range table {
			cloud, ok := steps[step]
			if !ok {
				t.Errorf("%s: there is no such step", step)
			}
			for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
				checkNeutron(t, step+" on "+node+" with "+options, seenFrom(node, cloud), c, want[node])
				checked++
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d nodes checked", checked)
	}
}

func checkNeutron(t *testing.T, what string, in Input, c config.Node, want []string) {
	t.Helper()
	n, decisions := Node(in, c)
	var got []string
	for _, a := range n.Announcements {
		got = append(got, prefixText(a.Prefix))
		w := Whys(in, c, a.Prefix)[a.Prefix]
		if w.Verdict != model.Announced {
			t.Errorf("%s: Why says of %s: %+v", what, a.Prefix, w)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s announces (-want +got):\n%s%s", what, diff, decisionText(decisions))
	}
	if i := slices.IndexFunc(decisions, func(d model.Decision) bool { return d.Reason == "bad-value" }); i >= 0 {
		t.Errorf("%s: %+v", what, decisions[i])
	}
	for _, f := range n.Flows {
		if f.OFPort == 0 || f.EthDst == "" {
			t.Errorf("%s: flow without port or MAC: %+v", what, f)
		}
	}
}

// TestNeutronOneNode asks every node about every address that any of them announces: it is announced once at most.
func TestNeutronOneNode(t *testing.T) {
	steps := neutronSteps(t)
	for step, nodes := range readAnnounced(t) {
		owner := map[string]string{}
		for node, addresses := range nodes {
			for _, a := range addresses {
				if owner[a] != "" {
					t.Errorf("%s: the table has %s on %s and %s", step, a, owner[a], node)
				}
				owner[a] = node
			}
		}
		for a, node := range owner {
			other := "gw1"
			if node == other {
				other = "gw2"
			}
			d := Why(seenFrom(other, steps[step]), defaults(), netip.MustParseAddr(a))
			if d.Verdict != model.Elsewhere || d.Node != node || d.Evidence != model.Explained {
				t.Errorf("%s: %s says of %s, which is on %s: %+v", step, other, a, node, d)
			}
		}
	}
}
