package file

import (
	"net/netip"
	"net/url"
	"path/filepath"

	"ovnbgp/internal/config"
)

const hostAddressHelp = "An address of the host itself that is announced while a device has it, wherever it came from: " +
	"Pacemaker, keepalived, a person. With a check it is announced while that passes, too. The moment it goes it is " +
	"withdrawn. NAME is what status and explain call it. [policy] does not apply to it."

const hostAddressExample = `[host_address:api]
address = 192.0.2.100
http = http://127.0.0.1:8080/healthcheck

[host_address:database]
address = 192.0.2.101
command = /usr/local/bin/check-galera, --local, --timeout=1
interval = 5
timeout = 3
`

func hostAddressGroup() group {
	return group{Name: "host_address", Ours: true, Help: hostAddressHelp, Example: hostAddressExample,
		Named: func(n *named, name string) []option {
			n.hosts[name] = &config.HostAddress{Name: name}
			return hostAddressOptions(n.hosts[name])
		}}
}

func hostAddressOptions(h *config.HostAddress) []option {
	return []option{
		{Name: "address", kind: address(to(&h.Address)), Help: "The address. It is announced as a /32 or /128."},
		{Name: "http", kind: checkURL(to(&h.Check.HTTP)),
			Help: "Check: an answer to GET of this URL with a status from 200 to 399. Of https the certificate is not looked at."},
		{Name: "tcp", kind: hostPort(to(&h.Check.TCP)), Help: "Check: a TCP connection to this address and port."},
		{Name: "command", kind: arguments(to(&h.Check.Command)),
			Help: "Check: this program, by its path, ends with 0. Behind it stand its arguments, with commas between; no " +
				"shell looks at them."},
		{Name: "interval", Default: "2", kind: secondsTo(to(&h.Check.Interval), 1, 3600),
			Help: "Seconds from the end of one attempt to the next."},
		{Name: "timeout", Default: "1", kind: secondsTo(to(&h.Check.Timeout), 1, 60),
			Help: "An attempt that takes longer has failed."},
		{Name: "rise", Default: "2", kind: integer(to(&h.Check.Rise), 1, 100),
			Help: "After so many attempts in a row that succeed the address is announced again. The first attempt after the " +
				"address has come, or the agent has started, decides at once."},
		{Name: "fall", Default: "3", kind: integer(to(&h.Check.Fall), 1, 100),
			Help: "After so many attempts in a row that fail it is withdrawn."},
	}
}

func checkURL(at field[string]) kind {
	return scalar("URL", "a URL that begins with http:// or https://, or empty", at, optional(func(text string) (string, bool) {
		u, err := url.Parse(text)
		return text, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	}))
}

func hostPort(at field[string]) kind {
	return scalar("address and port", "an address and port such as 127.0.0.1:443 or [::1]:443, or empty", at,
		optional(func(text string) (string, bool) {
			a, err := netip.ParseAddrPort(text)
			return text, err == nil && a.Port() > 0
		}))
}

func arguments(at field[[]string]) kind {
	return kind{name: "program and arguments", allowed: "the absolute path of a program and its arguments, with commas between",
		list: true, store: func(s *config.Settings, _ string, items []string) bool {
			ok := len(items) == 0 || filepath.IsAbs(items[0])
			if ok {
				*at(s) = items
			}
			return ok
		}}
}
