package ovs_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/client/openflow"
	"ovnbgp/internal/client/openflow/openflowtest"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	fakeswitch "ovnbgp/internal/fake/ovs"
	"ovnbgp/internal/model"
)

// planned returns a plan's text without doing it, and how many calls it cost.
func planned(t *testing.T, sw *fakeswitch.Switch, a *ovs.Applier, want model.Node) (string, int) {
	t.Helper()
	sw.FailCall(0, fakeswitch.Refuse)
	steps, err := a.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.String())
	}
	return strings.Join(lines, "\n"), sw.Calls()
}

// expectPlan plans and compares the cost and whether there are steps.
func expectPlan(t *testing.T, what string, sw *fakeswitch.Switch, a *ovs.Applier, want model.Node, calls int, steps bool) {
	t.Helper()
	text, got := planned(t, sw, a, want)
	if got != calls || (text != "") != steps {
		t.Errorf("%s: %d calls, want %d; steps wanted %t:\n%s", what, got, calls, steps, text)
	}
}

func reread(t *testing.T, a *ovs.Applier) {
	t.Helper()
	if err := a.Reread(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// An idle Plan asks the switch nothing; what may have made the copy false makes the next one read, once.
func TestIdlePlanAsksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a := start(t, scenario{})
		defer a.Close()
		want := node("a 1")
		settle(t, a, want)
		planned(t, sw, a, want)
		ours, usurper := flowOf(t, 999, openflow.IPv4, 1, bridgeMAC), flowOf(t, 5, openflow.IPv4, 1, bridgeMAC)
		for _, tc := range []struct {
			name  string
			deed  func()
			calls int
			steps bool
		}{
			{"idle", func() {}, 0, false},
			{"a foreign flow elsewhere", func() { sw.Change("br-ex", openflow.Add(flowOf(t, 5, openflow.IPv4, 9, bridgeMAC))) }, 0, false},
			{"our flow deleted", func() { sw.Change("br-ex", openflow.Remove(ours)) }, 1, true},
			{"nothing more", func() {}, 0, true},
			{"our flow put back", func() { sw.Change("br-ex", openflow.Add(ours)) }, 1, false},
			{"a flow of our cookie", func() { sw.Change("br-ex", openflow.Add(flowOf(t, 998, openflow.IPv4, 8, bridgeMAC))) }, 1, true},
			{"another's in its place", func() { sw.Change("br-ex", openflow.Add(flowOf(t, 5, openflow.IPv4, 8, bridgeMAC))) }, 1, false},
			{"another's in the place of ours", func() { sw.Change("br-ex", openflow.Add(usurper)) }, 1, true},
			{"that one gone", func() { sw.Change("br-ex", openflow.Remove(usurper), openflow.Add(ours)) }, 1, false},
			{"reread", func() { reread(t, a) }, 1, false},
			{"idle again", func() {}, 0, false},
		} {
			tc.deed()
			expectPlan(t, tc.name, sw, a, want, tc.calls, tc.steps)
		}
		sw.Restart()
		synctest.Wait()
		if text, _ := planned(t, sw, a, want); !strings.Contains(text, "create") {
			t.Errorf("after a restart: %s; want the flows made again", text)
		}
	})
}

// Plan reads its own writes, also those whose answer never came.
func TestOwnWritesAreReadBack(t *testing.T) {
	for _, how := range append(fakeswitch.Failures(), -1) {
		sw, a := start(t, scenario{})
		want := node("a 1")
		steps, err := a.Plan(t.Context(), want)
		if err != nil || len(steps) != 1 {
			t.Fatal(steps, err)
		}
		if how >= 0 {
			sw.FailCall(1, how)
		}
		err = steps[0].Do(t.Context())
		if (err != nil) != (how >= 0) {
			t.Errorf("failure %d: %v", how, err)
		}
		there := len(sw.Flows("br-ex")) > len(foreign(t))
		if text, calls := planned(t, sw, a, want); calls == 0 || (text == "") != there {
			t.Errorf("failure %d: %d calls, flows there: %t, plan:\n%s", how, calls, there, text)
		}
	}
}

