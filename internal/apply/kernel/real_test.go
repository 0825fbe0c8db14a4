package kernel_test

import (
	"cmp"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ovnbgp/internal/apply/kernel"
	"ovnbgp/internal/client/netlink"
	fakekernel "ovnbgp/internal/fake/kernel"
	"ovnbgp/internal/model"
	"ovnbgp/internal/plan"
)

var (
	_ kernel.Kernel = (*netlink.Conn)(nil)
	_ kernel.Kernel = (*fakekernel.Kernel)(nil)
)

// realKernel is a network namespace of its own. Its bridges are Linux bridges.
type realKernel struct {
	*netlink.Conn
	t *testing.T
}

func (k realKernel) AddBridge(name, _ string) netlink.Link {
	must(k.t, k.LinkAdd(netlink.Link{Name: name, Kind: "bridge"}), k.LinkSetUp(link(k.t, k, name)))
	return link(k.t, k, name)
}

// newRealKernel opens a new network namespace that forwards.
func newRealKernel(t *testing.T) realKernel {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("new network namespace (the test needs root): %v", err)
	}
	k, err := netlink.Open(t.Context(), netlink.Options{Protocols: []uint8{model.Protocol}}, nil)
	must(t, err)
	t.Cleanup(func() { must(t, k.Close()) })
	must(t, k.SetSysctl("1", "net", "ipv4", "conf", "all", "forwarding"),
		k.SetSysctl("1", "net", "ipv6", "conf", "all", "forwarding"))
	return realKernel{Conn: k, t: t}
}

// withoutVRF takes out what a kernel without VRF and dummy devices cannot make.
func withoutVRF(n model.Node) model.Node {
	n.Links = slices.DeleteFunc(slices.Clone(n.Links), func(l model.Link) bool {
		return l.Kind == model.LinkVRF || l.Kind == model.LinkDummy
	})
	n.Announcements = nil
	return n
}

// owned lists what is ours in a kernel, in words that both kernels share.
func owned(t *testing.T, k kernel.Kernel) []string {
	t.Helper()
	steps, err := kernel.NewCarriers(k).Cleanup(t.Context(), model.Node{VRF: base().VRF, Bridges: base().Bridges})
	must(t, err)
	told, err := kernel.NewAnnouncements(k, base().VRF).Cleanup(t.Context())
	must(t, err)
	var list []string
	for _, s := range append(steps, told...) {
		list = append(list, s.Object)
	}
	slices.SortFunc(list, cmp.Compare[string])
	return list
}

// Both kernels are taken through the same states, and must be planned for alike and end alike.
func compareKernels(t *testing.T, sc scenario) {
	k, fake := newRealKernel(t), fakekernel.New()
	sc.before(t, k)
	sc.before(t, fake)
	must(t, k.PollProxies(t.Context()))
	for i, want := range sc.states {
		steps, fakeSteps := converge(t, k, want), converge(t, fake, want)
		if diff := gocmp.Diff(fakeSteps, steps); diff != "" {
			t.Errorf("steps to state %d (-fake +kernel):\n%s", i+1, diff)
		}
		if diff := gocmp.Diff(owned(t, fake), owned(t, k)); diff != "" {
			t.Errorf("state %d (-fake +kernel):\n%s", i+1, diff)
		}
		k.Invalidate()
		if text, errs := round(t.Context(), k, want); text != "" || errs != nil {
			t.Errorf("state %d, read anew, is not what was wanted: %s%v", i+1, text, errs)
		}
	}
	cleanUp(t, k)
	if left := owned(t, k); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRealKernel(t *testing.T) {
	for _, sc := range []scenario{
		{"flat", bridge, []model.Node{base(), g2(), base()}},
		{"gateway", bridge, []model.Node{g13(), base(), g13()}},
	} {
		t.Run(sc.name, func(t *testing.T) {
			for i := range sc.states {
				sc.states[i] = withoutVRF(sc.states[i])
			}
			compareKernels(t, sc)
		})
	}
}

func TestRealKernelHealsAfterLinkDown(t *testing.T) {
	k := newRealKernel(t)
	bridge(t, k)
	want := withoutVRF(g13())
	converge(t, k, want)
	before := owned(t, k)
	must(t, k.LinkSetDown(link(t, k, "br-ex")))
	if len(owned(t, k)) >= len(before) {
		t.Fatal("nothing went with the link")
	}
	converge(t, k, want)
	if diff := gocmp.Diff(before, owned(t, k)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// What the old agent writes with ip is adopted, object by object, and the world is told nothing else meanwhile.
func TestRealKernelAdopts(t *testing.T) {
	k := newRealKernel(t)
	bridge(t, k)
	for line := range strings.Lines(`
		route add default dev br-ex table 201
		route add 203.0.113.2 dev br-ex table 201
		route add 10.7.0.0/24 via 203.0.113.2 dev br-ex table 201
		-6 route add default dev br-ex table 201
		-6 route add 2001:db8:1::2 dev br-ex table 201
		rule add to 203.0.113.2 lookup 201 priority 32000
		rule add to 10.7.0.1/24 lookup 201 priority 32000
		-6 rule add to 2001:db8:1::2 lookup 201 priority 32000
		neigh replace 203.0.113.2 lladdr fa:16:3e:0f:00:02 nud permanent dev br-ex
		-6 neigh replace 2001:db8:1::2 lladdr fa:16:3e:0f:00:02 nud permanent dev br-ex
		-6 neigh add proxy 2001:db8:1:: dev br-ex
		addr add 169.254.1.1/32 dev br-ex`) {
		if args := strings.Fields(line); len(args) > 0 {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Fatalf("ip%s: %v: %s", line, err, out)
			}
		}
	}
	must(t, k.PollProxies(t.Context())) // nobody is told of them
	steps, err := kernel.NewCarriers(k).Plan(t.Context(), withoutVRF(g13()))
	must(t, err)
	count := map[plan.Verb]int{}
	for _, s := range steps {
		count[s.Verb]++
	}
	if count[plan.Adopt] != 11 || count[plan.Delete] != 0 {
		t.Errorf("steps: %v", steps)
	}
	converge(t, k, withoutVRF(g13()))
	k.Invalidate()
	actual, err := k.Actual(t.Context())
	must(t, err)
	for _, r := range actual.Rules {
		if r.Priority == 32000 && r.Protocol != model.Protocol {
			t.Errorf("not adopted: %s", r)
		}
	}
	cleanUp(t, k)
}

func TestGuestKernel(t *testing.T) {
	if os.Getenv("OVNBGP_GUEST") == "" {
		t.Skip("needs the lab's kernel: run by make test in the lab")
	}
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) { compareKernels(t, sc) })
	}
	for name, harm := range harms() {
		t.Run(name, func(t *testing.T) { heals(t, newRealKernel(t), harm) })
	}
}
