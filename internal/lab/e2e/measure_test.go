package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovnbgp/internal/client/ovsdb"
	"ovnbgp/internal/lab"
)

// measureFlag has the benchmark run: it takes some three minutes, one of them idle.
var measureFlag = flag.Bool("measure", false, "run the benchmark")

const (
	benchNode  = "compute1"
	benchFirst = 100  // floating IPs added one by one
	benchBlock = 500  // floating IPs added at once
	benchAll   = 1000 // floating IPs in place while the agent idles, and when it starts
)

// TestBenchmark prints what the agent needs in time, CPU and memory, beside the goals. What it asserts are counts: an
// idle minute has no log line, no netlink write and no FRR configuration command, a start with nothing to do writes
// nothing, and what one more address costs in writes does not grow with what is there.
func TestBenchmark(t *testing.T) {
	if os.Getenv("OVNBGP_GUEST") != "1" {
		t.Skip("needs the lab: run by make test in the lab")
	}
	if !*measureFlag {
		t.Skip("not asked for: -measure")
	}
	b := newBench(t)
	b.create(t, "e2e-m1-", b.trunks[0], 0, benchFirst+1)
	oneByOne := b.addOneByOne(t, 0, benchFirst)
	few := b.writesOfOne(t, benchFirst)
	b.create(t, "e2e-m2-", b.trunks[1], benchFirst+1, benchBlock-benchFirst-1)
	b.atOnce(t, benchBlock)
	many := b.writesOfOne(t, benchBlock-1)
	if few != many {
		t.Errorf("one address more costs %d writes beside %d others, and %d beside %d", few, benchFirst, many, benchBlock)
	}
	figure("writes for one address more", "%d beside %d others, %d beside %d", few, benchFirst, many, benchBlock)
	if len(oneByOne) != benchFirst {
		t.Errorf("%d addresses measured one by one, want %d", len(oneByOne), benchFirst)
	}

	b.create(t, "e2e-m3-", b.trunks[2], benchBlock, benchAll-benchBlock)
	b.idleMinute(t)
	b.start(t)
}

// figure prints what was measured. scripts/test-all shows these lines whatever the verdict.
func figure(what, format string, args ...any) {
	fmt.Printf("FIGURE %-60.60s %s\n", what, fmt.Sprintf(format, args...))
}

// bench is a provider network of its own with room for floating IPs, and who watches them arrive.
type bench struct {
	ctx    context.Context
	stage  *stage
	node   lab.Node
	nb     *ovsdb.Conn
	trunks []string
	kernel *arrivals // addresses on the node
}

func newBench(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	fabric, err := lab.OpenFabric()
	check(t, err)
	s, err := newStage(ctx, fabric, "benchmark")
	check(t, err)
	t.Cleanup(func() { s.clear(t) })
	check(t, s.begin())
	b := &bench{ctx: ctx, stage: s, trunks: []string{"e2e-trunk1", "e2e-trunk2", "e2e-trunk3"}}
	b.node, err = fabric.Node(benchNode)
	check(t, err)
	b.nb, err = ovsdb.Dial(ctx, "unix:"+fabric.NBSocket(), nil)
	check(t, err)
	t.Cleanup(func() { b.nb.Close() })
	b.kernel = watchAddresses(t, b.node)

	check(t, s.network([]string{"e2e-outside", "vlan:300", "physnet1", "external"}))
	check(t, s.subnet([]string{"e2e-outside", "198.18.0.0/16"}))
	check(t, s.network([]string{"e2e-inside", "geneve"}))
	check(t, s.subnet([]string{"e2e-inside", "10.64.0.0/16"}))
	check(t, s.router([]string{"e2e-router"}))
	check(t, s.gateway([]string{"e2e-router", "e2e-outside"}))
	check(t, s.routerInterface([]string{"e2e-router", "e2e-inside", "10.64.0.0/16"}))
	for _, trunk := range b.trunks {
		check(t, s.port([]string{trunk, "e2e-inside"}))
		check(t, s.boot([]string{trunk, benchNode}))
	}
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// public and inside are the addresses of floating IP i.
func public(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(16 + i>>8), byte(i)}) }
func inside(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 64, byte(16 + i>>8), byte(i)}) }

func publics(first, count int) []netip.Addr {
	list := make([]netip.Addr, count)
	for i := range list {
		list[i] = public(first + i)
	}
	return list
}