// A flow of another that came while its place did not matter is seen when the place does.
func TestNewPlaceIsRead(t *testing.T) {
	sw, a := start(t, scenario{})
	planned(t, sw, a, node("a 1"))
	sw.Change("br-ex", openflow.Add(flowOf(t, 5, openflow.IPv4, 2, bridgeMAC)))
	if text, err := run(t.Context(), a, node("a 1", "b 2")); err == nil || !strings.Contains(err.Error(), "a flow of another") {
		t.Errorf("%v:\n%s", err, text)
	}
	if !slices.ContainsFunc(sw.Flows("br-ex"), flowOf(t, 5, openflow.IPv4, 2, bridgeMAC).Equal) {
		t.Errorf("another's flow was overwritten:\n%s", sw)
	}
}

// meddled is a bridge on which something happens between a read and its answer, and whose monitor a test can speak for.
type meddled struct {
	*fakeswitch.Conn
	between *func()
	tell    *func(openflow.Update)
}

func (m meddled) Flows(ctx context.Context, cookie, mask uint64) ([]openflow.Flow, error) {
	flows, err := m.Conn.Flows(ctx, cookie, mask)
	if *m.between != nil {
		(*m.between)()
	}
	return flows, err
}

func (m meddled) Monitor(ctx context.Context, fn func(openflow.Update)) error {
	*m.tell = fn
	return m.Conn.Monitor(ctx, fn)
}

// startMeddled returns an Applier that has settled on such a bridge.
func startMeddled(t *testing.T) (sw *fakeswitch.Switch, a *ovs.Applier, between *func(), tell *func(openflow.Update)) {
	sw, between, tell = fakeswitch.New(), new(func()), new(func(openflow.Update))
	sw.AddBridge("br-ex")
	a = ovs.New(func(ctx context.Context, name string) (meddled, error) {
		c, err := sw.Dial(ctx, name)
		return meddled{c, between, tell}, err
	}, ovs.DefaultTimers())
	settle(t, a, node("a 1"))
	return sw, a, between, tell
}

// What was read before a change is not kept when the change is told of before the answer is there.
func TestChangeDuringRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a, between, _ := startMeddled(t)
		defer a.Close()
		reread(t, a)
		*between = func() { sw.Change("br-ex", openflow.Remove(flowOf(t, 999, openflow.IPv4, 1, bridgeMAC))) }
		expectPlan(t, "the read overtaken", sw, a, node("a 1"), 1, false)
		*between = nil
		expectPlan(t, "after it", sw, a, node("a 1"), 1, true)
		// So with Reread: what was asked before it is not what it promised.
		*between = func() { reread(t, a) }
		reread(t, a)
		expectPlan(t, "reread during a read", sw, a, node("a 1"), 1, true)
		*between = nil
		expectPlan(t, "after it", sw, a, node("a 1"), 1, true)
		expectPlan(t, "idle", sw, a, node("a 1"), 0, true)
	})
}

// While the switch has stopped telling, nothing is kept.
func TestPausedMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a, _, tell := startMeddled(t)
		defer a.Close()
		want := node("a 1")
		planned(t, sw, a, want)
		expectPlan(t, "idle", sw, a, want, 0, false)
		(*tell)(openflow.Update{Event: openflow.Paused})
		expectPlan(t, "paused", sw, a, want, 1, false)
		expectPlan(t, "still paused", sw, a, want, 1, false)
		(*tell)(openflow.Update{Event: openflow.Resumed})
		expectPlan(t, "resumed", sw, a, want, 1, false)
		expectPlan(t, "idle again", sw, a, want, 0, false)
		(*tell)(openflow.Update{Event: openflow.Paused})
		sw.Restart() // and the new connection is not paused
		settle(t, a, want)
		planned(t, sw, a, want)
		expectPlan(t, "idle on the new connection", sw, a, want, 0, false)
	})
}

// Where nothing tells, every Plan reads.
func TestDeafBridgeIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a := start(t, scenario{})
		defer a.Close()
		sw.Deafen("br-ex")
		settle(t, a, node("a 1"))
		expectPlan(t, "idle", sw, a, node("a 1"), 1, false)
		sw.Change("br-ex", openflow.Remove(flowOf(t, 999, openflow.IPv4, 1, bridgeMAC)))
		expectPlan(t, "our flow deleted", sw, a, node("a 1"), 1, true)
	})
}

