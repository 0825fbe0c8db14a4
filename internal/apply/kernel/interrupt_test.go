package kernel_test

import (
	"errors"
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

// What a bridge that is mapped no more is known by goes after all else that is on it, and not while that does not go:
// who would know it later?
func TestTheMarkOutlivesWhatIsKnownByIt(t *testing.T) {
	for _, object := range []string{"address 169.254.1.1/32 dev br-ex", "address fd53:d91e:400:7f17::1:1/128 dev br-ex",
		"link br-ex.100"} {
		t.Run(object, func(t *testing.T) { outlives(t, object) })
	}
}

func outlives(t *testing.T, object string) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, g3())
	dev := link(t, k, "br-ex.100")
	must(t, k.LinkSetAlias(dev, "")) // it is ours by its address alone
	unmapped := base()
	unmapped.Bridges, unmapped.Routes, unmapped.Addresses, unmapped.Sysctls = nil, nil, nil, nil
	unmapped.Links = unmapped.Links[:2]
	k.Fail(object, false)
	var errs []error
	for range 3 {
		_, errs = round(t.Context(), k, unmapped)
	}
	if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), object+" is still there and is known by it") {
		t.Errorf("the mark's step says %v", err)
	}
	// The IPv4 one goes with the last IPv4 address of the bridge, whoever would keep it.
	if text := k.String(); !strings.Contains(text, "route default6 dev br-ex table 201") {
		t.Errorf("the mark is gone:\n%s", text)
	}
	k.Fail("", false)
	converge(t, k, unmapped)
	for _, mark := range []string{"169.254.", "fd53:", "br-ex.100 ", "table 201"} {
		for line := range strings.Lines(k.String()) {
			if strings.Contains(line, mark) && !strings.HasPrefix(line, "sysctl ") {
				t.Errorf("left: %s", line)
			}
		}
	}
}
