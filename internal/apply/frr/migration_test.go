package frr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/model"
)

// migrant is the deployed node as the agent's configuration would have it.
func migrant() model.Node {
	n := baseNode()
	n.Leak.Redistribute = []string{"connected"}
	n.BGP.Profiles = []model.BFDProfile{{Name: "edpm", Multiplier: 10, Transmit: 500e6, Receive: 500e6}}
	for i := range n.BGP.Peers {
		p := &n.BGP.Peers[i]
		p.AS, p.Password, p.BFD, p.TTLSecurity, p.AllowOwnAS = model.PeerAS{Kind: model.ASInternal}, "f00barZ", "edpm", 1, true
	}
	return n
}

// statementsOf lists the statements of a running FRR, each with what it stands in.
func statementsOf(t *testing.T, r real) map[string]bool {
	t.Helper()
	running, err := r.readAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	var walk func([]text.Block, string)
	walk = func(blocks []text.Block, path string) {
		for _, b := range blocks {
			if strings.HasPrefix(b.Line, "vrf ") {
				continue // it shows a namespace of the test's as soon as it has seen it
			}
			all[path+b.Line] = true
			walk(b.In, path+b.Line+" / ")
		}
	}
	walk(running.Merged(), "")
	return all
}

// TestMigration takes the file of a deployed node as it is. Assist adds what is ours and touches nothing; the comparison
// with managed names each statement that would change, and why; managed then makes it so.
func TestMigration(t *testing.T) {
	deployed, err := os.ReadFile("testdata/deployed.conf")
	if err != nil {
		t.Fatal(err)
	}
	forEachFRR(t, func(t *testing.T, r real) {
		if err := r.vtysh(t.Context(), string(deployed)); err != nil {
			t.Fatal(err)
		}
		before := statementsOf(t, r)
		want := migrant()

		assist := real{t, r.Daemons, New(Options{Sockets: r.Dir, AS: 64999, VRF: "bgp-vrf"}), r.operator}
		t.Cleanup(func() { _ = assist.Close() })
		assisted := want
		assisted.BGP = model.BGP{}
		assist.round(t, assisted)
		after := statementsOf(t, r)
		for s := range before {
			if !after[s] {
				t.Errorf("assist took %q away", s)
			}
		}
		for s := range after {
			if ours := strings.Contains(s, "bgp-vrf"); !before[s] && !ours {
				t.Errorf("assist added %q", s)
			}
		}

		c, err := r.Compare(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		if c.Version == "8.4" {
			compareGolden(t, filepath.Join("testdata", "migration.diff"), diffText(c))
		}
		named := map[string]bool{}
		for _, s := range c.Statements {
			named[strings.Join(append(s.Path, s.Line), " / ")] = true
			if s.Old != "" {
				named[strings.Join(append(s.Path, s.Old), " / ")] = true
			}
			if strings.Contains(s.Why, "nothing in the agent's configuration") || s.Why == "" {
				t.Errorf("no reason of its own: %s %q", s.Verb, s.Line)
			}
			if strings.Contains(s.Line+s.Old, "f00barZ") {
				t.Error("a password is shown")
			}
		}

		settle(t, r, want)
		managed := statementsOf(t, r)
		for s := range after {
			if !managed[s] && !named[hiddenSecret(s)] {
				t.Errorf("%q went, and the comparison did not say so", s)
			}
		}
		for s := range managed {
			if !after[s] && !named[hiddenSecret(s)] && !strings.HasSuffix(s, "unicast") {
				t.Errorf("%q came, and the comparison did not say so", s)
			}
		}
		if c, err = r.Compare(t.Context(), want); err != nil || len(c.Statements) > 0 {
			t.Errorf("still different: %v, %v", c.Statements, err)
		}
		backup, err := os.ReadFile(filepath.Join(r.options.ConfDir, "frr.conf.before-ovnbgp"))
		if err == nil || backup != nil {
			t.Error("there was no frr.conf, and one was kept")
		}
	})
}

func hiddenSecret(s string) string { return strings.ReplaceAll(s, "f00barZ", "(hidden)") }

func diffText(c Comparison) string {
	var out strings.Builder
	for _, s := range c.Statements {
		line := strings.Join(append(s.Path, s.Line), " / ")
		if s.Old != "" {
			line += "  (was: " + s.Old + ")"
		}
		out.WriteString(string(s.Verb) + " " + line + "  # " + s.Why + "\n")
	}
	return out.String()
}

// TestRefusedByFRR: what FRR's own checker finds badly written is not tried at all.
func TestRefusedByFRR(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		want := baseNode()
		settle(t, r, want)
		before := statementsOf(t, r)
		want.BGP.Raw = []string{"router bgp 64999", " neighbor 192.0.2.9 remote-as 1", " neighbor 192.0.2.9 passwort s3cret"}
		want.BGP.RawFile = "/etc/ovnbgp/raw.conf"
		steps, err := r.Plan(t.Context(), want)
		if err != nil || len(steps) == 0 {
			t.Fatal(steps, err)
		}
		err = steps[0].Do(t.Context())
		if err == nil || !strings.Contains(err.Error(), "FRR refuses the configuration") {
			t.Errorf("the step says %v", err)
		}
		if err != nil && !strings.Contains(err.Error(), "/etc/ovnbgp/raw.conf:3: ") {
			t.Errorf("the step names no place: %v", err)
		}
		if d := cmp.Diff(before, statementsOf(t, r)); d != "" {
			t.Errorf("a refused configuration changed (-before +after):\n%s", d)
		}
	})
}
