package frr

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// RootEnv names a tree whose FRR the tests run, and no other: that of `make frr-newest`.
const RootEnv = "OVNBGP_FRR_ROOT"

// Root is the tree that RootEnv names; "" is the host's.
func Root() string { return strings.TrimRight(os.Getenv(RootEnv), "/") }

// Roots are the trees with an FRR that tests run, by name: the one that RootEnv names, else the host's and that of the
// lab's image where it was built.
func Roots(t testing.TB) map[string]string {
	t.Helper()
	if root := Root(); root != "" {
		return map[string]string{"root": root}
	}
	roots := map[string]string{"host": ""}
	found, err := filepath.Glob("/var/cache/ovnbgp/lab/*/root" + daemonDir + "/mgmtd")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		roots["image"] = strings.TrimSuffix(found[0], daemonDir+"/mgmtd")
	}
	return roots
}

// HasDaemon tells whether a tree has a daemon: mgmtd came with FRR 9.
func HasDaemon(root, name string) bool {
	_, err := os.Stat(filepath.Join("/", root, daemonDir, name))
	return err == nil
}

// User is FRR's user in a tree.
func User(t testing.TB, root string) (uid, gid int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/", root, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, ":"); fields[0] == "frr" && len(fields) > 3 {
			uid, _ = strconv.Atoi(fields[2])
			gid, _ = strconv.Atoi(fields[3])
			return uid, gid
		}
	}
	t.Fatal("FRR is not installed (make deps)")
	return 0, 0
}

// CheckFile has vtysh of a tree check a file of configuration.
func CheckFile(t testing.TB, root, file string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "vtysh", "-C", "-f", file)
	if root != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		inside, err := os.CreateTemp(filepath.Join(root, "tmp"), "checked")
		if err != nil {
			return err
		}
		defer os.Remove(inside.Name()) //nolint:errcheck // it is left in a directory for such files
		_, err = inside.Write(text)
		if err := errors.Join(err, inside.Chmod(0o644), inside.Close()); err != nil {
			return err
		}
		cmd = exec.CommandContext(t.Context(), "chroot", root, "vtysh", "-C", "-f", strings.TrimPrefix(inside.Name(), root))
	}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "% ") {
		return fmt.Errorf("vtysh -C: %w: %s", errors.Join(err, errRefused), out)
	}
	return nil
}

var errRefused = errors.New("a statement is refused")
