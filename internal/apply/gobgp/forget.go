package gobgp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/model"
)

// forgetting is how long Forget tries. Who does not answer in it keeps nothing for long either.
const forgetting = 20 * time.Second

// Forget has the neighbours forget what they keep of a speaker on this node that has ended: it speaks to each of them
// once, has nothing to tell, and says good-bye. It is for a process that announces nothing.
func (a *Applier) Forget(ctx context.Context, b model.BGP) error {
	ctx, cancel := context.WithTimeout(ctx, forgetting)
	defer cancel()
	// As one that takes up where another left, so that BGP waits for BFD: a neighbour that heard BFD end may not begin a
	// session before it is back.
	b.GracefulRestart.PreserveForwarding = true
	g := speaker.Global{AS: b.AS, RouterID: b.RouterID}
	if err := a.speaker.Start(ctx, g, prepare); err != nil {
		return err
	}
	var errs []error
	left := map[string]bool{}
	for _, p := range b.Peers {
		next, err := a.peer(b, p)
		if err == nil {
			err = a.speaker.SetPeer(ctx, next)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		left[p.Name] = true
	}
	for len(left) > 0 {
		list, err := a.Sessions(ctx)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, s := range list {
			if left[s.Name] && s.Up() {
				delete(left, s.Name)
				errs = append(errs, a.speaker.RemovePeer(s.Name))
			}
		}
		select {
		case <-ctx.Done():
			for name := range left {
				errs = append(errs, fmt.Errorf("peer %s does not answer: it forgets by itself when its restart timer ends", name))
			}
			clear(left)
		case <-time.After(50 * time.Millisecond):
		}
	}
	a.speaker.Stop()
	return errors.Join(errs...)
}
