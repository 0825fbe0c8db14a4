package frr

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/model"
)

// fabric is a managed FRR with real neighbours.
type fabric struct {
	real
	peers map[string]*vty.Client // by address
}

func startFabric(t *testing.T, r real, peers int) fabric {
	t.Helper()
	f := fabric{r, map[string]*vty.Client{}}
	for i := range peers {
		address := fmt.Sprintf("192.0.2.%d", i+1)
		dir := r.StartSpeaker("peers", address)
		c := vty.New(filepath.Join(dir, "bgpd.vty"))
		t.Cleanup(func() { _ = c.Close() })
		f.peers[address] = c
		if err := c.Configure(t.Context(), []string{"router bgp 65000", "bgp router-id " + address, "no bgp ebgp-requires-policy",
			"no bgp default ipv4-unicast", "neighbor 192.0.2.100 remote-as 64999", "neighbor 192.0.2.100 passive", // two that dial at once may each keep another connection until the hold time
			"address-family ipv4 unicast", "neighbor 192.0.2.100 activate", "neighbor 192.0.2.100 default-originate",
			"exit-address-family", "exit",
		}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// session is what must not change while something else does.
type session struct {
	State       string `json:"bgpState"`
	Established int    `json:"connectionsEstablished"`
	Dropped     int    `json:"connectionsDropped"`
}

func (f fabric) sessions(t *testing.T) map[string]session {
	t.Helper()
	var all map[string]session
	if err := f.operator.ShowJSON(t.Context(), "show bgp neighbors json", &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func (f fabric) established(t *testing.T, peers int) map[string]session {
	t.Helper()
	var now map[string]session
	within(t, "sessions", func() bool {
		n := 0
		now = f.sessions(t)
		for _, s := range now {
			if s.State == "Established" {
				n++
			}
		}
		return n == peers
	})
	return now
}

// table is what a neighbour was told: prefixes with communities.
func (f fabric) table(t *testing.T, peer, family string) map[string]string {
	t.Helper()
	var answer struct {
		Routes map[string][]struct {
			Valid bool `json:"valid"`
		} `json:"routes"`
	}
	if err := f.peers[peer].ShowJSON(t.Context(), "show bgp "+family+" unicast json", &answer); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for prefix := range answer.Routes {
		found[prefix] = f.community(t, peer, family, prefix)
	}
	return found
}

func (f fabric) community(t *testing.T, peer, family, prefix string) string {
	t.Helper()
	var answer struct {
		Paths []struct {
			Community struct {
				String string `json:"string"`
			} `json:"community"`
		} `json:"paths"`
	}
	if err := f.peers[peer].ShowJSON(t.Context(), "show bgp "+family+" unicast "+prefix+" json", &answer); err != nil || len(answer.Paths) == 0 {
		return "?"
	}
	return strings.ReplaceAll(answer.Paths[0].Community.String, "gracefulShutdown", "graceful-shutdown") // as newer ones say
}

// TestManagedTouchesOneSession: addresses, a community and a neighbour come and go; nobody else's session notices. What
// neighbours are told is what is announced, with its attributes, and nothing that strays on the host.
func TestManagedTouchesOneSession(t *testing.T) {
	forEachFRR(t, func(t *testing.T, r real) {
		f := startFabric(t, r, 3)
		r.addVRF(t)
		r.IP("addr", "add", "198.51.100.77/32", "dev", "eth2")                    // strays on the host
		r.IP("-n", "bgp-vrf", "addr", "add", "198.51.100.0/24", "dev", "bgp-nic") // and is no host's
		want := baseNode()
		tagged := model.Attributes{Communities: []model.Community{64999<<16 | 100}}
		want.Announcements = []model.Announcement{announced("203.0.113.9/32", model.Attributes{}), announced("2001:db8::9/128", model.Attributes{})}
		settle(t, r, want)
		before := f.established(t, 2)

		same := func(what string) {
			t.Helper()
			after := f.sessions(t)
			for peer, s := range before {
				if d := cmp.Diff(s, after[peer]); d != "" {
					t.Errorf("%s: the session with %s (-before +after):\n%s", what, peer, d)
				}
			}
		}
		told := func(what string, want map[string]string) {
			t.Helper()
			got := map[string]string{}
			start := time.Now()
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
				if got = f.table(t, "192.0.2.1", "ipv4"); cmp.Equal(want, got) {
					t.Logf("%s: told after %s", what, time.Since(start).Round(10*time.Millisecond))
					return
				}
			}
			t.Fatalf("%s: a neighbour has (-want +got):\n%s", what, cmp.Diff(want, got))
		}
		table := map[string]string{"10.0.0.1/32": "", "203.0.113.9/32": ""}
		told("at first", table)

		// 100 addresses with a community of their own.
		one := want
		for i := range 100 {
			address := fmt.Sprintf("203.0.113.%d/32", 100+i)
			one.Announcements = append(one.Announcements, announced(address, tagged))
			table[address] = "64999:100"
		}
		settle(t, r, one)
		for i := range 100 {
			r.IP("-n", "bgp-vrf", "addr", "add", fmt.Sprintf("203.0.113.%d/32", 100+i), "dev", "bgp-nic")
		}
		told("100 addresses", table)
		same("100 addresses added")
		for i := range 100 {
			r.IP("-n", "bgp-vrf", "addr", "del", fmt.Sprintf("203.0.113.%d/32", 100+i), "dev", "bgp-nic")
		}
		settle(t, r, want)
		told("100 addresses less", map[string]string{"10.0.0.1/32": "", "203.0.113.9/32": ""})
		same("100 addresses removed")

		// A neighbour.
		third := want
		third.BGP.Peers = append(append([]model.Peer{}, want.BGP.Peers...), leaf(3))
		settle(t, r, third)
		f.established(t, 3)
		same("a neighbour added")
		settle(t, r, want)
		same("a neighbour removed")

		// A community on all that is announced, and drain.
		tag := want
		tag.Announcements = []model.Announcement{announced("203.0.113.9/32", tagged), announced("2001:db8::9/128", tagged)}
		settle(t, r, tag)
		told("a community", map[string]string{"10.0.0.1/32": "", "203.0.113.9/32": "64999:100"})
		same("a community added")
		settle(t, r, want)
		told("no community", map[string]string{"10.0.0.1/32": "", "203.0.113.9/32": ""})
		drained := want
		drained.BGP.Drained = true
		settle(t, r, drained)
		told("drained", map[string]string{"10.0.0.1/32": "graceful-shutdown", "203.0.113.9/32": "graceful-shutdown"})
		settle(t, r, want)
		told("undrained", map[string]string{"10.0.0.1/32": "", "203.0.113.9/32": ""})
		same("drained and back")
		f.preserving(t)
	})
}

// preserving: the neighbour knows from the first session on that what forwards outlives our bgpd.
func (f fabric) preserving(t *testing.T) {
	t.Helper()
	out, err := f.peers["192.0.2.1"].Show(t.Context(), "show bgp neighbors 192.0.2.100")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Remote GR Mode: Restart", "F bit: True"} {
		if !strings.Contains(string(out), line) {
			t.Errorf("the neighbour does not say %q:\n%s", line, out)
		}
	}
}
