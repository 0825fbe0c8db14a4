// Package frr stands in for FRR in tests: a bgpd that holds its instances as text and answers as the real one does
// (Start at BGP), and the real daemons in namespaces of their own (StartDaemons).
package frr
