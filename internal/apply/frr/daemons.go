package frr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ovnbgp/internal/apply/frr/text"
	"ovnbgp/internal/client/vty"
)

// client returns the connection to a daemon, nil if it has no socket.
func (a *Applier) client(name text.Daemon) *vty.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.clients[name]; c != nil {
		return c
	}
	path := filepath.Join(a.options.Sockets, string(name)+".vty")
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	c := vty.New(path)
	c.OnWrite = a.options.OnWrite
	a.clients[name] = c
	return c
}

// version asks bgpd which FRR it is.
func (a *Applier) version(ctx context.Context) (text.Version, error) {
	answer, err := a.bgpd.Show(ctx, "show version")
	if err != nil {
		return text.Version{}, fmt.Errorf("read FRR's version: %w", err)
	}
	return text.ParseVersion(string(answer))
}

// readAll asks every daemon that has a socket for its configuration. bgpd and zebra must answer; another one that does
// not is one that does not run.
func (a *Applier) readAll(ctx context.Context) (text.Running, error) {
	paths, err := filepath.Glob(filepath.Join(a.options.Sockets, "*.vty"))
	if err != nil {
		return nil, err
	}
	running := text.Running{}
	needed := []text.Daemon{text.BGP, text.Zebra}
	for _, path := range paths {
		name := text.Daemon(strings.TrimSuffix(filepath.Base(path), ".vty"))
		if name == "watchfrr" || name == "vtysh" {
			continue
		}
		answer, err := a.client(name).Show(ctx, "show running-config")
		if err != nil {
			if slices.Contains(needed, name) || ctx.Err() != nil {
				return nil, fmt.Errorf("read the configuration of %s: %w", name, err)
			}
			continue
		}
		running[name] = text.Parse(string(answer))
	}
	for _, name := range needed {
		if running[name] == nil {
			return nil, fmt.Errorf("read the configuration of %s: there is no %s in %s", name, string(name)+".vty", a.options.Sockets)
		}
	}
	return running.Gathered(), nil
}

// checkSyntax has FRR read the whole configuration and do nothing. It is no proof that FRR takes it, but what it refuses
// is not tried at all. Where there is no vtysh the daemons' own answers have to do.
func (a *Applier) checkSyntax(ctx context.Context, c text.Config) error {
	a.mu.Lock()
	checked := a.checked
	a.mu.Unlock()
	skeleton := text.File(text.WithoutMembers(c.Blocks))
	if checked == skeleton {
		return nil
	}
	err := a.runVtysh(ctx, skeleton, "-C")
	if errors.Is(err, exec.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("FRR refuses the configuration: %w", err)
	}
	a.mu.Lock()
	a.checked = skeleton
	a.mu.Unlock()
	return nil
}

// vtysh hands statements to whichever daemons they concern.
func (a *Applier) vtysh(ctx context.Context, config string) error {
	if err := a.runVtysh(ctx, config); err != nil {
		return fmt.Errorf("tell FRR the raw lines: %w", err)
	}
	return nil
}

// runVtysh has vtysh read a configuration from a file that nobody else can read: there may be passwords in it.
func (a *Applier) runVtysh(ctx context.Context, config string, arguments ...string) error {
	file, err := os.CreateTemp("", "ovnbgp-*.conf") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // it is left in a directory for such files
	_, err = file.WriteString(config)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	arguments = append([]string{"--vty_socket", a.options.Sockets}, append(arguments, "-f", file.Name())...)
	out, err := exec.CommandContext(ctx, a.options.vtysh(), arguments...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return err
	}
	if err != nil || bytes.Contains(out, []byte("% ")) {
		return fmt.Errorf("vtysh %s: %w: %s", strings.Join(arguments[2:], " "), errors.Join(err, errRefused), said(string(out)))
	}
	return nil
}

var errRefused = errors.New("a statement is refused")

// said is what vtysh says, on one line and without secrets.
func said(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "[") {
			lines = append(lines, text.Redact(line))
		}
	}
	return strings.Join(lines[:min(len(lines), 10)], "; ")
}
