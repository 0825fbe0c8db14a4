package ovn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/client/ovsdb/ovsdbtest"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
	source "ovnbgp/internal/source/ovn"
)

// deaf stands before a server, hears requests to change conditions late, and loses them while it is told to.
type deaf struct {
	endpoint string
	late     time.Duration
	loses    atomic.Bool
	lost     atomic.Int32
}

func newDeaf(t *testing.T, server *ovsdbtest.Server, late time.Duration) *deaf {
	t.Helper()
	dir, err := os.MkdirTemp("", "deaf")
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{endpoint: "unix:" + filepath.Join(dir, "sock"), late: late}
	listener, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("unix", strings.TrimPrefix(server.Endpoint(), "unix:"))
			if err != nil {
				client.Close()
				continue
			}
			serving.Go(func() { d.hand(client, behind) })
			serving.Go(func() {
				_, _ = io.Copy(client, behind)
				client.Close()
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
		os.RemoveAll(dir)
	})
	return d
}

// hand passes on what a client says, but for what is lost.
func (d *deaf) hand(client, server net.Conn) {
	defer server.Close()
	decoder := json.NewDecoder(client)
	for {
		var message json.RawMessage
		if decoder.Decode(&message) != nil {
			return
		}
		if strings.Contains(string(message), `"monitor_cond_change"`) {
			if d.loses.Load() {
				d.lost.Add(1)
				continue
			}
			<-time.After(d.late)
		}
		if _, err := server.Write(message); err != nil {
			return
		}
	}
}

func runWaiting(t *testing.T, o source.Options, hold, unanswered time.Duration) *source.Source {
	t.Helper()
	return runWith(t, o, func(s *source.Source) { s.SetWaits(hold, unanswered) })
}

// A server that does not answer a request for other rows leaves the snapshot before in place for a while, then there is
// none, with the reason; when it answers, there is one again.
func TestScopedUnanswered(t *testing.T) {
	central := newNorthbound(t, "r")
	proxy := newDeaf(t, central, 0)
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "h1"})
	s := runWaiting(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Northbound: ovsdb.Options{Endpoints: []string{proxy.endpoint}}}, 100*time.Millisecond, time.Second)
	until(t, s, "a snapshot", good)
	proxy.loses.Store(true)
	addPort(t, central, "p1", "h1")
	ovsdbtest.Eventually(t, "the request is lost", func() bool { return proxy.lost.Load() > 0 })
	if x, err := s.Snapshot(t.Context()); err != nil || len(x.Ports) != 0 {
		t.Errorf("at first the snapshot before stays; got %v, %v", held(x), err)
	}
	until(t, s, "the trouble is told", func(_ ovn.Snapshot, err error) bool {
		return errors.Is(err, model.ErrNotInSync) && strings.Contains(err.Error(),
			"within 1s the Northbound database has not answered a request for the rows that concern this node")
	})
	proxy.loses.Store(false)
	central.Stop(t)
	central.Run(t)
	until(t, s, "a snapshot when it answers", func(x ovn.Snapshot, err error) bool {
		return err == nil && slices.Contains(held(x), "p1")
	})
}

func addPort(t *testing.T, central *ovsdbtest.Server, name, host string) {
	t.Helper()
	central.Transact(t, ovsdb.Insert("Logical_Switch_Port", "p", ovsdb.Columns{"name": name,
		"options": map[string]string{"requested-chassis": host}}),
		ovsdb.Insert("Logical_Switch", "", ovsdb.Columns{"name": "of " + name, "ports": ovsdb.Named("p")}))
}

// Where ports come and go all the time there are new snapshots nevertheless, and what stays is in every one of them,
// also at the moment in which its row names another host.
func TestScopedUnderChurn(t *testing.T) {
	central := newNorthbound(t, "r")
	local := newSwitch(t, map[string]string{"system-id": "c1", "hostname": "h1"})
	addPort(t, central, "moving", "h1")
	// An answer takes longer than the next change is away: nothing is ever complete.
	s := runWaiting(t, source.Options{Switch: ovsdb.Options{Endpoints: []string{local.Endpoint()}}, Conditional: true,
		Northbound: ovsdb.Options{Endpoints: []string{newDeaf(t, central, 100*time.Millisecond).endpoint}}}, 50*time.Millisecond, time.Minute)
	until(t, s, "the port", func(x ovn.Snapshot, err error) bool { return err == nil && len(x.Ports) == 1 })
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			addPort(t, central, fmt.Sprintf("p%d", n), "h1")
			central.Transact(t, ovsdb.Update("Logical_Switch_Port", []ovsdb.Condition{ovsdb.Equal("name", "moving")},
				ovsdb.Columns{"options": map[string]string{"requested-chassis": []string{"h2", "h1"}[n%2]}}))
		}
	}()
	seen := map[int]bool{}
	until(t, s, "some snapshots", func(x ovn.Snapshot, err error) bool {
		if err != nil || !slices.Contains(held(x), "moving") {
			t.Fatalf("%v, %v", held(x), err)
		}
		seen[len(x.Ports)] = true
		return len(seen) > 5
	})
	close(stop)
	<-stopped
}
