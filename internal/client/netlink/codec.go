package netlink

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// Attributes that x/sys/unix has no name for.
const (
	attrNeighProtocol = 12 // NDA_PROTOCOL

	attrConfIfindex    = 1 // NETCONFA_IFINDEX
	attrConfForwarding = 2 // NETCONFA_FORWARDING
	attrConfRPFilter   = 3 // NETCONFA_RP_FILTER
	attrConfProxyNeigh = 5 // NETCONFA_PROXY_NEIGH

	attrTypeMask = 0x3fff // NLA_TYPE_MASK: without the nested and byte order flags
)

// attrs walks netlink attributes. It ends at the first that does not fit: what the kernel sends always does.
func attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofNlAttr {
			n := int(binary.NativeEndian.Uint16(b))
			if n < unix.SizeofNlAttr || n > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:])&attrTypeMask, b[unix.SizeofNlAttr:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// appendAttr appends an attribute, padded to the alignment.
func appendAttr(b []byte, typ uint16, data []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofNlAttr+len(data)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, data...)
	return append(b, make([]byte, align(len(data))-len(data))...)
}

func appendUint32(b []byte, typ uint16, v uint32) []byte {
	return appendAttr(b, typ, binary.NativeEndian.AppendUint32(nil, v))
}

func appendString(b []byte, typ uint16, s string) []byte {
	return appendAttr(b, typ, append([]byte(s), 0))
}

// appendNested appends an attribute that holds attributes.
func appendNested(b []byte, typ uint16, inner []byte) []byte {
	return appendAttr(b, typ|unix.NLA_F_NESTED, inner)
}

func getUint32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func getUint16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(b)
}

func getByte(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

func getString(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// getAddr returns the zero Addr for anything that is not 4 or 16 bytes long.
func getAddr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

func getMAC(b []byte) string {
	if len(b) != 6 {
		return ""
	}
	var s [17]byte
	for i, c := range b {
		hex.Encode(s[3*i:], []byte{c})
		if i < 5 {
			s[3*i+2] = ':'
		}
	}
	return string(s[:])
}

// appendExtra adds an attribute to the undecoded rest of an object.
func appendExtra(extra *strings.Builder, typ uint16, data []byte) {
	extra.WriteString(hex.EncodeToString([]byte{byte(typ >> 8), byte(typ)}))
	extra.WriteByte('=')
	extra.WriteString(hex.EncodeToString(data))
	extra.WriteByte(' ')
}
