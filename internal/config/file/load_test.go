package file

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/config"
)

// defaults are the settings of an empty file.
func defaults() config.Settings {
	return config.Settings{
		Node: config.Node{Driver: config.DriverSB, Method: config.MethodUnderlay, AS: 64999, VRF: "bgp-vrf",
			VRFTable: 10, NIC: "bgp-nic", TenantMethod: config.TenantHost,
			BGP: config.BGP{Speaker: config.SpeakerAuto, AnnounceWith: config.AnnounceAddress, Mode: config.ModeAssist}},
		ReconcileInterval:    300 * time.Second,
		FRRReconcileInterval: 15 * time.Second,
		DeleteVRF:            true,
		Switch:               config.Switch{Endpoint: "unix:/run/openvswitch/db.sock", Timeout: 180 * time.Second},
		Northbound:           config.Database{TLS: defaultTLS()},
		Southbound:           config.Database{TLS: defaultTLS()},
		LocalCluster: config.LocalCluster{Endpoints: []string{"unix:/var/run/ovn/ovnnb_db.sock"},
			ProviderPrefixes: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}, ChassisID: "bgp"},
		EVPN: config.EVPN{UDPPort: 4789},
		Safety: config.Safety{GuardPercent: 50, GuardMin: 10, GuardWindow: time.Minute, GuardHold: 5 * time.Minute,
			CarrierGrace: 5 * time.Second, ConditionalMonitoring: true},
		Paths: config.Paths{APISocket: "/run/ovnbgp/agent.sock", LockFile: "/run/ovnbgp/agent.lock",
			FRRSockets: "/run/frr", FRRFiles: "/etc/frr", OpenVSwitch: "/run/openvswitch", RTTables: "/etc/iproute2/rt_tables", DrainFile: "/var/lib/ovnbgp/drained"},
		Log:     config.Log{Level: "info", Format: "text"},
		Metrics: config.Metrics{Listen: netip.MustParseAddrPort("127.0.0.1:9474")},
	}
}

func defaultTLS() config.TLS {
	return config.TLS{Key: "/etc/pki/tls/private/ovn_bgp_agent.key",
		Certificate: "/etc/pki/tls/certs/ovn_bgp_agent.crt", CA: "/etc/ipa/ca.crt"}
}

// load reads texts as the files 1.conf, 2.conf, …
func load(strict bool, texts ...string) (Result, error) {
	l := newLoader()
	for i, text := range texts {
		l.text(decimal(i+1)+".conf", text)
	}
	return l.result(strict)
}

func diffSettings(want, got config.Settings) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}))
}

