// Package sb holds rows of the OVN Southbound database (ovn-sb(5)): the tables and columns in columns.txt, as far as
// the server has them. Start at Tables.
package sb

//go:generate go run ../generate columns.txt
