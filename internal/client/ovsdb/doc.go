// Package ovsdb speaks the Open vSwitch Database Management Protocol (RFC 7047, with the extensions that
// ovsdb-server(7) describes) and keeps typed copies of tables.
//
// There are two ways in. Conn is one connection and does one thing at a time: Dial, Transact, Select. Client
// stays connected, keeps the tables it was given equal to the server's, and pokes its reader when they change.
// It carries no events: what vanished while the connection was down is found by comparing, so a reader that
// looks at the tables after every poke misses nothing.
//
// Row types live in the packages nb and vswitch, generated from the list of tables and columns that we use.
// Start at Client.Run.
package ovsdb
