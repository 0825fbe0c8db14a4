package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
)

// script is one random play: a cloud to begin with, what happens to it, and which reads and writes fail.
type script struct {
	States   []int
	Acts     []act
	Seed     uint64
	Embedded bool // the speaker is the one built in
}

// act is one thing that happens. What its numbers mean depends on its kind.
type act struct {
	Kind    kind
	A, B    int
	Seconds int
}

type kind int

// Kinds of acts.
const (
	actMachine     kind = iota // machine A gets into state B
	actMove                    // machine A gets another MAC (B even) or network
	actStranger                // another hand deletes object A
	actFailures                // A percent of reads, B percent of writes fail from now on
	actSiege                   // carriers cannot be mended for the length of the grace
	actLose                    // all rows of the database are gone, or are there again
	actDatabase                // the database is another
	actBridge                  // a bridge goes down, or up
	actPort                    // a patch port loses its number, or gets one
	actRestart                 // the agent is started anew
	actAway                    // the source is away for a while, in which a stranger deletes object A
	actDaemon                  // FRR is started anew, without its leak, or the switch, without its flows
	actTenant                  // tenant machine A gets into state B
	actGateway                 // the gateway of router A gets into state B, or its router's interface comes or goes
	actGatewayMove             // the gateway of router A gets another MAC (B even) or network
	actBearer                  // hosts are announced by routes, or by addresses
	actMethod                  // subnets of tenants are announced as such, or what is in them
)

func scripts() *rapid.Generator[script] {
	// What changes addresses and their carriers comes more often than what befalls the whole node.
	often := []kind{actMachine, actMachine, actMachine, actMove, actMove, actStranger, actStranger, actStranger,
		actFailures, actFailures, actSiege, actLose, actTenant, actTenant, actGateway, actGateway, actGateway, actGatewayMove, actMethod, actBearer, actBearer, actDatabase, actBridge, actPort, actRestart, actAway, actDaemon}
	oneAct := rapid.Custom(func(t *rapid.T) act {
		return act{Kind: rapid.SampledFrom(often).Draw(t, "kind"), A: rapid.IntRange(0, 60).Draw(t, "a"),
			B:       rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, 4, 5, 20, 30, 40}).Draw(t, "b"),
			Seconds: rapid.SampledFrom([]int{0, 0, 0, 0, 1, 3, 8}).Draw(t, "seconds")}
	})
	return rapid.Custom(func(t *rapid.T) script {
		return script{States: rapid.SliceOfN(rapid.IntRange(0, machineStates-1), 1, 5).Draw(t, "states"),
			Acts: rapid.SliceOfN(oneAct, 1, 30).Draw(t, "acts"), Seed: rapid.Uint64().Draw(t, "seed"),
			Embedded: rapid.Bool().Draw(t, "embedded")}
	})
}

// stage is one play of a script.
type stage struct {
	*judge
	announcers []Announcer[model.Node]
	watched    []*watched
	rules      Rules
	change     []func(*Options[desired.Input, model.Node])
	loop       *Loop[desired.Input, model.Node]
	stop       func()
}

const grace = 5 * time.Second

func (s *stage) start() {
	o := Options[desired.Input, model.Node]{
		Source: s.c, Compute: s.c.compute, Explain: s.c.explain, Evidence: s.c.evidence, Rules: s.rules,
		Database:       func(in desired.Input) (string, string) { return in.OVN.Local.KnownDatabase, in.OVN.Database },
		AcceptDatabase: func(_ context.Context, id string) error { s.c.known = id; return nil },
		Timers:         Timers{CarrierGrace: grace},
		Guard:          Guard{Window: 20 * time.Second, Percent: 50, Min: 3, Hold: time.Minute},
	}
	s.carriers, s.announcers = s.n.appliers()
	s.watched = nil
	for _, c := range s.carriers {
		w := &watched{Applier: c, j: s.judge}
		o.Carriers, s.watched = append(o.Carriers, w), append(s.watched, w)
	}
	for _, a := range s.announcers {
		w := &watched{Applier: a, j: s.judge, told: a.Announced}
		o.Announcers, s.watched = append(o.Announcers, w), append(s.watched, w)
	}
	if s.n.embedded {
		o.Kept = s.kept
	}
	for _, change := range s.change {
		change(&o)
	}
	s.loop = New(o)
	s.held = func() (keys []string) {
		for _, k := range s.loop.guard.held {
			keys = append(keys, k.Key)
		}
		return keys
	}
	s.loop.jitter = func(d time.Duration) time.Duration { return d }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.loop.Run(ctx) // the context's error
	}()
	s.stop = func() { cancel(); <-ended }
	synctest.Wait()
}

