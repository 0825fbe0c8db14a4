package file

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovnbgp/internal/config"
)

func TestHostAddresses(t *testing.T) {
	got, err := load(true, `[host_address:web]
address = 192.0.2.102
http = https://[2001:db8::1]:8443/health?deep=1
rise = 1
[host_address:db]
address = 192.0.2.101
command = /bin/sh, -c, "echo a, b; exit 0"
interval = 5
timeout = 3
fall = 1
[host_address:api]
address = 2001:db8::100
[host_address:tcp]
address = 192.0.2.103
tcp = 127.0.0.1:443
`)
	if err != nil {
		t.Fatal(err)
	}
	check := func(interval, timeout time.Duration, rise, fall int) config.Check {
		return config.Check{Interval: interval * time.Second, Timeout: timeout * time.Second, Rise: rise, Fall: fall}
	}
	api, db, tcp, web := check(2, 1, 2, 3), check(5, 3, 2, 1), check(2, 1, 2, 3), check(2, 1, 1, 3)
	db.Command = []string{"/bin/sh", "-c", "echo a, b; exit 0"}
	tcp.TCP = "127.0.0.1:443"
	web.HTTP = "https://[2001:db8::1]:8443/health?deep=1"
	want := []config.HostAddress{
		{Name: "api", Address: netip.MustParseAddr("2001:db8::100"), Check: api},
		{Name: "db", Address: netip.MustParseAddr("192.0.2.101"), Check: db},
		{Name: "tcp", Address: netip.MustParseAddr("192.0.2.103"), Check: tcp},
		{Name: "web", Address: netip.MustParseAddr("192.0.2.102"), Check: web},
	}
	if d := cmp.Diff(want, got.Settings.Node.HostAddresses, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("host addresses (-want +got):\n%s", d)
	}
	if want[0].Check.IsSet() || !want[1].Check.IsSet() || !want[2].Check.IsSet() || !want[3].Check.IsSet() {
		t.Error("what is a check, and what not, is told wrongly")
	}
}

func TestBrokenHostAddresses(t *testing.T) {
	plain := written(t, "plain", "text", 0o644)
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":    {"[host_address:a]\n", `1.conf:1: [host_address:a]: there is no address; set address`},
		"link-local": {"[host_address:a]\naddress = fe80::1\n", `1.conf:2: [host_address:a] address = "fe80::1": cannot be reached from elsewhere: use a global or private unicast address`},
		"twice": {"[host_address:a]\naddress = 192.0.2.1\n[host_address:b]\naddress = 192.0.2.1\n",
			`1.conf:4: [host_address:b] address = "192.0.2.1": is that of [host_address:a], too (1.conf:2); one of the two groups is too many`},
		"two checks": {"[host_address:a]\naddress = 192.0.2.1\ntcp = 127.0.0.1:80\nhttp = http://127.0.0.1\n",
			`1.conf:3: [host_address:a] tcp = "127.0.0.1:80": there is another check, http (1.conf:4); an address has one: keep one of them, or write a command that makes both`},
		"no check": {"[host_address:a]\naddress = 192.0.2.1\nfall = 3\n",
			`1.conf:3: [host_address:a] fall = "3": is of a check, and there is none; set http, tcp or command`},
		"scheme": {"[host_address:a]\naddress = 192.0.2.1\nhttp = ftp://127.0.0.1\n",
			`1.conf:3: [host_address:a] http = "ftp://127.0.0.1": must be a URL that begins with http:// or https://, or empty`},
		"port": {"[host_address:a]\naddress = 192.0.2.1\ntcp = 127.0.0.1\n",
			`1.conf:3: [host_address:a] tcp = "127.0.0.1": must be an address and port such as 127.0.0.1:443 or [::1]:443, or empty`},
		"a shell's line": {"[host_address:a]\naddress = 192.0.2.1\ncommand = true && true\n",
			`1.conf:3: [host_address:a] command = "true && true": must be the absolute path of a program and its arguments, with commas between`},
		"no program": {"[host_address:a]\naddress = 192.0.2.1\ncommand = /nonexistent, -x\n",
			`1.conf:3: [host_address:a] command = "/nonexistent, -x": the program cannot be run: no such file or directory`},
		"not to be run": {"[host_address:a]\naddress = 192.0.2.1\ncommand = " + plain + "\n",
			`1.conf:3: [host_address:a] command = "` + plain + `": the program cannot be run: it is no file that may be executed`},
		"a loopback": {"[bgp]\nfrr_mode = observe\nloopbacks = 192.0.2.1\n[host_address:a]\naddress = 192.0.2.1\n",
			`1.conf:5: [host_address:a] address = "192.0.2.1": is one of [bgp] loopbacks, which are announced anyway; leave the group away`},
		"a slip": {"[host_adress:a]\naddress = 192.0.2.1\n", `1.conf:2: [host_adress:a]: no such group; meant is perhaps [host_address:NAME]`}, //nolint:misspell // a slip
	} {
		_, err := load(true, tt.text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if d := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(err.Error(), "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
