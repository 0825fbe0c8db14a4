package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDrainedSince(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		path string
		want time.Time
	}{
		"no path":             {"", time.Time{}},
		"no file":             {filepath.Join(dir, "none"), time.Time{}},
		"no directory":        {filepath.Join(dir, "none", "drained"), time.Time{}},
		"the time":            {write("time", "2026-02-01T08:00:00+01:00\n"), time.Date(2026, 2, 1, 7, 0, 0, 0, time.UTC)},
		"touched by somebody": {write("empty", ""), at},
		"another's words":     {write("words", "maintenance by jim"), at},
	} {
		if got, err := DrainedSince(tt.path); err != nil || !got.Equal(tt.want) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, tt.want)
		}
	}
	if _, err := DrainedSince(filepath.Join(write("file", ""), "drained")); err == nil {
		t.Error("what cannot be read is taken for not drained")
	}
}
