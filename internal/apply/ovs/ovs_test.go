package ovs_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/client/openflow"
	fakeswitch "ovnbgp/internal/fake/ovs"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

var update = flag.Bool("update", false, "rewrite the golden files")

const bridgeMAC = "02:aa:bb:cc:dd:01"

// node wants both flows of each localnet on br-ex; a localnet is "name ofport", the number 0 when it has no port.
func node(localnets ...string) model.Node {
	n := model.Node{Bridges: []model.Bridge{{Name: "br-ex", Table: 10}}}
	for _, l := range localnets {
		var name string
		var port int
		if _, err := fmt.Sscan(l, &name, &port); err != nil {
			panic(err)
		}
		for _, ether := range []model.EtherType{model.EtherIPv4, model.EtherIPv6} {
			f := model.Flow{Bridge: "br-ex", Priority: 900, EtherType: ether, Localnet: name, OFPort: port,
				EthDst: bridgeMAC, Why: "what leaves " + name + " is routed by this node",
				Serves: []string{"bgp-vrf " + name + "/" + string(ether)}}
			if port >= 0 {
				f.InPort = "patch-" + name + "-to-br-int"
			}
			n.Flows = append(n.Flows, f)
		}
	}
	return n
}

func flowOf(t testing.TB, cookie uint64, ether openflow.EthType, port uint32, mac string) openflow.Flow {
	t.Helper()
	m, err := openflow.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	return openflow.Flow{Priority: 900, Cookie: cookie, Match: openflow.Match{EthType: ether, InPort: port},
		Actions: []openflow.Action{openflow.SetEthDst(m), openflow.Output(openflow.PortNormal)}}
}

// foreign are flows of others that every scenario starts with, and that every test must find again.
func foreign(t testing.TB) []openflow.Flow {
	normal := openflow.Flow{Actions: []openflow.Action{openflow.Output(openflow.PortNormal)}}
	near := flowOf(t, 1000, openflow.IPv4, 77, bridgeMAC)
	return []openflow.Flow{normal, near}
}

// scenario is one thing that happens to a switch with bridge br-ex, and what is wanted then.
type scenario struct {
	name   string
	before func(t testing.TB, sw *fakeswitch.Switch)
	want   model.Node
}

func has(flows ...func(t testing.TB) openflow.Flow) func(testing.TB, *fakeswitch.Switch) {
	return func(t testing.TB, sw *fakeswitch.Switch) {
		for _, f := range flows {
			sw.Change("br-ex", openflow.Add(f(t)))
		}
	}
}

func existing(cookie uint64, ether openflow.EthType, port uint32, mac string) func(testing.TB) openflow.Flow {
	return func(t testing.TB) openflow.Flow { return flowOf(t, cookie, ether, port, mac) }
}

func scenarios() []scenario {
	noMAC := node("a 1")
	for i := range noMAC.Flows {
		noMAC.Flows[i].EthDst = ""
	}
	elsewhere := node("a 1")
	for i := range elsewhere.Flows {
		elsewhere.Flows[i].Bridge = "br-none"
	}
	return []scenario{
		{"two localnets, nothing there", nil, node("a 1", "b 2")},
		{"all there, by the old agent", has(existing(999, openflow.IPv4, 1, bridgeMAC),
			existing(999, openflow.IPv6, 1, bridgeMAC)), node("a 1")},
		{"the other cookie is re-marked apart from what is written", has(existing(998, openflow.IPv4, 1, bridgeMAC)),
			node("a 1")},
		{"the bridge's MAC changed", has(existing(999, openflow.IPv4, 1, "02:00:00:00:00:01"),
			existing(999, openflow.IPv6, 1, bridgeMAC)), node("a 1")},
		{"the patch port came back with another number", has(existing(999, openflow.IPv4, 1, bridgeMAC),
			existing(999, openflow.IPv6, 1, bridgeMAC)), node("a 3")},
		{"nothing is wanted any more", has(existing(999, openflow.IPv4, 1, bridgeMAC),
			existing(998, openflow.IPv6, 4, bridgeMAC)), node()},
		{"one localnet has no patch port, one no number", nil, node("a -1", "b 0", "c 3")},
		{"a flow of another is in the place", has(existing(5, openflow.IPv4, 1, bridgeMAC)), node("a 1")},
		{"the MAC is unknown, what is there stays", has(existing(999, openflow.IPv4, 1, bridgeMAC)), noMAC},
		{"no such bridge", nil, elsewhere},
	}
}

