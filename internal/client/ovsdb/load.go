package ovsdb

import "io"

// Load makes tables hold the contents that a server sends in reply to monitor_cond,
//
//	{table: {row: {"initial": {column: value}}}}
//
// as if it had every table and column. As after a reconnect, each table then tells which rows differ from those it
// had before. It is for rows kept in files; the tables must not be a Client's.
func Load(tables Tables, contents io.Reader) error {
	m := newMonitor("", tables.Stores())
	for _, t := range m.stores {
		t.bindAll()
		t.forgetChanges()
	}
	return m.load(NewDecoder(contents), false, noTransaction, func() {})
}
