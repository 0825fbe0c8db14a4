package desired

import (
	"net/netip"
	"testing"

	"ovnbgp/internal/config"
)

// config makes the settings of the rows "option NAME value=…", one an option, and of the row "config node"; the others are as by
// default.
func (r rows) config(t *testing.T) config.Node {
	t.Helper()
	c := r.settings(t)
	for key, a := range r {
		kind, name, _ := cutRow(key)
		if kind != "option" {
			continue
		}
		rd := reader{t: t, row: key, a: a, used: map[string]bool{}}
		if !setPolicy(&c.Policy, name, rd) {
			t.Fatalf("no such option: %q", key)
		}
	}
	return c
}

func setPolicy(p *config.Policy, name string, r reader) bool {
	for option, list := range map[string]*[]netip.Prefix{"allow_cidrs": &p.CIDRs.Allow, "deny_cidrs": &p.CIDRs.Deny} {
		if option == name {
			*list = r.prefixes("value")
			return true
		}
	}
	for option, list := range map[string]*[]config.Name{"allow_networks": &p.Networks.Allow,
		"deny_networks": &p.Networks.Deny, "allow_routers": &p.Routers.Allow, "deny_routers": &p.Routers.Deny} {
		if option == name {
			for _, word := range r.list("value") {
				*list = append(*list, config.Name(word))
			}
			return true
		}
	}
	for option, list := range map[string]*[]config.Tag{"allow_tags": &p.Tags.Allow, "deny_tags": &p.Tags.Deny} {
		if option == name {
			for _, word := range r.list("value") {
				*list = append(*list, config.Tag(word))
			}
			return true
		}
	}
	for option, list := range map[string]*[]config.Label{"allow_external_ids": &p.ExternalIDs.Allow,
		"deny_external_ids": &p.ExternalIDs.Deny} {
		if option == name {
			for key, value := range r.labels("value") {
				*list = append(*list, config.Label{Key: key, Value: value, AnyValue: value == ""})
			}
			return true
		}
	}
	return false
}
