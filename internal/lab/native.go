package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// NativeOptions says what NativeUp builds besides the fabric.
type NativeOptions struct {
	// Demo creates the demonstration cloud: a provider VM, a tenant VM with a floating IP (see Cloud.Demo).
	Demo bool
	// Agent starts `ovnbgp agent` on every chassis.
	Agent bool
	// AgentConfig is appended to the configuration file that NativeUp writes for the agents.
	AgentConfig string
	// Embedded has the agents speak BGP themselves, with no FRR on the nodes.
	Embedded bool
	// Program is the ovnbgp that agents and virtual machines run; "" is the running program. It is kept with the fabric:
	// whoever opens that, a test too, starts the same one.
	Program string
}

// stateDir holds everything the lab keeps: a tmpfs, because databases that sync to a slow disk make the fabric slow.
const stateDir = "/run/ovnbgp-lab"

// Fabric is a lab that is up.
type Fabric struct {
	Topology Topology
	program  string // of agents and virtual machines
	nodes    map[string]Node
	complete bool // each step of NativeUp was done
}

// Node finds a running node.
func (f *Fabric) Node(name string) (Node, error) {
	n, ok := f.nodes[name]
	if !ok {
		return Node{}, fmt.Errorf("no node %q in the lab", name)
	}
	return n, nil
}

// running lists the nodes of some specs.
func (f *Fabric) running(specs []NodeSpec) []Node {
	out := make([]Node, 0, len(specs))
	for _, s := range specs {
		out = append(out, f.nodes[s.Name])
	}
	return out
}

// Chassis lists the running nodes with ovn-controller.
func (f *Fabric) Chassis() []Node { return f.running(f.Topology.Chassis()) }

// NativeUp builds the fabric in network namespaces of this kernel and reports each step on out. It needs root. A fabric
// that is up already is ErrUp: end it with NativeDown first. What a start that was ended left behind is removed.
func NativeUp(ctx context.Context, o NativeOptions, out io.Writer) error {
	if err := checkNative(); err != nil {
		return err
	}
	// Of two that start at once the second would take the first one's half for what a killed start left.
	lock, err := lockFile(ctx, stateDir+".lock", func() { fmt.Fprintln(out, "waiting for another start of the lab") })
	if err != nil {
		return err
	}
	defer lock.Close()
	if f, err := OpenFabric(); err == nil {
		if err := f.checkComplete(); err == nil {
			return ErrUp
		} else if _, err := fmt.Fprintln(out, err); err != nil {
			return err
		}
	}
	// What a broken start left behind has no state file that OpenFabric accepts, but may have processes.
	if err := NativeDown(ctx, io.Discard); err != nil {
		return err
	}
	if err := limitFiles(); err != nil {
		return err
	}
	if o.Program == "" {
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
	}
	start := time.Now()
	f := &Fabric{Topology: DefaultTopology(), program: o.Program, nodes: map[string]Node{}}
	f.Topology.Embedded = o.Embedded
	if err := f.build(ctx, out, f.steps(o), f.writeState); err != nil {
		// Half a fabric is of no use to whoever comes next.
		return errors.Join(err, NativeDown(context.WithoutCancel(ctx), io.Discard))
	}
	_, err = fmt.Fprintf(out, "%-36s %5.1f s\n", "fabric up", time.Since(start).Seconds())
	return err
}

// build does the steps, and after the last of them has it written down that the fabric is complete: killed at any line
// before, it is known to be half a one.
func (f *Fabric) build(ctx context.Context, out io.Writer, steps []step, save func() error) error {
	for _, s := range steps {
		if err := timed(ctx, out, s.name, s.do); err != nil {
			return err
		}
	}
	f.complete = true
	return save()
}

// step is one named part of a long operation.
type step struct {
	name string
	do   func(context.Context) error
}

// steps lists what NativeUp does, in order.
func (f *Fabric) steps(o NativeOptions) []step {
	steps := []step{
		{"namespaces of the nodes", f.startNodes},
		{"links and addresses", func(context.Context) error { return f.wire() }},
		{"FRR", f.startSpeakers}, // first, so that sessions begin while the rest starts
		{"OVN databases and northd", f.startCentral},
		{"Open vSwitch and ovn-controller", f.startSwitches},
		{"chassis in the Southbound database", f.waitChassis},
		{"stand-in for Neutron", f.startNeutron},
	}
	sessions := step{"BGP sessions", f.WaitBGP}
	if !o.Embedded {
		steps = append(steps, sessions)
	}
	if o.Demo {
		steps = append(steps, step{"demonstration cloud", f.demo})
	}
	// Agents that start at the same moment keep one CPU busy for seconds: last, so that nothing waits for them here.
	if o.Agent {
		steps = append(steps, step{"agents", func(context.Context) error { return f.startAgents(o) }})
		if o.Embedded {
			steps = append(steps, sessions)
		}
	}
	return steps
}

