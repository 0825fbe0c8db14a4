// Package ovsdbtest runs real database servers for tests. Start at Start.
package ovsdbtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
)

// Schemas where Debian's packages put them.
const (
	NorthboundSchema = "/usr/share/ovn/ovn-nb.ovsschema"
	SouthboundSchema = "/usr/share/ovn/ovn-sb.ovsschema"
	VSwitchSchema    = "/usr/share/openvswitch/vswitch.ovsschema"
)

const patience = 20 * time.Second

// Server is an ovsdb-server with one database in a directory of the test.
type Server struct {
	Database string // name of the schema
	dir      string
	args     []string
	command  *exec.Cmd
	exited   chan struct{}
}

// Start creates a database with a schema and serves it on a Unix socket until the test ends. args are added to
// ovsdb-server's command line.
func Start(t testing.TB, schemaFile string, args ...string) *Server {
	t.Helper()
	s := create(t, schemaFile, args...)
	run(t, "ovsdb-tool", "create", s.file(), schemaFile)
	s.untilEnd(t)
	return s
}

// StartCluster is Start with a database that is the first member of a cluster, and its leader.
func StartCluster(t testing.TB, schemaFile string) *Server {
	t.Helper()
	s := create(t, schemaFile)
	run(t, "ovsdb-tool", "create-cluster", s.file(), schemaFile, s.raft())
	s.untilEnd(t)
	return s
}

// Join starts one more member of the cluster.
func (s *Server) Join(t testing.TB) *Server {
	t.Helper()
	other := &Server{Database: s.Database, dir: directory(t)}
	run(t, "ovsdb-tool", "join-cluster", other.file(), s.Database, other.raft(), s.raft())
	other.untilEnd(t)
	run(t, "ovsdb-client", "wait", other.Endpoint(), s.Database, "connected")
	return other
}

func create(t testing.TB, schemaFile string, args ...string) *Server {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatalf("read schema (is the package installed?): %v", err)
	}
	var schema struct{ Name string }
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatalf("parse %s: %v", schemaFile, err)
	}
	return &Server{Database: schema.Name, dir: directory(t), args: args}
}

// directory is not t.TempDir: names of tests make paths that are too long for a socket.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovsdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (s *Server) untilEnd(t testing.TB) {
	t.Helper()
	s.Run(t)
	t.Cleanup(func() { s.Stop(t) })
}

// raft is the address that members of a cluster use among themselves.
func (s *Server) raft() string { return "unix:" + filepath.Join(s.dir, "raft") }

func (s *Server) file() string { return filepath.Join(s.dir, "db") }

// Endpoint is where the server listens.
func (s *Server) Endpoint() string { return "unix:" + filepath.Join(s.dir, "sock") }

// Run starts the server again after Stop.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	args := append([]string{"--remote=p" + s.Endpoint(), "--no-chdir", "--unixctl=" + s.control(),
		"--log-file=" + filepath.Join(s.dir, "log"), "-vconsole:off"}, s.args...)
	s.command = exec.Command("ovsdb-server", append(args, s.file())...)
	if err := s.command.Start(); err != nil {
		t.Fatalf("start ovsdb-server: %v", err)
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.command.Wait() // how it ended shows in what the test sees
		close(s.exited)
	}()
	Eventually(t, "ovsdb-server listens", func() bool {
		_, err := os.Stat(strings.TrimPrefix(s.Endpoint(), "unix:"))
		_, controlErr := os.Stat(s.control())
		return err == nil && controlErr == nil
	})
}

// Stop ends the server; the database stays.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.command == nil {
		return
	}
	if err := s.command.Process.Kill(); err != nil {
		t.Logf("kill ovsdb-server: %v", err)
	}
	<-s.exited
	s.command = nil
	for _, socket := range []string{strings.TrimPrefix(s.Endpoint(), "unix:"), s.control()} {
		if err := os.Remove(socket); err != nil {
			t.Logf("remove a socket: %v", err)
		}
	}
}

func (s *Server) control() string { return filepath.Join(s.dir, "ctl") }

// Control runs a command of the server, "ovsdb-server/…", and returns what it prints.
func (s *Server) Control(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, "ovs-appctl", append([]string{"-t", s.control()}, args...)...)
}

// Convert changes the schema of the database while it is served.
func (s *Server) Convert(t testing.TB, schemaFile string) {
	t.Helper()
	run(t, "ovsdb-client", "convert", s.Endpoint(), schemaFile)
}

// Rewrite changes the database while the server is stopped, by way of a server that the client under test does not
// know of.
func (s *Server) Rewrite(t testing.TB, operations ...ovsdb.Operation) {
	t.Helper()
	other := &Server{Database: s.Database, dir: filepath.Join(s.dir, "other")}
	if err := os.MkdirAll(other.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.file(), other.file()); err != nil {
		t.Fatal(err)
	}
	other.Run(t)
	other.Transact(t, operations...)
	other.Stop(t)
	if err := os.Rename(other.file(), s.file()); err != nil {
		t.Fatal(err)
	}
}

// Transact runs a transaction over a connection of its own.
func (s *Server) Transact(t testing.TB, operations ...ovsdb.Operation) []ovsdb.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := ovsdb.Dial(ctx, s.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	results, err := conn.Transact(ctx, s.Database, operations...)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// Eventually waits until a condition holds, and fails the test when it does not come to hold.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out))
	}
	return string(out)
}

// Log returns what the server has logged.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
