package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	fakeswitch "ovnbgp/internal/fake/ovs"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// judge watches every step of a loop over a node and says which rule it broke. It walks packets through the node
// and looks at the cloud; the loop's books it does not know.
type judge struct {
	fence
	n        *node
	c        *cloud
	rng      *rand.Rand // decides which reads and writes fail
	read     int        // percent of reads that fail
	write    int        // percent of steps that fail
	siege    bool       // the carriers' creates and updates all fail, nothing else does
	grace    time.Duration
	unread   map[string]bool       // carriers whose last read failed
	carriers []Applier[model.Node] // to see what is missing, without failures
	places   map[string]place      // where packets for a key must go, as the cloud last said
	broken   map[string]time.Time  // since when a wanted key's carriers are not all there
	found    []string              // "1: …": the rule and what broke it
	held     func() []string       // keys that the guard holds
	steps    int
	trace    []string
}

// place is where packets for an address must arrive.
type place struct {
	device, mac, bridge string
	ofport              int
}

func (j *judge) complain(rule int, format string, args ...any) {
	j.found = append(j.found, fmt.Sprintf("%d: ", rule)+fmt.Sprintf(format, args...))
}

// look takes in what the cloud says now.
func (j *judge) look() {
	for _, m := range j.c.machines {
		net := networks()[m.net]
		if m.state == isHere && !j.c.lost {
			j.places[keyOf(m.ip)] = place{net.device, m.macText(), net.bridge, j.c.ofports[net.localnet]}
		}
	}
	for i, r := range j.c.routers {
		if r.state != isHere || j.c.lost {
			continue
		}
		net := networks()[r.net]
		at := place{net.device, r.macText(), net.bridge, j.c.ofports[net.localnet]}
		for _, p := range append(r.gateways(i), tenantPrefixes(i)...) {
			j.places[model.Key("bgp-vrf", p)] = at
		}
		for _, m := range j.c.tenants {
			if m.net == i {
				j.places[keyOf(m.ip)] = at
			}
		}
	}
	j.clock()
}

func (j *judge) want() model.Node {
	want, _ := j.c.compute(j.c.read())
	return want
}

// clock keeps since when the carriers of each wanted key are not all there. What is mended while something is unread
// is not known to be mended, so its clock runs on.
func (j *judge) clock() {
	want := j.want()
	missing := map[string]bool{}
	for _, o := range j.carriers {
		steps, _ := o.Plan(context.Background(), want)
		for _, s := range steps {
			for _, k := range want.Keys() {
				// What is stale may be in the way of what is there.
				if s.ServesKey(k) && (s.Verb != plan.Delete || s.Serves != nil) {
					missing[k] = true
				}
			}
		}
	}
	for k := range missing {
		if _, known := j.broken[k]; !known {
			j.broken[k] = time.Now()
		}
	}
	for k := range j.broken {
		if !missing[k] && !j.anyUnread() {
			delete(j.broken, k)
		}
	}
}

func (j *judge) anyUnread() bool {
	for _, u := range j.unread {
		if u {
			return true
		}
	}
	return false
}

// forwards walks a packet for a key to where the cloud last said it must arrive.
func (j *judge) forwards(v view, key string) bool {
	to, known := j.places[key]
	return known && j.n.forwards(v, addressOf(key), to)
}

// watched is an applier under the judge's eyes, whose reads and writes fail now and then.
type watched struct {
	Applier[model.Node]
	j    *judge
	told func(context.Context) ([]string, error) // announcers only
}

func (w *watched) Announced(ctx context.Context) ([]string, error) {
	if w.j.fails(w.j.read) {
		return nil, errInjected
	}
	return w.told(ctx)
}

func (w *watched) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	failed := w.j.fails(w.j.read)
	if w.told == nil {
		w.j.unread[w.Name()] = failed
		w.j.clock()
	}
	if failed {
		w.j.trace = append(w.j.trace, "unread "+w.Name())
		return nil, errInjected
	}
	steps, err := w.Applier.Plan(ctx, want)
	for i, s := range steps {
		steps[i].Do = func(ctx context.Context) error { return w.do(ctx, s) }
	}
	return steps, err
}

func (j *judge) fails(percent int) bool { return !j.siege && j.rng.IntN(100) < percent }

// do runs a step and compares what was before with what is after it.
func (w *watched) do(ctx context.Context, s plan.Step) error {
	j := w.j
	j.steps++
	before := j.n.look()
	announced, told := j.n.announced(before), j.n.told(before)
	err := w.try(ctx, s)
	after := j.n.look()
	j.trace = append(j.trace, fmt.Sprintf("%s %s: %v", w.Name(), s, err))
	j.clock()
	if j.c.away && s.Verb == plan.Delete {
		j.complain(5, "%s while the source is away", s)
	}
	switch {
	case s.Object == "peer":
		j.judgePeers(s, told, setOf(j.n.told(after)))
	case s.Verb != plan.Delete || s.Last:
		now := setOf(j.n.told(after))
		for _, k := range told {
			if !now[k] {
				j.complain(6, "%s: %s is told no more", s, k)
			}
		}
	}
	switch {
	case w.told != nil && s.Verb == plan.Delete:
		j.judgeWithdraw(s, setOf(told))
	case w.told != nil:
		j.judgeAnnounce(s, setOf(announced), after)
	}
	still := setOf(j.n.announced(after))
	for _, k := range announced {
		if still[k] && j.forwards(before, k) && !j.forwards(after, k) {
			j.complain(3, "%s: %s is announced and forwards no more", s, k)
		}
	}
	return err
}

// try runs a step, which may fail before its deed, in the middle of it, or after it.
func (w *watched) try(ctx context.Context, s plan.Step) error {
	j := w.j
	switch {
	case j.siege && w.told == nil && s.Verb != plan.Delete:
		return errInjected
	case !j.fails(j.write):
		return s.Do(ctx)
	}
	switch j.rng.IntN(3) {
	case 0:
		return errInjected
	case 1:
		return errors.Join(s.Do(ctx), errInjected)
	}
	j.n.kernel.FailCall(1 + j.rng.IntN(3))
	j.n.ovs.FailCall(1+j.rng.IntN(2), fakeswitch.Failures()[j.rng.IntN(3)])
	defer j.n.kernel.FailCall(0)
	defer j.n.ovs.FailCall(0, fakeswitch.Refuse)
	return s.Do(ctx)
}

func (j *judge) judgeAnnounce(s plan.Step, before set, now view) {
	if j.anyUnread() {
		j.complain(2, "%s while a carrier is unread", s)
	}
	for _, k := range j.n.announced(now) {
		if (!before[k] || s.ServesKey(k) && j.wanted(k)) && !j.forwards(now, k) {
			j.complain(1, "%s: %s does not forward", s, k)
		}
	}
}

func (j *judge) wanted(key string) bool { return slices.Contains(j.want().Keys(), key) }

func (j *judge) judgeWithdraw(s plan.Step, told set) {
	for _, k := range s.Serves {
		since, broken := j.broken[k]
		if told[k] && j.wanted(k) && (!broken || time.Since(since) < j.grace) {
			j.complain(4, "%s: its carriers were mended, or not gone for as long as the grace", s)
		}
	}
}

// judgeAfterGrace says whether something is still announced that does not forward, when nothing could be mended for
// the grace and nothing else failed.
func (j *judge) judgeAfterGrace() {
	v := j.n.look()
	for _, k := range j.n.told(v) {
		if j.wanted(k) && !j.forwards(v, k) {
			j.complain(4, "%s is announced and does not forward, the grace being over", k)
		}
	}
}
