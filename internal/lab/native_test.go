package lab

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FRR itself accepts what we render, and refuses it when it is broken.
func TestFRRConfigIsAccepted(t *testing.T) {
	topology := DefaultTopology()
	for _, spec := range topology.Speakers() {
		text := value[string](t)(renderFRR(spec, topology))
		if out, err := checkFRR(t, text); err != nil {
			t.Errorf("%s: %v\n%s\n%s", spec.Name, err, out, text)
		}
	}
	broken := strings.Replace(value[string](t)(renderFRR(topology.Chassis()[0], topology)), "redistribute", "redistribtue", 1)
	if out, err := checkFRR(t, broken); err == nil {
		t.Errorf("a misspelt statement was accepted: %s", out)
	}
}

func checkFRR(t *testing.T, text string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "frr.conf")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	out, err := exec.Command("vtysh", "-C", "-f", path).CombinedOutput()
	return string(out), err
}

func TestNodeFRRConfig(t *testing.T) {
	topology := DefaultTopology()
	text := value[string](t)(renderFRR(value[NodeSpec](t)(topology.Node("compute1")), topology))
	for _, line := range []string{
		"router bgp 64999", " bgp router-id 172.30.0.11", " neighbor eth0 interface peer-group uplink",
		"ip prefix-list only-host-prefixes deny 169.254.0.0/16 le 32",
		"ipv6 prefix-list only-host-prefixes deny fd53:d91e:400:7f17::/64 le 128",
		" set src 172.30.0.11", " set src 2001:db8:30::11", "ip nht resolve-via-default", "ipv6 nht resolve-via-default",
	} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	for _, not := range []string{"graceful-shutdown", "import vrf"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is the operator's switch or the agent's business", not)
		}
	}
}

// As FRR 10.3 prints it, shortened.
const leafTable = `{"routerId":"172.30.0.1","routes":{
"192.0.2.0/24":[{"bestpath":true,"pathFrom":"external","peerId":"(unspec)","path":"","nexthops":[{"ip":"0.0.0.0","hostname":"leaf","afi":"ipv4","used":true}]}],
"203.0.113.11/32":[{"valid":true,"bestpath":true,"pathFrom":"external","peerId":"fe80::1","path":"64999",
 "nexthops":[{"ip":"fe80::1","hostname":"compute1","scope":"global"},{"ip":"fe80::1","hostname":"compute1","scope":"link-local","used":true}]}]}}`

func TestParseTable(t *testing.T) {
	routes := value[[]Route](t)(parseTable([]byte(leafTable)))
	slices.SortFunc(routes, func(a, b Route) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
	want := []Route{
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), NextHop: netip.MustParseAddr("0.0.0.0"), Best: true},
		{Prefix: netip.MustParsePrefix("203.0.113.11/32"), Node: "compute1", NextHop: netip.MustParseAddr("fe80::1"),
			Best: true, ASPath: "64999"},
	}
	if diff := cmp.Diff(want, routes, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Announcers(routes, netip.MustParsePrefix("203.0.113.11/32")); !slices.Equal(got, []string{"compute1"}) {
		t.Errorf("announcers %v", got)
	}
	if got := Announcers(routes, netip.MustParsePrefix("192.0.2.0/24")); got != nil {
		t.Errorf("the leaf's own prefix is announced by %v", got)
	}
}

func TestTopologyHasNoDuplicates(t *testing.T) {
	seen := map[string]string{}
	for _, n := range DefaultTopology().Nodes {
		for _, p := range slices.Concat(n.Loopbacks, []netip.Prefix{n.Management, n.Encap}) {
			if !p.IsValid() {
				continue
			}
			if other, ok := seen[p.Addr().String()]; ok {
				t.Errorf("%s and %s both have %s", other, n.Name, p.Addr())
			}
			seen[p.Addr().String()] = n.Name
		}
		if len(n.Name) > 11 {
			t.Errorf("%s: with .100 behind it the name is too long for a link of the leaf", n.Name)
		}
	}
}

func TestReached(t *testing.T) {
	vip := Reach{Address: netip.MustParseAddr("203.0.113.70"), TCPOnly: true, Err: os.ErrDeadlineExceeded}
	vm := Reach{Address: netip.MustParseAddr("203.0.113.11"), Banner: "pvm1"}
	if (Summary{Reach: []Reach{vip, vm}}).Reached() {
		t.Error("a VIP that does not answer was taken for reached")
	}
	vip.Err, vip.Banner = nil, "tvm2"
	if !(Summary{Reach: []Reach{vip, vm}}).Reached() {
		t.Error("a VIP that answers, and a VM, were not taken for reached")
	}
	vm.Ping = os.ErrDeadlineExceeded
	if (Summary{Reach: []Reach{vm}}).Reached() {
		t.Error("a VM that answers no ping was taken for reached")
	}
}
