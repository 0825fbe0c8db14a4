package netlink

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestOverrunIsDumped(t *testing.T) {
	inNamespace(t)
	c, err := Open(t.Context(), Options{Protocols: []uint8{179}, ReceiveBuffer: 4096}, nil)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	v0 := vethPair(t, c)
	actual(t, c)
	// Hold the mirror, so that nobody drains the queue, and write without it.
	w, err := NewWriter(WriterOptions{})
	must(t, err)
	defer func() { must(t, w.Close()) }()
	c.mu.Lock()
	const n = 500
	for i := range n {
		r := route(v0, fmt.Sprintf("10.0.%d.%d/32", i/250, i%250), "")
		if err := w.RouteReplace(r); err != nil {
			t.Error(err)
			break
		}
	}
	if err := c.drain(); err != nil {
		t.Error(err)
	}
	if c.store.stale == 0 {
		t.Error("a queue of 4 KiB took 500 notifications: no overrun was tested")
	}
	c.mu.Unlock()
	if got := len(actual(t, c).Routes); got != n {
		t.Errorf("%d routes after the overrun, want %d", got, n)
	}
}

// The Internet's routes come and go in the main table without reaching the queue.
func TestMainTableIsKeptOutOfTheQueue(t *testing.T) {
	inNamespace(t)
	c, err := Open(t.Context(), Options{Protocols: []uint8{179, 180}, ReceiveBuffer: 4096}, nil)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	v0 := vethPair(t, c)
	actual(t, c)
	w, err := NewWriter(WriterOptions{})
	must(t, err)
	defer func() { must(t, w.Close()) }()
	c.mu.Lock()
	for i := range 500 {
		r := route(v0, fmt.Sprintf("10.0.%d.%d/32", i/250, i%250), "")
		r.Table, r.Protocol = TableMain, 186
		if err := w.RouteReplace(r); err != nil {
			t.Error(err)
			break
		}
	}
	if err := c.drain(); err != nil || c.store.stale != 0 {
		t.Errorf("the queue was overrun: %v, stale %b", err, c.store.stale)
	}
	c.mu.Unlock()
	for i, p := range []uint8{179, 180} {
		ours := route(v0, fmt.Sprintf("203.0.113.%d/32", i), "")
		ours.Table, ours.Protocol = TableMain, p
		must(t, w.RouteReplace(ours))
		if got := actual(t, c).Routes; len(got) != 1 || got[0] != ours {
			t.Errorf("protocol %d in main: %v", p, got)
		}
		must(t, w.RouteDel(ours))
	}
	c.Watch(TableMain)
	if got := len(actual(t, c).Routes); got < 500 {
		t.Errorf("%d routes of main after asking for it", got)
	}
	before := len(actual(t, c).Routes)
	more := route(v0, "198.51.100.1/32", "")
	more.Table, more.Protocol = TableMain, 186
	must(t, w.RouteReplace(more))
	if got := len(actual(t, c).Routes); got != before+1 {
		t.Errorf("%d routes of main after another came, want %d", got, before+1)
	}
}

func TestOwnWritesAreRead(t *testing.T) {
	inNamespace(t)
	writes := 0
	c, err := Open(t.Context(), Options{Protocols: []uint8{179}}, func() { writes++ })
	must(t, err)
	defer func() { must(t, c.Close()) }()
	v0 := vethPair(t, c)
	for i := range 300 {
		r := route(v0, fmt.Sprintf("10.0.%d.%d/32", i/250, i%250), "")
		must(t, c.RouteReplace(r))
		if got := len(actual(t, c).Routes); got != i+1 {
			t.Fatalf("%d routes after %d writes", got, i+1)
		}
	}
	if writes != 300 {
		t.Errorf("%d writes counted, want 300", writes)
	}
}

