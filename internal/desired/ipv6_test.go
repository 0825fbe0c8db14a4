package desired

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ovnbgp/internal/fake/neutron"
)

// global makes the fixtures' IPv6 addresses, which are for documentation, global unicast.
func global(row string) string { return strings.ReplaceAll(row, "2001:db8:", "2a00:db8:") }

// overIPv6 moves the tenant networks of the fixtures with load balancers, the VIPs and the floating IPs to IPv6: what
// Octavia makes where a user asks for it, but for the UUIDs. The gateways keep both families.
func overIPv6() func(row string) string {
	type rule struct {
		from *regexp.Regexp
		to   string
	}
	var rules []rule
	for from, to := range map[string]string{`10\.0\.0\.(\d+)`: "2a00:db8:aaaa::$1", `203\.0\.113\.(19\d)`: "2a00:db8:f::$1"} {
		rules = append(rules, rule{regexp.MustCompile(from + "/24"), to + "/64"},
			rule{regexp.MustCompile(from + `:(\d+)`), "[" + to + "]:$2"}, rule{regexp.MustCompile(from), to})
	}
	slices.SortStableFunc(rules, func(a, b rule) int { return len(b.from.String()) - len(a.from.String()) })
	return func(row string) string {
		row = global(row)
		for _, r := range rules {
			row = r.from.ReplaceAllString(row, r.to)
		}
		return row
	}
}

// TestNeutronIPv6 has the load balancers of the fixtures on IPv6: what the tables that were made by hand say of IPv4
// must hold of it. Where only global addresses of tenants are exposed, these are.
func TestNeutronIPv6(t *testing.T) {
	rewrite := overIPv6()
	scenarios, err := neutron.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	seen, checked := map[netip.Addr]bool{}, 0
	for options, table := range map[string]announcedTable{"": readAnnounced(t), "expose=true": readTenants(t)["expose=true"],
		"gua=true": readTenants(t)["expose=true"], "expose=true method=subnet": readTenants(t)["expose=true method=subnet"]} {
		c := rows{}.apply(t, "config node "+options).settings(t)
		for _, scenario := range scenarios {
			if scenario.Name != "p" && scenario.Name != "pc" {
				continue
			}
			for _, step := range scenario.Steps {
				cloud, err := step.Rewritten(rewrite).Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				for _, lb := range cloud.Balancers {
					for _, vip := range lb.VIPs {
						seen[vip] = true
					}
				}
				want, there := table[step.Name]
				if !there {
					continue
				}
				for _, node := range []string{"compute1", "compute2", "gw1", "gw2"} {
					checkNeutron(t, step.Name+" on "+node+" with "+options, seenFrom(node, cloud), c, rewritten(t, want[node], rewrite))
					checked++
				}
			}
		}
	}
	for vip := range seen {
		if vip.Is4() {
			t.Errorf("VIP %s is IPv4", vip)
		}
	}
	if len(seen) < 3 || checked < 200 {
		t.Errorf("%d VIPs, and %d nodes checked", len(seen), checked)
	}
}

// rewritten are addresses and prefixes after a change of their texts, sorted as announcements are.
func rewritten(t *testing.T, list []string, rewrite func(string) string) (out []string) {
	t.Helper()
	var prefixes []netip.Prefix
	for _, text := range list {
		text = rewrite(text)
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a := netip.MustParseAddr(text)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		prefixes = append(prefixes, p)
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	for _, p := range prefixes {
		out = append(out, prefixText(p))
	}
	return out
}

// prefixText is how the tables write a prefix: a single address without its length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
