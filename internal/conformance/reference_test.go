package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// reference is FRR with a configuration of the simplest kind: networks instead of a leak, lists instead of maps. It is
// what the bed is proved with, and says nothing of our own speakers.
type reference struct{ place }

func openReference(p place) (speaker, error) {
	return speaker{Announcer: reference{p}, Close: func() error { return nil }}, nil
}

func (reference) Name() string           { return "reference" }
func (reference) Pokes() <-chan struct{} { return nil }

func (r reference) file() string { return filepath.Join(r.Dir, "frr.conf") }

func (r reference) Announced(context.Context) ([]string, error) {
	text, err := os.ReadFile(r.file())
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, prefix := range networks(string(text)) {
		keys = append(keys, model.Key(r.VRF, prefix))
	}
	return keys, nil
}

// Plan is one step, which writes the file and loads it. What the file said and says no more is taken back first.
func (r reference) Plan(_ context.Context, want model.Node) ([]plan.Step, error) {
	daemons := referenceConfig(want)
	text := daemons["zebra"] + daemons["bgpd"] + daemons["bfdd"]
	have, err := os.ReadFile(r.file())
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	if string(have) == text {
		return nil, nil
	}
	load := func(ctx context.Context) error {
		daemons["bgpd"] = withdrawals(want.BGP.AS, string(have), text) + held(want.BGP, string(have), daemons["bgpd"])
		for name, lines := range daemons {
			c := vty.New(filepath.Join(r.Dir, name+".vty"))
			err := errors.Join(c.Configure(ctx, strings.Split(strings.TrimSpace(lines), "\n")), c.Close())
			if err != nil {
				return err
			}
		}
		return os.WriteFile(r.file(), []byte(text), 0o600)
	}
	return []plan.Step{{Verb: plan.Update, Object: "frr.conf", Why: "it is what is wanted", Do: load}}, nil
}

func networks(text string) []netip.Prefix {
	var all []netip.Prefix
	for line := range strings.Lines(text) {
		if word := strings.Fields(line); len(word) > 1 && word[0] == "network" {
			all = append(all, netip.MustParsePrefix(word[1]))
		}
	}
	return all
}

func withdrawals(as uint32, before, after string) string {
	var b strings.Builder
	kept := networks(after)
	for _, prefix := range networks(before) {
		if !slices.Contains(kept, prefix) {
			fmt.Fprintf(&b, "router bgp %d\n address-family ipv%d unicast\n  no network %s\n exit-address-family\nexit\n",
				as, model.FamilyOf(prefix.Addr()), prefix)
		}
	}
	return b.String()
}

// held holds new neighbours back until all is said of them: a session without a family would fail.
func held(b model.BGP, before, text string) string {
	var more strings.Builder
	for _, peer := range b.Peers {
		line := "neighbor " + neighbor(peer) + " timers "
		if !strings.Contains(before, line) {
			text = strings.Replace(text, line, "neighbor "+neighbor(peer)+" shutdown\n "+line, 1)
			fmt.Fprintf(&more, "router bgp %d\n no neighbor %s shutdown\nexit\n", b.AS, neighbor(peer))
		}
	}
	return text + more.String()
}

// printer prints lines of a configuration.
type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// referenceConfig returns what each daemon is told.
func referenceConfig(n model.Node) map[string]string {
	zebra, bgpd, bfdd := &printer{}, &printer{}, &printer{}
	// What is in VRFs of their own is redistributed there.
	n.Announcements = slices.DeleteFunc(slices.Clone(n.Announcements), func(a model.Announcement) bool { return a.VRF != vrfName })
	zebra.line("route-map source4 permit 10\n set src %s\nexit\nip protocol bgp route-map source4", loopback4)
	zebra.line("route-map source6 permit 10\n set src %s\nexit\nipv6 protocol bgp route-map source6", loopback6)

	for _, v := range n.BGP.VRFs {
		zebra.line("vrf %s\n vni %d\nexit-vrf", v.Name, v.VNI)
	}

	bgpd.line("ip prefix-list default4 permit 0.0.0.0/0\nipv6 prefix-list default6 permit ::/0")
	bgpd.line("ip prefix-list any4 permit 0.0.0.0/0 le 32\nipv6 prefix-list any6 permit ::/0 le 128")
	bgpd.line("bgp as-path access-list own permit ^$")
	for _, a := range n.Announcements {
		bgpd.attributes(attributeMap(a), a.Attributes)
	}
	for _, peer := range n.BGP.Peers {
		for _, f := range peer.Families {
			if len(f.Out.Communities) > 0 {
				bgpd.attributes(outMap(peer, f), f.Out.Attributes)
			}
		}
	}
	bgpd.instance(n)
	bfdd.line("bfd")
	for _, profile := range n.BGP.Profiles {
		bfdd.line(" profile %s\n  detect-multiplier %d\n  transmit-interval %d\n  receive-interval %d\n exit", profile.Name,
			profile.Multiplier, profile.Transmit.Milliseconds(), profile.Receive.Milliseconds())
	}
	bfdd.line("exit")
	return map[string]string{"zebra": zebra.String(), "bgpd": bgpd.String(), "bfdd": bfdd.String()}
}

// attributeMap names the route map of an announcement, so that one more changes none of the others.
func attributeMap(a model.Announcement) string {
	return "of-" + strings.NewReplacer("/", "-", ":", "-").Replace(a.Prefix.String())
}

