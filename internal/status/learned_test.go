package status

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/model"
)

func learnedPath(hop, neighbor string) model.LearnedPath {
	return model.LearnedPath{NextHop: netip.MustParseAddr(hop), Neighbor: neighbor, ASPath: "65001"}
}

func mainRoute(by string, hops ...string) model.MainRoute {
	r := model.MainRoute{Prefix: model.DefaultRoute(model.IPv4Unicast), By: by}
	for _, h := range hops {
		gateway, device, _ := strings.Cut(h, "%")
		r.NextHops = append(r.NextHops, model.NextHop{Gateway: netip.MustParseAddr(gateway), Device: device})
	}
	return r
}

// learning has two neighbours for IPv4 that are up, and these paths.
func learning(paths ...model.LearnedPath) model.Learning {
	l := model.Learning{RIB: model.RIB{Known: true}}
	for _, name := range []string{"eth1", "eth2"} {
		l.Neighbors = append(l.Neighbors, model.Session{Name: name, State: model.SessionEstablished,
			Families: []model.SessionFamily{{Family: model.IPv4Unicast, Received: uint64(len(paths))}}})
	}
	if len(paths) > 0 {
		l.RIB.Learned = []model.Learned{{Prefix: model.DefaultRoute(model.IPv4Unicast), Paths: paths}}
	}
	return l
}

