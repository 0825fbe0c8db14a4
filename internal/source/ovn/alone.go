package ovn

import (
	"context"
	"fmt"
	"time"

	"ovnbgp/internal/ovn"
)

// WaitLocal waits until the node's own switch has been read and returns what it says, for those who need nothing of
// the central database.
func (s *Source) WaitLocal(ctx context.Context) (ovn.Local, error) {
	for {
		s.mu.Lock()
		err := s.readLocal()
		local := s.local
		s.mu.Unlock()
		if err == nil {
			return local, nil
		}
		select {
		case <-ctx.Done():
			return ovn.Local{}, fmt.Errorf("the local switch: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
