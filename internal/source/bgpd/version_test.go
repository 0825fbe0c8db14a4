package bgpd

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/fake/frr"
	"ovnbgp/internal/model"
	"ovnbgp/internal/status"
)

// TestVersions: what FRR says is understood in the version of the host and in that of the lab's image, where it was built:
// a neighbour's default, one of this node's own, and none.
func TestVersions(t *testing.T) {
	roots := map[string]string{"host": ""}
	if found, err := filepath.Glob("/var/cache/ovnbgp/lab/*/root/usr/lib/frr/mgmtd"); err != nil {
		t.Fatal(err)
	} else if len(found) > 0 {
		roots["image"] = strings.TrimSuffix(found[0], "/usr/lib/frr/mgmtd")
	}
	for name, root := range roots {
		t.Run(name, func(t *testing.T) { playVersion(t, frr.StartAll(t, root)) })
	}
}

func playVersion(t *testing.T, d *frr.Daemons) {
	s, operator := New(d.Dir), vty.New(filepath.Join(d.Dir, "bgpd.vty"))
	leaf := vty.New(filepath.Join(d.StartPeer(), "bgpd.vty"))
	t.Cleanup(func() { _, _, _ = s.Close(), operator.Close(), leaf.Close() })
	says := func(want ...string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
			s.mu.Lock()
			s.at = time.Time{} // look anew
			s.mu.Unlock()
			l := status.LearnedOf(s.Snapshot(t.Context()))
			var got []string
			for _, x := range l.Defaults {
				got = append(got, fmt.Sprintf("%s; %s; %d of %d up, %d", x, x.State, x.Up, x.Neighbors, x.Received))
			}
			diff := cmp.Diff(want, got)
			if diff == "" && l.Err == "" {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s (-want +got):\n%s", l.Err, diff)
			}
		}
	}
	configure := func(at *vty.Client, lines ...string) {
		t.Helper()
		if err := at.Configure(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
	}
	says() // no instance of BGP
	session := func(as, with, remote string) []string {
		n := "neighbor " + remote + " "
		return []string{"router bgp " + as, "no bgp ebgp-requires-policy", n + "remote-as " + with, n + "timers connect 1",
			"address-family ipv6 unicast", n + "activate", "exit-address-family", "exit"}
	}
	configure(operator, session("64999", "65001", "192.0.2.2")...)
	says("no 0.0.0.0/0; none; 0 of 1 up, 0", "no ::/0; none; 0 of 1 up, 0")
	configure(leaf, session("65001", "64999", "192.0.2.1")...)
	configure(leaf, "router bgp 65001", "address-family ipv4 unicast", "neighbor 192.0.2.1 default-originate", "exit-address-family", "exit")
	says("0.0.0.0/0 by 192.0.2.2; in the kernel; in-kernel; 1 of 1 up, 1", "no ::/0; none; 1 of 1 up, 0")
	// One of this node's own is better, and is no neighbour's.
	configure(operator, "router bgp 64999", "no bgp network import-check", "address-family ipv4 unicast", "network "+model.DefaultRoute(model.IPv4Unicast).String(),
		"exit-address-family", "exit")
	says("0.0.0.0/0 is told, and no path of it is used; unusable; 1 of 1 up, 1", "no ::/0; none; 1 of 1 up, 0")
}
