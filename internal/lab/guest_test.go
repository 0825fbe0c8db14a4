package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStartTime(t *testing.T) {
	const stat = "812 (a) b) (c) S 1 812 812 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 900 80 1"
	if got, err := startTime([]byte(stat)); err != nil || got != 4711 {
		t.Errorf("start time %d, %v", got, err)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 1 2"} {
		if got, err := startTime([]byte(bad)); err == nil {
			t.Errorf("%q: start time %d", bad, got)
		}
	}
}

func TestEndOnlyTheProcessMeant(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	p, err := findProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]process{
		"another start": {PID: p.PID, Start: p.Start + 1, Boot: p.Boot},
		"another boot":  {PID: p.PID, Start: p.Start, Boot: "x"},
		"none":          {},
	} {
		if err := other.end(t.Context(), time.Second); err != nil || other.alive() {
			t.Errorf("%s: %v, alive %v", name, err, other.alive())
		}
	}
	if !p.alive() {
		t.Fatal("a process that only has the same number was ended")
	}
	if err := p.end(t.Context(), 5*time.Second); err != nil || p.alive() {
		t.Errorf("end: %v, alive %v", err, p.alive())
	}
}

func TestEndKillsWhatDoesNotListen(t *testing.T) {
	cmd := exec.Command("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	p, err := findProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.end(t.Context(), 200*time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("ended as %v", err)
	}
}

func TestGuestNames(t *testing.T) {
	for _, name := range []string{"", "..", "a/b", "A", strings.Repeat("x", 40)} {
		if (Guest{Name: name}).Check() == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	if err := (Guest{Name: "ci-2"}).Check(); err != nil {
		t.Error(err)
	}
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockFile(t.Context(), path, func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	second, err := lockFile(t.Context(), path, func() { waited = true; first.Close() })
	if err != nil || !waited {
		t.Fatalf("waited %v, %v", waited, err)
	}
	second.Close()
}

func TestLastWordsHaveNoTrace(t *testing.T) {
	text, err := os.ReadFile("testdata/console.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := consoleEnd(text)
	if !strings.Contains(got, "Kernel panic") || strings.Contains(got, "dump_stack") {
		t.Errorf("last words:\n%s", got)
	}
}