func outMap(peer model.Peer, f model.PeerFamily) string {
	return "out-" + peer.Name + "-" + strings.ReplaceAll(string(f.Family), " ", "-")
}

func (p *printer) attributes(name string, a model.Attributes) {
	p.line("route-map %s permit 10", name)
	if len(a.Communities) > 0 {
		p.line(" set community %s additive", words(a.Communities))
	}
	if len(a.LargeCommunities) > 0 {
		p.line(" set large-community %s additive", words(a.LargeCommunities))
	}
	if a.LocalPreference != nil {
		p.line(" set local-preference %d", *a.LocalPreference)
	}
	p.line("exit")
}

func words[T any](values []T) string { return strings.Trim(fmt.Sprint(values), "[]") }

func (p *printer) instance(n model.Node) {
	p.line("router bgp %d\n bgp router-id %s", n.BGP.AS, n.BGP.RouterID)
	p.line(" no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check")
	p.line(" bgp bestpath as-path multipath-relax\n bgp log-neighbor-changes")
	if gr := n.BGP.GracefulRestart; gr.Enabled {
		p.line(" bgp graceful-restart\n bgp graceful-restart restart-time %d", int(gr.RestartTime.Seconds()))
		p.line(" bgp graceful-restart preserve-fw-state")
	} else { // else FRR announces what has BIRD keep its routes all the same
		p.line(" bgp graceful-restart-disable")
	}
	no := "no "
	if n.BGP.Drained {
		no = ""
	}
	p.line(" %sbgp graceful-shutdown", no)
	for _, peer := range n.BGP.Peers {
		p.session(peer)
	}
	for _, f := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} {
		p.line(" address-family %s\n  maximum-paths %d\n  maximum-paths ibgp %d", f, n.BGP.Multipath.Paths, n.BGP.Multipath.Paths)
		for _, a := range n.Announcements {
			if a.Prefix.Addr().Is4() == (f == model.IPv4Unicast) {
				p.line("  network %s route-map %s", a.Prefix, attributeMap(a))
			}
		}
		for _, a := range n.BGP.Loopbacks {
			if a.Is4() == (f == model.IPv4Unicast) {
				p.line("  network %s", netip.PrefixFrom(a, a.BitLen()))
			}
		}
		for _, peer := range n.BGP.Peers {
			p.family(peer, f)
		}
		p.line(" exit-address-family")
	}
	if len(n.BGP.VRFs) > 0 {
		p.line(" address-family l2vpn evpn\n  advertise-all-vni")
		for _, peer := range n.BGP.Peers {
			if slices.ContainsFunc(peer.Families, func(f model.PeerFamily) bool { return f.Family == model.EVPN }) {
				p.line("  neighbor %s activate", neighbor(peer))
			}
		}
		p.line(" exit-address-family")
	}
	p.line("exit")
	for _, v := range n.BGP.VRFs {
		p.tenant(n, v)
	}
}

func (p *printer) tenant(n model.Node, v model.BGPVRF) {
	p.line("router bgp %d vrf %s\n bgp router-id %s", n.BGP.AS, v.Name, n.BGP.RouterID)
	for _, f := range []model.BGPFamily{model.IPv4Unicast, model.IPv6Unicast} {
		p.line(" address-family %s\n  redistribute connected\n exit-address-family", f)
	}
	p.line(" address-family l2vpn evpn\n  rd %s\n  route-target export %s", v.RD, v.Export[0])
	for _, target := range v.Import {
		p.line("  route-target import %s", target)
	}
	p.line("  advertise ipv4 unicast\n  advertise ipv6 unicast\n exit-address-family\nexit")
}

func neighbor(peer model.Peer) string {
	if peer.Interface != "" {
		return peer.Interface
	}
	return peer.Address.String()
}

func (p *printer) session(peer model.Peer) {
	line := func(format string, args ...any) { p.line(" neighbor "+neighbor(peer)+" "+format, args...) }
	if peer.Interface != "" {
		line("interface remote-as %s", peer.AS)
	} else {
		line("remote-as %s", peer.AS)
	}
	line("timers %d %d", int(peer.Keepalive.Seconds()), int(peer.Hold.Seconds()))
	line("timers connect %d", int(peer.ConnectRetry.Seconds()))
	if peer.Multihop > 0 {
		line("ebgp-multihop %d", peer.Multihop)
	}
	if peer.TTLSecurity > 0 {
		line("ttl-security hops %d", peer.TTLSecurity)
	}
	if peer.Source.IsValid() {
		line("update-source %s", peer.Source)
	}
	if peer.Password != "" {
		line("password %s", peer.Password.Reveal())
	}
	if peer.ExtendedNextHop {
		line("capability extended-nexthop")
	}
	if peer.BFD != "" {
		line("bfd")
		line("bfd profile %s", peer.BFD)
	}
}

func (p *printer) family(peer model.Peer, name model.BGPFamily) {
	for _, f := range peer.Families {
		if f.Family != name {
			continue
		}
		line := func(format string, args ...any) { p.line("  neighbor "+neighbor(peer)+" "+format, args...) }
		number := model.Family(4)
		if name == model.IPv6Unicast {
			number = 6
		}
		line("activate")
		line("filter-list own out")
		if len(f.Out.Communities) > 0 {
			line("route-map %s out", outMap(peer, f))
		}
		if f.In.All {
			line("prefix-list any%d in", number)
		} else {
			line("prefix-list default%d in", number)
		}
		if f.WarnPrefixes > 0 {
			line("maximum-prefix %d warning-only", f.WarnPrefixes)
		}
	}
}
