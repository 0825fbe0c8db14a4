package conformance

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"ovnbgp/internal/fake/fabric"
	"ovnbgp/internal/model"
)

// measureFlag has failures measured: some minutes, one scene at a time so that times are those of an idle machine.
var measureFlag = flag.Bool("measure", false, "measure failures and recoveries")

// runs is how often each failure is played.
const runs = 3

// failure is something that breaks, and what is read of it.
type failure struct {
	what string
	peer fabric.Make
	play func(*scene) []reading
}

// reading is one figure of one run.
type reading struct {
	what, target string
	value        string
}

// failures are played with FRR as the leaf where links break. Where speakers restart it is BIRD: of a bgpd younger than
// two minutes nobody waits for the End-of-RIB (see unlessYoung).
func failures() []failure {
	return []failure{
		{"link cut, BFD fast", fabric.FRR, func(s *scene) []reading { return cutLink(s, "100–300 ms", watched) }},
		{"link cut, no BFD, no graceful restart, hold time 9 s", fabric.FRR, func(s *scene) []reading {
			s.want.BGP.GracefulRestart = model.GracefulRestart{}
			return cutLink(s, "hold time", slow)
		}},
		// The leaf cannot know that it is the link: it keeps what a speaker that restarts would be grateful for.
		{"link cut, no BFD, restart time 10 s, hold time 9 s", fabric.FRR, func(s *scene) []reading {
			s.want.BGP.GracefulRestart.RestartTime = 10 * time.Second
			return cutLink(s, "hold time (leaf: and restart time)", slow)
		}},
		{"carrier lost", fabric.FRR, unplug},
		{"one of two leaves cut, BFD fast", fabric.FRR, oneOfTwo},
		{"bgp killed", fabric.BIRD, reads(killBGP)},
		{"bgp terminated", fabric.BIRD, reads(terminateBGP)},
		{"bgp killed, no graceful restart (control)", fabric.FRR, control},
		{"all of FRR killed", fabric.BIRD, withFRR(reads(killAll))},
		{"all of FRR restarted", fabric.BIRD, withFRR(reads(terminateAll))},
		{"agent killed", fabric.BIRD, reads(killAgent)},
		{"agent upgraded", fabric.BIRD, reads(upgradeAgent)},
	}
}

func reads(e func() ending) func(*scene) []reading {
	return func(s *scene) []reading { return restarted(s, e()) }
}

// withFRR has nothing read of a node without FRR.
func withFRR(play func(*scene) []reading) func(*scene) []reading {
	return func(s *scene) []reading {
		if s.frr == nil {
			return []reading{{"nothing to restart", "", "there is no FRR"}}
		}
		return play(s)
	}
}

// slow has a session without BFD end when its hold time is over.
func slow(b both) {
	b.node.Hold, b.node.Keepalive, b.leaf.Hold = 9*time.Second, 3*time.Second, 9*time.Second
}