// create makes floating IPs, announced, and waits until the leaf has them all.
func (b *bench) create(t *testing.T, prefix, trunk string, first, count int) {
	t.Helper()
	start := time.Now()
	o := lab.BulkOptions{Prefix: prefix, Network: "e2e-inside", External: "e2e-outside", Parent: trunk, Count: count,
		Fixed: inside(first), First: public(first)}
	check(t, b.stage.cloud.CreateBulk(b.ctx, o))
	b.stage.undo = append(b.stage.undo, func() error { return b.stage.cloud.DeleteBulk(b.ctx, o) })
	check(t, b.leafHas(publics(first, count), true))
	figure(fmt.Sprintf("%d ports with floating IPs made", count), "%.1f s to the leaf, OVN's share included",
		time.Since(start).Seconds())
	check(t, b.stage.settled(benchNode))
}

// external sets or clears the MAC of floating IPs in one transaction: what Neutron writes when a port has come up, and
// what decides whether a floating IP is distributed. OVN has nothing to do before the agent may act.
func (b *bench) external(t *testing.T, addrs []netip.Addr, set bool) {
	t.Helper()
	ops := make([]ovsdb.Operation, 0, len(addrs))
	for i, a := range addrs {
		var mac any = ovsdb.Set{}
		if set {
			mac = ovsdb.Some(fmt.Sprintf("fa:16:3e:77:%02x:%02x", i>>8, i&0xff))
		}
		ops = append(ops, ovsdb.Update("NAT", []ovsdb.Condition{ovsdb.Equal("external_ip", a.String())},
			ovsdb.Columns{"external_mac": mac}))
	}
	_, err := b.nb.Transact(b.ctx, "OVN_Northbound", ops...)
	check(t, err)
}

// withdraw takes floating IPs away and waits until that has reached the leaf.
func (b *bench) withdraw(t *testing.T, addrs []netip.Addr) {
	t.Helper()
	b.external(t, addrs, false)
	check(t, b.leafHas(addrs, false))
	check(t, b.stage.settled(benchNode))
}

// addOneByOne measures floating IPs that come one after the other.
func (b *bench) addOneByOne(t *testing.T, first, count int) []time.Duration {
	t.Helper()
	addrs := publics(first, count)
	b.withdraw(t, publics(0, benchFirst+1))
	var toKernel, toLeaf, rounds []time.Duration
	pid := b.node.AgentPid()
	cpu, waited := cpuTime(t, pid), waitedForCPU(t, pid)
	for _, a := range addrs {
		start := time.Now()
		b.external(t, []netip.Addr{a}, true)
		check(t, b.leafHas([]netip.Addr{a}, true))
		toLeaf = append(toLeaf, time.Since(start))
		rounds = append(rounds, b.workedFor(t, start))
		toKernel = append(toKernel, b.kernel.at(a).Sub(start))
	}
	report := func(what string, list []time.Duration, goal string) {
		slices.Sort(list)
		figure(fmt.Sprintf("%d one by one: %s", count, what), "p50 %.1f ms, p99 %.1f ms%s", ms(list[len(list)/2]),
			ms(list[len(list)*99/100]), goal)
	}
	figure(fmt.Sprintf("%d one by one: the agent's CPU", count), "%.1f ms for each, and %.1f ms that it waited for the CPU",
		ms(cpuTime(t, pid)-cpu)/float64(count), ms(waitedForCPU(t, pid)-waited)/float64(count))
	report("the agent, from the event to the last write", rounds, " (goal p99: 20 ms), others' use of the CPU included")
	b.calibrate(t, count)
	report("transaction to kernel", toKernel, ", OVN's load on the same CPU included")
	report("transaction to the leaf's table", toLeaf, "")
	check(t, b.stage.settled(benchNode))
	return toKernel
}

// workedFor is how long it took the agent to do what changed something since a moment, from when it heard of it.
func (b *bench) workedFor(t *testing.T, since time.Time) (sum time.Duration) {
	t.Helper()
	report, err := b.stage.status(benchNode)
	check(t, err)
	for _, r := range report.Rounds {
		if r.At.After(since) && len(r.Steps) > 0 {
			sum += time.Duration(max(r.SinceEvent, r.Seconds) * float64(time.Second))
		}
	}
	return sum
}

