package fabric

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// pair is two nodes on one link, with addresses of documentation.
func pair(t *testing.T) *Link {
	t.Helper()
	f := New(t)
	l := f.Join(f.AddNode("one"), "eth1", f.AddNode("two"), "eth1")
	l.A.Node.IP("addr", "add", "192.0.2.1/24", "dev", "eth1")
	l.B.Node.IP("addr", "add", "192.0.2.2/24", "dev", "eth1")
	return l
}

func answers(t *testing.T, from *Node, to string) {
	t.Helper()
	err := Await(t.Context(), func() error {
		_, err := from.Try("ping", "-c1", "-W1", to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func carrier(t *testing.T, e End) bool {
	t.Helper()
	return strings.Contains(e.Node.IP("link", "show", "dev", e.Interface), "LOWER_UP")
}

// TestLink: a cut link loses packets and no carrier; an unplugged one loses the carrier of one end.
func TestLink(t *testing.T) {
	l := pair(t)
	answers(t, l.A.Node, "192.0.2.2")
	answers(t, l.A.Node, LinkLocal(1, 1).String()+"%eth1")
	answers(t, l.B.Node, LinkLocal(1, 0).String()+"%eth1")

	l.Cut()
	if _, err := l.A.Node.Try("ping", "-c1", "-W1", "192.0.2.2"); err == nil {
		t.Error("a packet passed a cut link")
	}
	if !carrier(t, l.A) || !carrier(t, l.B) {
		t.Error("a cut link took a carrier away")
	}
	l.Mend()
	answers(t, l.A.Node, "192.0.2.2")

	l.Unplug()
	if carrier(t, l.A) || !carrier(t, l.B) {
		t.Errorf("unplugged at A: carriers %t, %t", carrier(t, l.A), carrier(t, l.B))
	}
	l.Plug()
	answers(t, l.A.Node, "192.0.2.2")
}

// TestNothingReachesTheHost: what nodes have, the host has not.
func TestNothingReachesTheHost(t *testing.T) {
	n := pair(t).A.Node
	n.AddVRF("bgp-vrf", "bgp-nic")
	for _, path := range []string{"/sys/class/net/bgp-nic-peer", "/run/netns/bgp-vrf"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is on the host", path)
		}
	}
	if out := n.IP("-n", "bgp-vrf", "link", "show", "dev", "bgp-nic"); !strings.Contains(out, "LOWER_UP") {
		t.Errorf("the VRF's device: %s", out)
	}
}

// TestMonitor: it tells of changes after it was started, and of none when there is none.
func TestMonitor(t *testing.T) {
	n := pair(t).A.Node
	m := MonitorRoutes(n)
	if c := m.Changes(); len(c) > 0 {
		t.Errorf("nothing has changed, and it says %v", c)
	}
	n.IP("route", "add", "198.51.100.0/24", "via", "192.0.2.2")
	n.IP("route", "del", "198.51.100.0/24")
	err := Await(t.Context(), func() error {
		if _, seen := m.First("Deleted", "198.51.100.0/24"); !seen {
			return fmt.Errorf("it says %v", m.Changes())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
