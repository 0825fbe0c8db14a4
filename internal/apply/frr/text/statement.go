package text

import (
	"slices"
	"strings"
)

// settings are statements of which a block has one, whatever its value: a new value takes the place of the old. A star
// stands for one word.
func settings() []string {
	return []string{
		"bgp router-id", "bgp graceful-restart restart-time", "maximum-paths ibgp", "maximum-paths", "redistribute *",
		"neighbor * timers connect", "neighbor * timers", "neighbor * password", "neighbor * bfd profile",
		"neighbor * ebgp-multihop", "neighbor * ttl-security hops", "neighbor * update-source", "neighbor * description",
		"neighbor * maximum-prefix", "neighbor * maximum-prefix-out", "neighbor * allowas-in", "neighbor * remote-as",
		"neighbor * interface remote-as", "rd", "vni",
		"set community", "set large-community", "set local-preference", "set src",
		"match ip address", "match ipv6 address", "match interface", "match source-vrf", "match as-path",
		"detect-multiplier", "transmit-interval", "receive-interval",
		"ip protocol bgp", "ipv6 protocol bgp", "ip prefix-list * seq *", "ipv6 prefix-list * seq *",
	}
}

// setting returns what of a statement names the setting, "" if it is none.
func setting(path []string, line string) string {
	words := strings.Fields(line)
	if len(words) == 5 && words[0] == "neighbor" && words[2] == "route-map" {
		return strings.Join([]string{words[0], words[1], words[2], words[4]}, " ")
	}
	if len(words) == 4 && words[0] == "route-map" {
		return strings.Join([]string{words[0], words[1], words[3]}, " ")
	}
	if len(path) == 0 && !slices.Contains([]string{"ip", "ipv6"}, words[0]) {
		return ""
	}
	for _, pattern := range settings() {
		if key := matching(words, strings.Fields(pattern)); key != "" {
			return key
		}
	}
	return ""
}

// matching returns the words that the pattern covers, if the statement begins with it and goes on.
func matching(words, pattern []string) string {
	if len(words) < len(pattern) {
		return ""
	}
	for i, p := range pattern {
		if p != "*" && p != words[i] {
			return ""
		}
	}
	return strings.Join(words[:len(pattern)], " ")
}

// neighborOf returns the neighbour a statement is about, "" if it is about none.
func neighborOf(line string) string {
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "neighbor" {
		return ""
	}
	return words[1]
}

// negation returns the command that takes a statement away.
func negation(line string) string {
	if rest, isNo := strings.CutPrefix(line, "no "); isNo {
		return rest
	}
	words := strings.Fields(line)
	if len(words) == 4 && words[0] == "neighbor" && words[2] == "password" {
		return "no " + strings.Join(words[:3], " ") // what it was is nobody's business
	}
	return "no " + line
}

// kept tells statements of the top that say nothing about routing. They stay whoever wrote them.
func kept(line string) bool {
	for _, begin := range []string{"frr version ", "frr defaults ", "hostname ", "domainname ", "log ", "no log ", "service ",
		"no service ", "debug ", "username ", "password ", "enable ", "agentx", "ip forwarding", "no ip forwarding",
		"ipv6 forwarding", "no ipv6 forwarding", "line vty", "banner ", "no banner ", "mgmt ", "zebra nexthop-group ",
		"no zebra nexthop", "fpm ", "no fpm "} {
		if line == strings.TrimSpace(begin) || strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

// mute tells what FRR shows by itself: blocks with nothing in them, and the namespace that is a VRF.
func mute(path []string, b Block) bool {
	if len(path) == 1 {
		return strings.HasPrefix(path[0], "vrf ") && strings.HasPrefix(b.Line, "netns ")
	}
	return len(b.In) == 0 && stands(b.Line)
}

// stands tells blocks that cannot be taken away as such: only what is in them can.
func stands(line string) bool {
	return strings.HasPrefix(line, "address-family ") || strings.HasPrefix(line, "interface ") || strings.HasPrefix(line, "vrf ")
}
