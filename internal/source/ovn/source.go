// Package ovn reads what OVN says: the Northbound or the Southbound database and the node's own switch, as one
// ovn.Snapshot. It keeps a copy of each, converts the rows that changed, and shares the others between snapshots. A value
// that cannot be understood becomes a fault of its row. Nothing here decides. Start at Source.Snapshot.
package ovn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/client/ovsdb/sb"
	"ovnbgp/internal/client/ovsdb/vswitch"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// Options say where the databases are; New fills in their names.
type Options struct {
	Switch ovsdb.Options
	// Northbound without endpoints means those that the switch's external_ids:ovn-nb-remote names; when it names
	// others, the source follows.
	Northbound ovsdb.Options
	// Southbound, where it is set, is read instead; external_ids:ovn-remote names its endpoints.
	Southbound *ovsdb.Options
	// Conditional copies what this node needs of the central database, in place of all of it; Whole then reads the rest.
	Conditional bool
	// Host is what this node is called where the switch does not say.
	Host string
}

// reader converts the tables of one of OVN's central databases.
type reader interface {
	Update(cluster ovsdb.UUID, absent []string) ovn.Snapshot
	Initialized() bool
	SelectLabels(keys []string)
	selector() selector
}

// kind is what there is to know of the central database that is read.
type kind struct {
	name     string // for people
	schema   string
	global   string // the table of its one row
	remote   string // the key in the switch's external_ids
	knownKey string // where the switch keeps which was accepted
	read     func() (ovsdb.Tables, reader)
}

func (o Options) kind() kind {
	if o.Southbound != nil {
		return kind{"Southbound", sb.Database, "SB_Global", "ovn-remote", model.KnownSouthboundKey,
			func() (ovsdb.Tables, reader) { t := sb.New(); return t, NewSouthbound(t) }}
	}
	return kind{"Northbound", nb.Database, "NB_Global", "ovn-nb-remote", model.KnownNorthboundKey,
		func() (ovsdb.Tables, reader) { t := nb.New(); return t, NewNorthbound(t) }}
}

// Source reads both databases for as long as Run runs.
type Source struct {
	kind        kind
	address     ovsdb.Options // of the central database
	conditional bool          // only what this node needs is copied
	// hold and unanswered bound how long a conditional snapshot stays.
	hold, unanswered time.Duration
	host             string // see Options
	pokes            chan struct{}

	switchClient *ovsdb.Client
	switchTables *vswitch.Tables

	mu        sync.Mutex
	local     ovn.Local
	remote    string // what external_ids names the central database by
	localRead bool
	central   *central // nil until its endpoints are known
	noCentral error    // why there is none
	labels    []string // keys of external_ids that snapshots keep
	tenants   bool     // see ExposeTenants

	whole whole
}

// central is the connection to one central database, or cluster.
type central struct {
	client  *ovsdb.Client
	rows    reader
	stopped chan struct{}
	stop    context.CancelFunc

	options     ovsdb.Options
	conditional *conditional // nil: everything is copied
}

// New returns a source that is not connected yet.
func New(o Options) *Source {
	o.Switch.Database = vswitch.Database
	address, kind := o.Northbound, o.kind()
	if o.Southbound != nil {
		address = *o.Southbound
	}
	address.Database = kind.schema
	tables := vswitch.New()
	return &Source{
		kind: kind, address: address, pokes: make(chan struct{}, 1),
		whole:       whole{turn: make(chan struct{}, 1)},
		conditional: o.Conditional, host: o.Host, hold: hold, unanswered: unanswered,
		switchClient: ovsdb.New(o.Switch, tables), switchTables: tables,
		noCentral: errors.New("the local switch has not been read yet"),
	}
}

// Switch returns the client of the node's own switch, for those who write to it.
func (s *Source) Switch() *ovsdb.Client { return s.switchClient }

// Database returns the name of the central database that is read: "OVN_Northbound" or "OVN_Southbound".
func (s *Source) Database() string { return s.kind.schema }

// KnownKey is the key in the switch's external_ids that keeps which central database was accepted.
func (s *Source) KnownKey() string { return s.kind.knownKey }

