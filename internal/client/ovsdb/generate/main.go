// Command generate makes row types for package ovsdb out of a list of tables and columns, and writes them to rows.go
// in the current directory. The list, and not a schema that happens to be installed, is its input, so what it makes
// does not depend on the machine; a test compares the lists with the schemas that are installed.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: generate columns.txt")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	l, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	source, err := l.source()
	if err != nil {
		return err
	}
	return os.WriteFile("rows.go", source, 0o644)
}

// list is what a columns.txt says.
type list struct {
	pkg, database string
	tables        []table
}

type table struct {
	name, doc string
	columns   []column
}

type column struct{ name, kind, doc string }

// goType is the Go type of a column by its type in the list; "" when there is none.
func goType(kind string) string {
	switch kind {
	case "string":
		return "string"
	case "integer":
		return "int64"
	case "boolean":
		return "bool"
	case "uuid":
		return "ovsdb.UUID"
	case "map":
		return "ovsdb.Map"
	}
	if element, ok := strings.CutSuffix(kind, "?"); ok && goType(element) != "" {
		return "ovsdb.Optional[" + goType(element) + "]"
	}
	if element, ok := strings.CutSuffix(kind, "*"); ok && goType(element) != "" {
		return "[]" + goType(element)
	}
	return ""
}

// parse reads a columns.txt; the format is explained in that of package nb.
func parse(text string) (l list, err error) {
	for n, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		first, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.HasPrefix(line, " "):
			kind, doc, _ := strings.Cut(rest, " ")
			if len(l.tables) == 0 || goType(kind) == "" {
				return list{}, fmt.Errorf("line %d: no such type as %q, or a column without a table", n+1, kind)
			}
			t := &l.tables[len(l.tables)-1]
			t.columns = append(t.columns, column{first, kind, doc})
		case first == "package":
			l.pkg = rest
		case first == "database":
			l.database = rest
		default:
			l.tables = append(l.tables, table{name: first, doc: rest})
		}
	}
	return l, nil
}

// source returns the Go source of the rows.
func (l list) source() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated from columns.txt by go generate. DO NOT EDIT.\n\npackage %s\n\n", l.pkg)
	fmt.Fprintf(&b, "import \"ovnbgp/internal/client/ovsdb\"\n\n")
	fmt.Fprintf(&b, "// Database is the name of the schema.\nconst Database = %q\n\n", l.database)
	fmt.Fprintf(&b, "// Tables are the tables we read; an ovsdb.Client fills those that its server has.\n")
	fmt.Fprintf(&b, "type Tables struct {\n")
	for _, t := range l.tables {
		fmt.Fprintf(&b, "%s *ovsdb.Table[%s]\n", goName(t.name), goName(t.name))
	}
	fmt.Fprintf(&b, "}\n\n// New returns empty tables.\nfunc New() *Tables {\nreturn &Tables{\n")
	for _, t := range l.tables {
		fmt.Fprintf(&b, "%s: ovsdb.NewTable(%q, (*%s).field", goName(t.name), t.name, goName(t.name))
		for i, c := range t.columns {
			sep := ", "
			if i%8 == 0 {
				sep = ",\n"
			}
			fmt.Fprintf(&b, "%s%q", sep, c.name)
		}
		fmt.Fprintf(&b, "),\n")
	}
	fmt.Fprintf(&b, "}\n}\n\n// Stores returns all tables.\n")
	fmt.Fprintf(&b, "func (t *Tables) Stores() []ovsdb.Store {\nreturn []ovsdb.Store{\n")
	for _, t := range l.tables {
		fmt.Fprintf(&b, "t.%s,\n", goName(t.name))
	}
	fmt.Fprintf(&b, "}\n}\n")
	for _, t := range l.tables {
		t.source(&b)
	}
	return format.Source(b.Bytes())
}

func (t table) source(b *bytes.Buffer) {
	name := goName(t.name)
	fmt.Fprintf(b, "\n// %s is a row of %s. %s\ntype %s struct {\n", name, t.name, t.doc, name)
	for _, c := range t.columns {
		fmt.Fprintf(b, "%s %s", goName(c.name), goType(c.kind))
		if c.doc != "" {
			fmt.Fprintf(b, " // %s", c.doc)
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "}\n\nfunc (r *%s) field(column string) any {\nswitch column {\n", name)
	for _, c := range t.columns {
		fmt.Fprintf(b, "case %q:\nreturn &r.%s\n", c.name, goName(c.name))
	}
	fmt.Fprintf(b, "}\nreturn nil\n}\n")
}

// goName turns a table's or column's name into Go's manner: Logical_Switch_Port, LogicalSwitchPort.
func goName(name string) string {
	initialisms := []string{"cidr", "dhcp", "dp", "ha", "id", "ip", "lr", "ls", "mac", "nat", "nb", "ovs", "sb"}
	var b strings.Builder
	for word := range strings.SplitSeq(strings.ToLower(name), "_") {
		switch {
		case word == "ids":
			b.WriteString("IDs")
		case word == "vips":
			b.WriteString("VIPs")
		case strings.HasPrefix(word, "dhcpv"):
			b.WriteString("DHCP" + word[len("dhcp"):])
		case slices.Contains(initialisms, word):
			b.WriteString(strings.ToUpper(word))
		case strings.HasPrefix(word, "vswitch"):
			b.WriteString("VSwitch")
		default:
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
