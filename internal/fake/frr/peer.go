package frr

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/client/vty"
)

// Peer is a router with FRR in namespaces of its own, for a speaker in the namespace of the test's process to talk to.
type Peer struct {
	*Daemons
	bgp, rest *vty.Client
	t         testing.TB
}

// StartPeer starts zebra, bgpd that listens, and bfdd.
func StartPeer(t testing.TB) *Peer {
	t.Helper()
	d := StartDaemons(t)
	d.StopBGP()
	p := &Peer{Daemons: d, t: t, bgp: vty.New(filepath.Join(d.Dir, "bgpd.vty")), rest: vty.New(filepath.Join(d.Dir, "bfdd.vty"))}
	p.Restart()
	bfdd := d.start("bfdd")
	t.Cleanup(func() {
		_, _ = p.bgp.Close(), p.rest.Close()
		stop(bfdd)
	})
	return p
}

// Restart starts bgpd, which has been stopped, with an empty configuration.
func (p *Peer) Restart() {
	p.t.Helper()
	p.bgpd = p.start("bgpd", "-p", "179")
}

// Link makes a link between a device of the peer and one of the test's process, both up and with link-local addresses.
func (p *Peer) Link(theirs, ours string) {
	p.t.Helper()
	// By a file: the peer's thread, which is in another namespace, may be the one that the process is known by.
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		p.t.Fatal(err)
	}
	defer here.Close()
	p.IP("link", "add", theirs, "type", "veth", "peer", "name", ours, "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), here.Fd()))
	p.IP("link", "set", theirs, "up")
}

// Configure has bgpd take lines of configuration.
func (p *Peer) Configure(lines ...string) {
	p.t.Helper()
	if err := p.bgp.Configure(p.t.Context(), lines); err != nil {
		p.t.Fatal(err)
	}
}

// ConfigureBFD has bfdd take lines of configuration.
func (p *Peer) ConfigureBFD(lines ...string) {
	p.t.Helper()
	if err := p.rest.Configure(p.t.Context(), lines); err != nil {
		p.t.Fatal(err)
	}
}

// ConfigureZebra has zebra take lines of configuration, by way of mgmtd where that is how.
func (p *Peer) ConfigureZebra(lines ...string) {
	p.t.Helper()
	daemon := "zebra"
	if HasDaemon(p.Root, "mgmtd") {
		daemon = "mgmtd"
	}
	zebra := vty.New(filepath.Join(p.Dir, daemon+".vty"))
	defer func() { _ = zebra.Close() }()
	if err := zebra.Configure(p.t.Context(), lines); err != nil {
		p.t.Fatal(err)
	}
}

// Route is a path as bgpd shows it.
type Route struct {
	Valid       bool
	Path        string
	LocalPref   int                               `json:"locPrf"`
	NextHops    []struct{ IP, Afi, Scope string } `json:"nexthops"`
	Stale       bool
	Communities []string `json:"-"`
	Large       []string `json:"-"`
}

// Routes returns the paths that bgpd has of a family ("ipv4 unicast"), by prefix.
func (p *Peer) Routes(family string) map[string][]Route {
	p.t.Helper()
	var table struct{ Routes map[string][]Route }
	if err := p.bgp.ShowJSON(p.t.Context(), "show bgp "+family+" json", &table); err != nil {
		p.t.Fatal(err)
	}
	return table.Routes
}

// Detail returns what bgpd says of one prefix, as JSON.
func (p *Peer) Detail(family, prefix string) string {
	p.t.Helper()
	var detail json.RawMessage
	if err := p.bgp.ShowJSON(p.t.Context(), "show bgp "+family+" "+prefix+" json", &detail); err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(detail)), " ")
}

// Neighbor is a session as bgpd sees it.
type Neighbor struct {
	State       string `json:"bgpState"`
	UptimeMsec  int64  `json:"bgpTimerUpMsec"`
	Established int    `json:"connectionsEstablished"`
	LastReset   string `json:"lastResetDueTo"`
}

// Neighbor returns a session's state.
func (p *Peer) Neighbor(name string) Neighbor {
	p.t.Helper()
	var all map[string]Neighbor
	if err := p.bgp.ShowJSON(p.t.Context(), "show bgp neighbors "+name+" json", &all); err != nil {
		p.t.Fatal(err)
	}
	return all[name]
}

// Show returns what bgpd shows.
func (p *Peer) Show(command string) string {
	p.t.Helper()
	text, err := p.bgp.Show(p.t.Context(), command)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// Eventually waits until something is so.
func Eventually(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