// TestFailover prints what was measured beside what is promised. What it asserts are counts, as the suite does.
func TestFailover(t *testing.T) {
	if !*measureFlag {
		t.Skip("not asked for: -measure")
	}
	table := map[string][]string{}
	var order []string
	for _, f := range failures() {
		for _, kind := range speakerNames() {
			for run := range runs {
				t.Run(strings.ReplaceAll(fmt.Sprintf("%s/%s/%d", f.what, kind, run), " ", "-"), func(t *testing.T) {
					for _, r := range f.play(newScene(t, kind, f.peer)) {
						key := strings.Join([]string{f.what + ": " + r.what, kind, string(f.peer), r.target}, "\t")
						if table[key] == nil {
							order = append(order, key)
						}
						table[key] = append(table[key], r.value)
					}
				})
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAILURE\tSPEAKER\tPEER\tTARGET\tMEASURED")
	for _, key := range order {
		fmt.Fprintf(w, "%s\t%s\n", key, strings.Join(table[key], ", "))
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
}

func elapsed(from, to time.Time) string { return fmt.Sprintf("%d ms", to.Sub(from).Milliseconds()) }

// await waits until a monitor has seen a change with these words, and returns when.
func (s *scene) seen(m *fabric.Monitor, words ...string) time.Time {
	s.t.Helper()
	var at time.Time
	s.await(func() error {
		var ok bool
		if at, ok = m.First(words...); !ok {
			return fmt.Errorf("the monitor has not seen %q", words)
		}
		return nil
	})
	return at
}

// cutLink cuts a link silently and mends it.
func cutLink(s *scene, target string, change func(both)) []reading {
	l := s.oneLeaf(change)
	atNode, atLeaf := fabric.MonitorRoutes(s.node), fabric.MonitorRoutes(l.Node())
	l.link.Cut()
	cut := time.Now()
	nodeLost, leafLost := s.seen(atNode, "Deleted", "default"), s.seen(atLeaf, "Deleted", "203.0.113.9")
	atNode.Forget()
	atLeaf.Forget()
	l.link.Mend()
	mended := time.Now()
	nodeBack, leafBack := s.seen(atNode, "default"), s.seen(atLeaf, "203.0.113.9")
	return []reading{
		{"node's default gone", target, elapsed(cut, nodeLost)},
		{"leaf's route gone", target, elapsed(cut, leafLost)},
		{"mended, node's default back", "1–3 s", elapsed(mended, nodeBack)},
		{"mended, leaf's route back", "1–3 s", elapsed(mended, leafBack)},
	}
}

// unplug takes the carrier from the node's end; the leaf learns of it from nobody but its hold time.
func unplug(s *scene) []reading {
	l := s.oneLeaf()
	atNode := fabric.MonitorRoutes(s.node)
	l.link.Unplug()
	down := time.Now()
	s.await(func() error {
		hops, _, err := s.defaults(4)
		if err == nil && len(hops) > 0 {
			err = fmt.Errorf("the default is still by %q", hops)
		}
		return err
	})
	lost := time.Now() // IPv4 routes of a device that goes down go in silence
	atNode.Forget()
	l.link.Plug()
	plugged := time.Now()
	back := s.seen(atNode, "default")
	return []reading{
		{"node's default gone", "at once", elapsed(down, lost)},
		{"plugged, node's default back", "1–3 s", elapsed(plugged, back)},
	}
}

// restarted ends something and has it started again. Nothing may change at the leaf meanwhile, nor on the node where the
// kernel's routes are to stay.
func restarted(s *scene, e ending) []reading {
	l := s.oneLeaf(gracefully)
	before := s.up(l)
	atLeaf, atNode := fabric.MonitorRoutes(l.Node()), fabric.MonitorRoutes(s.node)
	ended := time.Now()
	e.end(s)
	time.Sleep(absence)
	away := time.Since(ended)
	start := time.Now()
	e.start(s)
	what, target, value := "session", "kept", "kept"
	if session, err := l.Session(s.t.Context()); err != nil || session != before {
		s.another(l, before)
		what, target, value = "session back after start", "1–3 s", elapsed(start, time.Now())
	}
	s.settle(l)
	ofTheLeaf := slices.DeleteFunc(atLeaf.Changes(), func(c fabric.Change) bool { return strings.Contains(c.Text, lastPrefix) })
	for _, c := range ofTheLeaf {
		s.t.Errorf("at the leaf: %s", c.Text)
	}
	if e.nodeKeeps(s) {
		s.quiet(atNode, "the node")
	}
	s.learned(4, l)
	return []reading{
		{what, target, value},
		{"it was away for", "", fmt.Sprintf("%d ms", away.Milliseconds())},
		{"route changes at the leaf", "0", fmt.Sprint(len(ofTheLeaf))},
		{"route changes at the node", "0", fmt.Sprint(len(atNode.Changes()))},
	}
}

// ending is how something ends and starts again.
type ending struct {
	end, start func(*scene)
	nodeKeeps  func(*scene) bool // its kernel's routes stay
}

// beside: FRR goes on speaking while the agent is away; the speaker built in is part of the agent.
func beside(s *scene) bool { return s.frr != nil || unlessYoung(s) }

// unlessYoung: a bgpd that is younger than two minutes says that it is restarting itself (R bit), and nobody waits for
// the End-of-RIB of such a neighbour (RFC 4724, 4.1): its routes are gone from the node until it has sent them anew. The
// leaves with FRR are that young here.
func unlessYoung(s *scene) bool { return s.make != fabric.FRR }

// unlessFRR: FRR 8.4 that is asked to end takes what it has learned from the kernel, whatever it has agreed with its
// neighbours; a crash leaves it there.
func unlessFRR(s *scene) bool { return s.frr == nil && unlessYoung(s) }

func killBGP() ending { return ending{(*scene).kill, (*scene).revive, unlessYoung} }

func terminateBGP() ending { return ending{(*scene).terminate, (*scene).revive, unlessFRR} }

func killAll() ending {
	return ending{func(s *scene) { s.frr.Kill(everything...) }, (*scene).reviveAll, unlessYoung}
}

func terminateAll() ending {
	return ending{func(s *scene) { s.frr.Terminate(everything...) }, (*scene).reviveAll, unlessFRR}
}

func killAgent() ending {
	return ending{func(s *scene) { s.process.end(syscall.SIGKILL) }, (*scene).startAgent, beside}
}

func upgradeAgent() ending {
	return ending{func(s *scene) { s.process.end(syscall.SIGTERM) }, (*scene).startAgent, beside}
}

// everything are FRR's daemons on the node.
var everything = []string{"zebra", "bgpd", "bfdd"}

func (s *scene) reviveAll() {
	s.t.Helper()
	s.frr.Start(everything...)
	s.load(everything...)
}

func (s *scene) startAgent() {
	s.t.Helper()
	s.startSpeaker()
	s.apply()
}

// absence is how long a restarted service is away.
const absence = 500 * time.Millisecond

// control shows that the monitors of the other restarts would have seen churn.
func control(s *scene) []reading {
	s.want.BGP.GracefulRestart = model.GracefulRestart{}
	l := s.oneLeaf()
	before := s.up(l)
	atLeaf := fabric.MonitorRoutes(l.Node())
	s.kill()
	s.told(l, model.IPv4Unicast)
	s.revive()
	s.another(l, before)
	s.told(l, model.IPv4Unicast, first+" via 10.0.1.2 as 64999")
	s.seen(atLeaf, "Deleted", "203.0.113.9")
	return []reading{{"route changes at the leaf", "2 and more", fmt.Sprint(len(atLeaf.Changes()))}}
}

// oneOfTwo has traffic go out by two leaves, of which one is cut.
func oneOfTwo(s *scene) []reading {
	sent, got, spread := s.throughTwo(fast())
	return []reading{
		{"packets of 16 flows by each leaf", "both", fmt.Sprint(spread)},
		{"packets lost of 16 flows, one each 20 ms", "while it is detected", fmt.Sprintf("%d of %d", sent-got, sent)},
	}
}

// flows is how many destinations are pinged at once, and packets how often each, every interval.
const (
	flows    = 16
	packets  = 150
	interval = "0.02"
)

// throughTwo pings destinations that both leaves have and cuts one leaf. It returns how many packets were sent and
// answered, and how many each leaf got in the second before.
func (s *scene) throughTwo(profile model.BFDProfile) (sent, got int, spread []int) {
	s.t.Helper()
	one, two := s.leaf(watchedBy(profile)), s.leaf(watchedBy(profile))
	s.want.BGP.Profiles = []model.BFDProfile{profile}
	for _, l := range s.leaves {
		l.Node().IP("addr", "add", "198.51.100.0/24", "dev", "lo") // all of it is local there
	}
	s.announce(model.Attributes{}, first)
	s.play()
	s.learned(4, one, two)
	for _, l := range s.leaves {
		s.watching(l)
		s.told(l, model.IPv4Unicast, first+fmt.Sprintf(" via 10.0.%d.2 as 64999", l.number))
		s.await(func() error {
			_, err := l.Node().Try("ping", "-c1", "-W1", "-I", fmt.Sprintf("10.0.%d.1", l.number), loopback4.String())
			return err
		})
	}
	pings := make([]bytes.Buffer, flows)
	wait := make([]func() error, flows)
	for i := range flows {
		cmd := s.node.Command("ping", "-q", "-i", interval, "-c", fmt.Sprint(packets), "-W", "1", "-I", loopback4.String(),
			fmt.Sprintf("198.51.100.%d", i))
		cmd.Stdout = &pings[i]
		s.node.Start(cmd)
		wait[i] = cmd.Wait
	}
	received := func(l *leaf) int { return received(s.t, l) }
	before := []int{received(one), received(two)}
	time.Sleep(time.Second)
	spread = []int{received(one) - before[0], received(two) - before[1]}
	one.link.Cut()
	s.learned(4, two)
	for i := range flows {
		_ = wait[i]() // it fails when a packet was lost, which is what is counted
		a, b := counts(s.t, pings[i].String())
		sent, got = sent+a, got+b
	}
	if sent != flows*packets || got < sent/2 {
		s.t.Errorf("%d of %d packets were answered, of %d", got, sent, flows*packets)
	}
	for i, n := range spread {
		if n < packets/3 {
			s.t.Errorf("leaf %d got %d packets in a second: traffic is not spread", i+1, n)
		}
	}
	return sent, got, spread
}

// received reads how many packets have come to a leaf.
func received(t testing.TB, l *leaf) int {
	t.Helper()
	out := strings.TrimSpace(l.Node().Run("cat", "/proc/net/dev"))
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "eth1:"); ok {
			var size, n int
			if _, err := fmt.Sscan(rest, &size, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no eth1 in %s", out)
	return 0
}

// counts reads "150 packets transmitted, 143 received".
func counts(t testing.TB, text string) (sent, got int) {
	t.Helper()
	_, line, _ := strings.Cut(text, "statistics ---\n")
	if _, err := fmt.Sscanf(line, "%d packets transmitted, %d received", &sent, &got); err != nil {
		t.Fatalf("ping says %q: %v", text, err)
	}
	return sent, got
}
