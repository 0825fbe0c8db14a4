package gobgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
	"google.golang.org/protobuf/proto"

	"ovnbgp/internal/client/bfd"
	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownASes is how often our own AS may stand in the path of what is taken with AllowOwnAS.
const ownASes = 10

// deferral is how long a speaker that took up where another left waits for its neighbours before it tells them anything
// (RFC 4724, section 4.1). What we tell does not depend on what they do, so it is as short as GoBGP can.
const deferral = time.Second

// planPeers compares the neighbours. A neighbour of which anything is different that stands in its session is begun
// anew; that ends its own session and no other. What passes its filters, and BFD, change without.
//
// The steps that add neighbours serve all keys: none is added while a key is mended, nor before all paths are in. It
// would be told less than what it may have kept from before a restart, and forget the rest.
func (a *Applier) planPeers(s *steps, want model.Node) error {
	have, err := a.peers()
	if err != nil {
		return err
	}
	wanted := map[string]model.Peer{}
	for _, p := range want.BGP.Peers {
		wanted[p.Name] = p
	}
	refuse(s, want.BGP)
	a.planPolicies(s, want.BGP, have)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		a.planPeer(s, want, wanted[name], have)
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := wanted[name]; !ok {
			s.add(plan.Step{Verb: plan.Delete, Object: "peer " + name, Why: unwanted, Serves: []string{},
				Do: func(context.Context) error { return a.speaker.RemovePeer(name) }})
		}
	}
	a.planLinks(s, want.BGP)
	return nil
}

// planLinks ends the search for neighbours where none is wanted, whether one was found there or not. It is begun by the
// step that adds the neighbour.
func (a *Applier) planLinks(s *steps, b model.BGP) {
	for _, device := range a.speaker.Links() {
		if !slices.ContainsFunc(b.Peers, func(p model.Peer) bool { return p.Interface == device }) {
			s.add(plan.Step{Verb: plan.Delete, Object: "router advertisements on " + device, Why: unwanted, Serves: []string{},
				Do: func(context.Context) error { a.speaker.CloseLink(device); return nil }})
		}
	}
}

// refuse plans what fails with the reason why the embedded speaker cannot have it, beside which all else is done.
func refuse(s *steps, b model.BGP) {
	add := func(object string, why error) {
		s.add(plan.Step{Verb: plan.Create, Object: object, Why: "configured", Serves: []string{},
			Do: func(context.Context) error { return why }})
	}
	if len(b.Raw) > 0 {
		add("the operator's own lines", errors.New("the embedded speaker cannot: the lines are FRR's"))
	}
	_, faults := tenants(b)
	for _, v := range b.VRFs {
		if why := faults[v.Name]; why != nil {
			add("VRF "+v.Name, fmt.Errorf("VRF %s: the embedded speaker cannot announce it: %w", v.Name, why))
		}
		if len(v.Import) > 0 {
			add("import into VRF "+v.Name, fmt.Errorf("VRF %s: the embedded speaker cannot import %s: it puts no type-5 routes "+
				"into the kernel", v.Name, strings.Join(v.Import, ", ")))
		}
	}
}

func (a *Applier) planPeer(s *steps, want model.Node, p model.Peer, have map[string]speaker.Session) {
	next, why := a.peer(want.BGP, p)
	now, there := have[p.Name]
	step := plan.Step{Verb: plan.Create, Object: peerText(p), Why: "configured",
		Do: func(ctx context.Context) error { return a.setPeer(ctx, want, p, next) }}
	if there {
		step.Verb = plan.Update
	}
	found := netip.Addr{}
	if p.Interface != "" {
		found = a.speaker.Neighbor(p.Interface)
	}
	switch {
	case why != nil:
		step.Serves = []string{}
		step.Do = func(context.Context) error { return fmt.Errorf("the embedded speaker cannot: %w", why) }
	case there && now.Interface != p.Interface:
		step.Why = fmt.Sprintf("it was on %s: its session begins anew", cmp.Or(now.Interface, "an address"))
	case there && found.IsValid() && found != now.Address:
		step.Why = fmt.Sprintf("the neighbour on %s is %s now, was %s", p.Interface, found, now.Address)
	case there && !proto.Equal(now.Conf, next.Conf):
		step.Why = "the configuration of its session has changed: it begins anew"
	case there && !sameBFD(now.BFD, next.BFD):
		step = plan.Step{Verb: plan.Update, Object: "bfd of " + peerText(p), Why: "configured", Serves: []string{},
			Do: func(context.Context) error { return a.speaker.SetBFD(p.Name, next.BFD) }}
	case there:
		return
	}
	s.add(step)
}

