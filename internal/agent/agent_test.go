package agent

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/plan"
)

// A second agent on the node is refused, and the first one does not notice.
func TestSecondAgentIsRefused(t *testing.T) {
	w := newWorld(t, "")
	client := w.start(t)
	if err := Run(t.Context(), w.options); err == nil || !strings.Contains(err.Error(), "another agent runs on this node: process") {
		t.Errorf("second agent: got %v", err)
	}
	if _, err := Cleanup(t.Context(), w.options, CleanupOptions{}); err == nil || !strings.Contains(err.Error(), "end it first") {
		t.Errorf("cleanup beside an agent: got %v", err)
	}
	if _, err := client.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a snapshot says is all that a plan depends on: saved and planned from, it comes to what the agent plans.
func TestSnapshotIsPlannedFrom(t *testing.T) {
	w := newWorld(t, "")
	w.local.Transact(t, ovsdb.Update("Open_vSwitch", nil, ovsdb.Columns{"external_ids": map[string]string{
		"system-id": "node1", "hostname": "node1", "ovn-bridge-mappings": "physnet1:br-ex"}}))
	client := w.start(t)
	live, err := client.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !mentions(live.Steps, "link br-ex up") {
		t.Errorf("the agent does not plan for its bridge: %+v", live)
	}
	saved, err := client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.central.Stop(t) // it must not be asked again
	w.local.Stop(t)
	from, err := PlanFrom(t.Context(), w.options, saved)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(live.Steps, from.Steps, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("steps (-agent +from the snapshot):\n%s", d)
	}
	for name, text := range map[string]string{"empty": "", "no JSON": "OVN", "another's": `{"Cloud":{}}`} {
		if _, err := PlanFrom(t.Context(), w.options, []byte(text)); err == nil || !strings.Contains(err.Error(), "not a snapshot") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	w.central.Run(t)
	w.local.Run(t)
}

func mentions(steps []plan.Planned, object string) bool {
	for _, s := range steps {
		if strings.Contains(s.Object, object) {
			return true
		}
	}
	return false
}

func TestExplain(t *testing.T) {
	client := newWorld(t, "").start(t)
	for _, address := range []string{"", "nonsense", "203.0.113.0/24", "203.0.113.256"} {
		if _, err := client.Explain(t.Context(), address); err == nil || !strings.Contains(err.Error(), "is not an IP address") {
			t.Errorf("%q: got %v", address, err)
		}
	}
	for _, address := range []string{"203.0.113.9", "::ffff:203.0.113.9"} {
		answer, err := client.Explain(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Key != "bgp-vrf 203.0.113.9/32" || answer.Decisions[0].Reason != "no-row" {
			t.Errorf("%s: %+v", address, answer)
		}
	}
}

// The service manager is told that the agent is ready once the databases are read: FRR may be started after it. The
// health check says what is missing.
func TestReadyWithoutFRR(t *testing.T) {
	w := newWorld(t, "")
	path := filepath.Join(w.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	client := w.start(t)
	if err := manager.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	told := ""
	for buffer := make([]byte, 4096); !strings.Contains(told, "READY=1\n"); {
		n, err := manager.Read(buffer)
		if err != nil {
			t.Fatalf("never told to be ready, only %q: %v", told, err)
		}
		told += string(buffer[:n])
	}
	report, err := client.Status(t.Context())
	if err != nil || report.Ready {
		t.Errorf("ready %v, without FRR; %v", report.Ready, err)
	}
}

// While a database is not initialised nothing is ready.
func TestNotReadyWithoutDatabase(t *testing.T) {
	w := newWorld(t, "")
	w.central.Transact(t, ovsdb.Delete("NB_Global"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Plan(ctx, w.options)
	if err == nil || !strings.Contains(err.Error(), "not initialised") {
		t.Errorf("planned without a database: %v", err)
	}
}

func TestReload(t *testing.T) {
	w := newWorld(t, "")
	client := w.start(t)
	steps := []struct{ name, paths, says string }{
		{"wrong", "[DEFAULT]\nbgp_AS = x\n", "not accepted, the old one stays in force"},
		{"not built", "[DEFAULT]\nexposing_method = vrf\n", "not accepted"},
		{"another VRF", "[DEFAULT]\nbgp_vrf = other\n", "run `ovnbgp cleanup` with the old configuration"},
		{"decisions only", "frr_sockets = " + w.dir + "/no-frr\n[DEFAULT]\nexpose_tenant_networks = true\n", `msg="configuration read"`},
		{"wired", "frr_sockets = " + w.dir + "/no-frr\n[metrics]\nlisten = 127.0.0.1:9\n", `next start" subsystem=config object="[metrics] listen" why="` + w.config + ":"},
		{"wired, again", "frr_sockets = " + w.dir + "/no-frr\n[metrics]\nlisten = 127.0.0.1:9\n", `next start" subsystem=config object="[metrics] listen"`},
		{"driver", "frr_sockets = " + w.dir + "/no-frr\n[DEFAULT]\ndriver = ovn_bgp_driver\n",
			`[DEFAULT] driver = \"ovn_bgp_driver\": takes effect at the next start`},
		{"connection", "frr_sockets = " + w.dir + "/no-frr\n[ovn]\novn_nb_connection = unix:/other.sock\n",
			`next start" subsystem=config object="[ovn] ovn_nb_connection"`},
		{"speaker", "frr_sockets = " + w.dir + "/no-frr\n[bgp]\nspeaker = frr\n", `next start" subsystem=config object="[bgp] speaker"`},
		{"as it was", "frr_sockets = " + w.dir + "/no-frr\n", `msg="configuration read"`},
	}
	for _, step := range steps {
		w.configure(t, step.paths)
		said := w.reload(t)
		if !strings.Contains(said, step.says) {
			t.Errorf("%s: said %q, want %s", step.name, said, step.says)
		}
		if strings.Contains(said, "next start") != strings.Contains(step.says, "next start") {
			t.Errorf("%s: said %q", step.name, said)
		}
		report, err := client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused := strings.Contains(said, "not accepted")
		waits := strings.Contains(step.says, `next start" subsystem`)
		if !refused && hasRemark(report, "needs-restart") != waits {
			t.Errorf("%s: remarks %+v", step.name, report.Remarks)
		}
		if (report.Refused != nil) != refused || strings.Contains(report.Text, "is refused, the old one is in force") != refused {
			t.Errorf("%s: the status says %q, %+v", step.name, report.Text, report.Refused)
		}
	}
	if err := os.Remove(w.config); err != nil {
		t.Fatal(err)
	}
	if said := w.reload(t); !strings.Contains(said, "not accepted") {
		t.Errorf("without a file: said %q", said)
	}
	w.configure(t, "frr_sockets = "+w.dir+"/no-frr\n")
}

// A VRF of another configuration keeps an agent from starting.
func TestAnotherVRFIsRefused(t *testing.T) {
	if os.Getenv("OVNBGP_GUEST") == "" {
		t.Skip("needs the lab's kernel: run by make test in the lab")
	}
	w := newWorld(t, "")
	ip(t, "link", "add", "old-vrf", "type", "vrf", "table", "77")
	defer ip(t, "link", "del", "old-vrf")
	ip(t, "link", "set", "old-vrf", "alias", "ovnbgp")
	if err := Run(t.Context(), w.options); err == nil || !strings.Contains(err.Error(), `run "ovnbgp cleanup"`) {
		t.Errorf("got %v", err)
	}
	ovsdbtest.Eventually(t, "the lock is free", func() bool {
		lock, err := TakeLock(filepath.Join(w.dir, "agent.lock"))
		return err == nil && lock.Release() == nil
	})
}

// A plan without an agent says what it waits for, and what to do when it has waited in vain.
func TestPlanTellsWhatItWaitsFor(t *testing.T) {
	w := newWorld(t, "")
	w.central.Stop(t)
	ctx, cancel := context.WithCancel(t.Context())
	var told []string
	w.options.Progress = func(text string) {
		told = append(told, text)
		cancel() // as the time does
	}
	_, err := Plan(ctx, w.options)
	if len(told) != 1 || !strings.Contains(told[0], "waiting for the databases, for 30s at most: not in sync: ") {
		t.Errorf("told %q", told)
	}
	if err == nil || !strings.Contains(err.Error(), "ovn_nb_connection") {
		t.Errorf("the error is %v", err)
	}
	w.central.Run(t)
}
