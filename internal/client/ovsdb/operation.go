package ovsdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Columns are the values of a row to write, by column. A value is a string, int, int64, bool, float64, UUID, Named,
// Optional of these, []string, []int64, []UUID, Set, Map or map[string]string.
type Columns map[string]any

// Set is the value of a column of many elements of any kind, needed where named rows are among them.
type Set []any

// Named refers to a row that an earlier or later Insert of the same transaction names.
type Named string

// Condition is one clause of where; all clauses of an operation must hold.
type Condition struct {
	Column   string
	Function string // "==", "!=", "<", "<=", ">", ">=", "includes" or "excludes"
	Value    any    // as in Columns
}

// Equal is the condition that a column has exactly this value.
func Equal(column string, value any) Condition { return Condition{column, "==", value} }

// Includes is the condition that a column has at least these elements or pairs.
func Includes(column string, value any) Condition { return Condition{column, "includes", value} }

// IsRow is the condition that a row is this one.
func IsRow(u UUID) Condition { return Equal("_uuid", u) }

// Mutation changes a column relative to what it has.
type Mutation struct {
	Column  string
	Mutator string // "insert" or "delete" elements and pairs; "+=", "-=", "*=", "/=", "%=" numbers
	Value   any    // as in Columns; for "delete" from a map also a set of keys
}

// Operation is one step of a transaction. Make it with Insert, Update, Mutate, Delete, Select, Wait or Comment.
type Operation struct {
	name, table string
	members     map[string]any
	writes      bool
}

// Insert adds a row. name may be empty; else Named(name) refers to the row within the transaction.
func Insert(table, name string, row Columns) Operation {
	o := operation("insert", table, true)
	o.members["row"] = row
	if name != "" {
		o.members["uuid-name"] = name
	}
	return o
}

// InsertAs is Insert of a row whose UUID the client chooses (ovsdb-server 2.14 and later; not in RFC 7047).
func InsertAs(id UUID, table, name string, row Columns) Operation {
	o := Insert(table, name, row)
	o.members["uuid"] = id.String()
	return o
}

// Update sets columns of the rows that match where.
func Update(table string, where []Condition, row Columns) Operation {
	o := operation("update", table, true)
	o.members["where"], o.members["row"] = conditions(where), row
	return o
}

// Mutate changes columns of the rows that match where.
func Mutate(table string, where []Condition, mutations ...Mutation) Operation {
	o := operation("mutate", table, true)
	list := make([][3]any, 0, len(mutations))
	for _, m := range mutations {
		list = append(list, [3]any{m.Column, m.Mutator, m.Value})
	}
	o.members["where"], o.members["mutations"] = conditions(where), list
	return o
}

// Delete removes the rows that match where.
func Delete(table string, where ...Condition) Operation {
	o := operation("delete", table, true)
	o.members["where"] = conditions(where)
	return o
}

// Select reads columns, all if none is named, of the rows that match where, all if it is nil.
func Select(table string, where []Condition, columns ...string) Operation {
	o := operation("select", table, false)
	o.members["where"] = conditions(where)
	if len(columns) > 0 {
		o.members["columns"] = columns
	}
	return o
}

// Wait makes the transaction fail with "timed out" unless within timeout the named columns of the rows that match
// where are the given rows (until "==") or are not ("!="). A timeout of 0 checks once.
func Wait(
	table string, where []Condition, columns []string, until string, rows []Columns, timeout time.Duration,
) Operation {
	o := operation("wait", table, false)
	o.members["where"], o.members["columns"], o.members["until"] = conditions(where), columns, until
	o.members["rows"], o.members["timeout"] = rows, timeout.Milliseconds()
	return o
}

// Comment is written to the database's log beside the transaction.
func Comment(text string) Operation {
	o := operation("comment", "", false)
	o.members["comment"] = text
	return o
}

func operation(name, table string, writes bool) Operation {
	o := Operation{name: name, table: table, writes: writes, members: map[string]any{"op": name}}
	if table != "" {
		o.members["table"] = table
	}
	return o
}

func conditions(where []Condition) [][3]any {
	list := make([][3]any, 0, len(where))
	for _, c := range where {
		list = append(list, [3]any{c.Column, c.Function, c.Value})
	}
	return list
}

// String names the operation in errors.
func (o Operation) String() string {
	if o.table == "" {
		return o.name
	}
	return o.name + " " + o.table
}

// wire returns the operation with all values in OVSDB's notation.
func (o Operation) wire() map[string]any {
	out := make(map[string]any, len(o.members))
	for k, v := range o.members {
		switch v := v.(type) {
		case Columns:
			out[k] = v.wire()
		case []Columns:
			rows := make([]any, 0, len(v))
			for _, row := range v {
				rows = append(rows, row.wire())
			}
			out[k] = rows
		case [][3]any:
			list := make([][3]any, len(v))
			for i, e := range v {
				list[i] = [3]any{e[0], e[1], wireValue(e[2])}
			}
			out[k] = list
		default:
			out[k] = v
		}
	}
	return out
}

func (c Columns) wire() map[string]any {
	out := make(map[string]any, len(c))
	for column, v := range c {
		out[column] = wireValue(v)
	}
	return out
}

