package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Node is a running node: network, mount, UTS and PID namespaces held by a process that does nothing but reap
// (NodeInit). Every daemon, tool and agent in it uses its stock paths, because the directories in privateDirs are its own.
type Node struct {
	NodeSpec
	// Pid of the node's process 1, in the PID namespace of whoever started the lab.
	Pid int
	// Dir holds the node's private directories; the node's /run is Dir/run, so its sockets can be reached from here.
	Dir string
	// Program is the ovnbgp that the node's agent and virtual machines run.
	Program string
}

// privateDirs are the directories a node does not share. /run comes last: the others are bound from below it.
func privateDirs() []string {
	return []string{
		"/etc/frr", "/etc/openvswitch", "/etc/ovn", "/etc/ovn-bgp-agent", "/etc/iproute2",
		"/var/lib/openvswitch", "/var/lib/ovn", "/var/lib/frr", "/var/lib/ovnbgp", "/var/log", "/run",
	}
}

// Path is where a file of the node is seen from outside it. Only paths under a private directory exist there.
func (n Node) Path(inNode string) string { return filepath.Join(n.Dir, inNode) }

// namespaces a node consists of.
func namespaces() []string { return []string{"pid", "uts", "net", "mnt"} }

// inside runs fn on a thread that is in the node's namespaces, which dies with it. A process that fn starts is in the
// node's PID namespace too. Entering by ourselves saves the fork and exec of nsenter, which is dear in User-Mode Linux.
func (n Node) inside(fn func() error) error {
	return onThread(func() error {
		// A thread that shares its root and working directory with others may not change its mount namespace.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("enter node %s: unshare: %w", n.Name, err)
		}
		if err := enterNamespaces(n.Pid, namespaces(), fn); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
		return nil
	})
}

// onThread runs fn on a thread of its own, which is thrown away.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: a thread in foreign namespaces must not be used again
		if unix.Gettid() == unix.Getpid() {
			// The main thread stands for the process in /proc: hold it here while another one does the work.
			done <- onThread(fn)
			runtime.UnlockOSThread()
			return
		}
		done <- fn()
	}()
	return <-done
}

// enterNamespaces moves the calling thread into namespaces of a process and runs fn there.
func enterNamespaces(pid int, kinds []string, fn func() error) error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, kind := range kinds { // all are opened first: afterwards /proc may be another
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s namespace of process %d: %w", kind, pid, err)
		}
		fds = append(fds, fd)
	}
	for i, fd := range fds {
		if err := unix.Setns(fd, 0); err != nil {
			return fmt.Errorf("enter %s namespace of process %d: %w", kinds[i], pid, err)
		}
	}
	return fn()
}

// Start starts a prepared command in the node. The caller waits for it, or leaves it to the node's process 1.
func (n Node) Start(cmd *exec.Cmd) error {
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if err := n.inside(cmd.Start); err != nil {
		return fmt.Errorf("node %s: %s: %w", n.Name, strings.Join(cmd.Args, " "), err)
	}
	return nil
}

// startDetached starts, by the function, a program that does not detach itself: in a session of its own, with its output
// added to a log by its path in the node.
func (n Node) startDetached(cmd *exec.Cmd, logPath string, start func(*exec.Cmd) error) error {
	log, err := os.OpenFile(n.Path(logPath), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := start(cmd); err != nil {
		return err
	}
	// Reap it here for as long as we live; afterwards the node's process 1 does.
	go func() { _ = cmd.Wait() }()
	return nil
}

// Output runs a command in the node and returns what it printed. An error carries its standard error.
func (n Node) Output(ctx context.Context, argv ...string) ([]byte, error) {
	return n.Input(ctx, "", argv...)
}

// Input is Output with text on the command's standard input.
func (n Node) Input(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, tool(argv[0]), argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	// A daemon that detaches keeps our pipe as its standard error: do not wait for the pipe's end.
	cmd.WaitDelay = 2 * time.Second
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	if err := n.Start(cmd); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return out.Bytes(), fmt.Errorf("node %s: %s: %w: %s", n.Name, strings.Join(argv, " "), err,
			strings.TrimSpace(errs.String()+" "+out.String()))
	}
	return out.Bytes(), nil
}

