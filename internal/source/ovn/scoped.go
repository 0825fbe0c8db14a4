package ovn

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// scoped keeps a client's conditions to what a scope asks for, and a snapshot of the last time they agreed.
//
// What falls out of the copy because it went elsewhere, and what belongs to a gateway that came, is asked for by the
// next conditions. Until the copy has it, the snapshot before stays: none is ever without a row that makes an address
// look gone.
type scoped struct {
	client *ovsdb.Client
	scope  *scope
	tables *nb.Tables

	me       self
	reviewed time.Time
	wanted   ovsdb.Conditions // by the last review; nil: as before
	number   uint64           // of the conditions asked for
	agreed   uint64           // of those that the copy agreed with at the last review
	complete bool             // these are the same

	connects uint64        // the connection that released is of
	current  uint64        // the connection reviewed last
	released *ovn.Snapshot // nil before the copy was complete
}

func newScoped(client *ovsdb.Client, tables *nb.Tables, rows *Northbound) *scoped {
	s := &scoped{client: client, tables: tables, scope: newScope(tables, rows.switchOf)}
	// Before the node's names are known: what is copied for every node. It can be written.
	s.number, _ = client.SetConditions(s.scope.conditions(self{}, time.Time{}))
	return s
}

// review takes note of what the copy says to be needed. It must run within ovsdb.Client.Read, behind Northbound.Update.
func (s *scoped) review(status ovsdb.Status, me self, now time.Time) {
	s.current, s.agreed = status.Connects, status.Conditions
	if s.changed() || !reflect.DeepEqual(me, s.me) || now.Sub(s.reviewed) >= linger {
		s.wanted = s.scope.conditions(me, now)
		s.me, s.reviewed = me, now
	}
}

// ask asks for what the last review wants, and finds out whether the copy it has seen had all that. It must not run
// within ovsdb.Client.Read.
func (s *scoped) ask() error {
	if s.wanted != nil {
		number, err := s.client.SetConditions(s.wanted)
		if err != nil {
			return fmt.Errorf("what to copy of the Northbound database: %w", err)
		}
		s.number, s.wanted = number, nil
	}
	s.complete = s.agreed == s.number
	return nil
}

// changed tells whether a row changed on which the scope depends.
func (s *scoped) changed() bool {
	t := s.tables
	return len(changed(t.LogicalSwitchPort))+len(changed(t.LogicalSwitch))+len(changed(t.LogicalRouter))+
		len(changed(t.LogicalRouterPort))+len(changed(t.NAT))+len(changed(t.LoadBalancer))+
		len(changed(t.HAChassisGroup))+len(changed(t.HAChassis))+len(changed(t.GatewayChassis)) > 0
}

// release returns the snapshot if it is complete, else the last one that was.
func (s *scoped) release(snapshot ovn.Snapshot) (ovn.Snapshot, error) {
	if s.complete {
		s.released, s.connects = &snapshot, s.current
	}
	if s.released == nil || s.connects != s.current {
		return ovn.Snapshot{}, fmt.Errorf("%w: what concerns this node is still being read from the Northbound database",
			model.ErrNotInSync)
	}
	return *s.released, nil
}

// advance lets the scope follow what came, and returns whether there may be something new to see.
func (s *Source) advance(ctx context.Context) bool {
	if !s.scopes {
		return true
	}
	_, err := s.Snapshot(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return err != nil || s.central.scoped.complete
}

// ExposeTenants says whether the ports of networks behind gateways are wanted in scoped snapshots.
func (s *Source) ExposeTenants(wanted bool) {
	s.mu.Lock()
	changed := s.tenants != wanted
	s.tenants = wanted
	s.mu.Unlock()
	if changed {
		s.poke()
	}
}

// wholeAge is for how long a read of the whole database answers the questions that follow.
const wholeAge = 5 * time.Second

// whole is the last read of a whole database.
type whole struct {
	mu       sync.Mutex // held while reading: who asks meanwhile gets the same answer
	snapshot *ovn.Snapshot
	began    time.Time
}

// Whole reads the Northbound database as a whole, once, for questions about addresses that a scoped snapshot does not
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
