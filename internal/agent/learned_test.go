package agent

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/api"
	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/config"
	"ovnbgp/internal/fake/frr"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// learnedLine waits until the status says so of IPv4's default route.
func learnedLine(t *testing.T, client *api.Client, want string) status.Report {
	t.Helper()
	var report status.Report
	frr.Eventually(t, 30*time.Second, "learned: "+want, func() bool {
		var err error
		if report, err = client.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(report.Learned.Defaults) > 0 && report.Learned.Defaults[0].String() == want
	})
	return report
}

func hasRemark(r status.Report, reason string) bool {
	for _, m := range r.Remarks {
		if m.Reason == reason {
			return true
		}
	}
	return false
}

// TestLearnedByFRR: what FRR learned is told, and FRR alone installs it: no decision knows of it and no step does.
func TestLearnedByFRR(t *testing.T) {
	d := frr.StartAll(t, "")
	leaf, operator := vty.New(filepath.Join(d.StartPeer(), "bgpd.vty")), vty.New(filepath.Join(d.Dir, "bgpd.vty"))
	t.Cleanup(func() { _, _ = leaf.Close(), operator.Close() })
	for _, end := range []struct {
		at               *vty.Client
		as, with, remote string
	}{{operator, "64999", "65001", "192.0.2.2"}, {leaf, "65001", "64999", "192.0.2.1"}} {
		neighbor := "neighbor " + end.remote + " "
		if err := end.at.Configure(t.Context(), []string{"router bgp " + end.as, "bgp router-id 10.0.0." + end.as[4:], "no bgp ebgp-requires-policy",
			neighbor + "remote-as " + end.with, neighbor + "timers connect 1", "exit"}); err != nil {
			t.Fatal(err)
		}
	}
	client := newWorld(t, d.Dir).start(t)
	report := learnedLine(t, client, "no 0.0.0.0/0")
	frr.Eventually(t, 30*time.Second, "a remark", func() bool {
		report, _ = client.Status(t.Context())
		return hasRemark(report, "no-default-route")
	})
	if err := leaf.Configure(t.Context(), []string{"router bgp 65001", "address-family ipv4 unicast", "neighbor 192.0.2.1 default-originate"}); err != nil {
		t.Fatal(err)
	}
	report = learnedLine(t, client, "0.0.0.0/0 by 192.0.2.2; in the kernel")
	if hasRemark(report, "no-default-route") {
		t.Errorf("remarks %+v", report.Remarks)
	}
	snapshot, err := client.Snapshot(t.Context())
	if err != nil || strings.Contains(string(snapshot), "192.0.2.2") {
		t.Errorf("decisions know what FRR learned: %v %s", err, snapshot)
	}
	plan, err := client.Plan(t.Context())
	if err != nil || mentions(plan.Steps, "0.0.0.0/0") {
		t.Errorf("%v, steps %+v", err, plan.Steps)
	}
	if out := ip(t, "route", "show", "default"); out != "" {
		t.Errorf("the agent installed what FRR learned: %s", out)
	}
}

// TestLearnedUnknown: without FRR nothing is known, which is not the same as nothing learned.
func TestLearnedUnknown(t *testing.T) {
	report, err := newWorld(t, "").start(t).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Learned == nil || !strings.Contains(report.Learned.Err, "no-frr/bgpd.vty") || report.Learned.Defaults != nil {
		t.Errorf("learned: %+v", report.Learned)
	}
	if hasRemark(report, "no-default-route") {
		t.Errorf("remarks %+v", report.Remarks)
	}
}

