package e2e

import (
	"errors"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/lab"
)

// pythonPatience is how long the Python agent may take to start and to settle: its modules are many, and the lab has one
// processor.
const pythonPatience = 15 * time.Minute

// cmdOld starts and ends the Python agent on nodes, with the configuration file of ours: "old start NODE…" waits until
// each has built what it builds and has nothing more to do, "old stop NODE…" until it has ended.
func (s *stage) cmdOld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[0] != "start" && args[0] != "stop" {
		ts.Fatalf("usage: old start|stop NODE…")
	}
	var nodes []lab.Node
	for _, name := range args[1:] {
		node, err := s.fabric.Node(name)
		ts.Check(err)
		nodes = append(nodes, node)
	}
	start := time.Now()
	if args[0] == "stop" {
		ts.Check(onEach(nodes, func(n lab.Node) error { return n.StopOldAgent(s.ctx) }))
		return
	}
	for _, n := range nodes {
		s.undo = append(s.undo, func() error { return n.StopOldAgent(s.ctx) })
	}
	ts.Check(onEach(nodes, func(n lab.Node) error {
		return errors.Join(n.StartOldAgent(), n.OldAgentIdle(s.ctx, pythonPatience))
	}))
	figure(s.name+": the Python agent has settled", "%.0f s", time.Since(start).Seconds())
}

// onEach does something on nodes at the same time.
func onEach(nodes []lab.Node, do func(lab.Node) error) error {
	errs := make([]error, len(nodes))
	var wait sync.WaitGroup
	for i, n := range nodes {
		wait.Go(func() { errs[i] = do(n) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