// Daemon runs a command that detaches itself. Its output goes to a file: a daemon that keeps a pipe open would hold us.
func (n Node) Daemon(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, tool(argv[0]), argv[1:]...)
	log, err := os.CreateTemp("", "lab-"+n.Name+"-")
	if err != nil {
		return fmt.Errorf("node %s: %s: %w", n.Name, argv[0], err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := n.Start(cmd); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		said, readErr := os.ReadFile(log.Name())
		return errors.Join(fmt.Errorf("node %s: %s: %w: %s", n.Name, strings.Join(argv, " "), err, said), readErr)
	}
	return nil
}

// Attach runs a command in the node with the given standard streams and returns its exit code.
func (n Node) Attach(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, argv []string) (int, error) {
	if len(argv) == 0 {
		return 0, errors.New("no command given")
	}
	cmd := exec.CommandContext(ctx, tool(argv[0]), argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := n.Start(cmd); err != nil {
		return notStarted(err), err
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(exit.ProcessState), nil
	}
	return 0, err
}

// WriteFile writes a file of the node by its path in the node, making directories. It must be below a private directory.
func (n Node) WriteFile(path, content string, mode os.FileMode) error {
	full := n.Path(path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	if err := os.WriteFile(full, []byte(content), mode); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return nil
}

// Sysctl sets kernel parameters in the node, named by their path below /proc/sys.
func (n Node) Sysctl(settings ...string) error {
	return n.inside(func() error {
		for _, s := range settings {
			name, value, ok := strings.Cut(s, "=")
			if !ok {
				return fmt.Errorf("sysctl %q has no value", s)
			}
			if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
				return fmt.Errorf("node %s: sysctl %s: %w", n.Name, s, err)
			}
		}
		return nil
	})
}

// Links opens a netlink handle in the node. The caller closes it.
func (n Node) Links() (*netlink.Handle, error) {
	ns, err := netns.GetFromPid(n.Pid)
	if err != nil {
		return nil, fmt.Errorf("node %s: network namespace: %w", n.Name, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("node %s: netlink: %w", n.Name, err)
	}
	return h, nil
}

// Alive reports whether the node's process 1 still holds its namespaces.
func (n Node) Alive() bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", n.Pid))
	return n.Pid > 0 && err == nil
}

// Owns reports whether a process, by its number outside, lives in the node's PID namespace. It keeps a recorded number
// that the kernel has given to another process from being signalled.
func (n Node) Owns(pid int) bool {
	ours, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", n.Pid))
	if err != nil || pid <= 0 {
		return false
	}
	theirs, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	return err == nil && ours == theirs
}

// tool finds a program where daemons live as well: the PATH of a bare shell may have no sbin.
func tool(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return name
}

// Kill kills every process of the node that runs a program, by the program's name, and returns how many there were. They
// are given no chance to tidy up.
func (n Node) Kill(program string) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	var killed []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == n.Pid {
			continue
		}
		name, err := os.ReadFile("/proc/" + e.Name() + "/comm")
		if err != nil || strings.TrimSpace(string(name)) != program || !n.Owns(pid) {
			continue // gone meanwhile, or not ours
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return len(killed), fmt.Errorf("node %s: kill %s (%d): %w", n.Name, program, pid, err)
		}
		killed = append(killed, pid)
	}
	return len(killed), n.waitGone(killed)
}

// waitGone waits until killed processes are no more: the kernel frees their sockets only then.
func (n Node) waitGone(pids []int) error {
	for _, pid := range pids {
		for deadline := time.Now().Add(5 * time.Second); n.Owns(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("node %s: process %d was killed and does not end", n.Name, pid)
			}
		}
	}
	return nil
}
