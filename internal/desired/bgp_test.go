package desired

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// configured are settings of a node whose BGP is ours.
func configured() config.Node {
	c := defaults()
	preference := uint32(300)
	c.BGP = config.BGP{Speaker: config.SpeakerFRR, Mode: config.ModeManaged,
		Instance: model.BGP{AS: 64999, RouterID: netip.MustParseAddr("192.0.2.1"),
			GracefulRestart: model.GracefulRestart{Enabled: true, RestartTime: 2 * time.Minute}},
		Attributes: model.Attributes{Communities: []model.Community{64999<<16 | 7}},
		ByKind: map[model.Kind]model.Attributes{
			model.KindFloatingIP: {Communities: []model.Community{64999<<16 | 1}, LocalPreference: &preference},
			model.KindPort:       {Communities: []model.Community{64999<<16 | 7, 64999<<16 | 2}},
		}}
	return c
}

func TestSpeak(t *testing.T) {
	managed := configured()
	assist := configured()
	assist.BGP.Mode = config.ModeAssist
	embedded := configured()
	embedded.BGP.Mode, embedded.BGP.Speaker = config.ModeAssist, config.SpeakerEmbedded
	kept := managed.BGP.Instance
	kept.GracefulRestart.PreserveForwarding = true
	drained := kept
	drained.Drained = true
	off := managed
	off.BGP.Instance.GracefulRestart.Enabled = false
	tests := map[string]struct {
		host model.Host
		c    config.Node
		want model.BGP
	}{
		"managed":                  {model.Host{}, managed, kept},
		"embedded":                 {model.Host{}, embedded, kept},
		"just booted":              {model.Host{FreshBoot: true}, managed, managed.BGP.Instance},
		"drained":                  {model.Host{Drained: true}, managed, drained},
		"without graceful restart": {model.Host{}, off, off.BGP.Instance},
		"the operator's FRR":       {model.Host{}, assist, model.BGP{}},
		"the operator's, drained":  {model.Host{Drained: true}, assist, model.BGP{Drained: true}},
	}
	for name, tt := range tests {
		for _, driver := range []config.Driver{config.DriverNB, config.DriverStretchedL2} {
			tt.c.Driver = driver
			n, _ := Node(Input{Host: tt.host}, tt.c)
			if d := cmp.Diff(tt.want, n.BGP, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, driver, d)
			}
		}
	}
}

// An announcement has what every one has and what its kinds have; of two local preferences the higher.
func TestAttributesByKind(t *testing.T) {
	c := configured()
	low := uint32(50)
	c.BGP.ByKind[model.KindGateway] = model.Attributes{LocalPreference: &low}
	c.BGP.Attributes.LocalPreference = new(uint32)
	large := model.LargeCommunity{Global: 64999, Local1: 1, Local2: 2}
	c.BGP.Attributes.LargeCommunities = []model.LargeCommunity{large}
	tests := []struct {
		kinds []model.Kind
		want  string
	}{
		{[]model.Kind{model.KindTenant}, " community 64999:7 large-community 64999:1:2 local-preference 0"},
		{[]model.Kind{model.KindGateway}, " community 64999:7 large-community 64999:1:2 local-preference 50"},
		{[]model.Kind{model.KindPort}, " community 64999:2 community 64999:7 large-community 64999:1:2 local-preference 0"},
		{[]model.Kind{model.KindFloatingIP, model.KindGateway},
			" community 64999:1 community 64999:7 large-community 64999:1:2 local-preference 300"},
	}
	for _, tt := range tests {
		n := model.Node{Announcements: []model.Announcement{{Kinds: tt.kinds}, {Kinds: tt.kinds}}}
		newView(&Input{}, c).speak(&n)
		for _, a := range n.Announcements {
			if d := cmp.Diff(tt.want, a.Attributes.String()); d != "" {
				t.Errorf("%v (-want +got):\n%s", tt.kinds, d)
			}
		}
	}
}
