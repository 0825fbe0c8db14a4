package kernel_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
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
