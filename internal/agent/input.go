package agent

import (
	"context"

	"ovnbgp/internal/desired"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// ovnSource and hostSource are the two halves of a node's input.
type ovnSource interface {
	Snapshot(context.Context) (ovn.Snapshot, error)
	Pokes() <-chan struct{}
}

type hostSource interface {
	Snapshot(context.Context) (model.Host, error)
}

// inputSource joins what OVN and the node say into what decisions depend on.
type inputSource struct {
	ovn   ovnSource
	host  hostSource
	fixed *desired.Input // from a file; nil: read
	pokes chan struct{}
}

func newInputSource(o ovnSource, h hostSource) *inputSource {
	return &inputSource{ovn: o, host: h, pokes: make(chan struct{}, 1)}
}

// Snapshot reads both halves.
func (s *inputSource) Snapshot(ctx context.Context) (desired.Input, error) {
	if s.fixed != nil {
		return *s.fixed, nil
	}
	o, err := s.ovn.Snapshot(ctx)
	if err != nil {
		return desired.Input{}, err
	}
	h, err := s.host.Snapshot(ctx)
	if err != nil {
		return desired.Input{}, err
	}
	return desired.Input{OVN: o, Host: h}, nil
}

// Pokes receives when OVN, or the configuration, may be different. The node's own half changes by what the kernel's
// applier hears, too.
func (s *inputSource) Pokes() <-chan struct{} { return s.pokes }

// forward passes OVN's pokes on until the context ends.
func (s *inputSource) forward(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ovn.Pokes():
			s.poke()
		}
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
