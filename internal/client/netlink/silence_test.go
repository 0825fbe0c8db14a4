package netlink

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A link that goes down and up, or an address that goes and comes, is announced before the routes are removed. A
// mirror whose user looks at every poke must not be left with what it read in between.
func TestFlapIsReadToItsEnd(t *testing.T) {
	addr := Addr{Prefix: netip.MustParsePrefix("192.0.2.1/24")}
	flaps := map[string]func(*Writer, Link) error{
		"link": func(w *Writer, l Link) error {
			if err := w.LinkSetDown(l); err != nil {
				return err
			}
			return w.LinkSetUp(l)
		},
		"last address": func(w *Writer, l Link) error {
			a := addr
			a.LinkIndex = l.Index
			if err := w.AddrDel(a); err != nil {
				return err
			}
			return w.AddrReplace(a)
		},
	}
	for name, flap := range flaps {
		t.Run(name, func(t *testing.T) {
			inNamespace(t)
			c := openConn(t)
			v0 := vethPair(t, c)
			ip(t, "addr add "+addr.Prefix.String()+" dev v0")
			w := slowFlush(t)
			lookAtPokes(t, c)
			r := route(v0, "203.0.113.9/32", "")
			for i := range 200 {
				must(t, w.RouteReplace(r))
				must(t, flap(w, v0))
				sameAsFresh(t, c, i)
			}
		})
	}
}

// slowFlush gives the kernel much to walk through before it comes to table 10, so that there is time to read what is
// about to go. It returns a writer of which the mirror hears by notifications alone.
func slowFlush(t *testing.T) *Writer {
	t.Helper()
	w, err := NewWriter(WriterOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for i := range 20000 {
		dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 32)
		must(t, w.RouteReplace(Route{Table: 5, Dst: dst, Protocol: ProtoBoot, LinkIndex: 1, Scope: ScopeLink, Type: TypeUnicast}))
	}
	return w
}

// lookAtPokes does as the loop does, at its most eager.
func lookAtPokes(t *testing.T, m interface {
	Pokes() <-chan struct{}
	Refresh(ctx context.Context) error
}) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-m.Pokes():
				if err := m.Refresh(context.Background()); err != nil {
					t.Errorf("refresh: %v", err)
					return
				}
			}
		}
	})
	t.Cleanup(func() { close(stop); wg.Wait() })
}

// sameAsFresh waits until the mirror's routes are those that a new mirror reads.
func sameAsFresh(t *testing.T, c *Conn, round int) {
	t.Helper()
	fresh, err := NewMirror(t.Context(), Options{Tables: []uint32{10}, Protocols: []uint8{179}})
	must(t, err)
	defer func() { must(t, fresh.Close()) }()
	if rs := actual(t, fresh).Routes; len(rs) != 0 {
		t.Fatalf("flap %d: the kernel kept %v: nothing was tested", round, rs)
	}
	deadline := time.Now().Add(1500 * time.Millisecond)
	for {
		want, got := sorted(actual(t, fresh).Routes), sorted(actual(t, c).Routes)
		if slices.Equal(want, got) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("flap %d: routes (-fresh +mirror):\n%s", round, cmp.Diff(want, got, compareNetip, comparePrefix))
		}
		runtime.Gosched()
	}
}

// A dump of links may be the first to tell that one is down.
func TestLinkDownFirstSeenByDump(t *testing.T) {
	for name, change := range map[string]func(*Writer, Link) error{"down": (*Writer).LinkSetDown, "gone": (*Writer).LinkDel} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t)
			c := openConn(t)
			v0 := vethPair(t, c)
			must(t, c.RouteReplace(route(v0, "203.0.113.9/32", "")))
			actual(t, c)
			c.mu.Lock()
			err := errors.Join(change(c.Writer, v0), c.dump(t.Context(), kindLinks))
			stale := c.store.stale
			c.mu.Unlock()
			must(t, err)
			if stale&kindsSilent != kindsSilent {
				t.Errorf("stale %b after the dump of links, want %b", stale, kindsSilent)
			}
			if rs := actual(t, c).Routes; len(rs) != 0 {
				t.Errorf("the mirror still has %v", rs)
			}
		})
	}
}

func TestSilenceIsLookedAtTwiceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Mirror{
			pokes: make(chan struct{}, 1), silences: make(chan struct{}, 1), stop: make(chan struct{}),
			store: newStore(func(Route) bool { return true }),
		}
		m.store.stale = 0
		m.wait.Go(m.lookAgain)
		pokedAfter := func(d time.Duration) bool {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			poked := len(m.pokes) > 0
			if poked {
				<-m.pokes
			}
			if stale := m.store.stale == kindsSilent; stale != poked {
				t.Errorf("poked: %v, stale: %b", poked, m.store.stale)
			}
			m.store.stale = 0
			return poked
		}
		silence := func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.store.silence(kindsSilent)
			m.tellSilence()
			m.store.stale = 0 // as after a dump
		}
		check := func(d time.Duration, want bool) {
			t.Helper()
			if got := pokedAfter(d); got != want {
				t.Errorf("poked within %v: %v, want %v", d, got, want)
			}
		}
		check(time.Hour, false) // idle
		silence()
		check(99*time.Millisecond, false)
		check(time.Millisecond, true)
		check(399*time.Millisecond, false)
		silence() // anew, and what was left of the first is void
		check(99*time.Millisecond, false)
		check(time.Millisecond, true)
		check(400*time.Millisecond, true)
		check(time.Hour, false)
		silence()
		close(m.stop) // ends it with delays pending
		m.wait.Wait()
	})
}
