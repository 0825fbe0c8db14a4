package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	guestBase      = "/run/ovnbgp/lab"
	guestStateFile = "state.json"
	guestSocket    = "socket"
	consoleLog     = "console.log"
	serveLog       = "serve.log"
)

// Guest is a lab in User-Mode Linux, by name. Everything about it is in its directory under /run/ovnbgp/lab; its
// mounts are in its broker's namespace and vanish with it.
type Guest struct{ Name string }

// guestState is what a broker writes down once its guest is ready.
type guestState struct {
	Broker  process   `json:"broker"`
	Image   string    `json:"image"`
	Kernel  string    `json:"kernel"`
	Memory  string    `json:"memory"`
	Files   string    `json:"files"`
	Binary  string    `json:"binary"` // hash of the program in the guest
	Started time.Time `json:"started"`
}

// GuestOptions says how a guest is booted.
type GuestOptions struct {
	Image  Image
	Memory string // in the kernel's notation; empty: 3G
	Files  string // a host directory, seen as /lab/files; empty: one in the guest's own directory
	Binary string // the program that serves the guest and runs in it; empty: this one
}

// GuestStatus is what is known of a guest on the host.
type GuestStatus struct {
	Name     string
	Running  bool
	Kernel   string
	Memory   string
	Files    string // the host directory seen in the guest as /lab/files
	Console  string // the file with the console's text
	Image    string
	Versions map[string]string // of the image's packages that matter, by name
	Contents string            // the same in one line
	Started  time.Time
	Binary   string // hash of the program in the guest
}

func (g Guest) dir() string             { return filepath.Join(guestBase, g.Name) }
func (g Guest) path(file string) string { return filepath.Join(g.dir(), file) }

