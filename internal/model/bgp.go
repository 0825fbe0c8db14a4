package model

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// BGP is what BGP must be on one node, whoever speaks it: FRR that we configure, or the speaker built in. The zero value
// asks for nothing: FRR is the operator's then, and we add the leak alone. Which prefixes are announced is not said
// here: those are the Node's announcements.
type BGP struct {
	AS       uint32
	RouterID netip.Addr // an IPv4 address, always set when AS is
	// Loopbacks are the node's own addresses, one for each family at most: what a learned route uses as its source.
	Loopbacks       []netip.Addr
	GracefulRestart GracefulRestart
	Multipath       Multipath
	Peers           []Peer       // sorted by name
	Profiles        []BFDProfile // sorted by name, those in use
	VRFs            []BGPVRF     // sorted by name
	// Drained asks the peers to send traffic elsewhere: the community graceful-shutdown (RFC 8326), and to an internal
	// peer local preference 0, on everything that is announced.
	Drained bool
	// Raw are the operator's own lines. FRR alone takes them; they stand behind all of ours, between two remarks.
	Raw []string
	// RawFile is where those lines are from, all of them and in order; "" where that is not known.
	RawFile string
}

// GracefulRestart says what peers and kernel keep while the speaker is gone (RFC 4724, RFC 8538).
type GracefulRestart struct {
	Enabled bool
	// RestartTime is how long peers keep our routes, in whole seconds up to 4095.
	RestartTime time.Duration
	// PreserveForwarding claims that what forwards outlives the speaker (the F bit). It must not be claimed at the
	// first start after the host was booted.
	PreserveForwarding bool
}

// Multipath says how many equal paths to one prefix are used at once.
type Multipath struct {
	Paths int  // 1: one
	Relax bool // paths by different neighbour ASes of the same length are equal (as-path multipath-relax)
}

// BFDProfile is a set of timers (RFC 5880).
type BFDProfile struct {
	Name       string
	Multiplier int           // packets missed until the session is down
	Transmit   time.Duration // whole milliseconds
	Receive    time.Duration
}

// Peer is one BGP neighbour. It has an Address, or an Interface on which the neighbour's link-local address is found
// ("unnumbered", RFC 8950).
type Peer struct {
	Name      string // as the configuration calls it
	Address   netip.Addr
	Interface string
	AS        PeerAS
	// Multihop is the TTL of packets to a neighbour that is not on the link; 0: it is. An internal peer needs none.
	Multihop int
	// TTLSecurity is how many hops away the neighbour may be at most (RFC 5082); 0: not checked. It excludes Multihop.
	TTLSecurity  int
	Source       netip.Addr // of our packets; optional
	Keepalive    time.Duration
	Hold         time.Duration
	ConnectRetry time.Duration
	Password     Secret // TCP MD5 signature (RFC 2385); "" for none
	BFD          string // name of a profile; "" for none
	// BFDControlPlane lets the session survive a BFD session that ends because the neighbour's control plane restarts
	// (FRR: bfd check-control-plane-failure).
	BFDControlPlane bool
	// ExtendedNextHop lets IPv4 prefixes have IPv6 next hops (RFC 8950). Always so on an interface.
	ExtendedNextHop bool
	// AllowOwnAS takes routes that our own AS originated: sites that share an AS reach one another over the fabric.
	AllowOwnAS bool
	Families   []PeerFamily // sorted by family
}

// PeerAS is the neighbour's AS: a number, or whatever the session shows.
type PeerAS struct {
	Kind   PeerASKind
	Number uint32 // of ASNumber
}

// PeerASKind says which AS a neighbour may have.
type PeerASKind string

// Kinds of a neighbour's AS.
const (
	ASNumber   PeerASKind = "number"
	ASInternal PeerASKind = "internal" // ours
	ASExternal PeerASKind = "external" // any but ours
)

// String returns "64999", "internal" or "external", as FRR's remote-as takes it.
func (p PeerAS) String() string {
	if p.Kind == ASNumber {
		return strconv.FormatUint(uint64(p.Number), 10)
	}
	return string(p.Kind)
}

// Internal tells whether the session is one within the AS own.
func (p PeerAS) Internal(own uint32) bool {
	return p.Kind == ASInternal || p.Kind == ASNumber && p.Number == own
}