// TestLearnedHere: the speaker built in tells the same in the same words.
func TestLearnedHere(t *testing.T) {
	w := newWorld(t, "")
	leaf := frr.StartPeer(t)
	leaf.Link("eth1", "up1")
	t.Cleanup(func() { ip(t, "link", "del", "up1") })
	leaf.IP("addr", "add", "198.51.100.1/30", "dev", "eth1")
	for _, line := range []string{"link set lo up", "addr add 198.51.100.2/30 dev up1", "link set up1 up", "addr add 192.0.2.11/32 dev lo"} {
		ip(t, strings.Fields(line)...)
	}
	t.Cleanup(func() { ip(t, "addr", "del", "192.0.2.11/32", "dev", "lo") })
	leaf.Configure("router bgp 64496", "bgp router-id 10.255.0.9", "no bgp ebgp-requires-policy", "neighbor 198.51.100.2 remote-as 64999",
		"neighbor 198.51.100.2 timers connect 1", "exit")
	w.configure(t, embeddedOnly+"bfd = none\nfamilies = ipv4\n")
	client := w.start(t)
	learnedLine(t, client, "no 0.0.0.0/0")
	frr.Eventually(t, 60*time.Second, "a remark", func() bool {
		report, err := client.Status(t.Context())
		return err == nil && hasRemark(report, "no-default-route")
	})
	leaf.Configure("router bgp 64496", "address-family ipv4 unicast", "neighbor 198.51.100.2 default-originate", "exit-address-family", "exit")
	report := learnedLine(t, client, "0.0.0.0/0 by 198.51.100.1; in the kernel")
	if hasRemark(report, "no-default-route") {
		t.Errorf("remarks %+v", report.Remarks)
	}
	if out := ip(t, "route", "show", "default", "proto", "179"); !strings.Contains(out, "via 198.51.100.1 dev up1") {
		t.Errorf("the kernel has %q", out)
	}
}

// TestTakesDefault: only of filters that are ours it is known what they let in.
func TestTakesDefault(t *testing.T) {
	taking := func(f model.BGPFamily, in model.Filter) model.BGP {
		return model.BGP{Peers: []model.Peer{{Families: []model.PeerFamily{{Family: f, In: in}}}}}
	}
	none := taking(model.IPv4Unicast, model.Filter{})
	for name, tt := range map[string]struct {
		c         config.BGP
		four, six bool
	}{
		"assist":             {config.BGP{Speaker: config.SpeakerFRR, Mode: config.ModeAssist, Instance: none}, true, true},
		"observe":            {config.BGP{Speaker: config.SpeakerFRR, Mode: config.ModeObserve, Instance: none}, true, true},
		"managed, none":      {config.BGP{Speaker: config.SpeakerFRR, Mode: config.ModeManaged, Instance: none}, false, false},
		"managed, IPv6":      {config.BGP{Speaker: config.SpeakerFRR, Mode: config.ModeManaged, Instance: taking(model.IPv6Unicast, model.Filter{Default: true})}, false, true},
		"embedded, all IPv4": {config.BGP{Speaker: config.SpeakerEmbedded, Mode: config.ModeAssist, Instance: taking(model.IPv4Unicast, model.Filter{All: true})}, true, false},
	} {
		takes := takesDefault(tt.c)
		if four, six := takes(model.IPv4Unicast), takes(model.IPv6Unicast); four != tt.four || six != tt.six {
			t.Errorf("%s: IPv4 %v, IPv6 %v, want %v, %v", name, four, six, tt.four, tt.six)
		}
	}
}

func TestLearnedReadings(t *testing.T) {
	if got := learnedReadings(&status.Learned{Err: "refused"}); got.Read || got.Families != nil {
		t.Errorf("unknown: %+v", got)
	}
	hop := netip.MustParseAddr("192.0.2.1")
	got := learnedReadings(&status.Learned{Defaults: []status.Default{
		{Family: model.IPv4Unicast, Received: 3, Paths: []model.LearnedPath{{NextHop: hop}},
			Main: []model.MainRoute{{By: "bgp", NextHops: []model.NextHop{{Gateway: hop}}}}},
		{Family: model.IPv6Unicast, MainErr: "refused"}}})
	want := metrics.Learned{Read: true, Families: []metrics.LearnedFamily{{AFI: "ipv4", Speaker: 1, Kernel: 1, KernelRead: true, Received: 3}, {AFI: "ipv6"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
