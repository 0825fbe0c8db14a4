package agent

import (
	"os"
	"path/filepath"
	"testing"

	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/source/host"
	"ovnbgp/internal/status"
)

func TestBootFile(t *testing.T) {
	path := bootFile(filepath.Join(t.TempDir(), "lib", "drained"))
	fresh := func() bool {
		t.Helper()
		f, err := host.FreshBoot(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if !fresh() {
		t.Error("not fresh before BGP has run")
	}
	for range 2 {
		if err := writeBoot(path); err != nil {
			t.Fatal(err)
		}
	}
	if fresh() {
		t.Error("fresh after BGP has run in this boot")
	}
	if err := os.WriteFile(path, []byte("another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !fresh() {
		t.Error("not fresh in the boot after")
	}
	for _, step := range forgetBoot(path) {
		if err := step.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if steps := forgetBoot(path); len(steps) != 0 {
		t.Errorf("left to remove: %v", steps)
	}
}

func TestHasSpoken(t *testing.T) {
	told := status.Subsystem{Name: "gobgp", Role: status.Announcer, Read: true}
	unread := status.Subsystem{Name: "gobgp", Role: status.Announcer}
	carrier := status.Subsystem{Name: "ovs", Role: status.Carrier}
	for name, tt := range map[string]struct {
		report status.Report
		want   bool
	}{
		"start":             {status.Report{}, false},
		"closed gate":       {status.Report{Subsystems: []status.Subsystem{told}}, false},
		"all":               {status.Report{Synced: true, Subsystems: []status.Subsystem{told, carrier}}, true},
		"one does not tell": {status.Report{Synced: true, Subsystems: []status.Subsystem{told, unread}}, false},
	} {
		if got := hasSpoken(tt.report); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// A running agent keeps the boot, and cleanup forgets it.
func TestAgentKeepsBoot(t *testing.T) {
	w := newWorld(t, "")
	w.configure(t, embeddedOnly)
	path := filepath.Join(w.dir, "boot")
	if fresh, err := host.FreshBoot(path); err != nil || !fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	w.start(t)
	eventuallyKept(t, path)
}

func eventuallyKept(t *testing.T, path string) {
	t.Helper()
	ovsdbtest.Eventually(t, "the boot is kept", func() bool {
		fresh, err := host.FreshBoot(path)
		return err == nil && !fresh
	})
}
