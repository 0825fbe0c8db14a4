package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"ovnbgp/internal/lab"
)

// arrivals keeps since when a kernel has had host addresses, or host routes, by its notifications.
type arrivals struct {
	mu    sync.Mutex
	since map[netip.Addr]time.Time
	news  chan struct{}
}

func newArrivals() *arrivals {
	return &arrivals{since: map[netip.Addr]time.Time{}, news: make(chan struct{}, 1)}
}

// watchAddresses keeps the addresses of the node's bgp-nic.
func watchAddresses(t *testing.T, n lab.Node) *arrivals {
	t.Helper()
	a, done, updates := newArrivals(), make(chan struct{}), make(chan netlink.AddrUpdate, 4096)
	ns := namespace(t, n)
	check(t, netlink.AddrSubscribeWithOptions(updates, done, netlink.AddrSubscribeOptions{Namespace: &ns,
		ReceiveBufferSize: 8 << 20}))
	t.Cleanup(func() { close(done) })
	go func() {
		for u := range updates {
			a.note(u.LinkAddress.IP, u.LinkAddress.Mask, u.NewAddr)
		}
	}()
	return a
}

// watchRoutes keeps the leaf's routes: bgpd's best paths, once zebra has them in the kernel.
func watchRoutes(t *testing.T, n lab.Node) *arrivals {
	t.Helper()
	a, done, updates := newArrivals(), make(chan struct{}), make(chan netlink.RouteUpdate, 4096)
	ns := namespace(t, n)
	check(t, netlink.RouteSubscribeWithOptions(updates, done, netlink.RouteSubscribeOptions{Namespace: &ns,
		ReceiveBufferSize: 8 << 20}))
	t.Cleanup(func() { close(done) })
	go func() {
		for u := range updates {
			if u.Dst != nil {
				a.note(u.Dst.IP, u.Dst.Mask, u.Type == unix.RTM_NEWROUTE)
			}
		}
	}()
	return a
}

func namespace(t *testing.T, n lab.Node) netns.NsHandle {
	t.Helper()
	ns, err := netns.GetFromPid(n.Pid)
	check(t, err)
	t.Cleanup(func() { ns.Close() })
	return ns
}

func (a *arrivals) note(ip net.IP, mask net.IPMask, there bool) {
	addr, ok := netip.AddrFromSlice(ip)
	if ones, bits := mask.Size(); !ok || ones != bits {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if there {
		a.since[addr.Unmap()] = time.Now()
	} else {
		delete(a.since, addr.Unmap())
	}
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// at is since when an address is there, the zero time if it is not.
func (a *arrivals) at(addr netip.Addr) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.since[addr]
}

// wait waits until all addresses are there, or none is.
func (a *arrivals) wait(addrs []netip.Addr, there bool) error {
	const limit = 2 * time.Minute
	timeout := time.After(limit)
	for {
		missing := 0
		for _, addr := range addrs {
			if a.at(addr).IsZero() == there {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-a.news:
		case <-timeout:
			return fmt.Errorf("%d of %d addresses from %s are not as they must be (there: %v) after %v", missing,
				len(addrs), addrs[0], there, limit)
		}
	}
}