// timed runs a step and prints its name when it begins and its seconds when it ends.
func timed(ctx context.Context, out io.Writer, name string, do func(context.Context) error) error {
	fmt.Fprintf(out, "%-36s ", name)
	start := time.Now()
	if err := do(ctx); err != nil {
		fmt.Fprintf(out, "failed after %.1f s\n", time.Since(start).Seconds())
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err := fmt.Fprintf(out, "%5.1f s\n", time.Since(start).Seconds())
	return err
}

// limitFiles lowers an absurd limit on open files: daemons that close every possible descriptor would take minutes.
func limitFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit on open files: %w", err)
	}
	const enough = 65536
	if limit.Max <= enough {
		return nil
	}
	// syscall's own call, not x/sys's: it also keeps the runtime from restoring the old limit in our children.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: enough, Max: enough}); err != nil {
		return fmt.Errorf("lower the limit on open files: %w", err)
	}
	return nil
}

// each runs fn for all nodes at the same time and joins their errors.
func each(nodes []Node, fn func(Node) error) error {
	errs := make([]error, len(nodes))
	var wait sync.WaitGroup
	for i, n := range nodes {
		wait.Go(func() { errs[i] = fn(n) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// NativeDown ends the fabric and removes what it left. It is no error when there is none.
func NativeDown(_ context.Context, out io.Writer) error {
	state, err := readState(stateDir)
	if errors.Is(err, os.ErrNotExist) {
		_, err = fmt.Fprintln(out, "no lab is up")
		return err
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range state.nodes(stateDir) {
		errs = append(errs, stopNode(n))
	}
	// MNT_DETACH: the dying nodes' bind mounts may hold it for a moment longer.
	if err := unix.Unmount(stateDir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		errs = append(errs, fmt.Errorf("unmount %s: %w", stateDir, err))
	}
	if err := os.RemoveAll(stateDir); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "the lab is down")
	return err
}

// NativeRun runs a command in a node with the caller's standard streams and returns its exit code.
func NativeRun(ctx context.Context, node string, argv []string) (int, error) {
	f, err := OpenFabric()
	if err != nil {
		return 1, err
	}
	n, err := f.Node(node)
	if err != nil {
		return 1, err
	}
	return n.Attach(ctx, os.Stdin, os.Stdout, os.Stderr, argv)
}

// startNodes makes the namespaces of all nodes and the directories in them.
func (f *Fabric) startNodes(ctx context.Context) error {
	if err := os.MkdirAll(stateDir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("ovnbgp-lab", stateDir, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", stateDir, err)
	}
	specs := f.Topology.Nodes
	nodes := make([]Node, len(specs))
	for i, s := range specs {
		nodes[i] = Node{NodeSpec: s}
	}
	var mu sync.Mutex
	err := each(nodes, func(n Node) error {
		started, err := startNode(ctx, n.NodeSpec, filepath.Join(stateDir, n.Name))
		mu.Lock()
		defer mu.Unlock()
		started.Program = f.program
		if started.Pid != 0 {
			f.nodes[n.Name] = started
		}
		if err != nil {
			return err
		}
		return furnish(started)
	})
	return errors.Join(err, f.writeState())
}

// furnish makes the directories and files that packages would have made.
func furnish(n Node) error {
	for _, dir := range []string{
		"/run/lock", "/run/netns", "/run/openvswitch", "/run/ovn", "/var/log/openvswitch", "/var/log/ovn", "/var/log/ovnbgp",
	} {
		if err := os.MkdirAll(n.Path(dir), 0o755); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	// Newer iproute2 keeps its own table elsewhere, but whoever adds a line does it here.
	const tables = "255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n"
	return n.WriteFile("/etc/iproute2/rt_tables", tables, 0o644)
}

// Status is what `ovnbgp lab status` shows.
type Status struct {
	Nodes                 []NodeStatus
	Kernel, OVN, OVS, FRR string // versions
}

// NodeStatus is a node and its agent. AgentPid is 0 when no agent runs.
type NodeStatus struct {
	Name          string
	Role          Role
	Pid, AgentPid int
	Loopbacks     []string
}

// NativeStatus lists the nodes and the versions of what runs in them. It returns ErrNotUp when there is no lab.
func NativeStatus(ctx context.Context) (Status, error) {
	f, err := OpenFabric()
	if err != nil {
		return Status{}, err
	}
	if err := f.checkComplete(); err != nil {
		return Status{}, err
	}
	var s Status
	for _, spec := range f.Topology.Nodes {
		n := f.nodes[spec.Name]
		status := NodeStatus{Name: n.Name, Role: n.Role, Pid: n.Pid, AgentPid: n.AgentPid()}
		for _, p := range n.Loopbacks {
			status.Loopbacks = append(status.Loopbacks, p.String())
		}
		s.Nodes = append(s.Nodes, status)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return s, fmt.Errorf("kernel version: %w", err)
	}
	s.Kernel = unix.ByteSliceToString(uts.Release[:]) + " " + runtime.GOARCH
	central := f.nodes[centralName]
	s.OVN = version(ctx, central, "ovn-northd", "--version")
	s.OVS = version(ctx, central, "ovsdb-server", "--version")
	s.FRR = version(ctx, f.nodes[leafName], frrDir+"/bgpd", "--version")
	return s, nil
}

// version is the last word of a program's first line, or why there is none: a status must not fail for it.
func version(ctx context.Context, n Node, argv ...string) string {
	out, err := n.Output(ctx, argv...)
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return "unknown"
	}
	return words[len(words)-1]
}
