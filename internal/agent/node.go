package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"ovnbgp/internal/apply/frr"
	"ovnbgp/internal/apply/gobgp"
	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/apply/ovs"
	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/speaker"
	"ovnbgp/internal/config"
	"ovnbgp/internal/desired"
	"ovnbgp/internal/metrics"
	"ovnbgp/internal/model"
	"ovnbgp/internal/reconcile"
	"ovnbgp/internal/source/bgpd"
	"ovnbgp/internal/source/host"
	sourceovn "ovnbgp/internal/source/ovn"
	"ovnbgp/internal/source/rib"
	"ovnbgp/internal/source/zebra"
)

// proxyPoll is how often proxy entries are read again: the kernel tells nobody about them. With the round that follows
// they are back within five seconds.
const proxyPoll = 4 * time.Second

// handover is how long an address that has moved to another node is still announced here: that node needs some tens of
// milliseconds to build, and its leaf's update as long to travel as the withdrawal from here.
const handover = 250 * time.Millisecond

// node is everything an agent is connected to on its node.
type node struct {
	writes writes
	conn   *netlink.Conn
	teller *netlink.Writer // of the announcements; it shares the mirror of conn
	ovn    *sourceovn.Source
	source *inputSource

	carriers  *kernel.Carriers
	addresses *kernel.Announcements
	flows     *ovs.Applier
	frr       *frr.Applier

	born      time.Time
	speaks    config.Speaker // who speaks BGP
	speaksWhy string

	frrSockets string // the directory of FRR's sockets
	speaker    *speaker.Speaker
	gobgp      *gobgp.Applier
	rib        *rib.Source
	zebra      *zebra.Source // nil where the speaker is the one built in, as
	bgpd       *bgpd.Source
}

// connect makes the connections that do not wait for anybody; run makes the others.
func connect(ctx context.Context, s config.Settings, log *slog.Logger) (*node, error) {
	n := &node{born: time.Now(), writes: writes{device: s.Node.NIC}}
	n.speaks, n.speaksWhy = chooseSpeaker(s)
	s.Node.BGP.Speaker, n.frrSockets = n.speaks, s.Paths.FRRSockets
	var err error
	n.conn, err = netlink.Open(ctx, netlink.Options{Protocols: []uint8{model.Protocol}, ProxyPoll: proxyPoll},
		count(&n.writes.kernel))
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	if n.teller, err = n.conn.Join(count(&n.writes.nic)); err != nil {
		return nil, errors.Join(fmt.Errorf("kernel: %w", err), n.conn.Close())
	}
	if n.ovn, err = n.connectOVN(s, log); err != nil {
		return nil, errors.Join(err, n.teller.Close(), n.conn.Close())
	}
	if n.embedded() {
		n.speaker = speaker.New(speaker.Options{Log: log})
		n.gobgp = gobgp.New(n.speaker, s.Node.VRF)
		n.rib = rib.New(n.speaker, patienceWithPeers(s.Node.BGP.Instance))
	}
	self := host.New(n.conn, s.Paths.RTTables)
	self.DrainFile, self.BootFile = s.Paths.DrainFile, bootFile(s.Paths.DrainFile)
	n.source = newInputSource(n.ovn, self, s.Node)
	n.source.drainFile = s.Paths.DrainFile
	n.source.addresses = newHostAddresses(self)
	n.carriers = kernel.NewCarriers(n.conn)
	n.addresses = kernel.NewAnnouncements(&netlink.Conn{Mirror: n.conn.Mirror, Writer: n.teller}, underlay(s.Node))
	n.flows = ovs.New(ovs.Sockets(s.Paths.OpenVSwitch, count(&n.writes.ovs)), ovs.DefaultTimers())
	n.frr = frr.New(frr.Options{Sockets: s.Paths.FRRSockets, AS: s.Node.AS, VRF: s.Node.VRF,
		Interval: s.FRRReconcileInterval, OnWrite: count(&n.writes.frr),
		Mode: frr.Mode(s.Node.BGP.Mode), ConfDir: s.Paths.FRRFiles})
	if n.embedded() {
		n.source.learn(n.rib)
		return n, nil
	}
	n.zebra, n.bgpd = zebra.New(s.Paths.FRRSockets), bgpd.New(s.Paths.FRRSockets)
	n.addresses.Ask(n.zebra)
	n.source.noted = n.zebra.Pokes()
	return n, nil
}

// underlay is the VRF by which what the agent builds is known: it cannot change while an agent runs.
func underlay(c config.Node) model.VRF {
	return model.VRF{Name: c.VRF, Table: c.VRFTable, Device: c.NIC}
}

