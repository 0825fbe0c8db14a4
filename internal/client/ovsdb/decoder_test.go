package ovsdb

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// everything is a row with a column of each type.
type everything struct {
	S  string
	I  int64
	B  bool
	U  UUID
	OS Optional[string]
	OI Optional[int64]
	OB Optional[bool]
	OU Optional[UUID]
	SS []string
	II []int64
	UU []UUID
	M  Map
}

func (r *everything) field(column string) any {
	fields := map[string]any{"s": &r.S, "i": &r.I, "b": &r.B, "u": &r.U, "os": &r.OS, "oi": &r.OI, "ob": &r.OB,
		"ou": &r.OU, "ss": &r.SS, "ii": &r.II, "uu": &r.UU, "m": &r.M}
	return fields[column]
}

// everythingSchema has the types that the columns of everything can hold.
const everythingSchema = `{"name":"D","version":"1.2.3","tables":{"T":{"columns":{
	"s":{"type":"string"}, "i":{"type":{"key":{"type":"integer","minInteger":0}}}, "b":{"type":"boolean"},
	"u":{"type":{"key":{"type":"uuid","refTable":"T"}}},
	"os":{"type":{"key":"string","min":0,"max":1}}, "oi":{"type":{"key":"integer","min":0}},
	"ob":{"type":{"key":"boolean","min":0,"max":1}}, "ou":{"type":{"key":{"type":"uuid"},"min":0,"max":1}},
	"ss":{"type":{"key":"string","min":0,"max":"unlimited"}}, "ii":{"type":{"key":"integer","min":1,"max":3}},
	"uu":{"type":{"key":"uuid","min":0,"max":"unlimited"}},
	"m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}}}}`

func newEverything(t testing.TB) (*monitor, *Table[everything]) {
	t.Helper()
	var s schema
	if err := json.Unmarshal([]byte(everythingSchema), &s); err != nil {
		t.Fatal(err)
	}
	table := NewTable("T", (*everything).field, "s", "i", "b", "u", "os", "oi", "ob", "ou", "ss", "ii", "uu", "m")
	m := newMonitor("D", []Store{table})
	m.bind(&s, nil)
	if diff := cmp.Diff([]string(nil), m.absent()); diff != "" {
		t.Fatalf("the schema does not fit: %s", diff)
	}
	return m, table
}

const (
	uuid1 = "01234567-89ab-cdef-0123-456789abcdef"
	uuid2 = "11111111-2222-3333-4444-555555555555"

	full = `{"s":"a\"\\\/\b\f\n\r\té😀","i":-7,"b":true,"u":["uuid","` + uuid1 + `"],"os":"x","oi":["set",[5]],
		"ob":false,"ou":["set",[["uuid","` + uuid2 + `"]]],"ss":["set",["z","a"]],"ii":3,
		"uu":["set",[["uuid","` + uuid2 + `"],["uuid","` + uuid1 + `"]]],"m":["map",[["k2","v2"],["k1","v1"]]],
		"unknown":{"a":[1,2.5e3,null,"\""]}}`
	fullReply  = `[false,"00000000-0000-0000-0000-000000000000",{"T":{"` + uuid1 + `":{"initial":` + full + `},"` + uuid2 + `":{"initial":{}}}}]`
	fullChange = `"` + uuid2 + `",{"Other":{},"T":{"` + uuid1 + `":{"modify":{"i":0,"oi":["set",[]],"ii":["set",[1,3,2]],
		"ss":"a","m":["map",[["k0","v0"],["k1","v1"],["k2","w2"]]]}},"` + uuid2 + `":{"delete":null}}}]`
)

func mustUUID(t testing.TB, s string) UUID {
	t.Helper()
	u, err := ParseUUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDecodeEverything(t *testing.T) {
	u1, u2 := mustUUID(t, uuid1), mustUUID(t, uuid2)
	want := everything{S: "a\"\\/\b\f\n\r\té😀", I: -7, B: true, U: u1, OS: Some("x"), OI: Some[int64](5), OB: Some(false),
		OU: Some(u2), SS: []string{"a", "z"}, II: []int64{3}, UU: []UUID{u1, u2}, M: Map{{"k1", "v1"}, {"k2", "v2"}}}
	readers := map[string]func(io.Reader) io.Reader{
		"at once":   func(r io.Reader) io.Reader { return r },
		"by bytes":  iotest.OneByteReader,
		"by halves": iotest.HalfReader,
	}
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			m, table := newEverything(t)
			synced := false
			if err := m.loadSince(NewDecoder(reader(strings.NewReader(fullReply))), func() { synced = true }); err != nil || !synced {
				t.Fatalf("synced %t, %v", synced, err)
			}
			if diff := cmp.Diff(want, *table.Get(u1)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(everything{}, *table.Get(u2)); diff != "" {
				t.Error(diff)
			}
			if err := m.notification("update3", NewDecoder(reader(strings.NewReader(","+fullChange)))); err != nil {
				t.Fatal(err)
			}
			changed := want
			changed.I, changed.OI, changed.II, changed.SS = 0, Optional[int64]{}, []int64{1, 2}, []string{"z"}
			changed.M = Map{{"k0", "v0"}, {"k2", "w2"}}
			if diff := cmp.Diff(changed, *table.Get(u1)); diff != "" {
				t.Error(diff)
			}
			if table.Len() != 1 || m.last != uuid2 {
				t.Errorf("%d rows, last transaction %s", table.Len(), m.last)
			}
		})
	}
}

