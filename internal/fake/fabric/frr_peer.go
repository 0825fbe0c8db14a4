package fabric

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ovnbgp/internal/model"
)

// frrPeer is a peer made of FRR.
type frrPeer struct {
	*Daemons
	node    *Node
	options PeerOptions
	starts  int
}

func (p *frrPeer) Start() {
	p.node.t.Helper()
	p.Daemons = NewFRR(p.node)
	p.Daemons.Start("zebra", "bgpd")
	if p.options.BFD != nil {
		p.Daemons.Start("bfdd")
	}
	p.load()
}

func (p *frrPeer) Check(context.Context) error {
	file := filepath.Join(p.node.Dir, "checked.conf")
	if err := os.WriteFile(file, []byte(p.config()), 0o600); err != nil {
		return err
	}
	_, err := p.node.output(p.node.command("vtysh", "-C", "-f", file))
	return err
}

func (p *frrPeer) load() {
	p.node.t.Helper()
	p.starts++
	if bfd := p.options.BFD; bfd != nil {
		p.configure("bfdd", fmt.Sprintf("bfd\nprofile test\ndetect-multiplier %d\ntransmit-interval %d\nreceive-interval %d\nexit\nexit",
			bfd.Multiplier, bfd.Transmit.Milliseconds(), bfd.Receive.Milliseconds()))
	}
	p.configure("bgpd", p.config())
}

func (p *frrPeer) configure(daemon, text string) {
	p.node.t.Helper()
	if err := p.Configure(p.node.t.Context(), daemon, text); err != nil {
		p.node.t.Fatal(err)
	}
}

func (p *frrPeer) Node() *Node { return p.node }

func (p *frrPeer) Kill() { p.Daemons.Kill("bgpd") }

func (p *frrPeer) Restart() {
	p.node.t.Helper()
	p.Daemons.Start("bgpd")
	p.load()
}

func (p *frrPeer) neighbor() string {
	if p.options.Unnumbered {
		return p.options.Interface
	}
	return p.options.Neighbor.String()
}

// config is the configuration of the peer's bgpd. Graceful restart stands before the neighbour: what connects in between would
// be told that there is none.
func (p *frrPeer) config() string {
	o := p.options
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	neighbor := func(format string, args ...any) { line(" neighbor "+p.neighbor()+" "+format, args...) }
	line("router bgp %d\n bgp router-id %s", o.AS, o.RouterID)
	line(" no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check")
	if o.GracefulRestart {
		line(" bgp graceful-restart\n bgp graceful-restart preserve-fw-state")
	}
	if o.Unnumbered {
		neighbor("interface remote-as %d", o.NodeAS)
	} else {
		neighbor("remote-as %d", o.NodeAS)
	}
	hold, keepalive := o.hold()
	neighbor("timers %d %d", keepalive, hold)
	neighbor("timers connect 1")
	neighbor("shutdown") // until all is said: a session without a family would fail
	if o.Multihop > 0 {
		neighbor("ebgp-multihop %d", o.Multihop)
	}
	if o.TTLSecurity {
		neighbor("ttl-security hops 1")
	}
	if o.Password != "" {
		neighbor("password %s", o.Password)
	}
	if o.ExtendedNextHop {
		neighbor("capability extended-nexthop")
	}
	if o.BFD != nil {
		neighbor("bfd")
		neighbor("bfd profile test")
	}
	for _, family := range o.Families {
		line(" address-family %s", family)
		neighbor("activate")
		if family != model.EVPN {
			for _, prefix := range o.originated(family == model.IPv4Unicast) {
				line("  network %s", prefix)
			}
		}
		line(" exit-address-family")
	}
	line(" no neighbor %s shutdown\nexit", p.neighbor())
	return b.String()
}

// Originate names the difference: a configuration read anew would keep what it no longer says.
func (p *frrPeer) Originate(ctx context.Context, prefixes ...netip.Prefix) error {
	var b strings.Builder
	fmt.Fprintf(&b, "router bgp %d\n", p.options.AS)
	change := func(word string, all []netip.Prefix) {
		for _, prefix := range all {
			family := model.IPv6Unicast
			if prefix.Addr().Is4() {
				family = model.IPv4Unicast
			}
			fmt.Fprintf(&b, " address-family %s\n  %snetwork %s\n exit-address-family\n", family, word, prefix)
		}
	}
	change("no ", p.options.Originates)
	change("", prefixes)
	p.options.Originates = prefixes
	return p.Configure(ctx, "bgpd", b.String())
}

