package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/ovsdb"
)

// VM is a virtual machine: a network namespace on a node, held by its banner server. It is named as its port.
type VM struct {
	Name, Node, Tap string
	Pid             int // of the banner server, by its number outside the node
	Copy            *VM // on the other node while it migrates, nil otherwise
}

// BannerPort is the TCP port on which a VM answers with its name and nothing else. A ping may be answered by a node that
// has the address itself; the banner only by the VM.
const BannerPort = 80

// EchoPort is the TCP port on which a VM sends back what it is sent, for as long as the client likes.
const EchoPort = 7

// VM finds a running virtual machine by its port's name.
func (c *Cloud) VM(name string) (*VM, error) {
	v, ok := c.state.VMs[name]
	if !ok {
		return nil, fmt.Errorf("no VM %q in the cloud", name)
	}
	return v, nil
}

// BootVM binds a port to a node, starts a virtual machine on it, waits until northd says that the port is up, and
// writes what Neutron then writes.
func (c *Cloud) BootVM(ctx context.Context, port, node string) (*VM, error) {
	v, err := c.startVM(ctx, port, node)
	if err != nil {
		return nil, fmt.Errorf("boot VM %s on %s: %w", port, node, err)
	}
	return v, c.waitUp(ctx, c.state.Ports[port], true)
}

// startVM is BootVM without the waiting.
func (c *Cloud) startVM(ctx context.Context, port, node string) (*VM, error) {
	p, err := c.Port(port)
	if err != nil {
		return nil, err
	}
	if _, err := c.VM(port); err == nil {
		return nil, errors.New("it runs already")
	}
	n, err := c.fabric.Node(node)
	if err != nil {
		return nil, err
	}
	if err := c.BindPort(ctx, port, node); err != nil {
		return nil, err
	}
	v := &VM{Name: port, Node: node, Tap: "tap" + p.ID[:11]}
	if v.Pid, err = startBanner(n, port); err != nil {
		return nil, err
	}
	c.state.VMs[port] = v
	if err := c.save(); err != nil {
		return nil, err
	}
	if err := c.plug(n, v, p); err != nil {
		return nil, err
	}
	return v, plugSwitch(ctx, n, v.Tap, p)
}

// startBanner starts the banner server in a new network namespace on the node, which dies with it.
func startBanner(n Node, name string) (int, error) {
	cmd := exec.Command(n.Program, "lab", "banner", name)
	cmd.Dir = "/"
	err := n.startDetached(cmd, "/var/log/ovnbgp/vm-"+name+".log", func(cmd *exec.Cmd) error {
		return n.inside(func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("new network namespace: %w", err)
			}
			return cmd.Start()
		})
	})
	if err != nil {
		return 0, err
	}
	// A name for `ip netns exec`, in the node.
	return cmd.Process.Pid, n.nameNamespace(cmd.Process.Pid, name)
}

// nameNamespace makes a process's network namespace known to `ip netns` in the node.
func (n Node) nameNamespace(pid int, name string) error {
	inner, err := innerPid(pid)
	if err != nil {
		return err
	}
	return n.inside(func() error {
		path := "/run/netns/" + name
		if err := os.WriteFile(path, nil, 0o444); err != nil {
			return err
		}
		if err := unix.Mount("/proc/"+inner+"/ns/net", path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("name network namespace %s: %w", name, err)
		}
		return nil
	})
}

// innerPid is a process's number in its own PID namespace, which is the last one the kernel lists.
func innerPid(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			return fields[len(fields)-1], nil
		}
	}
	return "", fmt.Errorf("process %d has no NSpid", pid)
}

// Banner answers every TCP connection to BannerPort with one line, the virtual machine's name, and echoes at EchoPort,
// until ctx ends. It is what a virtual machine runs: `ovnbgp lab banner NAME`.
func Banner(ctx context.Context, name string) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", BannerPort))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	if err := echo(ctx); err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err == nil {
				fmt.Fprintln(conn, name)
			}
		}()
	}
}

// echo begins to serve EchoPort, until ctx ends.
func echo(ctx context.Context) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", EchoPort))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // a client that is gone has had its answer
			}()
		}
	}()
	return nil
}

// plug lays the virtual machine's cable and gives it what DHCP, cloud-init or an image would.
func (c *Cloud) plug(n Node, v *VM, p *Port) error {
	network, err := c.Network(p.Network)
	if err != nil {
		return err
	}
	if err := veth(n, v.Tap, Node{NodeSpec: NodeSpec{Name: v.Name}, Pid: v.Pid}, uplink); err != nil {
		return err
	}
	// The node must not answer, with the node's end of the cable, for addresses that it has elsewhere.
	if err := n.Sysctl("net/ipv4/conf/"+v.Tap+"/arp_ignore=1", "net/ipv6/conf/"+v.Tap+"/disable_ipv6=1"); err != nil {
		return err
	}
	if err := withLinks(n, func(h *netlink.Handle) error { return configure(h, v.Tap) }); err != nil {
		return err
	}
	if err := v.inside(func() error {
		for _, s := range []string{"net/ipv6/conf/all/accept_dad=0", "net/ipv6/conf/" + uplink + "/accept_dad=0",
			"net/ipv6/conf/" + uplink + "/accept_ra=0"} {
			name, value, _ := strings.Cut(s, "=")
			if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
				return err
			}
		}
		return checksumOff(uplink)
	}); err != nil {
		return fmt.Errorf("VM %s: %w", v.Name, err)
	}
	return withLinks(Node{NodeSpec: NodeSpec{Name: v.Name}, Pid: v.Pid}, func(h *netlink.Handle) error {
		return network.configureVM(h, p)
	})
}

