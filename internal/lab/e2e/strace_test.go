package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"ovnbgp/internal/lab"
)

// tracer stands in for the program of the agent: strace writes down what the agent sends. With -D the agent keeps the
// process number that the lab has noted.
const tracer = `#!/bin/sh
exec strace -D -f -qq -v -s 0 -o /run/ovnbgp-e2e.trace -e trace=sendto,sendmsg ovnbgp "$@"
`

// TestWriteCounter holds the agent's own count of its netlink writes against what strace sees: none in a start with
// nothing to do, and the same number when a virtual machine comes and goes.
func TestWriteCounter(t *testing.T) {
	if os.Getenv("OVNBGP_GUEST") != "1" {
		t.Skip("needs the lab: run by make test in the lab")
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	fabric, err := lab.OpenFabric()
	check(t, err)
	s, err := newStage(ctx, fabric, "strace")
	check(t, err)
	t.Cleanup(func() { s.clear(t) })
	check(t, s.begin())
	node, err := fabric.Node(benchNode)
	check(t, err)

	check(t, node.StopAgent(ctx))
	traced := node
	traced.Program = filepath.Join(t.TempDir(), "traced")
	check(t, os.WriteFile(traced.Program, []byte(tracer), 0o755))
	check(t, traced.StartAgent())
	t.Cleanup(func() { check(t, node.StopAgent(ctx)) }) // the next one is not traced
	check(t, s.settled(benchNode))
	if counted, seen := s.kernelWrites(t), traceWrites(t, node); counted != 0 || seen != 0 {
		t.Errorf("a start with nothing to do: the agent counts %d netlink writes, strace %d; want none", counted, seen)
		s.showLogs(t)
	}

	check(t, s.port([]string{"e2e-strace", "public", "203.0.113.29", "2001:db8:f::29"}))
	check(t, s.boot([]string{"e2e-strace", benchNode}))
	address := netip.MustParsePrefix("203.0.113.29/32")
	check(t, s.announced(address, benchNode))
	check(t, s.cloud.DeleteVM(ctx, "e2e-strace"))
	check(t, s.announced(address))
	check(t, s.settled(benchNode))
	counted, seen := s.kernelWrites(t), traceWrites(t, node)
	if counted == 0 || counted != seen {
		t.Errorf("a VM comes and goes: the agent counts %d netlink writes, strace %d", counted, seen)
		s.showLogs(t)
	}
	figure("netlink writes for a VM that comes and goes", "%d by the agent's count, %d by strace", counted, seen)
}

// announced waits until the leaf has a prefix from exactly these nodes.
func (s *stage) announced(prefix netip.Prefix, nodes ...string) error {
	_, err := s.eventually(func() error {
		table, err := s.fabric.LeafTable(s.ctx)
		if err != nil {
			return err
		}
		if got := lab.Announcers(table, prefix); !slices.Equal(got, nodes) {
			return fmt.Errorf("the leaf has %s from %v, want %v", prefix, got, nodes)
		}
		return nil
	})
	return err
}

// kernelWrites is what an agent has written over netlink: its carriers, and the addresses that announce.
func (s *stage) kernelWrites(t *testing.T) (n int) {
	t.Helper()
	report, err := s.status(benchNode)
	check(t, err)
	for _, sub := range report.Subsystems {
		if sub.Name == "kernel" || sub.Name == "bgp-nic" {
			n += int(sub.Writes)
		}
	}
	return n
}

func traceWrites(t *testing.T, n lab.Node) int {
	t.Helper()
	text, err := os.ReadFile(n.Path("/run/ovnbgp-e2e.trace"))
	check(t, err)
	return len(regexp.MustCompile(`RTM_(NEW|DEL|SET)[A-Z]+`).FindAll(text, -1))
}
