package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// startNode makes a node's namespaces: the program starts itself as `lab node NAME DIR`, which calls NodeInit, and is
// told over a pipe when the node is ready.
func startNode(ctx context.Context, spec NodeSpec, dir string) (Node, error) {
	n := Node{NodeSpec: spec, Dir: dir}
	for _, d := range privateDirs() {
		if err := os.MkdirAll(n.Path(d), 0o755); err != nil {
			return n, fmt.Errorf("node %s: %w", spec.Name, err)
		}
		if err := os.MkdirAll(d, 0o755); err != nil { // the place to mount it on
			return n, fmt.Errorf("node %s: %w", spec.Name, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return n, fmt.Errorf("node %s: %w", spec.Name, err)
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return n, fmt.Errorf("node %s: %w", spec.Name, err)
	}
	defer ready.Close()
	cmd := exec.Command(self, "lab", "node", spec.Name, dir)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return n, fmt.Errorf("node %s: %w", spec.Name, err)
	}
	n.Pid = cmd.Process.Pid
	said, err := readAll(ctx, ready)
	if err != nil || said != nodeReady {
		return n, errors.Join(fmt.Errorf("node %s did not start: %s", spec.Name, said), err, cmd.Process.Kill())
	}
	return n, cmd.Process.Release()
}

const nodeReady = "ready"

func readAll(ctx context.Context, f *os.File) (string, error) {
	deadline := time.Now().Add(20 * time.Second)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := f.SetReadDeadline(deadline); err != nil {
		return "", err
	}
	said, err := io.ReadAll(f)
	return string(said), err
}

// NodeInit is process 1 of a node: it arranges the node's directories, says so on file descriptor 3 and then reaps
// what daemons leave behind, until it is killed. `ovnbgp lab node NAME DIR` calls it; nobody else should.
func NodeInit(name, dir string) error {
	ready := os.NewFile(3, "ready")
	if err := arrangeNode(name, dir); err != nil {
		_, writeErr := ready.WriteString(err.Error())
		return errors.Join(err, writeErr)
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	if _, err := ready.WriteString(nodeReady); err != nil {
		return err
	}
	if err := ready.Close(); err != nil {
		return err
	}
	for range children {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
	return nil
}

func arrangeNode(name, dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, d := range privateDirs() {
		target, err := filepath.EvalSymlinks(d)
		if err != nil {
			return err
		}
		if err := unix.Mount(filepath.Join(dir, d), target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount private %s: %w", d, err)
		}
	}
	// /proc shows the processes of the PID namespace, /sys/class/net the links of the network namespace of whoever mounts it.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	return nil
}

// stopNode ends a node: when process 1 of a PID namespace dies, the kernel kills the rest, and the links go with them.
func stopNode(n Node) error {
	if !n.Alive() || !strings.Contains(commandLine(n.Pid), "\x00node\x00"+n.Name+"\x00") {
		return nil
	}
	if err := unix.Kill(n.Pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stop node %s: %w", n.Name, err)
	}
	return nil
}

func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(text)
}
