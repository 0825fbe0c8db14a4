package ovsdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/nb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
)

// A client follows the leader of a real cluster; a follower serves those who do not insist.
func TestCluster(t *testing.T) {
	first := ovsdbtest.StartCluster(t, ovsdbtest.NorthboundSchema)
	second := first.Join(t)
	both := []string{first.Endpoint(), second.Endpoint()}
	first.Transact(t, addSwitch("a"))

	leader, _ := run(t, ovsdb.Options{Endpoints: both, LeaderOnly: true})
	inSync(t, leader, 1)
	if s := leader.Status(); s.Endpoint != first.Endpoint() || s.ClusterID.IsZero() {
		t.Errorf("the leader is %s; status %+v", first.Endpoint(), s)
	}
	member, tables := run(t, ovsdb.Options{Endpoints: []string{second.Endpoint()}})
	inSync(t, member, 1)
	expectSwitches(t, member, tables, []string{"a"}, []string{"a"})
	if leader.Status().ClusterID != member.Status().ClusterID {
		t.Error("members of one cluster have different identities")
	}

	// Only a vote of both makes a leader, so leadership can go to the second alone.
	first.Control(t, "cluster/failure-test", "transfer-leadership")
	inSync(t, leader, 2)
	if s := leader.Status(); s.Endpoint != second.Endpoint() {
		t.Errorf("the new leader is %s; status %+v", second.Endpoint(), s)
	}
	if _, err := leader.Transact(t.Context(), addSwitch("b")); err != nil {
		t.Fatal(err)
	}
	ovsdbtest.Eventually(t, "the member has what the leader wrote", func() bool { return member.Status().Rows == 2 })
	expectSwitches(t, member, tables, []string{"a", "b"}, []string{"b"})
	if n := member.Status().Connects; n != 1 {
		t.Errorf("the member's connection was lost %d times", n-1)
	}
}

// load writes to a cluster, through whichever member takes it, until it is told to stop. It knows what it does: each
// row has a UUID of its choice, so that a transaction whose reply was lost can be tried again.
type load struct {
	endpoints []string

	mu      sync.Mutex
	deleted map[ovsdb.UUID]bool // or about to be
	written int
}

func (l *load) run(t *testing.T, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(1, 2))
	var alive []ovsdb.UUID
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		id := ovsdb.UUID{1: byte(n >> 16), 2: byte(n >> 8), 3: byte(n), 6: 0x40, 8: 0x80, 15: 1}
		l.commit(t, ovsdb.InsertAs(id, "Logical_Switch", "", ovsdb.Columns{"name": fmt.Sprint("s", n)}))
		alive = append(alive, id)
		l.commit(t, ovsdb.Update("Logical_Switch", []ovsdb.Condition{ovsdb.IsRow(alive[random.IntN(len(alive))])},
			ovsdb.Columns{"external_ids": map[string]string{"n": fmt.Sprint(n)}}))
		if n%3 == 0 {
			i := random.IntN(len(alive))
			l.mu.Lock()
			l.deleted[alive[i]] = true
			l.mu.Unlock()
			l.commit(t, ovsdb.Delete("Logical_Switch", ovsdb.IsRow(alive[i])))
			alive = slices.Delete(alive, i, i+1)
		}
		l.mu.Lock()
		l.written = n
		l.mu.Unlock()
	}
}

// commit tries until the transaction has happened.
func (l *load) commit(t *testing.T, operation ovsdb.Operation) {
	for n := 0; ; n++ {
		err := l.try(l.endpoints[n%len(l.endpoints)], operation)
		var failed *ovsdb.OpError
		switch {
		case err == nil:
			return
		case errors.As(err, &failed) && failed.Text == "duplicate uuid": // it has happened, the reply was lost
			return
		case n > 2000:
			t.Error(err)
			return
		}
		<-time.After(5 * time.Millisecond) // an election takes a second
	}
}

