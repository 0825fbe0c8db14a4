package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/lab"
)

// traffic is what the outside host sends all the time while a script does other things.
type traffic struct {
	pings map[netip.Addr]*pings
	talks map[netip.Addr]*talk
}

// cmdTraffic keeps traffic going from the outside host: "traffic begin ADDRESS…" sends five pings a second to each
// address and keeps one TCP connection to its VM alive; "traffic ping ADDRESS…" sends pings only (a router has no TCP).
// "traffic unbroken" ends all of it: no ping may be lost, and each connection must have carried everything to the end.
// "traffic broken ADDRESS…" ends it too: pings to these, and to no other, must have been lost.
func (s *stage) cmdTraffic(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: traffic begin|ping ADDRESS… | traffic unbroken | traffic broken ADDRESS…")
	}
	var addresses []netip.Addr
	for _, text := range args[1:] {
		a, err := netip.ParseAddr(text)
		ts.Check(err)
		addresses = append(addresses, a)
	}
	switch args[0] {
	case "begin", "ping":
		for _, a := range addresses {
			ts.Check(s.beginTraffic(a, args[0] == "begin"))
		}
	case "unbroken", "broken":
		broken, err := s.endTraffic(ts.Logf)
		ts.Check(err)
		if !slices.Equal(broken, addresses) {
			ts.Fatalf("traffic was broken to %v, want %v", broken, addresses)
		}
	default:
		ts.Fatalf("traffic %s: want begin, ping, unbroken or broken", args[0])
	}
}

func (s *stage) beginTraffic(to netip.Addr, talks bool) error {
	if s.traffic == nil {
		s.traffic = &traffic{pings: map[netip.Addr]*pings{}, talks: map[netip.Addr]*talk{}}
		s.undo = append(s.undo, func() error { _, err := s.endTraffic(func(string, ...any) {}); return err })
	}
	outside, err := s.fabric.Node("outside")
	if err != nil {
		return err
	}
	if s.traffic.pings[to], err = beginPings(outside, to); err != nil || !talks {
		return err
	}
	conn, err := s.fabric.Talk(s.ctx, to)
	if err == nil {
		s.traffic.talks[to] = beginTalk(conn)
	}
	return err
}

// endTraffic ends all traffic and lists the addresses to which it was broken.
func (s *stage) endTraffic(logf func(string, ...any)) ([]netip.Addr, error) {
	if s.traffic == nil {
		return nil, nil
	}
	t := s.traffic
	s.traffic = nil
	var broken []netip.Addr
	var errs []error
	for _, p := range t.pings {
		errs = append(errs, p.mark())
	}
	for to, p := range t.pings {
		sent, lost, err := p.end()
		errs = append(errs, err)
		logf("%s: %d pings, lost %v", to, sent, lost)
		if len(lost) > 0 {
			broken = append(broken, to)
		}
	}
	for to, c := range t.talks {
		longest, err := c.end()
		logf("%s: %d words over one TCP connection, the longest took %.2f s: %v", to, c.words, longest.Seconds(), err)
		if err != nil && !slices.Contains(broken, to) {
			broken = append(broken, to)
		}
	}
	slices.SortFunc(broken, netip.Addr.Compare)
	return broken, errors.Join(errs...)
}

// pings is a ping that runs on the outside host.
type pings struct {
	cmd       *exec.Cmd
	out, told output
}

// output is what a program that runs has printed.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func beginPings(outside lab.Node, to netip.Addr) (*pings, error) {
	p := &pings{cmd: exec.Command("/usr/bin/ping", "-n", "-i", "0.2", to.String())}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.told
	return p, outside.Start(p.cmd)
}

// pingLatency is how late an answer may come: where the lab's one processor has much to do, they were seen to take 6 s.
const pingLatency = 10 * time.Second

// mark has ping tell how many it has sent, on standard error. It goes on.
func (p *pings) mark() error {
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("ask ping: %w", err)
	}
	return nil
}

