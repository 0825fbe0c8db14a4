package file

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ovnbgp/internal/config"
)

// A kind is how an option's text becomes a value. Its allowed text completes "must be …".
type kind struct {
	name    string // for the reference file: "seconds"
	allowed string
	list    bool
	commas  bool // of a list: an item may have a comma in it, and is quoted then
	// bad is the first item that is none, of a list.
	bad func(items []string) string
	// store parses and stores. Text is the value, interpolated; items are the same as a list.
	store func(s *config.Settings, text string, items []string) bool
}

// field points into the settings.
type field[T any] func(*config.Settings) *T

func scalar[T any](name, allowed string, at field[T], parse func(string) (T, bool)) kind {
	return kind{name: name, allowed: allowed, store: func(s *config.Settings, text string, _ []string) bool {
		v, ok := parse(strings.TrimSpace(text))
		if ok {
			*at(s) = v
		}
		return ok
	}}
}

func listOf[T any](name, allowed string, at field[[]T], parse func(string) (T, bool)) kind {
	bad := func(items []string) string {
		for _, item := range items {
			if _, ok := parse(item); !ok {
				return item
			}
		}
		return ""
	}
	return kind{name: name, allowed: allowed, list: true, bad: bad,
		store: func(s *config.Settings, _ string, items []string) bool {
			var all []T
			for _, item := range items {
				v, ok := parse(item)
				if !ok {
					return false
				}
				all = append(all, v)
			}
			*at(s) = all
			return true
		}}
}

// optional makes an empty value the zero value.
func optional[T any](parse func(string) (T, bool)) func(string) (T, bool) {
	return func(text string) (T, bool) {
		if text == "" {
			var zero T
			return zero, true
		}
		return parse(text)
	}
}

func boolean(at field[bool]) kind {
	return scalar("boolean", truthAllowed, at, truth)
}

const truthAllowed = "true or false (also yes, no, on, off, 1, 0)"

// truth reads a boolean as oslo.config does.
func truth(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1", "on", "yes":
		return true, true
	case "false", "0", "off", "no":
		return false, true
	}
	return false, false
}

func choice[T ~string](at field[T], values ...string) kind {
	return scalar("string", oneOf(values), at, func(text string) (T, bool) {
		return T(text), slices.Contains(values, text)
	})
}

func oneOf(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return "one of " + strings.Join(values, ", ")
}

func integer(at field[int], low, high int) kind {
	return scalar("integer", fmt.Sprintf("a whole number from %d to %d", low, high), at,
		func(text string) (int, bool) { return parseInt(text, low, high) })
}

// maxSeconds is a year: more is a mistake, and far from what a duration can hold.
const maxSeconds = 365 * 24 * 3600

func seconds(at field[time.Duration], low int) kind { return secondsTo(at, low, maxSeconds) }

func parseInt(text string, low, high int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= low && n <= high
}

func port(at field[uint16]) kind {
	return scalar("port", "a port number from 1 to 65535", at, func(text string) (uint16, bool) {
		n, err := strconv.ParseUint(text, 10, 16)
		return uint16(n), err == nil && n > 0
	})
}

func asNumber(at field[uint32]) kind {
	return scalar("AS number", "an AS number from 1 to 4294967295, or as 1.10", at, parseAS)
}

// parseAS accepts asplain and the asdot form of RFC 5396.
func parseAS(text string) (uint32, bool) {
	high, low, dotted := strings.Cut(text, ".")
	if !dotted {
		n, err := strconv.ParseUint(text, 10, 32)
		return uint32(n), err == nil && n > 0
	}
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	return uint32(h<<16 | l), err1 == nil && err2 == nil && h<<16|l > 0
}

// table refuses the kernel's own: 0 is unspecified, 253 default, 254 main, 255 local.
func table(at field[uint32]) kind {
	return scalar("integer", "a routing table from 1 to 4294967295, but not 253, 254 or 255", at,
		func(text string) (uint32, bool) {
			n, err := strconv.ParseUint(text, 10, 32)
			return uint32(n), err == nil && n > 0 && (n < 253 || n > 255)
		})
}

func address(at field[netip.Addr]) kind {
	return scalar("IP address", "an IPv4 or IPv6 address, or empty", at, optional(parseAddress))
}

func addresses(at field[[]netip.Addr]) kind {
	return listOf("list of IP addresses", "IPv4 or IPv6 addresses with commas between", at, parseAddress)
}

func parseAddress(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && a.Zone() == "" && !a.IsUnspecified()
}

func routerID(at field[netip.Addr]) kind {
	return scalar("IPv4 address", "an IPv4 address, or empty", at, optional(func(text string) (netip.Addr, bool) {
		a, ok := parseAddress(text)
		return a, ok && a.Is4()
	}))
}

func prefixes(at field[[]netip.Prefix]) kind {
	return listOf("list of prefixes", "prefixes such as 192.0.2.0/24 with commas between", at,
		func(text string) (netip.Prefix, bool) {
			p, err := netip.ParsePrefix(text)
			return p.Masked(), err == nil
		})
}

