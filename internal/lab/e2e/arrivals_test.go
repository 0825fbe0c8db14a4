package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"ovnbgp/internal/lab"
)

// arrivals keeps since when a node has had host addresses, by its kernel's notifications.
type arrivals struct {
	mu    sync.Mutex
	since map[netip.Addr]time.Time
}

func newArrivals() *arrivals {
	return &arrivals{since: map[netip.Addr]time.Time{}}
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
}

// at is since when an address is there, the zero time if it is not.
func (a *arrivals) at(addr netip.Addr) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.since[addr]
}

// leafHas waits until the leaf's table has all addresses from the benchmark's node, or none of them. It is patient: OVN
// claims some hundred ports in minutes there. A look at the whole table takes the CPU that OVN waits for, so the looks at
// many addresses are rare.
func (b *bench) leafHas(addrs []netip.Addr, want bool) error {
	const limit = 10 * time.Minute
	pause := 10 * time.Millisecond
	if len(addrs) > 1 {
		pause = 250 * time.Millisecond
	}
	for start := time.Now(); ; {
		wrong, err := b.leafLacks(addrs, want)
		if err != nil || wrong == 0 {
			return err
		}
		if time.Since(start) > limit {
			return fmt.Errorf("after %v, %d of %d addresses from %s are not at the leaf as they must be (%v)", limit,
				wrong, len(addrs), addrs[0], want)
		}
		time.Sleep(pause)
	}
}

// leafLacks counts the addresses of which the leaf's table does not say what is wanted. One is asked for alone, for that
// takes the leaf less than a millisecond.
func (b *bench) leafLacks(addrs []netip.Addr, want bool) (wrong int, err error) {
	if len(addrs) == 1 {
		paths, err := b.stage.fabric.LeafPaths(b.ctx, netip.PrefixFrom(addrs[0], 32))
		if err == nil && strings.Contains(paths, benchNode) != want {
			wrong = 1
		}
		return wrong, err
	}
	table, err := b.stage.fabric.LeafTable(b.ctx)
	if err != nil {
		return 0, err
	}
	has := map[netip.Addr]bool{}
	for _, r := range table {
		has[r.Prefix.Addr()] = r.Node == benchNode
	}
	for _, a := range addrs {
		if has[a] != want {
			wrong++
		}
	}
	return wrong, nil
}
