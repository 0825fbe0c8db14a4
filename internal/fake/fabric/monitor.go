package fabric

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Monitor collects what "ip monitor route" prints in a node: every change to its routes, by whomever.
type Monitor struct {
	node *Node

	mu    sync.Mutex
	lines []Change
}

// Change is a line of the monitor and when it came.
type Change struct {
	Time time.Time
	Text string // "Deleted 203.0.113.9 via 10.0.1.2 dev eth1 proto bgp metric 20"
}

// canary is a route that shows that the monitor sees changes. It belongs to documentation.
const canary = "192.0.2.255/32"

// MonitorRoutes starts a monitor, and returns when it has seen a route come and go.
func MonitorRoutes(n *Node) *Monitor {
	n.t.Helper()
	m := &Monitor{node: n}
	cmd := n.Command("ip", "monitor", "route")
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	n.Start(cmd)
	n.t.Cleanup(func() { stop(cmd) })
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			m.mu.Lock()
			m.lines = append(m.lines, Change{time.Now(), strings.TrimSpace(in.Text())})
			m.mu.Unlock()
		}
	}()
	m.prove()
	return m
}

// prove changes a route until the monitor has told of it, and forgets all so far.
func (m *Monitor) prove() {
	m.node.t.Helper()
	err := Await(m.node.t.Context(), func() error {
		m.node.IP("route", "replace", "blackhole", canary)
		m.node.IP("route", "del", "blackhole", canary)
		if !slices.ContainsFunc(m.all(), func(c Change) bool { return isCanary(c) && strings.HasPrefix(c.Text, "Deleted") }) {
			return fmt.Errorf("%s: ip monitor has not seen a route come and go", m.node.Name)
		}
		return nil
	})
	if err != nil {
		m.node.t.Fatal(err)
	}
	m.Forget()
}

func isCanary(c Change) bool { return strings.Contains(c.Text, "192.0.2.255") }

func (m *Monitor) all() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lines)
}

// Changes lists what has been seen since the start, or since Forget.
func (m *Monitor) Changes() []Change { return slices.DeleteFunc(m.all(), isCanary) }

// Forget drops what has been seen.
func (m *Monitor) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = nil
}

// First returns when the first change that has all these words came.
func (m *Monitor) First(words ...string) (time.Time, bool) {
	for _, c := range m.Changes() {
		if hasAll(c.Text, words) {
			return c.Time, true
		}
	}
	return time.Time{}, false
}

func hasAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
