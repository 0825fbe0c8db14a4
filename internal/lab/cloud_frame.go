package lab

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// arpFrame is a broadcast frame of ARP's format (RFC 826, RFC 903) from a MAC about itself.
func arpFrame(etherType, operation uint16, mac string, spa, tpa netip.Addr) []byte {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		panic("no MAC that we made: " + mac)
	}
	be := func(v uint16) []byte { return []byte{byte(v >> 8), byte(v)} }
	frame := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, part := range [][]byte{hw, be(etherType), be(1), be(unix.ETH_P_IP), {6, 4}, be(operation), hw, spa.AsSlice(), hw, tpa.AsSlice()} {
		frame = append(frame, part...)
	}
	return append(frame, make([]byte, 60-len(frame))...)
}

// gratuitousARP is how a VM tells that it holds an address now.
func gratuitousARP(mac string, a netip.Addr) []byte { return arpFrame(unix.ETH_P_ARP, 1, mac, a, a) }

// reverseARP is what QEMU sends for a VM that goes on after its migration: its MAC is here now.
func reverseARP(mac string) []byte {
	return arpFrame(unix.ETH_P_RARP, 3, mac, netip.IPv4Unspecified(), netip.IPv4Unspecified())
}

// send sends a frame from the VM's device.
func (v *VM) send(frame []byte) error {
	return v.inside(func() error {
		link, err := net.InterfaceByName(uplink)
		if err != nil {
			return fmt.Errorf("VM %s: %w", v.Name, err)
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("VM %s: raw socket: %w", v.Name, err)
		}
		defer unix.Close(fd)
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
			return fmt.Errorf("VM %s: send %d bytes: %w", v.Name, len(frame), err)
		}
		return nil
	})
}
