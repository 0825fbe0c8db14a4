package main

import (
	"os"
	"path/filepath"
	"testing"

	"ovnbgp/internal/config/file"
)

// The agent is asked where the configuration says that it answers.
func TestSocketOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"named":  {"[paths]\napi_socket = /run/other.sock\n", "/run/other.sock"},
		"unset":  {"[DEFAULT]\nbgp_AS = 64999\n", defaultSocket},
		"broken": {"[paths]\napi_socket = other.sock\n", defaultSocket},
	} {
		path := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		o := configOptions{sources: []file.Source{{Path: path}}}
		if got := o.socket(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
