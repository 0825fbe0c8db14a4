package bgpd

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ovnbgp/internal/fake/fabric"
	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// bed is a node with the host's FRR, as an operator would configure it, and two leaves.
type bed struct {
	t      *testing.T
	node   *fabric.Node
	frr    *fabric.Daemons
	leaves []fabric.Peer
}

var (
	default4 = model.DefaultRoute(model.IPv4Unicast)
	default6 = model.DefaultRoute(model.IPv6Unicast)
)

// newBed has a leaf with an address, which speaks IPv4 and originates the first prefix, and one on an interface without IPv4,
// which speaks both families and originates the others.
func newBed(t *testing.T, one netip.Prefix, two ...netip.Prefix) *bed {
	t.Helper()
	f := fabric.New(t)
	b := &bed{t: t, node: f.AddNode("node")}
	b.frr = fabric.NewFRR(b.node)
	for i := range 2 {
		machine := f.AddNode(fmt.Sprintf("leaf%d", i+1))
		f.Join(b.node, fmt.Sprintf("eth%d", i+1), machine, "eth1")
		o := fabric.PeerOptions{AS: 65001 + uint32(i), NodeAS: 64999, RouterID: netip.AddrFrom4([4]byte{10, 255, 1, byte(i + 1)}),
			Interface: "eth1", Families: []model.BGPFamily{model.IPv4Unicast}, Originates: []netip.Prefix{one}}
		if i == 0 {
			b.node.IP("addr", "add", "10.0.1.2/30", "dev", "eth1")
			machine.IP("addr", "add", "10.0.1.1/30", "dev", "eth1")
			o.Neighbor, o.Local = netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.0.1.1")
		} else {
			o.Neighbor, o.Unnumbered = fabric.LinkLocal(2, 0), true
			o.Families, o.Originates = append(o.Families, model.IPv6Unicast), two
		}
		b.leaves = append(b.leaves, fabric.NewPeer(machine, fabric.FRR, o))
	}
	return b
}

const nodeConfig = `router bgp 64999
 bgp router-id 10.255.0.1
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor 10.0.1.1 remote-as external
 neighbor 10.0.1.1 timers 1 3
 neighbor 10.0.1.1 timers connect 1
 neighbor eth2 interface remote-as external
 neighbor eth2 timers 1 3
 neighbor eth2 timers connect 1
 address-family ipv6 unicast
  neighbor eth2 activate
 exit-address-family
exit
`

func (b *bed) start() {
	b.t.Helper()
	b.frr.Start("zebra", "bgpd")
	if err := b.frr.Configure(b.t.Context(), "bgpd", nodeConfig); err != nil {
		b.t.Fatal(err)
	}
	for _, l := range b.leaves {
		l.Start()
	}
}

// observe looks with a source that has not looked before.
func (b *bed) observe() *status.Learned {
	s := New(b.node.Dir)
	defer s.Close()
	return status.LearnedOf(s.Snapshot(b.t.Context()))
}

// says waits until the default routes read so, in the status's words.
func (b *bed) says(want ...string) *status.Learned {
	b.t.Helper()
	var l *status.Learned
	err := fabric.Await(b.t.Context(), func() error {
		var got []string
		l = b.observe()
		for _, d := range l.Defaults {
			slices.SortFunc(d.Paths, func(a, b model.LearnedPath) int { return a.NextHop.Compare(b.NextHop) }) // the best is the older one
			got = append(got, fmt.Sprintf("%s; %d of %d up, %d", d, d.Up, d.Neighbors, d.Received))
		}
		if d := cmp.Diff(want, got); d != "" || l.Err != "" {
			return fmt.Errorf("%s (-want +got):\n%s", l.Err, d)
		}
		return nil
	})
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.frr.Log())
	}
	return l
}

func (b *bed) originate(leaf int, prefixes ...netip.Prefix) {
	b.t.Helper()
	if err := b.leaves[leaf].Originate(b.t.Context(), prefixes...); err != nil {
		b.t.Fatal(err)
	}
}

