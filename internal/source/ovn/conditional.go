package ovn

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

const (
	// hold is for how long a snapshot stays while what the next needs is on its way. A node on which ports come and go
	// all the time always waits for something.
	hold = 5 * time.Second
	// steps is how many answers it takes, at most, until all is there that is needed by what there was before the first:
	// what one brings, the next request asks more for (a port, what it carries, the translations of that).
	steps = 6
	// unanswered is after how long without an answer a request is trouble.
	unanswered = 30 * time.Second
)

// selector says which rows of a central database a node copies.
type selector interface {
	// conditions returns what is to be copied, by what the copy says. It must run while the tables do not change.
	// Each time the copy has what was asked for, it may ask for more; when it asks for what is there, the copy is
	// complete.
	conditions(me node, now time.Time) ovsdb.Conditions
	// changed tells whether a row changed on which the conditions depend.
	changed() bool
	// missing lists the rows of ports that were wanted lately and that the copy has not.
	missing() []ovsdb.UUID
}

// conditional keeps a client's conditions to what a selector asks for, and a snapshot of the last time they agreed.
//
// What falls out of the copy because it went elsewhere, and what belongs to a gateway that came, is asked for by the
// next conditions. Until the copy has it, the snapshot before stays: none is ever without a row that makes an address
// look gone. Where there is always something to wait for, it stays no longer than hold and steps say: then there is a
// new one, in which a port that fell out is as it was before until the database has said what became of it.
type conditional struct {
	client   *ovsdb.Client
	selector selector
	database string // for people

	me       node
	reviewed time.Time
	wanted   ovsdb.Conditions // by the last review; nil: as before
	number   uint64           // of the conditions asked for
	agreed   uint64           // of those that the copy agreed with at the last review
	complete bool             // these are the same
	// requests are those that were not answered yet, oldest first.
	requests []request
	gone     []ovsdb.UUID          // ports that were wanted and that the copy had not at the last review
	missing  map[ovsdb.UUID]uint64 // these, and by which number they were asked for

	hold, unanswered time.Duration

	connects uint64        // the connection that released is of
	current  uint64        // the connection reviewed last
	released *ovn.Snapshot // nil before the copy was complete
	labels   []string      // those that released has
	waiting  time.Time     // since when there is something to wait for; zero while there is not
	answers  int           // that came since
	fresh    bool          // the last release gave a new one
}

// request is a change of conditions that the server was asked for.
type request struct {
	number uint64
	at     time.Time
}

func newConditional(client *ovsdb.Client, selector selector, database string, hold, unanswered time.Duration) *conditional {
	s := &conditional{client: client, selector: selector, database: database, hold: hold, unanswered: unanswered,
		missing: map[ovsdb.UUID]uint64{}}
	// Before the node's names are known: what is copied for every node. It can be written.
	s.number, _ = client.SetConditions(selector.conditions(node{}, time.Time{}))
	return s
}

// review takes note of what the copy says to be needed. It must run within ovsdb.Client.Read, behind reader.Update.
func (s *conditional) review(status ovsdb.Status, me node, now time.Time) {
	if status.Connects != s.current {
		s.waiting = time.Time{} // anew
	}
	if status.Conditions != s.agreed {
		s.answers++
	}
	s.current, s.agreed = status.Connects, status.Conditions
	if s.selector.changed() || !reflect.DeepEqual(me, s.me) || now.Sub(s.reviewed) >= linger {
		s.wanted = s.selector.conditions(me, now)
		s.me, s.reviewed = me, now
	}
	s.gone = s.selector.missing()
}

// ask asks for what the last review wants, and finds out whether the copy it has seen had all that. It must not run
// within ovsdb.Client.Read.
func (s *conditional) ask(now time.Time) error {
	if s.wanted != nil {
		number, err := s.client.SetConditions(s.wanted)
		if err != nil {
			return fmt.Errorf("what to copy of the %s database: %w", s.database, err)
		}
		if number != s.number {
			s.requests = append(s.requests, request{number, now})
		}
		s.number, s.wanted = number, nil
	}
	s.requests = slices.DeleteFunc(s.requests, func(r request) bool { return r.number <= s.agreed })
	s.complete = s.agreed == s.number
	before := s.missing
	s.missing = map[ovsdb.UUID]uint64{}
	for _, id := range s.gone {
		if number, asked := before[id]; asked {
			s.missing[id] = number
		} else {
			s.missing[id] = s.number
		}
	}
	return nil
}

// release returns the snapshot if it is complete, else the last one that was, or after a while what is nearest to it.
//
// One that was kept has the labels that were selected when it was made. With others selected it is none: a policy that
// selects by a key must not be asked about rows without it.
func (s *conditional) release(snapshot ovn.Snapshot, labels []string, now time.Time) (ovn.Snapshot, error) {
	s.fresh = true
	if s.complete {
		s.keep(snapshot, labels)
		s.waiting = time.Time{}
		return snapshot, nil
	}
	if len(s.requests) > 0 && now.Sub(s.requests[0].at) >= s.unanswered {
		return ovn.Snapshot{}, fmt.Errorf("%w: within %s the %s database has not answered a request for the rows that "+
			"concern this node", model.ErrNotInSync, s.unanswered, s.database)
	}
	if s.waiting.IsZero() {
		s.waiting, s.answers = now, 0
	}
	if now.Sub(s.waiting) >= s.hold && s.answers >= steps {
		snapshot.Ports = s.withMissing(snapshot.Ports)
		s.keep(snapshot, labels)
		s.waiting, s.answers = now, 0
		return snapshot, nil
	}
	if s.released == nil || s.connects != s.current || !slices.Equal(s.labels, labels) {
		return ovn.Snapshot{}, fmt.Errorf("%w: what concerns this node is still being read from the %s database",
			model.ErrNotInSync, s.database)
	}
	s.fresh = false
	return *s.released, nil
}

// keep is for as long as the copy is not complete.
func (s *conditional) keep(snapshot ovn.Snapshot, labels []string) {
	s.released, s.labels, s.connects = &snapshot, labels, s.current
}

// withMissing adds the ports that fell out of the copy and that the database has not answered for, as they were.
func (s *conditional) withMissing(ports []*ovn.LogicalSwitchPort) []*ovn.LogicalSwitchPort {
	if s.released == nil {
		return ports
	}
	asked := map[string]bool{}
	for id, number := range s.missing {
		if number > s.agreed {
			asked[id.String()] = true
		}
	}
	all := slices.Clone(ports)
	for _, port := range s.released.Ports {
		if asked[port.UUID] {
			all = append(all, port)
		}
	}
	slices.SortStableFunc(all, func(a, b *ovn.LogicalSwitchPort) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// advance lets the conditions follow what came, and returns whether there may be something new to see.
func (s *Source) advance(ctx context.Context) bool {
	if !s.conditional {
		return true
	}
	_, err := s.Snapshot(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return err != nil || s.central.conditional.fresh
}

// waits lets the conditions follow the time, and returns whether a snapshot that stayed need not stay any longer.
func (s *Source) waits(ctx context.Context) bool {
	s.mu.Lock()
	waited := s.central != nil && !s.central.conditional.complete
	s.mu.Unlock()
	return s.advance(ctx) && waited
}

// ExposeTenants says whether the ports of networks behind gateways are wanted in conditional snapshots.
func (s *Source) ExposeTenants(wanted bool) {
	s.mu.Lock()
	changed := s.tenants != wanted
	s.tenants = wanted
	s.mu.Unlock()
	if changed {
		s.poke()
	}
}
