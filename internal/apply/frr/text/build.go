package text

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ovnbgp/internal/model"
)

// build computes every field of what the template prints.
func build(n model.Node, v Version) conf {
	// Next hops are found by way of the default route; from FRR 9.1 on that is so by itself, and not shown.
	c := conf{NextHopsByDefault: !v.AtLeast(9, 1), Instances: []instance{defaultInstance(n)}}
	if n.Leak.VRF != "" {
		c.Instances = append(c.Instances, underlay(n))
	}
	for _, x := range n.BGP.VRFs {
		c.VRFs = append(c.VRFs, vrf{Name: x.Name, VNI: x.VNI})
		c.Instances = append(c.Instances, tenant(n.BGP, x))
	}
	c.policies(n)
	for _, p := range n.BGP.Profiles {
		c.Profiles = append(c.Profiles, bfdProfile(p))
	}
	return c
}

// bfdProfile leaves out what FRR has by itself, and therefore does not show.
func bfdProfile(p model.BFDProfile) profile {
	const multiplier, interval = 3, 300 * time.Millisecond
	made := profile{Name: p.Name}
	if p.Multiplier != multiplier {
		made.Multiplier = p.Multiplier
	}
	if p.Transmit != interval {
		made.Transmit = int(p.Transmit.Milliseconds())
	}
	if p.Receive != interval {
		made.Receive = int(p.Receive.Milliseconds())
	}
	return made
}

func defaultInstance(n model.Node) instance {
	b := n.BGP
	made := instance{AS: b.AS, RouterID: b.RouterID.String(), Speaks: true, Drained: b.Drained, Relax: b.Multipath.Relax,
		NoRestart: !b.GracefulRestart.Enabled} // left alone FRR would still help, and peers keep routes of a speaker that says so
	if g := b.GracefulRestart; g.Enabled {
		const seconds = 120
		made.GracefulRestart = &gracefulRestart{Preserve: g.PreserveForwarding}
		if s := int(g.RestartTime.Seconds()); s != seconds {
			made.GracefulRestart.Seconds = s
		}
	}
	for _, p := range b.Peers {
		made.Neighbors = append(made.Neighbors, peer(p))
	}
	for _, name := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast, model.EVPN} {
		if f := unicastOrEVPN(n, name); len(f.Redistribute)+len(f.Neighbors)+len(f.Lines) > 0 {
			made.Families = append(made.Families, f)
		}
	}
	return made
}

// id is how FRR's configuration calls a peer.
func id(p model.Peer) string {
	if p.Interface != "" {
		return p.Interface
	}
	return p.Address.String()
}

func peer(p model.Peer) neighbor {
	made := neighbor{ID: id(p), Unnumbered: p.Interface != "", AS: p.AS.String(), BFD: p.BFD, Password: p.Password.Reveal(),
		ControlPlane: p.BFDControlPlane, Multihop: p.Multihop, TTLSecurity: p.TTLSecurity,
		ExtendedNextHop: p.ExtendedNextHop && p.Interface == ""}
	if p.Source.IsValid() {
		made.Source = p.Source.String()
	}
	if p.Hold != 0 {
		made.Timers = seconds(p.Keepalive) + " " + seconds(p.Hold)
	}
	if p.ConnectRetry != 0 {
		made.Connect = int(p.ConnectRetry.Seconds())
	}
	return made
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// unicastOrEVPN is one address family of the default instance.
func unicastOrEVPN(n model.Node, name model.BGPFamily) family {
	b := n.BGP
	made := family{Name: string(name)}
	for _, p := range b.Peers {
		if at := slices.IndexFunc(p.Families, func(f model.PeerFamily) bool { return f.Family == name }); at >= 0 {
			made.Neighbors = append(made.Neighbors, inFamily(p, p.Families[at]))
		}
	}
	if name == model.EVPN {
		if len(made.Neighbors) > 0 {
			made.Lines = append(made.Lines, "advertise-all-vni")
		}
		return made
	}
	if loopback(b, name).IsValid() {
		made.Redistribute = append(made.Redistribute, "connected route-map "+loopbackMap+"-"+short(name))
	}
	if paths := b.Multipath.Paths; paths > 0 && len(made.Neighbors) > 0 {
		made.Lines = append(made.Lines, "maximum-paths "+strconv.Itoa(paths), "maximum-paths ibgp "+strconv.Itoa(paths))
	}
	if n.Leak.VRF != "" {
		made.Lines = append(made.Lines, "import vrf "+n.Leak.VRF)
	}
	return made
}

func inFamily(p model.Peer, f model.PeerFamily) familyNeighbor {
	return familyNeighbor{ID: id(p), In: mapOf(inbound, p, f.Family), Out: mapOf(outbound, p, f.Family),
		NextHopSelf: f.NextHopSelf, AllowOwnAS: p.AllowOwnAS, WarnPrefixes: f.WarnPrefixes, LimitPrefixes: f.LimitPrefixes}
}

// loopback is the node's own address of a family.
func loopback(b model.BGP, name model.BGPFamily) netip.Addr {
	for _, a := range b.Loopbacks {
		if a.Is4() == (name == model.IPv4Unicast) {
			return a
		}
	}
	return netip.Addr{}
}

// underlay is the instance of the VRF that bears what is announced. It is drained, too: FRR adds the community for internal
// peers only where a route begins.
func underlay(n model.Node) instance {
	made := instance{AS: n.BGP.AS, VRF: n.Leak.VRF, RouterID: n.BGP.RouterID.String(), Drained: n.BGP.Drained}
	if n.Leak.RouterID.IsValid() {
		made.RouterID = n.Leak.RouterID.String()
	}
	for _, name := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} {
		f := family{Name: string(name)}
		for _, source := range n.Leak.Redistribute {
			f.Redistribute = append(f.Redistribute, source+" route-map "+announceMap(source, name))
		}
		made.Families = append(made.Families, f)
	}
	return made
}

// tenant is the instance of a VRF whose prefixes go to the peers as type-5 routes.
func tenant(b model.BGP, x model.BGPVRF) instance {
	made := instance{AS: b.AS, VRF: x.Name, RouterID: b.RouterID.String()}
	for _, name := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} {
		made.Families = append(made.Families, family{Name: string(name), Redistribute: x.Redistribute})
	}
	evpn := family{Name: string(model.EVPN), Lines: []string{"advertise ipv4 unicast", "advertise ipv6 unicast"}}
	if x.RD != "" {
		evpn.Lines = append(evpn.Lines, "rd "+x.RD)
	}
	for _, target := range imported(b.AS, x) {
		evpn.Lines = append(evpn.Lines, "route-target import "+target)
	}
	for _, target := range exported(b.AS, x) {
		evpn.Lines = append(evpn.Lines, "route-target export "+target)
	}
	made.Families = append(made.Families, evpn)
	return made
}
