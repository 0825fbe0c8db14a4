package frr

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Daemons are FRR's real zebra and bgpd, in namespaces of their own: nothing they do reaches the host. VRFs are
// network namespaces there ("zebra -n"), so that leaks can be watched on a kernel without VRF devices.
type Daemons struct {
	Dir string // holds zebra.vty and bgpd.vty

	// Root is the tree the daemons run in, another than the host's for another FRR; "" is the host's.
	Root string

	t           testing.TB
	do          chan func()
	bgpd, zebra *exec.Cmd
	port        string // that bgpd listens on; "0": none
}

// daemonDir is where Debian, Fedora and the project's own packages put the daemons.
const daemonDir = "/usr/lib/frr"

// StartDaemons starts zebra and bgpd and waits until they answer. They end with the test.
func StartDaemons(t testing.TB) *Daemons {
	t.Helper()
	d := prepare(t, Root())
	if HasDaemon(d.Root, "mgmtd") {
		mgmtd := d.start("mgmtd")
		t.Cleanup(func() { stop(mgmtd) })
	}
	d.startZebra()
	t.Cleanup(func() { stop(d.zebra) })
	d.StartBGP()
	t.Cleanup(d.StopBGP)
	return d
}

// StartAll starts all daemons that a node has, those of the tree at root, and waits until they answer. They end with the
// test.
func StartAll(t testing.TB, root string) *Daemons {
	t.Helper()
	d := prepare(t, root)
	for _, name := range []string{"mgmtd", "zebra", "bfdd", "staticd"} {
		if name == "zebra" {
			d.startZebra()
			t.Cleanup(func() { stop(d.zebra) })
			continue
		}
		if name == "mgmtd" && !HasDaemon(root, name) {
			continue
		}
		cmd := d.start(name)
		t.Cleanup(func() { stop(cmd) })
	}
	d.port = "179"
	d.StartBGP()
	t.Cleanup(d.StopBGP)
	return d
}

func (d *Daemons) startZebra() {
	var more []string
	if !HasDaemon(d.Root, "mgmtd") {
		more = []string{"-n"}
	}
	d.zebra = d.start("zebra", more...)
}

// RestartZebra ends zebra at once and starts it with an empty configuration.
func (d *Daemons) RestartZebra() {
	d.t.Helper()
	stop(d.zebra)
	d.startZebra()
}

// prepare makes the directory and the namespaces.
func prepare(t testing.TB, root string) *Daemons {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces of its own")
	}
	uid, gid := User(t, root)
	under := ""
	if root != "" {
		under = filepath.Join(root, "tmp")
	}
	dir, err := os.MkdirTemp(under, "frr") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	d := &Daemons{Dir: dir, Root: root, t: t, do: make(chan func()), port: "0"}
	go d.thread()
	t.Cleanup(func() { close(d.do) })
	d.inside(d.isolate)
	return d
}

// thread runs what must run inside the namespaces, on a thread that is thrown away afterwards.
func (d *Daemons) thread() {
	runtime.LockOSThread()
	for f := range d.do {
		f()
	}
}

func (d *Daemons) inside(f func() error) {
	d.t.Helper()
	done := make(chan error)
	d.do <- func() { done <- f() }
	if err := <-done; err != nil {
		d.t.Fatal(err)
	}
}

// isolate moves the thread into new namespaces, with a /run/netns of its own.
func (d *Daemons) isolate() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("new namespaces: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("private /run: %w", err)
	}
	if err := os.Mkdir("/run/netns", 0o755); err != nil {
		return err
	}
	if d.Root != "" {
		// Shared, so that the namespaces "ip netns" mounts later are seen in the tree, too.
		if err := unix.Mount("", "/run", "", unix.MS_SHARED, ""); err != nil {
			return fmt.Errorf("shared /run: %w", err)
		}
		for target, source := range map[string]string{"proc": "/proc", "dev": "/dev"} {
			if err := unix.Mount(source, filepath.Join(d.Root, target), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
				return fmt.Errorf("%s of %s: %w", target, d.Root, err)
			}
		}
		if err := unix.Mount("/run", filepath.Join(d.Root, "run"), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("run of %s: %w", d.Root, err)
		}
	}
	return exec.Command("ip", "link", "set", "lo", "up").Run()
}

// IP runs "ip" in the daemons' namespaces.
func (d *Daemons) IP(arguments ...string) {
	d.t.Helper()
	d.inside(func() error {
		out, err := exec.Command("ip", arguments...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %q: %w: %s", arguments, err, out)
		}
		return nil
	})
}