func start(t testing.TB, s scenario) (*fakeswitch.Switch, *ovs.Applier) {
	t.Helper()
	sw := fakeswitch.New()
	sw.AddBridge("br-ex")
	for _, f := range foreign(t) {
		sw.Change("br-ex", openflow.Add(f))
	}
	if s.before != nil {
		s.before(t, sw)
	}
	a := ovs.New(sw.Dial, ovs.DefaultTimers())
	t.Cleanup(a.Close)
	return sw, a
}

// run plans and does, and returns the plan and what failed, as text.
func run(ctx context.Context, a *ovs.Applier, want model.Node) (string, error) {
	steps, err := a.Plan(ctx, want)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	var errs []error
	for _, s := range steps {
		if err := plan.Write(&out, []plan.Step{s}); err != nil {
			return "", err
		}
		serves := "all"
		if s.Serves != nil {
			serves = strings.Join(s.Serves, ", ")
		}
		fmt.Fprintf(&out, "  serves %s\n", serves)
		if err := s.Do(ctx); err != nil {
			fmt.Fprintf(&out, "  fails: %v\n", err)
			errs = append(errs, err)
		}
	}
	return out.String(), errors.Join(errs...)
}

// The plan of every scenario, what it makes of the switch, and that a second round finds nothing new to do.
func TestScenarios(t *testing.T) {
	var out strings.Builder
	for _, s := range scenarios() {
		sw, a := start(t, s)
		text, err := run(t.Context(), a, s.want)
		if text == "" && err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		fmt.Fprintf(&out, "# %s\n%s%s\n", s.name, text, sw)
		writes := sw.Writes()
		again, _ := run(t.Context(), a, s.want)
		for line := range strings.Lines(again) {
			if !strings.HasPrefix(line, " ") && !strings.Contains(text, line) {
				t.Errorf("%s: a second round has another step: %s", s.name, line)
			}
		}
		if err == nil && again != "" {
			t.Errorf("%s: a second round has steps:\n%s", s.name, again)
		}
		if sw.Writes() != writes {
			t.Errorf("%s: a second round writes", s.name)
		}
		checkForeign(t, s.name, sw)
	}
	golden(t, "scenarios.golden", out.String())
}

