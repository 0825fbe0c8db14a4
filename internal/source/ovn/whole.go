package ovn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// wholeAge is for how long a read of the whole database answers the questions that follow.
const wholeAge = 5 * time.Second

// whole is the last read of a whole database.
type whole struct {
	mu       sync.Mutex // held while reading: who asks meanwhile gets the same answer
	snapshot *ovn.Snapshot
	began    time.Time
}

// Whole reads the central database as a whole, once, for questions about addresses that a scoped snapshot does not
// have; what was read within the last five seconds, and not before since, is good enough.
func (s *Source) Whole(ctx context.Context, since time.Time) (ovn.Snapshot, error) {
	if !s.scopes {
		return s.Snapshot(ctx)
	}
	s.whole.mu.Lock()
	defer s.whole.mu.Unlock()
	if last := s.whole.snapshot; last != nil && time.Since(s.whole.began) < wholeAge && !s.whole.began.Before(since) {
		return *last, nil
	}
	began := time.Now()
	snapshot, err := s.readWhole(ctx)
	if err != nil {
		return ovn.Snapshot{}, fmt.Errorf("%w: %w", model.ErrNotInSync, err)
	}
	s.whole.snapshot, s.whole.began = &snapshot, began
	time.AfterFunc(wholeAge, func() { s.forgetWhole(began) })
	return snapshot, nil
}

// forgetWhole lets the memory go.
func (s *Source) forgetWhole(began time.Time) {
	s.whole.mu.Lock()
	defer s.whole.mu.Unlock()
	if s.whole.began.Equal(began) {
		s.whole.snapshot = nil
	}
}

func (s *Source) readWhole(ctx context.Context) (ovn.Snapshot, error) {
	s.mu.Lock()
	err := s.readLocal()
	local, central, noCentral, labels := s.local, s.central, s.noCentral, s.labels
	s.mu.Unlock()
	if err != nil {
		return ovn.Snapshot{}, err
	}
	if central == nil {
		return ovn.Snapshot{}, noCentral
	}
	tables, rows := s.kind.read()
	status, err := ovsdb.ReadOnce(ctx, central.options, tables)
	if err != nil {
		return ovn.Snapshot{}, err
	}
	rows.SelectLabels(labels)
	snapshot := rows.Update(status.ClusterID, status.Absent)
	if !rows.Initialized() {
		return ovn.Snapshot{}, fmt.Errorf("the %s database is not initialised: it has no row in %s", s.kind.name, s.kind.global)
	}
	snapshot.Local = local
	return snapshot, nil
}
