package desired

import (
	"net/netip"
	"slices"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// another adds to an announcement what one more finding wants it for.
func another(a *model.Announcement, f finding) {
	if !slices.Contains(a.Whys, f.why) {
		a.Whys = append(a.Whys, f.why)
	}
	if !slices.Contains(a.Kinds, f.kind) {
		a.Kinds = append(a.Kinds, f.kind)
		slices.Sort(a.Kinds)
	}
}

// byRoute tells whether a prefix that would be an address on the VRF's device is a route to it by configuration.
func (v *view) byRoute(p netip.Prefix) bool {
	return v.c.BGP.AnnounceWith == config.AnnounceRoute && p.IsSingleIP()
}

// speak says what BGP must be, and what it adds to each announcement.
func (v *view) speak(n *model.Node) {
	c, host := &v.c.BGP, &v.in.Host
	if c.Configured() {
		n.BGP = c.Instance
		n.BGP.GracefulRestart.PreserveForwarding = c.Instance.GracefulRestart.Enabled && !host.FreshBoot
	}
	if c.Speaker == config.SpeakerEmbedded {
		n.Leak = model.Leak{} // there is no FRR to leak in
	}
	n.BGP.Drained = host.Drained
	learned, unknown := Learned(v.in.RIB, n.BGP)
	n.Routes, n.LearnedUnknown = append(n.Routes, learned...), unknown
	n.LearnedGone = v.in.RIB.Gone
	alone := map[model.Kind]model.Attributes{} // of announcements of one kind, which nearly all are
	for i := range n.Announcements {
		a := &n.Announcements[i]
		if len(a.Kinds) != 1 {
			a.Attributes = c.AttributesOf(a.Kinds)
			continue
		}
		of, known := alone[a.Kinds[0]]
		if !known {
			of = c.AttributesOf(a.Kinds)
			alone[a.Kinds[0]] = of
		}
		a.Attributes = of
	}
}
