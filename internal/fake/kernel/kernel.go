// Package fakekernel stands in for the kernel in tests. It holds links, addresses, routes, rules, neighbours and
// proxy entries, behaves as the kernel does where an applier could stumble over it, prints itself as ip would, and
// fails when told to. Start at New.
package fakekernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/netlink"
	"ovnbgp/internal/model"
)

// Kernel is one network namespace. Its methods are those of netlink.Conn, and may be called from any goroutine.
type Kernel struct {
	mu    sync.Mutex
	pokes chan struct{}
	next  int // the next link's index

	links   []netlink.Link
	addrs   []netlink.Addr
	routes  []netlink.Route
	rules   []netlink.Rule // in the order in which they came
	neighs  []netlink.Neighbor
	proxies []netlink.Neighbor
	conf    []netlink.NetConf
	watched map[uint32]bool
	noIPv6  map[string]bool // devices with disable_ipv6; "all": the kernel has no IPv6

	writes int
	calls  []string // all calls that could have failed, since the last FailCall or Fail
	failAt int      // the number of the call that fails, from 1; 0: none
	fails  string   // calls that contain it fail; "": none
	once   bool
}

// New returns a kernel with nothing but the settings for all devices: both families forward.
func New() *Kernel {
	k := &Kernel{pokes: make(chan struct{}, 1), next: 1, watched: map[uint32]bool{}, noIPv6: map[string]bool{}}
	for _, f := range []netlink.Family{netlink.IPv4, netlink.IPv6} {
		for _, link := range []int{netlink.ConfAll, netlink.ConfDefault} {
			k.conf = append(k.conf, netlink.NetConf{Family: f, LinkIndex: link, Forwarding: true})
		}
	}
	return k
}

// FailCall makes the n-th call from now fail, reads included; 0 ends it.
func (k *Kernel) FailCall(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls, k.failAt, k.fails = nil, n, ""
}

// Fail makes calls fail whose text ("add route 203.0.113.9/32 …", "read") contains the string: the next one, or all
// until Fail is called again; "" ends it.
func (k *Kernel) Fail(match string, once bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls, k.failAt, k.fails, k.once = nil, 0, match, once
}

// Calls lists the calls since FailCall or Fail was last called.
func (k *Kernel) Calls() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.calls)
}

// Writes counts the writes tried.
func (k *Kernel) Writes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.writes
}

// Pokes receives after each write.
func (k *Kernel) Pokes() <-chan struct{} { return k.pokes }

// Invalidate does nothing: there is no copy.
func (k *Kernel) Invalidate() {}

// Watch makes the tables' routes visible, whoever's they are.
func (k *Kernel) Watch(tables ...uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range tables {
		k.watched[t] = true
	}
}

// Actual returns what is there; of routes those of watched tables and of ours.
func (k *Kernel) Actual(context.Context) (netlink.Actual, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.call("read"); err != nil {
		return netlink.Actual{}, err
	}
	unseen := func(r netlink.Route) bool { return !k.watched[r.Table] && r.Protocol != model.Protocol }
	return netlink.Actual{
		Links: slices.Clone(k.links), Addrs: slices.Clone(k.addrs),
		Routes: slices.DeleteFunc(slices.Clone(k.routes), unseen),
		Rules:  slices.Clone(k.rules), Neighbors: slices.Clone(k.neighs), Proxies: slices.Clone(k.proxies),
		NetConfs: slices.Clone(k.conf),
	}, nil
}

// LinkByName finds a link.
func (k *Kernel) LinkByName(_ context.Context, name string) (netlink.Link, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.call("find link " + name); err != nil {
		return netlink.Link{}, false, err
	}
	for _, l := range k.links {
		if l.Name == name {
			return l, true, nil
		}
	}
	return netlink.Link{}, false, nil
}

// call notes a call and fails if this one is to fail.
func (k *Kernel) call(text string) error {
	k.calls = append(k.calls, text)
	if k.failAt == len(k.calls) || k.fails != "" && strings.Contains(text, k.fails) {
		if k.once {
			k.fails = ""
		}
		return fmt.Errorf("%s: %w (injected)", text, unix.EIO)
	}
	return nil
}

// write is call for a change.
func (k *Kernel) write(format string, args ...any) error {
	k.writes++
	if err := k.call(fmt.Sprintf(format, args...)); err != nil {
		return err
	}
	select {
	case k.pokes <- struct{}{}:
	default:
	}
	return nil
}

// refuse words an error as the writer does.
func refuse(errno unix.Errno, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errno)...)
}

func (k *Kernel) link(index int) *netlink.Link {
	for i := range k.links {
		if k.links[i].Index == index {
			return &k.links[i]
		}
	}
	return nil
}

func (k *Kernel) name(index int) string {
	if l := k.link(index); l != nil {
		return l.Name
	}
	return ""
}

// up tells why a link cannot carry routes: 0 if it can.
func (k *Kernel) up(index int) unix.Errno {
	switch l := k.link(index); {
	case l == nil:
		return unix.ENODEV
	case !l.AdminUp:
		return unix.ENETDOWN
	}
	return 0
}

// AddBridge makes a bridge as Open vSwitch does, up.
func (k *Kernel) AddBridge(name, mac string) netlink.Link {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.addLink(netlink.Link{Name: name, Kind: "openvswitch", MAC: mac, AdminUp: true, Running: true, MTU: 1500})
}

func (k *Kernel) addLink(l netlink.Link) netlink.Link {
	k.next++
	l.Index = k.next
	k.links = append(k.links, l)
	for _, c := range k.conf {
		if c.LinkIndex == netlink.ConfDefault {
			c.LinkIndex = l.Index
			k.conf = append(k.conf, c)
		}
	}
	return l
}

// DisableIPv6 is sysctl net.ipv6.conf.DEVICE.disable_ipv6, by another's hand; for "all" it makes the kernel one that
// was booted with ipv6.disable=1, before it has anything of IPv6.
func (k *Kernel) DisableIPv6(device string, off bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noIPv6[device] = off
	if off && device == "all" {
		k.conf = slices.DeleteFunc(k.conf, func(c netlink.NetConf) bool { return c.Family == netlink.IPv6 })
	}
	if off {
		onLink := func(index int) bool { return k.name(index) == device }
		k.addrs = slices.DeleteFunc(k.addrs, func(a netlink.Addr) bool { return onLink(a.LinkIndex) && !isIPv4(a.Prefix) })
		k.routes = slices.DeleteFunc(k.routes, func(r netlink.Route) bool { return onLink(r.LinkIndex) && !isIPv4(r.Dst) })
	}
}

// refusesIPv6 tells how the kernel refuses something of IPv6 on a link: 0 if it does not.
func (k *Kernel) refusesIPv6(p netip.Prefix, index int) unix.Errno {
	switch {
	case isIPv4(p):
		return 0
	case k.noIPv6["all"]:
		return unix.EOPNOTSUPP
	case k.noIPv6[k.name(index)]:
		return unix.EACCES
	}
	return 0
}

func isIPv4(p netip.Prefix) bool { return p.Addr().Is4() }