// remarks are the reasons of what is remarked on.
func remarks(l *status.Learned) (reasons []string) {
	for _, r := range l.Remarks(func(model.BGPFamily) bool { return true }) {
		reasons = append(reasons, r.Reason+" "+r.Row)
	}
	return reasons
}

const (
	both = "0.0.0.0/0 by 10.0.1.1, eth2 fe80::ff:fe00:202; in the kernel; 2 of 2 up, 2"
	six  = "::/0 by eth2 fe80::ff:fe00:202; in the kernel; 1 of 1 up, 1"
)

// TestDefaults: what FRR learned is told as the kernel has it, over both leaves and over the one that is left.
func TestDefaults(t *testing.T) {
	b := newBed(t, default4, default4, default6)
	if l := b.observe(); l.Err == "" || len(l.Defaults) != 0 {
		t.Errorf("without FRR: %+v, want an error", l)
	}
	b.start()
	l := b.says(both, six)
	if got := remarks(l); got != nil {
		t.Errorf("remarks %q where all is well", got)
	}
	want := b.node.IP("route", "show", "default")
	for _, part := range []string{"10.0.1.1 dev eth1", "fe80::ff:fe00:202 dev eth2"} {
		if !strings.Contains(want, part) {
			t.Errorf("the kernel has %q, want %s in it", want, part)
		}
	}

	b.originate(1)
	l = b.says("0.0.0.0/0 by 10.0.1.1; in the kernel; 2 of 2 up, 1", "no ::/0; 1 of 1 up, 0")
	if d := cmp.Diff([]string{"no-default-route BGP ::/0"}, remarks(l)); d != "" {
		t.Errorf("remarks with a family that nobody tells a default of (-want +got):\n%s", d)
	}
	b.originate(0)
	l = b.says("no 0.0.0.0/0; 2 of 2 up, 0", "no ::/0; 1 of 1 up, 0")
	if d := cmp.Diff([]string{"no-default-route BGP 0.0.0.0/0", "no-default-route BGP ::/0"}, remarks(l)); d != "" {
		t.Errorf("remarks without a default (-want +got):\n%s", d)
	}
	b.node.IP("route", "add", "default", "via", "10.0.1.1", "metric", "100") // not the neighbours' fault, and no trouble
	l = b.says("no 0.0.0.0/0, where that of kernel by eth1 10.0.1.1 is in use; 2 of 2 up, 0", "no ::/0; 1 of 1 up, 0")
	if d := cmp.Diff([]string{"no-default-route BGP ::/0"}, remarks(l)); d != "" {
		t.Errorf("remarks with another's default (-want +got):\n%s", d)
	}
}

// TestTold: it is told whom bgpd tells of a prefix, which is not everybody, and that it has none.
func TestTold(t *testing.T) {
	b := newBed(t, default4)
	b.start()
	if err := b.frr.Configure(t.Context(), "bgpd", "router bgp 64999\n no bgp network import-check\n address-family ipv4 unicast\n"+
		"  network 203.0.113.9/32\n exit-address-family\nexit\n"); err != nil {
		t.Fatal(err)
	}
	s := New(b.node.Dir)
	defer s.Close()
	tells := func(want ...string) {
		t.Helper()
		err := fabric.Await(t.Context(), func() error {
			to, has, err := s.Told(t.Context(), netip.MustParsePrefix("203.0.113.9/32"))
			if d := cmp.Diff(want, to); err == nil && (d != "" || !has) {
				return fmt.Errorf("has it: %t (-want +got):\n%s", has, d)
			}
			return err
		})
		if err != nil {
			t.Errorf("%v\n%s", err, b.frr.Log())
		}
	}
	tells("10.0.1.1", "eth2")
	if err := b.frr.Configure(t.Context(), "bgpd", "router bgp 64999\n neighbor 10.0.1.1 shutdown\nexit\n"); err != nil {
		t.Fatal(err)
	}
	tells("eth2")
	l, err := s.look(t.Context())
	if err != nil || len(l.Neighbors) != 2 || l.Neighbors[0].Down() || l.Neighbors[0].State != model.SessionShut {
		t.Errorf("one shut by the operator: %+v, %v", l.Neighbors, err)
	}
	for _, p := range []string{"203.0.113.10/32", "2001:db8::1/128"} {
		if to, has, err := s.Told(t.Context(), netip.MustParsePrefix(p)); len(to) > 0 || has || err != nil {
			t.Errorf("%s, which nobody announces: to %v, has it: %t, %v", p, to, has, err)
		}
	}
	b.frr.Kill("bgpd")
	if _, _, err := s.Told(t.Context(), netip.MustParsePrefix("203.0.113.9/32")); err == nil {
		t.Error("a bgpd that is dead tells nobody, and that is not known")
	}
}

