// Package vswitch holds rows of the local switch's database (ovs-vswitchd.conf.db(5)): the tables and columns in
// columns.txt, as far as the server has them. Start at Tables.
package vswitch

//go:generate go run ../generate columns.txt
