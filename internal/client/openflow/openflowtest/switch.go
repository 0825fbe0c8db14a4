// Package openflowtest runs a real Open vSwitch for tests: its database, and ovs-vswitchd with devices that exist
// only in its memory, so that it needs no kernel module and no privilege. Start at Start.
package openflowtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

const patience = 20 * time.Second

// Switch is a running Open vSwitch in a directory of the test.
type Switch struct {
	Database *ovsdbtest.Server
	dir      string
	daemon   *exec.Cmd
	exited   chan struct{}
}

// Start runs a switch until the test ends.
func Start(t testing.TB) *Switch {
	t.Helper()
	// Not t.TempDir: names of tests make paths that are too long for a socket.
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Switch{Database: ovsdbtest.Start(t, ovsdbtest.VSwitchSchema), dir: dir}
	s.Vsctl(t, "--no-wait", "init")
	s.Run(t)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// RunDir is the directory of the bridges' management sockets.
func (s *Switch) RunDir() string { return s.dir }

// Socket is the management socket of a bridge.
func (s *Switch) Socket(bridge string) string { return filepath.Join(s.dir, bridge+".mgmt") }

// Run starts ovs-vswitchd, again after Kill.
func (s *Switch) Run(t testing.TB) {
	t.Helper()
	s.daemon = exec.Command("ovs-vswitchd", s.Database.Endpoint(), "--enable-dummy=override", "--disable-system",
		"--no-chdir", "--unixctl="+s.control(), "--log-file="+filepath.Join(s.dir, "log"), "-vconsole:off")
	s.daemon.Env = append(os.Environ(), "OVS_RUNDIR="+s.dir)
	if err := s.daemon.Start(); err != nil {
		t.Fatalf("start ovs-vswitchd: %v", err)
	}
	exited, daemon := make(chan struct{}), s.daemon
	s.exited = exited
	go func() {
		_ = daemon.Wait() // how it ended shows in what the test sees
		close(exited)
	}()
	ovsdbtest.Eventually(t, "ovs-vswitchd answers", func() bool {
		return exec.Command("ovs-appctl", "-t", s.control(), "version").Run() == nil
	})
}

// Kill ends ovs-vswitchd at once, as a crash does. The database stays.
func (s *Switch) Kill(t testing.TB) {
	t.Helper()
	if s.daemon == nil {
		return
	}
	if err := s.daemon.Process.Kill(); err != nil {
		t.Logf("kill ovs-vswitchd: %v", err)
	}
	<-s.exited
	s.daemon = nil
}

// Freeze stops ovs-vswitchd from running until Thaw: its sockets stay, and nobody answers.
func (s *Switch) Freeze(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen ovs-vswitchd run on.
func (s *Switch) Thaw(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Switch) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.daemon.Process.Signal(sig); err != nil {
		t.Fatalf("signal ovs-vswitchd: %v", err)
	}
}

func (s *Switch) control() string { return filepath.Join(s.dir, "ctl") }

// AddBridge adds a bridge and returns when its socket is there. protocols are values of the column of that name;
// none leaves it empty, which allows all versions. The bridge has a port "<bridge>-p1" with OpenFlow number 1.
func (s *Switch) AddBridge(t testing.TB, bridge string, protocols ...string) {
	t.Helper()
	port := bridge + "-p1"
	args := []string{"add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=dummy", "fail_mode=standalone",
		"--", "add-port", bridge, port, "--", "set", "interface", port, "type=dummy", "ofport_request=1"}
	if len(protocols) > 0 {
		args = append(args, "--", "set", "bridge", bridge, "protocols="+strings.Join(protocols, ","))
	}
	s.Vsctl(t, args...)
}

// Vsctl runs ovs-vsctl on the switch's database, waits for ovs-vswitchd unless told otherwise, and returns what it
// prints.
func (s *Switch) Vsctl(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, "ovs-vsctl", append([]string{"--timeout=15", "--db=" + s.Database.Endpoint()}, args...)...)
}

// Ofctl runs an ovs-ofctl command on a bridge, "dump-flows", "del-flows", …, as another hand would. version is
// "OpenFlow14" or "OpenFlow13".
func (s *Switch) Ofctl(t testing.TB, version, command, bridge string, args ...string) string {
	t.Helper()
	return run(t, "ovs-ofctl", append([]string{"-O", version, command, "unix:" + s.Socket(bridge)}, args...)...)
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