// calibrate prints how late this machine wakes a process that sleeps for as long as the agent gathers events, while OVN
// and the agents work on a change: so much of the agent's figures, for each time it sleeps or loses the CPU, is not its own.
func (b *bench) calibrate(t *testing.T, count int) {
	t.Helper()
	const pause = 5 * time.Millisecond
	var late []time.Duration
	for i := range count {
		_, err := b.nb.Transact(b.ctx, "OVN_Northbound", ovsdb.Update("NAT",
			[]ovsdb.Condition{ovsdb.Equal("external_ip", public(0).String())},
			ovsdb.Columns{"external_mac": ovsdb.Some(fmt.Sprintf("fa:16:3e:78:%02x:%02x", i>>8, i&0xff))}))
		check(t, err)
		start := time.Now()
		time.Sleep(pause)
		late = append(late, time.Since(start)-pause)
		time.Sleep(20 * pause)
	}
	slices.Sort(late)
	figure("calibration: a process that sleeps 5 ms meanwhile", "wakes p50 %.1f ms, p99 %.1f ms late",
		ms(late[len(late)/2]), ms(late[len(late)*99/100]))
	check(t, b.stage.settled(benchNode))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// atOnce measures many floating IPs in one transaction.
func (b *bench) atOnce(t *testing.T, count int) {
	t.Helper()
	b.withdraw(t, publics(0, count))
	addrs := publics(0, count-1) // the last one is for writesOfOne
	start := time.Now()
	b.external(t, addrs, true)
	check(t, b.leafHas(addrs, true))
	var last time.Time
	for _, a := range addrs {
		if at := b.kernel.at(a); at.After(last) {
			last = at
		}
	}
	figure(fmt.Sprintf("%d at once", len(addrs)), "last in the kernel after %.1f ms, at the leaf after %.1f ms",
		ms(last.Sub(start)), ms(time.Since(start)))
	check(t, b.stage.settled(benchNode))
}

// writesOfOne counts what one more floating IP costs.
func (b *bench) writesOfOne(t *testing.T, i int) uint64 {
	t.Helper()
	before := b.writes(t)
	b.external(t, publics(i, 1), true)
	check(t, b.leafHas(publics(i, 1), true))
	check(t, b.stage.settled(benchNode))
	return b.writes(t) - before
}

func (b *bench) writes(t *testing.T) (total uint64) {
	t.Helper()
	report, err := b.stage.status(benchNode)
	check(t, err)
	for _, sub := range report.Subsystems {
		total += sub.Writes
	}
	return total
}

// idleMinute looks at an agent that has nothing to do.
func (b *bench) idleMinute(t *testing.T) {
	t.Helper()
	pid := b.node.AgentPid()
	log, err := b.stage.agentLog(benchNode)
	check(t, err)
	writes, cpu := b.writes(t), cpuTime(t, pid)
	time.Sleep(time.Minute)
	used := cpuTime(t, pid) - cpu
	figure("idle minute, 1000 addresses", "%.2f s CPU (goal 0.1 s), %d MiB resident (goal 40 MiB)", used.Seconds(),
		resident(t, pid)>>10)
	if now := b.writes(t); now != writes {
		t.Errorf("the idle agent made %d writes in a minute", now-writes)
	}
	after, err := b.stage.agentLog(benchNode)
	check(t, err)
	if len(after) > len(log) {
		t.Errorf("the idle agent logged in a minute:\n%s", after[len(log):])
	}
}

// start measures a start with all addresses in place.
func (b *bench) start(t *testing.T) {
	t.Helper()
	check(t, b.node.KillAgent(b.ctx))
	start := time.Now()
	check(t, b.node.StartAgent())
	check(t, b.stage.settled(benchNode))
	figure(fmt.Sprintf("start with %d addresses in place", benchAll), "%.2f s until nothing is left to do, %d writes",
		time.Since(start).Seconds(), b.writes(t))
	if n := b.writes(t); n != 0 {
		t.Errorf("a start with nothing to do made %d writes", n)
	}
}

// cpuTime is what a process has used since its start, in the kernel's ticks of 10 ms.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	check(t, err)
	// The name, in parentheses, may hold anything; utime and stime are the 12th and 13th field behind it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		check(t, err)
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

// waitedForCPU is how long the threads of a process have been ready to run and had no CPU, as far as those that still
// live tell. It is 0 on a kernel that does not count it.
func waitedForCPU(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	check(t, err)
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has just ended
		}
		var ran, waited int64
		if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sum += time.Duration(waited)
	}
	return sum
}

// resident is a process's resident memory in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	check(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			check(t, err)
			return n
		}
	}
	t.Fatalf("process %d has no VmRSS", pid)
	return 0
}
