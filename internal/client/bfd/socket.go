package bfd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxTTL is that of packets that have not been forwarded. Nobody off the link can send one (RFC 5082).
const maxTTL = 255

func randomDiscriminator() uint32 { return rand.Uint32() }

// socket receives the packets that come to one port, of both families.
type socket struct {
	port  int
	conns []*net.UDPConn
	take  func(p packet, from netip.Addr, port int)
	wait  sync.WaitGroup
}

func listen(port int, take func(packet, netip.Addr, int)) (*socket, error) {
	s := &socket{port: port, take: take}
	for _, network := range []string{"udp4", "udp6"} {
		config := net.ListenConfig{Control: control(func(fd int) error {
			if network == "udp4" {
				return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTTL, 1)
			}
			return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1)
		})}
		conn, err := config.ListenPacket(context.Background(), network, fmt.Sprintf(":%d", port))
		if network == "udp6" && errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.conns = append(s.conns, conn.(*net.UDPConn))
	}
	for _, conn := range s.conns {
		s.wait.Go(func() { s.read(conn) })
	}
	return s, nil
}

func (s *socket) close() error {
	var errs []error
	for _, conn := range s.conns {
		errs = append(errs, conn.Close())
	}
	s.wait.Wait()
	return errors.Join(errs...)
}

func (s *socket) read(conn *net.UDPConn) {
	in, control := make([]byte, 256), make([]byte, 256)
	for {
		n, nc, _, from, err := conn.ReadMsgUDPAddrPort(in, control)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || s.port == singleHopPort && ttl(control[:nc]) != maxTTL {
			continue
		}
		if p, ok := decode(in[:n]); ok {
			s.take(p, from.Addr().Unmap(), s.port)
		}
	}
}

// ttl returns the TTL or hop limit that a packet came with, 0 when it is not told.
func ttl(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		isTTL := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL ||
			m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT
		if isTTL && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// sender sends to one neighbour.
type sender struct{ conn *net.UDPConn }

// send sends a packet. A socket that does not work, because its address or device went away, is made anew for the
// next one.
func (s *sender) send(o Options, b []byte) error {
	if s.conn == nil {
		if err := s.open(o); err != nil {
			return err
		}
	}
	if _, err := s.conn.Write(b); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
		s.close()
		return err
	}
	return nil
}

// open connects a socket. Its port is one of those that RFC 5881 gives to senders.
func (s *sender) open(o Options) error {
	const firstPort, lastPort = 49152, 65535
	remote := net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.Peer, uint16(o.port())))
	dialer := net.Dialer{Control: control(func(fd int) error {
		if o.Peer.Is4() {
			return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, maxTTL)
		}
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxTTL)
	})}
	const attempts = 20
	var err error
	for range attempts {
		local := &net.UDPAddr{Port: firstPort + rand.IntN(lastPort-firstPort+1)}
		if o.Local.IsValid() {
			local.IP, local.Zone = o.Local.AsSlice(), o.Local.Zone()
		}
		dialer.LocalAddr = local
		var conn net.Conn
		if conn, err = dialer.Dial("udp", remote.String()); err == nil {
			s.conn = conn.(*net.UDPConn)
			return nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return err
}

func (s *sender) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// control sets an option on a socket before it is bound.
func control(set func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var err error
		if outer := raw.Control(func(fd uintptr) { err = set(int(fd)) }); outer != nil {
			return outer
		}
		return err
	}
}