// BGPFamily is an address family of BGP, as FRR calls it.
type BGPFamily string

// Families of BGP.
const (
	IPv4Unicast BGPFamily = "ipv4 unicast"
	IPv6Unicast BGPFamily = "ipv6 unicast"
	EVPN        BGPFamily = "l2vpn evpn"
)

// PeerFamily is one address family with one neighbour.
type PeerFamily struct {
	Family BGPFamily
	In     Filter // what is taken
	Out    Filter // what is told
	// WarnPrefixes is the number of prefixes received above which the speaker warns; 0: none. It never ends the session:
	// a neighbour that leaks must not cut the node off.
	WarnPrefixes uint32
	// LimitPrefixes is the number of prefixes that may be sent at most; 0: no limit.
	LimitPrefixes uint32
	// NextHopSelf tells the neighbour to send here what we learned elsewhere.
	NextHopSelf bool
}

// Filter says which prefixes pass. What nothing names does not.
type Filter struct {
	All      bool          // everything
	Own      bool          // of Out: what this node announces, its loopbacks too
	Default  bool          // the default route
	Prefixes []PrefixRange // and these, sorted
	Attributes
}

// PrefixRange is a prefix and what is in it from length GE to LE: "10.0.0.0/8 ge 24 le 32". With both equal to the
// prefix's own length it is that prefix alone.
type PrefixRange struct {
	Prefix netip.Prefix // masked
	GE, LE int
}

// String returns "10.0.0.0/8 ge 24 le 32", without the bounds that say nothing.
func (p PrefixRange) String() string {
	s := p.Prefix.String()
	if p.GE > p.Prefix.Bits() {
		s += fmt.Sprintf(" ge %d", p.GE)
	}
	if p.LE > p.Prefix.Bits() && (p.LE != p.Prefix.Addr().BitLen() || p.GE <= p.Prefix.Bits()) {
		s += fmt.Sprintf(" le %d", p.LE)
	}
	return s
}

// Attributes are path attributes that are set on what is announced, or on what passes a filter.
type Attributes struct {
	Communities      []Community      // added, sorted
	LargeCommunities []LargeCommunity // added, sorted
	LocalPreference  *uint32          // set for internal peers; nil: left as it is
}

// Community is a BGP community (RFC 1997).
type Community uint32

// GracefulShutdown is the community of RFC 8326.
const GracefulShutdown Community = 0xffff_0000

// String returns "64999:100".
func (c Community) String() string { return fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xffff) }

// LargeCommunity is a large BGP community (RFC 8092).
type LargeCommunity struct{ Global, Local1, Local2 uint32 }

// String returns "64999:1:2".
func (l LargeCommunity) String() string { return fmt.Sprintf("%d:%d:%d", l.Global, l.Local1, l.Local2) }

// Secret is a text that is never shown: every way of printing it says "(hidden)".
type Secret string

const hidden = "(hidden)"

// String returns "(hidden)", or "" when there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is for %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText is for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself, for the one place that hands it to the speaker.
func (s Secret) Reveal() string { return string(s) }

// BGPVRF is an instance of BGP in a VRF besides the underlay's: its prefixes go to the peers as EVPN type-5 routes
// (RFC 9136), and those that come with one of its import targets go into it.
//
// What its prefixes are depends on the speaker. FRR takes them out of the kernel's VRF, as Redistribute says. The embedded
// speaker looks into no kernel: it tells the Node's announcements of this VRF, Redistribute means nothing to it, and it puts
// nothing into a VRF.
type BGPVRF struct {
	Name string
	VNI  uint32
	// RD is the route distinguisher, Import and Export are the route targets ("64999:10"), each sorted. Where there is
	// none the speaker derives it: a target from AS and VNI, both alike; the RD from the router id and a number, which is
	// FRR's own, or the last 16 bits of the VNI (embedded).
	RD             string
	Import, Export []string
	Redistribute   []string // "connected", "kernel", sorted
	// VTEP is the source address of the VXLAN device with this VNI, and RouterMAC the MAC of the bridge that device is in,
	// lower case: the next hop of the routes, and the destination of the frames inside the tunnel (RFC 9135). FRR reads
	// both from the kernel; the embedded speaker is told here, by who makes the devices.
	VTEP      netip.Addr
	RouterMAC string
}
