package agent

import (
	"context"
	"fmt"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
)

// atGate brings into a state what does not depend on OVN, while OVN cannot be read.
func (n *node) atGate(state model.Node) model.Node {
	return n.hostNow(n.learnedNow(n.drainNow(state)))
}

// learnedNow brings into a state what BGP peers tell now. What cannot be read stays as it was.
func (n *node) learnedNow(state model.Node) model.Node {
	if n.source.rib == nil {
		return state
	}
	ctx, cancel := context.WithTimeout(context.Background(), gateLimit)
	defer cancel()
	rib, err := n.source.rib.Snapshot(ctx)
	if err != nil {
		return state
	}
	return desired.LearnedNow(state, rib)
}

// first is what the loop does before OVN has been read once, where the speaker is the one built in: it has its neighbours
// from the state, and a node whose way to the databases leads through BGP would never see one.
func (n *node) first(ctx context.Context) (model.Node, error) {
	announced, err := n.addresses.Recorded(ctx)
	if err != nil {
		return model.Node{}, err
	}
	in, err := n.source.withoutOVN(ctx)
	if err != nil {
		return model.Node{}, err
	}
	if patience := patienceForOVN(in.Config); len(announced) > 0 && time.Since(n.born) < patience {
		return model.Node{}, fmt.Errorf("BGP neighbours are told what was announced before when that has taken %s", patience)
	}
	return desired.First(in.Input, in.Config, announced), nil
}

// kept is how the speaker built in, which begins with nothing, learns of announcements whose withdrawal is held.
func (n *node) kept(ctx context.Context, in roundInput, want model.Node, keys []string) (model.Node, error) {
	announced, err := n.addresses.Recorded(ctx)
	if err != nil {
		return want, err
	}
	return desired.Kept(want, in.Config, announced, keys), nil
}

// patienceForOVN is how long OVN has, after a start, to say what is to be announced, where something was announced before.
// The kernel does not tell what each address belongs to, by which attributes may be chosen; and with graceful restart
// neighbours keep what they know for longer than that.
func patienceForOVN(c config.Node) time.Duration {
	const enough = 20 * time.Second
	if g := c.BGP.Instance.GracefulRestart; g.Enabled {
		return min(enough, g.RestartTime/2)
	}
	return 0
}
