package netlink

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const threadNamespace = "/proc/thread-self/ns/net"

// namespace is a network namespace that can be entered for what has no socket.
type namespace struct {
	file *os.File
	stat unix.Stat_t
}

func currentNamespace() (*namespace, error) {
	f, err := os.Open(threadNamespace)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	n := &namespace{file: f}
	if err := unix.Fstat(int(f.Fd()), &n.stat); err != nil {
		return nil, errors.Join(fmt.Errorf("identify network namespace: %w", err), f.Close())
	}
	return n, nil
}

func (n *namespace) close() error { return n.file.Close() }

// within runs f on a thread in the namespace. A process all in one namespace never changes threads for it.
func (n *namespace) within(f func() error) error {
	runtime.LockOSThread()
	here, err := currentNamespace()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() { _ = here.close() }()
	if here.stat.Dev == n.stat.Dev && here.stat.Ino == n.stat.Ino {
		defer runtime.UnlockOSThread()
		return f()
	}
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(int(here.file.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that it ends with its goroutine and serves nobody else.
		return errors.Join(err, fmt.Errorf("leave network namespace: %w", back))
	}
	runtime.UnlockOSThread()
	return err
}
