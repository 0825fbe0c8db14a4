package lab

import (
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
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
