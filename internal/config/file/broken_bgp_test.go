package file

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each text follows the three lines of managed, by which FRR is ours.
func TestBrokenBGP(t *testing.T) {
	const leaf = "[bgp_peer:leaf]\naddress = 192.0.2.1\nas = external\n"
	const unnumbered = "[bgp_peer:leaf]\ninterface = eth1\nas = external\n"
	const v6 = "[bgp_peer:leaf]\naddress = 2001:db8::1\nas = external\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"multihop with TTL security", leaf + "multihop = 3\nttl_security = 1\n", []string{
			`1.conf:8: [bgp_peer:leaf] ttl_security = "1": excludes multihop (1.conf:7): one says how near the neighbour is, the ` +
				`other how far; for a distant neighbour that is to be checked, set ttl_security alone, to its distance`}},
		{"multihop of one", leaf + "multihop = 1\n", []string{
			`1.conf:7: [bgp_peer:leaf] multihop = "1": must be 0, or a whole number from 2 to 255`}},
		{"multihop within the AS", leaf + "as = internal\nmultihop = 3\n", []string{
			`1.conf:8: [bgp_peer:leaf] multihop = "3": a neighbour in this node's AS may be any number of hops away without it; leave it away`}},
		{"an interface far away", unnumbered + "multihop = 2\nsource = 192.0.2.9\nextended_nexthop = no\n", []string{
			`1.conf:7: [bgp_peer:leaf] multihop = "2": a neighbour on an interface (1.conf:5) is on the link; set its address instead, or leave multihop away`,
			`1.conf:8: [bgp_peer:leaf] source = "192.0.2.9": a session on an interface (1.conf:5) is between link-local addresses; leave source away`,
			`1.conf:9: [bgp_peer:leaf] extended_nexthop = "no": cannot be turned off on an interface (1.conf:5): there are IPv6 next hops only`}},
		{"the agent's own device", "[bgp_peer:leaf]\ninterface = bgp-nic\nas = external\n", []string{
			`1.conf:5: [bgp_peer:leaf] interface = "bgp-nic": is a device of the agent's own, on which no neighbour is`}},
		{"neither address nor interface", "[bgp_peer:leaf]\nas = external\n", []string{
			`1.conf:4: [bgp_peer:leaf]: the neighbour has no address and no interface; set one of the two`}},
		{"nothing at all", "[bgp_peer:leaf]\n", []string{
			`1.conf:4: [bgp_peer:leaf]: the neighbour has no address and no interface; set one of the two`,
			`1.conf:4: [bgp_peer:leaf] as: the neighbour's AS is not said; set as to its number, to internal (64999, as this node) or to external`}},
		{"an address that is none", "[bgp_peer:leaf]\naddress = 192.0.2\nas = external\n", []string{
			`1.conf:5: [bgp_peer:leaf] address = "192.0.2": must be an IPv4 or IPv6 address, or empty`}},
		{"a hold that is none", leaf + "keepalive = 30\nhold = soon\n", []string{
			`1.conf:8: [bgp_peer:leaf] hold = "soon": must be a whole number of seconds from 3 to 65535, or empty`}},
		{"a router id that is none", leaf + "[bgp]\nrouter_id = leaf\n", []string{
			`1.conf:7: [bgp]: the group was opened before, at line 1; both parts count`,
			`1.conf:8: [bgp] router_id = "leaf": must be an IPv4 address, or empty`}},
		{"both", leaf + "interface = eth1\n", []string{
			`1.conf:7: [bgp_peer:leaf] interface = "eth1": the neighbour has an address, too (1.conf:5); keep one of the two`}},
		{"AS", leaf + "as = both\n", []string{
			`1.conf:7: [bgp_peer:leaf] as = "both": must be an AS number from 1 to 4294967295, or as 1.10, internal or external`}},
		{"one address twice", leaf + "[bgp_peer:other]\naddress = 192.0.2.1\nas = 1\n", []string{
			`1.conf:8: [bgp_peer:other] address = "192.0.2.1": is the neighbour [bgp_peer:leaf], too (1.conf:5); one of the two groups is too many`}},
		{"one interface twice", unnumbered + "[bgp_peer:other]\ninterface = eth1\nas = 1\n", []string{
			`1.conf:8: [bgp_peer:other] interface = "eth1": is the neighbour [bgp_peer:leaf], too (1.conf:5); one of the two groups is too many`}},
		{"addresses nobody has", "[bgp_peer:a]\naddress = 127.0.0.1\nas = 1\n[bgp_peer:b]\naddress = fe80::1\nas = 1\n" +
			"[bgp_peer:c]\naddress = 224.0.0.5\nas = 1\n", []string{
			`1.conf:5: [bgp_peer:a] address = "127.0.0.1": no neighbour can have this address`,
			`1.conf:8: [bgp_peer:b] address = "fe80::1": a link-local address means nothing without its link; set interface instead, which finds it`,
			`1.conf:11: [bgp_peer:c] address = "224.0.0.5": no neighbour can have this address`}},
		{"itself", "loopbacks = 192.0.2.1\n" + leaf, []string{
			`1.conf:6: [bgp_peer:leaf] address = "192.0.2.1": is this node's own ([bgp] loopbacks)`}},
		{"source", leaf + "source = 2001:db8::2\n", []string{
			`1.conf:7: [bgp_peer:leaf] source = "2001:db8::2": must be of the address's family (1.conf:5)`}},
		{"no such profile", leaf + "bfd = quick\n", []string{
			`1.conf:7: [bgp_peer:leaf] bfd = "quick": there is no such BFD profile; there are fast, normal, slow, and none. Another is made by a group [bgp_bfd:NAME]`}},
		{"no such profile for all", "bfd = quick\n[bgp_bfd:wan]\n" + leaf, []string{
			`1.conf:4: [bgp] bfd = "quick": there is no such BFD profile; there are fast, normal, slow, wan, and none. Another is made by a group [bgp_bfd:NAME]`}},
		{"a built-in profile", "[bgp_bfd:fast]\ntransmit = 5\nmultiplier = 1\n" + leaf, []string{
			`1.conf:4: [bgp_bfd:fast]: fast is built in, and the same everywhere; choose another name`,
			`1.conf:5: [bgp_bfd:fast] transmit = "5": must be a whole number of milliseconds from 10 to 60000`,
			`1.conf:6: [bgp_bfd:fast] multiplier = "1": must be a whole number from 2 to 255`}},
		{"control plane without BFD", leaf + "bfd = none\nbfd_check_control_plane = true\n", []string{
			`1.conf:8: [bgp_peer:leaf] bfd_check_control_plane = "true": there is no BFD with this neighbour (bfd: 1.conf:7); set bfd, or leave it away`}},
		{"hold", leaf + "hold = 2\n", []string{
			`1.conf:7: [bgp_peer:leaf] hold = "2": must be a whole number of seconds from 3 to 65535, or empty`}},
		{"hold against keepalive", leaf + "hold = 20\n", []string{
			`1.conf:7: [bgp_peer:leaf] hold = "20": one lost keepalive would end the session: hold must be at least three times keepalive (keepalive: default)`}},
		{"keepalive against hold", "keepalive = 20\n" + leaf + "hold = 60\n", []string{
			`1.conf:4: [bgp] keepalive = "20": one lost keepalive would end the session: hold must be at least three times keepalive (hold: default)`}},
		{"IPv4 over IPv6", v6 + "families = ipv4, ipv6\n", []string{
			`1.conf:7: [bgp_peer:leaf] families = "ipv4, ipv6": IPv4 prefixes to a neighbour with an IPv6 address (1.conf:5) need extended_nexthop = true`}},
		{"extended next hop over IPv4", leaf + "extended_nexthop = true\n", []string{
			`1.conf:7: [bgp_peer:leaf] extended_nexthop = "true": means something only in a session over IPv6, and the address is of IPv4 (1.conf:5)`}},
		{"EVPN alone", leaf + "families = evpn\nin = default\nout = own, default\nwarn_prefixes = 5\nlimit_prefixes = 5\n", []string{
			`1.conf:8: [bgp_peer:leaf] in = "default": EVPN routes are not told apart by prefixes (families: 1.conf:7); leave in away, or set all or none`,
			`1.conf:9: [bgp_peer:leaf] out = "own, default": EVPN routes are not told apart by prefixes (families: 1.conf:7); set own, all or none`,
			`1.conf:10: [bgp_peer:leaf] warn_prefixes = "5": EVPN routes are not counted (families: 1.conf:7); leave it away`,
			`1.conf:11: [bgp_peer:leaf] limit_prefixes = "5": EVPN routes are not counted (families: 1.conf:7); leave it away`}},
		{"a prefix of no family", leaf + "in = default, 2001:db8::/32 le 48\n", []string{
			`1.conf:7: [bgp_peer:leaf] in = "default, 2001:db8::/32 le 48": 2001:db8::/32 le 48 is of a family that the session does not carry (families: default)`}},
		{"filters", leaf + "in = own\nout = all, default\n", []string{
			`1.conf:7: [bgp_peer:leaf] in = "own": must be all; none; or any of default and prefixes such as 10.0.0.0/8 ge 24 le 32, with commas between, no bit set behind a prefix's length`,
			`1.conf:8: [bgp_peer:leaf] out = "all, default": must be all; none; or any of own, default and prefixes such as 10.0.0.0/8 ge 24 le 32, with commas between, no bit set behind a prefix's length`}},
		{"communities", leaf + "communities = 65536:1\nlarge_communities = 1:2\n[bgp_kind:port]\ncommunities = 65535:0\n", []string{
			`1.conf:7: [bgp_peer:leaf] communities = "65536:1": must be communities such as 64999:100 with commas between, or no-export, no-advertise, no-peer, blackhole`,
			`1.conf:8: [bgp_peer:leaf] large_communities = "1:2": must be large communities such as 64999:1:2 with commas between`,
			"1.conf:10: [bgp_kind:port] communities = \"65535:0\": has 65535:0, graceful-shutdown, which asks the whole fabric to avoid this node for ever; leave it away, and use `ovnbgp drain` when traffic is to go elsewhere"}},
		{"local preference outside the AS", leaf + "local_preference = 5\n", []string{
			`1.conf:7: [bgp_peer:leaf] local_preference = "5": is told to neighbours in this node's AS only, and this one is external (1.conf:6); to prefer what comes from it, set in_local_preference`}},
		{"kind", "[bgp_kind:fip]\ncommunities = 1:1\n" + leaf, []string{
			`1.conf:4: [bgp_kind:fip]: the name must be one of port, floating-ip, gateway, load-balancer, tenant, host`}},
		{"names", "[bgp_peer:a b]\ninterface = eth1\nas = 1\n[bgp_peer]\ninterface = eth2\nas = 1\n[bgp_peer:]\ninterface = eth3\nas = 1\n", []string{
			`1.conf:4: [bgp_peer:a b]: the name must be at most 32 small letters, digits, dots, underscores and hyphens`,
			`1.conf:7: [bgp_peer]: needs a name: [bgp_peer:NAME]`,
			`1.conf:10: [bgp_peer:]: needs a name: [bgp_peer:NAME]`}},
		{"slips of groups", "[bgp_peers:leaf]\nas = 1\n[bgp-peer:leaf]\nas = 1\n[bgp_peer_leaf]\nas = 1\n[bgp_kin:port]\na = 1\n[bgp:leaf]\na = 1\n" + leaf, []string{
			`1.conf:5: [bgp_peers:leaf]: no such group; meant is perhaps [bgp_peer:NAME]`,
			`1.conf:7: [bgp-peer:leaf]: no such group; meant is perhaps [bgp_peer:NAME]`,
			`1.conf:9: [bgp_peer_leaf]: no such group; meant is perhaps [bgp_peer:NAME]`,
			`1.conf:11: [bgp_kin:port]: no such group; meant is perhaps [bgp_kind:NAME]`,
			`1.conf:13: [bgp:leaf]: no such group; meant is perhaps [bgp]`}},
		{"slips of options", leaf + "holdtime = 9\nmultihops = 4\nBFD = none\nspeaker = frr\npassword = x\n", []string{
			`1.conf:7: [bgp_peer:leaf] holdtime: no such option; meant is perhaps [bgp_peer:leaf] hold`,
			`1.conf:8: [bgp_peer:leaf] multihops: no such option; meant is perhaps [bgp_peer:leaf] multihop`,
			`1.conf:9: [bgp_peer:leaf] BFD: no such option; meant is perhaps [bgp_peer:leaf] bfd`,
			`1.conf:10: [bgp_peer:leaf] speaker: no such option; meant is perhaps [bgp] speaker`,
			`1.conf:11: [bgp_peer:leaf] password: no such option; meant is perhaps [bgp_peer:leaf] password_file`}},
		{"two values for the AS", leaf + "[bgp]\nas = 65001\n[DEFAULT]\nbgp_AS = 65002\n", []string{
			`1.conf:7: [bgp]: the group was opened before, at line 1; both parts count`,
			`1.conf:8: [bgp] as = "65001": is not what line 10 says, [DEFAULT] bgp_AS = "65002"; both mean the same, so write one of them`}},
		{"loopbacks", "loopbacks = 192.0.2.1, 192.0.2.2, ::1\n" + leaf, []string{
			`1.conf:4: [bgp] loopbacks = "192.0.2.1, 192.0.2.2, ::1": has two addresses of one family, 192.0.2.1 and 192.0.2.2: what is sent has one source; keep one`,
			`1.conf:4: [bgp] loopbacks = "192.0.2.1, 192.0.2.2, ::1": ::1 cannot be reached from elsewhere: use a global or private unicast address`,
			`1.conf:6: [bgp_peer:leaf] address = "192.0.2.1": is this node's own ([bgp] loopbacks)`}},
		{"managed without a neighbour", "", []string{
			`1.conf:2: [bgp] frr_mode = "managed": without a [bgp_peer:NAME] group FRR's own neighbours would be taken away, and nobody told: name the neighbours, or try frr_mode = observe`}},
		{"no router id", leaf + "[bgp]\nrouter_id =\n", []string{
			`1.conf:7: [bgp]: the group was opened before, at line 1; both parts count`,
			`1.conf:8: [bgp] router_id: no router id: set it ([DEFAULT] bgp_router_id is the same), or an IPv4 address in loopbacks`}},
		{"FRR for the embedded speaker", "speaker = embedded\n" + leaf, []string{
			`1.conf:2: [bgp] frr_mode = "managed": the embedded speaker (1.conf:4) has no FRR to configure: leave frr_mode away, or set speaker = frr`}},
		{"what the embedded speaker cannot do", "frr_mode = assist\nspeaker = embedded\n" + leaf +
			"multihop = 3\nbfd = slow\nbfd_check_control_plane = true\nlimit_prefixes = 5\n", []string{
			`1.conf:9: [bgp_peer:leaf] multihop = "3": what the neighbour tells can be installed only if its next hop is on a link of this node: the embedded speaker resolves none by other routes; take nothing in from it (in = none), or set [bgp] speaker = frr`,
			`1.conf:11: [bgp_peer:leaf] bfd_check_control_plane = "true": the embedded speaker ends the session whenever BFD does; leave it away, or set [bgp] speaker = frr`,
			`1.conf:12: [bgp_peer:leaf] limit_prefixes = "5": the embedded speaker does not count what it tells; leave it away, or set [bgp] speaker = frr`}},
		{"the embedded speaker takes nothing from several hops away", "frr_mode = assist\nspeaker = embedded\n" + leaf +
			"multihop = 3\nin = none\nlimit_prefixes = 5\n", []string{
			`1.conf:11: [bgp_peer:leaf] limit_prefixes = "5": the embedded speaker does not count what it tells; leave it away, or set [bgp] speaker = frr`}},
		{"an embedded speaker that tells nobody, strict", "frr_mode = assist\nspeaker = embedded\n", []string{
			`1.conf:5: [bgp] speaker = "embedded": no [bgp_peer:NAME] group: the embedded speaker tells nobody`}},
		{"graceful restart", leaf + "[bgp]\nrestart_time = 5000\nmaximum_paths = 0\n", []string{
			`1.conf:7: [bgp]: the group was opened before, at line 1; both parts count`,
			`1.conf:8: [bgp] restart_time = "5000": must be a whole number of seconds from 1 to 4095`,
			`1.conf:9: [bgp] maximum_paths = "0": must be a whole number from 1 to 64`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(true, managed+tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if d := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// Without a word about the router id nothing can be ours.
func TestNoRouterID(t *testing.T) {
	const leaf = "[bgp_peer:leaf]\ninterface = eth1\nas = external\n"
	for text, refused := range map[string]bool{
		"[bgp]\nfrr_mode = managed\n" + leaf: true,
		"[bgp]\nspeaker = embedded\n" + leaf: true,
		leaf:                                 true, // with speaker = auto it may be
		"[bgp]\nspeaker = frr\n" + leaf:      false,
		"":                                   false,
	} {
		_, err := load(false, text)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "no router id") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
