package model

import "net/netip"

// Verdict is what was decided about an address.
type Verdict string

// Verdicts.
const (
	Announced  Verdict = "announced"  // this node announces it
	Suppressed Verdict = "suppressed" // it is this node's, and is not announced for the reason given
	Elsewhere  Verdict = "elsewhere"  // another node's
	Unplaced   Verdict = "unplaced"   // no node's now: a port that is down, a gateway that no chassis hosts
	Unknown    Verdict = "unknown"    // no row has it
)

// Evidence says what the database's word on an announced key that is no longer wanted is worth (the guard).
type Evidence string

// Kinds of evidence.
const (
	// Explained: a row says why. It is withdrawn at once.
	Explained Evidence = "explained"
	// Doubtful: a row says so, but it would look the same if the Southbound database had been lost.
	Doubtful Evidence = "doubtful"
	// Unexplained: no row has the address any more.
	Unexplained Evidence = "unexplained"
)

// A Decision says why an address is, or is not, announced here.
type Decision struct {
	Address netip.Addr `json:"address"`
	// Key is the announcement's key, "bgp-vrf 203.0.113.9/32".
	Key     string  `json:"key,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Reason is a stable word for programs: "port-down", "other-host", "no-gateway", ….
	Reason string `json:"reason"`
	// Text is the reason in a sentence.
	Text string `json:"text"`
	// Row is the database row that proves it: "NAT 7c1e… (floating IP)".
	Row string `json:"row,omitempty"`
	// Node is the host or chassis that should have the address, where one is named.
	Node string `json:"node,omitempty"`
	// Fix is what an operator could do about it.
	Fix      string   `json:"fix,omitempty"`
	Evidence Evidence `json:"evidence,omitempty"`
}
