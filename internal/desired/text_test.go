package desired

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"ovnbgp/internal/model"
)

// stateText prints a state as ip, sysctl, ovs-ofctl and FRR would, one object a line; if asked, with the keys it
// serves behind it.
func stateText(n model.Node, withServes bool) string {
	var b strings.Builder
	line := func(serves []string, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		switch {
		case !withServes:
		case serves == nil:
			text += "  [all]"
		default:
			text += "  [" + strings.Join(trimKeys(serves), " ") + "]"
		}
		b.WriteString(text + "\n")
	}
	for _, l := range n.Links {
		line(l.Serves, "link %s", linkText(l))
	}
	for _, a := range n.Addresses {
		line(a.Serves, "%s", a)
	}
	for _, s := range n.Sysctls {
		required := ""
		if s.Required {
			required = " (required)"
		}
		line(s.Serves, "%s%s", s, required)
	}
	for _, r := range n.Rules {
		line(r.Serves, "%s", r)
	}
	for _, r := range n.Routes {
		line(r.Serves, "%s", r)
	}
	for _, nb := range n.Neighbors {
		line(nb.Serves, "neigh %s lladdr %s nud permanent dev %s", nb.IP, nb.MAC, nb.Device)
	}
	for _, p := range n.Proxies {
		line(p.Serves, "neigh proxy %s dev %s", p.IP, p.Device)
	}
	for _, f := range n.Flows {
		line(f.Serves, "flow %s priority=%d,%s,in_port=%d(%s) actions=mod_dl_dst:%s,NORMAL", f.Bridge, f.Priority,
			f.EtherType, f.OFPort, f.InPort, f.EthDst)
	}
	for _, bridge := range n.Unmapped {
		line(nil, "no flow on bridge %s", bridge)
	}
	line(nil, "leak as %d router-id %s vrf %s redistribute %s", n.Leak.AS, cmp.Or(n.Leak.RouterID, netip.IPv4Unspecified()), n.Leak.VRF,
		strings.Join(n.Leak.Redistribute, " "))
	for _, a := range n.Announcements {
		via := ""
		if a.Gateway.IsValid() {
			via = " via " + a.Gateway.String()
		}
		if a.AsRoute {
			via += " by route"
		}
		line([]string{a.Key()}, "announce %s%s dev %s kind %s%s because %s", a.Key(), via, a.Device, words(a.Kinds),
			a.Attributes, strings.Join(a.Whys, "; "))
	}
	return b.String()
}

// words joins what names itself.
func words[T ~string](list []T) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(s))
	}
	return b.String()
}

func linkText(l model.Link) string {
	switch l.Kind {
	case model.LinkVRF:
		return fmt.Sprintf("%s type vrf table %d", l.Name, l.Table)
	case model.LinkDummy:
		return fmt.Sprintf("%s type dummy master %s", l.Name, l.Master)
	case model.LinkVLAN:
		return fmt.Sprintf("%s@%s type vlan id %d", l.Name, l.Parent, l.VLAN)
	case model.LinkExisting:
	}
	return l.Name + " up"
}

func trimKeys(keys []string) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		_, list[i], _ = strings.Cut(k, " ")
	}
	return list
}

// decisionText prints decisions in the order they come.
func decisionText(list []model.Decision) string {
	var b strings.Builder
	for _, d := range list {
		what := "-"
		if d.Address.IsValid() {
			what = d.Address.String()
		}
		if _, prefix, _ := strings.Cut(d.Key, " "); strings.HasPrefix(prefix, what+"/") {
			what = strings.TrimSuffix(strings.TrimSuffix(prefix, "/32"), "/128") // a host's, else a subnet
		}
		fmt.Fprintf(&b, "%s: %s (%s", what, d.Verdict, d.Reason)
		if d.Evidence != "" && d.Evidence != model.Explained {
			fmt.Fprintf(&b, ", %s", d.Evidence)
		}
		fmt.Fprintf(&b, ") %s [%s]\n", d.Text, d.Row)
	}
	return b.String()
}

// difference lists the lines of b that a has not, and those of a that b has not.
func difference(a, b string) string {
	var out strings.Builder
	only := func(sign, text, other string) {
		there := map[string]bool{}
		for line := range strings.Lines(other) {
			there[line] = true
		}
		for line := range strings.Lines(text) {
			if !there[line] {
				out.WriteString(sign + line)
			}
		}
	}
	only("- ", a, b)
	only("+ ", b, a)
	return out.String()
}
