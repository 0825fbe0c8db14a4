package desired

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
)

// subject is what a policy can select an address by: where it belongs, and the external_ids of the rows behind it.
type subject struct {
	network string // logical switch whose address it is
	router  string // logical router that serves it; "" when it is behind none
	labels  []labels
}

// labels are what a snapshot holds of a row's external_ids.
type labels struct {
	of  string // whose: "port vm1"
	ids map[string]string
}

// subject gathers what selects an address on a network and behind a router ("" for none): their own labels, and
// those of the rows that the caller names.
func (v *view) subject(network, router string, rows ...labels) subject {
	s := subject{network: network, router: router}
	if ls := v.switches[network]; ls != nil {
		rows = append(rows, labels{"network " + v.networkName(network), ls.Labels})
	}
	if r := v.routers[router]; r != nil {
		rows = append(rows, labels{"router " + v.routerName(router), r.Labels})
	}
	for _, row := range rows {
		if len(row.ids) > 0 {
			s.labels = append(s.labels, row)
		}
	}
	return s
}

// portLabels are those of a logical switch port, none when there is no such port.
func (v *view) portLabels(port string) labels {
	p := v.ports[port]
	if p == nil {
		return labels{}
	}
	return labels{"port " + v.portName(port), p.Labels}
}

// permit puts the policy over what would be announced: what it does not let pass becomes a decision that names the
// option and its entry. It comes before rows that want one address are compared, so that one which must not have it
// does not keep another from it.
func (v *view) permit(found []finding) {
	for i := range found {
		f := &found[i]
		if f.Verdict != model.Announced || f.kind == model.KindHost {
			continue
		}
		if no := v.refusal(f.prefix, f.subject); no != nil {
			no.Address, no.Key, no.Row, no.Node = f.Address, f.Key, f.Row, f.Node
			no.Text += ". Not announced: " + f.Text
			f.Decision = *no
		}
	}
}

// refusal says why the policy keeps a prefix from being announced: nil when it lets it pass. What is denied is never
// allowed; what no list of a kind speaks of passes that kind.
func (v *view) refusal(p netip.Prefix, s subject) *model.Decision {
	c := &v.c.Policy
	checks := []check{
		cidrCheck(c.CIDRs, p),
		v.networkCheck(c.Networks, s.network),
		v.routerCheck(c.Routers, s.router),
		labelCheck(c.ExternalIDs, s.labels),
		tagCheck(c.Tags, s.labels),
	}
	for _, c := range checks {
		if c.denied != "" {
			return suppressed("policy-deny-"+c.kind, fmt.Sprintf("[policy] deny_%s has %s, and %s", c.option, c.denied, c.is),
				fmt.Sprintf("to announce it, take %s out of deny_%s and reload", c.denied, c.option))
		}
	}
	for _, c := range checks {
		if c.missed {
			return suppressed("policy-not-allowed-"+c.kind, fmt.Sprintf("[policy] allow_%s has no entry for it: %s", c.option, c.is),
				fmt.Sprintf("to announce it, add to allow_%s and reload", c.option))
		}
	}
	return nil
}

// check is what one pair of lists says.
type check struct {
	kind, option string // "cidr", "cidrs"
	denied       string // the entry of the deny list that is met
	missed       bool   // the allow list has entries, and none is met
	is           string // what was compared, in words
}

// match compares with both lists. A comparison returns what it found, in words, and whether the entry is met.
func match[T fmt.Stringer](l config.Lists[T], c check, denies, allows func(T) (string, bool)) check {
	for _, e := range l.Deny {
		if is, met := denies(e); met {
			c.denied, c.is = e.String(), is
			return c
		}
	}
	c.missed = len(l.Allow) > 0 && !slices.ContainsFunc(l.Allow, func(e T) bool { _, met := allows(e); return met })
	return c
}

