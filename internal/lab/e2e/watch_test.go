package e2e

import (
	"net/netip"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// watcher looks at the leaf's paths to a prefix all the time.
type watcher struct {
	prefix     netip.Prefix
	end        chan struct{}
	wait       sync.WaitGroup
	none, both time.Duration // the longest time with no node, with more than one
	looks      int
	err        error
}

// cmdWatch looks at who announces a prefix to the leaf for as long as something goes on: "watch PREFIX…" begins, "watch
// stop NONE BOTH" ends it, and fails when a prefix was announced by no node for longer than NONE, or by more than one for
// longer than BOTH: "watch stop 0s 2s".
func (s *stage) cmdWatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || args[0] == "stop" && len(args) != 3 {
		ts.Fatalf("usage: watch PREFIX… | watch stop NONE BOTH")
	}
	if args[0] != "stop" {
		for _, text := range args {
			prefix, err := netip.ParsePrefix(text)
			ts.Check(err)
			w := &watcher{prefix: prefix, end: make(chan struct{})}
			s.watchers = append(s.watchers, w)
			w.wait.Go(func() { w.look(s) })
		}
		return
	}
	none, err := time.ParseDuration(args[1])
	ts.Check(err)
	both, err := time.ParseDuration(args[2])
	ts.Check(err)
	list := s.watchers
	s.stopWatching()
	for _, w := range list {
		ts.Check(w.err)
		ts.Logf("%s: at most %v from nobody, %v from several, seen in %d looks", w.prefix, w.none, w.both, w.looks)
		if w.looks == 0 || w.none > none || w.both > both {
			ts.Fatalf("%s was announced by nobody for %v (at most %v), by several for %v (at most %v), seen in %d looks",
				w.prefix, w.none, none, w.both, both, w.looks)
		}
	}
}

// stopWatching ends all watchers.
func (s *stage) stopWatching() {
	for _, w := range s.watchers {
		close(w.end)
		w.wait.Wait()
	}
	s.watchers = nil
}

func (w *watcher) look(s *stage) {
	const pause = 10 * time.Millisecond
	var since time.Time
	last := 1
	for {
		nodes, err := s.fabric.LeafNodes(s.ctx, w.prefix)
		if err != nil {
			w.err = err
			return
		}
		now := time.Now()
		if n := min(len(nodes), 2); n != last {
			since, last = now, n
		}
		w.looks++
		switch last {
		case 0:
			w.none = max(w.none, now.Sub(since), pause) // even one look is too many where none is allowed
		case 2:
			w.both = max(w.both, now.Sub(since), pause)
		}
		select {
		case <-w.end:
			return
		case <-time.After(pause):
		}
	}
}

// cmdAccept makes nodes and leaf let a prefix pass that is no host route, until the script's end: "accept 10.60.0.0/24".
func (s *stage) cmdAccept(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: accept PREFIX…")
	}
	for _, text := range args {
		prefix, err := netip.ParsePrefix(text)
		ts.Check(err)
		s.undo = append(s.undo, func() error { return s.fabric.AcceptPrefix(s.ctx, prefix, false) })
		ts.Check(s.fabric.AcceptPrefix(s.ctx, prefix, true))
	}
}