func sameBFD(a, b *bfd.Options) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// peerText names a neighbour as FRR's configuration would, without what is secret.
func peerText(p model.Peer) string {
	at := p.Interface
	if at == "" {
		at = p.Address.String()
	}
	return fmt.Sprintf("peer %s (%s) remote-as %s", p.Name, at, p.AS)
}

// peers lists the neighbours that the speaker has: GoBGP says which, the speaker how it was told of each.
func (a *Applier) peers() (map[string]speaker.Session, error) {
	b, _, err := a.speaker.Server()
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	err = b.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) { there[p.GetConf().GetDescription()] = true })
	if err != nil {
		return nil, fmt.Errorf("read the speaker's neighbours: %w", err)
	}
	sessions := a.speaker.Sessions()
	maps.DeleteFunc(sessions, func(name string, _ speaker.Session) bool { return !there[name] })
	return sessions, nil
}

// setPeer finds the neighbour, puts its policies in place and begins its session, in this order: a session without them
// would tell nothing, and say that this was all.
func (a *Applier) setPeer(ctx context.Context, want model.Node, p model.Peer, next speaker.Peer) error {
	if err := a.pathsFirst(want); err != nil {
		return err
	}
	have, err := a.peers()
	if err != nil {
		return err
	}
	if now, there := have[p.Name]; there && now.Interface != p.Interface {
		// Not on the other link until somebody is found on this one: that may be somebody else.
		if err := a.speaker.RemovePeer(p.Name); err != nil {
			return err
		}
		a.speaker.CloseLink(now.Interface)
		delete(have, p.Name)
	}
	address, err := a.speaker.Find(ctx, next)
	if err != nil {
		return err
	}
	session := have[p.Name]
	session.Address = address
	have[p.Name] = session
	if _, err := (&nextHops{}).of(p, address); err != nil && !errors.Is(err, errNoNextHop) {
		return err
	}
	policies, _ := a.policies(want.BGP, have) // what is wrong with others is said by the step of the filters
	if err := a.setPolicies(ctx, policies); err != nil {
		return err
	}
	return a.speaker.SetPeer(ctx, next)
}

// pathsFirst refuses while a path is not in the speaker that must be: the steps before may have failed.
func (a *Applier) pathsFirst(want model.Node) error {
	have, err := a.paths()
	if err != nil {
		return err
	}
	in := make(map[id]bool, len(have))
	for _, p := range have {
		in[p.id()] = true
	}
	var missing []string
	for id := range a.wantedPaths(want) {
		if !in[id] {
			missing = append(missing, id.prefix.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("paths come first, and %d are not there yet: %s", len(missing), strings.Join(missing[:min(3, len(missing))], ", "))
}

// peer translates a neighbour, or says why GoBGP cannot have it so.
func (a *Applier) peer(b model.BGP, p model.Peer) (speaker.Peer, error) {
	if err := check(b, p); err != nil {
		return speaker.Peer{}, err
	}
	conf := &api.Peer{
		Conf: &api.PeerConf{Description: p.Name, PeerAsn: peerAS(b, p), AuthPassword: p.Password.Reveal()},
		Timers: &api.Timers{Config: &api.TimersConfig{ConnectRetry: seconds(p.ConnectRetry), HoldTime: seconds(p.Hold),
			KeepaliveInterval: seconds(p.Keepalive), IdleHoldTimeAfterReset: 1}},
		Transport: &api.Transport{},
	}
	if p.Address.IsValid() {
		conf.Conf.NeighborAddress = p.Address.String()
	}
	if p.Source.IsValid() {
		conf.Transport.LocalAddress = p.Source.String()
	}
	if p.AllowOwnAS {
		conf.Conf.AllowOwnAsn = ownASes
	}
	if p.Multihop > 0 {
		conf.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(p.Multihop)}
	}
	if p.TTLSecurity > 0 {
		conf.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: uint32(256 - p.TTLSecurity)}
	}
	if g := b.GracefulRestart; g.Enabled {
		conf.GracefulRestart = &api.GracefulRestart{Enabled: true, RestartTime: uint32(seconds(g.RestartTime)),
			DeferralTime: uint32(deferral / time.Second), NotificationEnabled: true}
	}
	for _, f := range p.Families {
		conf.AfiSafis = append(conf.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: familyOf(f.Family), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: b.GracefulRestart.Enabled}}})
	}
	next := speaker.Peer{Name: p.Name, Interface: p.Interface, Conf: conf, BFD: bfdOf(b, p),
		// Of what another process of ours told, neighbours keep nothing after this time.
		Restarting: b.GracefulRestart.PreserveForwarding && a.speaker.Age() < b.GracefulRestart.RestartTime}
	return next, nil
}

