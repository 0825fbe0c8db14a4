package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// umlKernel is the User-Mode Linux program inside an image.
	umlKernel = "/lab/linux.uml"
	// umlPriority is the kernel's nice value: its timers, and so BFD's, must not starve on a busy host.
	umlPriority = -10
)

// uml is a running User-Mode Linux kernel. Its processes live in a PID namespace of their own and die with it.
type uml struct {
	cmd     *exec.Cmd
	toGuest *os.File // the serial line, our ends
	ofGuest *os.File
}

// umlArgs is the kernel's command line. The serial line ssl0 is the command channel on descriptors 3 and 4; stderr is
// the console.
func umlArgs(memory string) []string {
	return []string{
		"mem=" + memory, "seccomp=on", "rootfstype=hostfs", "rw", "quiet", "panic=1",
		"con=null", "con0=null,fd:2", "ssl=null", "ssl0=fd:3,fd:4",
		"init=" + guestBinary, "--", "lab", "init",
	}
}

// startUML boots the root file system at root. The caller's thread must be locked and live as long as the guest
// should: the kernel dies with it.
func startUML(root, memory string, console *os.File) (*uml, error) {
	in, toGuest, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	ofGuest, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// Not being allowed to costs steadiness on a busy host, nothing else.
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), umlPriority)
	// A kernel that panics ends itself with SIGABRT, which PID 1 of a namespace would not feel: a shell is PID 1.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `"$@"; exit $?`, "sh", umlKernel}, umlArgs(memory)...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + guestPath, "HOME=/tmp", "TMPDIR=/dev/shm"}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{in, out}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Cloneflags: unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start User-Mode Linux: %w", err)
	}
	return &uml{cmd: cmd, toGuest: toGuest, ofGuest: ofGuest}, nil
}

// kill ends the guest at once.
func (u *uml) kill() { _ = u.cmd.Process.Kill() } // ended already: as wanted

// rootPlan says what a guest's root file system is made of.
type rootPlan struct {
	image  string // an image's root file system; never written to
	dir    string // where the mounts go
	binary string // our program
	files  string // a host directory, seen as guestFiles
	memory string // the size of the guest's memory, in the kernel's notation
}

// mountRoot puts a guest's root file system together and returns its path. What the guest writes goes to memory; all of
// it vanishes with the caller's mount namespace, which must be its own.
func mountRoot(p rootPlan) (string, error) {
	if err := mount("tmpfs", p.dir, "tmpfs", 0, "mode=755"); err != nil {
		return "", err
	}
	root := filepath.Join(p.dir, "root")
	upper, work := filepath.Join(p.dir, "upper"), filepath.Join(p.dir, "work")
	for _, d := range []string{root, upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return "", err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", p.image, upper, work)
	if err := mount("overlay", root, "overlay", 0, options); err != nil {
		// No overlayfs here: a copy does, at the price of memory and seconds.
		if out, err := exec.Command("cp", "-a", p.image+"/.", root).CombinedOutput(); err != nil {
			return "", fmt.Errorf("copy the image: %w: %s", err, strings.TrimSpace(string(out)))
		}
	}
	return root, furnishRoot(root, p)
}

// furnishRoot adds what is not in the image: our program, the caller's files, and what User-Mode Linux itself needs of
// the host.
func furnishRoot(root string, p rootPlan) error {
	for _, d := range []string{"lab/bin", "lab/files", "dev/shm", "proc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	if err := copyFile(p.binary, filepath.Join(root, guestBinary)); err != nil {
		return err
	}
	if err := mount(p.files, filepath.Join(root, guestFiles), "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := mount("/proc", filepath.Join(root, "proc"), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := mount("/dev", filepath.Join(root, "dev"), "", unix.MS_BIND, ""); err != nil {
		return err
	}
	// The guest's memory is a file here; in a container the host's own /dev/shm is often 64 MB small.
	return mount("tmpfs", filepath.Join(root, "dev/shm"), "tmpfs", 0, "size=100%")
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

// copyFile copies a program by rename, so that nobody ever runs half of it.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("copy %s: %w", from, err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return os.Rename(to+".new", to)
}
