package desired

import (
	"net/netip"
	"testing"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// What a policy takes back was asked for by whoever wrote it: the guard must not hold it.
func TestPolicyExplainsWithdrawals(t *testing.T) {
	in := bigCloud(0, 20)
	c := defaults()
	c.Policy.CIDRs.Deny = []netip.Prefix{netip.MustParsePrefix("100.0.0.0/8")}
	n, decisions := Node(in, c)
	if len(n.Announcements) != 0 || len(decisions) != 20 {
		t.Fatalf("%d announcements, %d decisions", len(n.Announcements), len(decisions))
	}
	for _, d := range decisions {
		if d.Reason != "policy-deny-cidr" || d.Evidence != model.Explained || d.Fix == "" || d != Why(in, c, d.Address) {
			t.Errorf("decision %+v", d)
		}
	}
}

// A subnet is announced whole or not at all.
func TestPolicyOnPrefixes(t *testing.T) {
	list := func(text ...string) (out []netip.Prefix) {
		for _, s := range text {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	subnet := netip.MustParsePrefix("10.0.0.0/24")
	for _, tt := range []struct {
		name        string
		allow, deny []netip.Prefix
		want        string
	}{
		{"no lists", nil, nil, ""},
		{"a part is denied", nil, list("10.0.0.7/32"), "policy-deny-cidr"},
		{"it is part of what is denied", nil, list("10.0.0.0/8"), "policy-deny-cidr"},
		{"others are denied", nil, list("10.0.1.0/24", "2001:db8::/32"), ""},
		{"it is within what is allowed", list("10.0.0.0/23"), nil, ""},
		{"a part is allowed", list("10.0.0.0/25"), nil, "policy-not-allowed-cidr"},
		{"its halves are allowed, each by itself", list("10.0.0.0/25", "10.0.0.128/25"), nil, "policy-not-allowed-cidr"},
		{"allowed, and a part denied", list("10.0.0.0/8"), list("10.0.0.0/30"), "policy-deny-cidr"},
	} {
		c := defaults()
		c.Policy.CIDRs = config.Lists[netip.Prefix]{Allow: tt.allow, Deny: tt.deny}
		got := ""
		if d := newView(&Input{}, c).refusal(subnet, subject{}); d != nil {
			got = d.Reason
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