// TestNotInKernel: what bgpd has learned and the kernel does not lead by is told, with what is there instead.
func TestNotInKernel(t *testing.T) {
	b := newBed(t, default4)
	b.start()
	b.says("0.0.0.0/0 by 10.0.1.1; in the kernel; 2 of 2 up, 1", "no ::/0; 1 of 1 up, 0")
	b.node.IP("route", "add", "default", "via", "10.0.1.9", "dev", "eth1", "metric", "5", "onlink")
	l := b.says("0.0.0.0/0 by 10.0.1.1; not in the kernel, where that of kernel by eth1 10.0.1.9 is in use; 2 of 2 up, 1", "no ::/0; 1 of 1 up, 0")
	if d := cmp.Diff([]string{"default-route-not-in-kernel BGP 0.0.0.0/0", "no-default-route BGP ::/0"}, remarks(l)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if out := b.node.IP("route", "show", "default", "proto", "bgp"); out != "" {
		t.Errorf("zebra keeps BGP's default beside another's, so the status is wrong: %s", out)
	}

	b.frr.Kill("zebra")
	if l := b.observe(); l.Err != "" || len(l.Defaults) != 2 || l.Defaults[0].State == status.DefaultNotThere || l.Defaults[0].MainErr == "" {
		t.Errorf("without zebra: %+v, want what bgpd says, and the kernel unknown", l)
	}
}

// TestWhyDownReal: of a session that is down FRR's reason is told, of one that is up none.
func TestWhyDownReal(t *testing.T) {
	b := newBed(t, default4)
	b.start()
	b.says("0.0.0.0/0 by 10.0.1.1; in the kernel; 2 of 2 up, 1", "no ::/0; 1 of 1 up, 0")
	if err := b.frr.Configure(t.Context(), "bgpd", "router bgp 64999\n neighbor 10.0.1.1 remote-as 65099\nexit\n"); err != nil {
		t.Fatal(err)
	}
	err := fabric.Await(t.Context(), func() error {
		s := New(b.node.Dir)
		defer s.Close()
		l, err := s.Snapshot(t.Context())
		if err != nil || len(l.Neighbors) != 2 {
			return fmt.Errorf("%+v, %w", l.Neighbors, err)
		}
		if one, two := l.Neighbors[0].LastError, l.Neighbors[1].LastError; !strings.HasSuffix(one, ": OPEN Message Error/Bad Peer AS") || two != "" {
			return fmt.Errorf("%q and %q, want the wrong AS, and nothing", one, two)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, b.frr.Log())
	}
}

// TestUnknown: an FRR that does not answer has not learned nothing, and one without BGP has.
func TestUnknown(t *testing.T) {
	b := newBed(t, default4)
	b.frr.Start("zebra", "bgpd")
	if l := b.observe(); l.Err != "" || len(l.Defaults) != 0 {
		t.Errorf("without an instance of BGP: %+v", l)
	}
	pid, err := os.ReadFile(filepath.Join(b.node.Dir, "bgpd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(string(pid), &n); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(n, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	l := b.observe()
	if took := time.Since(begin); l.Err == "" || took > enough+3*time.Second {
		t.Errorf("a bgpd that is stuck: %+v after %s", l, took)
	}
	if err := unix.Kill(n, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
}
