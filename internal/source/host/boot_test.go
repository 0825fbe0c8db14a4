package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFreshBoot(t *testing.T) {
	now, err := BootID()
	if err != nil || now == "" {
		t.Fatalf("boot %q, %v", now, err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		path string
		want bool
	}{
		"none":    {filepath.Join(dir, "none"), true},
		"earlier": {write("earlier", "6a1d1c1e-0000-4000-8000-000000000000\n"), true},
		"this":    {write("this", now+"\n"), false},
		"cut off": {write("cut", ""), true},
	} {
		if got, err := FreshBoot(tt.path); err != nil || got != tt.want {
			t.Errorf("%s: fresh %v, %v, want %v", name, got, err, tt.want)
		}
	}
	if _, err := FreshBoot(filepath.Join(write("file", ""), "boot")); err == nil {
		t.Error("what cannot be read is taken for an answer")
	}
}
