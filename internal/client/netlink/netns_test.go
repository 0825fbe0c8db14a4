package netlink

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNamespace locks the test's thread into a new network namespace. The thread ends with the test's goroutine.
func inNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("new network namespace (the test needs root): %v", err)
	}
	ip(t, "link set lo up")
}

// ip runs the ip command: another pair of eyes and hands.
func ip(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// openConn opens a Conn in the test's namespace that keeps table 10 and protocol 179.
func openConn(t *testing.T) *Conn {
	t.Helper()
	c, err := Open(t.Context(), Options{Tables: []uint32{10}, Protocols: []uint8{179}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// vethPair makes v0 and v1, both up, and returns v0's link.
func vethPair(t *testing.T, c *Conn) Link {
	t.Helper()
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 up")
	ip(t, "link set v1 up")
	l, ok, err := c.LinkByName(t.Context(), "v0")
	if err != nil || !ok {
		t.Fatalf("link v0: found %v, %v", ok, err)
	}
	return l
}

func actual(t *testing.T, c interface {
	Actual(context.Context) (Actual, error)
}) Actual {
	t.Helper()
	a, err := c.Actual(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what the kernel does by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within 5 s: %s", what)
		case <-tick.C:
		}
	}
}
