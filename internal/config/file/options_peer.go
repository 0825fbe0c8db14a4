package file

import "ovnbgp/internal/model"

const peerHelp = "A BGP neighbour, for frr_mode = managed or observe and for the embedded speaker. NAME is what status and " +
	"logs call it: small letters, digits, dot, underscore and hyphen. It has an address, or an interface on which it is " +
	"found by itself (unnumbered: one neighbour, by its link-local address)."

const peerExample = `[bgp_peer:leaf1]
interface = eth1
as = external

[bgp_peer:edge]
address = 198.51.100.1
as = 64496
multihop = 4
source = 192.0.2.11
password_file = /etc/ovnbgp/edge.password
in = default, 203.0.113.0/24 le 32
out = own
communities = 64999:20
`

// peerOptions are those of one neighbour.
func peerOptions(p *peer) []option {
	const ofBGP = " Empty: as [bgp] says."
	all := []option{
		{Name: "address", kind: address(to(&p.Address)), Help: "The neighbour's address."},
		{Name: "interface", kind: optionalDevice(to(&p.Interface)),
			Help: "The device on which the neighbour is, instead of its address."},
		{Name: "as", kind: peerAS(to(&p.AS)),
			Help: "The neighbour's AS: a number, internal (this node's), or external (any other). It must be said."},
		{Name: "multihop", Default: "0", kind: multihop(to(&p.Multihop)),
			Help: "Routers packets may pass to a neighbour of another AS that is not on the link, and itself (TTL). 0: it " +
				"is on the link."},
		{Name: "ttl_security", Default: "0", kind: integer(to(&p.TTLSecurity), 0, 254),
			Help: "Take packets only from a neighbour that is at most so many hops away (RFC 5082). 0: from anywhere."},
		{Name: "source", kind: address(to(&p.Source)),
			Help: "This node's address in the session, for neighbours that are not on the link. Empty: the kernel chooses."},
		{Name: "password_file", kind: optionalPath(to(&p.passwordFile)),
			Help: "A file with the session's password (TCP MD5, RFC 2385) in one line. Others must not be able to read it. " +
				"It is read at start and at a reload."},
		{Name: "bfd", kind: profileName(to(&p.bfd)),
			Help: "BFD profile, as in [bgp] bfd; none: no BFD. Empty: as [bgp] says, and none when multihop is set."},
		{Name: "bfd_check_control_plane", Default: "false", kind: boolean(to(&p.BFDControlPlane)),
			Help: "Keep the session when BFD ends because the neighbour's control plane restarts."},
		{Name: "extended_nexthop", kind: optionalBoolean(to(&p.extended)),
			Help: "IPv4 prefixes may have IPv6 next hops (RFC 8950): for a neighbour with an IPv6 address. Always so on an " +
				"interface."},
		{Name: "allow_own_as", Default: "false", kind: boolean(to(&p.AllowOwnAS)),
			Help: "Take routes that come from this node's own AS: sites that share an AS reach one another."},
		{Name: "families", kind: families(to(&p.families)),
			Help: "Address families. Empty: ipv4, ipv6 on an interface, else the address's own."},
		{Name: "in", Default: "default", kind: filterIn(to(&p.in)),
			Help: "What is taken from the neighbour. all; none; or any of default (the default route) and prefixes. " +
				"10.0.0.0/8 is that prefix alone, 10.0.0.0/8 le 24 also what is in it up to that length. Of EVPN all is " +
				"taken."},
		{Name: "out", Default: "own", kind: filterOut(to(&p.out)),
			Help: "What is told to the neighbour. all; none; or any of own (what this node announces), default and prefixes."},
		{Name: "warn_prefixes", Default: "0", kind: count(to(&p.warn)),
			Help: "Warn when the neighbour tells more prefixes than this, of one family. The session goes on. 0: never."},
		{Name: "limit_prefixes", Default: "0", kind: count(to(&p.limit)),
			Help: "Tell the neighbour no more prefixes than this, of one family. 0: no limit."},
		{Name: "next_hop_self", Default: "false", kind: boolean(to(&p.nextHopSelf)),
			Help: "Have the neighbour send here what this node has learned from others."},
	}
	all = append(all, timerOptions(&p.times, timers{}, ofBGP)...)
	all = append(all, attributeOptions(&p.told, "what is told to the neighbour, on top of its own")...)
	for _, o := range attributeOptions(&p.taken, "what is taken from the neighbour") {
		o.Name = "in_" + o.Name
		if o.Name == "in_local_preference" {
			o.Help = "Local preference of what is taken from the neighbour: of two default routes the higher wins. Empty: " +
				"as it comes."
		}
		all = append(all, o)
	}
	return all
}

// peer is one neighbour as written, and what is made of it.
type peer struct {
	model.Peer
	times        times
	passwordFile string
	bfd          string // "" for what [bgp] says
	extended     *bool  // nil when nothing is said
	families     []model.BGPFamily
	in, out      filter
	taken, told  model.Attributes // set on what passes in and out
	warn, limit  uint32
	nextHopSelf  bool
}

// filter is a filter as written: its prefixes are of both families.
type filter struct {
	model.Filter
	none bool
}

func peerGroup() group {
	return group{Name: "bgp_peer", Ours: true, Help: peerHelp, Example: peerExample,
		Named: func(n *named, name string) []option {
			n.peers[name] = &peer{Peer: model.Peer{Name: name}}
			return peerOptions(n.peers[name])
		}}
}
