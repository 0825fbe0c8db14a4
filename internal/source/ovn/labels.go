package ovn

import (
	"slices"

	"ovnbgp/internal/client/ovsdb"
)

// selection is which keys of external_ids a snapshot keeps as labels.
type selection struct {
	keys    []string
	renewed bool // other keys than those of the last conversion
}

// choose selects other keys, from the next conversion on.
func (s *selection) choose(keys []string) {
	if !slices.Equal(s.keys, keys) {
		s.keys, s.renewed = slices.Clone(keys), true
	}
}

// of picks the labels from a row's external_ids, nil when it has none.
func (s *selection) of(ids ovsdb.Map) map[string]string {
	var labels map[string]string
	for _, key := range s.keys {
		if value, ok := ids.Lookup(key); ok {
			if labels == nil {
				labels = map[string]string{}
			}
			labels[key] = value
		}
	}
	return labels
}

// toConvert returns the rows of a labelled table that must be converted: those that changed and, after other keys were
// selected, all.
func toConvert[R any](s *selection, t *ovsdb.Table[R]) set {
	rows := changed(t)
	if s.renewed {
		every(rows, t)
	}
	return rows
}
