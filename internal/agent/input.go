package agent

import (
	"context"
	"sync"
	"sync/atomic"

	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// ovnSource and hostSource are the two halves of a node's input.
type ovnSource interface {
	SelectLabels(keys []string)
	Snapshot(context.Context) (ovn.Snapshot, error)
	Pokes() <-chan struct{}
}

type hostSource interface {
	Snapshot(context.Context) (model.Host, error)
}

// ribSource is what BGP peers told, where the speaker is in this process.
type ribSource interface {
	Snapshot(context.Context) (model.RIB, error)
	Pokes() <-chan struct{}
}

// roundInput is all that one round decides by: the settings are taken once, with the rest, so that a reload in the
// middle of a round cannot have half of it follow the old ones.
type roundInput struct {
	desired.Input
	Config config.Node
}

// inputSource joins what OVN, the node and the configuration say into what decisions depend on.
type inputSource struct {
	ovn    ovnSource
	host   hostSource
	rib    ribSource // nil: FRR's business, and nothing of it is in the kernel by us
	config atomic.Pointer[config.Node]
	fixed  *desired.Input // from a file; nil: read
	pokes  chan struct{}
	// drainFile is what the host's half looks at, too.
	drainFile string
	// addresses are the host's own that the settings name; nil: nobody reads them.
	addresses *hostAddresses
	// noted receives when FRR may lack a route; nil: nobody looks.
	noted <-chan struct{}

	reading sync.Mutex
}

func newInputSource(o ovnSource, h hostSource, c config.Node) *inputSource {
	s := &inputSource{ovn: o, host: h, pokes: make(chan struct{}, 1)}
	s.config.Store(&c)
	return s
}

// Snapshot reads all of it.
func (s *inputSource) Snapshot(ctx context.Context) (roundInput, error) {
	in := roundInput{Config: *s.config.Load()}
	if s.fixed != nil {
		in.Input = *s.fixed
		return in, nil
	}
	var err error
	if in.OVN, err = s.readOVN(ctx, in.Config); err != nil {
		return roundInput{}, err
	}
	return s.readNode(ctx, in)
}

// withoutOVN reads all of it but what OVN says.
func (s *inputSource) withoutOVN(ctx context.Context) (roundInput, error) {
	return s.readNode(ctx, roundInput{Config: *s.config.Load()})
}

// readNode adds to an input what the node says.
func (s *inputSource) readNode(ctx context.Context, in roundInput) (_ roundInput, err error) {
	if in.Host, err = s.host.Snapshot(ctx); err != nil {
		return roundInput{}, err
	}
	if s.addresses != nil {
		if in.Host.Addresses, err = s.addresses.read(ctx, in.Config); err != nil {
			return roundInput{}, err
		}
	}
	in.RIB.Known = true
	if s.rib != nil {
		if in.RIB, err = s.rib.Snapshot(ctx); err != nil {
			return roundInput{}, err
		}
	}
	return in, nil
}

// learn has the source read what BGP peers told, too. Call it before anybody reads.
func (s *inputSource) learn(r ribSource) { s.rib = r }

// readOVN reads what the settings look at. A snapshot without the labels that a policy selects by would have the
// policy leave everything out, so nobody selects others between the two.
func (s *inputSource) readOVN(ctx context.Context, c config.Node) (ovn.Snapshot, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.ovn.SelectLabels(c.Policy.Labels())
	return s.ovn.Snapshot(ctx)
}

// reconfigure puts other settings in force, from the next round on.
func (s *inputSource) reconfigure(c config.Node) {
	s.config.Store(&c)
	s.poke()
}

// Pokes receives when OVN, or the configuration, may be different. The node's own half changes by what the kernel's
// applier hears, too.
func (s *inputSource) Pokes() <-chan struct{} { return s.pokes }

// forward passes OVN's pokes on until the context ends.
func (s *inputSource) forward(ctx context.Context) {
	var learned <-chan struct{}
	if s.rib != nil {
		learned = s.rib.Pokes()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ovn.Pokes():
		case <-s.addresses.pokes():
		case <-learned:
		case <-s.noted:
		}
		s.poke()
	}
}

func (s *inputSource) poke() {
	select {
	case s.pokes <- struct{}{}:
	default: // one is waiting
	}
}

// fix replaces what OVN and the node say by an input from a file. Call it before anybody reads.
func (s *inputSource) fix(in desired.Input) { s.fixed = &in }
