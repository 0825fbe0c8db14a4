package fakekernel

import (
	"fmt"
	"slices"
	"strings"

	"ovnbgp/internal/client/netlink"
)

// String prints all that is there, as ip and sysctl would, one object a line, each kind sorted. Settings that are as
// the kernel has them by default are left out.
func (k *Kernel) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	section := func(lines []string) {
		slices.Sort(lines)
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	section(texts(k.links, k.linkText))
	section(texts(k.conf, k.confText))
	section(texts(k.addrs, func(a netlink.Addr) string { return a.Text(k.name) }))
	section(texts(k.routes, func(r netlink.Route) string { return r.Text(k.name) }))
	section(texts(k.rules, netlink.Rule.String))
	section(texts(k.neighs, k.neighText))
	section(texts(k.proxies, k.neighText))
	return b.String()
}

func texts[T any](list []T, text func(T) string) []string {
	var lines []string
	for _, o := range list {
		if line := text(o); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (k *Kernel) linkText(l netlink.Link) string {
	s := l.String()
	switch l.Kind {
	case "vrf":
		s += fmt.Sprintf(" table %d", l.Table)
	case "vlan":
		s += fmt.Sprintf(" id %d on %s", l.VLAN, k.name(l.Parent))
	}
	if l.Master != 0 {
		s += " master " + k.name(l.Master)
	}
	if l.AdminUp {
		s += " up"
	}
	if l.Alias != "" {
		s += " alias " + l.Alias
	}
	return s
}

func (k *Kernel) confText(c netlink.NetConf) string {
	if c.LinkIndex == netlink.ConfAll && !c.Forwarding {
		return fmt.Sprintf("sysctl net.%s.conf.all.forwarding=0", familyName(c.Family))
	}
	if !c.ProxyNeigh || c.LinkIndex < 0 {
		return ""
	}
	name := "proxy_arp"
	if c.Family == netlink.IPv6 {
		name = "proxy_ndp"
	}
	return "sysctl " + netlink.SysctlKey("net", familyName(c.Family), "conf", k.name(c.LinkIndex), name) + "=1"
}

func familyName(f netlink.Family) string {
	if f == netlink.IPv4 {
		return "ipv4"
	}
	return "ipv6"
}

func (k *Kernel) neighText(n netlink.Neighbor) string {
	s := n.Text(k.name)
	if n.Protocol != 0 {
		s += fmt.Sprintf(" proto %d", n.Protocol)
	}
	return s
}
