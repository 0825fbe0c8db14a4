package model

import (
	"fmt"
	"strings"
)

// The texts of objects are those of steps, of the status and of explanations alike, so that one can be looked for in the
// other. They are in the words of ip(8), sysctl(8) and ovs-ofctl(8).

// String returns "link br-ex.100 type vlan id 100 on br-ex".
func (l Link) String() string {
	switch l.Kind {
	case LinkVRF:
		return fmt.Sprintf("link %s type vrf table %d", l.Name, l.Table)
	case LinkDummy:
		return fmt.Sprintf("link %s type dummy master %s", l.Name, l.Master)
	case LinkVLAN:
		return fmt.Sprintf("link %s type vlan id %d on %s", l.Name, l.VLAN, l.Parent)
	case LinkExisting:
	}
	return "link " + l.Name
}

// String returns "address 169.254.0.1/32 dev br-ex".
func (a Address) String() string { return "address " + a.Prefix.String() + " dev " + a.Device }

// Path is where the setting stands under /proc/sys: "net", "ipv4", "conf", "br-ex", "proxy_arp".
func (s Sysctl) Path() []string {
	return []string{"net", fmt.Sprintf("ipv%d", s.Family), "conf", s.Device, s.Name}
}

// Setting returns what sysctl(8) takes: "net.ipv4.conf.br-ex/100.proxy_arp=1". The dots of a device's name become
// slashes.
func (s Sysctl) Setting() string {
	path := s.Path()
	for i, p := range path {
		path[i] = strings.ReplaceAll(p, ".", "/")
	}
	return strings.Join(path, ".") + "=" + s.Value
}

// String returns "sysctl net.ipv4.conf.br-ex.proxy_arp=1".
func (s Sysctl) String() string { return "sysctl " + s.Setting() }

// String returns "rule to 203.0.113.9/32 lookup 10". A rule without a prefix is one for all destinations.
func (r Rule) String() string {
	if !r.Prefix.IsValid() {
		return fmt.Sprintf("rule to all lookup %d", r.Table)
	}
	return fmt.Sprintf("rule to %s lookup %d", r.Prefix, r.Table)
}

// String returns "route 10.7.0.0/24 via 203.0.113.2 dev br-ex table 10".
func (r Route) String() string {
	if r.NextHops != nil {
		return r.learned()
	}
	via := ""
	if r.Gateway.IsValid() {
		via = " via " + r.Gateway.String()
	}
	return fmt.Sprintf("route %s%s dev %s table %d", r.Prefix, via, r.Device, r.Table)
}

// learned returns "route 0.0.0.0/0 nexthop via fe80::1 dev eth1 src 10.0.0.1 table 254 metric 20".
func (r Route) learned() string {
	var b strings.Builder
	fmt.Fprintf(&b, "route %s", r.Prefix)
	for _, hop := range r.NextHops {
		fmt.Fprintf(&b, " nexthop via %s", hop.Gateway)
		if hop.Device != "" {
			fmt.Fprintf(&b, " dev %s", hop.Device)
		}
	}
	if r.Source.IsValid() {
		fmt.Fprintf(&b, " src %s", r.Source)
	}
	fmt.Fprintf(&b, " table %d metric %d", r.Table, r.Metric)
	return b.String()
}

// String returns "neighbour 203.0.113.9 lladdr fa:16:3e:00:00:09 dev br-ex".
func (n Neighbor) String() string {
	return fmt.Sprintf("neighbour %s lladdr %s dev %s", n.IP, n.MAC, n.Device)
}

// String returns "proxy 2001:db8::9 dev br-ex".
func (p Proxy) String() string { return "proxy " + p.IP.String() + " dev " + p.Device }

// String returns "flow br-ex priority=900,ip,in_port=patch-provnet", without the port's number, which the switch gives
// and may change.
func (f Flow) String() string {
	port := f.InPort
	if port == "" {
		port = "(localnet " + f.Localnet + ")"
	}
	return fmt.Sprintf("flow %s priority=%d,%s,in_port=%s", f.Bridge, f.Priority, f.EtherType, port)
}

// String returns " community 64999:100 large-community 64999:1:2 local-preference 200", each word behind a blank: it ends
// the text of what has the attributes.
func (a Attributes) String() string {
	var b strings.Builder
	for _, c := range a.Communities {
		b.WriteString(" community " + c.String())
	}
	for _, c := range a.LargeCommunities {
		b.WriteString(" large-community " + c.String())
	}
	if a.LocalPreference != nil {
		fmt.Fprintf(&b, " local-preference %d", *a.LocalPreference)
	}
	return b.String()
}

// String returns " own default [10.0.0.0/8 le 24] local-preference 200", as Attributes.String does; "" where nothing passes.
func (f Filter) String() string {
	var b strings.Builder
	for _, w := range []struct {
		word string
		set  bool
	}{{"all", f.All}, {"own", f.Own}, {"default", f.Default}} {
		if w.set {
			b.WriteString(" " + w.word)
		}
	}
	for _, r := range f.Prefixes {
		b.WriteString(" [" + r.String() + "]")
	}
	return b.String() + f.Attributes.String()
}
