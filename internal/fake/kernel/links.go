package fakekernel

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/netlink"
)

// LinkAdd creates a link, and in a second write gives it its alias.
func (k *Kernel) LinkAdd(l netlink.Link) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("add %s", l); err != nil {
		return err
	}
	for _, have := range k.links {
		if have.Name == l.Name || l.Kind == "vlan" && have.Kind == "vlan" && have.Parent == l.Parent && have.VLAN == l.VLAN {
			return refuse(unix.EEXIST, "add %s", l)
		}
	}
	if l.Kind == "vlan" && k.link(l.Parent) == nil || l.Master != 0 && k.link(l.Master) == nil {
		return refuse(unix.ENODEV, "add %s", l)
	}
	l.MAC = fmt.Sprintf("02:00:00:00:00:%02x", k.next+1)
	if l.Kind == "vlan" {
		l.MAC = k.link(l.Parent).MAC
	}
	name := l.Alias
	l.Alias, l.AdminUp = "", false
	l = k.addLink(l)
	if name == "" {
		return nil
	}
	if err := k.write("set alias of %s", l); err != nil {
		return err
	}
	k.link(l.Index).Alias = name
	return nil
}

// LinkDel deletes a link and all that hangs on it, VLAN devices included. Rules stay.
func (k *Kernel) LinkDel(l netlink.Link) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("delete %s", l); err != nil {
		return err
	}
	k.remove(l.Index)
	return nil
}

func (k *Kernel) remove(index int) {
	if k.link(index) == nil {
		return
	}
	for _, child := range slices.Clone(k.links) {
		switch {
		case child.Parent == index:
			k.remove(child.Index)
		case child.Master == index:
			k.setMaster(child.Index, 0)
		}
	}
	k.down(index)
	k.addrs = slices.DeleteFunc(k.addrs, func(a netlink.Addr) bool { return a.LinkIndex == index })
	k.conf = slices.DeleteFunc(k.conf, func(c netlink.NetConf) bool { return c.LinkIndex == index })
	k.links = slices.DeleteFunc(k.links, func(l netlink.Link) bool { return l.Index == index })
}

// down takes a link down: its routes, neighbours, proxy entries and IPv6 addresses go. VLAN devices follow.
func (k *Kernel) down(index int) {
	k.link(index).AdminUp = false
	for _, child := range k.links {
		if child.Parent == index {
			k.down(child.Index)
		}
	}
	onLink := func(n netlink.Neighbor) bool { return n.LinkIndex == index }
	k.routes = slices.DeleteFunc(k.routes, func(r netlink.Route) bool { return r.LinkIndex == index })
	k.neighs = slices.DeleteFunc(k.neighs, onLink)
	k.proxies = slices.DeleteFunc(k.proxies, onLink)
	k.addrs = slices.DeleteFunc(k.addrs, func(a netlink.Addr) bool { return a.LinkIndex == index && !isIPv4(a.Prefix) })
}

func (k *Kernel) bringUp(index int) {
	k.link(index).AdminUp = true
	for _, child := range k.links {
		if child.Parent == index {
			k.bringUp(child.Index)
		}
	}
}

// LinkSetUp brings a link up, and the VLAN devices on it.
func (k *Kernel) LinkSetUp(l netlink.Link) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("set up %s", l); err != nil {
		return err
	}
	switch have := k.link(l.Index); {
	case have == nil:
		return refuse(unix.ENODEV, "set up %s", l)
	case have.Kind == "vlan" && !k.link(have.Parent).AdminUp:
		return refuse(unix.ENETDOWN, "set up %s", l)
	}
	k.bringUp(l.Index)
	return nil
}

// LinkSetDown takes a link down.
func (k *Kernel) LinkSetDown(l netlink.Link) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("set down %s", l); err != nil {
		return err
	}
	if k.link(l.Index) == nil {
		return refuse(unix.ENODEV, "set down %s", l)
	}
	k.down(l.Index)
	return nil
}

// LinkSetMaster enslaves a link. One that is up goes down and up again for it.
func (k *Kernel) LinkSetMaster(l netlink.Link, master int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("set master of %s to %s", l, k.name(master)); err != nil {
		return err
	}
	if k.link(l.Index) == nil || master != 0 && k.link(master) == nil {
		return refuse(unix.ENODEV, "set master of %s", l)
	}
	k.setMaster(l.Index, master)
	return nil
}

