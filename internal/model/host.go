package model

import "net/netip"

// Host is what the node itself says, outside of OVN.
type Host struct {
	Name string `json:"name"` // the operating system's host name
	// RTTables are the lines of /etc/iproute2/rt_tables: read, never written.
	RTTables []RTTable `json:"rtTables,omitempty"`
	// Tables lists the routing tables that are in use for anything, ours too, sorted.
	Tables []uint32 `json:"tables,omitempty"`
	// OwnTables are those of Tables that hold and are looked up by nothing but routes and rules of ours.
	OwnTables []uint32 `json:"ownTables,omitempty"`
	// BridgeTables are the tables found again by our own marks: a route of ours on that bridge.
	BridgeTables []RTTable `json:"bridgeTables,omitempty"`
	// Drained: an operator has asked for traffic to go elsewhere (ovnbgp drain).
	Drained bool `json:"drained,omitempty"`
	// FreshBoot: BGP has not run since the host was booted, so that there is no forwarding state to have been kept.
	FreshBoot bool `json:"freshBoot,omitempty"`
	// Addresses are those of the host's own that are to be announced while it has them, in the order they were asked for.
	Addresses []HostAddress `json:"addresses,omitempty"`
}

// HostAddress is how an address of the host itself fares: a control-plane address that may be on another host, too.
type HostAddress struct {
	Address netip.Addr `json:"address"`
	// Device has the address, and it can be used there; "" when none has.
	Device string `json:"device,omitempty"`
	Health Health `json:"health,omitempty"`
	// Text is what the check met last, where it does not pass.
	Text string `json:"text,omitempty"`
}

// Health is what a check says of that which an address stands for.
type Health string

// Healths. Unchecked is that of an address without a check, Unknown that of one whose check has not ended once.
const (
	Unchecked     Health = ""
	HealthUnknown Health = "unknown"
	Passing       Health = "passing"
	Failing       Health = "failing"
)

// RTTable names a routing table.
type RTTable struct {
	ID   uint32 `json:"id"`
	Name string `json:"name"`
}

// RIB is what BGP peers have told this node.
type RIB struct {
	// Known is set once that is all of it. Until then, after a start, what was learned before is still to be told again.
	Known bool `json:"known,omitempty"`
	// Gone are prefixes, sorted, that peers have told since the start and tell no more: they are not waited for.
	Gone    []netip.Prefix `json:"gone,omitempty"`
	Learned []Learned      `json:"learned,omitempty"` // sorted by prefix
}

// Learned is a prefix that BGP peers announced to this node.
type Learned struct {
	Prefix netip.Prefix `json:"prefix"`
	// Paths are the equally good ones, the best first, then sorted.
	Paths []LearnedPath `json:"paths"`
}

// LearnedPath is one way to a learned prefix.
type LearnedPath struct {
	NextHop netip.Addr `json:"nextHop"` // with the device as its zone, where it is link-local
	ASPath  string     `json:"asPath"`
	// Neighbor told it: an address, or the interface where that names the neighbour.
	Neighbor string `json:"neighbor,omitempty"`
}
