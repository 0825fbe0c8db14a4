package file

import (
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

const bgpHelp = "Who speaks BGP, and how. The neighbours are groups of their own, [bgp_peer:NAME]. The AS and the router " +
	"id are bgp_AS and bgp_router_id of [DEFAULT]."

func bgpOptions() []option {
	at := func(s *config.Settings) *config.BGP { return &s.Node.BGP }
	speakers := []string{string(config.SpeakerAuto), string(config.SpeakerFRR), string(config.SpeakerEmbedded)}
	ways := []string{string(config.AnnounceAddress), string(config.AnnounceRoute)}
	modes := []string{string(config.ModeAssist), string(config.ModeManaged), string(config.ModeObserve)}
	return []option{
		{Group: "bgp", Name: "speaker", Default: string(config.SpeakerAuto), Values: speakers,
			kind: choice(func(s *config.Settings) *config.Speaker { return &at(s).Speaker }, speakers...),
			Help: "Who speaks BGP, decided at the start. auto: FRR where its sockets are, else the speaker built in when " +
				"neighbours are configured. embedded: the one built in; FRR's bgpd must not run."},
		{Group: "bgp", Name: "announce_with", Default: string(config.AnnounceAddress), Values: ways,
			kind: choice(func(s *config.Settings) *config.AnnounceWith { return &at(s).AnnounceWith }, ways...),
			Help: "What makes FRR announce: an address on bgp_nic, or a route to it in the VRF's table, which costs the " +
				"kernel less where there are thousands. A change moves one host after the other."},
		{Group: "bgp", Name: "frr_mode", Default: string(config.ModeAssist), Values: modes,
			kind: choice(func(s *config.Settings) *config.FRRMode { return &at(s).Mode }, modes...),
			Help: "Whose FRR's configuration is. assist: the operator's; the announcements are added to it, and the " +
				"neighbours named here are ignored. managed: the agent's, all of it. observe: the operator's; nothing is " +
				"written, and what differs from what the agent would write is shown."},
	}
}

// instanceOptions say what BGP on the node is, besides its neighbours.
func instanceOptions(b *speech) []option {
	all := []option{
		{Name: "loopbacks", kind: addresses(to(&b.Loopbacks)),
			Help: "The node's own addresses, at most one of each family: the source of what it sends to the fabric by " +
				"learned routes. They are announced. An IPv4 one is the router id while bgp_router_id is empty."},
		{Name: "graceful_restart", Default: "true", kind: boolean(to(&b.GracefulRestart.Enabled)),
			Help: "Ask neighbours to keep this node's routes while BGP restarts."},
		{Name: "restart_time", Default: "120", kind: secondsTo(to(&b.GracefulRestart.RestartTime), 1, 4095),
			Help: "For so long."},
		{Name: "maximum_paths", Default: "8", kind: integer(to(&b.Multipath.Paths), 1, 64),
			Help: "So many equal paths are used at once. 1: one."},
		{Name: "multipath_relax", Default: "true", kind: boolean(to(&b.Multipath.Relax)),
			Help: "Paths by different neighbour ASes are equal when they are equally long."},
		{Name: "frr_raw_file", kind: optionalPath(to(&b.rawFile)),
			Help: "A file with lines for FRR that stand behind all others (frr_mode = managed). Its lines are yours: " +
				"nothing checks them but FRR. A file with passwords must not be readable by others."},
	}
	all = append(all, timerOptions(&b.timers, timers{"10", "30", "5"}, "")...)
	all = append(all, option{Name: "bfd", Default: "normal", kind: profileName(to(&b.bfd)),
		Help: "The BFD profile of neighbours that name none and are not several hops away: normal (300 ms, 3 lost), fast " +
			"(100 ms, 3), slow (500 ms, 10), or one of [bgp_bfd:NAME]. none: no BFD."})
	all = append(all, attributeOptions(&b.attributes, "every announcement")...)
	return inGroup("bgp", all)
}

// timers are written values: "" for none.
type timers struct{ keepalive, hold, connect string }

// times are the timers of a session; 0 is unset.
type times struct{ keepalive, hold, connect time.Duration }

func timerOptions(t *times, defaults timers, unset string) []option {
	kindOf := func(at *time.Duration, low, high int) kind {
		if unset == "" {
			return secondsTo(to(at), low, high)
		}
		return optionalSeconds(to(at), low, high)
	}
	return []option{
		{Name: "keepalive", Default: defaults.keepalive, kind: kindOf(&t.keepalive, 1, 21845),
			Help: "Seconds between keepalives." + unset},
		{Name: "hold", Default: defaults.hold, kind: kindOf(&t.hold, 3, 65535),
			Help: "After so many seconds without a word the neighbour is taken for dead; at least three times keepalive." + unset},
		{Name: "connect_retry", Default: defaults.connect, kind: kindOf(&t.connect, 1, 65535),
			Help: "Seconds between attempts to connect." + unset},
	}
}

func attributeOptions(a *model.Attributes, of string) []option {
	return []option{
		{Name: "communities", kind: communities(to(&a.Communities)),
			Help: "BGP communities of " + of + "."},
		{Name: "large_communities", kind: largeCommunities(to(&a.LargeCommunities)),
			Help: "Large BGP communities of " + of + "."},
		{Name: "local_preference", kind: optionalNumber(to(&a.LocalPreference)),
			Help: "Local preference of " + of + ", towards neighbours in this node's AS. Empty: the neighbour's own default."},
	}
}

const kindHelp = "What is set on announcements of one kind, besides what [bgp] says of every announcement: communities " +
	"are added, a local preference counts instead. NAME is one of port (a machine on a provider network), floating-ip (and " +
	"what is forwarded from one), gateway (of a router), load-balancer, tenant (a machine on a tenant network, or a " +
	"subnet), host (an address of the host itself)."

func kindOptions(k *kindAttributes) []option {
	return attributeOptions(&k.attributes, "announcements of this kind")
}

const bfdHelp = "A BFD profile of your own. Its name is what bfd of [bgp] and of a neighbour says; normal, fast and slow " +
	"are there without being written."

func bfdOptions(p *profile) []option {
	return []option{
		{Name: "multiplier", Default: "3", kind: integer(to(&p.Multiplier), 2, 255),
			Help: "So many packets lost in a row end the session."},
		{Name: "transmit", Default: "300", kind: milliseconds(to(&p.Transmit)), Help: "Milliseconds between packets sent."},
		{Name: "receive", Default: "300", kind: milliseconds(to(&p.Receive)),
			Help: "Milliseconds between packets asked for."},
	}
}

func inGroup(name string, all []option) []option {
	for i := range all {
		all[i].Group = name
	}
	return all
}

// to makes a field of a value that is not in the settings yet.
func to[T any](v *T) field[T] { return func(*config.Settings) *T { return v } }

func bfdGroup() group {
	return group{Name: "bgp_bfd", Ours: true, Help: bfdHelp, Example: "[bgp_bfd:wan]\nmultiplier = 5\ntransmit = 1000\nreceive = 1000\n",
		Taken: append(builtInProfiles(), noProfile),
		Named: func(n *named, name string) []option {
			n.profiles[name] = &profile{model.BFDProfile{Name: name}}
			return bfdOptions(n.profiles[name])
		}}
}

func kindGroup() group {
	return group{Name: "bgp_kind", Ours: true, Help: kindHelp, Names: kindNames(),
		Example: "[bgp_kind:floating-ip]\ncommunities = 64999:100\nlocal_preference = 200\n",
		Named: func(n *named, name string) []option {
			n.kinds[model.Kind(name)] = &kindAttributes{}
			return kindOptions(n.kinds[model.Kind(name)])
		}}
}

func kindNames() []string {
	return []string{string(model.KindPort), string(model.KindFloatingIP), string(model.KindGateway),
		string(model.KindBalancer), string(model.KindTenant), string(model.KindHost)}
}