// A value that is not what the schema says is an error that names the column, and its row does not change.
func TestDecodeErrors(t *testing.T) {
	tests := map[string]string{
		`{"s":5}`:                   `T.s: decode: found '5' where '"' belongs`,
		`{"s":["set",["a"]]}`:       `T.s: decode: found ["set", …] where a string belongs`,
		`{"i":"5"}`:                 `T.i: decode: found '"' where a value belongs`,
		`{"i":5.5}`:                 `T.i: decode: "5.5" is not an integer`,
		`{"b":1}`:                   `T.b: decode: "1" is not a boolean`,
		`{"u":"x"}`:                 `T.u: decode: found "" where ["uuid", …] belongs`,
		`{"u":["uuid","x"]}`:        `T.u: decode: "x" is not a UUID`,
		`{"uu":["named-uuid","x"]}`: `T.uu: decode: found "named-uuid" where ["uuid", …] belongs`,
		`{"oi":["set",[1,2]]}`:      `T.oi: decode: found two elements in a column of at most one`,
		`{"m":["set",[]]}`:          `T.m: decode: found "set" where ["map", …] belongs`,
		`{"m":["map",[["a"]]]}`:     `T.m: decode: found ']' where ',' belongs`,
		`{"s":"\u12"}`:              `T.s: decode: bad \u escape "12\"}"`,
		`{"s":"\ud800x"}`:           `T.s: decode: half a surrogate pair in a string`,
		`{"s":"\x"}`:                `T.s: decode: unknown escape \x in a string`,
		"{\"s\":\"\n\"}":            `T.s: decode: control character 0xa in a string`,
		`{"s":"a",,}`:               `decode: found ',' where '"' belongs`,
		`{"unknown":}`:              `decode: found '}' where a value belongs`,
	}
	for row, want := range tests {
		m, table := newEverything(t)
		change := `,"` + uuid2 + `",{"T":{"` + uuid1 + `":{"insert":` + row + `}}}]`
		err := m.notification("update3", NewDecoder(strings.NewReader(change)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", row, err, want)
		}
		if table.Len() != 0 || m.last != noTransaction {
			t.Errorf("%s: %d rows, last transaction %s", row, table.Len(), m.last)
		}
	}
	m, _ := newEverything(t)
	for kind, want := range map[string]string{"modify": "which is unknown", "replace": "unknown kind of change"} {
		err := m.notification("update2", NewDecoder(strings.NewReader(`,{"T":{"`+uuid1+`":{"`+kind+`":{}}}}]`)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestRawKeepsText(t *testing.T) {
	for _, text := range []string{`{"a":[1,-2.5e+3,{"b":"\"\\\u00e9"}],"c":null,"d":[],"e":{}}`, `"x"`, `17`, `[[],[[]]]`} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			d := NewDecoder(r)
			if got := string(d.raw()); got != text || d.Err() != nil {
				t.Errorf("%s came back as %s, %v", text, got, d.Err())
			}
		}
	}
}

// What fits decides which columns are monitored: a type that can hold less than the server's makes the column unknown.
func TestFits(t *testing.T) {
	r := new(everything)
	tests := []struct {
		column, schema string
		want           bool
	}{
		{"s", `"string"`, true},
		{"s", `{"key":"string","min":0}`, false},
		{"s", `"integer"`, false},
		{"os", `"string"`, true},
		{"os", `{"key":"string","max":2}`, false},
		{"ss", `"string"`, true},
		{"ss", `{"key":"string","value":"string","max":"unlimited"}`, false},
		{"m", `{"key":"string","value":"integer","max":"unlimited"}`, false},
		{"m", `{"key":"string","max":"unlimited"}`, false},
		{"i", `"real"`, false},
		{"i", `{"key":{"type":"integer"},"value":{"type":"uuid","refTable":"X"}}`, false},
	}
	for _, test := range tests {
		var typ columnType
		if err := json.Unmarshal([]byte(test.schema), &typ); err != nil {
			t.Fatal(err)
		}
		if got := typ.fits(r.field(test.column)); got != test.want {
			t.Errorf("%s in %T: %t", test.schema, r.field(test.column), got)
		}
	}
}

func TestStringCache(t *testing.T) {
	c := newStringCache()
	for i := range 3 * cachedStrings {
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i%100)
		if got := c.get(b); got != string(b) {
			t.Fatalf("%q became %q", b, got)
		}
	}
}

// FuzzConnection feeds a connection with anything: it must end in an error, never in a panic or without an end.
func FuzzConnection(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":` + fullReply + `,"error":null}{"id":null,"method":"update3","params":["D",` + fullChange + `}`))
	f.Add([]byte(`{"result":` + fullReply + `,"id":1,"error":null}`))
	f.Add([]byte(`{"id":1,"result":null,"error":{"error":"unknown method","details":"x"}}{"error":"y","id":1}`))
	f.Add([]byte(`{"id":"echo","method":"echo","params":[]}{"method":"monitor_canceled","params":["D"]}`))
	f.Add([]byte(`{"id":1,"result":[true,"` + uuid1 + `",{"T":{"` + uuid1 + `":{"modify":{}}}}]}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		m, _ := newEverything(t)
		load := &call{done: make(chan struct{}), stream: func(d *Decoder) error { return m.loadSince(d, func() {}) }}
		other := &call{done: make(chan struct{})}
		nc := &silentConn{r: bytes.NewReader(input)}
		c := &Conn{nc: nc, done: make(chan struct{}), calls: map[uint64]*call{1: load, 2: other}}
		c.dec = NewDecoder(c)
		c.notify = func(method string, d *Decoder) error {
			d.expect('[')
			if d.str() != "D" {
				return d.Err()
			}
			return m.notification(method, d)
		}
		c.serve()
		if c.cause() == nil || len(c.calls) != 0 {
			t.Error("the connection has no end")
		}
		<-load.done
		<-other.done
		_, _ = parseResults(input, []Operation{Comment("")})
	})
}
