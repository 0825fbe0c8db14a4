package frr

import (
	"fmt"
	"net/netip"
	"time"

	"ovnbgp/internal/model"
)

// peerFamilies are both unicast families with the filters of a leaf: ours out, the default route in.
func peerFamilies() []model.PeerFamily {
	ours := model.Filter{Own: true}
	byDefault := model.Filter{Default: true}
	return []model.PeerFamily{
		{Family: model.IPv4Unicast, In: byDefault, Out: ours},
		{Family: model.IPv6Unicast, In: byDefault, Out: ours},
	}
}

func leaf(n int) model.Peer {
	return model.Peer{Name: fmt.Sprintf("leaf%d", n), Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}),
		AS: model.PeerAS{Kind: model.ASNumber, Number: 65000}, Keepalive: 10 * time.Second, Hold: 30 * time.Second,
		ConnectRetry: 5 * time.Second, Families: peerFamilies()}
}

func baseNode() model.Node {
	return model.Node{
		VRF:  model.VRF{Name: "bgp-vrf", Table: 10, Device: "bgp-nic"},
		Leak: model.Leak{AS: 64999, VRF: "bgp-vrf", Redistribute: []string{"connected", "kernel"}, Why: "test"},
		BGP: model.BGP{AS: 64999, RouterID: netip.MustParseAddr("10.0.0.1"),
			Loopbacks:       []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")},
			GracefulRestart: model.GracefulRestart{Enabled: true, RestartTime: 120 * time.Second, PreserveForwarding: true},
			Multipath:       model.Multipath{Paths: 8, Relax: true},
			Peers:           []model.Peer{leaf(1), leaf(2)},
		},
	}
}

func announced(prefix string, a model.Attributes) model.Announcement {
	return model.Announcement{VRF: "bgp-vrf", Prefix: netip.MustParsePrefix(prefix), Attributes: a}
}

func preference(n uint32) *uint32 { return &n }

// features are nodes that between them use all of the model.
func features() map[string]model.Node {
	all := map[string]model.Node{"leaf pair": baseNode()}
	with := func(name string, change func(*model.Node)) {
		n := baseNode()
		change(&n)
		all[name] = n
	}
	with("no graceful restart, one path, not relaxed", func(n *model.Node) {
		n.BGP.GracefulRestart, n.BGP.Multipath = model.GracefulRestart{}, model.Multipath{Paths: 1}
	})
	with("just booted", func(n *model.Node) {
		n.BGP.GracefulRestart.PreserveForwarding = false
		n.BGP.GracefulRestart.RestartTime = 90 * time.Second
	})
	with("drained", func(n *model.Node) { n.BGP.Drained = true })
	with("no peer", func(n *model.Node) { n.BGP.Peers = nil })
	with("one family, one loopback", func(n *model.Node) {
		n.BGP.Loopbacks = n.BGP.Loopbacks[:1]
		for i := range n.BGP.Peers {
			n.BGP.Peers[i].Families = n.BGP.Peers[i].Families[:1]
		}
	})
	with("no leak", func(n *model.Node) { n.Leak = model.Leak{} })
	peerFeatures(with)
	policyFeatures(with)
	return all
}

