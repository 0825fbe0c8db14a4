package ovn

import (
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/ovn"
)

// Scope is a scope for tests, which play the server.
type Scope struct {
	selector selector
	rows     reader
}

// NewScope returns a scope of the Northbound or the Southbound database, and tables that the test fills.
func NewScope(southbound bool) (*Scope, ovsdb.Tables) {
	var o Options
	if southbound {
		o.Southbound = &ovsdb.Options{}
	}
	tables, rows := o.kind().read()
	return &Scope{rows.selector(), rows}, tables
}

// Review converts the tables and returns what is to be copied.
func (s *Scope) Review(local ovn.Local, tenants bool, now time.Time) (ovn.Snapshot, ovsdb.Conditions) {
	snapshot := s.rows.Update(ovsdb.UUID{}, nil)
	snapshot.Local = local
	return snapshot, s.selector.conditions(newNode(&local, "", tenants), now)
}

// SetWaits sets for how long a conditional snapshot stays, and after how long a request without an answer is trouble.
func (s *Source) SetWaits(hold, unanswered time.Duration) { s.hold, s.unanswered = hold, unanswered }

// Linger is for how long rows stay.
const Linger = linger
