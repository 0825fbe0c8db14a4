// Package frr stands in for FRR in tests: a bgpd that holds its configuration as text and answers as the real one
// does (Start at BGP), and the real daemons in namespaces of their own (StartDaemons).
package frr

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// BGP is a bgpd, and as much of zebra as one asks it. It knows the configuration that the agent writes, keeps any
// other line in an instance as text, and leaks what is in a VRF when the lines for it are there.
type BGP struct {
	Dir string // holds bgpd.vty and zebra.vty

	t  testing.TB
	mu sync.Mutex

	listeners []net.Listener
	conns     map[net.Conn]bool

	instances []*instance
	drainAll  bool // "bgp graceful-shutdown" outside of instances
	maps      []*routeMap
	lists     map[string]string         // community lists: by name, what they permit
	routes    map[string][]netip.Prefix // by VRF: the kernel's routes in its table
	addresses map[string][]netip.Prefix // by VRF: what the kernel has in it
	kernel    map[string]bool           // VRFs of the kernel
	unbound   map[string]bool           // VRFs that bgpd failed to tie to the kernel's
	forgotten map[spot]bool             // imports that are configured and have no effect
	stubborn  bool                      // and keep having none
	invalid   bool                      // but for paths that are not valid

	written   []string
	failAt    int // the n-th configuration command from now fails; 0: none
	failHow   Failure
	showsLeft int // the last and the one before it fail
}

// Failure is how a command fails.
type Failure int

// Failures: FRR says no, or hangs up before it has run the command, or after.
const (
	Refuse Failure = iota
	HangUpBefore
	HangUpAfter
)

// Failures lists all kinds of failure.
func Failures() []Failure { return []Failure{Refuse, HangUpBefore, HangUpAfter} }

// instance is a "router bgp" block.
type instance struct {
	as, vrf string // vrf "" is the default
	lines   map[string][]string
}

// routeMap is a route map of one entry, permit 10.
type routeMap struct {
	name  string
	lines []string
}

func (b *BGP) findMap(name string) *routeMap {
	for _, m := range b.maps {
		if m.name == name {
			return m
		}
	}
	return nil
}

// spot is a family of a VRF.
type spot struct{ vrf, family string }

func families() []string { return []string{"ipv4 unicast", "ipv6 unicast"} }

// Start starts a bgpd without configuration. It ends with the test.
func Start(t testing.TB) *BGP {
	t.Helper()
	dir, err := os.MkdirTemp("", "frr") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	b := &BGP{Dir: dir, t: t, conns: map[net.Conn]bool{}, addresses: map[string][]netip.Prefix{},
		lists: map[string]string{}, routes: map[string][]netip.Prefix{}, kernel: map[string]bool{}, unbound: map[string]bool{}, forgotten: map[spot]bool{}}
	b.Up()
	t.Cleanup(func() {
		b.Down()
		_ = os.RemoveAll(dir)
	})
	return b
}

// Up makes FRR answer on its sockets.
func (b *BGP) Up() {
	b.t.Helper()
	for _, daemon := range []string{"bgpd", "zebra"} {
		path := filepath.Join(b.Dir, daemon+".vty")
		_ = os.Remove(path)
		l, err := net.Listen("unix", path)
		if err != nil {
			b.t.Fatal(err)
		}
		b.mu.Lock()
		b.listeners = append(b.listeners, l)
		b.mu.Unlock()
		go b.accept(l)
	}
}

// Down ends FRR: the sockets are closed, the configuration is lost, the kernel stays.
func (b *BGP) Down() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners {
		_ = l.Close()
	}
	for conn := range b.conns {
		_ = conn.Close()
	}
	b.listeners, b.conns = nil, map[net.Conn]bool{}
	b.instances, b.unbound, b.forgotten = nil, map[string]bool{}, map[spot]bool{}
	b.maps, b.lists, b.drainAll = nil, map[string]string{}, false
}

// Restart loses the configuration and the connections.
func (b *BGP) Restart() {
	b.t.Helper()
	b.Down()
	b.Up()
}

// Type runs lines of configuration as an operator would. It counts for none of the failures.
func (b *BGP) Type(lines ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := session{bgp: b, configuring: true}
	for _, line := range lines {
		if out, status := s.configure(strings.Fields(line)); status != 0 {
			b.t.Fatalf("%s: %d, %s", line, status, out)
		}
	}
}

// SetVRF says that the kernel has a VRF with these addresses.
func (b *BGP) SetVRF(name string, addresses ...netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kernel[name] = true
	b.addresses[name] = addresses
}

// SetRoutes says that the kernel has routes to these prefixes in a VRF's table.
func (b *BGP) SetRoutes(name string, prefixes ...netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kernel[name] = true
	b.routes[name] = prefixes
}

// Forget makes FRR's fault: the import of a VRF stays configured and loses its effect, in these families, until the
// import or the VRF's instance is made anew; stubborn, not even then.
func (b *BGP) Forget(vrf string, stubborn bool, families ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stubborn = stubborn
	for _, family := range families {
		b.forgotten[spot{vrf, family}] = true
	}
}