func peerFeatures(with func(string, func(*model.Node))) {
	with("BFD", func(n *model.Node) {
		n.BGP.Profiles = []model.BFDProfile{
			{Name: "fast", Multiplier: 3, Transmit: 100 * time.Millisecond, Receive: 100 * time.Millisecond},
			{Name: "normal", Multiplier: 3, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond},
			{Name: "slow", Multiplier: 10, Transmit: 500 * time.Millisecond, Receive: 500 * time.Millisecond},
		}
		n.BGP.Peers[0].BFD, n.BGP.Peers[0].BFDControlPlane = "fast", true
		n.BGP.Peers[1].BFD = "normal"
		third := leaf(3)
		third.BFD = "slow"
		n.BGP.Peers = append(n.BGP.Peers, third)
	})
	with("security and addresses", func(n *model.Node) {
		n.BGP.Peers[0].Password, n.BGP.Peers[0].TTLSecurity = "s3cret", 1
		n.BGP.Peers[1].Multihop, n.BGP.Peers[1].Source = 5, netip.MustParseAddr("10.0.0.1")
	})
	with("TTL security where multihop was", func(n *model.Node) { n.BGP.Peers[1].TTLSecurity = 2 })
	with("a password that changes", func(n *model.Node) { n.BGP.Peers[0].Password = "an0ther" })
	with("internal", func(n *model.Node) {
		n.BGP.Peers[0].AS = model.PeerAS{Kind: model.ASInternal}
		n.BGP.Peers[1].AS = model.PeerAS{Kind: model.ASExternal}
		n.BGP.Peers[0].Families[0].NextHopSelf = true
	})
	with("unnumbered", func(n *model.Node) {
		for i, dev := range []string{"eth1", "eth2"} {
			n.BGP.Peers[i].Address, n.BGP.Peers[i].Interface = netip.Addr{}, dev
			n.BGP.Peers[i].AS = model.PeerAS{Kind: model.ASExternal}
			n.BGP.Peers[i].ExtendedNextHop = true
		}
	})
	with("IPv6 session with extended next hop", func(n *model.Node) {
		n.BGP.Peers[0].Address, n.BGP.Peers[0].ExtendedNextHop = netip.MustParseAddr("2001:db8:1::1"), true
		n.BGP.Peers[0].AllowOwnAS = true
	})
	with("limits", func(n *model.Node) {
		n.BGP.Peers[0].Families[0].WarnPrefixes, n.BGP.Peers[0].Families[0].LimitPrefixes = 1000, 500
	})
	with("EVPN", func(n *model.Node) {
		n.BGP.Peers[0].Families = append(n.BGP.Peers[0].Families, model.PeerFamily{Family: model.EVPN,
			In: model.Filter{All: true}, Out: model.Filter{Own: true}})
		n.BGP.Peers[0].AllowOwnAS = true
		n.BGP.VRFs = []model.BGPVRF{{Name: "vrf-10", VNI: 10, RD: "10.0.0.1:10", Import: []string{"64999:10"},
			Export: []string{"64999:10", "64999:1010"}, Redistribute: []string{"connected", "kernel"}}}
	})
}

func policyFeatures(with func(string, func(*model.Node))) {
	with("filters between sites", func(n *model.Node) {
		n.BGP.Peers[0].Families[0].In = model.Filter{Default: true, Prefixes: []model.PrefixRange{
			prefixRange("10.1.0.0/16", 24, 32), prefixRange("172.16.0.0/12", 12, 12), prefixRange("192.168.0.0/16", 16, 24)},
			Attributes: model.Attributes{LocalPreference: preference(50)}}
		n.BGP.Peers[0].Families[0].Out = model.Filter{Own: true, Default: true, Prefixes: []model.PrefixRange{
			prefixRange("10.2.0.0/16", 16, 32)},
			Attributes: model.Attributes{Communities: []model.Community{64999<<16 | 1, model.GracefulShutdown, 0xffff_ff01},
				LargeCommunities: []model.LargeCommunity{{Global: 64999, Local1: 1, Local2: 2}}}}
		n.BGP.Peers[1].Families[0].In, n.BGP.Peers[1].Families[1].In = model.Filter{All: true}, model.Filter{All: true}
	})
	with("one range of a filter less", func(n *model.Node) {
		n.BGP.Peers[0].Families[0].In = model.Filter{Default: true, Prefixes: []model.PrefixRange{
			prefixRange("172.16.0.0/12", 12, 12), prefixRange("192.168.0.0/16", 16, 24)}}
	})
	with("attributes of all", func(n *model.Node) {
		a := model.Attributes{Communities: []model.Community{64999<<16 | 100}}
		n.Announcements = []model.Announcement{announced("203.0.113.9/32", a), announced("2001:db8::9/128", a)}
	})
	with("attributes by kind", func(n *model.Node) {
		n.Announcements = []model.Announcement{
			announced("203.0.113.9/32", model.Attributes{Communities: []model.Community{64999<<16 | 100}}),
			announced("203.0.113.10/32", model.Attributes{Communities: []model.Community{64999<<16 | 100}}),
			announced("203.0.113.11/32", model.Attributes{LocalPreference: preference(200)}),
			announced("203.0.113.12/32", model.Attributes{}),
			announced("2001:db8::9/128", model.Attributes{}),
		}
	})
	with("raw lines", func(n *model.Node) {
		n.BGP.Raw = []string{"ip prefix-list operators seq 5 permit 10.9.0.0/16", "router bgp 64999",
			" neighbor 192.0.2.4 remote-as 65004", " neighbor 192.0.2.4 description somebody's own"}
	})
}
