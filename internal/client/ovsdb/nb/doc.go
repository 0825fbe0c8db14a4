// Package nb holds rows of the OVN Northbound database (ovn-nb(5)): the tables and columns in columns.txt, as far as
// the server has them. Start at Tables.
package nb

//go:generate go run ../generate columns.txt
