package config

import (
	"net/netip"
	"time"
)

// Settings is everything the wiring needs to know. Each value is valid in itself; whether what it asks for is
// built is said beside it, by package config/file.
type Settings struct {
	Node Node

	ReconcileInterval    time.Duration // reads everything anew; 0: never by time alone
	FRRReconcileInterval time.Duration // looks at FRR's leak, at the latest; 0: never by time alone
	ClearVRFRoutes       bool          // clear_vrf_routes_on_startup
	DeleteVRF            bool          // delete_vrf_on_disconnect

	Switch       Switch
	Northbound   Database
	Southbound   Database
	LocalCluster LocalCluster
	EVPN         EVPN
	Safety       Safety
	Paths        Paths
	Log          Log
	Metrics      Metrics
}

// Switch is the way to the node's own Open vSwitch database.
type Switch struct {
	Endpoint string        // "unix:/run/openvswitch/db.sock"
	Timeout  time.Duration // of connections and transactions to OVN's databases (ovsdb_connection_timeout)
}

// Database is the way to one of OVN's central databases.
type Database struct {
	Endpoints []string // "ssl:192.0.2.1:6641"; empty: the switch's external_ids name them
	TLS       TLS      // read only for endpoints that start with "ssl:"
}

// TLS names the files of a client's identity, all PEM.
type TLS struct {
	Key, Certificate, CA string
}

// LocalCluster is the second, node-local OVN of exposing method "ovn".
type LocalCluster struct {
	Endpoints        []string
	NICs             []string // external_nics
	Peers            []netip.Addr
	ProviderPrefixes []netip.Prefix
	ChassisID        string
}

// EVPN holds what the VXLAN devices of EVPN need.
type EVPN struct {
	LocalIP netip.Addr // source address; unset: NIC decides
	NIC     string     // take the source address from here
	UDPPort uint16
}

// Safety holds what keeps a broken database or a short fault from emptying the fabric, and what is asked of a database.
type Safety struct {
	GuardPercent int           // more than this share of what was announced, unexplained, is held
	GuardMin     int           // and at least so many; 0: the guard is off
	GuardWindow  time.Duration // withdrawals within this time count together
	GuardHold    time.Duration // after this time the same set is released; 0: only by hand
	CarrierGrace time.Duration // a broken carrier of an announced address is mended so long before it is withdrawn

	ConditionalMonitoring bool // copy of OVN's database what this node needs; false: all of it
}

// Paths are the files and directories the agent meets others in.
type Paths struct {
	APISocket   string
	LockFile    string
	FRRSockets  string // directory of FRR's <daemon>.vty
	FRRFiles    string // directory of frr.conf and daemons
	OpenVSwitch string // directory of Open vSwitch's <bridge>.mgmt
	RTTables    string
	DrainFile   string // there while the node is drained
}

// Log says what is written to standard error and how.
type Log struct {
	Level  string // "debug", "info", "warn", "error"
	Format string // "text", "json"
}

// Metrics says where Prometheus reads; the zero Listen turns it off.
type Metrics struct {
	Listen netip.AddrPort
}
