package frr_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnbgp/internal/apply/frr"
	"ovnbgp/internal/config"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/desired"
	fake "ovnbgp/internal/fake/frr"
)

// TestExamples holds what FRR would run with for each file of docs/examples, in mode managed, and FRR's own checker takes it.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("../../../docs/examples/*.conf")
	if err != nil || len(paths) < 5 {
		t.Fatal(paths, err)
	}
	dir := t.TempDir()
	for _, name := range []string{"leaf.password", "edge.password"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".conf")
		t.Run(name, func(t *testing.T) {
			example, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			here := filepath.Join(dir, name+".conf")
			if err := os.WriteFile(here, []byte(strings.ReplaceAll(string(example), "/etc/ovnbgp/", dir+"/")), 0o600); err != nil {
				t.Fatal(err)
			}
			result, err := file.Load([]file.Source{{Path: here}}, false)
			if err != nil {
				t.Fatal(err)
			}
			c := result.Settings.Node
			c.BGP.Mode, c.BGP.Speaker = config.ModeManaged, config.SpeakerFRR
			want, _ := desired.Node(desired.Input{}, c)
			got, _, err := frr.Rendered(want, "8.4")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got, "password secret") {
				t.Error("the password is shown")
			}
			golden(t, filepath.Join("examples", name+".conf"), got)
			rendered := filepath.Join(dir, name+".frr")
			if err := os.WriteFile(rendered, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := fake.CheckFile(t, fake.Root(), rendered); err != nil {
				t.Error(err)
			}
		})
	}
}
