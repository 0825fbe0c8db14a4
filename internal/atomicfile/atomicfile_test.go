package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(got) != want || info.Mode() != 0o640 {
			t.Errorf("%q, %v, %v; want %q", got, info, errors.Join(err, statErr), want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("beside it are %v, %v", left, err)
		}
	}
	for _, text := range []string{"one\n", "another\n"} {
		if err := Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		holds(text)
	}
	no := errors.New("no")
	err := Write(path, []byte("never seen"), 0o640, func(*os.File) error { holdsWhole(t, path, "another\n"); return no })
	if !errors.Is(err, no) {
		t.Errorf("%v, want %v", err, no)
	}
	holds("another\n")
	if err := Write(filepath.Join(dir, "nowhere", "file"), nil, 0o640); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	if err := SyncDir(filepath.Join(dir, "nowhere")); err != nil {
		t.Error(err)
	}
}

// holdsWhole reads what others see while a file is being written.
func holdsWhole(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("meanwhile it holds %q, %v", got, err)
	}
}