func TestDefaults(t *testing.T) {
	uncommented := strings.Builder{}
	for line := range strings.Lines(Reference()) {
		if option, ok := strings.CutPrefix(line, "#"); ok && option[0] != ' ' {
			line = option
		}
		uncommented.WriteString(line)
	}
	for name, text := range map[string]string{"empty": "", "reference": Reference(), "uncommented": uncommented.String()} {
		got, err := load(true, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := diffSettings(defaults(), got.Settings); d != "" {
			t.Errorf("%s: settings (-want +got):\n%s", name, d)
		}
	}
}

// TestReferenceHasEveryOption: an option in a group that groups() does not list would be left out.
func TestReferenceHasEveryOption(t *testing.T) {
	seen := map[spelling]bool{}
	for _, o := range options(&speech{}) {
		if seen[o.spelling()] {
			t.Errorf("%s is in the table twice", o.spelling())
		}
		seen[o.spelling()] = true
		if !strings.Contains(Reference(), "\n"+strings.TrimRight("#"+o.Name+" = "+o.Default, " ")+"\n") {
			t.Errorf("%s is not in the reference", o.spelling())
		}
		if o.Help == "" || o.allowed == "" {
			t.Errorf("%s says not what it means or may be", o.spelling())
		}
	}
	if len(seen) < 45 {
		t.Errorf("%d options; the old agent alone had more than 30", len(seen))
	}
}

// deployed is a file as deployments have it.
const deployed = `[DEFAULT]
debug=True
log_file = /var/log/ovn-bgp-agent.log
use-journal = false
driver = nb_ovn_bgp_driver
reconcile_interval=120
frr_reconcile_interval = 0
expose_tenant_networks=False
bgp_AS=64999
bgp_router_id = 172.30.1.1
clear_vrf_routes_on_startup: yes
address_scopes = "2237917c-7b12-4a34-8e31-98e1ad41f8a7",
    11111111-2222-3333-4444-AAAAAAAAAAAA
ovsdb_connection=tcp:127.0.0.1:6640
ovn_nb_ca_cert = /etc/pki/ca.pem
pki = /etc/pki/node

; where the central databases are
[ovn]
ovn_nb_connection=ssl:192.0.2.1:6641,ssl:[2001:db8::2]:6641,ssl:ovn.example.net:6641
ovn_nb_private_key = ${DEFAULT.pki}/${name}.key
ovn_nb_certificate = $pki/node$$.crt
name = agent

[agent]
root_helper=sudo ovn-bgp-agent-rootwrap /etc/ovn-bgp-agent/rootwrap.conf
root_helper_daemon=sudo ovn-bgp-agent-rootwrap-daemon /etc/ovn-bgp-agent/rootwrap.conf
`

func TestDeployedFile(t *testing.T) {
	got, err := load(false, deployed)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Node.Driver = config.DriverNB
	want.Node.RouterID = netip.MustParseAddr("172.30.1.1")
	want.Node.AddressScopes = []string{"2237917c-7b12-4a34-8e31-98e1ad41f8a7", "11111111-2222-3333-4444-aaaaaaaaaaaa"}
	want.ReconcileInterval = 2 * time.Minute
	want.FRRReconcileInterval = 0
	want.ClearVRFRoutes = true
	want.Switch.Endpoint = "tcp:127.0.0.1:6640"
	want.Northbound = config.Database{
		Endpoints: []string{"ssl:192.0.2.1:6641", "ssl:[2001:db8::2]:6641", "ssl:ovn.example.net:6641"},
		TLS:       config.TLS{Key: "/etc/pki/node/agent.key", Certificate: "/etc/pki/node/node$.crt", CA: "/etc/pki/ca.pem"},
	}
	want.Log.Level = "debug"
	if d := diffSettings(want, got.Settings); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
	wantWarnings := `1.conf:16: [DEFAULT] pki: no such option; it is ignored
1.conf:23: [ovn] name: no such option; it is ignored
1.conf:27: [agent] root_helper_daemon: no such option; it is ignored`
	if d := cmp.Diff(wantWarnings, got.Warnings.Error()); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
	if err := got.Startable(); err != nil {
		t.Errorf("refused: %v", err)
	}
	if _, err := load(true, deployed); err == nil || err.Error() != wantWarnings {
		t.Errorf("strict: got %v, want the warnings", err)
	}
}

func TestPolicy(t *testing.T) {
	got, err := load(true, `[DEFAULT]
driver = nb_ovn_bgp_driver
[policy]
allow_cidrs = 203.0.113.0/24, 2001:db8::/32,
    198.51.100.7
deny_cidrs = 203.0.113.128/25
allow_networks = public,"a, b",3A626C4E-be0f-4d79-bb56-6c77a01a18cf
deny_routers = neutron-fea3f9e1-c021-407e-8bda-e5e1a30de198
allow_external_ids = owner, zone=a=b, empty=
deny_tags = hidden,secret
`)
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix
	want := defaults()
	want.Node.Driver = config.DriverNB
	want.Node.Policy = config.Policy{
		CIDRs: config.Lists[netip.Prefix]{
			Allow: []netip.Prefix{prefix("203.0.113.0/24"), prefix("2001:db8::/32"), prefix("198.51.100.7/32")},
			Deny:  []netip.Prefix{prefix("203.0.113.128/25")}},
		Networks: config.Lists[config.Name]{Allow: []config.Name{"public", "a, b", "3A626C4E-be0f-4d79-bb56-6c77a01a18cf"}},
		Routers:  config.Lists[config.Name]{Deny: []config.Name{"neutron-fea3f9e1-c021-407e-8bda-e5e1a30de198"}},
		ExternalIDs: config.Lists[config.Label]{Allow: []config.Label{{Key: "owner", AnyValue: true},
			{Key: "zone", Value: "a=b"}, {Key: "empty"}}},
		Tags: config.Lists[config.Tag]{Deny: []config.Tag{"hidden", "secret"}},
	}
	if d := diffSettings(want, got.Settings); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
	labels := got.Settings.Node.Policy.Labels()
	if d := cmp.Diff([]string{"empty", "ovnbgp-tags", "owner", "zone"}, labels); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
}

func TestWhatCounts(t *testing.T) {
	driver := func(r Result) string { return string(r.Settings.Node.Driver) }
	vrf := func(r Result) string { return r.Settings.Node.VRF }
	key := func(r Result) string { return r.Settings.Northbound.TLS.Key }
	tests := []struct {
		name  string
		texts []string
		value func(Result) string
		want  string
	}{
		{"the last line wins", []string{"[DEFAULT]\nbgp_vrf=a\nbgp_vrf=b\n"}, vrf, "b"},
		{"the later file wins", []string{"[DEFAULT]\nbgp_vrf=a", "[DEFAULT]\nbgp_vrf=b"}, vrf, "b"},
		{"DEFAULT is read for [ovn]", []string{"[DEFAULT]\novn_nb_private_key=/a"}, key, "/a"},
		{"[ovn] wins in one file", []string{"[ovn]\novn_nb_private_key=/b\n[DEFAULT]\novn_nb_private_key=/a"}, key, "/b"},
		{"a later file's DEFAULT wins", []string{"[ovn]\novn_nb_private_key=/b", "[DEFAULT]\novn_nb_private_key=/a"}, key, "/a"},
		{"groups are lower-cased", []string{"[OVN]\novn_nb_private_key=/b"}, key, "/b"},
		{"old driver name", []string{"[DEFAULT]\ndriver=osp_ovn_bgp_driver"}, driver, "ovn_bgp_driver"},
		{"old EVPN driver name", []string{"[DEFAULT]\ndriver=osp_ovn_evpn_driver"}, driver, "ovn_evpn_driver"},
		{"old place of the driver", []string{"[bgp]\nbgp_speaker_driver=nb_ovn_bgp_driver"}, driver, "nb_ovn_bgp_driver"},
		{"colon", []string{"[DEFAULT]\nbgp_vrf:a=b\nbgp_vrf : c"}, vrf, "c"},
		{"quotes", []string{"[DEFAULT]\nbgp_vrf = 'c'"}, vrf, "c"},
		{"a mark and Windows line ends", []string{"\ufeff[DEFAULT]\r\nbgp_vrf = c\r\n"}, vrf, "c"},
		{"escaped dollar", []string{"[DEFAULT]\novn_nb_private_key=/a/\\$x$1"}, key, "/a/$x$1"},
		{"default of another option", []string{"[DEFAULT]\nbgp_vrf=x-$bgp_chassis_id_\nbgp_chassis_id_=y"}, vrf, "x-y"},
		{"reference to a default", []string{"[DEFAULT]\nbgp_nic=x\nbgp_vrf=v${local_ovn_cluster.bgp_chassis_id}"}, vrf, "vbgp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := load(false, tt.texts...)
			if err != nil {
				t.Fatal(err)
			}
			if v := tt.value(got); v != tt.want {
				t.Errorf("got %q, want %q", v, tt.want)
			}
		})
	}
}