func (k *Kernel) setMaster(index, master int) {
	l := k.link(index)
	if l == nil || l.Master == master {
		return
	}
	if l.AdminUp {
		k.down(index)
		k.bringUp(index)
	}
	l.Master = master
}

// LinkSetAlias writes an alias.
func (k *Kernel) LinkSetAlias(l netlink.Link, alias string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("set alias of %s", l); err != nil {
		return err
	}
	have := k.link(l.Index)
	if have == nil {
		return refuse(unix.ENODEV, "set alias of %s", l)
	}
	have.Alias = alias
	return nil
}

// AddrReplace writes an address; one that is there stays.
func (k *Kernel) AddrReplace(a netlink.Addr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := a.Text(k.name)
	if err := k.write("add %s", text); err != nil {
		return err
	}
	if k.link(a.LinkIndex) == nil {
		return refuse(unix.ENODEV, "add %s", text)
	}
	if errno := k.refusesIPv6(a.Prefix, a.LinkIndex); errno != 0 {
		return refuse(errno, "add %s", text)
	}
	if !slices.ContainsFunc(k.addrs, same(a)) {
		k.addrs = append(k.addrs, a)
	}
	return nil
}

// AddrDel deletes an address. With the last IPv4 address of a link all its IPv4 routes go.
func (k *Kernel) AddrDel(a netlink.Addr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.write("delete %s", a.Text(k.name)); err != nil {
		return err
	}
	if !slices.ContainsFunc(k.addrs, same(a)) {
		return nil
	}
	k.addrs = slices.DeleteFunc(k.addrs, same(a))
	hasIPv4 := slices.ContainsFunc(k.addrs, func(o netlink.Addr) bool { return o.LinkIndex == a.LinkIndex && isIPv4(o.Prefix) })
	if isIPv4(a.Prefix) && !hasIPv4 {
		k.routes = slices.DeleteFunc(k.routes, func(r netlink.Route) bool { return r.LinkIndex == a.LinkIndex && isIPv4(r.Dst) })
	}
	return nil
}

func same(a netlink.Addr) func(netlink.Addr) bool {
	return func(o netlink.Addr) bool { return o.LinkIndex == a.LinkIndex && o.Prefix == a.Prefix }
}

// SetSysctl writes net.ipv4.conf.… or net.ipv6.conf.…; forwarding of all is that of every device.
func (k *Kernel) SetSysctl(value string, path ...string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := netlink.SysctlKey(path...) + "=" + value
	if err := k.write("set sysctl %s", text); err != nil {
		return err
	}
	if len(path) != 5 || path[0] != "net" || path[2] != "conf" {
		return refuse(unix.ENOENT, "set sysctl %s", text)
	}
	family := map[string]netlink.Family{"ipv4": netlink.IPv4, "ipv6": netlink.IPv6}[path[1]]
	found := false
	for i := range k.conf {
		c := &k.conf[i]
		isIt := c.LinkIndex == netlink.ConfAll && path[3] == "all" || k.name(c.LinkIndex) == path[3]
		if c.Family != family || !isIt && (path[3] != "all" || path[4] != "forwarding") {
			continue
		}
		found = true
		switch path[4] {
		case "forwarding":
			c.Forwarding = value == "1"
		case "proxy_arp", "proxy_ndp":
			c.ProxyNeigh = value == "1"
		}
	}
	if !found {
		return refuse(unix.ENOENT, "set sysctl %s", text)
	}
	return nil
}

// Sysctl reads net.ipv6.conf.DEVICE.disable_ipv6; there is no other to read.
func (k *Kernel) Sysctl(path ...string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := "read sysctl " + netlink.SysctlKey(path...)
	if err := k.call(text); err != nil {
		return "", err
	}
	there := len(path) == 5 && path[1] == "ipv6" && path[4] == "disable_ipv6" &&
		slices.ContainsFunc(k.links, func(l netlink.Link) bool { return l.Name == path[3] })
	switch {
	case !there || k.noIPv6["all"]:
		return "", refuse(unix.ENOENT, "%s", text)
	case k.noIPv6[path[3]]:
		return "1", nil
	}
	return "0", nil
}
