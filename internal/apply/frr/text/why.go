package text

import "strings"

// reason is why a statement is, or is not, in what is wanted. A star stands for one word; a reason counts for what
// begins with its words.
type reason struct{ words, why string }

// Why says, for an operator who compares, why the statement changes.
func (c Change) Why() string {
	reasons, otherwise := reasonsToAdd(), "follows from the agent's configuration"
	if c.Verb == Remove {
		reasons, otherwise = reasonsToRemove(), "nothing in the agent's configuration asks for it; to keep it, write it as a raw line"
	}
	if c.Daemon == "" {
		return "a raw line of the agent's configuration"
	}
	words := strings.Fields(c.Line)
	for _, r := range reasons {
		if matching(words, strings.Fields(r.words)) != "" {
			return r.why
		}
	}
	if c.Implied && len(c.Path) > 0 {
		return "goes with " + c.Path[len(c.Path)-1]
	}
	return otherwise
}

func reasonsToAdd() []reason {
	const (
		restart = "peers and kernel keep the routes while bgpd restarts"
		bfd     = "a dead neighbour is noticed by BFD, by the timers of its profile"
		policy  = "a neighbour is told, and taken from, only what its filters name"
		install = "only what the filters let in gets into the kernel, with the loopback as source"
	)
	return []reason{
		{"bgp router-id", "the router id of the configuration"},
		{"bgp log-neighbor-changes", "a session that comes or goes is in FRR's log"},
		{"no bgp default ipv4-unicast", "each neighbour names its address families"},
		{"no bgp network import-check", "what is announced does not wait for a route of the kernel"},
		{"bgp graceful-shutdown", "the node is drained"},
		{"bgp bestpath as-path multipath-relax", "equal paths by several neighbour ASes are used at once"},
		{"bgp graceful-restart preserve-fw-state", "what forwards outlives bgpd, and peers may know"},
		{"bgp graceful-restart", restart},
		{"neighbor * remote-as", "a peer of the configuration"},
		{"neighbor * interface remote-as", "a peer of the configuration, by its interface"},
		{"neighbor * bfd", bfd},
		{"neighbor * password", "the peer has a password"},
		{"neighbor * timers", "the peer's timers"},
		{"neighbor * activate", "the peer has this address family"},
		{"neighbor * route-map", policy},
		{"neighbor * allowas-in", "sites that share an AS reach one another over the fabric"},
		{"neighbor * maximum-prefix-out", "a limit to what is told"},
		{"neighbor * maximum-prefix", "a warning when a neighbour tells too much; the session stays"},
		{"neighbor *", "the peer's configuration"},
		{"redistribute connected", "host addresses of the named interface only: a stray address of the host is never announced"},
		{"redistribute kernel", "routes of the named interface only: a stray route of the host is never announced"},
		{"import vrf", "brings what is announced from its VRF into the default instance"},
		{"maximum-paths", "so many equal paths are used at once"},
		{"advertise-all-vni", "a peer has EVPN"},
		{"ip nht resolve-via-default", "a neighbour may be reached by the default route"},
		{"ipv6 nht resolve-via-default", "a neighbour may be reached by the default route"},
		{"ip protocol bgp", install}, {"ipv6 protocol bgp", install},
		{"set src", install},
		{"route-map", policy}, {"match", policy}, {"set", "attributes of the configuration"},
		{"ip prefix-list", policy}, {"ipv6 prefix-list", policy}, {"bgp as-path", policy},
		{"bfd", bfd}, {"profile", bfd}, {"detect-multiplier", bfd}, {"transmit-interval", bfd}, {"receive-interval", bfd},
	}
}

func reasonsToRemove() []reason {
	const (
		older  = "the default of an older FRR, which the line `frr version` of the file asks for; this FRR's own is taken"
		unused = "no statement of ours uses it; what does not begin with " + Prefix + " was somebody else's"
		group  = "settings stand at each neighbour, so that a change to one touches no other"
	)
	return []reason{
		{"bgp graceful-shutdown", "it asks every peer, for good, to send traffic elsewhere; it is set only while the node is drained"},
		{"no bgp ebgp-requires-policy", "every neighbour has a policy; one without must exchange nothing"},
		{"no bgp default ipv4-unicast", "the agent does not ask for it in this instance"},
		{"no bgp network import-check", older}, {"no bgp suppress-duplicates", older}, {"no bgp enforce-first-as", older},
		{"no bgp hard-administrative-reset", older}, {"no bgp graceful-restart notification", older},
		{"neighbor * peer-group", group},
		{"neighbor * interface peer-group", group},
		{"neighbor * prefix-list", "the neighbour's route-maps take its place"},
		{"neighbor * shutdown", "the neighbour is wanted"},
		{"neighbor *", "not what the configuration says of this neighbour, or the neighbour is not in it"},
		{"redistribute", "it would announce whatever is on the host"},
		{"ip prefix-list", unused}, {"ipv6 prefix-list", unused}, {"route-map", unused}, {"bgp as-path", unused},
		{"bgp community-list", unused}, {"profile", "no peer of the configuration uses these BFD timers"},
	}
}
