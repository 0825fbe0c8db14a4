package ovn

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// wholeAge is for how long a read of the whole database answers the questions that follow.
const wholeAge = 5 * time.Second

// whole is the last read of a whole database.
type whole struct {
	turn     chan struct{} // of one: taken while reading, so that who asks meanwhile gets the same answer
	snapshot *ovn.Snapshot
	labels   []string // those it was read with
	began    time.Time
}

// take waits for the turn, as long as the asker has time.
func (w *whole) take(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another reads the whole database: %w", ctx.Err())
	}
}

func (w *whole) release() { <-w.turn }

// Whole reads the central database as a whole, once, for questions about addresses that a conditional snapshot does not
// have; what was read within the last five seconds, and not before since, is good enough.
func (s *Source) Whole(ctx context.Context, since time.Time) (ovn.Snapshot, error) {
	if !s.conditional {
		return s.Snapshot(ctx)
	}
	if err := s.whole.take(ctx); err != nil {
		return ovn.Snapshot{}, fmt.Errorf("%w: %w", model.ErrNotInSync, err)
	}
	defer s.whole.release()
	s.mu.Lock()
	labels := s.labels
	s.mu.Unlock()
	if last := s.whole.snapshot; last != nil && time.Since(s.whole.began) < wholeAge && !s.whole.began.Before(since) &&
		slices.Equal(s.whole.labels, labels) {
		return *last, nil
	}
	began := time.Now()
	snapshot, err := s.readWhole(ctx, labels)
	if err != nil {
		return ovn.Snapshot{}, fmt.Errorf("%w: %w", model.ErrNotInSync, err)
	}
	s.whole.snapshot, s.whole.labels, s.whole.began = &snapshot, labels, began
	time.AfterFunc(wholeAge, func() { s.forgetWhole(began) })
	return snapshot, nil
}

// forgetWhole lets the memory go.
func (s *Source) forgetWhole(began time.Time) {
	s.whole.turn <- struct{}{}
	defer s.whole.release()
	if s.whole.began.Equal(began) {
		s.whole.snapshot = nil
	}
}

func (s *Source) readWhole(ctx context.Context, labels []string) (ovn.Snapshot, error) {
	s.mu.Lock()
	err := s.readLocal()
	local, central, noCentral := s.local, s.central, s.noCentral
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
