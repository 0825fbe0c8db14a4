package desired

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	table := announcedTable{}
	var step string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
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
			checkNeutron(t, step+" on "+node, seenFrom(node, cloud), want[node])
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

func checkNeutron(t *testing.T, what string, in Input, want []string) {
	t.Helper()
	n, decisions := Node(in, defaults())
	var got []string
	for _, a := range n.Announcements {
		got = append(got, a.Prefix.Addr().String())
		w := Why(in, defaults(), a.Prefix.Addr())
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