func checkForeign(t testing.TB, name string, sw *fakeswitch.Switch) {
	t.Helper()
	for _, f := range foreign(t) {
		if !slices.ContainsFunc(sw.Flows("br-ex"), f.Equal) {
			t.Errorf("%s: foreign flow gone: %s", name, f)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// Whatever call fails, in whatever way, the same rounds repeated come to the same switch.
func TestEveryFailureConverges(t *testing.T) {
	for _, s := range scenarios() {
		sw, a := start(t, s)
		_, wantErr := run(t.Context(), a, s.want)
		want := sw.String()
		calls := sw.Calls()
		for n := range calls {
			for _, how := range fakeswitch.Failures() {
				synctest.Test(t, func(t *testing.T) {
					sw, a := start(t, s)
					defer a.Close()
					sw.FailCall(n+1, how)
					_, first := run(t.Context(), a, s.want)
					for range 2 {
						time.Sleep(3 * time.Second) // in the bubble's time: the keeper has dialled again
						synctest.Wait()
						_, err := run(t.Context(), a, s.want)
						if (err == nil) != (wantErr == nil) {
							t.Errorf("%s: call %d failed (%v): a later round: %v", s.name, n+1, first, err)
						}
					}
					if d := cmp.Diff(want, sw.String()); d != "" {
						t.Errorf("%s: call %d failed (-want +got):\n%s", s.name, n+1, d)
					}
				})
			}
		}
	}
}

// A bridge whose flows could not be read is an error of Plan, not an empty bridge.
func TestUnknownIsNotEmpty(t *testing.T) {
	sw, a := start(t, scenario{})
	sw.Fail("read")
	steps, err := a.Plan(t.Context(), node("a 1"))
	if !errors.Is(err, fakeswitch.ErrInjected) || len(steps) > 0 {
		t.Errorf("plan %v, %v", steps, err)
	}
	// Nor is one whose column protocols nobody here speaks: its flows forward on.
	sw.SpeakOnly("br-ex", 1)
	steps, err = a.Plan(t.Context(), node("a 1"))
	if err == nil || len(steps) > 0 || !strings.Contains(err.Error(), "bridge br-ex: ") ||
		!strings.Contains(err.Error(), "column protocols") {
		t.Errorf("plan %v, %v", steps, err)
	}
}

func poked(a *ovs.Applier) bool {
	synctest.Wait()
	select {
	case <-a.Pokes():
		return true
	default:
		return false
	}
}

// settle runs rounds as long as something pokes.
func settle(t *testing.T, a *ovs.Applier, want model.Node) {
	t.Helper()
	for again := true; again; again = poked(a) {
		if _, err := run(t.Context(), a, want); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // in the bubble's time: every poll and retry has been
	}
}

// What others do to our flows pokes at once; what we do, and what concerns others, does not.
func TestPokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a := start(t, scenario{})
		defer a.Close()
		settle(t, a, node("a 1"))
		ours := flowOf(t, 999, openflow.IPv4, 1, bridgeMAC)
		usurper := ours
		usurper.Cookie = 5
		for _, tc := range []struct {
			name string
			deed func()
			want bool
		}{
			{"nothing", func() {}, false},
			{"a foreign flow", func() { sw.Change("br-ex", openflow.Add(flowOf(t, 5, openflow.IPv4, 9, bridgeMAC))) }, false},
			{"our flow deleted", func() { sw.Change("br-ex", openflow.Remove(ours)) }, true},
			{"a flow of our cookie", func() { sw.Change("br-ex", openflow.Add(flowOf(t, 998, openflow.IPv4, 9, bridgeMAC))) }, true},
			{"another's flow in the place of ours", func() { sw.Change("br-ex", openflow.Add(usurper)) }, true},
			{"restart", sw.Restart, true},
		} {
			tc.deed()
			if got := poked(a); got != tc.want {
				t.Errorf("%s: poked %t, want %t", tc.name, got, tc.want)
			}
			sw.Change("br-ex", openflow.RemoveAll(5))
			settle(t, a, node("a 1"))
		}
	})
}

func TestPollsWhereNothingTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a := start(t, scenario{})
		defer a.Close()
		sw.Deafen("br-ex")
		settle(t, a, node("a 1"))
		time.Sleep(time.Minute)
		if poked(a) {
			t.Error("poked though nothing changed")
		}
		sw.Change("br-ex", openflow.Remove(flowOf(t, 999, openflow.IPv4, 1, bridgeMAC)))
		time.Sleep(5 * time.Second)
		if !poked(a) {
			t.Error("a deleted flow goes unseen for 5 s")
		}
	})
}

