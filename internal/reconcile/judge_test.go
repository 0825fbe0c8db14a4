package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

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
	unread   map[string]bool      // carriers whose last read failed
	carriers []*own               // to see what is missing, without failures
	places   map[string]place     // where packets for a key must go, as the cloud last said
	broken   map[string]time.Time // since when a wanted key's carriers are not all there
	found    []string             // "1: …": the rule and what broke it
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
	j.clock()
}

func (j *judge) want() model.Node {
	in, _ := j.c.Snapshot(context.Background())
	want, _ := j.c.compute(in)
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

// forwards walks a packet for a key: rule, route, link, neighbour, and the flow by which the answer comes back.
func (j *judge) forwards(key string) bool {
	to, known := j.places[key]
	if !known {
		return false
	}
	ip := addressOf(key)
	device, ok := j.route(ip)
	if !ok || device != to.device || !j.n.has(device) || !j.n.has(strings.Split(device, ".")[0]) {
		return false
	}
	if mac := j.n.objects[fmt.Sprintf("neighbour %s dev %s", ip, device)]; mac != to.mac {
		return false
	}
	ether := model.EtherIPv4
	if ip.Is6() {
		ether = model.EtherIPv6
	}
	return j.n.objects[fmt.Sprintf("flow %s in_port=%d %s", to.bridge, to.ofport, ether)] == bridgeMAC(to.bridge)
}

// route finds the device by the first rule for the address and the longest prefix of that rule's table.
func (j *judge) route(ip netip.Addr) (device string, ok bool) {
	prefix := netip.PrefixFrom(ip, ip.BitLen()).String()
	for _, rule := range j.n.rules {
		f := strings.Fields(rule)
		if f[1] != prefix {
			continue
		}
		all := map[bool]string{true: "0.0.0.0/0", false: "::/0"}[ip.Is4()]
		for _, p := range []string{prefix, all} {
			if device, ok = j.n.objects["route "+p+" table "+f[3]]; ok {
				return device, true
			}
		}
		return "", false // the table's end; ours have nothing behind it
	}
	return "", false
}

// watched is an applier under the judge's eyes, whose reads and writes fail now and then.
type watched struct {
	*own
	j         *judge
	announcer bool
}

func (w *watched) Announced(ctx context.Context) ([]string, error) {
	if w.j.fails(w.j.read) {
		return nil, errInjected
	}
	return w.own.Announced(ctx)
}

func (w *watched) Plan(ctx context.Context, want model.Node) ([]plan.Step, error) {
	failed := w.j.fails(w.j.read)
	if !w.announcer {
		w.j.unread[w.name] = failed
		w.j.clock()
	}
	if failed {
		w.j.trace = append(w.j.trace, "unread "+w.name)
		return nil, errInjected
	}
	steps, err := w.own.Plan(ctx, want)
	for i, s := range steps {
		steps[i].Do = func(ctx context.Context) error { return w.do(ctx, s) }
	}
	return steps, err
}

func (j *judge) fails(percent int) bool { return !j.siege && j.rng.IntN(100) < percent }

// do runs a step and compares what was before with what is after it. A step fails before or after its deed.
func (w *watched) do(ctx context.Context, s plan.Step) error {
	j := w.j
	j.steps++
	before := j.survey()
	toldBefore := setOf(j.n.told())
	late := false
	err := errInjected
	if !j.fails(j.write) && !(j.siege && !w.announcer && s.Verb != plan.Delete) {
		err = s.Do(ctx)
		if late = j.fails(j.write / 2); late {
			err = errInjected
		}
	}
	j.trace = append(j.trace, fmt.Sprintf("%s %s: %v", w.name, s, err))
	j.clock()
	if w.announcer && s.Verb != plan.Delete {
		j.judgeAnnounce(s, before)
	}
	if w.announcer && s.Verb == plan.Delete {
		j.judgeWithdraw(s, toldBefore)
	}
	for k, forwarded := range before {
		if forwarded && !j.forwards(k) && slices.Contains(j.n.onNIC(), k) {
			j.complain(3, "%s: %s is announced and forwards no more", s, k)
		}
	}
	return err
}

// survey walks a packet for every key that is there to be announced.
func (j *judge) survey() map[string]bool {
	all := map[string]bool{}
	for _, k := range j.n.onNIC() {
		all[k] = j.forwards(k)
	}
	return all
}

func (j *judge) judgeAnnounce(s plan.Step, before map[string]bool) {
	if j.anyUnread() {
		j.complain(2, "%s while a carrier is unread", s)
	}
	for _, k := range j.n.onNIC() {
		_, was := before[k]
		if (!was || s.Serves == nil && j.wanted(k)) && !j.forwards(k) {
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
	for _, k := range j.n.told() {
		if j.wanted(k) && !j.forwards(k) {
			j.complain(4, "%s is announced and does not forward, the grace being over", k)
		}
	}
}
