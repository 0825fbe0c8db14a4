package ovsdb

import (
	"errors"
	"fmt"
)

// serverDatabase is a row of table Database in the database _Server, in which a server describes the databases that
// it serves (ovsdb-server(5)).
type serverDatabase struct {
	Name, Model       string
	Connected, Leader bool
	ClusterID         Optional[UUID]
	Index             Optional[int64] // of the cluster's log, as far as the server has it
}

func (r *serverDatabase) field(column string) any {
	switch column {
	case "name":
		return &r.Name
	case "model":
		return &r.Model
	case "connected":
		return &r.Connected
	case "leader":
		return &r.Leader
	case "cid":
		return &r.ClusterID
	case "index":
		return &r.Index
	}
	return nil
}

func newServerTable() *Table[serverDatabase] {
	return NewTable("Database", (*serverDatabase).field, "name", "model", "connected", "leader", "cid", "index")
}

// usable returns nil if a server's database is one to work with.
func (r *serverDatabase) usable(leaderOnly bool) error {
	switch {
	case r.Model == "standalone":
		return nil
	case !r.Connected:
		return errors.New("the server is not connected to its cluster")
	case leaderOnly && !r.Leader:
		return errors.New("the server is not its cluster's leader")
	}
	return nil
}

// progress is how far a client has seen a cluster's log. A member that is behind would show rows as they were: what
// was added since would look deleted.
type progress struct {
	cluster UUID
	index   int64
}

// advance takes note of what a server says of itself, and returns an error if it is behind.
func (p *progress) advance(r *serverDatabase) error {
	if r.Model == "standalone" || !r.ClusterID.Present {
		return nil
	}
	now := progress{r.ClusterID.Value, r.Index.Value}
	if now.cluster == p.cluster && now.index < p.index {
		return fmt.Errorf("the server is behind its cluster: it has entry %d of the log, %d was seen already",
			now.index, p.index)
	}
	*p = now
	return nil
}

// findDatabase returns the row of a database.
func findDatabase(t *Table[serverDatabase], name string) (*serverDatabase, error) {
	for _, row := range t.All() {
		if row.Name == name {
			return row, nil
		}
	}
	return nil, fmt.Errorf("the server has no database %s", name)
}
