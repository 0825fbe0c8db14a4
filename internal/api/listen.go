package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Listen opens the local socket. Its group may read it; what changes anything asks for root besides (see
// requireRoot). A socket that a dead agent left behind is replaced: the caller holds the node's lock, so nobody
// listens on it.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("local socket: %w", err)
	}
	if err := removeSocket(path); err != nil {
		return nil, fmt.Errorf("local socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("local socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("local socket: %w", err), listener.Close())
	}
	return listener, nil
}

// removeSocket removes a socket that was left behind, and nothing else that a misspelt path may name.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is there and no socket", path)
	}
	return os.Remove(path)
}

type peerKey struct{}

// withPeer remembers who is at the other end of a connection, as the kernel says (SO_PEERCRED).
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || cred == nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, *cred)
}

// requireRoot lets only root through. A peer that cannot be told is nobody.
func requireRoot(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cred, ok := r.Context().Value(peerKey{}).(unix.Ucred)
		if !ok || cred.Uid != 0 {
			writeError(w, http.StatusForbidden, errors.New("this changes the node: run it as root"))
			return
		}
		next(w, r)
	}
}

// ListenTCP opens the address of metrics and health.
func ListenTCP(at netip.AddrPort) (net.Listener, error) {
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return listener, nil
}