// The kernel announces an IPv6 address without duplicate address detection only after it has acknowledged it.
func TestOwnIPv6AddressesAreRead(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	for i := range 200 {
		a := Addr{LinkIndex: v0.Index, Prefix: netip.MustParsePrefix(fmt.Sprintf("2001:db8::%x/128", i+1)), NoDAD: true}
		must(t, c.AddrReplace(a))
		if !slices.ContainsFunc(actual(t, c).Addrs, func(o Addr) bool { return o.Prefix == a.Prefix }) {
			t.Fatalf("%s is not read back", a.Prefix)
		}
		must(t, c.AddrDel(a))
		if slices.ContainsFunc(actual(t, c).Addrs, func(o Addr) bool { return o.Prefix == a.Prefix }) {
			t.Fatalf("%s is still there", a.Prefix)
		}
	}
}

// Whatever thread calls, a Conn works in the namespace it was opened in.
func TestNamespaceIsThatOfOpening(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread() // and never unlocked: the thread is thrown away
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		n := Neighbor{LinkIndex: v0.Index, IP: netip.MustParseAddr("203.0.113.9"), MAC: "fa:16:3e:00:00:11"}
		if err := c.NeighReplace(n); err != nil {
			t.Error(err)
		}
		if err := c.SetSysctl("1", "net", "ipv4", "conf", "v0", "proxy_arp"); err != nil {
			t.Error(err)
		}
		if _, ok, err := c.LinkByName(context.Background(), "v0"); !ok || err != nil {
			t.Errorf("v0 from elsewhere: %v, %v", ok, err)
		}
	})
	wg.Wait()
	if got := actual(t, c).Neighbors; len(got) != 1 {
		t.Errorf("neighbours: %v", got)
	}
}

func TestCloseEndsItsGoroutines(t *testing.T) {
	inNamespace(t)
	ignore := goleak.IgnoreCurrent()
	c, err := Open(t.Context(), Options{ProxyPoll: 1e9}, nil)
	must(t, err)
	must(t, c.Close())
	must(t, c.Mirror.Close())
	if _, err := c.Actual(t.Context()); err == nil {
		t.Error("a closed mirror answered")
	}
	if err := c.RouteReplace(Route{Dst: netip.MustParsePrefix("10.0.0.1/32"), Type: TypeUnicast}); err == nil {
		t.Error("a closed writer wrote")
	}
	goleak.VerifyNone(t, ignore)
}

func BenchmarkRouteReplace(b *testing.B) {
	runtime.LockOSThread()
	must2(b, unix.Unshare(unix.CLONE_NEWNET))
	c, err := Open(b.Context(), Options{Protocols: []uint8{179}}, nil)
	must2(b, err)
	defer func() { must2(b, c.Close()) }()
	must2(b, c.LinkAdd(Link{Name: "br", Kind: "bridge"}))
	br, _, err := c.LinkByName(b.Context(), "br")
	must2(b, err)
	must2(b, c.LinkSetUp(br))
	for i := 0; b.Loop(); i++ {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		must2(b, c.RouteReplace(route(br, netip.PrefixFrom(a, 32).String(), "")))
	}
}

func must2(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// What is not a message of the kernel's is no reason to panic.
func FuzzMessages(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0})
	f.Add(append([]byte{32, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 16)...))
	f.Fuzz(func(_ *testing.T, b []byte) {
		s := newStore(func(Route) bool { return true })
		r := reply{seq: 1}
		_ = messages(b, func(m message) error {
			s.take(m)
			m.seq = 1
			return r.take(m)
		})
		s.actual()
	})
}

