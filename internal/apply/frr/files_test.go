package frr

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/frr/text"
)

// TestUnwritableFiles: an FRR whose files cannot be written is not changed, for its next start would bring the old
// configuration back. A drain and a withdrawal do not wait.
func TestUnwritableFiles(t *testing.T) {
	ours, theirs := []byte(owned), []byte("hostname leaf\n")
	announcing := text.Difference{Changes: []text.Change{{Line: "router bgp 64999"}}}
	draining := text.Difference{Changes: []text.Change{{Path: []string{"router bgp 64999"}, Line: "bgp graceful-shutdown"}}}
	for _, c := range []struct {
		name string
		had  []byte
		diff text.Difference
		want string
	}{
		{"no file yet", nil, announcing, "FRR is left as it is"},
		{"the operator's file", theirs, announcing, "frr.conf" + backupSuffix},
		{"the operator's file, draining", theirs, draining, "FRR is left as it is"},
		{"our file", ours, announcing, "FRR is left as it is"},
		{"our file, draining", ours, draining, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gone", "frr.conf") // root, too, writes nothing there
			err := New(Options{}).readyFiles(target{diff: c.diff, files: []staleFile{{path: path, had: c.had}}})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReadyFiles(t *testing.T) {
	dir := t.TempDir()
	path, theirs := filepath.Join(dir, "frr.conf"), []byte("hostname leaf\n")
	if err := os.WriteFile(path, theirs, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{}).readyFiles(target{files: []staleFile{{path: path, content: []byte(owned), had: theirs}}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(content)
	}
	if d := cmp.Diff(map[string]string{"frr.conf": string(theirs), "frr.conf" + backupSuffix: string(theirs)}, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// TestManagedBeginsWithTheFiles: a real FRR with a directory that is mounted read-only, as in a unit's sandbox.
func TestManagedBeginsWithTheFiles(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		dir := r.options.ConfDir
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Skip("no mount: ", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
		if err := os.WriteFile(filepath.Join(dir, "frr.conf"), []byte("hostname leaf\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		before := statementsOf(t, r)
		steps, err := r.Plan(t.Context(), baseNode())
		if err != nil || len(steps) == 0 {
			t.Fatal(steps, err)
		}
		for _, s := range steps {
			if err := s.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "read-only file system") {
				t.Errorf("%s: %v", s, err)
			}
		}
		if d := cmp.Diff(before, statementsOf(t, r)); d != "" {
			t.Errorf("FRR was changed (-before +after):\n%s", d)
		}
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
		settle(t, r, baseNode())
	})
}