// TestLearned: one line says what was learned and whether the kernel has it, whoever speaks BGP.
func TestLearned(t *testing.T) {
	one, two := learnedPath("fe80::1%eth1", "eth1"), learnedPath("fe80::2%eth2", "eth2")
	with := func(l model.Learning, change func(*model.Learning)) model.Learning { change(&l); return l }
	main := func(routes ...model.MainRoute) func(*model.Learning) {
		return func(l *model.Learning) { l.Main = routes }
	}
	for name, tt := range map[string]struct {
		learning      model.Learning
		line, remarks string
		bgp, kernel   int
	}{
		"ECMP, in the kernel": {with(learning(one, two), main(mainRoute("bgp", "fe80::2%eth2", "fe80::1%eth1"))),
			"0.0.0.0/0 by eth1 fe80::1, eth2 fe80::2; in the kernel; 2 of 2 neighbours up, 4 prefixes told", "", 2, 2},
		"one of two in the kernel": {with(learning(one, two), main(mainRoute("bgp", "fe80::2%eth2"))),
			"0.0.0.0/0 by eth1 fe80::1, eth2 fe80::2; in the kernel by eth2 fe80::2 alone; 2 of 2 neighbours up, 4 prefixes told", "", 2, 1},
		"the same address on another link": {with(learning(one), main(mainRoute("bgp", "fe80::1%eth9"))),
			"0.0.0.0/0 by eth1 fe80::1; in the kernel by eth9 fe80::1 alone; 2 of 2 neighbours up, 2 prefixes told", "", 1, 1},
		"addresses": {with(learning(learnedPath("192.0.2.1", "192.0.2.1"), learnedPath("198.51.100.1", "192.0.2.9")),
			main(mainRoute("bgp", "192.0.2.1%eth1", "198.51.100.1%eth1"))),
			"0.0.0.0/0 by 192.0.2.1, 198.51.100.1 (told by 192.0.2.9); in the kernel; 2 of 2 neighbours up, 4 prefixes told", "", 2, 2},
		"an address by an interface": {with(learning(learnedPath("192.0.2.1", "eth1")), main(mainRoute("bgp", "192.0.2.1%eth1"))),
			"0.0.0.0/0 by eth1 192.0.2.1; in the kernel; 2 of 2 neighbours up, 2 prefixes told", "", 1, 1},
		"told on an interface as GoBGP tells it": {with(learning(learnedPath("fe80::1%eth1", "fe80::1%eth1")), main(mainRoute("bgp", "fe80::1%eth1"))),
			"0.0.0.0/0 by eth1 fe80::1; in the kernel; 2 of 2 neighbours up, 2 prefixes told", "", 1, 1},
		"not in the kernel": {learning(one), "0.0.0.0/0 by eth1 fe80::1; not in the kernel; 2 of 2 neighbours up, 2 prefixes told",
			"default-route-not-in-kernel: the default route that BGP learned is not in the main table, which has none", 1, 0},
		"another's in the kernel": {with(learning(one), main(mainRoute("static", "192.0.2.254%eth0"))),
			"0.0.0.0/0 by eth1 fe80::1; not in the kernel, where that of static by eth0 192.0.2.254 is in use; 2 of 2 neighbours up, 2 prefixes told",
			"default-route-not-in-kernel: the default route that BGP learned is not in the main table: that of static is, by eth0 192.0.2.254", 1, 0},
		"the kernel unread": {with(learning(one), func(l *model.Learning) { l.MainUnknown = "ask zebra: refused" }),
			"0.0.0.0/0 by eth1 fe80::1; whether in the kernel is unknown: ask zebra: refused; 2 of 2 neighbours up, 2 prefixes told", "", 1, 0},
		"unusable": {with(learning(), func(l *model.Learning) { l.Unusable = []netip.Prefix{model.DefaultRoute(model.IPv4Unicast)} }),
			"0.0.0.0/0 is told, and no path of it is used; 2 of 2 neighbours up, 0 prefixes told",
			"default-route-unusable: a neighbour tells the default route, and FRR uses no path of it", 0, 0},
		"none": {learning(), "no 0.0.0.0/0; 2 of 2 neighbours up, 0 prefixes told",
			"no-default-route: 2 neighbours are up and none tells a default route: unless another leads out, what this node sends to the world goes nowhere", 0, 0},
		"none, and another's is there": {with(learning(), main(mainRoute("kernel", "192.0.2.254%eth0"))),
			"no 0.0.0.0/0, where that of kernel by eth0 192.0.2.254 is in use; 2 of 2 neighbours up, 0 prefixes told", "", 0, 0},
		"none, and no session": {with(learning(), func(l *model.Learning) { l.Neighbors[0].State, l.Neighbors[1].State = "active", "idle" }),
			"no 0.0.0.0/0; 0 of 2 neighbours up, 0 prefixes told", "", 0, 0},
		"none yet": {with(learning(), func(l *model.Learning) { l.RIB.Known = false }),
			"no 0.0.0.0/0 yet; 2 of 2 neighbours up, 0 prefixes told", "", 0, 0},
		"no neighbours": {model.Learning{RIB: model.RIB{Known: true}}, "", "", 0, 0},
	} {
		l := LearnedOf(tt.learning, nil)
		var out bytes.Buffer
		writeLearned(&out, l)
		line := strings.TrimPrefix(strings.TrimSpace(out.String()), "learned\t")
		if d := cmp.Diff(tt.line, line); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		var remarks []string
		for _, r := range l.Remarks(func(model.BGPFamily) bool { return true }) {
			if remarks = append(remarks, r.Reason+": "+r.Text); r.Fix == "" || r.Row != "BGP 0.0.0.0/0" {
				t.Errorf("%s: remark %+v", name, r)
			}
		}
		if got := strings.Join(remarks, "; "); got != tt.remarks {
			t.Errorf("%s: remarks %q, want %q", name, got, tt.remarks)
		}
		for _, d := range l.Defaults {
			if bgp, kernel := d.NextHops(); bgp != tt.bgp || kernel != tt.kernel {
				t.Errorf("%s: %d next hops by BGP, %d in the kernel, want %d, %d", name, bgp, kernel, tt.bgp, tt.kernel)
			}
		}
	}
}

// TestDefaultNotAskedFor: where no neighbour is asked for the default route nothing is missing.
func TestDefaultNotAskedFor(t *testing.T) {
	l := LearnedOf(learning(), nil)
	if got := l.Remarks(func(model.BGPFamily) bool { return false }); got != nil {
		t.Errorf("remarks %+v", got)
	}
}

// TestLearnedUnknown: a speaker that cannot be asked has not learned nothing.
func TestLearnedUnknown(t *testing.T) {
	l := LearnedOf(model.Learning{}, errors.New("ask FRR for its neighbours: connection refused"))
	var out bytes.Buffer
	writeLearned(&out, l)
	if want := "learned\tunknown: ask FRR for its neighbours: connection refused\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if got := l.Remarks(func(model.BGPFamily) bool { return true }); got != nil {
		t.Errorf("remarks %+v", got)
	}
}
