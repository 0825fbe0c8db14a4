package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/source/host"
)

func drainedSince(t *testing.T, path string) time.Time {
	t.Helper()
	since, err := host.DrainedSince(path)
	if err != nil {
		t.Fatal(err)
	}
	return since
}

// The file comes whole, keeps its time however often it is asked for, and goes; nothing else is left in the directory.
func TestDrainFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib", "drained")
	f := drainFile(path)
	if err := f.set(false); err != nil {
		t.Errorf("not drained, and undrained: %v", err)
	}
	if since := drainedSince(t, path); !since.IsZero() {
		t.Errorf("drained since %s", since)
	}
	if err := f.set(true); err != nil {
		t.Fatal(err)
	}
	before := drainedSince(t, path)
	if time.Since(before) > time.Minute {
		t.Errorf("drained since %s", before)
	}
	earlier := "2026-03-01T12:00:00Z"
	if err := os.WriteFile(path, []byte(earlier+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.set(true); err != nil {
		t.Fatal(err)
	}
	if since := drainedSince(t, path).Format(time.RFC3339); since != earlier {
		t.Errorf("drained again, and since %s, want %s", since, earlier)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("in the directory: %v, %v", entries, err)
	}
	for range 2 {
		if err := f.set(false); err != nil {
			t.Fatal(err)
		}
	}
	if since := drainedSince(t, path); !since.IsZero() {
		t.Errorf("undrained, and drained since %s", since)
	}
}

// What cannot be kept is an error, not a drain that the next start forgets.
func TestDrainFileThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := drainFile(filepath.Join(dir, "file", "drained")).set(true); err == nil {
		t.Error("kept in what is no directory")
	}
}

func TestDrainNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drained")
	n := &node{source: &inputSource{drainFile: path}}
	if n.drainNow(model.Node{BGP: model.BGP{Drained: true}}).BGP.Drained {
		t.Error("drained without the file")
	}
	if err := drainFile(path).set(true); err != nil {
		t.Fatal(err)
	}
	if !n.drainNow(model.Node{}).BGP.Drained {
		t.Error("not drained with the file")
	}
	steps := forgetDrain(path)
	if len(steps) != 1 || steps[0].Verb != plan.Delete || !strings.Contains(steps[0].Object, path) {
		t.Fatalf("steps: %v", steps)
	}
	if err := steps[0].Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if steps := forgetDrain(path); steps != nil {
		t.Errorf("steps: %v", steps)
	}
}
