package ovsdb

import (
	"encoding/json"
	"fmt"
)

// schema is the part of a database's schema that decides what can be monitored.
type schema struct {
	Name    string
	Version string
	Tables  map[string]struct {
		Columns map[string]struct{ Type columnType }
	}
}

// columnType is the type of a column as RFC 7047 §3.2 describes it, reduced to what decides how it is decoded.
type columnType struct {
	key, value string // atomic types; value only for maps
	many       bool   // more than one element is allowed
	optional   bool   // none is allowed
}

// UnmarshalJSON reads both forms: "string", and {"key": …, "value": …, "min": …, "max": …}, where key and value are
// again a name or an object.
func (t *columnType) UnmarshalJSON(b []byte) error {
	var base baseType
	if json.Unmarshal(b, (*string)(&base)) == nil {
		*t = columnType{key: string(base)}
		return nil
	}
	var full struct {
		Key, Value baseType
		Min        *int
		Max        any
	}
	if err := json.Unmarshal(b, &full); err != nil {
		return fmt.Errorf("column type: %w", err)
	}
	*t = columnType{key: string(full.Key), value: string(full.Value)}
	t.optional = full.Min != nil && *full.Min == 0
	switch max := full.Max.(type) {
	case string: // "unlimited"
		t.many = true
	case float64:
		t.many = max > 1
	}
	return nil
}

type baseType string

func (t *baseType) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*string)(t)) == nil {
		return nil
	}
	var object struct{ Type string }
	if err := json.Unmarshal(b, &object); err != nil {
		return fmt.Errorf("base type: %w", err)
	}
	*t = baseType(object.Type)
	return nil
}