// kept has the speaker told what is held, as it is announced.
func (s *stage) kept(ctx context.Context, _ desired.Input, want model.Node, keys []string) (model.Node, error) {
	announced, err := s.n.nic.Recorded(ctx)
	return desired.Kept(want, s.c.settings(), announced, keys), err
}

// perform plays one act and tells the loop as sources and appliers would.
func (s *stage) perform(a act) {
	s.trace = append(s.trace, fmt.Sprintf("-- %+v", a))
	m := &s.c.machines[a.A%len(s.c.machines)]
	switch a.Kind {
	case actMachine:
		m.state = a.B % machineStates
	case actMove:
		if a.B%2 == 0 {
			m.mac++
		} else {
			m.net = (m.net + 1) % len(networks())
		}
	case actStranger:
		s.trace = append(s.trace, "-- deletes "+s.n.stranger(a.A))
	case actFailures:
		s.read, s.write = a.A%50, a.B%50
	case actSiege:
		s.besiege(a)
	case actLose:
		s.c.lost = !s.c.lost
	case actDatabase:
		s.c.now = []string{"A", "B"}[a.A%2]
	case actBridge:
		s.n.setBridge(bridges()[a.A%2], a.B%2 == 0)
	case actPort:
		n := networks()[a.A%len(networks())]
		s.c.ofports[n.localnet] = a.B % 2 * (10 + a.A)
	case actTenant:
		s.c.tenants[a.A%len(s.c.tenants)].state = a.B % machineStates
	case actGateway:
		r := &s.c.routers[a.A%len(s.c.routers)]
		if a.B == 5 {
			r.detached = !r.detached
		} else {
			r.state = a.B % 5
		}
	case actGatewayMove:
		r := &s.c.routers[a.A%len(s.c.routers)]
		if a.B%2 == 0 {
			r.mac++
		} else {
			r.net = (r.net + 1) % len(networks())
		}
	case actBearer:
		s.c.routes = a.A%2 == 0
	case actMethod:
		s.c.subnets = a.A%2 == 0
	case actRestart:
		s.stop()
		s.start()
	case actAway:
		s.leave(a)
	case actDaemon:
		if s.n.leak = s.n.leak && a.A%2 == 0; a.A%2 == 0 {
			s.n.ovs.Restart()
		}
		if s.n.embedded && a.A%2 == 1 { // as with another router id
			*s.n.speaker = *newSpeaker(s.n.speaker.told())
		}
	}
	s.look()
	s.c.pokes <- struct{}{}
	s.pass(10*time.Millisecond + time.Duration(a.Seconds)*time.Second)
}

// leave takes the source away. What the node loses meanwhile is mended from what was wanted last.
func (s *stage) leave(a act) {
	s.c.away = true
	s.trace = append(s.trace, "-- deletes "+s.n.stranger(a.A))
	if a.B%2 == 1 {
		s.n.leak = false
		s.n.ovs.Restart()
	}
	s.look()
	s.c.pokes <- struct{}{}
	s.pass(time.Duration(a.B) * time.Second)
	s.c.away = false
}

// besiege lets nothing be mended until the grace is over, and everything else work.
func (s *stage) besiege(a act) {
	s.siege = true
	s.trace = append(s.trace, "-- deletes "+s.n.stranger(a.A))
	if a.B%2 == 1 {
		s.n.leak = false
	}
	s.look()
	s.c.pokes <- struct{}{}
	s.pass(grace + time.Second)
	s.judgeAfterGrace()
	s.siege = false
}

// settle ends all trouble and expects that the loop ends its own.
func (s *stage) settle() {
	s.read, s.write = 0, 0
	s.judgeHeld()
	s.c.lost = false
	for _, bridge := range bridges() {
		s.n.setBridge(bridge, true)
	}
	for i, n := range networks() {
		if s.c.ofports[n.localnet] == 0 {
			s.c.ofports[n.localnet] = 30 + i
		}
	}
	s.look()
	s.c.pokes <- struct{}{}
	s.pass(5 * time.Minute)
	if h := s.loop.Status().Held; h != nil {
		if err := s.loop.AcceptWithdrawals(context.Background(), h.Hash); err != nil {
			s.complain(0, "accept: %v", err)
		}
		s.pass(time.Minute)
	}
	s.judgeEnd()
}

