package kernel_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// BenchmarkIdlePlan plans for 10,000 addresses that are all in place: the price of a round with nothing to do.
func BenchmarkIdlePlan(b *testing.B) {
	k := fakekernel.New()
	k.AddBridge("br-ex", brMAC)
	want := base()
	for i := range 10000 {
		port(&want, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), brMAC, "br-ex")
	}
	if _, errs := round(b.Context(), k, want); errs != nil {
		b.Fatal(errs)
	}
	c := kernel.NewCarriers(k)
	for b.Loop() {
		if steps, err := c.Plan(b.Context(), want); err != nil || len(steps) != 0 {
			b.Fatal(len(steps), err)
		}
	}
}

// BenchmarkFirstRound makes 2,000 dual-stack ports in the kernel; OVNBGP_GUEST adds the VRF and its addresses.
func BenchmarkFirstRound(b *testing.B) {
	runtime.LockOSThread()
	want := base()
	for i := range 2000 {
		port(&want, fmt.Sprintf("10.0.%d.%d", i>>8, i&255), brMAC, "br-ex")
		port(&want, fmt.Sprintf("2001:db8::%x", i+1), brMAC, "br-ex")
	}
	want.Proxies = want.Proxies[:1]
	if os.Getenv("OVNBGP_GUEST") == "" {
		want = withoutVRF(want)
	}
	for b.Loop() {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			b.Fatal(err)
		}
		k, err := netlink.Open(b.Context(), netlink.Options{Protocols: []uint8{179}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range []error{
			k.LinkAdd(netlink.Link{Name: "br-ex", Kind: "bridge"}),
			k.SetSysctl("1", "net", "ipv4", "conf", "all", "forwarding"),
			k.SetSysctl("1", "net", "ipv6", "conf", "all", "forwarding"),
		} {
			if err != nil {
				b.Fatal(err)
			}
		}
		if text, errs := round(b.Context(), k, want); errs != nil {
			b.Fatal(errs[0], text[:1000])
		}
		if text, _ := round(b.Context(), k, want); text != "" {
			b.Fatal(text)
		}
		_ = k.Close()
	}
}

// asDummy has the appliers take a bridge for the dummy device that not every kernel has.
type asDummy struct{ *netlink.Conn }

func (k asDummy) Actual(ctx context.Context) (netlink.Actual, error) {
	a, err := k.Conn.Actual(ctx)
	a.Links = slices.Clone(a.Links)
	for i, l := range a.Links {
		if l.Name == "bgp-nic" {
			a.Links[i].Kind = "dummy"
		}
	}
	return a, err
}

// threadTime is what this thread has used of a CPU.
func threadTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBearers announces 10,000 hosts in the kernel by addresses and by routes, changes from one to the other, plans with
// nothing to do, and withdraws all. It tells the CPU time of the thread that does it, the kernel's part included, which
// other work on the machine does not lengthen.
func BenchmarkBearers(b *testing.B) {
	const hosts = 10000
	var addresses model.Node
	for i := range hosts {
		addresses.Announcements = append(addresses.Announcements, model.Announcement{VRF: "bgp-vrf",
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)})
	}
	routes := asRoutes(addresses)
	for _, bench := range []struct {
		name          string
		before, after model.Node
	}{{"addresses", model.Node{}, addresses}, {"routes", model.Node{}, routes}, {"to-routes", addresses, routes},
		{"to-addresses", routes, addresses}} {
		b.Run(bench.name, func(b *testing.B) {
			runtime.LockOSThread() // and never unlocked: the thread ends with the benchmark
			var change, idle, withdraw time.Duration
			for b.Loop() {
				if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
					b.Fatal(err)
				}
				conn, err := netlink.Open(b.Context(), netlink.Options{Protocols: []uint8{179}}, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := conn.LinkAdd(netlink.Link{Name: "bgp-nic", Kind: "bridge"}); err != nil {
					b.Fatal(err)
				}
				nic, _, err := conn.LinkByName(b.Context(), "bgp-nic")
				if err == nil {
					err = conn.LinkSetUp(nic)
				}
				if err != nil {
					b.Fatal(err)
				}
				a := kernel.NewAnnouncements(asDummy{conn}, base().VRF)
				play := func(want model.Node) time.Duration {
					start := threadTime(b)
					steps, err := a.Plan(b.Context(), want)
					if err != nil {
						b.Fatal(err)
					}
					for _, s := range steps {
						if err := s.Do(b.Context()); err != nil {
							b.Fatal(err)
						}
					}
					return threadTime(b) - start
				}
				play(bench.before)
				change += play(bench.after)
				idle += play(bench.after)
				withdraw += play(model.Node{})
				_ = conn.Close()
			}
			per := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
			b.ReportMetric(per(change), "change-cpu-ms")
			b.ReportMetric(per(idle), "idle-cpu-ms")
			b.ReportMetric(per(withdraw), "withdraw-cpu-ms")
		})
	}
}
