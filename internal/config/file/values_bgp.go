package file

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

func secondsTo(at field[time.Duration], low, high int) kind {
	return scalar("seconds", secondsAllowed(low, high), at, parseSeconds(low, high))
}

func optionalSeconds(at field[time.Duration], low, high int) kind {
	return scalar("seconds", secondsAllowed(low, high)+", or empty", at, optional(parseSeconds(low, high)))
}

func secondsAllowed(low, high int) string {
	return fmt.Sprintf("a whole number of seconds from %d to %d", low, high)
}

func parseSeconds(low, high int) func(string) (time.Duration, bool) {
	return func(text string) (time.Duration, bool) {
		n, ok := parseInt(text, low, high)
		return time.Duration(n) * time.Second, ok
	}
}

// milliseconds are of BFD: what FRR takes.
func milliseconds(at field[time.Duration]) kind {
	return scalar("milliseconds", "a whole number of milliseconds from 10 to 60000", at, func(text string) (time.Duration, bool) {
		n, ok := parseInt(text, 10, 60000)
		return time.Duration(n) * time.Millisecond, ok
	})
}

// count is a number of prefixes.
func count(at field[uint32]) kind {
	return scalar("integer", "a whole number from 0 to 4294967295", at, parseNumber)
}

func parseNumber(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

func optionalNumber(at field[*uint32]) kind {
	return scalar("integer", "a whole number from 0 to 4294967295, or empty", at, optional(pointerTo(parseNumber)))
}

func optionalBoolean(at field[*bool]) kind {
	return scalar("boolean", "true or false (also yes, no, on, off, 1, 0), or empty", at, optional(pointerTo(truth)))
}

func pointerTo[T any](parse func(string) (T, bool)) func(string) (*T, bool) {
	return func(text string) (*T, bool) {
		v, ok := parse(text)
		return &v, ok
	}
}

func optionalPath(at field[string]) kind {
	return scalar("path", "an absolute path, or empty", at, optional(func(text string) (string, bool) {
		return text, filepath.IsAbs(text) && !strings.ContainsAny(text, "\n\x00")
	}))
}

// noProfile stands for no BFD where a profile is named.
const noProfile = "none"

func profileName(at field[string]) kind {
	return scalar("BFD profile", "the name of a BFD profile, none, or empty", at, optional(func(text string) (string, bool) {
		return text, isName(text)
	}))
}

// maxName keeps what is made of a name (route maps, prefix lists) within what FRR prints in one piece.
const maxName = 32

// isName tells whether a text can name a group of ours. It is narrow, because names reach FRR's command line.
func isName(text string) bool {
	if text == "" || len(text) > maxName {
		return false
	}
	return !strings.ContainsFunc(text, func(c rune) bool {
		return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune("._-", c))
	})
}

func peerAS(at field[model.PeerAS]) kind {
	return scalar("AS", "an AS number from 1 to 4294967295, or as 1.10, internal or external", at,
		func(text string) (model.PeerAS, bool) {
			switch text {
			case string(model.ASInternal), string(model.ASExternal):
				return model.PeerAS{Kind: model.PeerASKind(text)}, true
			case "":
				return model.PeerAS{}, true // whether it is written is asked later
			}
			n, ok := parseAS(text)
			return model.PeerAS{Kind: model.ASNumber, Number: n}, ok
		})
}

func multihop(at field[int]) kind {
	return scalar("integer", "0, or a whole number from 2 to 255", at, func(text string) (int, bool) {
		n, ok := parseInt(text, 0, 255)
		return n, ok && n != 1
	})
}

func families(at field[[]model.BGPFamily]) kind {
	known := map[string]model.BGPFamily{"ipv4": model.IPv4Unicast, "ipv6": model.IPv6Unicast, "evpn": model.EVPN}
	return listOf("list of families", "ipv4, ipv6, evpn with commas between", at, func(text string) (model.BGPFamily, bool) {
		f, ok := known[text]
		return f, ok
	})
}

func communities(at field[[]model.Community]) kind {
	return listOf("list of communities", "communities such as 64999:100 with commas between, or no-export, no-advertise, "+
		"no-peer, blackhole", at, parseCommunity)
}

