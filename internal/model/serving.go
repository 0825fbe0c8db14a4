package model

import (
	"fmt"
	"slices"
)

// Serving lists the objects made for this announcement and few others, and those of its bridge, as steps name them; what
// serves every announcement (the VRF, its device) is left out.
func (n Node) Serving(key string) []string {
	var found []string
	keep := func(serves []string, object fmt.Stringer) {
		if slices.Contains(serves, key) {
			found = append(found, object.String())
		}
	}
	for _, r := range n.Rules {
		keep(r.Serves, r)
	}
	for _, r := range n.Routes {
		keep(r.Serves, r)
	}
	for _, x := range n.Neighbors {
		keep(x.Serves, x)
	}
	for _, p := range n.Proxies {
		keep(p.Serves, p)
	}
	for _, a := range n.Addresses {
		keep(a.Serves, a)
	}
	for _, l := range n.Links {
		keep(l.Serves, l)
	}
	for _, s := range n.Sysctls {
		keep(s.Serves, s)
	}
	for _, f := range n.Flows {
		keep(f.Serves, f)
	}
	for _, a := range n.Announcements {
		var object fmt.Stringer = Route{Table: n.VRF.Table, Prefix: a.Prefix, Device: n.VRF.Device, Gateway: a.Gateway}
		if a.IsAddress() {
			object = Address{Device: n.VRF.Device, Prefix: a.Prefix}
		}
		keep([]string{a.Key()}, object)
	}
	return found
}
