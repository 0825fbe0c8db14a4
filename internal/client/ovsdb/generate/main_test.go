package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packages are the generated ones, with the schemas that Debian's packages install.
func packages() map[string]string {
	return map[string]string{
		"../nb":      "/usr/share/ovn/ovn-nb.ovsschema",
		"../sb":      "/usr/share/ovn/ovn-sb.ovsschema",
		"../vswitch": "/usr/share/openvswitch/vswitch.ovsschema",
	}
}

func read(t *testing.T, dir string) list {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "columns.txt"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestGeneratedIsCurrent(t *testing.T) {
	for dir := range packages() {
		want, err := read(t, dir).source()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "rows.go"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: run go generate: %s", dir, diff)
		}
	}
}

// newer lists what we read that the schemas installed here, OVN 23.03's, do not have.
func newer() []string {
	return []string{"Load_Balancer.lr_datapath_group", "Load_Balancer.ls_datapath_group", "Logical_Router_Port.status"}
}

// TestListsMatchSchemas holds the lists against the installed schemas. A column that is not there must be known to be
// newer, else it is misspelt.
func TestListsMatchSchemas(t *testing.T) {
	var absent []string
	for dir, file := range packages() {
		l := read(t, dir)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read schema (is the package installed?): %v", err)
		}
		var schema struct {
			Name   string
			Tables map[string]struct {
				Columns map[string]struct{ Type any }
			}
		}
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		if schema.Name != l.database {
			t.Errorf("%s is of %s, the schema of %s", dir, l.database, schema.Name)
		}
		for _, table := range l.tables {
			for _, c := range table.columns {
				column, ok := schema.Tables[table.name].Columns[c.name]
				if !ok {
					absent = append(absent, table.name+"."+c.name)
				} else if kind := kindOf(column.Type); kind != c.kind {
					t.Errorf("%s.%s is listed as %s, the schema says %s", table.name, c.name, c.kind, kind)
				}
			}
		}
	}
	slices.Sort(absent)
	if diff := cmp.Diff(newer(), absent); diff != "" {
		t.Errorf("not in the installed schemas: %s", diff)
	}
}

// kindOf writes a schema's type as the lists do.
func kindOf(schemaType any) string {
	full, ok := schemaType.(map[string]any)
	if !ok {
		return schemaType.(string)
	}
	atom := func(base any) string {
		if object, ok := base.(map[string]any); ok {
			return object["type"].(string)
		}
		return base.(string)
	}
	_, maxIsNumber := full["max"].(float64)
	switch {
	case full["value"] != nil && atom(full["key"]) == "string" && atom(full["value"]) == "string":
		return "map"
	case full["value"] != nil:
		return "another map"
	case full["max"] != nil && (!maxIsNumber || full["max"].(float64) > 1):
		return atom(full["key"]) + "*"
	case full["min"] != nil && full["min"].(float64) == 0:
		return atom(full["key"]) + "?"
	}
	return atom(full["key"])
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{" name string", "T a table\n name strings", "T\n name map?x"} {
		if l, err := parse(text); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: %v, %v", text, l, err)
		}
	}
}
