package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// guestBinary is this program inside the guest.
	guestBinary = "/lab/bin/ovnbgp"
	// guestFiles is the directory of --files inside the guest.
	guestFiles = "/lab/files"
	// guestLine is the serial line of the command channel.
	guestLine = "/dev/ttyS0"
	guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// guestDescriptors is the limit of open files. The kernel's own default, 2^30, makes daemons that close every
	// possible descriptor hang for minutes.
	guestDescriptors = 65536
)

// guestMount is a file system that PID 1 mounts.
type guestMount struct{ kind, target, options string }

func guestMounts() []guestMount {
	return []guestMount{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"devtmpfs", "/dev", "mode=755"},
		{"devpts", "/dev/pts", "ptmxmode=666,mode=620,gid=5"},
		{"tmpfs", "/dev/shm", ""},
		{"tmpfs", "/run", "mode=755"},
		{"tmpfs", "/tmp", "mode=1777"},
	}
}

// guestModules are what nodes are made of. A kernel that has one built in is as good.
func guestModules() []string {
	return []string{"tun", "veth", "vrf", "dummy", "8021q", "bridge", "vxlan"}
}

// RunInit is PID 1 of the guest: it mounts, loads modules, starts the process that runs jobs, reaps what is left to
// it, and powers the guest off when that process ends. It returns only when it is not PID 1.
func RunInit(console io.Writer) error {
	if os.Getpid() != 1 {
		return errors.New("lab init runs as PID 1 of a lab's guest and nowhere else")
	}
	if err := initAndReap(console); err != nil {
		fmt.Fprintf(console, "ovnbgp lab init: %v\n", err)
	}
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func initAndReap(console io.Writer) error {
	if err := prepareGuest(console); err != nil {
		return err
	}
	// A process of its own runs the jobs, so that waiting for orphans here never takes a job's exit status.
	jobs := exec.Command(guestBinary, "lab", "jobs")
	jobs.Stdout, jobs.Stderr = console, console
	jobs.Env = guestEnv()
	if err := jobs.Start(); err != nil {
		return fmt.Errorf("start the job server: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("wait for children: %w", err)
		case pid == jobs.Process.Pid && status.ExitStatus() != 0:
			return fmt.Errorf("the job server ended with status %d", status.ExitStatus())
		case pid == jobs.Process.Pid:
			return nil
		}
	}
}

func guestEnv() []string {
	return []string{"PATH=" + guestPath, "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "OVNBGP_GUEST=1"}
}

// prepareGuest makes a booted kernel a place where programs run. Only a missing file system is an error; what else
// fails is said on the console.
func prepareGuest(console io.Writer) error {
	// The environment of the exec package's path look-up is ours, and the kernel gave us none.
	if err := os.Setenv("PATH", guestPath); err != nil {
		return err
	}
	for _, m := range guestMounts() {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		err := unix.Mount(m.kind, m.target, m.kind, unix.MS_NOSUID, m.options)
		if err != nil && !errors.Is(err, unix.EBUSY) { // the kernel mounts /dev itself
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	limit := syscall.Rlimit{Cur: guestDescriptors, Max: guestDescriptors}
	said(console, "limit open files", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	said(console, "set the host name", unix.Sethostname([]byte("lab")))
	said(console, "make /run/netns", os.MkdirAll("/run/netns", 0o755))
	said(console, "load modules", loadModules())
	said(console, "set lo up", setLoopbackUp())
	return nil
}

// said reports a failure that a guest can live with.
func said(console io.Writer, what string, err error) {
	if err != nil {
		fmt.Fprintf(console, "ovnbgp lab init: %s: %v\n", what, err)
	}
}

func loadModules() error {
	out, err := exec.Command("modprobe", append([]string{"-a"}, guestModules()...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func setLoopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// RunJobs serves the command channel inside the guest until the host asks for the end.
func RunJobs(ctx context.Context) error {
	if os.Getenv("OVNBGP_GUEST") == "" {
		return errors.New("lab jobs runs inside a lab's guest and nowhere else")
	}
	line, err := os.OpenFile(guestLine, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("open the command channel: %w", err)
	}
	defer line.Close()
	if _, err := makeRaw(line); err != nil {
		return fmt.Errorf("set %s raw: %w", guestLine, err)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	return newJobServer(line).serve(ctx, readyInfo{Kernel: unix.ByteSliceToString(name.Release[:])})
}
