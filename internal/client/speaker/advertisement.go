package speaker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Router solicitations and advertisements (RFC 4861), and the socket that they come and go by.

// Types of ICMPv6 messages.
const (
	routerSolicitation  = 133
	routerAdvertisement = 134
)

const hopLimit = 255 // of packets that have not been forwarded

func allNodes() netip.Addr   { return netip.IPv6LinkLocalAllNodes() }
func allRouters() netip.Addr { return netip.IPv6LinkLocalAllRouters() }

// openICMP opens a socket for router solicitations and advertisements on a device.
func openICMP(device *net.Interface) (*net.IPConn, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "icmpv6 "+device.Name)
	defer file.Close() // FilePacketConn has a copy
	filter := &unix.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	for _, pass := range []int{routerSolicitation, routerAdvertisement} {
		filter.Data[pass/32] &^= 1 << (pass % 32)
	}
	routers := allRouters().As16()
	for _, set := range []func() error{
		func() error { return unix.BindToDevice(fd, device.Name) },
		func() error { return unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, filter) },
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1) },
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hopLimit) },
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0) },
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, device.Index) },
		func() error {
			return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
				&unix.IPv6Mreq{Multiaddr: routers, Interface: uint32(device.Index)})
		},
	} {
		if err := set(); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.IPConn), nil
}

func send(conn *net.IPConn, device *net.Interface, to netip.Addr, message []byte) error {
	// By its number: package net remembers for a minute which number a name had.
	_, err := conn.WriteTo(message, &net.IPAddr{IP: to.AsSlice(), Zone: strconv.Itoa(device.Index)})
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("%s has no link-local address: %w", device.Name, err)
	}
	return err
}

// solicitation and advertisement are the two messages; the kernel writes their checksum.
func solicitation(mac net.HardwareAddr) []byte {
	return append([]byte{routerSolicitation, 0, 0, 0, 0, 0, 0, 0}, linkAddress(mac)...)
}

func advertisement(mac net.HardwareAddr) []byte {
	// Hop limit, flags, lifetime, reachable and retransmission time are all 0: unspecified, and no router.
	return append(append([]byte{routerAdvertisement, 0, 0, 0}, make([]byte, 12)...), linkAddress(mac)...)
}

// linkAddress is the option with our Ethernet address, by which the neighbour needs not ask.
func linkAddress(mac net.HardwareAddr) []byte {
	const sourceLinkAddress, length = 1, 1 // of 8 bytes
	if len(mac) != 6 {
		return nil
	}
	return append([]byte{sourceLinkAddress, length}, mac...)
}

// hops returns the hop limit that a packet came with, 0 when it is not told.
func hops(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// ours tells whether an address is the device's own.
func ours(device *net.Interface, a netip.Addr) bool {
	addrs, err := device.Addrs()
	if err != nil {
		return false
	}
	for _, own := range addrs {
		if n, ok := own.(*net.IPNet); ok {
			if o, ok := netip.AddrFromSlice(n.IP); ok && o.Unmap() == a {
				return true
			}
		}
	}
	return false
}
