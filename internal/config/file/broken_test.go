package file

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBrokenFiles(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unterminated group", "[DEFAULT\nbgp_AS = x\n", []string{
			`1.conf:1: "[DEFAULT": a group's name must end with ]`}},
		{"group without name", "[]\n", []string{`1.conf:1: "[]": the group has no name`}},
		{"no group", "\nbgp_AS = 1\n", []string{
			`1.conf:2: "bgp_AS = 1": the option stands before any group; put [DEFAULT] above it`}},
		{"continuation of nothing", "[DEFAULT]\n  bgp_AS = 1\n", []string{
			`1.conf:2: "  bgp_AS = 1": an indented line continues a value, and there is none above it`}},
		{"name without value", "[DEFAULT]\nbgp_AS\n", []string{`1.conf:2: "bgp_AS": no "=" after the option's name`}},
		{"value without name", "[DEFAULT]\n= 5\n", []string{`1.conf:2: "= 5": no option's name before the "="`}},
		{"empty value", "[DEFAULT]\nbgp_AS =\n", []string{
			`1.conf:2: [DEFAULT] bgp_AS: is empty; must be an AS number from 1 to 4294967295, or as 1.10`}},
		{"AS", "[DEFAULT]\nbgp_AS = 4294967296\n", []string{
			`1.conf:2: [DEFAULT] bgp_AS = "4294967296": must be an AS number from 1 to 4294967295, or as 1.10`}},
		{"integer", "[DEFAULT]\nreconcile_interval = 5m\n", []string{
			`1.conf:2: [DEFAULT] reconcile_interval = "5m": must be a whole number of seconds from 0 to 31536000`}},
		{"negative", "[safety]\nguard_min = -1\n", []string{
			`1.conf:2: [safety] guard_min = "-1": must be a whole number from 0 to 1000000`}},
		{"table", "[DEFAULT]\nbgp_vrf_table_id = 254\n", []string{
			`1.conf:2: [DEFAULT] bgp_vrf_table_id = "254": must be a routing table from 1 to 4294967295, but not 253, 254 or 255`}},
		{"boolean", "[DEFAULT]\ndelete_vrf_on_disconnect = maybe\n", []string{
			`1.conf:2: [DEFAULT] delete_vrf_on_disconnect = "maybe": must be true or false (also yes, no, on, off, 1, 0)`}},
		{"UUID", "[DEFAULT]\naddress_scopes = 2237917c-7b12-4a34-8e31-98e1ad41f8a7,abc\n", []string{
			`1.conf:2: [DEFAULT] address_scopes = "2237917c-7b12-4a34-8e31-98e1ad41f8a7,abc": the entry "abc" is not one: must be UUIDs with commas between`}},
		{"IP address", "[DEFAULT]\nevpn_local_ip = 10.0.0.256\n", []string{
			`1.conf:2: [DEFAULT] evpn_local_ip = "10.0.0.256": must be an IPv4 or IPv6 address, or empty`}},
		{"router id", "[DEFAULT]\nbgp_router_id = 2001:db8::1\n", []string{
			`1.conf:2: [DEFAULT] bgp_router_id = "2001:db8::1": must be an IPv4 address, or empty`}},
		{"device name", "[DEFAULT]\nbgp_vrf = a b;c\nbgp_nic = sixteen-letters-\n", []string{
			`1.conf:2: [DEFAULT] bgp_vrf = "a b;c": must be a device name: 1 to 15 of letters, digits, dot, underscore, hyphen`,
			`1.conf:3: [DEFAULT] bgp_nic = "sixteen-letters-": must be a device name: 1 to 15 of letters, digits, dot, underscore, hyphen`}},
		{"CIDR", "[policy]\nallow_cidrs = 203.0.113.0/24,203.0.113.0/33\ndeny_cidrs = 203.0.113.1/24\n", []string{
			`1.conf:2: [policy] allow_cidrs = "203.0.113.0/24,203.0.113.0/33": the entry "203.0.113.0/33" is not one: must be ` + cidrsAllowed,
			`1.conf:3: [policy] deny_cidrs = "203.0.113.1/24": must be ` + cidrsAllowed}},
		{"open quotes", "[policy]\ndeny_networks = \"a,b\nallow_routers = x, 'a,b\ndeny_cidrs = \"192.0.2.0/24\" 192.0.3.0/24\n", []string{
			`1.conf:2: [policy] deny_networks = "\"a,b": the quote that opens "a,b is not closed; must be ` + namesAllowed("networks"),
			`1.conf:3: [policy] allow_routers = "x, 'a,b": the quote that opens 'a,b is not closed; must be ` + namesAllowed("routers"),
			`1.conf:4: [policy] deny_cidrs = "\"192.0.2.0/24\" 192.0.3.0/24": 192.0.3.0/24 stands behind the quote that closes ` +
				`"192.0.2.0/24"; want a comma; must be ` + cidrsAllowed}},
		{"mapped CIDR", "[policy]\nallow_cidrs = ::ffff:203.0.113.0/120\n", []string{
			`1.conf:2: [policy] allow_cidrs = "::ffff:203.0.113.0/120": must be ` + cidrsAllowed}},
		{"external_ids", "[policy]\nallow_external_ids = =a\ndeny_external_ids = a b=c\n", []string{
			`1.conf:2: [policy] allow_external_ids = "=a": must be external_ids with commas between, each key or key=value`,
			`1.conf:3: [policy] deny_external_ids = "a b=c": must be external_ids with commas between, each key or key=value`}},
		{"tags", "[policy]\nallow_tags = a b\nallow_tag = c\n", []string{
			`1.conf:2: [policy] allow_tags = "a b": must be words with commas between`,
			`1.conf:3: [policy] allow_tag: no such option; meant is perhaps [policy] allow_tags`}},
		{"network", "[policy]\ndeny_networks = a\x1b[31m\n", []string{
			"1.conf:2: [policy] deny_networks = \"a\\x1b[31m\": must be networks with commas between, each by its Neutron UUID, " +
				"the name of its row in OVN or the name that people gave it; a name with a comma in it is quoted"}},
		{"one name for two devices", "[DEFAULT]\nbgp_nic = bgp-vrf\n", []string{
			`1.conf:2: [DEFAULT] bgp_nic = "bgp-vrf": must differ from bgp_vrf`}},
		{"connection", "[DEFAULT]\novsdb_connection = /run/openvswitch/db.sock\n[ovn]\novn_nb_connection = ssl:ovn\n" +
			"ovn_sb_connection = tcp:2001:db8::1:6642\n", []string{
			`1.conf:2: [DEFAULT] ovsdb_connection = "/run/openvswitch/db.sock": must be ` + endpointAllowed,
			`1.conf:4: [ovn] ovn_nb_connection = "ssl:ovn": must be ` + endpointAllowed + `; several with commas between`,
			`1.conf:5: [ovn] ovn_sb_connection = "tcp:2001:db8::1:6642": must be ` + endpointAllowed + `; several with commas between`}},
		{"relative socket", "[DEFAULT]\novsdb_connection = unix:db.sock\n", []string{
			`1.conf:2: [DEFAULT] ovsdb_connection = "unix:db.sock": must be ` + endpointAllowed}},
		{"driver", "[DEFAULT]\ndriver = ovn\n", []string{`1.conf:2: [DEFAULT] driver = "ovn": must be ` +
			`one of ovn_bgp_driver, ovn_evpn_driver, ovn_stretched_l2_bgp_driver, nb_ovn_bgp_driver`}},
		{"NUL byte", "[DEFAULT]\nbgp_AS = 1\x00\n", []string{
			`1.conf:2: not a text file: a NUL byte or something that is not UTF-8`}},
		{"not UTF-8", "[DEFAULT]\n# \xff\n", []string{
			`1.conf:2: not a text file: a NUL byte or something that is not UTF-8`}},
		{"group twice, strict", "[ovn]\n[DEFAULT]\n[ovn]\n", []string{
			`1.conf:3: [ovn]: the group was opened before, at line 1; both parts count`}},
		{"unknown in ours", "[safety]\nguard_max = 1\n[bgp]\nbgp_AS = 1\n", []string{
			`1.conf:2: [safety] guard_max: no such option`,
			`1.conf:4: [bgp] bgp_AS: no such option; meant is perhaps [DEFAULT] bgp_AS`}},
		{"unknown in the old agent's, strict", "[DEFAULT]\nBGP_as = 1\nbgp_as = 2\nBGP_as = 3\n", []string{
			`1.conf:2: [DEFAULT] BGP_as: no such option; meant is perhaps [DEFAULT] bgp_AS; it is ignored`,
			`1.conf:3: [DEFAULT] bgp_as: no such option; meant is perhaps [DEFAULT] bgp_AS; it is ignored`}},
		{"unknown group, strict", "[default]\na = 1\nb = 2\n", []string{
			`1.conf:2: [default]: no such group; its options are ignored (the group is written [DEFAULT])`}},
		{"reference to nothing", "[DEFAULT]\nbgp_vrf = $nothing\n", []string{
			`1.conf:2: [DEFAULT] bgp_vrf = "$nothing": $nothing: no such option; a dollar sign is written $$`}},
		{"circle", "[DEFAULT]\nbgp_vrf = $bgp_nic\nbgp_nic = ${bgp_vrf}\n", []string{
			`1.conf:2: [DEFAULT] bgp_vrf = "$bgp_nic": $bgp_nic refers to itself`,
			`1.conf:3: [DEFAULT] bgp_nic = "${bgp_vrf}": $bgp_nic refers to itself`}},
		{"comment after a value", "[DEFAULT]\nbgp_AS = 1 # ours\n", []string{
			`1.conf:2: [DEFAULT] bgp_AS = "1 # ours": must be an AS number from 1 to 4294967295, or as 1.10 (a comment needs a line of its own: behind a value it belongs to that)`}},
		{"all at once", "[DEFAULT]\nbgp_AS = x\nbgp_nic\n[ovn\n[agent]\n  x\n[paths]\nlock_file = agent.lock\n", []string{
			`1.conf:2: [DEFAULT] bgp_AS = "x": must be an AS number from 1 to 4294967295, or as 1.10`,
			`1.conf:3: "bgp_nic": no "=" after the option's name`,
			`1.conf:4: "[ovn": a group's name must end with ]`,
			`1.conf:6: "  x": an indented line continues a value, and there is none above it`,
			`1.conf:8: [paths] lock_file = "agent.lock": must be an absolute path`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(true, tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if d := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// TestGroupTwice: both parts count, and only strict minds.
func TestGroupTwice(t *testing.T) {
	got, err := load(false, "[DEFAULT]\nbgp_vrf = a\n[ovn]\n[DEFAULT]\nbgp_nic = b\n")
	if err != nil || got.Settings.Node.VRF != "a" || got.Settings.Node.NIC != "b" || len(got.Warnings) != 1 {
		t.Errorf("got %+v, %v, warnings %v", got.Settings.Node, err, got.Warnings)
	}
}

// FuzzLoad: no text makes the reader panic or hang, what is accepted is within the bounds that others rely on, and
// reading is deterministic.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", deployed, Reference(), "[DEFAULT]\nbgp_vrf = $bgp_nic\nbgp_nic = ${bgp_vrf}",
		managed + "[bgp_peer:a]\ninterface = eth1\nas = 1.1\nin = default, 10.0.0.0/8 ge 9 le 32\n[bgp_peer:b]\naddress = ::1\n",
		"[bgp_kind:port]\ncommunities = 1:1\n[bgp_bfd:x]\n[host_address:y]\naddress = 192.0.2.1\ncommand = /bin/sh, \"a,b\"\n",
		doubling(40), "[a\n[]\n=\n x\n\x00", "[DEFAULT]\naddress_scopes=\"a,'b',\"\n ,\"c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := load(false, text)
		again, errAgain := load(false, text)
		if (err == nil) != (errAgain == nil) || diffSettings(got.Settings, again.Settings) != "" {
			t.Fatal("two readings differ")
		}
		if err != nil {
			if err.Error() == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		s := got.Settings
		for _, name := range []string{s.Node.VRF, s.Node.NIC} {
			if _, ok := parseDevice(name); !ok {
				t.Errorf("device %q was accepted", name)
			}
		}
		if s.Node.AS == 0 || s.Node.VRFTable == 0 || s.ReconcileInterval < 0 || s.Switch.Endpoint == "" {
			t.Errorf("accepted: %+v", s)
		}
		for _, p := range s.Node.BGP.Instance.Peers {
			if !isName(p.Name) || p.Address.IsValid() == (p.Interface != "") || p.AS.Kind == "" || len(p.Families) == 0 ||
				p.Hold < 3*p.Keepalive || p.Multihop != 0 && p.TTLSecurity != 0 {
				t.Errorf("accepted: %+v", p)
			}
		}
		for _, h := range s.Node.HostAddresses {
			if !h.Address.IsValid() || h.Check.Interval <= 0 || h.Check.Timeout <= 0 || h.Check.Rise < 1 || h.Check.Fall < 1 {
				t.Errorf("accepted: %+v", h)
			}
		}
	})
}

// doubling is a chain of options of which each names the next one twice: 2^n steps for who walks it naively.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("[DEFAULT]\nbgp_vrf = $a0\n")
	for i := range n {
		b.WriteString("a" + decimal(i) + " = $a" + decimal(i+1) + "$a" + decimal(i+1) + "\n")
	}
	return b.String() + "a" + decimal(n) + " =\n"
}
