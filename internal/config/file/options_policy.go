package file

import (
	"net/netip"

	"ovnbgp/internal/config"
)

// policyHelp is what the options of [policy] have in common.
const policyHelp = "Which of the addresses that are this node's to announce may be. An empty list filters nothing. What a " +
	"deny list has is never announced. Where an allow list has entries, an address must be in it, and in every other " +
	"allow list that has entries. Addresses left out are named by status and explain, with the entry that did it. A " +
	"reload (SIGHUP) puts changes in force."

// policyOptions are pairs of an allow and a deny list, one pair for each property of an address.
func policyOptions() []option {
	at := func(s *config.Settings) *config.Policy { return &s.Node.Policy }
	var all []option
	pair := func(name string, allow, deny kind, allowHelp, denyHelp string) {
		all = append(all, option{Group: "policy", Name: "allow_" + name, kind: allow, Help: allowHelp},
			option{Group: "policy", Name: "deny_" + name, kind: deny, Help: denyHelp})
	}
	pair("cidrs", cidrs(func(s *config.Settings) *[]netip.Prefix { return &at(s).CIDRs.Allow }),
		cidrs(func(s *config.Settings) *[]netip.Prefix { return &at(s).CIDRs.Deny }),
		"Announce only what is within one of these. A subnet is announced as a whole or not at all: all of it must be "+
			"within one entry.",
		"Announce nothing that is in one of these. A subnet of which an entry has any part is not announced at all.")
	pair("networks", names("networks", func(s *config.Settings) *[]config.Name { return &at(s).Networks.Allow }),
		names("networks", func(s *config.Settings) *[]config.Name { return &at(s).Networks.Deny }),
		"Announce only addresses of these networks. A floating IP is of the external network that it is from, not of "+
			"its port's. Names are chosen by tenants and need not be unique: a name means every network that is called "+
			"so, and status says when there are several here. A UUID, or a row's name neutron-UUID, is never compared with "+
			"names that people gave: use those where it matters.",
		"Announce no addresses of these networks. Entries mean what they mean in allow_networks.")
	pair("routers", names("routers", func(s *config.Settings) *[]config.Name { return &at(s).Routers.Allow }),
		names("routers", func(s *config.Settings) *[]config.Name { return &at(s).Routers.Deny }),
		"Announce only addresses that these routers serve: their gateways, floating IPs, and what is behind them. A port "+
			"on a provider network is behind no router, so it is in no such list. Names are not unique, as in "+
			"allow_networks.",
		"Announce no addresses that these routers serve.")
	pair("external_ids", externalIDs(func(s *config.Settings) *[]config.Label { return &at(s).ExternalIDs.Allow }),
		externalIDs(func(s *config.Settings) *[]config.Label { return &at(s).ExternalIDs.Deny }),
		"Announce only where a row has one of these external_ids: the row that wants the address (port, NAT or load "+
			"balancer), its port, its network's logical switch, or its router. A key alone means any value.",
		"Announce nothing where one of those rows has one of these external_ids.")
	pair("tags", tags(func(s *config.Settings) *[]config.Tag { return &at(s).Tags.Allow }),
		tags(func(s *config.Settings) *[]config.Tag { return &at(s).Tags.Deny }),
		"Announce only where a row has one of these tags; the rows are those of allow_external_ids. Neutron does not "+
			"write its own tags into OVN. A tag is a word in external_ids:"+config.TagsKey+", which is set by hand: "+
			"ovn-nbctl set Logical_Switch neutron-UUID external_ids:"+config.TagsKey+"='\"public,edge\"'. Neutron makes "+
			"the row of a floating IP anew when it moves, and some of its releases write a port's external_ids as a "+
			"whole: tags of networks and routers last.",
		"Announce nothing where one of those rows has one of these tags.")
	return all
}
