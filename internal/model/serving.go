package model

import (
	"fmt"
	"slices"
)

// Serving lists, in the words of ip(8) and ovs-ofctl(8), the objects made for this announcement and few others, and
// those of its bridge; what serves every announcement (the VRF, its device) is left out.
func (n Node) Serving(key string) []string {
	var found []string
	keep := func(serves []string, format string, args ...any) {
		if slices.Contains(serves, key) {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	for _, r := range n.Rules {
		keep(r.Serves, "rule to %s lookup %d", r.Prefix, r.Table)
	}
	for _, r := range n.Routes {
		via := ""
		if r.Gateway.IsValid() {
			via = " via " + r.Gateway.String()
		}
		keep(r.Serves, "route %s%s dev %s table %d", r.Prefix, via, r.Device, r.Table)
	}
	for _, x := range n.Neighbors {
		keep(x.Serves, "neighbour %s lladdr %s dev %s", x.IP, x.MAC, x.Device)
	}
	for _, p := range n.Proxies {
		keep(p.Serves, "proxy %s dev %s", p.IP, p.Device)
	}
	for _, a := range n.Addresses {
		keep(a.Serves, "address %s dev %s", a.Prefix, a.Device)
	}
	for _, l := range n.Links {
		keep(l.Serves, "link %s", l.Name)
	}
	for _, s := range n.Sysctls {
		keep(s.Serves, "sysctl net.ipv%d.conf.%s.%s = %s", s.Family, s.Device, s.Name, s.Value)
	}
	for _, f := range n.Flows {
		keep(f.Serves, "flow priority=%d,%s,in_port=%s actions=mod_dl_dst:%s,NORMAL on %s",
			f.Priority, f.EtherType, f.InPort, f.EthDst, f.Bridge)
	}
	for _, a := range n.Announcements {
		switch {
		case a.Key() != key:
		case a.Prefix.IsSingleIP():
			found = append(found, fmt.Sprintf("address %s dev %s", a.Prefix, n.VRF.Device))
		default:
			found = append(found, fmt.Sprintf("route %s dev %s table %d", a.Prefix, n.VRF.Device, n.VRF.Table))
		}
	}
	return found
}