// peerAS returns the AS that the neighbour must have; 0: any.
func peerAS(b model.BGP, p model.Peer) uint32 {
	switch p.AS.Kind {
	case model.ASInternal:
		return b.AS
	case model.ASNumber:
		return p.AS.Number
	case model.ASExternal:
	}
	return 0
}

func bfdOf(b model.BGP, p model.Peer) *bfd.Options {
	i := slices.IndexFunc(b.Profiles, func(x model.BFDProfile) bool { return x.Name == p.BFD })
	if p.BFD == "" || i < 0 {
		return nil
	}
	profile := b.Profiles[i]
	return &bfd.Options{Local: p.Source, Multihop: p.Multihop > 0, Multiplier: uint8(profile.Multiplier),
		Transmit: profile.Transmit, Receive: profile.Receive}
}

func seconds(d time.Duration) uint64 { return uint64(d / time.Second) }

func familyOf(f model.BGPFamily) *api.Family {
	switch f {
	case model.IPv4Unicast:
		return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
	case model.IPv6Unicast:
		return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
	case model.EVPN:
	}
	return &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}
}

// check says what of a neighbour GoBGP cannot do.
func check(b model.BGP, p model.Peer) error {
	bfdKnown := p.BFD == "" || slices.ContainsFunc(b.Profiles, func(x model.BFDProfile) bool { return x.Name == p.BFD })
	numbered := p.Address.IsValid() && p.Address.Is4()
	switch {
	case !bfdKnown:
		return fmt.Errorf("there is no BFD profile %s", p.BFD)
	case p.BFDControlPlane:
		return fmt.Errorf("let the session survive the end of BFD while the neighbour's control plane restarts (bfd_control_plane)")
	case numbered && !p.ExtendedNextHop:
		// GoBGP offers RFC 8950 to everybody. Between IPv4 addresses nothing is told by it.
	case !numbered && p.Interface == "" && !p.ExtendedNextHop && hasFamily(p, model.IPv4Unicast):
		return fmt.Errorf("tell IPv4 prefixes over a session between IPv6 addresses without extended_nexthop")
	}
	for _, f := range p.Families {
		if f.LimitPrefixes > 0 {
			return fmt.Errorf("limit the number of prefixes sent (%s)", f.Family)
		}
		if f.Family == model.EVPN && len(f.In.Prefixes)+len(f.Out.Prefixes) > 0 {
			return fmt.Errorf("tell routes of %s apart by prefixes", f.Family)
		}
	}
	return nil
}

func hasFamily(p model.Peer, f model.BGPFamily) bool {
	return slices.ContainsFunc(p.Families, func(x model.PeerFamily) bool { return x.Family == f })
}

// prepare makes a fresh speaker refuse everything but our own paths: what passes is added by neighbour.
func prepare(b *server.BgpServer) error {
	return assign(context.Background(), b, nil, nil)
}
