package ovs_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/client/openflow/openflowtest"
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// real is the Applier on a real switch, with its pokes and writes counted.
type real struct {
	*ovs.Applier
	writes int
}

func startReal(t *testing.T, sw *openflowtest.Switch) *real {
	t.Helper()
	r := &real{}
	timers := ovs.Timers{Poll: 50 * time.Millisecond, Retry: 50 * time.Millisecond, Reach: time.Second}
	r.Applier = ovs.New(ovs.Sockets(sw.RunDir(), func() { r.writes++ }), timers)
	t.Cleanup(r.Close)
	return r
}

func dump(t *testing.T, sw *openflowtest.Switch, bridge, version string) []string {
	t.Helper()
	var flows []string
	for line := range strings.Lines(sw.Ofctl(t, version, "dump-flows", bridge, "--no-stats", "--no-names")) {
		if strings.Contains(line, "actions=") {
			flows = append(flows, strings.TrimSpace(line))
		}
	}
	slices.Sort(flows)
	return flows
}

// patchPorts makes the patch ports of localnets and returns the state that is wanted with their numbers.
func patchPorts(t *testing.T, sw *openflowtest.Switch, localnets ...string) model.Node {
	t.Helper()
	var specs []string
	for _, l := range localnets {
		port, peer := "patch-"+l+"-to-br-int", "patch-br-int-to-"+l
		sw.Vsctl(t, "--may-exist", "add-port", "br-ex", port, "--", "set", "interface", port, "type=patch", "options:peer="+peer,
			"--", "--may-exist", "add-port", "br-int", peer, "--", "set", "interface", peer, "type=patch", "options:peer="+port)
		specs = append(specs, l+" "+strings.TrimSpace(sw.Vsctl(t, "get", "interface", port, "ofport")))
	}
	return node(specs...)
}