// cidrs are prefixes to compare addresses with. Bits behind the length are a slip of the pen that would select
// another range than was meant, or than a reader believes.
func cidrs(at field[[]netip.Prefix]) kind {
	return listOf("list of prefixes", cidrsAllowed, at, func(text string) (netip.Prefix, bool) {
		if a, ok := parseAddress(text); ok {
			return netip.PrefixFrom(a, a.BitLen()), !a.Is4In6()
		}
		p, err := netip.ParsePrefix(text)
		return p, err == nil && p == p.Masked() && !p.Addr().Is4In6()
	})
}

const cidrsAllowed = "prefixes such as 192.0.2.0/24 or addresses, with commas between, no bit set behind a prefix's length"

// names are what rows are called. People give rows names with spaces and commas.
func names(rows string, at field[[]config.Name]) kind {
	k := listOf("list of "+rows, namesAllowed(rows), at, func(text string) (config.Name, bool) {
		return config.Name(text), isPrintable(text)
	})
	k.commas = true
	return k
}

func namesAllowed(rows string) string {
	return rows + " with commas between, each by its Neutron UUID, the name of its row in OVN or the name that people " +
		"gave it; a name with a comma in it is quoted"
}

func tags(at field[[]config.Tag]) kind {
	return listOf("list of tags", "words with commas between", at, func(text string) (config.Tag, bool) {
		return config.Tag(text), isPrintable(text) && !strings.ContainsFunc(text, unicode.IsSpace)
	})
}

func externalIDs(at field[[]config.Label]) kind {
	k := listOf("list of external_ids", "external_ids with commas between, each key or key=value", at,
		func(text string) (config.Label, bool) {
			key, value, given := strings.Cut(text, "=")
			key = strings.TrimSpace(key)
			return config.Label{Key: key, Value: strings.TrimSpace(value), AnyValue: !given},
				key != "" && isPrintable(text) && !strings.ContainsFunc(key, unicode.IsSpace)
		})
	k.commas = true
	return k
}

func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func addrPort(at field[netip.AddrPort]) kind {
	return scalar("address and port", "an address and port such as 127.0.0.1:9474, or empty", at,
		optional(func(text string) (netip.AddrPort, bool) {
			a, err := netip.ParseAddrPort(text)
			return a, err == nil
		}))
}

func text(at field[string]) kind {
	return scalar("string", "text in one line", at, func(text string) (string, bool) {
		return text, !strings.Contains(text, "\n")
	})
}

// device is a network device's name. It is narrower than what the kernel allows, because names reach FRR's
// command line.
func device(at field[string]) kind {
	return scalar("device name", deviceAllowed, at, parseDevice)
}

func optionalDevice(at field[string]) kind {
	return scalar("device name", deviceAllowed+", or empty", at, optional(parseDevice))
}

func devices(at field[[]string]) kind {
	return listOf("list of device names", "device names with commas between, each "+deviceAllowed, at, parseDevice)
}

const deviceAllowed = "a device name: 1 to 15 of letters, digits, dot, underscore, hyphen"

func parseDevice(text string) (string, bool) {
	if len(text) < 1 || len(text) > 15 || text == "." || text == ".." {
		return text, false
	}
	for _, c := range text {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._-", c)) {
			return text, false
		}
	}
	return text, true
}

func path(at field[string]) kind {
	return scalar("path", "an absolute path", at, func(text string) (string, bool) {
		return text, filepath.IsAbs(text) && !strings.ContainsAny(text, "\n\x00")
	})
}

// uuids are kept in lower case, as OVN's rows have them.
func uuids(at field[[]string]) kind {
	return listOf("list of UUIDs", "UUIDs with commas between", at, func(text string) (string, bool) {
		text = strings.ToLower(text)
		for i, c := range text {
			hyphen := i == 8 || i == 13 || i == 18 || i == 23
			if hyphen != (c == '-') || !hyphen && !strings.ContainsRune("0123456789abcdef", c) {
				return text, false
			}
		}
		return text, len(text) == 36
	})
}

const endpointAllowed = "unix:/PATH, tcp:HOST:PORT or ssl:HOST:PORT (an IPv6 HOST in brackets)"

func endpoint(at field[string]) kind {
	return scalar("connection", endpointAllowed, at, parseEndpoint)
}

func endpoints(at field[[]string]) kind {
	return listOf("connections", endpointAllowed+"; several with commas between", at, parseEndpoint)
}

func parseEndpoint(text string) (string, bool) {
	method, rest, _ := strings.Cut(text, ":")
	switch method {
	case "unix":
		return text, filepath.IsAbs(rest)
	case "tcp", "ssl":
		colon := strings.LastIndexByte(rest, ':')
		if colon < 0 {
			return text, false
		}
		_, ok := parseInt(rest[colon+1:], 1, 65535)
		return text, ok && parseHost(rest[:colon])
	}
	return text, false
}

func parseHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && a.Is6() && strings.HasSuffix(inner, "]")
	}
	return host != "" && !strings.ContainsAny(host, " \t\n:/[]")
}