// end ends a ping that was marked, and returns how many it had sent by then, and which of these were not answered.
func (p *pings) end() (sent int, lost []int, err error) {
	for start := time.Now(); time.Since(start) < pingLatency; time.Sleep(200 * time.Millisecond) {
		if sent, lost, err = lostPings(p.out.String(), p.told.String()); err == nil && len(lost) == 0 {
			break
		}
	}
	if failed := p.cmd.Process.Signal(syscall.SIGINT); failed != nil {
		return 0, nil, fmt.Errorf("end ping: %w", failed)
	}
	var exit *exec.ExitError
	if failed := p.cmd.Wait(); failed != nil && !errors.As(failed, &exit) { // 1: nothing was answered
		return 0, nil, fmt.Errorf("end ping: %w", failed)
	}
	return sent, lost, err
}

// lostPings reads what ping printed, and what it told when it was asked.
func lostPings(out, told string) (int, []int, error) {
	total := regexp.MustCompile(`\d+/(\d+) packets`).FindStringSubmatch(told)
	if total == nil {
		return 0, nil, fmt.Errorf("ping said nothing of packets: %q", told)
	}
	sent, err := strconv.Atoi(total[1])
	answered := map[string]bool{}
	for _, m := range regexp.MustCompile(`bytes from .* icmp_seq=(\d+) `).FindAllStringSubmatch(out, -1) {
		answered[m[1]] = true
	}
	var lost []int
	for i := 1; i <= sent; i++ {
		if !answered[strconv.Itoa(i)] {
			lost = append(lost, i)
		}
	}
	return sent, lost, err
}

// talk is a TCP connection to a virtual machine that stays, with a word sent and echoed five times a second.
type talk struct {
	conn    net.Conn
	cancel  context.CancelFunc
	done    chan struct{}
	words   int
	longest time.Duration
	err     error
}

func beginTalk(conn net.Conn) *talk {
	ctx, cancel := context.WithCancel(context.Background())
	c := &talk{conn: conn, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for ; ctx.Err() == nil && c.err == nil; c.words++ {
			c.err = c.exchange()
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return c
}

// exchange sends a word and waits until it comes back. TCP mends what is lost, for as long as the other side lives.
func (c *talk) exchange() error {
	start := time.Now()
	if err := c.conn.SetDeadline(start.Add(*patience)); err != nil {
		return err
	}
	word := fmt.Sprintf("%08d", c.words)
	if _, err := c.conn.Write([]byte(word)); err != nil {
		return err
	}
	got := make([]byte, len(word))
	for n := 0; n < len(got); {
		more, err := c.conn.Read(got[n:])
		if err != nil {
			return err
		}
		n += more
	}
	if string(got) != word {
		return fmt.Errorf("sent %q, %q came back", word, got)
	}
	c.longest = max(c.longest, time.Since(start))
	return nil
}

// end closes the connection and returns the longest time an answer took.
func (c *talk) end() (time.Duration, error) {
	c.cancel()
	<-c.done
	return c.longest, errors.Join(c.err, c.conn.Close())
}

func TestLostPings(t *testing.T) {
	answer := func(n string) string { return "64 bytes from 203.0.113.1: icmp_seq=" + n + " ttl=62 time=1 ms\n" }
	const told = "\r3/4 packets, 25% loss, min/avg/ewma/max = 0.1/0.1/0.1/0.1 ms"
	for text, want := range map[string][]int{
		answer("1") + answer("2") + answer("3") + answer("4"):                    nil,
		answer("1") + answer("4") + answer("3") + answer("5"):                    {2}, // late is not lost, and the fifth does not count
		answer("1") + "From 192.0.2.1 icmp_seq=2 Destination Host Unreachable\n": {2, 3, 4},
		"PING 203.0.113.1\n": {1, 2, 3, 4},
	} {
		if sent, lost, err := lostPings(text, told); err != nil || sent != 4 || !slices.Equal(lost, want) {
			t.Errorf("%d sent, lost %v, %v, want %v:\n%s", sent, lost, err, want, text)
		}
	}
	if _, _, err := lostPings("", ""); err == nil {
		t.Error("a ping that said nothing lost nothing")
	}
}
