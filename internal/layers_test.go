// Package internal_test holds the import table: which package may know which. Adding a line is a design decision.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "ovnbgp/"

// mayImport lists, for each package of ours, the packages of ours it may import outside of tests. A name that
// ends in "/..." stands for all below it. Nothing else may be imported: what is not listed is a finding.
var mayImport = map[string][]string{
	"internal/model":       nil,
	"internal/ovn":         nil,
	"internal/plan":        nil,
	"internal/metrics":     nil,
	"internal/atomicfile":  nil,
	"internal/client/...":  {"internal/client/ovsdb/..."}, // generated rows and their decoder
	"internal/config":      {"internal/model"},
	"internal/config/file": {"internal/config", "internal/model"},
	"internal/desired":     {"internal/ovn", "internal/config", "internal/model"},
	"internal/status":      {"internal/model", "internal/plan"},
	"internal/explain": {"internal/ovn", "internal/model", "internal/config", "internal/desired",
		"internal/status"},
	"internal/source/ovn":    {"internal/ovn", "internal/model", "internal/metrics", "internal/client/ovsdb/..."},
	"internal/source/health": {"internal/model"},
	"internal/source/host":   {"internal/ovn", "internal/model", "internal/metrics", "internal/client/netlink"},
	"internal/apply/kernel":  {"internal/model", "internal/plan", "internal/client/netlink"},
	"internal/apply/ovs": {"internal/model", "internal/plan", "internal/client/openflow",
		"internal/client/ovsdb/..."},
	"internal/apply/frr":      {"internal/model", "internal/plan", "internal/client/vty", "internal/apply/frr/text", "internal/atomicfile"},
	"internal/apply/frr/text": {"internal/model"},
	"internal/client/speaker": {"internal/client/bfd"},
	"internal/source/rib":     {"internal/model", "internal/client/speaker"},
	"internal/source/zebra":   {"internal/client/vty"},
	"internal/source/bgpd":    {"internal/model", "internal/client/vty"},
	"internal/apply/gobgp":    {"internal/model", "internal/plan", "internal/client/speaker", "internal/client/bfd"},

	"internal/reconcile": {"internal/model", "internal/plan", "internal/status", "internal/metrics"},
	"internal/api":       {"internal/model", "internal/plan", "internal/status", "internal/explain"},
	"internal/agent": {"internal/model", "internal/ovn", "internal/plan", "internal/config", "internal/config/file",
		"internal/desired", "internal/reconcile", "internal/client/...", "internal/source/...",
		"internal/apply/...", "internal/status", "internal/explain", "internal/api", "internal/metrics", "internal/atomicfile"},
	"internal/lab": {"internal/config", "internal/config/file", "internal/api", "internal/client/...", "internal/atomicfile"},
	"internal/lab/e2e": {"internal/lab", "internal/api", "internal/client/...", "internal/status",
		"internal/explain", "internal/model", "internal/plan"},
	"internal/fake/...": {"internal/model", "internal/plan", "internal/ovn", "internal/client/...",
		"internal/source/ovn", "internal/fake/..."},
	"internal/conformance": nil, // nothing but tests
	"cmd/ovnbgp": {"internal/agent", "internal/apply/frr", "internal/lab", "internal/api", "internal/config", "internal/config/file",
		"internal/ovn", "internal/status", "internal/explain", "internal/plan"},
}

// pure packages decide; they reach neither the network nor the system nor anybody's library.
var pure = []string{"internal/model", "internal/ovn", "internal/plan", "internal/config", "internal/desired",
	"internal/explain"}

// impure are the standard packages that would make a decision depend on something besides its arguments.
var impure = []string{"net", "net/http", "os", "os/exec", "log", "log/slog", "syscall", "math/rand", "math/rand/v2"}

func TestImportTable(t *testing.T) {
	for dir, imports := range importsByPackage(t) {
		allowed, listed := lookUp(dir)
		if !listed {
			t.Errorf("%s is not in the import table", dir)
		}
		for _, imp := range imports {
			ours, isOurs := strings.CutPrefix(imp, module)
			switch {
			case isOurs && !covers(allowed, ours):
				t.Errorf("%s imports %s: not in the import table", dir, ours)
			case !slices.Contains(pure, dir) || isOurs:
			case slices.Contains(impure, imp):
				t.Errorf("%s is pure and imports %s", dir, imp)
			case strings.Contains(strings.Split(imp, "/")[0], "."):
				t.Errorf("%s is pure and imports the module %s", dir, imp)
			}
		}
	}
}

func lookUp(dir string) ([]string, bool) {
	if allowed, ok := mayImport[dir]; ok {
		return allowed, true
	}
	for pattern, allowed := range mayImport {
		if covers([]string{pattern}, dir) {
			return allowed, true
		}
	}
	return nil, false
}

func covers(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		base, below := strings.CutSuffix(p, "/...")
		return dir == p || below && (dir == base || strings.HasPrefix(dir, base+"/"))
	})
}

// importsByPackage reads the import lines of every file but the tests.
func importsByPackage(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, top := range []string{"../internal", "../cmd"} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
			for _, spec := range file.Imports {
				imp, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				found[dir] = append(found[dir], imp)
			}
			if found[dir] == nil {
				found[dir] = []string{}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 10 {
		t.Fatalf("only %d packages found: the test looks in the wrong place", len(found))
	}
	return found
}
