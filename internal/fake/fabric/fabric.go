// Package fabric joins network namespaces on this machine's kernel and runs real BGP speakers in them: FRR and BIRD,
// with processes, sockets and files of their own. Nothing they do reaches the host, and all of it ends with the test.
// It is what speakers are judged against, and times taken in it are honest: there is no second kernel. For tests only.
//
// Start at New, then Fabric.AddNode, Fabric.Join and NewPeer.
package fabric

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/fake/frr"
)

// Fabric is a set of nodes and the links between them.
type Fabric struct {
	t     testing.TB
	wires *Node // holds the bridges that links are made of
	links int
}

// New returns an empty fabric. The test is skipped, with the reason, where namespaces cannot be made.
func New(t testing.TB) *Fabric {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces of its own")
	}
	f := &Fabric{t: t}
	f.wires = f.AddNode("wires")
	return f
}

// Node is a machine of the fabric: a network namespace, with mounts of its own so that /run and /var/tmp are empty.
type Node struct {
	Name string
	// Dir is for sockets and files. Its path is short, for a socket's has at most 107 bytes, and FRR may write there.
	Dir string

	t   testing.TB
	do  chan func()
	tid int // of the thread that lives in the namespaces
}

// settings make a namespace a router whose links work at once: no duplicate address detection, no check of the way back.
var settings = map[string]string{ //nolint:gochecknoglobals // a constant
	"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/fib_multipath_hash_policy": "1",
	"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
	"ipv6/conf/all/accept_dad": "0", "ipv6/conf/default/accept_dad": "0",
	"ipv4/tcp_syn_retries": "2", // a silent link that works again is found in seconds
}

// AddNode makes a node that is joined to nothing.
func (f *Fabric) AddNode(name string) *Node {
	f.t.Helper()
	dir, err := os.MkdirTemp("", "fab")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &Node{Name: name, Dir: dir, t: f.t, do: make(chan func())}
	n.own(dir)
	go n.thread()
	f.t.Cleanup(func() { close(n.do) })
	n.inside(n.isolate)
	return n
}

// own hands a file or directory to FRR's user, if there is one.
func (n *Node) own(path string) {
	n.t.Helper()
	uid, gid := frr.User(n.t, frr.Root())
	if err := os.Chown(path, uid, gid); err != nil {
		n.t.Fatal(err)
	}
}

// thread runs what must run inside the namespaces. The thread is thrown away afterwards, and with it go the processes
// that were started from it.
func (n *Node) thread() {
	runtime.LockOSThread()
	for f := range n.do {
		f()
	}
}

func (n *Node) inside(f func() error) {
	n.t.Helper()
	done := make(chan error)
	n.do <- func() { done <- f() }
	if err := <-done; err != nil {
		n.t.Fatalf("%s: %v", n.Name, err)
	}
}

func (n *Node) isolate() error {
	n.tid = unix.Gettid()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("new namespaces: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	for _, dir := range []string{"/run", "/var/tmp"} { // FRR leaves files in both
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("private %s: %w", dir, err)
		}
	}
	if err := os.Mkdir("/run/netns", 0o755); err != nil {
		return err
	}
	if err := shareWith(frr.Root()); err != nil {
		return err
	}
	for name, value := range settings {
		if err := os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0o644); err != nil {
			return err
		}
	}
	return exec.Command("ip", "link", "set", "lo", "up").Run()
}

// Command returns a command that has not been started; Start starts it inside the node.
func (n *Node) Command(name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(name, arguments...)
	// The kernel kills it with the test's process, however that ends. Pdeathsig is about the starting thread, which
	// lives as long as the test.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return cmd
}

// Start starts a command inside the node.
func (n *Node) Start(cmd *exec.Cmd) {
	n.t.Helper()
	n.inside(cmd.Start)
}

// Run runs a command inside the node and returns what it prints. It must succeed.
func (n *Node) Run(name string, arguments ...string) string {
	n.t.Helper()
	out, err := n.Try(name, arguments...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// Try runs a command inside the node and returns what it prints.
func (n *Node) Try(name string, arguments ...string) (string, error) {
	n.t.Helper()
	return n.output(n.Command(name, arguments...))
}

// output runs a command that has not been started and returns what it prints.
func (n *Node) output(cmd *exec.Cmd) (string, error) {
	n.t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	n.Start(cmd)
	if err := cmd.Wait(); err != nil {
		return out.String(), fmt.Errorf("%s: %s: %w: %s", n.Name, strings.Join(cmd.Args, " "), err, out.Bytes())
	}
	return out.String(), nil
}

// IP runs "ip" inside the node.
func (n *Node) IP(arguments ...string) string {
	n.t.Helper()
	return n.Run("ip", arguments...)
}

// Batch runs lines of "ip" inside the node, in one process.
func (n *Node) Batch(lines ...string) {
	n.t.Helper()
	n.batch([]string{"-batch", "-"}, lines)
}

// BatchVRF is Batch in a VRF of the node.
func (n *Node) BatchVRF(vrf string, lines ...string) {
	n.t.Helper()
	n.batch([]string{"-n", vrf, "-batch", "-"}, lines)
}

func (n *Node) batch(arguments, lines []string) {
	n.t.Helper()
	cmd := n.Command("ip", arguments...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, &out
	n.Start(cmd)
	if err := cmd.Wait(); err != nil {
		n.t.Fatalf("%s: ip %q: %v: %s", n.Name, lines, err, out.Bytes())
	}
}

// AddVRF makes a VRF with a device that holds addresses. The VRF is a network namespace, as FRR has it under "zebra -n":
// not every kernel has VRF devices.
func (n *Node) AddVRF(name, device string) {
	n.t.Helper()
	n.Batch("netns add "+name,
		fmt.Sprintf("link add %s-peer type veth peer name %s netns %s", device, device, name),
		fmt.Sprintf("link set %s-peer up", device))
	n.BatchVRF(name, "link set lo up", "link set "+device+" up")
}

// patience is how long anything may take that takes a second or two on an idle machine.
const patience = 60 * time.Second

// pause is between two questions. To ask may mean to start a process.
const pause = 50 * time.Millisecond

// Await asks until there is nothing to complain about. What it complained about last is the error.
func Await(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", patience, err)
		case <-time.After(pause):
		}
	}
}
