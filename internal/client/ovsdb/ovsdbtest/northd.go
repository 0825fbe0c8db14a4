package ovsdbtest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// StartNorthd runs ovn-northd between a Northbound and a Southbound database until the test ends.
func StartNorthd(t testing.TB, nb, sb *Server) {
	t.Helper()
	dir := directory(t)
	command := exec.Command("ovn-northd", "--ovnnb-db="+nb.Endpoint(), "--ovnsb-db="+sb.Endpoint(),
		"--unixctl="+filepath.Join(dir, "ctl"), "--log-file="+filepath.Join(dir, "log"), "-vconsole:off")
	if err := command.Start(); err != nil {
		t.Fatalf("start ovn-northd: %v", err)
	}
	t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil {
			t.Logf("kill ovn-northd: %v", err)
		}
		_ = command.Wait() // killed
	})
}