// frrNeighbor is of "show bgp neighbors json".
type frrNeighbor struct {
	State       string `json:"bgpState"`
	Established int    `json:"connectionsEstablished"` // how often so far
	BFD         struct {
		Status string `json:"status"`
	} `json:"peerBfdInfo"`
}

func (p *frrPeer) Session(ctx context.Context) (Session, error) {
	var all map[string]frrNeighbor
	if err := p.ShowJSON(ctx, "bgpd", "show bgp neighbors json", &all); err != nil {
		return Session{}, err
	}
	n := all[p.neighbor()]
	return Session{Up: n.State == "Established", Epoch: fmt.Sprintf("%d.%d", p.starts, n.Established), BFD: n.BFD.Status}, nil
}

// frrPath is a path of "show bgp ipv4 unicast PREFIX json".
type frrPath struct {
	AS struct {
		Segments []struct {
			List []uint32 `json:"list"`
		} `json:"segments"`
	} `json:"aspath"`
	Preference  *uint32 `json:"locPrf"`
	Communities struct {
		String string `json:"string"`
	} `json:"community"`
	Large struct {
		String string `json:"string"`
	} `json:"largeCommunity"`
	NextHops []struct {
		IP    netip.Addr `json:"ip"`
		Scope string     `json:"scope"`
	} `json:"nexthops"`
	Peer struct {
		ID string `json:"peerId"`
	} `json:"peer"`
}

// Paths asks for the table's prefixes, then for each: the table itself leaves communities out.
func (p *frrPeer) Paths(ctx context.Context, family model.BGPFamily) ([]string, error) {
	if family == model.EVPN {
		return p.evpn(ctx)
	}
	var table struct {
		Routes map[netip.Prefix]any `json:"routes"`
	}
	if err := p.ShowJSON(ctx, "bgpd", "show bgp "+string(family)+" json", &table); err != nil {
		return nil, err
	}
	var all []path
	for prefix := range table.Routes {
		var route struct {
			Paths []frrPath `json:"paths"`
		}
		command := fmt.Sprintf("show bgp %s %s json", family, prefix)
		if err := p.ShowJSON(ctx, "bgpd", command, &route); err != nil {
			return nil, err
		}
		for _, found := range route.Paths {
			if found.Peer.ID == "(unspec)" || found.Peer.ID == "0.0.0.0" || found.Peer.ID == "::" {
				continue // originated here
			}
			all = append(all, p.path(prefix, found))
		}
	}
	return texts(all), nil
}

func (p *frrPeer) path(prefix netip.Prefix, found frrPath) path {
	out := path{prefix: prefix, communities: communities(found.Communities.String), large: larges(found.Large.String)}
	for _, segment := range found.AS.Segments {
		out.as = append(out.as, segment.List...)
	}
	for _, hop := range found.NextHops {
		if !out.nextHop.IsValid() || hop.Scope == "global" {
			out.nextHop = hop.IP
		}
	}
	if p.options.internal() {
		out.preference = found.Preference
	}
	return out
}

// communities reads "64999:100 graceful-shutdown".
func communities(text string) []model.Community {
	var all []model.Community
	for _, word := range strings.Fields(text) {
		high, low, ok := strings.Cut(word, ":")
		h, errHigh := strconv.ParseUint(high, 10, 16)
		l, errLow := strconv.ParseUint(low, 10, 16)
		switch {
		case ok && errHigh == nil && errLow == nil:
			all = append(all, model.Community(h<<16|l))
		case word == "graceful-shutdown":
			all = append(all, model.GracefulShutdown)
		default:
			all = append(all, 0) // shows that something else is there
		}
	}
	return all
}

// larges reads "64999:1:2 64999:1:3".
func larges(text string) []model.LargeCommunity {
	var all []model.LargeCommunity
	for _, word := range strings.Fields(text) {
		var l model.LargeCommunity
		if _, err := fmt.Sscanf(word, "%d:%d:%d", &l.Global, &l.Local1, &l.Local2); err != nil {
			l = model.LargeCommunity{} // shows that something else is there
		}
		all = append(all, l)
	}
	return all
}