// Invalidate is Forget where what is leaked is there, and not valid.
func (b *BGP) Invalidate(vrf string, families ...string) {
	b.Forget(vrf, false, families...)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.invalid = true
}

// Unbind makes FRR's other fault: bgpd does not see that the kernel has the VRF, until its instance is made anew.
func (b *BGP) Unbind(vrf string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unbound[vrf] = true
}

// FailAt makes the n-th configuration command from now fail, once.
func (b *BGP) FailAt(n int, how Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failAt, b.failHow = n, how
}

// Freeze keeps FRR from answering until Thaw, as a bgpd does that is busy.
func (b *BGP) Freeze() { b.mu.Lock() }

// Thaw ends what Freeze began.
func (b *BGP) Thaw() { b.mu.Unlock() }

// FailShow makes the n-th show from now hang up, and the one after it: a client tries once more.
func (b *BGP) FailShow(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.showsLeft = n + 1
}

// Written returns the configuration commands received since the last call.
func (b *BGP) Written() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	written := b.written
	b.written = nil
	return written
}

// Leaked returns what the default instance has from the VRF, sorted.
func (b *BGP) Leaked(vrf string) []netip.Prefix {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []netip.Prefix
	for _, p := range slices.Concat(b.addresses[vrf], b.routes[vrf]) {
		if b.inTable(vrf, p) && b.leaks(vrf, familyOf(p)) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all
}

// String returns the running configuration.
func (b *BGP) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running()
}

func (b *BGP) running() string {
	var s strings.Builder
	s.WriteString("frr version 8.4.4\nfrr defaults traditional\n!\nhostname node\n!\n")
	for _, in := range b.instances {
		s.WriteString(in.header() + "\n")
		for _, line := range in.lines[""] {
			s.WriteString(" " + line + "\n")
		}
		for _, family := range slices.Sorted(maps.Keys(in.lines)) {
			if family == "" || len(in.lines[family]) == 0 {
				continue
			}
			s.WriteString(" !\n address-family " + family + "\n")
			for _, line := range in.lines[family] {
				s.WriteString("  " + line + "\n")
			}
			s.WriteString(" exit-address-family\n")
		}
		s.WriteString("exit\n!\n")
	}
	if b.drainAll {
		s.WriteString("bgp graceful-shutdown\n!\n")
	}
	for _, name := range slices.Sorted(maps.Keys(b.lists)) {
		s.WriteString("bgp community-list standard " + name + " seq 5 permit " + b.lists[name] + "\n!\n")
	}
	for _, m := range b.maps {
		s.WriteString("route-map " + m.name + " permit 10\n")
		for _, line := range m.lines {
			s.WriteString(" " + line + "\n")
		}
		s.WriteString("exit\n!\n")
	}
	return s.String()
}

func (in *instance) header() string {
	if in.vrf == "" {
		return "router bgp " + in.as
	}
	return "router bgp " + in.as + " vrf " + in.vrf
}

func (b *BGP) find(vrf string) *instance {
	for _, in := range b.instances {
		if in.vrf == vrf {
			return in
		}
	}
	return nil
}

func (in *instance) routerID() string {
	for _, line := range in.lines[""] {
		if id, ok := strings.CutPrefix(line, "bgp router-id "); ok {
			return id
		}
	}
	return "0.0.0.0"
}

func familyOf(p netip.Prefix) string {
	if p.Addr().Is4() {
		return families()[0]
	}
	return families()[1]
}

// inTable tells whether the VRF's instance has the prefix.
func (b *BGP) inTable(vrf string, p netip.Prefix) bool {
	in := b.find(vrf)
	if in == nil || !b.kernel[vrf] || b.unbound[vrf] {
		return false
	}
	return slices.ContainsFunc(in.lines[familyOf(p)], func(line string) bool {
		if name, ok := strings.CutPrefix(line, "redistribute kernel route-map "); ok && b.findMap(name) == nil {
			return false // it lets nothing pass
		}
		return strings.HasPrefix(line, "redistribute connected") && slices.Contains(b.addresses[vrf], p) ||
			strings.HasPrefix(line, "redistribute kernel") && slices.Contains(b.routes[vrf], p)
	})
}

func (b *BGP) leaks(vrf, family string) bool {
	in := b.find("")
	return in != nil && !b.forgotten[spot{vrf, family}] && slices.Contains(in.lines[family], "import vrf "+vrf)
}

func (b *BGP) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns[conn] = true
		b.mu.Unlock()
		go b.serve(conn)
	}
}

func (b *BGP) serve(conn net.Conn) {
	defer conn.Close()
	s := session{bgp: b}
	var command []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(conn, one); err != nil {
			return
		}
		if one[0] != 0 {
			command = append(command, one[0])
			continue
		}
		out, status, hangUp := s.answer(string(command))
		command = nil
		if hangUp {
			return
		}
		if _, err := fmt.Fprintf(conn, "%s\x00\x00\x00%c", out, status); err != nil {
			return
		}
	}
}
