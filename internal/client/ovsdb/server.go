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
	}
	return nil
}

func newServerTable() *Table[serverDatabase] {
	return NewTable("Database", (*serverDatabase).field, "name", "model", "connected", "leader", "cid")
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

// findDatabase returns the row of a database.
func findDatabase(t *Table[serverDatabase], name string) (*serverDatabase, error) {
	for _, row := range t.All() {
		if row.Name == name {
			return row, nil
		}
	}
	return nil, fmt.Errorf("the server has no database %s", name)
}
