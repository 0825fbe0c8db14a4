package agent

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnbgp/internal/api"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/model"
)

type fakeRIB struct {
	model.RIB
	err error
}

func (f fakeRIB) Snapshot(context.Context) (model.RIB, error) { return f.RIB, f.err }
func (fakeRIB) Pokes() <-chan struct{}                        { return nil }

// A leaf that died is no next hop any more, whatever has become of OVN; what cannot be read stays.
func TestLearnedNow(t *testing.T) {
	old := model.Node{Routes: []model.Route{{Table: model.MainTable, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Metric: model.LearnedMetric,
		NextHops: []model.NextHop{{Gateway: netip.MustParseAddr("192.0.2.1")}, {Gateway: netip.MustParseAddr("192.0.2.2")}}}}}
	left := model.RIB{Known: true, Learned: []model.Learned{{Prefix: netip.MustParsePrefix("0.0.0.0/0"),
		Paths: []model.LearnedPath{{NextHop: netip.MustParseAddr("192.0.2.2")}}}}}
	for name, tt := range map[string]struct {
		rib  ribSource
		want int
	}{"FRR": {nil, 2}, "unread": {fakeRIB{err: errors.New("away")}, 2}, "one left": {fakeRIB{RIB: left}, 1}} {
		n := &node{source: &inputSource{rib: tt.rib}}
		if got := n.learnedNow(old); len(got.Routes) != 1 || len(got.Routes[0].NextHops) != tt.want {
			t.Errorf("%s: routes %+v, want one with %d next hops", name, got.Routes, tt.want)
		}
	}
}

// embeddedOnly is a configuration of a node without FRR.
const embeddedOnly = `
[DEFAULT]
bgp_AS = 64999
[bgp]
speaker = embedded
loopbacks = 192.0.2.11
[bgp_peer:leaf1]
address = 198.51.100.1
as = 64496
`

// A node that reaches the databases by what BGP tells must speak BGP before it has read them. An agent without a speaker
// of its own has nothing to do then.
func TestSpeaksWithoutDatabases(t *testing.T) {
	w := newWorld(t, "")
	w.central.Stop(t)
	w.configure(t, embeddedOnly)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, w.options) }()
	client := api.NewClient(w.socket())
	var seen []string
	ovsdbtest.Eventually(t, "a neighbour and its path", func() bool {
		report, err := client.Status(t.Context())
		if err != nil || report.Synced {
			return false
		}
		seen = nil
		for _, p := range report.Peers {
			seen = append(seen, p.Name+" "+p.State)
		}
		text := w.log.String()
		return slices.ContainsFunc(report.Peers, func(p model.Session) bool { return p.Name == "leaf1" && p.State != "" }) &&
			strings.Contains(text, "path 192.0.2.11/32") && strings.Contains(text, "peer leaf1")
	})
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the agent ended with %v; neighbours %v; it says\n%s", err, seen, w.log)
	}
	said := w.log.String()
	if strings.Index(said, "path 192.0.2.11/32") > strings.Index(said, "peer leaf1") {
		t.Errorf("the neighbour comes before the path:\n%s", said)
	}
	if strings.Contains(said, "delete") || strings.Contains(said, "withdraw") {
		t.Errorf("something was taken away:\n%s", said)
	}
	w.central.Run(t)
	if _, err := os.Stat(filepath.Join(w.dir, "agent.sock")); err == nil {
		t.Error("the socket is left")
	}
}
