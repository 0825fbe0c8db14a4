package frr

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/model"
)

// mended runs rounds, as the loop does, until the leak has its effect and nothing is left to do.
func (r real) mended(t *testing.T, what string, want model.Node) {
	t.Helper()
	within(t, what, func() bool {
		steps, err := r.Plan(t.Context(), want)
		for _, s := range steps {
			t.Logf("%s: %s", what, s.String())
			if failed := s.Do(t.Context()); failed != nil {
				t.Logf("%s: %v", what, failed)
			}
		}
		if err != nil {
			t.Logf("%s: %v", what, err)
		}
		if err != nil || len(steps) > 0 {
			return false
		}
		for i, family := range families() {
			n, _, err := r.arrive(t.Context(), "bgp-vrf", family, sample(want, model.Family(4+2*i)))
			if err != nil || n == 0 {
				return false
			}
		}
		return true
	})
	checkShown(t, r, want)
	if bare := bareRedistribution(r.running(t)); bare != "" {
		t.Errorf("%s: %q without a route-map", what, bare)
	}
}

func bareRedistribution(config string) string {
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "redistribute ") && !strings.Contains(line, " route-map "+namePrefix) {
			return line
		}
	}
	return ""
}

// TestManagedLeakComesBack: whatever of FRR is started anew, and when the kernel's VRF is another, what is announced arrives
// in the default instance again.
func TestManagedLeakComesBack(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		r.addVRF(t)
		want := baseNode()
		want.Announcements = []model.Announcement{announced("203.0.113.9/32", model.Attributes{}), announced("2001:db8::9/128", model.Attributes{})}
		r.mended(t, "at first", want)
		r.DelVRF("bgp-vrf", "bgp-nic")
		r.addVRF(t)
		r.mended(t, "the VRF anew", want)
		// From 10.4 on what comes while the VRF is down is not valid, and here stays so: bgpd does not see a namespace come up.
		r.DelVRF("bgp-vrf", "bgp-nic")
		r.AddVRF("bgp-vrf", "bgp-nic")
		r.SetVRF("bgp-vrf", "down")
		r.addAddresses()
		r.inVRF(t)
		r.SetVRF("bgp-vrf", "up")
		r.mended(t, "the VRF anew and up late", want)
		r.StopBGP()
		r.StartBGP()
		r.mended(t, "bgpd anew", want)
		r.RestartZebra()
		r.mended(t, "zebra anew", want)
		r.StopBGP()
		r.DelVRF("bgp-vrf", "bgp-nic")
		r.RestartZebra()
		r.addVRF(t)
		r.StartBGP()
		r.mended(t, "all anew", want)
	})
}

// TestManagedRenewing: what mends a leak leaves the configuration as it was, the operator's raw lines in the instance with
// it, and the leak works. The step is that of a fault which FRR has only at times; here the leak is healthy.
func TestManagedRenewing(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		r.addVRF(t)
		want := baseNode()
		want.Announcements = []model.Announcement{announced("203.0.113.9/32", model.Attributes{}), announced("2001:db8::9/128", model.Attributes{})}
		want.BGP.Raw = []string{"router bgp 64999 vrf bgp-vrf", " bgp log-neighbor-changes", "exit"}
		r.mended(t, "at first", want)
		config := r.rendered(t, want)
		for name, lines := range map[string][]string{
			"instance": renewing(want.Leak, config),
			"ipv4":     reimporting(want.Leak, effect{broken: families()[:1], working: true}),
			"ipv6":     reimporting(want.Leak, effect{broken: families()[1:], working: true}),
		} {
			if err := r.bgpd.Configure(t.Context(), lines); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			checkShown(t, r, want)
			r.working(t, want)
			if did := r.round(t, want); did != nil {
				t.Errorf("%s: the next round did %q", name, did)
			}
		}
	})
}

// TestManagedMends: an import that is typed away behind the leak's back comes as configuration; a leak that only lost its
// effect comes by the step that mends, which waits longer each time.
func TestManagedMends(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		want := baseNode()
		want.Announcements = []model.Announcement{announced("203.0.113.9/32", model.Attributes{})}
		settle(t, r, want)
		// bgpd's instance is there and the kernel has no VRF: nothing is wrong with the leak.
		if did := r.round(t, want); did != nil {
			t.Errorf("without a VRF the round did %q", did)
		}
		step := r.mendingManaged(want, effect{broken: families(), working: false})
		if d := cmp.Diff("router bgp 64999 vrf bgp-vrf: made anew", step.Object); d != "" {
			t.Error(d)
		}
		if err := step.Do(t.Context()); err != nil || r.fault.mended != 0 {
			t.Errorf("a healthy leak: %v, mended %d times", err, r.fault.mended)
		}
		r.configure(t, "router bgp 64999", "address-family ipv4 unicast", "no import vrf bgp-vrf", "exit-address-family", "exit")
		if err := step.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "import vrf bgp-vrf") {
			t.Errorf("with a line gone: %v", err)
		}
		settle(t, r, want)
		if since := r.fault.since; !since.IsZero() && time.Since(since) > time.Minute {
			t.Error("a fault is remembered")
		}
	})
}