// Status returns how the connections are: the switch's, then the central database's where it is known.
func (s *Source) Status() []ovsdb.Status {
	list := []ovsdb.Status{s.switchClient.Status()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.central != nil {
		return append(list, s.central.client.Status())
	}
	return append(list, ovsdb.Status{Database: s.kind.schema, LastError: s.noCentral})
}

// Pokes receives when the snapshot may be different.
func (s *Source) Pokes() <-chan struct{} { return s.pokes }

func (s *Source) poke() {
	select {
	case s.pokes <- struct{}{}:
	default:
	}
}

// Snapshot returns what both databases say now. While one of them is not in sync, or not initialised, it returns an
// error that wraps model.ErrNotInSync.
func (s *Source) Snapshot(context.Context) (ovn.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readLocal(); err != nil {
		return ovn.Snapshot{}, fmt.Errorf("%w: %w", model.ErrNotInSync, err)
	}
	if s.central == nil {
		return ovn.Snapshot{}, fmt.Errorf("%w: %w", model.ErrNotInSync, s.noCentral)
	}
	var snapshot ovn.Snapshot
	initialized := false
	err := s.central.client.Read(func(status ovsdb.Status) {
		s.central.rows.SelectLabels(s.labels)
		snapshot = s.central.rows.Update(status.ClusterID, status.Absent)
		initialized = s.central.rows.Initialized()
		snapshot.Local = s.local
		if part := s.central.conditional; part != nil {
			part.review(status, newNode(&s.local, s.host, s.tenants), time.Now())
		}
	})
	if err == nil && s.central.conditional != nil {
		err = s.central.conditional.ask(time.Now())
	}
	if err == nil && !initialized {
		err = fmt.Errorf("the %s database is not initialised: it has no row in %s", s.kind.name, s.kind.global)
	}
	if err != nil {
		return ovn.Snapshot{}, fmt.Errorf("%w: %w", model.ErrNotInSync, err)
	}
	if s.central.conditional != nil {
		return s.central.conditional.release(snapshot, s.labels, time.Now())
	}
	return snapshot, nil
}

// SelectLabels says which keys of external_ids snapshots keep of each row of the central database, from the next
// Snapshot on. A key that was not kept before is read from the rows that are held.
func (s *Source) SelectLabels(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.labels = keys
}

// readLocal converts the switch's rows if any changed. A database without its one row of Open_vSwitch is one that
// ovs-vswitchd's start script has made and not filled yet: it says nothing of the switch. s.mu is held.
func (s *Source) readLocal() error {
	initialized := false
	err := s.switchClient.Read(func(ovsdb.Status) {
		if !s.localRead || anyChanged(s.switchTables) {
			s.local, s.localRead = convertLocal(s.switchTables, s.kind.knownKey), true
			s.remote = remote(s.switchTables, s.kind.remote)
		}
		initialized = s.switchTables.OpenVSwitch.Len() > 0
	})
	if err == nil && !initialized {
		err = errors.New("the switch's database is not initialised: it has no row in Open_vSwitch")
	}
	return err
}

// Run keeps the connections until the context ends; it returns why.
func (s *Source) Run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return s.switchClient.Run(ctx) })
	parts.Go(func() error { return s.follow(ctx) })
	return parts.Wait()
}

// follow keeps a client of the central database that the options, or the switch, name.
func (s *Source) follow(ctx context.Context) error {
	defer s.disconnect()
	named := ""
	if len(s.address.Endpoints) > 0 {
		s.connect(ctx, s.address.Endpoints)
	}
	review := time.NewTicker(min(s.hold, linger))
	defer review.Stop()
	for {
		var pokes <-chan struct{}
		if s.central != nil { // only this goroutine changes it
			pokes = s.central.client.Pokes()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pokes:
		case <-review.C: // time alone may narrow the conditions, or end a wait
			if s.conditional && s.waits(ctx) {
				s.poke()
			}
			continue
		case <-s.switchClient.Pokes():
			if len(s.address.Endpoints) == 0 {
				named = s.followRemote(ctx, named)
			}
		}
		if s.advance(ctx) {
			s.poke()
		}
	}
}

// followRemote connects to the database that the switch names, if it is another than before, and returns what is
// named now. While the switch cannot be read, or names none, the connection stays as it is.
func (s *Source) followRemote(ctx context.Context, before string) string {
	s.mu.Lock()
	err := s.readLocal()
	now := s.remote
	if err == nil && now == "" && s.central == nil {
		s.noCentral = fmt.Errorf("no %s database is configured, and the switch's external_ids:%s names none",
			s.kind.name, s.kind.remote)
	}
	s.mu.Unlock()
	if err != nil || now == "" || now == before {
		return before
	}
	endpoints, err := ovsdb.ParseEndpoints(now)
	if err != nil {
		s.mu.Lock()
		s.noCentral = fmt.Errorf("external_ids:%s of the switch: %w", s.kind.remote, err)
		s.mu.Unlock()
		return before
	}
	s.disconnect()
	s.connect(ctx, endpoints)
	return now
}

func (s *Source) connect(ctx context.Context, endpoints []string) {
	o := s.address
	o.Endpoints = endpoints
	tables, rows := s.kind.read()
	ctx, stop := context.WithCancel(ctx)
	c := &central{client: ovsdb.New(o, tables), rows: rows, options: o, stop: stop, stopped: make(chan struct{})}
	if s.conditional {
		c.conditional = newConditional(c.client, rows.selector(), s.kind.name, s.hold, s.unanswered)
	}
	go func() {
		defer close(c.stopped)
		_ = c.client.Run(ctx) // ends with ctx only, and says so
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.central = c
}

func (s *Source) disconnect() {
	s.mu.Lock()
	c := s.central
	s.central, s.noCentral = nil, errors.New("the connection was given up")
	s.mu.Unlock()
	if c != nil {
		c.stop()
		<-c.stopped
	}
}
