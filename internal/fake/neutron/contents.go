package neutron

import (
	"bytes"
	"encoding/json"
	"fmt"

	"ovnbgp/internal/client/ovsdb"
)

// Rows are a database's contents in OVSDB's notation: by table, row and column. A column that is not there has its
// default.
type Rows map[string]map[string]map[string]any

// Rows returns the contents of the step, for those who load a part of them.
func (s Step) Rows() (Rows, error) {
	contents := Rows{}
	for id, text := range s.rows {
		row, err := wireRow(text)
		if err != nil {
			return nil, fmt.Errorf("step %s: row %s of %s: %w", s.Name, id.uuid, id.table, err)
		}
		if contents[id.table] == nil {
			contents[id.table] = map[string]map[string]any{}
		}
		contents[id.table][id.uuid] = row
	}
	return contents, nil
}

// Load makes tables hold the rows, as after a reconnect: they tell how these differ from what they held.
func (r Rows) Load(tables ovsdb.Tables) error {
	contents := map[string]map[string]any{}
	for table, rows := range r {
		contents[table] = map[string]any{}
		for id, row := range rows {
			contents[table][id] = map[string]any{"initial": row}
		}
	}
	text, err := json.Marshal(contents)
	if err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return ovsdb.Load(tables, bytes.NewReader(text))
}
