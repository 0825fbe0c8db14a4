package file

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// written puts a file with this text and mode in a new directory.
func written(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

const managed = "[bgp]\nfrr_mode = managed\nrouter_id = 192.0.2.11\n"

func number(n uint32) *uint32 { return &n }

func TestPeers(t *testing.T) {
	password := written(t, "edge.password", "s3cret!\n", 0o640)
	raw := written(t, "raw.conf", "! ours\nlog syslog  \n", 0o644)
	got, err := load(true, `[DEFAULT]
bgp_AS = 64999
[bgp]
frr_mode = managed
loopbacks = 2001:db8::11, 192.0.2.11
frr_raw_file = `+raw+`
maximum_paths = 4
communities = 64999:7
local_preference = 150

[bgp_kind:floating-ip]
communities = 64999:1, no-export,64999:1
large_communities = 64999:1:2
local_preference = 200
[bgp_bfd:wan]
multiplier = 5
transmit = 1000
[bgp_peer:leaf1]
interface = eth1
as = external
families = evpn, ipv6, ipv4
allow_own_as = yes
[bgp_peer:edge]
address = 198.51.100.1
as = 1.10
multihop = 4
bfd = wan
bfd_check_control_plane = true
password_file = `+password+`
keepalive = 3
hold = 9
source = 192.0.2.11
families = ipv4,ipv6
in = default, 203.0.113.0/24 le 32, 10.0.0.0/8 ge 16 le 24
out = own, 2001:db8:5::/48
warn_prefixes = 100
limit_prefixes = 200
next_hop_self = true
communities = 64999:20
in_local_preference = 50
[bgp_peer:rr]
address = 2001:db8::1
as = internal
out = all
bfd = none
local_preference = 0
`)
	if err != nil {
		t.Fatal(err)
	}
	own := model.Filter{Own: true}
	fallback := model.Filter{Default: true}
	told := model.Attributes{Communities: []model.Community{64999<<16 | 20}}
	taken := model.Attributes{LocalPreference: number(50)}
	prefixes := func(texts ...string) (list []model.PrefixRange) {
		for _, text := range texts {
			r, ok := parseRange(text)
			if !ok {
				t.Fatal(text)
			}
			list = append(list, r)
		}
		return list
	}
	want := config.BGP{Speaker: config.SpeakerAuto, AnnounceWith: config.AnnounceAddress, Mode: config.ModeManaged,
		Attributes: model.Attributes{Communities: []model.Community{64999<<16 | 7}, LocalPreference: number(150)},
		ByKind: map[model.Kind]model.Attributes{model.KindFloatingIP: {
			Communities:      []model.Community{64999<<16 | 1, 0xffffff01},
			LargeCommunities: []model.LargeCommunity{{Global: 64999, Local1: 1, Local2: 2}}, LocalPreference: number(200)}},
		Instance: model.BGP{AS: 64999, RouterID: netip.MustParseAddr("192.0.2.11"),
			Loopbacks:       []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::11")},
			GracefulRestart: model.GracefulRestart{Enabled: true, RestartTime: 2 * time.Minute},
			Multipath:       model.Multipath{Paths: 4, Relax: true},
			Raw:             []string{"! ours", "log syslog"},
			RawFile:         raw,
			Profiles: []model.BFDProfile{
				{Name: "normal", Multiplier: 3, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond},
				{Name: "wan", Multiplier: 5, Transmit: time.Second, Receive: 300 * time.Millisecond}},
			Peers: []model.Peer{
				{Name: "edge", Address: netip.MustParseAddr("198.51.100.1"), AS: model.PeerAS{Kind: model.ASNumber, Number: 65546},
					Multihop: 4, Source: netip.MustParseAddr("192.0.2.11"), Keepalive: 3 * time.Second, Hold: 9 * time.Second,
					ConnectRetry: 5 * time.Second, Password: "s3cret!", BFD: "wan", BFDControlPlane: true,
					Families: []model.PeerFamily{
						{Family: model.IPv4Unicast, In: model.Filter{Default: true, Attributes: taken,
							Prefixes: prefixes("10.0.0.0/8 ge 16 le 24", "203.0.113.0/24 le 32")},
							Out: model.Filter{Own: true, Attributes: told}, WarnPrefixes: 100, LimitPrefixes: 200, NextHopSelf: true},
						{Family: model.IPv6Unicast, In: model.Filter{Default: true, Attributes: taken},
							Out:          model.Filter{Own: true, Prefixes: prefixes("2001:db8:5::/48"), Attributes: told},
							WarnPrefixes: 100, LimitPrefixes: 200, NextHopSelf: true}}},
				{Name: "leaf1", Interface: "eth1", AS: model.PeerAS{Kind: model.ASExternal}, Keepalive: 10 * time.Second,
					Hold: 30 * time.Second, ConnectRetry: 5 * time.Second, BFD: "normal", ExtendedNextHop: true, AllowOwnAS: true,
					Families: []model.PeerFamily{{Family: model.IPv4Unicast, In: fallback, Out: own},
						{Family: model.IPv6Unicast, In: fallback, Out: own},
						{Family: model.EVPN, In: model.Filter{All: true}, Out: own}}},
				{Name: "rr", Address: netip.MustParseAddr("2001:db8::1"), AS: model.PeerAS{Kind: model.ASInternal},
					Keepalive: 10 * time.Second, Hold: 30 * time.Second, ConnectRetry: 5 * time.Second,
					Families: []model.PeerFamily{{Family: model.IPv6Unicast, In: fallback,
						Out: model.Filter{All: true, Attributes: model.Attributes{LocalPreference: new(uint32)}}}}},
			}}}
	if d := cmp.Diff(want, got.Settings.Node.BGP, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
		t.Errorf("BGP (-want +got):\n%s", d)
	}
}

func TestGroupOverFiles(t *testing.T) {
	got, err := load(true, managed+"[bgp_peer:leaf]\naddress = 192.0.2.1\nas = external\n",
		"[bgp_peer:leaf]\naddress = 192.0.2.2\nhold = 90\n[bgp_peer:Leaf2]\ninterface = eth2\nas = external\n")
	if err != nil {
		t.Fatal(err)
	}
	peers := got.Settings.Node.BGP.Instance.Peers
	if len(peers) != 2 || peers[0].Address != netip.MustParseAddr("192.0.2.2") || peers[0].AS.Kind != model.ASExternal ||
		peers[0].Hold != 90*time.Second || peers[1].Name != "leaf2" {
		t.Errorf("peers %+v", peers)
	}
	_, err = load(true, managed+"[bgp_peer:leaf]\naddress = 192.0.2.1\nas = external\n", "[bgp_peer:leaf]\ninterface = eth1\n")
	want := `2.conf:2: [bgp_peer:leaf] interface = "eth1": the neighbour has an address, too (1.conf:5); keep one of the two`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestASAndRouterID(t *testing.T) {
	for name, tt := range map[string]struct {
		texts  []string
		as     uint32
		router string
	}{
		"in [bgp]":     {[]string{"[bgp]\nas = 65001\nrouter_id = 192.0.2.1\nfrr_mode = observe\n"}, 65001, "192.0.2.1"},
		"in [DEFAULT]": {[]string{"[DEFAULT]\nbgp_AS = 65001\nbgp_router_id = 192.0.2.1\n[bgp]\nfrr_mode = observe\n"}, 65001, "192.0.2.1"},
		"a later file's [DEFAULT]": {[]string{"[bgp]\nas = 65001\nfrr_mode = observe\nrouter_id = 192.0.2.1\n",
			"[DEFAULT]\nbgp_AS = 65002\n"}, 65002, "192.0.2.1"},
		"a loopback is the router id": {[]string{"[bgp]\nloopbacks = 192.0.2.7\nfrr_mode = observe\n"}, 64999, "192.0.2.7"},
	} {
		got, err := load(true, tt.texts...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		node := got.Settings.Node
		if node.AS != tt.as || node.BGP.Instance.AS != tt.as || node.BGP.Instance.RouterID.String() != tt.router {
			t.Errorf("%s: AS %d, %d, router id %s", name, node.AS, node.BGP.Instance.AS, node.BGP.Instance.RouterID)
		}
	}
}

// Where FRR is the operator's, neighbours are no mistake; that they are ignored is said.
func TestPeersInAssistMode(t *testing.T) {
	raw := written(t, "raw.conf", "log syslog\n", 0o644)
	text := "[bgp]\nspeaker = frr\nfrr_raw_file = " + raw + "\n[bgp_peer:leaf]\ninterface = eth1\nas = external\n"
	got, err := load(false, text)
	want := `1.conf:3: [bgp] frr_raw_file = "` + raw + `": is ignored: FRR's configuration is the operator's (frr_mode = assist); set frr_mode = managed
1.conf:4: [bgp_peer:leaf]: is ignored: FRR's configuration is the operator's (frr_mode = assist); set frr_mode = managed, or speaker = embedded`
	if len(want) > 0 && err == nil {
		if d := cmp.Diff(want, got.Warnings.Error()); d != "" {
			t.Errorf("warnings (-want +got):\n%s", d)
		}
	} else {
		t.Error(err)
	}
	if got.Settings.Node.BGP.Configured() {
		t.Error("BGP is said to be ours")
	}
	got, err = load(false, "[bgp]\nloopbacks = 192.0.2.1\n[bgp_peer:leaf]\ninterface = eth1\nas = external\n")
	if err != nil || len(got.Settings.Node.BGP.Instance.Peers) != 1 {
		t.Errorf("%v: an agent that finds no FRR has no neighbours: %+v", err, got.Settings.Node.BGP)
	}
	if !strings.Contains(got.Warnings.Error(), "1.conf:3: [bgp_peer:leaf]: is ignored where FRR runs") {
		t.Errorf("warnings: %v", got.Warnings)
	}
}

// A neighbour that is not on the link has BFD only when it is said.
func TestWhoHasBFD(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "normal",
		"bfd = none":               "",
		"bfd = fast":               "fast",
		"multihop = 3":             "",
		"multihop = 2\nbfd = slow": "slow",
	} {
		got, err := load(true, managed+"[bgp_peer:leaf]\naddress = 192.0.2.1\nas = 1\n"+text)
		if err != nil || got.Settings.Node.BGP.Instance.Peers[0].BFD != want {
			t.Errorf("%q: %v, %+v, want %q", text, err, got.Settings.Node.BGP.Instance.Peers, want)
		}
	}
}

// What is wrong with a file is said without what is in it, and what was read is never printed.
func TestSecrets(t *testing.T) {
	const secret = "do-not-print"
	ok := written(t, "ok", secret+"\r\n", 0o600)
	got, err := load(true, managed+"[bgp_peer:leaf]\naddress = 192.0.2.1\nas = 1\npassword_file = "+ok)
	if err != nil || got.Settings.Node.BGP.Instance.Peers[0].Password.Reveal() != secret {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		written(t, "others", secret, 0o644):                      "the file is open to everybody on the node (mode 0644); chmod 0640, or less",
		written(t, "writers", secret, 0o602):                     "the file is open to everybody on the node (mode 0602); chmod 0640, or less",
		written(t, "empty", "\n", 0o600):                         "the file is empty; write the password into it",
		written(t, "lines", secret+"\n"+secret+"\n", 0o600):      "the file has more than one line; a password is one",
		written(t, "blank", secret+" x\n", 0o600):                "the password has a blank, or something that is not printable ASCII",
		written(t, "long", strings.Repeat(secret, 9), 0o600):     "the password is longer than 80 characters, the most the kernel takes",
		written(t, "longer", strings.Repeat(secret, 999), 0o600): "the file is longer than 4096 bytes",
		"/nonexistent": "the file cannot be read: no such file or directory",
		"/dev/zero":    "it is not a regular file",
	} {
		_, err := load(true, managed+"[bgp_peer:leaf]\naddress = 192.0.2.1\nas = 1\npassword_file = "+path)
		if want := `1.conf:7: [bgp_peer:leaf] password_file = "` + path + `": ` + want; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	raw := written(t, "raw", "router bgp 1\n neighbor x password "+secret+"\n", 0o644)
	_, err = load(true, managed+"frr_raw_file = "+raw)
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "line 2 of the file has a password") {
		t.Errorf("raw: %v", err)
	}
}
