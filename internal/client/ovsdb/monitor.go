package ovsdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// noTransaction is the transaction id of a client that has seen none.
const noTransaction = "00000000-0000-0000-0000-000000000000"

// monitor keeps the tables of one database equal to the server's. It is used by the goroutine that reads the
// connection, except for begin.
type monitor struct {
	database string // and the monitor's id
	stores   map[string]Store
	columns  map[string][]string // what is monitored, by table
	// where are the conditions that the rows agree with, unless the server has been asked for others and has not
	// confirmed them.
	where    clauses
	changing bool
	// last is the newest transaction whose effects are in the stores, as the server names it. A clustered server can
	// go on from there, a standalone one names none.
	last string
}

func newMonitor(database string, tables []Store) *monitor {
	m := &monitor{database: database, stores: map[string]Store{}, last: noTransaction}
	for _, t := range tables {
		m.stores[t.Name()] = t
	}
	return m
}

// bind chooses what to monitor: what we want and the server has, and each column that conditions may be about.
//
// Clients that monitor the same columns share a monitor within the server, whatever their conditions are. A condition
// on a column that is not monitored adds the column to that monitor, but not to the changes that were gathered for the
// other clients, and the next comparison reads behind their end: the server is lost with all of its clients (seen in
// OVS 3.1 and 3.5; its source has it up to 4.0). [true] and [false] are about "_uuid" for a server. So who has
// conditions on a table monitors "_uuid" as well, and has no condition on a column that is not monitored.
func (m *monitor) bind(s *schema, where clauses) {
	columns := map[string][]string{}
	for name, t := range m.stores {
		list := t.bind(s)
		if len(list) == 0 {
			continue
		}
		if _, conditional := where[name]; conditional {
			list = append(list, rowIdentity)
		}
		columns[name] = list
	}
	// A server that goes on from our last transaction would not send the older contents of a column that we did
	// not have before.
	if !maps.EqualFunc(columns, m.columns, slices.Equal) {
		m.last = noTransaction
	}
	m.columns = columns
}

// whereOf is the where member of a request about a table.
func (m *monitor) whereOf(table string, where clauses) json.RawMessage {
	return where.where(table, func(column string) bool { return slices.Contains(m.columns[table], column) })
}

// errOtherColumns is why a connection ends whose monitor has not the columns that conditions are about.
var errOtherColumns = errors.New("there are conditions on a table that had none when the monitor began: it begins anew")

// begin asks for the contents and all changes, loads the contents and calls synced, in the goroutine that reads the
// connection, before any change is applied.
//
// A server that goes on from our last transaction sends what changed since: of rows that other conditions would bring
// it sends only those. So after a change of conditions that was not confirmed, all is loaded again.
func (m *monitor) begin(ctx context.Context, c *Conn, where clauses, synced func()) error {
	requests := map[string]any{}
	for table, columns := range m.columns {
		request := map[string]any{"columns": columns}
		if _, conditional := where[table]; conditional {
			request["where"] = m.whereOf(table, where)
		}
		requests[table] = []any{request}
	}
	if m.changing || !where.equal(m.where) {
		m.last = noTransaction
	}
	m.where, m.changing = where, false
	from := m.last
	m.last = noTransaction // until all of the reply is in the stores
	_, err := c.call(ctx, "monitor_cond_since", []any{m.database, m.database, requests, from}, func(d *Decoder) error {
		return m.loadSince(d, synced)
	})
	var refused *RPCError
	if errors.As(err, &refused) && strings.Contains(refused.Text, "unknown method") {
		_, err = c.call(ctx, "monitor_cond", []any{m.database, m.database, requests}, func(d *Decoder) error {
			return m.load(d, false, noTransaction, synced)
		})
	}
	if err != nil {
		return fmt.Errorf("monitor %s: %w", m.database, err)
	}
	return nil
}

// recondition changes the conditions, and returns when the tables agree with them. The goroutine that reads the
// connection is running; it uses neither columns nor conditions.
func (m *monitor) recondition(ctx context.Context, c *Conn, where clauses) error {
	requests := map[string]any{}
	for table, columns := range m.columns {
		if _, conditional := where[table]; conditional && !slices.Contains(columns, rowIdentity) {
			return errOtherColumns
		}
		if now := m.whereOf(table, where); !bytes.Equal(now, m.whereOf(table, m.where)) {
			requests[table] = []any{map[string]any{"where": now}}
		}
	}
	m.changing = true
	if len(requests) > 0 {
		if _, err := c.call(ctx, "monitor_cond_change", []any{m.database, m.database, requests}, nil); err != nil {
			return fmt.Errorf("change what is monitored of %s: %w", m.database, err)
		}
	}
	m.where, m.changing = where, false
	return nil
}

// loadSince reads the reply [found, last transaction, contents] of monitor_cond_since. Found means that the contents
// are only what changed since the transaction we named.
func (m *monitor) loadSince(d *Decoder, synced func()) error {
	d.expect('[')
	found := d.boolean()
	d.expect(',')
	last := d.str()
	d.expect(',')
	if err := m.load(d, found, last, synced); err != nil {
		return err
	}
	d.expect(']')
	return d.Err()
}

func (m *monitor) load(d *Decoder, found bool, last string, synced func()) error {
	if !found {
		for _, t := range m.stores {
			t.beginDump()
		}
	}
	m.apply(d)
	if d.Err() != nil {
		return fmt.Errorf("contents of %s: %w", m.database, d.Err())
	}
	if !found {
		for _, t := range m.stores {
			t.endDump()
		}
	}
	m.last = last
	synced()
	return nil
}

// notification applies the parameters of update2, [id, changes], and update3, [id, transaction, changes], when they
// are this monitor's; the id has been read.
func (m *monitor) notification(method string, d *Decoder) error {
	last := noTransaction
	d.expect(',')
	if method == "update3" {
		last = d.str()
		d.expect(',')
	}
	m.apply(d)
	d.expect(']')
	if d.Err() != nil {
		m.last = noTransaction
		return fmt.Errorf("change of %s: %w", m.database, d.Err())
	}
	m.last = last
	return nil
}

// apply reads changes: {table: {row: {"initial" | "insert" | "modify" | "delete": columns}}}.
func (m *monitor) apply(d *Decoder) {
	d.expect('{')
	for i := 0; d.more(i, '}'); i++ {
		t := m.stores[d.key()]
		if t == nil {
			d.skip()
			continue
		}
		d.expect('{')
		for j := 0; d.more(j, '}'); j++ {
			var id UUID
			if text := d.text(); !id.parse(text) {
				d.fail("%q is not a UUID", text)
			}
			d.expect(':')
			if d.err == nil {
				t.update(d, id)
			}
		}
	}
}

// pending returns how many rows changed since they were last read.
func (m *monitor) pending() (n int) {
	for _, t := range m.stores {
		n += t.pending()
	}
	return n
}

func (m *monitor) rows() (n int) {
	for _, t := range m.stores {
		n += t.Len()
	}
	return n
}

func (m *monitor) absent() (names []string) {
	for _, t := range m.stores {
		names = append(names, t.absent()...)
	}
	slices.Sort(names)
	return names
}
