package fabric

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ovnbgp/internal/client/vty"
)

// Daemons are FRR's real daemons on a node. Their sockets are in the node's Dir.
type Daemons struct {
	node    *Node
	options map[string][]string // by daemon
	running map[string]*exec.Cmd
	log     Buffer
}

// frrDir is where Debian, Fedora and the project's own packages put the daemons.
const frrDir = "/usr/lib/frr"

// startOrder is FRR's own order. It is also that of stopping, reversed. mgmtd, where FRR has it, comes and goes with zebra.
var startOrder = []string{"mgmtd", "zebra", "bgpd", "bfdd"} //nolint:gochecknoglobals // a constant

// NewFRR returns the daemons of a node, none of them running. They end with the test. zebra's options are those that
// matter: "-n" for VRFs that are namespaces, "-r" and "-K" for restarts.
func NewFRR(n *Node, zebra ...string) *Daemons {
	d := &Daemons{node: n, running: map[string]*exec.Cmd{}, options: map[string][]string{"zebra": zebra}}
	if hasManager() && slices.Contains(zebra, "-n") { // since FRR 10 all daemons have to be told
		d.options["zebra"] = slices.DeleteFunc(slices.Clone(zebra), func(o string) bool { return o == "-n" })
		for _, name := range startOrder {
			d.options[name] = append(d.options[name], "-w")
		}
	}
	n.t.Cleanup(func() { d.Kill(startOrder...) })
	return d
}

// Start starts those of zebra, bgpd and bfdd that are named and not running, and waits until they answer. They have no
// configuration then. The others come when zebra answers: one that does not find it tries again after ten seconds.
func (d *Daemons) Start(daemons ...string) {
	d.node.t.Helper()
	daemons = withManager(daemons)
	for _, name := range startOrder {
		if !slices.Contains(daemons, name) || d.running[name] != nil {
			continue
		}
		d.start(name)
		if name == "mgmtd" || name == "zebra" {
			d.await(name)
		}
	}
	for _, name := range daemons {
		d.await(name)
	}
}

func (d *Daemons) start(name string) {
	d.node.t.Helper()
	_ = os.Remove(d.socket(name))
	arguments := append([]string{"-i", filepath.Join(d.node.Dir, name+".pid"),
		"-z", filepath.Join(d.node.Dir, "zserv.api"), "--vty_socket", d.node.Dir, "-P", "0",
		"--log", "stdout", "--log-level", "informational"}, d.options[name]...)
	if name != "mgmtd" { // which reads no file of its own
		arguments = append(arguments, "-f", "/dev/null")
	}
	cmd := d.node.command(filepath.Join(frrDir, name), arguments...)
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	d.node.Start(cmd)
	d.running[name] = cmd
}

func (d *Daemons) socket(name string) string { return filepath.Join(d.node.Dir, name+".vty") }

func (d *Daemons) await(name string) {
	d.node.t.Helper()
	err := Await(d.node.t.Context(), func() error {
		conn, err := net.Dial("unix", d.socket(name))
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	if err != nil {
		d.node.t.Fatalf("%s: %s does not answer: %v\n%s", d.node.Name, name, err, d.log.String())
	}
}

// Kill ends daemons as a crash does.
func (d *Daemons) Kill(daemons ...string) { d.end(unix.SIGKILL, daemons) }

// Terminate ends daemons as their service does when it is stopped.
func (d *Daemons) Terminate(daemons ...string) { d.end(unix.SIGTERM, daemons) }

func (d *Daemons) end(signal unix.Signal, daemons []string) {
	daemons = withManager(daemons)
	for _, name := range slices.Backward(startOrder) {
		cmd := d.running[name]
		if cmd == nil || !slices.Contains(daemons, name) {
			continue
		}
		delete(d.running, name)
		_ = cmd.Process.Signal(signal)
		force := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // it ends by the signal; nothing to learn
		force.Stop()
	}
}

// Log returns what the daemons have logged.
func (d *Daemons) Log() string { return d.log.String() }

// Load has vtysh give a file of configuration to daemons, as their service does when it has started them.
func (d *Daemons) Load(file string, daemons ...string) error {
	for _, name := range withManager(daemons) {
		out, err := d.node.output(d.node.command("vtysh", "--vty_socket", d.node.Dir, "-f", file, "-d", name))
		if err != nil && !restartOnly(out) {
			return err
		}
	}
	return nil
}

// restartOnly tells whether vtysh complained of graceful restart's lines alone: that they count from each session's next
// start, or that bgpd has them already, from an agent that was faster. It reads on then, and ends with status 13.
func restartOnly(complaints string) bool {
	for line := range strings.Lines(strings.TrimSpace(complaints)) {
		if !strings.Contains(strings.ToLower(line), "graceful") {
			return false
		}
	}
	return complaints != ""
}

// Configure gives one daemon lines of configuration. A daemon holds its neighbours back for four seconds after vtysh has
// loaded a file; here it does not.
func (d *Daemons) Configure(ctx context.Context, daemon, text string) error {
	c := vty.New(d.socket(daemon))
	return errors.Join(c.Configure(ctx, strings.Split(strings.TrimSpace(text), "\n")), c.Close())
}

// ShowJSON asks a daemon.
func (d *Daemons) ShowJSON(ctx context.Context, daemon, command string, v any) error {
	c := vty.New(d.socket(daemon))
	return errors.Join(c.ShowJSON(ctx, command, v), c.Close())
}

// Buffer is a bytes.Buffer that processes write into while tests read.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write is io.Writer's.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what has been written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