// AddVRF makes a VRF with a device to hold addresses, and DelVRF takes it away.
func (d *Daemons) AddVRF(name, device string) {
	d.t.Helper()
	d.IP("netns", "add", name)
	d.IP("link", "add", device, "type", "veth", "peer", "name", device+"-peer")
	d.IP("link", "set", device+"-peer", "up")
	d.IP("link", "set", device, "netns", name)
	d.SetVRF(name, "up")
	d.IP("-n", name, "link", "set", device, "up")
}

// SetVRF sets the VRF "up" or "down". What is its own device is lo, where it is a namespace.
func (d *Daemons) SetVRF(name, state string) {
	d.t.Helper()
	d.IP("-n", name, "link", "set", "lo", state)
}

// DelVRF deletes the VRF and its device.
func (d *Daemons) DelVRF(name, device string) {
	d.t.Helper()
	d.IP("-n", name, "link", "del", device)
	d.IP("netns", "del", name)
}

// StartBGP starts bgpd with an empty configuration, as after a crash.
func (d *Daemons) StartBGP() {
	d.t.Helper()
	d.bgpd = d.start("bgpd", "-p", d.port)
}

// StartSpeaker starts one more bgpd, without zebra, that listens on an address in a network namespace, with its socket in
// a directory of its own, which is returned. It ends with the test.
func (d *Daemons) StartSpeaker(namespace, address string) string {
	d.t.Helper()
	dir := filepath.Join(d.Dir, address)
	uid, gid := User(d.t, d.Root)
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, uid, gid)); err != nil {
		d.t.Fatal(err)
	}
	cmd := d.startIn(dir, "bgpd", []string{"ip", "netns", "exec", namespace}, "-Z", "-l", address)
	d.t.Cleanup(func() { stop(cmd) })
	return dir
}

// StopBGP ends bgpd at once.
func (d *Daemons) StopBGP() {
	if d.bgpd != nil {
		stop(d.bgpd)
		d.bgpd = nil
	}
}

// StartPeer starts a second bgpd in a namespace of its own, and returns the directory of its bgpd.vty. Its
// address is 192.0.2.2, the daemons' is 192.0.2.1. It ends with the test.
func (d *Daemons) StartPeer() (dir string) {
	d.t.Helper()
	dir = filepath.Join(d.Dir, "peer")
	info, err := os.Stat(d.Dir)
	if err != nil {
		d.t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, int(owner.Uid), int(owner.Gid))); err != nil {
		d.t.Fatal(err)
	}
	for _, line := range []string{"netns add peer", "link add to-peer type veth peer name to-node", "link set to-node netns peer",
		"addr add 192.0.2.1/24 dev to-peer", "link set to-peer up", "-n peer addr add 192.0.2.2/24 dev to-node",
		"-n peer link set to-node up", "-n peer link set lo up"} {
		d.IP(strings.Fields(line)...)
	}
	inside := []string{"ip", "netns", "exec", "peer"}
	zebra := d.startIn(dir, "zebra", inside)
	bgpd := d.startIn(dir, "bgpd", inside)
	d.t.Cleanup(func() { stop(bgpd); stop(zebra) })
	return dir
}

func (d *Daemons) start(name string, more ...string) *exec.Cmd {
	d.t.Helper()
	return d.startIn(d.Dir, name, nil, more...)
}

// startIn starts a daemon whose sockets are in a directory, by way of another command, if any.
func (d *Daemons) startIn(dir, name string, by []string, more ...string) *exec.Cmd {
	d.t.Helper()
	socket := filepath.Join(dir, name+".vty")
	_ = os.Remove(socket)
	within := strings.TrimPrefix(dir, d.Root)
	arguments := append([]string{"-i", filepath.Join(within, name+".pid"),
		"-z", filepath.Join(within, "zserv.api"), "--vty_socket", within, "-P", "0"}, more...)
	if !HasDaemon(d.Root, "mgmtd") || name != "mgmtd" && name != "staticd" { // which since FRR 9 read no file of their own
		arguments = append(arguments, "-f", "/dev/null")
	}
	if HasDaemon(d.Root, "mgmtd") {
		arguments = append(arguments, "-w") // since FRR 10 all daemons have to be told that VRFs are namespaces
	}
	command := append([]string{filepath.Join(daemonDir, name)}, arguments...)
	if d.Root != "" {
		command = append([]string{"chroot", d.Root}, command...)
	}
	command = append(slices.Clone(by), command...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	// Started with the thread's namespaces. The kernel kills it with the test's process, however that ends;
	// Pdeathsig is about the starting thread, which lives as long as the test.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	d.inside(func() error {
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("FRR is not installed (make deps): %w", err)
		}
		return nil
	})
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
			return cmd
		}
		if time.Now().After(deadline) {
			stop(cmd)
			d.t.Fatalf("%s does not answer: %v", name, err)
		}
	}
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it ends by the signal; nothing to learn
}
