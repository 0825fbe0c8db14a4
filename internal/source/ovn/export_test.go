package ovn

import (
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/ovn"
)

// Scope is a scope for tests, which play the server.
type Scope struct {
	scope *scope
	rows  *Northbound
}

// NewScope returns a scope of tables that the test fills.
func NewScope(tables *nb.Tables) *Scope {
	rows := NewNorthbound(tables)
	return &Scope{newScope(tables, rows.switchOf), rows}
}

// Review converts the tables and returns what is to be copied.
func (s *Scope) Review(local ovn.Local, tenants bool, now time.Time) (ovn.Snapshot, ovsdb.Conditions) {
	snapshot := s.rows.Update(ovsdb.UUID{}, nil)
	snapshot.Local = local
	return snapshot, s.scope.conditions(newSelf(&local, "", tenants), now)
}

// Linger is for how long rows stay.
const Linger = linger
