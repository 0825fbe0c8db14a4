// Package neutron loads what real Neutron and northd wrote into a Northbound, or a Southbound, database, step by step,
// for tests. The rows go through the decoder and the converter that an agent uses. Start at Snapshot.
package neutron

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

//go:embed testdata/*.rows testdata/southbound/*.rows
var files embed.FS

// Scenario is a cloud of its own and what was done in it, in order.
type Scenario struct {
	Name  string
	Steps []Step
}

// Step is the contents of the database after something was done.
type Step struct {
	Name string // "f3-port-up"
	rows map[rowID]json.RawMessage
	from database
}

// database is which of OVN's two a step is of.
type database int

const (
	northbound database = iota
	southbound
)

type rowID struct{ table, uuid string }

// Scenarios returns all scenarios as the Northbound database had them, sorted by name.
func Scenarios() ([]Scenario, error) { return scenarios("testdata/*.rows", northbound) }

// Southbound returns some of the scenarios as northd made the Southbound database of them, sorted by name.
func Southbound() ([]Scenario, error) { return scenarios("testdata/southbound/*.rows", southbound) }

func scenarios(pattern string, from database) ([]Scenario, error) {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, err
	}
	var list []Scenario
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s := Scenario{Name: strings.TrimSuffix(path.Base(name), ".rows")}
		if err := s.parse(string(text), from); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// parse reads a file; its format is explained in testdata/README.md.
func (s *Scenario) parse(text string, from database) error {
	rows := map[rowID]json.RawMessage{}
	for n, line := range strings.Split(strings.TrimSpace(text), "\n") {
		table, rest, _ := strings.Cut(line, " ")
		if table == "step" {
			next := make(map[rowID]json.RawMessage, len(rows))
			for id, row := range rows {
				next[id] = row
			}
			rows = next
			s.Steps = append(s.Steps, Step{Name: rest, rows: rows, from: from})
			continue
		}
		uuid, row, ok := strings.Cut(rest, " ")
		if !ok || len(s.Steps) == 0 {
			return fmt.Errorf("line %d: not a row of a step", n+1)
		}
		if id := (rowID{table, uuid}); row == "-" {
			delete(rows, id)
		} else {
			rows[id] = json.RawMessage(row)
		}
	}
	return nil
}

// Snapshot returns what the Northbound database said at a step; Local is for the caller to fill.
func Snapshot(step string) (ovn.Snapshot, error) {
	all, err := Scenarios()
	if err != nil {
		return ovn.Snapshot{}, err
	}
	for _, scenario := range all {
		for _, s := range scenario.Steps {
			if s.Name == step {
				return s.Snapshot()
			}
		}
	}
	return ovn.Snapshot{}, fmt.Errorf("there is no step %s", step)
}

// Reader is what package source/ovn converts the tables of a database with.
type Reader interface {
	Update(cluster ovsdb.UUID, absent []string) ovn.Snapshot
	Initialized() bool
	SelectLabels(keys []string)
}

// Reader returns empty tables of the step's database, and what converts them.
func (s Step) Reader() (ovsdb.Tables, Reader) {
	if s.from == southbound {
		tables := sb.New()
		return tables, source.NewSouthbound(tables)
	}
	tables := nb.New()
	return tables, source.NewNorthbound(tables)
}

// Snapshot converts the step alone, as an agent that starts then would.
func (s Step) Snapshot() (ovn.Snapshot, error) { return s.SnapshotWith() }

// SnapshotWith is Snapshot with these keys of external_ids kept.
func (s Step) SnapshotWith(labels ...string) (ovn.Snapshot, error) {
	tables, rows := s.Reader()
	rows.SelectLabels(labels)
	if err := s.Load(tables); err != nil {
		return ovn.Snapshot{}, err
	}
	return rows.Update(ovsdb.UUID{}, nil), nil
}

// Load makes tables hold the step, as after a reconnect: they tell how it differs from what they held.
func (s Step) Load(tables ovsdb.Tables) error {
	rows, err := s.Rows()
	if err != nil {
		return err
	}
	if err := rows.Load(tables); err != nil {
		return fmt.Errorf("step %s: %w", s.Name, err)
	}
	return nil
}

// Rewritten is the step with another text of each row: with other addresses, say.
func (s Step) Rewritten(rewrite func(row string) string) Step {
	rows := make(map[rowID]json.RawMessage, len(s.rows))
	for id, row := range s.rows {
		rows[id] = json.RawMessage(rewrite(string(row)))
	}
	s.rows = rows
	return s
}

// wireRow turns a row into the notation of OVSDB.
func wireRow(text json.RawMessage) (map[string]any, error) {
	var row map[string]any
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, err
	}
	for column, value := range row {
		switch value := value.(type) {
		case string:
			if refers(column) {
				row[column] = [2]any{"uuid", value}
			}
		case []any:
			row[column] = wireSet(column, value)
		case map[string]any:
			pairs := make([][2]any, 0, len(value))
			for k, v := range value {
				pairs = append(pairs, [2]any{k, v})
			}
			row[column] = [2]any{"map", pairs}
		}
	}
	return row, nil
}

func wireSet(column string, elements []any) any {
	if refers(column) {
		for i, e := range elements {
			elements[i] = [2]any{"uuid", e}
		}
	}
	if len(elements) == 1 {
		return elements[0] // as servers write it
	}
	return [2]any{"set", elements}
}

// refers reports whether a column holds references: other UUIDs are plain strings.
func refers(column string) bool {
	switch column {
	case "ports", "static_routes", "nat", "load_balancer", "gateway_port", "ha_chassis", "ha_chassis_group",
		"gateway_chassis", "dhcpv4_options", "dhcpv6_options", "chassis", "datapath":
		return true
	}
	return false
}

// Inserts returns operations that write the step into a database, with the rows' own UUIDs. has tells the tables
// (column "") and columns to write: the schema of an older OVN lacks some.
func (s Step) Inserts(has func(table, column string) bool) ([]ovsdb.Operation, error) {
	var list []ovsdb.Operation
	for id, text := range s.rows {
		row, err := wireRow(text)
		if err != nil {
			return nil, fmt.Errorf("step %s: row %s of %s: %w", s.Name, id.uuid, id.table, err)
		}
		uuid, err := ovsdb.ParseUUID(id.uuid)
		if err != nil {
			return nil, fmt.Errorf("step %s: %s: %w", s.Name, id.table, err)
		}
		if !has(id.table, "") {
			continue
		}
		columns := ovsdb.Columns{}
		for column, value := range row {
			if has(id.table, column) {
				columns[column] = value
			}
		}
		list = append(list, ovsdb.InsertAs(uuid, id.table, "", columns))
	}
	return list, nil
}
