package frr

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/model"
)

// versions are those that real daemons have run: by `make test` the first two, by `make frr-newest` the last.
func versions() []text.Version {
	return []text.Version{text.Oldest(), {Major: 10, Minor: 3}, {Major: 10, Minor: 7}}
}

// TestManagedGoldens holds what is rendered for each part of the model. For a newer FRR the same must come out but for
// the next hops, which it finds by the default route without being told.
func TestManagedGoldens(t *testing.T) {
	for name, node := range features() {
		t.Run(name, func(t *testing.T) {
			var oldest string
			for _, v := range versions() {
				config, err := text.Render(node, v)
				if err != nil {
					t.Fatal(err)
				}
				got := text.File(text.Redacted(config.Blocks))
				if v == text.Oldest() {
					oldest = got
					compareGolden(t, filepath.Join("testdata", "managed", strings.NewReplacer(" ", "-", ",", "").Replace(name)+".conf"), got)
					continue
				}
				if d := cmp.Diff(strings.Replace(oldest, "ip nht resolve-via-default\nipv6 nht resolve-via-default\n", "", 1), got); d != "" {
					t.Errorf("FRR %s (-want +got):\n%s", v, d)
				}
			}
		})
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// TestNamesAreThere: every list and route-map that a statement names is in the same configuration. FRR takes a name that
// is nobody's, and then lets nothing through, or all.
func TestNamesAreThere(t *testing.T) {
	for name, node := range features() {
		config, err := text.Render(node, text.Oldest())
		if err != nil {
			t.Fatal(err)
		}
		there, named := map[string]bool{}, map[string]bool{}
		var walk func([]text.Block, bool)
		walk = func(blocks []text.Block, top bool) {
			for _, b := range blocks {
				words := strings.Fields(b.Line)
				for i, w := range words {
					if !strings.HasPrefix(w, text.Prefix) {
						continue
					}
					kind := words[i-1]
					if top && kind != "route-map" || kind != "route-map" {
						kind = "list"
					}
					if top && !strings.Contains(b.Line, "protocol") {
						there[kind+" "+w] = true
					} else {
						named[kind+" "+w] = true
					}
				}
				walk(b.In, false)
			}
		}
		walk(config.Ours, true)
		for n := range named {
			if !there[n] {
				t.Errorf("%s: %s is named and not there", name, n)
			}
		}
		for n := range there {
			asked := strings.HasPrefix(n, "route-map "+text.Prefix+"drained") || // by who looks at a drain
				n == "route-map "+drainMark
			if !named[n] && !asked {
				t.Errorf("%s: %s is there and nobody names it", name, n)
			}
		}
	}
}

// TestOneChangeOneLine: what comes or goes touches no statement of anything else.
func TestOneChangeOneLine(t *testing.T) {
	lines := func(n model.Node) map[string]bool {
		config, err := text.Render(n, text.Oldest())
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]bool{}
		for line := range strings.Lines(text.Format(config.Blocks)) {
			all[line] = true
		}
		return all
	}
	before := features()["attributes by kind"]
	more := before
	more.Announcements = append([]model.Announcement{announced("203.0.113.1/32", before.Announcements[0].Attributes)}, before.Announcements...)
	peer := before
	peer.BGP.Peers = append([]model.Peer{leaf(0)}, before.BGP.Peers...)
	for name, node := range map[string]model.Node{"an address": more, "a peer": peer} {
		have := lines(node)
		for line := range lines(before) {
			if !have[line] {
				t.Errorf("%s changes the line %q", name, line)
			}
		}
	}
}