// The stretched driver has one method, and starts with that.
func TestStretchedDriverIsBuilt(t *testing.T) {
	got, err := load(false, "[DEFAULT]\ndriver = ovn_stretched_l2_bgp_driver\n")
	if err != nil || got.Startable() != nil || got.Settings.Node.Driver != config.DriverStretchedL2 {
		t.Errorf("%v, %v, driver %s", err, got.Startable(), got.Settings.Node.Driver)
	}
	got, err = load(false, "[DEFAULT]\ndriver = ovn_stretched_l2_bgp_driver\nexposing_method = vrf\n")
	if err != nil || got.Startable() == nil {
		t.Errorf("%v; method vrf is not refused", err)
	}
}

func TestNotBuilt(t *testing.T) {
	got, err := load(false, "[DEFAULT]\ndriver = ovn_evpn_driver\nexposing_method = vrf\n[bgp]\nspeaker = embedded\nrouter_id = 192.0.2.1\n")
	if err != nil {
		t.Fatal(err)
	}
	want := `1.conf:2: [DEFAULT] driver = "ovn_evpn_driver": is known, but not built yet; built: nb_ovn_bgp_driver, ovn_bgp_driver, ovn_stretched_l2_bgp_driver
1.conf:3: [DEFAULT] exposing_method = "vrf": is known, but not built yet; built: underlay`
	if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(got.Startable().Error(), "\n"),
		cmpopts.SortSlices(strings.Compare)); d != "" {
		t.Errorf("refused (-want +got):\n%s", d)
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("10-a.conf", "[DEFAULT]\nbgp_vrf = a\nbgp_nic = a-nic\n")
	write("20-b.conf", "[DEFAULT]\nbgp_vrf = b\n")
	write("30-c.conf.bak", "[DEFAULT]\nbgp_vrf = c\n")
	write(".40-d.conf", "[DEFAULT]\nbgp_vrf = d\n")
	write("single", "[DEFAULT]\nbgp_vrf = e\n")
	single := Source{Path: filepath.Join(dir, "single")}
	for want, sources := range map[string][]Source{"b": {single, {Path: dir, Dir: true}}, "e": {{Path: dir, Dir: true}, single}} {
		got, err := Load(sources, true)
		if err != nil || got.Settings.Node.VRF != want || got.Settings.Node.NIC != "a-nic" {
			t.Errorf("got %q, %q, %v; want %q", got.Settings.Node.VRF, got.Settings.Node.NIC, err, want)
		}
	}
	_, err := Load([]Source{{Path: "/nonexistent.conf"}, {Path: dir}, {Path: single.Path, Dir: true}}, false)
	want := "/nonexistent.conf: cannot be read: no such file or directory\n" + dir +
		": cannot be read: is a directory\n" + single.Path + ": cannot be read: not a directory"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// What never ends, or waits for a writer, is refused; a pipe that was handed over is read by who reads it once.
func TestNotARegularFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo.conf")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero"} {
		for _, pipe := range []bool{false, true} {
			_, err := Load([]Source{{Path: path, Pipe: pipe}}, false)
			if want := path + ": cannot be read: it is not a regular file"; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	handed := func(pipe bool) error {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := w.WriteString("[DEFAULT]\nbgp_AS = 65001\n"); err != nil {
			t.Fatal(err)
		}
		w.Close()
		got, err := Load([]Source{{Path: fmt.Sprintf("/dev/fd/%d", r.Fd()), Pipe: pipe}}, false)
		if err == nil && got.Settings.Node.AS != 65001 {
			t.Errorf("AS %d", got.Settings.Node.AS)
		}
		return err
	}
	if err := handed(true); err != nil {
		t.Error(err)
	}
	if err := handed(false); err == nil || !strings.Contains(err.Error(), "it is a pipe, which can be read only once") {
		t.Errorf("a pipe for an agent: %v", err)
	}
}
