package ovsdb

import (
	"iter"
	"slices"
)

// Table is a copy of a table's rows of type R. A Client fills it; it may be read within Client.Read only. Rows are
// never changed once they are in a table: a changed row is a new one, so rows may be kept and shared.
type Table[R any] struct {
	name    string
	columns []string
	field   func(row *R, column string) any

	rows    map[UUID]*R
	changed map[UUID]struct{}
	seen    map[UUID]struct{} // rows met in a dump that replaces older rows; nil when nothing is replaced
	present map[string]bool   // columns the server has; the value says whether they may have many elements
}

// NewTable returns an empty table. field returns a pointer to the field of a row that holds a column, or nil; see the
// generated packages.
func NewTable[R any](name string, field func(row *R, column string) any, columns ...string) *Table[R] {
	return &Table[R]{name: name, columns: columns, field: field, rows: map[UUID]*R{}, changed: map[UUID]struct{}{}}
}

// Name returns the table's name in the schema.
func (t *Table[R]) Name() string { return t.name }

// Columns returns the columns a row can hold, whether or not the server has them.
func (t *Table[R]) Columns() []string { return slices.Clone(t.columns) }

// Len returns the number of rows.
func (t *Table[R]) Len() int { return len(t.rows) }

// Get returns a row, nil if there is none.
func (t *Table[R]) Get(id UUID) *R { return t.rows[id] }

// All returns the rows in no order.
func (t *Table[R]) All() iter.Seq2[UUID, *R] {
	return func(yield func(UUID, *R) bool) {
		for id, row := range t.rows {
			if !yield(id, row) {
				return
			}
		}
	}
}

// Changed returns, in no order, the rows that were added, changed or removed since the last Client.Read that had
// them. Get says what became of them.
func (t *Table[R]) Changed() iter.Seq[UUID] {
	return func(yield func(UUID) bool) {
		for id := range t.changed {
			if !yield(id) {
				return
			}
		}
	}
}

// Has reports whether the server's table has a column. What a row holds for a column that it has not is unknown, not
// empty. Has("") asks for the table itself.
func (t *Table[R]) Has(column string) bool {
	if column == "" {
		return t.present != nil
	}
	_, ok := t.present[column]
	return ok
}

// Store is a *Table of any row type.
type Store interface {
	// Name returns the table's name in the schema.
	Name() string
	// Columns returns the columns a row can hold, whether or not the server has them.
	Columns() []string
	// Len returns the number of rows.
	Len() int

	// bind takes note of what the server has and returns the columns to monitor, nil for none.
	bind(*schema) []string
	bindAll()
	// beginDump is called before rows arrive that replace all there are, endDump after them.
	beginDump()
	endDump()
	// update decodes one row of an update2 or update3 notification.
	update(*Decoder, UUID)
	absent() []string
	pending() int
	forgetChanges()
}

func (t *Table[R]) bind(s *schema) []string {
	t.present = nil
	table, ok := s.Tables[t.name]
	if !ok {
		return nil
	}
	t.present = map[string]bool{}
	var monitored []string
	for _, name := range t.columns {
		// A column of another type than ours is as unknown as one that is absent.
		if column, ok := table.Columns[name]; ok && column.Type.fits(t.field(new(R), name)) {
			t.present[name] = column.Type.many
			monitored = append(monitored, name)
		}
	}
	return monitored
}

// bindAll takes note of a server that has everything.
func (t *Table[R]) bindAll() {
	t.present = map[string]bool{}
	for _, name := range t.columns {
		t.present[name] = true
	}
}

// absent lists, as "table.column", what the server has not.
func (t *Table[R]) absent() []string {
	if t.present == nil {
		return []string{t.name}
	}
	var names []string
	for _, name := range t.columns {
		if !t.Has(name) {
			names = append(names, t.name+"."+name)
		}
	}
	return names
}

func (t *Table[R]) beginDump() {
	t.seen = nil
	if len(t.rows) > 0 {
		t.seen = make(map[UUID]struct{}, len(t.rows))
	}
}

// endDump removes the rows that the dump did not have.
func (t *Table[R]) endDump() {
	if t.seen == nil {
		return
	}
	for id := range t.rows {
		if _, ok := t.seen[id]; !ok {
			t.remove(id)
		}
	}
	t.seen = nil
}

func (t *Table[R]) update(d *Decoder, id UUID) {
	d.expect('{')
	for i := 0; d.more(i, '}'); i++ {
		switch kind := d.key(); kind {
		case "initial", "insert":
			row := new(R)
			t.decode(d, row, false)
			t.put(d, id, row)
		case "modify":
			old := t.rows[id]
			if old == nil {
				d.fail("change of row %s of %s, which is unknown", id, t.name)
				return
			}
			row := new(R)
			*row = *old
			t.decode(d, row, true)
			t.put(d, id, row)
		case "delete":
			d.skip()
			t.remove(id)
		default:
			d.fail("unknown kind of change %q", kind)
		}
	}
}

// decode reads the columns of a row. Columns that an insert leaves out have their default, which is the zero value;
// those that a change leaves out stay.
func (t *Table[R]) decode(d *Decoder, row *R, change bool) {
	d.expect('{')
	for i := 0; d.more(i, '}'); i++ {
		column := d.key()
		field := t.field(row, column)
		if field == nil {
			d.skip()
			continue
		}
		d.column(field, change && t.present[column])
		if d.err != nil {
			d.err = &rowError{t.name, column, d.err}
		}
	}
}

// put takes a row over unless it was read badly or equals the one that is there.
func (t *Table[R]) put(d *Decoder, id UUID, row *R) {
	if d.err != nil {
		return
	}
	if t.seen != nil {
		t.seen[id] = struct{}{}
	}
	if old := t.rows[id]; old != nil && t.equal(old, row) {
		return
	}
	t.rows[id] = row
	t.changed[id] = struct{}{}
}

func (t *Table[R]) remove(id UUID) {
	if _, ok := t.rows[id]; ok {
		delete(t.rows, id)
		t.changed[id] = struct{}{}
	}
}

func (t *Table[R]) equal(a, b *R) bool {
	for _, column := range t.columns {
		if !equalColumn(t.field(a, column), t.field(b, column)) {
			return false
		}
	}
	return true
}

func (t *Table[R]) pending() int { return len(t.changed) }

func (t *Table[R]) forgetChanges() {
	// A map keeps the room of its largest size, and the first load changes every row.
	t.changed = map[UUID]struct{}{}
}

// rowError says in which column a value could not be read.
type rowError struct {
	table, column string
	err           error
}

func (e *rowError) Error() string { return e.table + "." + e.column + ": " + e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }
