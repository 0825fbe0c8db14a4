package kernel

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

// ownedAddr tells whether an address is one of those that make the kernel answer on a mapped bridge or a VLAN device
// on one. The old agent's are the same.
func (v *view) ownedAddr(a netlink.Addr) bool {
	return v.devices[a.LinkIndex] && model.IsAnsweringAddress(a.Prefix)
}

// addressKey is what the kernel keeps addresses apart by.
type addressKey struct {
	prefix netip.Prefix
	device string
}

func (k addressKey) String() string {
	return model.Address{Prefix: k.prefix, Device: k.device}.String()
}

func (c *Carriers) planAddresses(s *steps, v *view, want model.Node) {
	wanted, kept := v.answering(want.Addresses)
	have := map[addressKey]netlink.Addr{}
	for _, a := range v.Addrs {
		if v.doomed[a.LinkIndex] {
			continue // it goes with its device, whose mark it may be
		}
		if !a.Prefix.IsSingleIP() {
			continue
		}
		key := addressKey{a.Prefix, v.name(a.LinkIndex)}
		if kept[key] {
			continue
		}
		if _, ok := wanted[key]; ok || v.ownedAddr(a) {
			have[key] = a
		}
	}
	same := func(model.Address, netlink.Addr) bool { return true }
	for _, d := range plan.Differences(wanted, have, byText, same) {
		object := d.Key.String()
		if d.Wanted {
			c.missing(s, v, d.Want.Device, model.FamilyOf(d.Want.Prefix.Addr()), plan.Step{Verb: plan.Create, Object: object,
				Why: d.Want.Why, Serves: d.Want.Serves, Do: addAddress(c.k, v.device, d.Want.Prefix, d.Want.Device)})
		} else {
			s.add(plan.Delete, object, unwanted, nil, func(context.Context) error { return c.k.AddrDel(d.Have) })
		}
	}
}

// answering picks the wanted addresses that a device still needs to answer. What the old agent's releases
// up to 4.0 left answers as well: a bridge by an address of another number, which is kept, a VLAN device by its settings
// alone. A deployed "redistribute connected" would tell the fabric of each change.
func (v *view) answering(addresses []model.Address) (needed map[addressKey]model.Address,
	kept map[addressKey]bool) {
	present := make(map[addressKey]bool, len(v.Addrs))
	for _, a := range v.Addrs {
		present[addressKey{a.Prefix, v.name(a.LinkIndex)}] = true
	}
	needed, kept = map[addressKey]model.Address{}, map[addressKey]bool{}
	for _, w := range addresses {
		key, earlier := addressKey{w.Prefix, w.Device}, addressKey{
			netip.PrefixFrom(model.EarlierAnsweringAddress(w.Prefix.Addr()), w.Prefix.Bits()), w.Device}
		if earlier != key && present[earlier] {
			kept[earlier] = true
		}
		if present[key] || !kept[earlier] && !v.answersAlone(w) {
			needed[key] = w
		}
	}
	return needed, kept
}

// answersAlone tells whether the device of a wanted address is a VLAN device that is not known for ours and answers
// without an address.
func (v *view) answersAlone(w model.Address) bool {
	l := v.byName[w.Device]
	if l.Kind != "vlan" || v.ownedLink(l) {
		return false
	}
	proxy := model.Sysctl{Family: model.FamilyOf(w.Prefix.Addr()), Name: "proxy_arp"}
	if proxy.Family == 6 {
		proxy.Name = "proxy_ndp"
	}
	return v.sysctl(proxy, l.Index) == "1"
}

// finder finds a link when a step runs.
type finder func(context.Context, Kernel, string) (netlink.Link, error)

// addAddress adds an address; an IPv6 one without duplicate address detection, since it must be usable at once and
// the same on many nodes.
func addAddress(k Kernel, find finder, p netip.Prefix, dev string) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := find(ctx, k, dev)
		if err != nil {
			return err
		}
		return k.AddrReplace(netlink.Addr{LinkIndex: l.Index, Prefix: p, NoDAD: p.Addr().Is6()})
	}
}

// planSysctls sets what is ours to set; it is never set back. What is required is only read.
func (c *Carriers) planSysctls(s *steps, v *view, want model.Node) {
	for _, w := range want.Sysctls {
		index := netlink.ConfAll
		if w.Device != "all" {
			index = v.byName[w.Device].Index // 0, and unset, while it is not there
		}
		if v.sysctl(w, index) == w.Value {
			continue
		}
		do := func(context.Context) error { return c.k.SetSysctl(w.Value, w.Path()...) }
		switch {
		case v.unfit[w.Device] != "":
			do = fails("%s", v.unfit[w.Device])
		case w.Required:
			do = fails("it is not so, and not ours to set: run \"sysctl -w %s\" and keep it in /etc/sysctl.d", w.Setting())
		}
		c.missing(s, v, w.Device, w.Family, plan.Step{Verb: plan.Update, Object: w.String(), Why: w.Why,
			Serves: w.Serves, Do: do})
	}
}

// sysctl returns the value the kernel has, "" for one that is not known.
func (v *view) sysctl(w model.Sysctl, index int) string {
	family := netlink.IPv4
	if w.Family == 6 {
		family = netlink.IPv6
	}
	i := slices.IndexFunc(v.NetConfs, func(n netlink.NetConf) bool { return n.Family == family && n.LinkIndex == index })
	if i < 0 {
		return ""
	}
	onOff := map[bool]string{false: "0", true: "1"}
	switch n := v.NetConfs[i]; w.Name {
	case "forwarding":
		return onOff[n.Forwarding]
	case "proxy_arp", "proxy_ndp":
		return onOff[n.ProxyNeigh]
	case "rp_filter":
		return strconv.Itoa(n.RPFilter)
	}
	return ""
}