// A bridge that appears is seen, and one that goes takes no other with it.
func TestBridgeComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw, a := start(t, scenario{})
		defer a.Close()
		want := node("a 1")
		want.Bridges = append(want.Bridges, model.Bridge{Name: "br-new"})
		f := want.Flows[0]
		f.Bridge = "br-new"
		want.Flows = append(want.Flows, f)
		text, err := run(t.Context(), a, want)
		if err == nil || !strings.Contains(err.Error(), "bridge br-new cannot be reached") {
			t.Errorf("missing bridge: %v", err)
		}
		if len(sw.Flows("br-ex")) != len(foreign(t))+2 {
			t.Errorf("the other bridge waits:\n%s%s", text, sw)
		}
		time.Sleep(time.Minute)
		poked(a)
		sw.AddBridge("br-new")
		time.Sleep(2 * time.Second)
		if !poked(a) {
			t.Error("a new bridge goes unseen")
		}
		settle(t, a, want)
		if len(sw.Flows("br-new")) != 1 {
			t.Errorf("nothing on the new bridge:\n%s", sw)
		}
		// Unmapped: nothing of ours stays there.
		unmapped := node("a 1")
		unmapped.Unmapped = []string{"br-new"}
		settle(t, a, unmapped)
		if len(sw.Flows("br-new")) != 0 {
			t.Errorf("flows on an unmapped bridge:\n%s", sw)
		}
	})
}

// On a bridge that is not mapped only flows of ours are touched, and one that cannot be asked troubles nobody.
func TestUnmappedBridges(t *testing.T) {
	sw, a := start(t, scenario{})
	for _, name := range []string{"br-old", "br-ten"} {
		sw.AddBridge(name)
		for _, cookie := range []uint64{999, 998, 997, 1000, 5, 0} {
			sw.Change(name, openflow.Add(flowOf(t, cookie, openflow.IPv4, uint32(cookie)+1, bridgeMAC)))
		}
	}
	sw.SpeakOnly("br-ten", 1)
	want := node("a 1")
	want.Unmapped = []string{"br-gone", "br-old", "br-ten"}
	text, err := run(t.Context(), a, want)
	if err != nil || strings.Count(text, "delete flow br-old ") != 2 {
		t.Errorf("%v:\n%s", err, text)
	}
	if got := len(sw.Flows("br-old")); got != 4 {
		t.Errorf("left on br-old, want the four of others:\n%s", sw)
	}
	if got := len(sw.Flows("br-ten")); got != 6 {
		t.Errorf("br-ten was touched:\n%s", sw)
	}
	if steps, err := a.Plan(t.Context(), want); err != nil || len(steps) != 0 {
		t.Errorf("second plan: %v, %v", steps, err)
	}
	for n, what := range []string{"dialling", "reading"} {
		if err := a.Reread(t.Context()); err != nil {
			t.Fatal(err)
		}
		sw.FailCall(n+3, fakeswitch.Refuse) // after the read of br-ex and the dial of br-gone
		if steps, err := a.Plan(t.Context(), want); !errors.Is(err, fakeswitch.ErrInjected) {
			t.Errorf("%s br-old fails: %v, %v; want that as an error", what, steps, err)
		}
	}
}

func TestCleanup(t *testing.T) {
	sw, a := start(t, scenario{before: has(existing(998, openflow.IPv4, 4, bridgeMAC))})
	if _, err := run(t.Context(), a, node("a 1")); err != nil {
		t.Fatal(err)
	}
	sw.Change("br-ex", openflow.Add(flowOf(t, 998, openflow.IPv4, 4, bridgeMAC)))
	sw.AddBridge("br-old")
	sw.Change("br-old", openflow.Add(flowOf(t, 999, openflow.IPv4, 4, bridgeMAC)))
	steps, err := a.Cleanup(t.Context(), "br-ex", "br-none")
	if err != nil {
		t.Fatal(err)
	}
	more, err := a.CleanupUnmapped(t.Context(), "br-gone", "br-old")
	steps = append(steps, more...)
	if err != nil || len(steps) != 4 {
		t.Fatalf("cleanup: %v, %v; want four steps", steps, err)
	}
	for _, s := range steps {
		if s.Verb != plan.Delete {
			t.Errorf("cleanup has %s", s)
		}
		if err := s.Do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(sw.Flows("br-ex")) != len(foreign(t)) || len(sw.Flows("br-old")) != 0 {
		t.Errorf("after cleanup:\n%s", sw)
	}
	checkForeign(t, "cleanup", sw)
}
