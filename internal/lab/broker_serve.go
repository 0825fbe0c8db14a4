package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// bootLimit is how long a guest may take to say that it is ready; it takes 2 s on an idle machine.
	bootLimit = 60 * time.Second
	// powerOffLimit is how long a guest may take to end its jobs and itself.
	powerOffLimit = 2*jobGrace + 2*time.Second
	// readyFD is where a broker that was started by Guest.Up says how its start went: nothing, or the error.
	readyFD = 3
)

// ServeOptions is what a guest is booted with.
type ServeOptions struct {
	Name   string
	Image  string // the directory of a complete image
	Memory string // in the kernel's notation, such as 3G
	Files  string // a host directory, seen in the guest as /lab/files
}

// RunServe boots a guest and serves jobs to its clients until ctx is cancelled or the guest ends. It expects a mount
// namespace of its own: Guest.Up starts it so.
func RunServe(ctx context.Context, o ServeOptions, log *slog.Logger) error {
	said := os.NewFile(readyFD, "ready")
	defer said.Close()
	if err := ownMounts(); err != nil {
		return err
	}
	// The guest dies with this thread, so it must be the one that stays.
	runtime.LockOSThread()
	s, err := newServer(ctx, o, log)
	if err != nil {
		fmt.Fprint(said, err.Error())
		return err
	}
	said.Close()
	return s.run(ctx)
}

// ownMounts refuses to run among the host's mounts, where those made here would stay.
func ownMounts() error {
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return fmt.Errorf("read our mount namespace: %w", err)
	}
	parent, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", os.Getppid()))
	if err == nil && ours == parent {
		return errors.New("lab serve is started by lab up, not by hand")
	}
	return nil
}

// server is a broker with its guest.
type server struct {
	guest    Guest
	uml      *uml
	line     *bufio.Reader
	broker   *broker
	listener net.Listener
	log      *slog.Logger
	hold     *os.File // marks the image as in use
}

// newServer boots a guest and waits until it is ready.
func newServer(ctx context.Context, o ServeOptions, log *slog.Logger) (*server, error) {
	g := Guest{Name: o.Name}
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hold, err := lockShared(filepath.Join(o.Image, imageLock))
	if err != nil {
		return nil, err
	}
	mounts := g.path("mnt")
	if err := os.MkdirAll(mounts, 0o700); err != nil {
		return nil, err
	}
	plan := rootPlan{image: filepath.Join(o.Image, "root"), dir: mounts, binary: binary, files: o.Files, memory: o.Memory}
	root, err := mountRoot(plan)
	if err != nil {
		return nil, err
	}
	console, err := os.OpenFile(g.path(consoleLog), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer console.Close()
	u, err := startUML(root, o.Memory, console)
	if err != nil {
		return nil, err
	}
	s := &server{guest: g, uml: u, line: bufio.NewReaderSize(u.ofGuest, 64<<10), broker: newBroker(u.toGuest, log), log: log, hold: hold}
	if err := s.open(ctx, o); err != nil {
		u.kill()
		return nil, err
	}
	return s, nil
}

// open waits for the guest, writes the state file and opens the socket.
func (s *server) open(ctx context.Context, o ServeOptions) error {
	timer := time.AfterFunc(bootLimit, s.uml.kill)
	defer context.AfterFunc(ctx, s.uml.kill)()
	info, err := awaitReady(s.line)
	if !timer.Stop() && err != nil {
		err = fmt.Errorf("not ready after %s: %w", bootLimit, err)
	}
	if err != nil {
		return fmt.Errorf("boot the guest: %w\n%s", err, s.guest.lastWords())
	}
	self, err := findProcess(os.Getpid())
	if err != nil {
		return err
	}
	sum, err := fileHash("/proc/self/exe")
	if err != nil {
		return err
	}
	s.listener, err = net.Listen("unix", s.guest.path(guestSocket))
	if err != nil {
		return err
	}
	state := guestState{Broker: self, Image: o.Image, Kernel: info.Kernel, Memory: o.Memory, Files: o.Files,
		Binary: sum, Started: time.Now()}
	return writeJSON(s.guest.path(guestStateFile), state)
}

// run serves until ctx is cancelled or the guest ends, and leaves no socket behind.
func (s *server) run(ctx context.Context) error {
	go func() {
		if err := s.broker.accept(s.listener); err != nil {
			s.log.Error("serve clients", "err", err)
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- s.broker.relay(s.line) }()
	var failed error
	reason := "lab down was called"
	select {
	case err := <-ended:
		failed = fmt.Errorf("the guest has ended by itself: %w", err)
		reason = failed.Error() + "\n" + s.guest.lastWords()
	case <-ctx.Done():
		go func() { _ = s.broker.powerOff() }() // or it is killed below
		select {
		case <-ended: //nolint:errcheck // it has ended, as asked
		case <-time.After(powerOffLimit):
		}
	}
	s.listener.Close()
	s.uml.kill()
	_ = s.uml.cmd.Wait() // however it ended
	s.broker.fail(reason)
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.broker.wait(flush)
	return failed
}

// lastWords is the end of the guest's console.
func (g Guest) lastWords() string {
	text, err := os.ReadFile(g.path(consoleLog))
	if err != nil {
		return "the console's text is lost: " + err.Error()
	}
	return "the console's last lines:\n  " + consoleEnd(text)
}

// consoleEnd picks the last lines, without those of call traces.
func consoleEnd(text []byte) string {
	const lines = 15
	all := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(text, nil))), "\n")
	all = slices.DeleteFunc(all, func(line string) bool { return strings.Contains(line, "[<") })
	return strings.Join(all[max(0, len(all)-lines):], "\n  ")
}

// startBroker starts `ovnbgp lab serve` as a daemon in a mount namespace of its own and waits until its guest is
// ready.
func (g Guest) startBroker(ctx context.Context, binary string, o ServeOptions) error {
	log, err := os.OpenFile(g.path(serveLog), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	ready, said, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	argv := []string{binary, "lab", "serve", "--name", o.Name, "--image", o.Image, "--memory", o.Memory, "--files", o.Files}
	p, err := os.StartProcess(binary, argv, &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{nil, log, log, said},
		Sys: &syscall.SysProcAttr{Setsid: true, Unshareflags: unix.CLONE_NEWNS},
	})
	said.Close()
	if err != nil {
		return fmt.Errorf("start the lab's broker: %w", err)
	}
	defer p.Release()
	defer context.AfterFunc(ctx, func() { _ = p.Kill() })() // ended already: as wanted
	return readyText(ready, func() string { text, _ := os.ReadFile(log.Name()); return string(text) })
}