// An unmapped bridge is asked until it was found clean, when it is unmapped anew, and after Reread.
func TestUnmappedBridgesAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a := start(t, scenario{})
		defer a.Close()
		left := flowOf(t, 999, openflow.IPv4, 4, bridgeMAC)
		for _, name := range []string{"br-clean", "br-old", "br-ten"} {
			sw.AddBridge(name)
		}
		sw.SpeakOnly("br-ten", 1)
		sw.Change("br-old", openflow.Add(left))
		want := node("a 1")
		settle(t, a, want)
		planned(t, sw, a, want)
		want.Unmapped = []string{"br-clean", "br-old", "br-ten"}
		expectPlan(t, "all are new", sw, a, want, 5, true) // br-ten ends with the dial
		expectPlan(t, "one is not clean", sw, a, want, 2, true)
		settle(t, a, want)
		expectPlan(t, "the deleted is found gone", sw, a, want, 2, false)
		expectPlan(t, "all are clean", sw, a, want, 0, false)
		sw.AddBridge("br-new")
		want.Unmapped = []string{"br-clean", "br-new", "br-old", "br-ten"}
		expectPlan(t, "one came", sw, a, want, 2, false)
		sw.Change("br-old", openflow.Add(left))
		want.Unmapped = []string{"br-clean", "br-new", "br-ten"}
		expectPlan(t, "one went", sw, a, want, 0, false)
		want.Unmapped = []string{"br-clean", "br-new", "br-old", "br-ten"}
		expectPlan(t, "it is back", sw, a, want, 2, true)
		settle(t, a, want)
		sw.Change("br-clean", openflow.Add(left))
		if steps, err := a.CleanupUnmapped(t.Context(), want.Unmapped...); err != nil || len(steps) != 1 {
			t.Errorf("cleanup trusts a memory: %v, %v", steps, err)
		}
		reread(t, a)
		expectPlan(t, "reread", sw, a, want, 1+7, true)
	})
}

// counted counts the reads of a real switch.
type counted struct {
	*openflow.Conn
	reads *atomic.Int32
}

func (c counted) Flows(ctx context.Context, cookie, mask uint64) ([]openflow.Flow, error) {
	c.reads.Add(1)
	return c.Conn.Flows(ctx, cookie, mask)
}

func TestRealSwitchIdle(t *testing.T) {
	sw := openflowtest.Start(t)
	sw.AddBridge(t, "br-ex", "OpenFlow14")
	sw.AddBridge(t, "br-int")
	sw.AddBridge(t, "br-old", "OpenFlow14")
	want := patchPorts(t, sw, "a")
	want.Unmapped = []string{"br-old"}
	var reads atomic.Int32
	dial := ovs.Sockets(sw.RunDir(), nil)
	a := ovs.New(func(ctx context.Context, name string) (counted, error) {
		c, err := dial(ctx, name)
		return counted{c, &reads}, err
	}, ovs.DefaultTimers())
	defer a.Close()
	steps := func() int {
		steps, err := a.Plan(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return len(steps)
	}
	idle := func() bool { // the echo of our own writes may come after the first read
		before := reads.Load()
		return steps() == 0 && reads.Load() == before
	}
	if _, err := run(t.Context(), a, want); err != nil {
		t.Fatal(err)
	}
	if n := steps(); n != 0 {
		t.Errorf("%d steps after our own writes", n)
	}
	ovsdbtest.Eventually(t, "an idle plan reads nothing", idle)
	sw.Ofctl(t, "OpenFlow14", "del-flows", "br-ex", "cookie=999/-1,ip")
	ovsdbtest.Eventually(t, "a deleted flow is seen", func() bool { return steps() == 1 })
	if _, err := run(t.Context(), a, want); err != nil {
		t.Fatal(err)
	}
	ovsdbtest.Eventually(t, "an idle plan reads nothing again", idle)
	before := reads.Load()
	reread(t, a)
	if n := steps(); n != 0 || reads.Load() != before+2 {
		t.Errorf("%d steps and %d reads after Reread, want both bridges read", n, reads.Load()-before)
	}
}
