package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ovnbgp/internal/api"
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/config/file"
	"ovnbgp/internal/fake/fabric"
)

// isolated tells the test's process that it runs in a network namespace of its own.
const isolated = "OVNBGP_AGENT_TEST_ISOLATED"

// TestMain runs the tests in a network namespace of their own: an agent works on the one it finds itself in.
func TestMain(m *testing.M) {
	if os.Getenv(isolated) != "" || os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), isolated+"=1")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := again.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "in a namespace of its own:", err)
		os.Exit(1)
	}
}

// world is a node with real databases and no bridges. Where the kernel has no VRFs, what an agent does on it fails at
// the first link, too. It cannot forward, but it can be asked.
type world struct {
	local, central *ovsdbtest.Server

	dir     string
	config  string // the configuration's file
	options Options
	reloads chan os.Signal
	log     *fabric.Buffer
}

// newWorld fills the databases as an empty cloud has them. frr is the directory of FRR's sockets, "" for no FRR.
func newWorld(t *testing.T, frr string) *world {
	t.Helper()
	if os.Getenv(isolated) == "" {
		t.Skip("needs root, for a namespace of its own")
	}
	dir := t.TempDir()
	if frr == "" {
		frr = filepath.Join(dir, "no-frr")
	}
	w := &world{dir: dir, config: filepath.Join(dir, "bgp-agent.conf"), reloads: make(chan os.Signal), log: &fabric.Buffer{},
		local: ovsdbtest.Start(t, ovsdbtest.VSwitchSchema), central: ovsdbtest.Start(t, ovsdbtest.NorthboundSchema)}
	w.local.Transact(t, ovsdb.Insert("Open_vSwitch", "", ovsdb.Columns{
		"external_ids": map[string]string{"system-id": "node1", "hostname": "node1"}}))
	w.central.Transact(t, ovsdb.Insert("NB_Global", "", ovsdb.Columns{}))
	w.configure(t, fmt.Sprintf("frr_sockets = %s\n", frr))
	w.options = Options{
		Load:    func() (file.Result, error) { return file.Load([]file.Source{{Path: w.config}}, false) },
		Reloads: w.reloads, Version: "test",
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	return w
}

// configure writes the configuration, with more lines in [paths] and behind it.
func (w *world) configure(t *testing.T, more string) {
	t.Helper()
	text := fmt.Sprintf(`[DEFAULT]
driver = nb_ovn_bgp_driver
ovsdb_connection = %s
[ovn]
ovn_nb_connection = %s
[paths]
api_socket = %s
lock_file = %[4]s/agent.lock
openvswitch = %[4]s
rt_tables = %[4]s/rt_tables
drain_file = %[4]s/drained
`, w.local.Endpoint(), w.central.Endpoint(), w.socket(), w.dir) + more
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) socket() string { return filepath.Join(w.dir, "agent.sock") }

// start runs an agent until the test ends, and returns a client of it once a round has been made.
func (w *world) start(t *testing.T) *api.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, w.options) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the agent ended with %v; it says\n%s", err, w.log)
		}
		// The namespace is the next test's, too. FRR, where there is none, is what fails.
		if _, err := Cleanup(context.Background(), w.options, CleanupOptions{Force: true}); err != nil && !strings.HasPrefix(err.Error(), "frr: ") {
			t.Errorf("cleanup: %v", err)
		}
		if links := ip(t, "link"); strings.Contains(links, "bgp-") {
			t.Errorf("after cleanup:\n%s", links)
		}
	})
	client := api.NewClient(w.socket())
	ovsdbtest.Eventually(t, "a round", func() bool {
		report, err := client.Status(t.Context())
		return err == nil && report.Synced
	})
	return client
}

// reload sends the signal and waits until the agent has said what came of it, which is returned.
func (w *world) reload(t *testing.T) string {
	t.Helper()
	before := len(w.log.String())
	w.reloads <- syscall.SIGHUP
	ovsdbtest.Eventually(t, "the reload", func() bool {
		said := w.log.String()[before:]
		return strings.Contains(said, "configuration read") || strings.Contains(said, "not accepted")
	})
	return w.log.String()[before:]
}

// ip runs ip(8) in the test's namespace.
func ip(t testing.TB, arguments ...string) string {
	t.Helper()
	out, err := exec.Command("ip", arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %q: %v: %s", arguments, err, out)
	}
	return string(out)
}