func (n *node) connectOVN(s config.Settings, log *slog.Logger) (*sourceovn.Source, error) {
	local, err := ovsdb.ParseEndpoints(s.Switch.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("ovsdb_connection: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name of this host: %w", err)
	}
	o := sourceovn.Options{
		Conditional: s.Safety.ConditionalMonitoring, Host: name,
		Switch:     ovsdb.Options{Endpoints: local, OnWrite: count(&n.writes.ovs), Logger: log},
		Northbound: central(s.Northbound, log),
	}
	if s.Node.Driver.Southbound() {
		southbound := central(s.Southbound, log)
		o.Southbound = &southbound
	}
	source := sourceovn.New(o)
	source.ExposeTenants(s.Node.ExposesTenants())
	return source, nil
}

func central(d config.Database, log *slog.Logger) ovsdb.Options {
	return ovsdb.Options{Endpoints: d.Endpoints, Logger: log,
		TLS: &ovsdb.TLS{Key: d.TLS.Key, Cert: d.TLS.Certificate, CA: d.TLS.CA}}
}

// run keeps the connections until the context ends.
func (n *node) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return n.ovn.Run(ctx) })
	parts.Go(func() error { n.source.forward(ctx); return ctx.Err() })
	parts.Go(func() error { return n.source.addresses.health.Run(ctx) })
	if n.embedded() {
		parts.Go(func() error { return n.rib.Run(ctx) })
		parts.Go(func() error { return n.gobgp.Run(ctx) })
	} else {
		parts.Go(func() error { return n.frr.Run(ctx) })
		parts.Go(func() error { return n.zebra.Run(ctx) })
	}
	return parts.Wait()
}

func (n *node) close() error {
	n.flows.Close()
	var speaking error
	if n.speaker != nil {
		speaking = n.speaker.Close()
	}
	if n.zebra != nil {
		speaking = errors.Join(n.zebra.Close(), n.bgpd.Close())
	}
	return errors.Join(speaking, n.frr.Close(), n.teller.Close(), n.conn.Close())
}

// newLoop makes the loop. Its timers and guard are those of the settings; what it decides by comes with each input.
func (n *node) newLoop(s config.Settings, version string, log *slog.Logger,
	measures *metrics.Reconcile) *reconcile.Loop[roundInput, model.Node] {
	o := reconcile.Options[roundInput, model.Node]{
		Source:         n.source,
		Compute:        func(in roundInput) (model.Node, []model.Decision) { return desired.Node(in.Input, in.Config) },
		AtGate:         n.atGate,
		Free:           n.isHostAddress,
		Carriers:       []reconcile.Applier[model.Node]{n.carriers, n.flows},
		Announcers:     n.announcers(s.Node.BGP.Mode),
		Explain:        own,
		Evidence:       n.evidence,
		Database:       func(in roundInput) (string, string) { return in.OVN.Local.KnownDatabase, in.OVN.Database },
		DatabaseName:   n.ovn.Database(),
		AcceptDatabase: n.acceptDatabase(n.ovn.KnownKey()),
		Count:          countObjects,
		Kinds:          model.Node.KindNames,
		Writes:         n.writes.bySubsystem,
		Version:        version,
		Rules:          reconcile.AllRules(),
		Timers: reconcile.Timers{Interval: s.ReconcileInterval, CarrierGrace: s.Safety.CarrierGrace,
			Handover: handover},
		Guard: reconcile.Guard{Window: s.Safety.GuardWindow, Percent: s.Safety.GuardPercent, Min: s.Safety.GuardMin,
			Hold: s.Safety.GuardHold},
		Log:     log,
		Metrics: measures,
	}
	if n.embedded() { // FRR has its neighbours, its routes and what it announces in its own hands
		o.First, o.Kept = n.first, n.kept
	}
	return reconcile.New(o)
}

// announcers are those that tell the world. The device's addresses come first in most cases: FRR announces what it finds
// there, and for the speaker built in they are the record of what is announced, which stays when the agent ends. An FRR
// that is ours has to know the attributes of a prefix before it sees the address.
func (n *node) announcers(mode config.FRRMode) []reconcile.Announcer[model.Node] {
	if n.embedded() {
		return []reconcile.Announcer[model.Node]{n.addresses, n.gobgp}
	}
	if mode == config.ModeManaged {
		return []reconcile.Announcer[model.Node]{n.frr, n.addresses}
	}
	return []reconcile.Announcer[model.Node]{n.addresses, n.frr}
}

// acceptDatabase keeps the identity of the central database in the local switch, where a restarted agent finds it.
func (n *node) acceptDatabase(key string) func(context.Context, string) error {
	return func(ctx context.Context, id string) error { return ovs.SetExternalID(ctx, n.ovn.Switch(), key, id) }
}