// cidrCheck denies what any part of is denied, and allows what lies within one entry: a prefix cannot be announced
// without a part of it.
func cidrCheck(l config.Lists[netip.Prefix], p netip.Prefix) check {
	is := "it is " + p.String()
	if p.IsSingleIP() {
		is = "it is " + p.Addr().String()
	}
	return match(l, check{kind: "cidr", option: "cidrs", is: is},
		func(e netip.Prefix) (string, bool) { return is, e.Overlaps(p) },
		func(e netip.Prefix) (string, bool) { return is, e.Bits() <= p.Bits() && e.Contains(p.Addr()) })
}

// nameCheck compares the names of a network, or a router, that an address may have; none says that it has none.
func nameCheck(l config.Lists[config.Name], kind, none, row, called string) check {
	is := none
	if row != "" {
		is = "its " + kind + " is " + bothNames(called, row)
	}
	meets := func(e config.Name) (string, bool) { return is, e.Means(row, called) }
	return match(l, check{kind: kind, option: kind + "s", is: is}, meets, meets)
}

func (v *view) networkCheck(l config.Lists[config.Name], ls string) check {
	called := ""
	if row := v.switches[ls]; row != nil {
		called = row.NetworkName
	}
	return nameCheck(l, "network", "it is on no network", ls, called)
}

func (v *view) routerCheck(l config.Lists[config.Name], router string) check {
	called := ""
	if row := v.routers[router]; row != nil {
		called = row.RouterName
	}
	return nameCheck(l, "router", "it is behind no router", router, called)
}

// bothNames is what people call a row and, where that is another, what OVN calls it.
func bothNames(called, name string) string {
	if called == "" || called == name {
		return name
	}
	return printable(called) + " (" + name + ")"
}

func labelCheck(l config.Lists[config.Label], rows []labels) check {
	meets := func(e config.Label) (string, bool) {
		for _, row := range rows {
			if value, has := row.ids[e.Key]; has && (e.AnyValue || value == e.Value) {
				return fmt.Sprintf("%s has %s=%s", row.of, e.Key, printable(value)), true
			}
		}
		return "", false
	}
	return match(l, check{kind: "external-id", option: "external_ids", is: "none of its rows has one of them"}, meets, meets)
}

func tagCheck(l config.Lists[config.Tag], rows []labels) check {
	meets := func(tag config.Tag) (string, bool) {
		for _, row := range rows {
			for word := range strings.SplitSeq(row.ids[config.TagsKey], ",") {
				if strings.TrimSpace(word) == tag.String() {
					return row.of + " has it", true
				}
			}
		}
		return "", false
	}
	return match(l, check{kind: "tag", option: "tags", is: "none of its rows has one of them"}, meets, meets)
}

// ambiguous notes names in the policy that several networks, or routers, here are called by. Each of them is meant.
func (v *view) ambiguous() {
	p := v.c.Policy
	if len(p.Networks.Allow)+len(p.Networks.Deny)+len(p.Routers.Allow)+len(p.Routers.Deny) == 0 {
		return
	}
	networks, routers := map[string][]string{}, map[string][]string{}
	for _, ls := range v.in.OVN.Switches {
		networks[ls.NetworkName] = append(networks[ls.NetworkName], ls.Name)
	}
	for _, r := range v.in.OVN.Routers {
		routers[r.RouterName] = append(routers[r.RouterName], r.Name)
	}
	for _, list := range []struct {
		option string
		names  []config.Name
		rows   map[string][]string
	}{
		{"allow_networks", p.Networks.Allow, networks}, {"deny_networks", p.Networks.Deny, networks},
		{"allow_routers", p.Routers.Allow, routers}, {"deny_routers", p.Routers.Deny, routers},
	} {
		for _, name := range list.names {
			rows := list.rows[name.String()]
			if len(rows) < 2 || name.IsID() {
				continue
			}
			slices.Sort(rows)
			v.note("policy-ambiguous", "[policy] "+list.option, fmt.Sprintf("%s is the name of %d rows, and means each of them: %s",
				name, len(rows), strings.Join(rows[:min(len(rows), 4)], ", ")), "name the one that is meant by its UUID")
		}
	}
}
