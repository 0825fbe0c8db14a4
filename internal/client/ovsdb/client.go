package ovsdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNotInSync is what Read and Transact return while there is no connection, or its contents are not loaded.
var ErrNotInSync = errors.New("not in sync with the database")

const (
	dialTimeout  = 10 * time.Second
	firstBackoff = 250 * time.Millisecond
	// The longest pause is that of Open vSwitch's own clients.
	longestBackoff = 8 * time.Second
	defaultProbe   = 60 * time.Second
)

// Options say what a Client connects to.
type Options struct {
	Database  string   // its schema's name: "OVN_Northbound", "Open_vSwitch"
	Endpoints []string // as ParseEndpoints returns them; tried in random order
	TLS       *TLS     // for ssl: endpoints
	// LeaderOnly refuses servers that are not their cluster's leader: their data may be some moments old, and what is
	// written through them is forwarded. Without it any connected member will do that is not behind what was seen
	// already. Standalone databases have no leader.
	LeaderOnly bool
	// Probe is after how much silence the server is asked whether it is there; after the double it is not. It bounds
	// the time a busy server may need before the first byte of its contents, too. 0: 60 s; negative: never.
	Probe time.Duration
	// OnWrite is called for every transaction sent that may change the database.
	OnWrite func()
	Logger  *slog.Logger // nil: no log
}

// Client keeps tables equal to those of a database for as long as Run runs.
type Client struct {
	options Options
	monitor *monitor
	pokes   chan struct{}
	syncing atomic.Bool // contents are on their way
	seen    progress    // used by the goroutine that reads the connection
	// reconditioned tells the session that other conditions are wanted.
	reconditioned chan struct{}

	// mu guards the rest, and the tables while inSync. While not, the tables belong to the one goroutine that
	// reads the connection, so that a large load does not stand in the way of Read and Status.
	mu     sync.Mutex
	inSync bool
	conn   *Conn
	status Status
	// wanted are the conditions that were set last. Those that the tables agree with are numbered in the status.
	wanted       clauses
	wantedNumber uint64
}

// Tables is what a generated package offers: its tables, of which a Client fills those that the server has.
type Tables interface{ Stores() []Store }

// Status describes a client's connection.
type Status struct {
	Database string
	Endpoint string // connected to, or tried last
	InSync   bool
	// Since is when the client came to be, or ceased to be, in sync; it is zero before the first time.
	Since         time.Time
	LastError     error // why it is not in sync, or last was not; nil if there was no reason yet
	Rows          int
	Updates       uint64   // notifications applied
	Connects      uint64   // times in sync; less one, reconnects
	SchemaVersion string   // of the server
	Conditions    uint64   // number of the conditions that the rows agree with; see Client.SetConditions
	ClusterID     UUID     // of a clustered database, else zero
	Absent        []string // tables, and "table.column", that the server has not
}

// New returns a client that fills tables once it runs.
func New(o Options, tables Tables) *Client {
	if o.Probe == 0 {
		o.Probe = defaultProbe
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{
		options: o,
		monitor: newMonitor(o.Database, tables.Stores()),
		pokes:   make(chan struct{}, 1),
		status:  Status{Database: o.Database},

		reconditioned: make(chan struct{}, 1),
	}
}

// Pokes tells that there may be something to read: rows changed, or the client came in or fell out of sync. Pokes
// that are not waited for become one.
func (c *Client) Pokes() <-chan struct{} { return c.pokes }

func (c *Client) poke() {
	select {
	case c.pokes <- struct{}{}:
	default:
	}
}

// Read calls fn while no table changes, with the status of the connection that the rows came over; within it the
// tables may be read, each telling which of its rows changed since the last time. It returns ErrNotInSync, without a
// call, while the tables may not be what the server has. A client has one reader: a second would miss the changes
// that the first has seen.
func (c *Client) Read(fn func(Status)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.inSync {
		if c.status.LastError != nil {
			return fmt.Errorf("%s: %w: %w", c.options.Database, ErrNotInSync, c.status.LastError)
		}
		return fmt.Errorf("%s: %w", c.options.Database, ErrNotInSync)
	}
	fn(c.statusLocked())
	for _, t := range c.monitor.stores {
		t.forgetChanges()
	}
	return nil
}

// Status returns how the connection is.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.statusLocked()
}

func (c *Client) statusLocked() Status {
	s := c.status
	s.InSync = c.inSync
	s.Absent = slices.Clone(s.Absent)
	return s
}

// Transact runs operations as one transaction over the client's connection; see Conn.Transact. Without a connection
// that is in sync it returns ErrNotInSync.
func (c *Client) Transact(ctx context.Context, operations ...Operation) ([]Result, error) {
	c.mu.Lock()
	conn, inSync := c.conn, c.inSync
	c.mu.Unlock()
	if !inSync {
		return nil, fmt.Errorf("transact in %s: %w", c.options.Database, ErrNotInSync)
	}
	if c.options.OnWrite != nil && writes(operations) {
		c.options.OnWrite()
	}
	return conn.Transact(ctx, c.options.Database, operations...)
}

// Run connects, and connects again, until ctx ends; it returns why ctx ended.
func (c *Client) Run(ctx context.Context) error {
	backoff := firstBackoff
	for {
		endpoints := slices.Clone(c.options.Endpoints)
		rand.Shuffle(len(endpoints), func(i, j int) { endpoints[i], endpoints[j] = endpoints[j], endpoints[i] })
		for _, endpoint := range endpoints {
			began := time.Now()
			synced, err := c.session(ctx, endpoint)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.options.Logger.Debug("connection lost", "subsystem", "ovsdb", "object", endpoint, "err", err)
			if synced {
				// Not for a server that falls over each time its contents are asked for.
				if time.Since(began) > longestBackoff {
					backoff = firstBackoff
				}
				break
			}
		}
		// Half fixed and half random: many clients lose the same server at the same moment.
		pause := time.NewTimer(backoff/2 + rand.N(backoff/2))
		select {
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-pause.C:
		}
		backoff = min(2*backoff, longestBackoff)
	}
}

