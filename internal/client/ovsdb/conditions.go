package ovsdb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Conditions say which rows of which tables a Client copies. Of a table that is named, a row is copied when any one of
// its conditions holds, and none when there is no condition; a table that is not named is copied as a whole. A column
// that the server has not makes a condition hold for no row. Conditions are about the columns that are copied, and the
// row's identity, only: see monitor.bind.
//
// A server that has only "==" in a table's conditions looks rows up; with any other function among them it compares
// each row that changes, and each row there is when the conditions change, with one condition after the other.
type Conditions map[string][]Condition

// rowIdentity is the column that each table has, and that rows are known by.
const rowIdentity = "_uuid"

// clause is a condition in OVSDB's notation.
type clause struct {
	column string
	text   string
}

// clauses are conditions in a form that can be compared: sorted, without doubles.
type clauses map[string][]clause

func (c Conditions) encode() (clauses, error) {
	out := make(clauses, len(c))
	for table, list := range c {
		encoded := make([]clause, 0, len(list))
		for _, one := range list {
			text, err := json.Marshal([3]any{one.Column, one.Function, wireValue(one.Value)})
			if err != nil {
				return nil, fmt.Errorf("condition on %s.%s: %w", table, one.Column, err)
			}
			encoded = append(encoded, clause{one.Column, string(text)})
		}
		slices.SortFunc(encoded, func(a, b clause) int { return bytes.Compare([]byte(a.text), []byte(b.text)) })
		out[table] = slices.Compact(encoded)
	}
	return out, nil
}

func (c clauses) equal(o clauses) bool { return maps.EqualFunc(c, o, slices.Equal) }

// where is a table's conditions as a request has them. What holds for no row is written as [false], because for a
// server the empty list is no condition.
func (c clauses) where(table string, has func(column string) bool) json.RawMessage {
	list, ok := c[table]
	if !ok {
		return json.RawMessage("[true]")
	}
	out := []byte{'['}
	for _, one := range list {
		if !has(one.column) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, one.text...)
	}
	if len(out) == 1 {
		return json.RawMessage("[false]")
	}
	return append(out, ']')
}

// check finds conditions that are about what is not copied.
func (m *monitor) check(c clauses) error {
	for table, list := range c {
		store := m.stores[table]
		if store == nil {
			return fmt.Errorf("conditions on %s, which is not copied", table)
		}
		for _, one := range list {
			if one.column != rowIdentity && !slices.Contains(store.Columns(), one.column) {
				return fmt.Errorf("condition on %s.%s, which is not copied", table, one.column)
			}
		}
	}
	return nil
}

// SetConditions says from now on which rows are copied, and returns by which number Status calls these conditions.
// Before Run it chooses what is loaded at all; while Run runs, the rows that come in and fall out arrive as one
// change, and once Status.Conditions is the returned number, the tables hold what the conditions ask for: until then,
// a row that is missing may be one that has not come yet. The conditions that are in force already have their
// number still, and nothing is sent. A table that had none when Run connected makes it connect anew. It must not be
// called within Read.
func (c *Client) SetConditions(conditions Conditions) (uint64, error) {
	encoded, err := conditions.encode()
	if err == nil {
		err = c.monitor.check(encoded)
	}
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if encoded.equal(c.wanted) {
		return c.wantedNumber, nil
	}
	c.wanted = encoded
	c.wantedNumber++
	select {
	case c.reconditioned <- struct{}{}:
	default:
	}
	return c.wantedNumber, nil
}

// conditions returns what is wanted now.
func (c *Client) conditions() (clauses, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wanted, c.wantedNumber
}