func (l *load) try(endpoint string, operation ovsdb.Operation) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := ovsdb.Dial(ctx, endpoint, nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Transact(ctx, nb.Database, operation)
	return err
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// Of three members the leader changes, by its own will and by being killed, while rows come, change and go: no client
// sees a row go that was not deleted, and in the end each has what the database has. One is led by the leader alone,
// one takes any member, one copies some rows only.
func TestClusterUnderLoad(t *testing.T) {
	first := ovsdbtest.StartCluster(t, ovsdbtest.NorthboundSchema)
	members := []*ovsdbtest.Server{first, first.Join(t), first.Join(t)}
	writer := &load{deleted: map[ovsdb.UUID]bool{}}
	for _, m := range members {
		writer.endpoints = append(writer.endpoints, m.Endpoint())
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		writer.run(t, stop)
	}()
	some := ovsdb.Conditions{"Logical_Switch": {}}
	for n := range 400 {
		some["Logical_Switch"] = append(some["Logical_Switch"], ovsdb.Equal("name", fmt.Sprint("s", 2*n)))
	}
	var watchers []*watcher
	for name, o := range map[string]struct {
		options ovsdb.Options
		where   ovsdb.Conditions
	}{"leader": {ovsdb.Options{LeaderOnly: true}, nil}, "any": {}, "some": {where: some}} {
		o.options.Endpoints = writer.endpoints
		watchers = append(watchers, watch(t, name, o.options, o.where, writer))
	}
	before := 0
	for round := range 6 {
		ovsdbtest.Eventually(t, "the load goes on", func() bool { return writer.count() >= before+10 })
		leader := leaderOf(t, members)
		if round%2 == 0 {
			leader.Control(t, "cluster/failure-test", "transfer-leadership")
		} else {
			leader.Stop(t)
			stopped := writer.count()
			ovsdbtest.Eventually(t, "two members go on", func() bool { return writer.count() >= stopped+5 })
			leader.Run(t)
		}
		before = writer.count()
	}
	close(stop)
	<-stopped
	t.Logf("%d rounds of transactions, %d rows deleted", writer.count(), len(writer.deleted))
	for _, w := range watchers {
		if w.name == "leader" { // between two changes it may be waiting to connect again, so not each of them is a connection
			ovsdbtest.Eventually(t, "the leader's follower has connected again", func() bool { return w.client.Status().Connects >= 2 })
		}
		w.expectAll(t, leaderOf(t, members), some)
	}
}

// leaderOf waits for a leader. Only the servers' own word counts: the clients' is what is tested.
func leaderOf(t *testing.T, members []*ovsdbtest.Server) (leader *ovsdbtest.Server) {
	t.Helper()
	ovsdbtest.Eventually(t, "a leader", func() bool {
		for _, m := range members {
			if strings.Contains(m.Control(t, "cluster/status", nb.Database), "Role: leader") {
				leader = m
				return true
			}
		}
		return false
	})
	return leader
}

// watcher reads a client after every poke.
type watcher struct {
	name   string
	client *ovsdb.Client
	mu     sync.Mutex
	rows   map[string]string // what it has seen last
}

func watch(t *testing.T, name string, o ovsdb.Options, where ovsdb.Conditions, writer *load) *watcher {
	client, tables := runWith(t, o, where)
	w := &watcher{name: name, client: client, rows: map[string]string{}}
	ended, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		<-done
	})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-client.Pokes():
			}
			_ = client.Read(func(ovsdb.Status) { w.look(t, tables, writer) }) // not in sync: the next poke tells
		}
	}()
	return w
}

func (w *watcher) look(t *testing.T, tables *nb.Tables, writer *load) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range tables.LogicalSwitch.Changed() {
		if row := tables.LogicalSwitch.Get(id); row != nil {
			w.rows[id.String()] = row.Name + " " + row.ExternalIDs.Get("n")
			continue
		}
		writer.mu.Lock()
		if _, had := w.rows[id.String()]; had && !writer.deleted[id] {
			t.Errorf("%s: row %s went, which nobody deleted", w.name, id)
		}
		writer.mu.Unlock()
		delete(w.rows, id.String())
	}
}

// expectAll waits until a watcher has seen all that a server has.
func (w *watcher) expectAll(t *testing.T, server *ovsdbtest.Server, some ovsdb.Conditions) {
	t.Helper()
	asked := map[string]bool{}
	for _, c := range some["Logical_Switch"] {
		asked[c.Value.(string)] = true
	}
	want := map[string]string{}
	for _, row := range server.Transact(t, ovsdb.Select("Logical_Switch", nil))[0].Rows {
		var id ovsdb.UUID
		var name string
		var ids ovsdb.Map
		for column, into := range map[string]any{"_uuid": &id, "name": &name, "external_ids": &ids} {
			if err := row.Get(column, into); err != nil {
				t.Fatal(err)
			}
		}
		if w.name != "some" || asked[name] {
			want[id.String()] = name + " " + ids.Get("n")
		}
	}
	difference := ""
	ovsdbtest.Eventually(t, w.name+" has what the database has", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		difference = cmp.Diff(want, w.rows)
		return difference == "" || t.Failed()
	})
	if difference != "" {
		t.Errorf("%s: %s", w.name, difference)
	}
}