// session lives from a connection to its loss. It returns whether it came in sync, and why it ended.
func (c *Client) session(ctx context.Context, endpoint string) (synced bool, err error) {
	c.mu.Lock()
	c.status.Endpoint = endpoint
	c.mu.Unlock()
	s := &session{client: c, server: newMonitor("_Server", nil)}
	defer func() { c.lost(err) }()

	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	s.conn, err = dial(dialing, endpoint, c.options.TLS, s.notify)
	if err != nil {
		return false, err
	}
	defer func() { _ = s.conn.Close() }()
	go s.conn.probe(c.options.Probe, c.syncing.Load)
	if err := s.begin(ctx); err != nil {
		return false, fmt.Errorf("%s: %w", endpoint, err)
	}
	for {
		select {
		case <-ctx.Done():
			return true, context.Cause(ctx)
		case <-s.conn.done:
			return true, s.conn.cause()
		case <-c.reconditioned:
			if err := s.recondition(ctx); err != nil {
				return true, fmt.Errorf("%s: %w", endpoint, err)
			}
		}
	}
}

// recondition sends the conditions that are wanted now, if the server does not have them. What they bring and take
// is in the tables before the server replies.
func (s *session) recondition(ctx context.Context) error {
	c := s.client
	wanted, number := c.conditions()
	if err := c.monitor.recondition(ctx, s.conn, wanted); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.Conditions != number {
		c.status.Conditions = number
		c.poke()
	}
	return nil
}

// synced is called when the tables have the server's contents under the conditions of a number.
func (c *Client) synced(conn *Conn, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inSync, c.conn = true, conn
	c.status.Conditions = number
	c.status.Since = time.Now()
	c.status.Connects++
	c.status.Rows = c.monitor.rows()
	c.poke()
}

// lost is called when a session has ended, or did not come to be.
func (c *Client) lost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.LastError = err
	c.conn = nil
	if c.inSync {
		c.inSync = false
		c.status.Since = time.Now()
		c.poke()
	}
}

// session is what belongs to one connection.
type session struct {
	client    *Client
	conn      *Conn
	server    *monitor // of the database _Server
	databases *Table[serverDatabase]
}

// begin checks the server and loads the contents.
func (s *session) begin(ctx context.Context) error {
	c := s.client
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	schema, err := s.conn.schema(ctx, c.options.Database)
	if err != nil {
		return err
	}
	wanted, number := c.conditions()
	c.monitor.bind(schema, wanted)
	c.mu.Lock()
	c.status.SchemaVersion, c.status.Absent = schema.Version, c.monitor.absent()
	c.mu.Unlock()
	c.syncing.Store(true)
	defer c.syncing.Store(false)
	return c.monitor.begin(ctx, s.conn, wanted, func() { c.synced(s.conn, number) })
}

// checkServer watches what the server says of our database, and returns an error if it is not one to work with. A
// server older than the database _Server (2.9) knows no clusters.
func (s *session) checkServer(ctx context.Context) error {
	names, err := s.conn.Databases(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(names, s.server.database) {
		return nil
	}
	schema, err := s.conn.schema(ctx, s.server.database)
	if err != nil {
		return err
	}
	table := newServerTable()
	s.server = newMonitor(s.server.database, []Store{table})
	s.server.bind(schema, nil)
	verdict := errors.New("the server describes no database")
	err = s.server.begin(ctx, s.conn, nil, func() {
		s.databases = table
		verdict = s.judge()
	})
	if err != nil { // then the other goroutine may be reading the reply still
		return err
	}
	return verdict
}

// judge looks at what the server says of our database.
func (s *session) judge() error {
	row, err := findDatabase(s.databases, s.client.options.Database)
	if err != nil {
		return err
	}
	s.client.mu.Lock()
	s.client.status.ClusterID = row.ClusterID.Value
	s.client.mu.Unlock()
	if err := row.usable(s.client.options.LeaderOnly); err != nil {
		return err
	}
	return s.client.seen.advance(row)
}

// notify applies a notification; an error ends the connection.
func (s *session) notify(method string, d *Decoder) error {
	switch method {
	case "update2", "update3":
	case "monitor_canceled":
		// The schema was changed, or the database removed: begin anew with what is there then.
		return errors.New("the server ended the monitor")
	default:
		return nil
	}
	d.expect('[')
	switch id := d.str(); id {
	case s.client.monitor.database:
		return s.client.change(method, d)
	case s.server.database:
		if err := s.server.notification(method, d); err != nil || s.databases == nil {
			return err
		}
		return s.judge()
	default:
		return d.Err()
	}
}

// change applies a notification as a whole, so that a reader sees transactions and never parts of them.
func (c *Client) change(method string, d *Decoder) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.inSync {
		return errors.New("a change came before the contents")
	}
	err := c.monitor.notification(method, d)
	if err != nil {
		// Part of it may be in the tables. They stay out of sight until they were loaded again.
		c.inSync = false
		c.status.Since = time.Now()
	}
	c.status.Updates++
	c.status.Rows = c.monitor.rows()
	if err != nil || c.monitor.pending() > 0 {
		c.poke()
	}
	return err
}
