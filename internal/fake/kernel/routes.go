package fakekernel

import (
	"slices"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/netlink"
)

// sameSlot tells whether one route would replace the other.
func sameSlot(a, b netlink.Route) bool {
	return a.Table == b.Table && a.Dst == b.Dst && a.TOS == b.TOS && a.Metric == b.Metric
}

// normal is a route as the kernel tells it.
func normal(r netlink.Route) netlink.Route {
	r.Dst = r.Dst.Masked()
	if !isIPv4(r.Dst) {
		r.Scope = netlink.ScopeUniverse
		if r.Metric == 0 {
			r.Metric = netlink.MetricIPv6
		}
	}
	return r
}

// RouteAdd writes a route where there is none.
func (k *Kernel) RouteAdd(r netlink.Route) error { return k.putRoute("add", r, false) }

// RouteReplace writes a route, in place of one of the same table, destination, tos and metric.
func (k *Kernel) RouteReplace(r netlink.Route) error { return k.putRoute("replace", r, true) }

func (k *Kernel) putRoute(verb string, r netlink.Route, replace bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := r.Text(k.name)
	if err := k.write("%s %s", verb, text); err != nil {
		return err
	}
	if errno := k.up(r.LinkIndex); errno != 0 {
		return refuse(errno, "%s %s", verb, text)
	}
	if errno := k.refusesIPv6(r.Dst, r.LinkIndex); errno != 0 {
		return refuse(errno, "%s %s", verb, text)
	}
	r = normal(r)
	for i, have := range k.routes {
		if !sameSlot(have, r) {
			continue
		}
		if !replace {
			return refuse(unix.EEXIST, "%s %s", verb, text)
		}
		k.routes[i] = r
		return nil
	}
	k.routes = append(k.routes, r)
	return nil
}

// RouteDel deletes the route with these values; a protocol of 0 matches any.
func (k *Kernel) RouteDel(r netlink.Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("delete %s", r.Text(k.name)); err != nil {
		return err
	}
	r = normal(r)
	i := slices.IndexFunc(k.routes, func(have netlink.Route) bool {
		return sameSlot(have, r) && (r.Protocol == 0 || have.Protocol == r.Protocol) &&
			(r.LinkIndex == 0 || have.LinkIndex == r.LinkIndex) && (!r.Gateway.IsValid() || have.Gateway == r.Gateway)
	})
	if i >= 0 {
		k.routes = slices.Delete(k.routes, i, i+1)
	}
	return nil
}

// RuleAdd adds a rule after those of its priority. Rules may differ by protocol only.
func (k *Kernel) RuleAdd(r netlink.Rule) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("add %s", r); err != nil {
		return err
	}
	if slices.Contains(k.rules, r) {
		return refuse(unix.EEXIST, "add %s", r)
	}
	k.rules = append(k.rules, r)
	return nil
}

// RuleDel deletes the oldest rule with these values; a protocol of 0 matches any.
func (k *Kernel) RuleDel(r netlink.Rule) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("delete %s", r); err != nil {
		return err
	}
	i := slices.IndexFunc(k.rules, func(have netlink.Rule) bool {
		if r.Protocol == 0 {
			have.Protocol = 0
		}
		return have == r
	})
	if i >= 0 {
		k.rules = slices.Delete(k.rules, i, i+1)
	}
	return nil
}

// NeighReplace writes a permanent neighbour.
func (k *Kernel) NeighReplace(n netlink.Neighbor) error {
	return k.putNeighbor("replace", &k.neighs, n)
}

// NeighDel deletes a neighbour, whatever its protocol.
func (k *Kernel) NeighDel(n netlink.Neighbor) error { return k.dropNeighbor(&k.neighs, n) }

// ProxyAdd writes a proxy entry.
func (k *Kernel) ProxyAdd(n netlink.Neighbor) error {
	n.Proxy = true
	return k.putNeighbor("add", &k.proxies, n)
}

// ProxyDel deletes a proxy entry, whatever its protocol.
func (k *Kernel) ProxyDel(n netlink.Neighbor) error {
	n.Proxy = true
	return k.dropNeighbor(&k.proxies, n)
}

func (k *Kernel) putNeighbor(verb string, list *[]netlink.Neighbor, n netlink.Neighbor) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := n.Text(k.name)
	if err := k.write("%s %s", verb, text); err != nil {
		return err
	}
	if k.link(n.LinkIndex) == nil {
		return refuse(unix.ENODEV, "%s %s", verb, text)
	}
	for i, have := range *list {
		if have.LinkIndex == n.LinkIndex && have.IP == n.IP {
			(*list)[i] = n
			return nil
		}
	}
	*list = append(*list, n)
	return nil
}

func (k *Kernel) dropNeighbor(list *[]netlink.Neighbor, n netlink.Neighbor) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("delete %s", n.Text(k.name)); err != nil {
		return err
	}
	*list = slices.DeleteFunc(*list, func(o netlink.Neighbor) bool { return o.LinkIndex == n.LinkIndex && o.IP == n.IP })
	return nil
}
