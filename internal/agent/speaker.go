package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// chooseSpeaker decides who speaks BGP on this node, and says why. It is done once, at the start: two speakers, or one
// after the other, would take each other's sessions.
func chooseSpeaker(s config.Settings) (config.Speaker, string) {
	if asked := s.Node.BGP.Speaker; asked != config.SpeakerAuto {
		return asked, "configured"
	}
	switch {
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
	if !n.embedded() {
		return nil
	}
	const enough = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	list, err := n.gobgp.CountedSessions(ctx)
	if err != nil {
		return nil // the subsystem's own line says what is wrong
	}
	return list
}

// speakerText is the status's line about who speaks.
func (n *node) speakerText() string { return fmt.Sprintf("%s (%s)", n.speaks, n.speaksWhy) }

// speakerPart removes what the speaker of this node told. FRR is told to forget it. The speaker built in has ended with
// its agent, and where graceful restart is agreed its neighbours keep for a while what it told.
func (n *node) speakerPart(c config.Node) part {
	if !n.embedded() {
		return part{n.leak.Name(), n.cleanupLeak}
	}
	return part{n.gobgp.Name(), func(ctx context.Context) ([]plan.Step, error) {
		vrfs, err := n.carriers.OwnVRFs(ctx)
		if err != nil || len(vrfs) == 0 || len(c.BGP.Instance.Peers) == 0 {
			return nil, err // without a VRF of ours nothing was announced
		}
		return []plan.Step{{Verb: plan.Delete, Object: "what neighbours keep of this node", Why: "cleanup",
			Do: func(ctx context.Context) error { return n.gobgp.Forget(ctx, c.BGP.Instance) }}}, nil
	}}
}
