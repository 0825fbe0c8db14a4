package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
	"ovnbgp/internal/status"
)

// chooseSpeaker decides who speaks BGP on this node, and says why. It is done once, at the start: two speakers, or one
// after the other, would take each other's sessions.
func chooseSpeaker(s config.Settings) (config.Speaker, string) {
	if asked := s.Node.BGP.Speaker; asked != config.SpeakerAuto {
		return asked, "configured"
	}
	switch {
	case s.Node.BGP.Mode != config.ModeAssist: // it speaks of FRR, which may start later
		return config.SpeakerFRR, "frr_mode is " + string(s.Node.BGP.Mode)
	case hasFRR(s.Paths.FRRSockets):
		return config.SpeakerFRR, "its sockets are in " + s.Paths.FRRSockets
	case len(s.Node.BGP.Instance.Peers) > 0:
		return config.SpeakerEmbedded, fmt.Sprintf("no sockets of FRR in %s, and neighbours are configured", s.Paths.FRRSockets)
	}
	return config.SpeakerFRR, "no neighbours are configured"
}

// hasFRR tells whether a daemon of FRR has, or had, its socket there: one that is only being restarted counts.
func hasFRR(dir string) bool {
	for _, daemon := range []string{"bgpd", "zebra"} {
		if _, err := os.Stat(filepath.Join(dir, daemon+".vty")); err == nil {
			return true
		}
	}
	return false
}

// patienceWithPeers is how long peers have, after a start, to tell what they told before.
func patienceWithPeers(b model.BGP) time.Duration {
	const least = 30 * time.Second
	return max(least, b.GracefulRestart.RestartTime)
}

// embedded tells whether the node's speaker is the one built in.
func (n *node) embedded() bool { return n.speaks == config.SpeakerEmbedded }

// sessions lists the neighbours of whoever speaks, with what each was sent; none where that cannot be told.
func (n *node) sessions(ctx context.Context) []model.Session {
	const enough = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	if !n.embedded() {
		learned, err := n.bgpd.Snapshot(ctx)
		if err != nil {
			return nil // as below
		}
		return learned.Neighbors
	}
	list, err := n.gobgp.CountedSessions(ctx)
	if err != nil {
		return nil // the subsystem's own line says what is wrong
	}
	return list
}

// measurePeers are the neighbours as the metrics tell them, of the speaker built in. What each was sent is not counted: it
// would cost a play of all policies for every path at each scrape.
func (n *node) measurePeers() []metrics.Peer {
	if !n.embedded() {
		return nil
	}
	sessions, err := n.gobgp.Sessions(context.Background())
	if err != nil {
		return nil // it does not speak yet
	}
	return peerReadings(sessions)
}

func peerReadings(sessions []model.Session) []metrics.Peer {
	list := make([]metrics.Peer, 0, len(sessions))
	for _, s := range sessions {
		p := metrics.Peer{Name: s.Name, VRF: "default", Up: s.Up(), Since: s.Since, Established: s.Established,
			BFD: s.BFD != "", BFDUp: s.BFD == "up", BFDDowns: s.BFDDowns}
		for _, f := range s.Families {
			afi, _, _ := strings.Cut(string(f.Family), " ")
			p.Families = append(p.Families, metrics.PeerFamily{AFI: afi, Received: f.Received})
		}
		list = append(list, p)
	}
	return list
}

// speakerText is the status's line about who speaks and, where that is FRR, by whose configuration.
func (n *node) speakerText() string {
	mode := ""
	if !n.embedded() {
		mode = ", mode " + string(n.source.config.Load().BGP.Mode)
	}
	return fmt.Sprintf("%s%s (%s)", n.speaks, mode, n.speaksWhy)
}

// speakerParts remove what the speaker of this node told. FRR is told to forget it, also what an FRR that runs beside the
// speaker built in has from before. That one has ended with its agent, and where graceful restart is agreed its neighbours
// keep for a while what it told.
func (n *node) speakerParts(c config.Node) []part {
	inFRR := part{n.frr.Name(), n.cleanupFRR}
	if !n.embedded() {
		return []part{inFRR}
	}
	forget := part{n.gobgp.Name(), func(ctx context.Context) ([]plan.Step, error) {
		vrfs, err := n.carriers.OwnVRFs(ctx)
		if err != nil || len(vrfs) == 0 || len(c.BGP.Instance.Peers) == 0 {
			return nil, err // without a VRF of ours nothing was announced
		}
		return []plan.Step{{Verb: plan.Delete, Object: "what neighbours keep of this node", Why: "cleanup",
			Do: func(ctx context.Context) error { return n.gobgp.Forget(ctx, c.BGP.Instance) }}}, nil
	}}
	if !n.besideFRR() {
		return []part{forget}
	}
	return []part{forget, inFRR}
}

// besideFRR tells whether an FRR that answers runs where the speaker is the one built in. A socket that nobody listens at
// was left by one that does not run, and so tells nothing.
func (n *node) besideFRR() bool {
	conn, err := net.Dial("unix", filepath.Join(n.frrSockets, "bgpd.vty"))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// leftInFRR remarks on a leak of ours in an FRR that runs beside the speaker built in: with neighbours of its own it would
// announce the node's addresses a second time, and nobody withdraws them there.
func (n *node) leftInFRR(ctx context.Context) []status.Remark {
	if !n.embedded() || !n.besideFRR() {
		return nil
	}
	const enough = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	steps, err := n.frr.Cleanup(ctx)
	if err != nil || len(steps) == 0 {
		return nil // an FRR that does not answer announces nothing that could be seen from here
	}
	return []status.Remark{{Reason: "leak-left-in-frr", Row: "FRR " + steps[0].Object,
		Text: "the speaker built in announces this node's addresses, and FRR still has what the agent added for that before",
		Fix:  "stop the agent, `ovnbgp cleanup`, start it; or take it out in vtysh and out of frr.conf"}}
}