func parseCommunity(text string) (model.Community, bool) {
	known := map[string]model.Community{"no-export": 0xffff_ff01, "no-advertise": 0xffff_ff02, "no-peer": 0xffff_ff04,
		"blackhole": 0xffff_029a}
	if c, ok := known[text]; ok {
		return c, true
	}
	numbers, ok := parseNumbers(text, 2, 16)
	if !ok {
		return 0, false
	}
	return model.Community(numbers[0]<<16 | numbers[1]), true
}

func largeCommunities(at field[[]model.LargeCommunity]) kind {
	return listOf("list of large communities", "large communities such as 64999:1:2 with commas between", at,
		func(text string) (model.LargeCommunity, bool) {
			n, ok := parseNumbers(text, 3, 32)
			if !ok {
				return model.LargeCommunity{}, false
			}
			return model.LargeCommunity{Global: n[0], Local1: n[1], Local2: n[2]}, true
		})
}

// parseNumbers parses so many numbers of so many bits with colons between.
func parseNumbers(text string, how, bits int) ([]uint32, bool) {
	var numbers []uint32
	for part := range strings.SplitSeq(text, ":") {
		n, err := strconv.ParseUint(part, 10, bits)
		if err != nil {
			return nil, false
		}
		numbers = append(numbers, uint32(n))
	}
	return numbers, len(numbers) == how
}

func filterIn(at field[filter]) kind { return filterOf(at, "default") }

func filterOut(at field[filter]) kind { return filterOf(at, "own, default") }

// filterOf is a filter in which these words may stand beside prefixes.
func filterOf(at field[filter], words string) kind {
	allowed := "all; none; or any of " + words + " and prefixes such as 10.0.0.0/8 ge 24 le 32, with commas between, no bit " +
		"set behind a prefix's length"
	return kind{name: "filter", allowed: allowed, list: true, store: func(s *config.Settings, _ string, items []string) bool {
		f, ok := parseFilter(items, strings.Contains(words, "own"))
		if ok {
			*at(s) = f
		}
		return ok
	}}
}

func parseFilter(items []string, own bool) (f filter, ok bool) {
	for _, item := range items {
		switch item {
		case "all":
			f.All = true
		case "none":
			f.none = true
		case "default":
			f.Default = true
		case "own":
			f.Own = own
			if !own {
				return f, false
			}
		default:
			r, ok := parseRange(item)
			if !ok {
				return f, false
			}
			f.Prefixes = append(f.Prefixes, r)
		}
	}
	slices.SortFunc(f.Prefixes, compareRanges)
	f.Prefixes = slices.Compact(f.Prefixes)
	alone := f.All || f.none
	return f, len(items) > 0 && (!alone || len(items) == 1)
}

func compareRanges(a, b model.PrefixRange) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		cmp.Compare(a.GE, b.GE), cmp.Compare(a.LE, b.LE))
}

// parseRange parses "10.0.0.0/8 ge 24 le 32"; either bound may be left out.
func parseRange(text string) (model.PrefixRange, bool) {
	words := strings.Fields(text)
	if len(words)%2 == 0 {
		return model.PrefixRange{}, false
	}
	p, err := netip.ParsePrefix(words[0])
	if err != nil || p != p.Masked() || p.Addr().Is4In6() {
		return model.PrefixRange{}, false
	}
	r := model.PrefixRange{Prefix: p, GE: p.Bits(), LE: p.Bits()}
	bound := map[string]int{}
	for i := 1; i < len(words); i += 2 {
		n, ok := parseInt(words[i+1], p.Bits(), p.Addr().BitLen())
		if _, again := bound[words[i]]; !ok || again || words[i] != "ge" && words[i] != "le" {
			return r, false
		}
		bound[words[i]] = n
	}
	ge, hasGE := bound["ge"]
	le, hasLE := bound["le"]
	if hasGE {
		r.GE, r.LE = ge, p.Addr().BitLen()
	}
	if hasLE {
		r.LE = le
	}
	return r, r.GE <= r.LE
}
