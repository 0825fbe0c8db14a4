package vty_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ovnbgp/internal/client/vty"
	"ovnbgp/internal/fake/frr"
)

func TestRealDaemon(t *testing.T) {
	daemons := frr.StartDaemons(t)
	c := vty.New(filepath.Join(daemons.Dir, "bgpd.vty"))
	defer c.Close()
	var writes atomic.Int64
	c.OnWrite = func() { writes.Add(1) }
	ctx := t.Context()

	if err := c.Configure(ctx, []string{"router bgp 64999", "bgp router-id 10.0.0.1", "exit"}); err != nil {
		t.Fatal(err)
	}
	if writes.Load() != 3 {
		t.Errorf("%d writes counted, want 3", writes.Load())
	}
	routerID := func() string {
		t.Helper()
		var got struct {
			VRFs map[string]struct{ RouterID string }
		}
		if err := c.ShowJSON(ctx, "show bgp vrfs json", &got); err != nil {
			t.Fatal(err)
		}
		return got.VRFs["default"].RouterID
	}
	if routerID() != "10.0.0.1" {
		t.Errorf("router id %q", routerID())
	}

	// The first bad line ends it; what came before stays, what comes after is not sent.
	err := c.Configure(ctx, []string{"router bgp 64999", "bgp router-id 10.0.0.2", "frobnicate", "bgp router-id 10.0.0.3"})
	var status *vty.StatusError
	if !errors.As(err, &status) || status.Status != vty.NoSuch || status.Command != "frobnicate" ||
		!strings.Contains(err.Error(), "line 3 of 4") || !strings.Contains(status.Output, "Unknown command") {
		t.Errorf("got %v", err)
	}
	if routerID() != "10.0.0.2" {
		t.Errorf("router id %q: the line after the bad one was sent, or shows answer in the wrong node", routerID())
	}
	err = c.Configure(ctx, []string{"router bgp 65001"})
	if !errors.As(err, &status) || status.Status != vty.ConfigFailed || !strings.Contains(status.Output, "AS is 64999") {
		t.Errorf("another AS: %v", err)
	}
	if _, err := c.Show(ctx, "show bgp vrf nope ipv4 unicast json"); !errors.As(err, &status) ||
		status.Status != vty.Warning || !strings.Contains(status.Output, "unknown") {
		t.Errorf("unknown VRF: %v", err)
	}

	// A restart loses the configuration and the connection; the next call finds the new daemon by itself.
	daemons.StopBGP()
	if _, err := c.Show(ctx, "show version"); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("daemon down: %v", err)
	}
	daemons.StartBGP()
	if out, err := c.Show(ctx, "show running-config"); err != nil || strings.Contains(string(out), "router bgp") {
		t.Errorf("after the restart: %v, %s", err, out)
	}
	// The same without a call in between: the dead connection is noticed only when used.
	daemons.StopBGP()
	daemons.StartBGP()
	if err := c.Configure(ctx, []string{"router bgp 65001"}); err != nil {
		t.Errorf("over a dead connection: %v", err)
	}
}

// serve answers each command with what reply returns, on a socket in a temporary directory; "" hangs up.
func serve(t *testing.T, reply func(command string) string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(conn, reply)
		}
	}()
	return path
}

func answerAll(conn net.Conn, reply func(string) string) {
	defer conn.Close()
	var command []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(conn, one); err != nil {
			return
		}
		if one[0] != 0 {
			command = append(command, one[0])
			continue
		}
		out := reply(string(command))
		command = nil
		if out == "" {
			return
		}
		if _, err := io.WriteString(conn, out); err != nil {
			return
		}
	}
}

const done = "\x00\x00\x00\x00"

func TestDeadline(t *testing.T) {
	release := make(chan struct{})
	path := serve(t, func(command string) string {
		if command == "slow" {
			<-release
			return "late" + done
		}
		return command + done
	})
	c := vty.New(path)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Show(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := c.Show(ctx, "slow"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	close(release)
	// The late answer belongs to nobody: it must not be taken for that of the next command.
	if out, err := c.Show(t.Context(), "quick"); err != nil || string(out) != "quick" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestOneLineIsNotSentTwice(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	path := serve(t, func(command string) string {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, command)
		if command == "bad" {
			return "" // the daemon dies while it works on the line
		}
		return done
	})
	c := vty.New(path)
	defer c.Close()
	if err := c.Configure(t.Context(), []string{"good", "bad", "never"}); err == nil ||
		!strings.Contains(err.Error(), `line 2 of 3: "bad": the daemon closed the connection`) {
		t.Errorf("got %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := "[enable configure terminal good bad]"; fmt.Sprint(lines) != want {
		t.Errorf("sent %v, want %v", lines, want)
	}
}

func TestRefused(t *testing.T) {
	c := vty.New("/nonexistent")
	for _, command := range []string{"a\nb", "a\x00b", "a\rb"} {
		if _, err := c.Show(t.Context(), command); err == nil || !strings.Contains(err.Error(), "more than one command") {
			t.Errorf("show %q: %v", command, err)
		}
		if err := c.Configure(t.Context(), []string{"x", command}); err == nil || !strings.Contains(err.Error(), "more than one command") {
			t.Errorf("configure %q: %v", command, err)
		}
	}
	_, err := c.Show(t.Context(), "show version")
	if want := "/nonexistent: connect: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	c := vty.New(serve(t, func(command string) string {
		if strings.Contains(command, "password") {
			return "Unknown command: " + command + "\x00\x00\x00\x02"
		}
		return done
	}))
	defer c.Close()
	err := c.Configure(t.Context(), []string{"neighbor 10.0.0.2 password s3cret"})
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "neighbor 10.0.0.2") {
		t.Errorf("got %v", err)
	}
}

func TestGone(t *testing.T) {
	daemons := frr.StartDaemons(t)
	c := vty.New(filepath.Join(daemons.Dir, "bgpd.vty"))
	connected, gone := make(chan struct{}), make(chan error)
	go func() { gone <- c.Gone(t.Context(), func() { close(connected) }) }()
	<-connected
	daemons.StopBGP()
	if err := <-gone; err != nil {
		t.Errorf("the daemon ended: %v", err)
	}
	if err := c.Gone(t.Context(), func() { t.Error("connected to a daemon that is down") }); err == nil {
		t.Error("no error though there is no daemon")
	}
	daemons.StartBGP()
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Gone(ctx, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestStrangeAnswer(t *testing.T) {
	c := vty.New(serve(t, func(command string) string {
		if command == "enable" {
			return done
		}
		return "text\x00\x01\x00\x00"
	}))
	defer c.Close()
	if _, err := c.Show(t.Context(), "show"); err == nil || !strings.Contains(err.Error(), "not in NULs") {
		t.Errorf("got %v", err)
	}
}