// Check refuses names that are no file names.
func (g Guest) Check() error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`).MatchString(g.Name) {
		return fmt.Errorf("lab name %q: use small letters, digits and -, at most 31", g.Name)
	}
	return nil
}

// Exists reports whether something of the guest is there, running or not.
func (g Guest) Exists() bool {
	_, err := os.Stat(g.dir())
	return err == nil
}

func (g Guest) state() (guestState, error) {
	var s guestState
	text, err := os.ReadFile(g.path(guestStateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", g.path(guestStateFile), err)
	}
	return s, nil
}

// NotUp is the ErrNotUp of a guest of which nothing is there.
func (g Guest) NotUp() error { return fmt.Errorf("%w under the name %q", ErrNotUp, g.Name) }

// Running reports whether the guest runs.
func (g Guest) Running() bool {
	s, err := g.state()
	return err == nil && s.Broker.alive()
}

// lock keeps two commands from changing one guest at once.
func (g Guest) lock(ctx context.Context) (*os.File, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(guestBase, 0o755); err != nil {
		return nil, err
	}
	return lockFile(ctx, g.dir()+".lock", func() {})
}

// Boot starts the guest and returns once it runs commands. A guest that runs already stays as it is.
func (g Guest) Boot(ctx context.Context, o GuestOptions) error {
	lock, err := g.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if g.Running() {
		return nil
	}
	if err := g.clear(ctx); err != nil {
		return err
	}
	dirs := []string{g.dir()}
	if o.Files == "" { // one that was named is not made: it would be the wrong one
		dirs = append(dirs, g.path("files"))
	}
	if err := o.complete(g); err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	err = g.startBroker(ctx, o.Binary, ServeOptions{Name: g.Name, Image: o.Image.Dir, Memory: o.Memory, Files: o.Files})
	if err == nil && !g.Running() {
		err = fmt.Errorf("%w at once: %s", ErrGuestGone, g.lastWords())
	}
	return err
}

// complete fills in defaults and checks that the program can run in the guest.
func (o *GuestOptions) complete(g Guest) (err error) {
	if o.Memory == "" {
		o.Memory = "3G"
	}
	if o.Files == "" {
		o.Files = g.path("files")
	}
	if o.Files, err = filepath.Abs(o.Files); err != nil {
		return err
	}
	if o.Binary == "" {
		if o.Binary, err = os.Executable(); err != nil {
			return err
		}
	}
	return checkStatic(o.Binary)
}

// Down ends the guest and removes its directory. A guest that is half gone, or not there, is fine.
func (g Guest) Down(ctx context.Context) error {
	lock, err := g.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	return g.clear(ctx)
}

// clear ends the broker, which it finds by the state file or else by asking the socket who serves it.
func (g Guest) clear(ctx context.Context) error {
	broker := process{}
	if s, err := g.state(); err == nil {
		broker = s.Broker
	} else if p, err := socketOwner(g.path(guestSocket)); err == nil {
		broker = p
	}
	if err := broker.end(ctx, powerOffLimit+5*time.Second); err != nil {
		return err
	}
	return os.RemoveAll(g.dir())
}

// Run runs a command in the guest's root namespaces and returns its exit code: 128 and a signal's number when a signal
// ended it, 126 or 127 with an error when it could not be started. When ctx is cancelled the command is interrupted,
// then killed. Any of the streams may be nil. A read from stdin may still be under way when Run returns.
func (g Guest) Run(ctx context.Context, argv []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	conn, err := g.connect(ctx)
	if err != nil {
		return 0, err
	}
	return runJob(ctx, conn, jobSpec{Argv: argv}, stdin, stdout, stderr)
}

// Attach runs a command with this process's standard streams; on a terminal, when ours is one.
func (g Guest) Attach(ctx context.Context, argv []string) (int, error) {
	if !isTerminal(os.Stdin) || !isTerminal(os.Stdout) {
		return g.Run(ctx, argv, os.Stdin, os.Stdout, os.Stderr)
	}
	conn, err := g.connect(ctx)
	if err != nil {
		return 0, err
	}
	spec := jobSpec{Argv: argv, TTY: true, Env: []string{"TERM=" + os.Getenv("TERM")}}
	spec.Rows, spec.Cols = windowSize(os.Stdin)
	old, err := makeRaw(os.Stdin)
	if err != nil {
		return 0, err
	}
	defer func() { _ = restore(os.Stdin, old) }() // a terminal that is gone needs no restoring
	return runJob(ctx, conn, spec, os.Stdin, os.Stdout, os.Stderr)
}

// connect reaches the broker, or says what became of the guest.
func (g Guest) connect(ctx context.Context) (net.Conn, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", g.path(guestSocket))
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !g.Exists():
		return nil, fmt.Errorf("%w: `ovnbgp lab up` starts it", g.NotUp())
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("lab %q: %w (are you root?)", g.Name, err)
	}
	return nil, fmt.Errorf("%w: `ovnbgp lab up` starts lab %q anew; %s", ErrGuestGone, g.Name, g.lastWords())
}

// RunsThis reports whether the guest runs this very build of the program.
func (g Guest) RunsThis() bool {
	s, err := g.state()
	if err != nil {
		return false
	}
	sum, err := fileHash("/proc/self/exe")
	return err == nil && sum == s.Binary
}

// Program is ovnbgp inside a guest.
func (Guest) Program() string { return guestBinary }

// Status describes the guest. It returns ErrNotUp when nothing of it is there.
func (g Guest) Status() (GuestStatus, error) {
	s, err := g.state()
	if errors.Is(err, fs.ErrNotExist) {
		return GuestStatus{}, g.NotUp()
	}
	if err != nil {
		return GuestStatus{}, err
	}
	status := GuestStatus{Name: g.Name, Running: s.Broker.alive(), Kernel: s.Kernel, Memory: s.Memory, Files: s.Files,
		Console: g.path(consoleLog), Image: s.Image, Started: s.Started, Binary: s.Binary}
	if m, err := readManifest(s.Image); err == nil { // an image may have been removed behind our back
		status.Versions, status.Contents = m.versions(), m.String()
	}
	return status, nil
}

// readyText waits until a broker that starts has said how that went: nothing and an open log, or an error.
func readyText(r io.Reader, log func() string) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		return errors.New(string(text))
	}
	if said := strings.TrimSpace(log()); said != "" {
		return fmt.Errorf("the lab's broker: %s", said)
	}
	return nil
}
