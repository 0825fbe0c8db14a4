package kernel_test

import (
	"net/netip"
	"strings"
	"testing"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// Whoever stops a cleanup, or the clearing of a bridge that is mapped no more, after any of its deletes: the next one
// still knows the rest for ours.
func TestClearingMayBeInterrupted(t *testing.T) {
	where := model.Node{VRF: base().VRF}
	deletes := func(k kernel.Kernel) []func() {
		steps, err := kernel.NewCarriers(k).Cleanup(t.Context(), where)
		must(t, err)
		var deeds []func()
		for _, s := range steps {
			deeds = append(deeds, func() { must(t, s.Do(t.Context())) })
		}
		return deeds
	}
	for n := 0; ; n++ {
		k := fakekernel.New()
		bridge(t, k)
		converge(t, k, g3())
		dev := link(t, k, "br-ex.100")
		must(t, k.LinkSetAlias(dev, ""), // as the old agent would have left it
			k.AddrReplace(netlink.Addr{LinkIndex: dev.Index, Prefix: netip.MustParsePrefix("169.254.1.100/32")}))
		first := deletes(k)
		if n > len(first) {
			return
		}
		for _, deed := range first[:n] {
			deed()
		}
		for _, deed := range deletes(k) {
			deed()
		}
		for _, mark := range []string{"169.254.", "fd53:", "br-ex.100 ", "table"} {
			for line := range strings.Lines(k.String()) {
				if strings.Contains(line, mark) && !strings.HasPrefix(line, "sysctl ") {
					t.Errorf("after %d deletes and the rest, left: %s", n, line)
				}
			}
		}
	}
}

// The real kernel takes IPv4 routes along with the last address of a device. That must not hide the rest either.
func TestRealKernelClearingMayBeInterrupted(t *testing.T) {
	for n := 0; ; n++ {
		k := newRealKernel(t)
		bridge(t, k)
		converge(t, k, withoutVRF(g2()))
		nowhere := model.Node{VRF: base().VRF}
		first, err := kernel.NewCarriers(k).Cleanup(t.Context(), nowhere)
		must(t, err)
		if n > len(first) {
			return
		}
		for _, s := range first[:n] {
			must(t, s.Do(t.Context()))
		}
		rest, err := kernel.NewCarriers(k).Cleanup(t.Context(), nowhere)
		must(t, err)
		for _, s := range rest {
			must(t, s.Do(t.Context()))
		}
		if left := owned(t, k); len(left) != 0 {
			t.Errorf("after %d deletes and the rest, left: %v", n, left)
		}
	}
}
