package frr

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/vty"
	fake "ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
)

func realWant() model.Node {
	node := model.Node{Leak: model.Leak{AS: 64999, VRF: "bgp-vrf", Redistribute: []string{"connected"}, Why: "test"}}
	for _, a := range []string{"203.0.113.9/32", "2001:db8::9/128"} {
		node.Announcements = append(node.Announcements, model.Announcement{VRF: "bgp-vrf", Prefix: netip.MustParsePrefix(a)})
	}
	return node
}

// real is the real FRR with an applier, and an operator's own connection.
type real struct {
	t *testing.T
	*fake.Daemons
	*Applier
	operator *vty.Client
}

func startReal(t *testing.T) real {
	t.Helper()
	d := fake.StartDaemons(t)
	r := real{t: t, Daemons: d, Applier: New(Options{Sockets: d.Dir, AS: 64999, VRF: "bgp-vrf", Interval: 50 * time.Millisecond}),
		operator: vty.New(filepath.Join(d.Dir, "bgpd.vty"))}
	t.Cleanup(func() { _, _ = r.Close(), r.operator.Close() })
	return r
}

func (r real) configure(t *testing.T, lines ...string) {
	t.Helper()
	if err := r.operator.Configure(t.Context(), lines); err != nil {
		t.Fatal(err)
	}
}

func (r real) running(t *testing.T) string {
	t.Helper()
	text, err := r.operator.Show(t.Context(), "show running-config")
	if err != nil {
		t.Fatal(err)
	}
	_, instances, _ := strings.Cut(string(text), "router bgp")
	return "router bgp" + instances
}

// round runs one round and returns what it did.
func (r real) round(t *testing.T, want model.Node) []string {
	t.Helper()
	steps, err := r.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, s := range steps {
		did = append(did, s.String())
		if err := s.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return did
}

func (r real) addVRF(t *testing.T) {
	t.Helper()
	r.AddVRF("bgp-vrf", "bgp-nic")
	r.addAddresses()
}

func (r real) addAddresses() {
	r.t.Helper()
	r.IP("-n", "bgp-vrf", "addr", "add", "203.0.113.9/32", "dev", "bgp-nic")
	r.IP("-n", "bgp-vrf", "addr", "add", "2001:db8::9/128", "dev", "bgp-nic", "nodad")
}

// inVRF waits until bgpd has the addresses in the VRF's table.
func (r real) inVRF(t *testing.T) {
	t.Helper()
	within(t, "addresses in the VRF", func() bool {
		for i, prefix := range both() {
			paths, err := r.paths(t.Context(), "show bgp vrf bgp-vrf "+families()[i]+" "+prefix.String()+" json")
			if err != nil || len(paths) == 0 {
				return false
			}
		}
		return true
	})
}

// working waits until the leak works for both families.
func (r real) working(t *testing.T, want model.Node) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(20 * time.Millisecond) {
		arrived := 0
		for i, family := range families() {
			n, _, err := r.arrive(t.Context(), "bgp-vrf", family, sample(want, model.Family(4+2*i)))
			if err != nil {
				t.Fatal(err)
			}
			arrived += n
		}
		if arrived == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of 2 addresses leak:\n%s", arrived, r.running(t))
		}
	}
}

func TestRealLeak(t *testing.T) {
	r := startReal(t)
	r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "no bgp ebgp-requires-policy", "neighbor 192.0.2.1 remote-as 64999",
		"neighbor 192.0.2.1 password s3cret", "address-family ipv4 unicast", "redistribute connected", "exit-address-family", "exit")
	want := realWant()

	// Before the device is there; then with it.
	if d := cmp.Diff([]string{"create router bgp 64999 vrf bgp-vrf: +bgp router-id 10.0.0.1 +redistribute connected (ipv4, ipv6); " +
		"router bgp 64999: +import vrf bgp-vrf (ipv4, ipv6)"}, r.round(t, want)); d != "" {
		t.Errorf("first round (-want +got):\n%s", d)
	}
	if did := r.round(t, want); did != nil {
		t.Errorf("second round did %q", did)
	}
	r.addVRF(t)
	r.working(t, want)
	if did := r.round(t, want); did != nil {
		t.Errorf("with addresses the round did %q", did)
	}
	for _, line := range []string{" neighbor 192.0.2.1 password s3cret", "  redistribute connected", " no bgp ebgp-requires-policy"} {
		if !strings.Contains(r.running(t), line) {
			t.Errorf("the operator's %q is gone", line)
		}
	}

	// FRR comes back with nothing, then reads its file.
	r.StopBGP()
	if _, err := r.Plan(t.Context(), want); err == nil {
		t.Error("planned without FRR")
	}
	r.StartBGP()
	r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "exit")
	if did := r.round(t, want); len(did) != 1 {
		t.Errorf("after the restart the round did %q", did)
	}
	r.working(t, want)

	// The kernel's VRF is deleted and made again.
	r.DelVRF("bgp-vrf", "bgp-nic")
	r.addVRF(t)
	r.working(t, want)
	if did := r.round(t, want); did != nil {
		t.Errorf("after the VRF came again the round did %q", did)
	}

	steps, err := r.Cleanup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if err := s.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if text := r.running(t); strings.Contains(text, "bgp-vrf") || !strings.Contains(text, "router bgp 64999\n") {
		t.Errorf("after cleanup:\n%s", text)
	}
}

