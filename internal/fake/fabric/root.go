package fabric

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/fake/frr"
)

// FRR may be another than the host's: that of a tree (frr.RootEnv). Its daemons and vtysh run with the tree as their root,
// and find sockets and files under the same names as everybody else.

// shareWith makes what is in these places of the node appear in the tree, too. The mounts go with the node.
func shareWith(root string) error {
	if root == "" {
		return nil
	}
	if err := unix.Mount("", "/run", "", unix.MS_SHARED, ""); err != nil { // for the namespaces that "ip netns" mounts later
		return fmt.Errorf("shared /run: %w", err)
	}
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/var/tmp", os.TempDir()} {
		if err := unix.Mount(dir, filepath.Join(root, dir), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("%s of %s: %w", dir, root, err)
		}
	}
	return nil
}

// command is Command for a program of FRR's.
func (n *Node) command(name string, arguments ...string) *exec.Cmd {
	if root := frr.Root(); root != "" {
		return n.Command("chroot", append([]string{root, name}, arguments...)...)
	}
	return n.Command(name, arguments...)
}

// Vtysh returns what to run as vtysh inside a node, whose Dir it is given: a script there, where FRR is a tree's.
func Vtysh(dir string) (string, error) {
	if frr.Root() == "" {
		return "vtysh", nil
	}
	script := filepath.Join(dir, "vtysh")
	text := fmt.Sprintf("#!/bin/sh\nexec chroot '%s' vtysh \"$@\"\n", frr.Root())
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return "", err
	}
	return script, nil
}

// hasManager tells whether this FRR has mgmtd, which takes zebra's configuration.
func hasManager() bool { return frr.HasDaemon(frr.Root(), "mgmtd") }

// withManager adds mgmtd where zebra is named.
func withManager(daemons []string) []string {
	if !hasManager() || !slices.Contains(daemons, "zebra") || slices.Contains(daemons, "mgmtd") {
		return daemons
	}
	return append([]string{"mgmtd"}, daemons...)
}