// judgeHeld expects that what is held is told by the speaker built in, also by one that has begun with nothing. (FRR that is
// started anew is told to redistribute what is wanted; an address that is held where routes are wanted now is not.)
func (s *stage) judgeHeld() {
	if !s.n.embedded {
		return
	}
	s.look()
	s.c.pokes <- struct{}{}
	s.pass(40 * time.Second)
	told := setOf(s.n.told(s.n.look()))
	for _, k := range s.held() {
		if !told[k] {
			s.complain(7, "%s is held and not told", k)
		}
	}
}

// judgeEnd expects the node to be as wanted, every announcement to forward, and the loop to be idle.
func (s *stage) judgeEnd() {
	want := s.want()
	for _, w := range s.watched {
		steps, _ := w.Applier.Plan(context.Background(), want)
		for _, step := range steps {
			s.complain(0, "not converged: %s", step)
		}
	}
	v := s.n.look()
	told := s.n.told(v)
	if !slices.Equal(told, slices.Sorted(slices.Values(want.Keys()))) {
		s.complain(0, "not converged: %v is announced, %v is wanted", told, want.Keys())
	}
	for _, k := range told {
		if !s.forwards(v, k) {
			s.complain(0, "not converged: %s does not forward", k)
		}
	}
	steps, writes := s.steps, s.n.writes()
	s.c.pokes <- struct{}{}
	s.pass(time.Minute)
	if s.steps != steps || s.n.writes() != writes {
		s.complain(0, "not idle: %d steps, %d writes", s.steps-steps, s.n.writes()-writes)
	}
}

// run plays a script under the given rules and returns what the judge found, and what happened.
func run(t *testing.T, sc script, rules Rules, change ...func(*Options[desired.Input, model.Node])) (found, trace []string) {
	synctest.Test(t, func(*testing.T) {
		j := &judge{n: newNode(sc.Embedded), c: newCloud(sc.States), rng: rand.New(rand.NewPCG(sc.Seed, 1)), grace: grace,
			unread: map[string]bool{}, places: map[string]place{}, broken: map[string]time.Time{}}
		j.c.sync, j.c.embedded = j.sync, sc.Embedded
		s := &stage{judge: j, rules: rules, change: change}
		s.carriers, _ = s.n.appliers()
		s.look()
		s.start()
		for _, a := range sc.Acts {
			s.perform(a)
		}
		s.settle()
		s.stop()
		s.n.close()
		found, trace = j.found, j.trace
	})
	return found, trace
}

// Whatever happens to the cloud and the node, and whatever fails: the invariants of the rules hold, and when the
// trouble ends the node is as wanted and the loop is idle.
func TestRulesKeepTheirInvariants(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		sc := scripts().Draw(r, "script")
		if found, trace := run(t, sc, AllRules()); len(found) > 0 {
			r.Fatalf("%s\n%s", strings.Join(found, "\n"), strings.Join(trace, "\n"))
		}
	})
}

// Each rule matters: without it, the judge finds its invariant broken.
func TestEachRuleMatters(t *testing.T) {
	off := map[int]func(*Rules){
		1: func(r *Rules) { r.Withhold = false },
		2: func(r *Rules) { r.Unread = false },
		3: func(r *Rules) { r.ClearLast = false },
		4: func(r *Rules) { r.MendFirst = false },
	}
	for number, turnOff := range off {
		t.Run(fmt.Sprintf("rule %d off", number), func(t *testing.T) {
			rules := AllRules()
			turnOff(&rules)
			for seed := range 300 {
				found, _ := run(t, scripts().Example(seed), rules)
				if slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, fmt.Sprint(number)) }) {
					t.Logf("script %d: %s", seed, found[0])
					return
				}
			}
			t.Error("no script of 300 breaks its invariant")
		})
	}
}

// So does that the speaker built in is told what is held: without, it tells nothing of it after a restart.
func TestThatWhatIsHeldIsToldMatters(t *testing.T) {
	sc := script{States: []int{isHere}, Acts: []act{{Kind: actMachine, B: isDownHere}, {Kind: actRestart}}, Embedded: true}
	if found, trace := run(t, sc, AllRules()); len(found) > 0 {
		t.Errorf("%s\n%s", strings.Join(found, "\n"), strings.Join(trace, "\n"))
	}
	forget := func(o *Options[desired.Input, model.Node]) { o.Kept = nil }
	if found, _ := run(t, sc, AllRules(), forget); !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "7") }) {
		t.Errorf("without it: %q", found)
	}
}
