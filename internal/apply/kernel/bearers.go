package kernel

import (
	"context"
	"net/netip"
	"strings"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// A host's prefix is told by an address on the device, or by a route to it (model.Announcement.AsRoute). Where the
// configuration has changed from one to the other, each key changes its bearer by itself, in one step, the last to be made
// (plan.Step.Last): the daemon must have been told to redistribute what bears the key now. The new bearer is there before
// the old one goes: of two, the daemon takes the address. What the daemon has taken note of is asked (daemon.go).

// anchor is an address that no daemon announces, for it is link-local. With its last IPv4 address a device loses its
// IPv4 routes, in silence; and a zebra that knows that takes them for gone, whoever puts them back. So the device gets
// this one before the last of the others goes, and keeps it.
func anchor() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 179, 1}), 32) }

// withdrawal takes an address from the device.
type withdrawal func(netlink.Addr) error

// withdrawal returns how addresses are taken from the device: not before it is anchored, where its routes need that.
func (a *Announcements) withdrawal(have told, addresses map[string]model.Announcement, routes map[routeKey]model.Announcement) withdrawal {
	anchored := have.anchored || !bearsIPv4(have, routes)
	for key, addr := range have.addresses {
		_, stays := addresses[key]
		anchored = anchored || stays && addr.Prefix.Addr().Is4()
	}
	return func(addr netlink.Addr) error {
		if !anchored && addr.Prefix.Addr().Is4() {
			if err := a.k.AddrReplace(netlink.Addr{LinkIndex: have.device, Prefix: anchor(), Scope: netlink.ScopeLink}); err != nil {
				return err
			}
			anchored = true
		}
		return a.k.AddrDel(addr)
	}
}

// bearsIPv4 tells whether the device has, or is to have, an IPv4 route. One that is wanted no more may be held.
func bearsIPv4(have told, wanted map[routeKey]model.Announcement) bool {
	for _, r := range have.routes {
		if r.Dst.Addr().Is4() {
			return true
		}
	}
	for _, w := range wanted {
		if w.Prefix.Addr().Is4() {
			return true
		}
	}
	return false
}

// rearrange plans for the keys that are told, and by the wrong bearer, or by both. It takes them out of what is there and
// of what is wanted: nothing else is to be done about them.
func (a *Announcements) rearrange(s *steps, have told, addresses map[string]model.Announcement, routes map[routeKey]model.Announcement,
	withdraw withdrawal) {
	if len(have.addresses) > 0 {
		a.toRoutes(s, have, routes, withdraw)
	}
	if len(have.routes) > 0 && len(addresses) > 0 {
		a.toAddresses(s, have, addresses)
	}
	plan.Sort(s.last)
}

func (a *Announcements) toRoutes(s *steps, have told, routes map[routeKey]model.Announcement, withdraw withdrawal) {
	for id, w := range routes {
		addr, there := have.addresses[w.Key()]
		if !there || !w.AsRoute {
			continue
		}
		leave := func(context.Context) error { return withdraw(addr) }
		delete(have.addresses, w.Key())
		if _, both := have.routes[id]; both {
			a.surplus(s, w, a.addressText(addr.Prefix), a.toRoute(w, have.device, leave))
			continue
		}
		delete(routes, id)
		a.move(s, w, a.routeText(w.Prefix, netip.Addr{}), a.toRoute(w, have.device, a.write(w, a.k.RouteAdd), leave))
	}
}

func (a *Announcements) toAddresses(s *steps, have told, addresses map[string]model.Announcement) {
	for id, r := range have.routes {
		if !r.Dst.IsSingleIP() {
			continue
		}
		key := model.Key(a.vrf.Name, r.Dst)
		w, wanted := addresses[key]
		if !wanted {
			continue
		}
		delete(have.routes, id)
		if _, both := have.addresses[key]; both {
			a.surplus(s, w, a.routeText(r.Dst, r.Gateway), a.toAddress(r))
			continue
		}
		delete(addresses, key)
		a.move(s, w, a.addressText(w.Prefix), a.toAddress(r, addAddress(a.k, device, w.Prefix, a.vrf.Device)))
	}
}

// move plans to have a key told by the bearer that is wanted, in place of the one it has.
func (a *Announcements) move(s *steps, w model.Announcement, object string, do func(context.Context) error) {
	s.last = append(s.last, plan.Step{Verb: plan.Update, Object: object, Last: true, Serves: []string{w.Key()},
		Why: strings.Join(w.Whys, "; ") + "; announced otherwise until now", Do: do})
}

// surplus plans to take the second bearer from a key: nothing is withdrawn by that.
func (a *Announcements) surplus(s *steps, w model.Announcement, object string, leave func(context.Context) error) {
	s.last = append(s.last, plan.Step{Verb: plan.Delete, Object: object, Last: true, Serves: []string{},
		Why: w.Key() + " is announced otherwise now", Do: leave})
}