// TestRealRemaking: what mends a leak leaves FRR's configuration as it was, and the leak works. The fault itself is
// of FRR 10; here the remaking runs on a healthy leak. An instance as FRR shows it holds nothing foreign, until
// somebody writes into it.
func TestRealRemaking(t *testing.T) {
	r := startReal(t)
	r.addVRF(t)
	r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "neighbor 192.0.2.9 remote-as 65010",
		"neighbor 192.0.2.9 password s3cret", "exit")
	want := realWant()
	r.round(t, want)
	r.working(t, want)
	before := r.running(t)
	now := func() running {
		t.Helper()
		have, err := r.read(t.Context(), "bgp-vrf")
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	if line := foreign(want.Leak, now()); line != "" {
		t.Errorf("foreign in our own instance: %q", line)
	}
	for name, lines := range map[string][]string{
		"instance": remaking(want.Leak, now()),
		"ipv4":     reimporting(want.Leak, effect{broken: families()[:1], working: true}),
		"ipv6":     reimporting(want.Leak, effect{broken: families()[1:], working: true}),
	} {
		if err := r.bgpd.Configure(t.Context(), lines); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(before, r.running(t)); d != "" {
			t.Errorf("%s: configuration (-before +after):\n%s", name, d)
		}
		r.working(t, want)
		if did := r.round(t, want); did != nil {
			t.Errorf("%s: the next round did %q", name, did)
		}
	}
	r.configure(t, "router bgp 64999 vrf bgp-vrf", "address-family ipv4 unicast", "network 198.51.100.0/24", "exit-address-family", "exit")
	if line := foreign(want.Leak, now()); line != "network 198.51.100.0/24 …" {
		t.Errorf("foreign after a line of the operator's: %q", line)
	}
}

// TestRealPokes: a change by another hand and a restart are noticed, and an idle FRR is left in peace.
func TestRealPokes(t *testing.T) {
	r := startReal(t)
	r.addVRF(t)
	r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "exit")
	want := realWant()
	r.round(t, want)
	r.working(t, want)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	poked := func(within time.Duration) bool {
		select {
		case <-r.Pokes():
			return true
		case <-time.After(within):
			return false
		}
	}
	quiet := func() {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); poked(400 * time.Millisecond); {
			if time.Now().After(deadline) {
				t.Fatal("pokes without end, and nothing changes")
			}
		}
	}
	quiet()
	r.configure(t, "router bgp 64999", "address-family ipv4 unicast", "no import vrf bgp-vrf", "exit-address-family", "exit")
	if !poked(2 * time.Second) {
		t.Error("a line taken away: no poke")
	}
	if did := r.round(t, want); len(did) != 1 {
		t.Errorf("the round did %q", did)
	}
	quiet()

	r.StopBGP()
	if !poked(2 * time.Second) {
		t.Error("FRR went away: no poke")
	}
	r.StartBGP()
	started := time.Now()
	r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "exit")
	for {
		if !poked(2 * time.Second) {
			t.Fatal("FRR came back: no poke")
		}
		if did := r.round(t, want); len(did) == 1 {
			break
		}
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("the leak was back after %s, want at most a second", took)
	}
	r.working(t, want)
	quiet()
}

// TestRealRestartWithoutTimer: with the timer off, a restarted FRR that reads its own file late is still noticed.
func TestRealRestartWithoutTimer(t *testing.T) {
	r := startReal(t)
	r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "exit")
	want := realWant()
	r.round(t, want)
	r.options.Interval = 0
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	r.StopBGP()
	r.StartBGP()
	late := time.After(700 * time.Millisecond)
	var read time.Time
	for read.IsZero() || len(r.lacks(t, want)) > 0 {
		select {
		case <-late:
			r.configure(t, "router bgp 64999", "bgp router-id 10.0.0.1", "exit")
			read = time.Now()
		case <-r.Pokes():
			steps, err := r.Plan(t.Context(), want)
			for _, s := range steps {
				err = s.Do(t.Context()) // refused while there is no router id
			}
			t.Logf("a round: %d steps, %v", len(steps), err)
		case <-time.After(5 * time.Second):
			t.Fatal("the leak does not come back")
		}
	}
	if took := time.Since(read); took > time.Second {
		t.Errorf("the leak was back %s after FRR had read its file, want at most a second", took)
	}
}

func (r real) lacks(t *testing.T, want model.Node) []missingLine {
	t.Helper()
	have, err := r.read(t.Context(), want.Leak.VRF)
	if err != nil {
		t.Fatal(err)
	}
	return compare(want.Leak, have).lines
}