// wireValue writes a value in the notation of RFC 7047 §5.1.
func wireValue(v any) any {
	switch v := v.(type) {
	case UUID:
		return [2]any{"uuid", v.String()}
	case Named:
		return [2]any{"named-uuid", string(v)}
	case Optional[string]:
		return wireOptional(v)
	case Optional[int64]:
		return wireOptional(v)
	case Optional[bool]:
		return wireOptional(v)
	case Optional[UUID]:
		return wireOptional(v)
	case []string:
		return wireSet(v)
	case []int64:
		return wireSet(v)
	case []UUID:
		return wireSet(v)
	case Set:
		return wireSet(v)
	case map[string]string:
		return wireValue(MapOf(v))
	case Map:
		pairs := make([][2]string, 0, len(v))
		for _, p := range v {
			pairs = append(pairs, [2]string{p.Key, p.Value})
		}
		return [2]any{"map", pairs}
	}
	return v
}

func wireOptional[T comparable](o Optional[T]) any {
	if !o.Present {
		return wireSet[T](nil)
	}
	return wireValue(o.Value)
}

func wireSet[T any](elements []T) any {
	list := make([]any, 0, len(elements))
	for _, e := range elements {
		list = append(list, wireValue(e))
	}
	return [2]any{"set", list}
}

// Result is what one operation of a transaction did.
type Result struct {
	Count int        // rows matched by an update, mutate or delete
	UUID  UUID       // the row that an insert made
	Rows  []Selected // what a select read
}

// Selected is a row read by Select, by column, in OVSDB's notation.
type Selected map[string]json.RawMessage

// Get decodes a column into a pointer to a string, int64, bool, UUID, Optional of these, []string, []int64, []UUID or
// Map. It returns an error when the column was not read or has another type.
func (s Selected) Get(column string, into any) error {
	raw, ok := s[column]
	if !ok {
		return fmt.Errorf("column %s: not selected", column)
	}
	d := newMemoryDecoder(raw)
	if d.column(into, false); d.Err() != nil {
		return fmt.Errorf("column %s: %w", column, d.Err())
	}
	return nil
}

// OpError is an operation that made a transaction fail; nothing of the transaction happened.
type OpError struct {
	Index     int    // of the operation, from 0; -1 when the commit of the whole failed
	Operation string // "insert Logical_Switch"
	Text      string // "constraint violation", "timed out", …, as in RFC 7047 §5.2
	Details   string // in words, may be empty
}

func (e *OpError) Error() string {
	where := "commit"
	if e.Index >= 0 {
		where = fmt.Sprintf("operation %d (%s)", e.Index, e.Operation)
	}
	return where + ": " + (&RPCError{e.Text, e.Details}).Error()
}

// Transact runs operations as one transaction. An operation that fails is an *OpError, a refused request an
// *RPCError. When ctx or the connection ends first, it is unknown whether the transaction happened.
func (c *Conn) Transact(ctx context.Context, database string, operations ...Operation) ([]Result, error) {
	params := make([]any, 0, len(operations)+1)
	params = append(params, database)
	for _, o := range operations {
		params = append(params, o.wire())
	}
	raw, err := c.call(ctx, "transact", params, nil)
	if err != nil {
		return nil, fmt.Errorf("transact in %s: %w", database, err)
	}
	results, err := parseResults(raw, operations)
	if err != nil {
		return nil, fmt.Errorf("transact in %s: %w", database, err)
	}
	return results, nil
}

// Select reads the rows of a table that match where, all if there is none.
func (c *Conn) Select(
	ctx context.Context, database, table string, where []Condition, columns ...string,
) ([]Selected, error) {
	results, err := c.Transact(ctx, database, Select(table, where, columns...))
	if err != nil {
		return nil, err
	}
	return results[0].Rows, nil
}

func parseResults(raw json.RawMessage, operations []Operation) ([]Result, error) {
	var replies []*struct {
		Count          int
		UUID           json.RawMessage
		Rows           []Selected
		Error, Details string
	}
	if err := json.Unmarshal(raw, &replies); err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	results := make([]Result, len(operations))
	for i, r := range replies {
		switch {
		case r == nil: // comment, or not reached
		case r.Error != "":
			if i >= len(operations) {
				return nil, &OpError{Index: -1, Text: r.Error, Details: r.Details}
			}
			return nil, &OpError{Index: i, Operation: operations[i].String(), Text: r.Error, Details: r.Details}
		case i < len(operations):
			results[i] = Result{Count: r.Count, Rows: r.Rows}
			if r.UUID == nil {
				continue
			}
			d := newMemoryDecoder(r.UUID)
			if d.column(&results[i].UUID, false); d.Err() != nil {
				return nil, fmt.Errorf("reply: operation %d (%s): %w", i, operations[i], d.Err())
			}
		}
	}
	if len(replies) < len(operations) {
		return nil, fmt.Errorf("reply: %d results for %d operations", len(replies), len(operations))
	}
	return results, nil
}

// writes reports whether operations may change the database.
func writes(operations []Operation) bool {
	return slices.ContainsFunc(operations, func(o Operation) bool { return o.writes })
}