// What its own writer did wakes nobody, once it was read; the same by another hand does. So does what others may have to
// look at: a link, a default route.
func TestOwnWritesDoNotPoke(t *testing.T) {
	inNamespace(t)
	c := openConn(t)
	v0 := vethPair(t, c)
	for _, link := range []string{"v0", "v1"} { // addresses of its own would come late
		must(t, c.SetSysctl("1", "net", "ipv6", "conf", link, "disable_ipv6"))
	}
	c.Watch(201)
	a := Addr{LinkIndex: v0.Index, Prefix: netip.MustParsePrefix("203.0.113.9/32")}
	n := Neighbor{LinkIndex: v0.Index, IP: netip.MustParseAddr("203.0.113.9"), MAC: "fa:16:3e:00:00:11", Protocol: 179}
	r := route(v0, "203.0.113.9/32", "")
	r.Table = 201
	rule := Rule{Family: IPv4, Priority: 32000, Dst: a.Prefix, Table: 201, Protocol: 179}
	defaultRoute := route(v0, "0.0.0.0/0", "")
	defaultRoute.Table = 201
	for _, tt := range []struct {
		name  string
		write func() error
		poke  bool
	}{
		{"address", func() error { return c.AddrReplace(a) }, false},
		{"neighbour", func() error { return c.NeighReplace(n) }, false},
		{"route", func() error { return c.RouteReplace(r) }, false},
		{"rule", func() error { return c.RuleAdd(rule) }, false},
		{"default route", func() error { return c.RouteReplace(defaultRoute) }, true},
		{"link", func() error { return c.LinkAdd(Link{Name: "br0", Kind: "bridge"}) }, true},
		{"no default route", func() error { return c.RouteDel(defaultRoute) }, true},
		{"no rule", func() error { return c.RuleDel(rule) }, false},
		{"no route", func() error { return c.RouteDel(r) }, false},
		{"no neighbour", func() error { return c.NeighDel(n) }, false},
	} {
		actual(t, c)
		emptied(c)
		before := actual(t, c)
		must(t, tt.write())
		after := actual(t, c)
		if poked := emptied(c); poked != tt.poke {
			t.Errorf("%s: poked %t, want %t", tt.name, poked, tt.poke)
		}
		if objects(before) == objects(after) {
			t.Errorf("%s is not in the copy", tt.name)
		}
	}
	w, err := NewWriter(WriterOptions{})
	must(t, err)
	defer func() { must(t, w.Close()) }()
	for _, write := range []func() error{
		func() error { return w.AddrDel(a) }, func() error { return w.NeighReplace(n) },
		func() error { return w.RouteReplace(r) }, func() error { return w.RuleAdd(rule) },
	} {
		must(t, write())
		actual(t, c)
		if !emptied(c) {
			t.Error("another hand's change woke nobody")
		}
	}
}

// Two writers that are joined with a mirror count apart, and what either of them did wakes nobody.
func TestJoinedWriters(t *testing.T) {
	inNamespace(t)
	var first, second int
	c, err := Open(t.Context(), Options{Protocols: []uint8{179}}, func() { first++ })
	must(t, err)
	defer func() { must(t, c.Close()) }()
	w, err := c.Join(func() { second++ })
	must(t, err)
	defer func() { must(t, w.Close()) }()
	v0 := vethPair(t, c)
	for _, link := range []string{"v0", "v1"} {
		ip(t, "link set "+link+" addrgenmode none") // addresses of its own would come late
	}
	actual(t, c)
	emptied(c)
	must(t, c.RouteReplace(route(v0, "203.0.113.9/32", "")))
	must(t, w.AddrReplace(Addr{LinkIndex: v0.Index, Prefix: netip.MustParsePrefix("203.0.113.9/32")}))
	must(t, w.NeighReplace(Neighbor{LinkIndex: v0.Index, IP: netip.MustParseAddr("203.0.113.10"), MAC: "fa:16:3e:00:00:11",
		Protocol: 179}))
	a := actual(t, c)
	if first != 1 || second != 2 {
		t.Errorf("%d and %d writes counted, want 1 and 2", first, second)
	}
	if emptied(c) {
		t.Error("the writers' work woke somebody")
	}
	if len(a.Routes) != 1 || len(a.Neighbors) != 1 || !slices.ContainsFunc(a.Addrs, func(o Addr) bool { return o.LinkIndex == v0.Index }) {
		t.Errorf("not all that was written is in the copy: %+v", a)
	}
}

func objects(a Actual) int {
	return len(a.Links) + len(a.Addrs) + len(a.Routes) + len(a.Rules) + len(a.Neighbors)
}

// emptied takes the pending poke, and tells whether there was one.
func emptied(c *Conn) bool {
	select {
	case <-c.Pokes():
		return true
	default:
		return false
	}
}