func (n *Network) configureVM(h *netlink.Handle, p *Port) error {
	link, err := h.LinkByName(uplink)
	if err != nil {
		return fmt.Errorf("link %s: %w", uplink, err)
	}
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		return err
	}
	if err := errors.Join(h.LinkSetHardwareAddr(link, mac), h.LinkSetMTU(link, n.MTU), configure(h, "lo")); err != nil {
		return err
	}
	var addrs []netip.Prefix
	for _, a := range p.Addresses {
		s, err := n.subnet(a)
		if err != nil {
			return err
		}
		addrs = append(addrs, netip.PrefixFrom(a, s.CIDR.Bits()))
	}
	if err := configure(h, uplink, addrs...); err != nil {
		return err
	}
	for _, a := range addrs {
		s, err := n.subnet(a.Addr())
		if err != nil {
			return err
		}
		if err := addDefaultRoute(h, uplink, s.Gateway); err != nil {
			return err
		}
	}
	return nil
}

// inside runs fn in the virtual machine's network namespace.
func (v *VM) inside(fn func() error) error {
	return onThread(func() error { return enterNamespaces(v.Pid, []string{"net"}, fn) })
}

// checksumOff makes the sender compute checksums. Open vSwitch's user-space datapath takes frames off a veth as they
// are, and the kernel leaves the checksum to a card that is not there: TCP would hang while ping works.
func checksumOff(dev string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_STXCSUM}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], dev)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("switch checksum offload of %s off: %w", dev, errno)
	}
	return nil
}

// plugSwitch adds the node's end of the cable to br-int, as os-vif does.
func plugSwitch(ctx context.Context, n Node, tap string, p *Port) error {
	conn, err := ovsdb.Dial(ctx, "unix:"+n.Path("/run/openvswitch/db.sock"), nil)
	if err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	defer conn.Close()
	if _, err := conn.Transact(ctx, "Open_vSwitch",
		ovsdb.Insert("Interface", "interface", ovsdb.Columns{"name": tap, "external_ids": map[string]string{
			"iface-id": p.ID, "attached-mac": p.MAC, "vm-uuid": p.DeviceID, "iface-status": "active",
		}}),
		ovsdb.Insert("Port", "port", ovsdb.Columns{"name": tap, "interfaces": ovsdb.Named("interface")}),
		add("Bridge", named("br-int"), "ports", ovsdb.Named("port")),
		bumpConfig(),
	); err != nil {
		return fmt.Errorf("node %s: plug %s: %w", n.Name, tap, err)
	}
	return nil
}

func unplugSwitch(ctx context.Context, n Node, tap string) error {
	conn, err := ovsdb.Dial(ctx, "unix:"+n.Path("/run/openvswitch/db.sock"), nil)
	if err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	defer conn.Close()
	rows, err := conn.Select(ctx, "Open_vSwitch", "Port", named(tap), "_uuid")
	if err != nil || len(rows) == 0 {
		return err
	}
	var id ovsdb.UUID
	if err := rows[0].Get("_uuid", &id); err != nil {
		return err
	}
	_, err = conn.Transact(ctx, "Open_vSwitch", remove("Bridge", named("br-int"), "ports", id), bumpConfig())
	return err
}

// bumpConfig tells ovs-vswitchd that there is something to do.
func bumpConfig() ovsdb.Operation {
	return ovsdb.Mutate("Open_vSwitch", nil, ovsdb.Mutation{Column: "next_cfg", Mutator: "+=", Value: 1})
}

// StopVM stops a virtual machine and waits until its port is down. The port stays.
func (c *Cloud) StopVM(ctx context.Context, name string) error {
	v, err := c.VM(name)
	if err != nil {
		return err
	}
	if v.Copy != nil {
		if err := c.AbortMigration(ctx, name); err != nil {
			return err
		}
	}
	if err := c.removeVM(ctx, v); err != nil {
		return err
	}
	delete(c.state.VMs, name)
	if err := c.save(); err != nil {
		return err
	}
	return c.waitUp(ctx, c.state.Ports[name], false)
}

func (v *VM) kill(n Node) error {
	// The name holds the namespace: without unmounting it the cable would stay.
	if err := n.inside(func() error {
		path := "/run/netns/" + v.Name
		return errors.Join(unix.Unmount(path, unix.MNT_DETACH), os.Remove(path))
	}); err != nil {
		return err
	}
	if !n.Owns(v.Pid) {
		return nil
	}
	if err := unix.Kill(v.Pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	// The kernel takes a network namespace down after its last process, at its own pace: remove the cable now, so that
	// the next VM of this port finds the name free.
	return withLinks(n, func(h *netlink.Handle) error {
		link, err := h.LinkByName(v.Tap)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := h.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) { // the kernel was faster
			return err
		}
		return nil
	})
}

// DeleteVM stops a virtual machine and deletes its port.
func (c *Cloud) DeleteVM(ctx context.Context, name string) error {
	if err := c.StopVM(ctx, name); err != nil {
		return err
	}
	return c.DeletePort(ctx, name)
}

// RunInVM runs a command in a virtual machine and returns what it printed.
func (c *Cloud) RunInVM(ctx context.Context, name string, argv ...string) ([]byte, error) {
	v, err := c.VM(name)
	if err != nil {
		return nil, err
	}
	n, err := c.fabric.Node(v.Node)
	if err != nil {
		return nil, err
	}
	return n.Output(ctx, append([]string{"ip", "netns", "exec", v.Name}, argv...)...)
}
