package kernel_test

import (
	"slices"
	"strings"
	"testing"

	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
)

// served is a state as package desired makes it: what every bridge has serves the keys that need it, or none.
func served(n model.Node) model.Node {
	keys := func(four bool) []string {
		list := []string{}
		for _, a := range n.Announcements {
			if a.Prefix.Addr().Is4() == four {
				list = append(list, a.Key())
			}
		}
		return list
	}
	n.Addresses, n.Sysctls, n.Routes = slices.Clone(n.Addresses), slices.Clone(n.Sysctls), slices.Clone(n.Routes)
	for i, a := range n.Addresses {
		n.Addresses[i].Serves = keys(a.Prefix.Addr().Is4())
	}
	for i, s := range n.Sysctls {
		n.Sysctls[i].Serves = keys(s.Family == 4)
	}
	n.Sysctls = slices.DeleteFunc(n.Sysctls, func(s model.Sysctl) bool { return s.Device == "all" && len(s.Serves) == 0 })
	for i, r := range n.Routes {
		if r.Serves == nil {
			n.Routes[i].Serves = keys(r.Prefix.Addr().Is4())
		}
	}
	for i, p := range n.Proxies {
		n.Proxies[i].Serves = keys(p.IP.Is4())
	}
	return n
}

func only4() model.Node {
	n := base()
	port(&n, "203.0.113.11", "fa:16:3e:00:00:11", "br-ex")
	return served(n)
}

// Where IPv6 is off nobody misses it as long as no key needs it.
func TestHostWithoutIPv6(t *testing.T) {
	for _, device := range []string{"all", "br-ex"} {
		k := fakekernel.New()
		k.DisableIPv6(device, true)
		bridge(t, k)
		converge(t, k, only4())
		if s := k.String(); strings.Contains(s, "fd53:") || strings.Contains(s, "default6") {
			t.Errorf("%s: IPv6 is there:\n%s", device, s)
		}
	}
}

func TestKeysWithoutIPv6Fail(t *testing.T) {
	for device, reason := range map[string]string{
		"all":   "ipv6.disable",
		"br-ex": `run "sysctl -w net.ipv6.conf.br-ex.disable_ipv6=0"`,
	} {
		k := fakekernel.New()
		k.DisableIPv6(device, true)
		bridge(t, k)
		converge(t, k, only4())
		for _, step := range []string{"create address fd53:d91e:400:7f17::1:1/128 dev br-ex", "create route ::/0 dev br-ex table 201",
			"create route 2001:db8:1::11/128 dev br-ex table 201"} {
			if msg := errorOf(t, k, served(g2()), step); !strings.Contains(msg, reason) {
				t.Errorf("%s: %s: %q, want %q", device, step, msg, reason)
			}
		}
	}
}

// It may be turned off and on while we run.
func TestIPv6TurnedOffAndOn(t *testing.T) {
	k := fakekernel.New()
	bridge(t, k)
	converge(t, k, only4())
	before := k.String()
	if !strings.Contains(before, "fd53:") || !strings.Contains(before, "default6") {
		t.Errorf("no IPv6 on a host that has it:\n%s", before)
	}
	k.FailCall(0)
	if text, errs := round(t.Context(), k, only4()); text != "" || errs != nil {
		t.Errorf("idle round: %s%v", text, errs)
	}
	if calls := k.Calls(); slices.ContainsFunc(calls, func(c string) bool { return strings.Contains(c, "sysctl") }) {
		t.Errorf("an idle round reads settings: %v", calls)
	}
	k.DisableIPv6("br-ex", true)
	converge(t, k, only4())
	k.DisableIPv6("br-ex", false)
	converge(t, k, only4())
	if after := k.String(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// The real kernel turns IPv6 off and on as the fake one does.
func TestRealKernelWithoutIPv6(t *testing.T) {
	k := newRealKernel(t)
	bridge(t, k)
	want := withoutVRF(served(g2()))
	need4 := withoutVRF(only4())
	converge(t, k, need4)
	before := owned(t, k)
	turn := func(off string) { must(t, k.SetSysctl(off, "net", "ipv6", "conf", "br-ex", "disable_ipv6")) }
	turn("1")
	converge(t, k, need4)
	if list := owned(t, k); slices.ContainsFunc(list, func(o string) bool { return strings.Contains(o, "::") }) {
		t.Errorf("IPv6 is there: %v", list)
	}
	if msg := errorOf(t, k, want, "create route ::/0 dev br-ex table 201"); !strings.Contains(msg, "disable_ipv6=0") {
		t.Errorf("a route that is needed: %q", msg)
	}
	turn("0")
	converge(t, k, need4)
	if after := owned(t, k); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}