func TestRealSwitch(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br-ex")
	sw.AddBridge(t, "br-int")
	want := patchPorts(t, sw, "a")
	port := want.Flows[0].OFPort
	a := startReal(t, sw)
	sw.Ofctl(t, "OpenFlow10", "add-flow", "br-ex", "cookie=998,priority=900,ip,in_port="+strconv.Itoa(port)+
		",actions=mod_dl_dst:"+bridgeMAC+",NORMAL")
	sw.Ofctl(t, "OpenFlow10", "add-flow", "br-ex", "cookie=999,priority=7,tcp,tp_dst=80,actions=drop")
	sw.Ofctl(t, "OpenFlow10", "add-flow", "br-ex", "cookie=4,priority=8,actions=drop")
	steps, err := a.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	var verbs []plan.Verb
	for _, s := range steps {
		verbs = append(verbs, s.Verb)
		if err := s.Do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff([]plan.Verb{plan.Create, plan.Adopt, plan.Delete}, verbs); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
	in := "in_port=" + strconv.Itoa(port)
	wantDump := []string{
		"cookie=0x3e7, priority=900,ip," + in + " actions=mod_dl_dst:" + bridgeMAC + ",NORMAL",
		"cookie=0x3e7, priority=900,ipv6," + in + " actions=mod_dl_dst:" + bridgeMAC + ",NORMAL",
		"cookie=0x4, priority=8 actions=drop",
		"priority=0 actions=NORMAL",
	}
	if d := cmp.Diff(wantDump, dump(t, sw, "br-ex", "OpenFlow10")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
	if steps, err := a.Plan(t.Context(), want); err != nil || len(steps) != 0 || a.writes != 3 {
		t.Errorf("second plan %v, %v, %d writes; want none, and three writes before", steps, err, a.writes)
	}
}

// heals waits for a poke, runs a round, and expects both flows of the localnet.
func heals(t *testing.T, a *real, sw *openflowtest.Switch, want model.Node, version string) {
	t.Helper()
	ovsdbtest.Eventually(t, "both flows are back", func() bool {
		select {
		case <-a.Pokes():
		default:
			return false
		}
		if _, err := run(t.Context(), a.Applier, want); err != nil {
			return false // the switch is still away: a later poke says when it is back
		}
		n := 0
		for _, f := range dump(t, sw, "br-ex", version) {
			if strings.Contains(f, "cookie=0x3e7") {
				n++
			}
		}
		return n == len(want.Flows)
	})
}

// A deleted flow is told of, by the switch or by the poll; so are a crash and a return.
func TestRealSwitchHeals(t *testing.T) {
	for _, version := range []string{"OpenFlow14", "OpenFlow13"} {
		t.Run(version, func(t *testing.T) {
			sw := openflowtest.Start(t)
			sw.AddBridge(t, "br-ex", version)
			sw.AddBridge(t, "br-int")
			want := patchPorts(t, sw, "a")
			a := startReal(t, sw)
			if _, err := run(t.Context(), a.Applier, want); err != nil {
				t.Fatal(err)
			}
			if steps, err := a.Plan(t.Context(), want); err != nil || len(steps) != 0 {
				t.Fatalf("second plan %v, %v", steps, err)
			}
			sw.Ofctl(t, version, "del-flows", "br-ex", "cookie=999/-1,ip")
			heals(t, a, sw, want, version)
			sw.Kill(t)
			ovsdbtest.Eventually(t, "a dead switch fails the step", func() bool {
				_, err := run(t.Context(), a.Applier, want)
				return err != nil && strings.Contains(err.Error(), "bridge br-ex cannot be reached")
			})
			sw.Run(t)
			heals(t, a, sw, want, version)
		})
	}
}

// What an earlier mapping left is found by the cookie alone among another's flows, on a real switch too.
func TestRealSwitchUnmapped(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br-old", "OpenFlow13")
	sw.AddBridge(t, "br-ten", "OpenFlow10")
	for cookie := range 40 {
		sw.Ofctl(t, "OpenFlow13", "add-flow", "br-old", "cookie="+strconv.Itoa(990+cookie)+",priority=900,ip,in_port="+
			strconv.Itoa(cookie+1)+",actions=mod_dl_dst:"+bridgeMAC+",NORMAL")
	}
	a := startReal(t, sw)
	want := model.Node{Unmapped: []string{"br-none", "br-old", "br-ten"}}
	before := dump(t, sw, "br-old", "OpenFlow13")
	if text, err := run(t.Context(), a.Applier, want); err != nil || strings.Count(text, "delete flow br-old ") != 2 {
		t.Errorf("%v:\n%s", err, text)
	}
	left := slices.DeleteFunc(before, func(f string) bool {
		return strings.Contains(f, "cookie=0x3e6,") || strings.Contains(f, "cookie=0x3e7,")
	})
	if d := cmp.Diff(left, dump(t, sw, "br-old", "OpenFlow13")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
}

// A switch that is stuck forwards what it has: its flows are unknown, not gone. One that speaks another version is
// a fault that names the column.
func TestRealSwitchUnreadable(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br-ex", "OpenFlow10")
	sw.AddBridge(t, "br-int")
	want := patchPorts(t, sw, "a")
	a := startReal(t, sw)
	if steps, err := a.Plan(t.Context(), want); err == nil || !strings.Contains(err.Error(), "column protocols") {
		t.Errorf("a bridge of OpenFlow 1.0 alone: %v, %v", steps, err)
	}
	sw.Vsctl(t, "set", "bridge", "br-ex", "protocols=OpenFlow14")
	ovsdbtest.Eventually(t, "the bridge is reached", func() bool {
		_, err := run(t.Context(), a.Applier, want)
		return err == nil
	})
	sw.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if steps, err := a.Plan(ctx, want); err == nil {
		t.Errorf("a frozen switch: %v; want an error", steps)
	}
	// Nor does it hold up a plan that has less time than the keeper, which is dialling.
	b := ovs.New(ovs.Sockets(sw.RunDir(), nil), ovs.DefaultTimers())
	defer b.Close()
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if steps, err := b.Plan(ctx, want); err == nil || time.Since(began) > 2*time.Second {
			t.Errorf("a frozen switch: %v after %s; want an error at the deadline", steps, time.Since(began))
		}
	}
	sw.Thaw(t)
}

func BenchmarkIdlePlan(b *testing.B) {
	sw := openflowtest.Start(b)
	sw.AddBridge(b, "br-ex")
	want := node("a 1", "b 2", "c 3", "d 4", "e 5")
	a := ovs.New(ovs.Sockets(sw.RunDir(), nil), ovs.DefaultTimers())
	defer a.Close()
	if _, err := run(b.Context(), a, want); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if steps, err := a.Plan(b.Context(), want); err != nil || len(steps) > 0 {
			b.Fatal(steps, err)
		}
	}
}

// database is a connection in the place of a client.
type database struct{ *ovsdb.Conn }

func (d database) Transact(ctx context.Context, ops ...ovsdb.Operation) ([]ovsdb.Result, error) {
	return d.Conn.Transact(ctx, "Open_vSwitch", ops...)
}

func TestSetExternalID(t *testing.T) {
	server := ovsdbtest.Start(t, ovsdbtest.VSwitchSchema)
	server.Transact(t, ovsdb.Insert("Open_vSwitch", "", ovsdb.Columns{"external_ids": map[string]string{"system-id": "s1"}}))
	conn, err := ovsdb.Dial(t.Context(), server.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, step := range []struct{ key, value, want string }{
		{"ovnbgp-nb", "one", "{ovnbgp-nb=one, system-id=s1}"},
		{"ovnbgp-nb", "two", "{ovnbgp-nb=two, system-id=s1}"},
		{"ovnbgp-nb", "", "{system-id=s1}"},
		{"ovnbgp-nb", "", "{system-id=s1}"},
	} {
		if err := ovs.SetExternalID(t.Context(), database{conn}, step.key, step.value); err != nil {
			t.Fatal(err)
		}
		if got := externalIDs(t, conn); got != step.want {
			t.Errorf("after %s=%q: %s, want %s", step.key, step.value, got, step.want)
		}
	}
	if err := ovs.SetExternalID(t.Context(), database{conn}, "system-id", "s2"); err == nil {
		t.Error("another's key is written")
	}
}

func externalIDs(t *testing.T, conn *ovsdb.Conn) string {
	t.Helper()
	rows, err := conn.Select(t.Context(), "Open_vSwitch", "Open_vSwitch", nil, "external_ids")
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	var ids ovsdb.Map
	if err := rows[0].Get("external_ids", &ids); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, p := range ids {
		parts = append(parts, p.Key+"="+p.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
