package lab

import (
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// KernelMisses tries, in a throw-away network namespace, what the lab's nodes are made of, and lists what this kernel
// cannot make. An empty list means that the lab can run natively.
func KernelMisses() ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the lab needs root: it makes network namespaces and mounts (try sudo)")
	}
	// Loading is a try: the kind may be built in, and whether it works is seen below.
	_ = exec.Command("modprobe", append([]string{"-a", "-q"}, guestModules()...)...).Run()
	type answer struct {
		misses []string
		err    error
	}
	answers := make(chan answer)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, and the namespace with it
		misses, err := tryLinks()
		answers <- answer{misses, err}
	}()
	a := <-answers
	return a.misses, a.err
}

// checkNative refuses, before anything is built, what this kernel cannot make or for which programs are missing.
func checkNative() error {
	misses, err := KernelMisses()
	if err != nil {
		return err
	}
	if len(misses) > 0 {
		return fmt.Errorf("this kernel lacks %s: the lab can run in User-Mode Linux (--uml)", strings.Join(misses, ", "))
	}
	missing := missingPrograms(func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if len(missing) > 0 {
		return fmt.Errorf("not found on this host: %s; install OVN, Open vSwitch and FRR, or have the lab run in User-Mode Linux (--uml)",
			strings.Join(missing, ", "))
	}
	return nil
}

// missingPrograms lists those of the programs that nodes run, or the lab itself, which are not there.
func missingPrograms(there func(string) bool) []string {
	programs := []string{"ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovs-appctl",
		"ovn-northd", "ovn-controller", "ovn-nbctl", "ovn-sbctl", "ovn-appctl",
		frrDir + "/zebra", frrDir + "/bgpd", frrDir + "/bfdd", "vtysh", "ip", "ping"}
	return slices.DeleteFunc(programs, there)
}

func tryLinks() ([]string, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	links := []struct {
		what string
		link netlink.Link
	}{
		{"dummy", &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "try0"}}},
		{"vrf", &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "try1"}, Table: 10}},
		{"veth", &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "try2"}, PeerName: "try3"}},
		{"bridge", &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "try4"}}},
	}
	var misses []string
	for _, l := range links {
		if err := netlink.LinkAdd(l.link); err != nil {
			misses = append(misses, l.what)
		}
	}
	parent, err := netlink.LinkByName("try4")
	if err == nil {
		attrs := netlink.LinkAttrs{Name: "try5", ParentIndex: parent.Attrs().Index}
		err = netlink.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: 100})
	}
	if err != nil {
		misses = append(misses, "8021q")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		misses = append(misses, "tun")
	}
	return misses, nil
}

// checkStatic refuses a program that needs libraries, which the guest's are not.
func checkStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked with libraries of this host and cannot run in the lab: build it with CGO_ENABLED=0", path)
		}
	}
	return nil
}

// socketOwner asks the kernel who listens on a socket.
func socketOwner(path string) (process, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return process{}, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return process{}, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, failed); err != nil {
		return process{}, err
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cred.Pid))
	if err != nil || !strings.Contains(string(name), "lab\x00serve") {
		return process{}, errors.New("the socket belongs to another program")
	}
	return findProcess(int(cred.Pid))
}
