package openflow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// OXM: the type-length-value form of match fields, OpenFlow 1.3.5 §7.2.3.
const (
	oxmBasic = 0x8000 // OFPXMC_OPENFLOW_BASIC

	oxmInPort  = 0
	oxmEthDst  = 3
	oxmEthSrc  = 4
	oxmEthType = 5
	oxmVLAN    = 6
	oxmIPProto = 10
	oxmIPv4Src = 11
	oxmIPv4Dst = 12
	oxmIPv6Src = 26
	oxmIPv6Dst = 27

	vlanPresent = 0x1000 // OFPVID_PRESENT
	matchOXM    = 1      // OFPMT_OXM
)

func roundUp8(n int) int { return (n + 7) &^ 7 }

func appendOXM(b []byte, field uint8, value, mask []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, oxmBasic)
	has := byte(0)
	if mask != nil {
		has = 1
	}
	b = append(b, field<<1|has, byte(len(value)+len(mask)))
	b = append(b, value...)
	return append(b, mask...)
}

// encode appends the match with its padding (struct ofp_match).
func (m Match) encode(b []byte) []byte {
	be := binary.BigEndian
	start := len(b)
	b = be.AppendUint16(b, matchOXM)
	b = be.AppendUint16(b, 0)
	if m.InPort != 0 {
		b = appendOXM(b, oxmInPort, be.AppendUint32(nil, m.InPort), nil)
	}
	if m.EthDst != (MAC{}) {
		b = appendOXM(b, oxmEthDst, m.EthDst[:], nil)
	}
	if m.EthSrc != (MAC{}) {
		b = appendOXM(b, oxmEthSrc, m.EthSrc[:], nil)
	}
	if m.EthType != 0 {
		b = appendOXM(b, oxmEthType, be.AppendUint16(nil, uint16(m.EthType)), nil)
	}
	switch {
	case m.VLAN == Untagged:
		b = appendOXM(b, oxmVLAN, []byte{0, 0}, nil)
	case m.VLAN != 0:
		b = appendOXM(b, oxmVLAN, be.AppendUint16(nil, uint16(m.VLAN)|vlanPresent), nil)
	}
	if m.IPProto != 0 {
		b = appendOXM(b, oxmIPProto, []byte{m.IPProto}, nil)
	}
	b = appendPrefix(b, m.IPSrc, oxmIPv4Src, oxmIPv6Src)
	b = appendPrefix(b, m.IPDst, oxmIPv4Dst, oxmIPv6Dst)
	b = append(b, m.Other...)
	be.PutUint16(b[start+2:], uint16(len(b)-start))
	return append(b, make([]byte, roundUp8(len(b)-start)-(len(b)-start))...)
}

func appendPrefix(b []byte, p netip.Prefix, field4, field6 uint8) []byte {
	if !p.IsValid() || p.Bits() == 0 {
		return b
	}
	field := field6
	if p.Addr().Is4() {
		field = field4
	}
	var mask []byte
	if !p.IsSingleIP() {
		mask = make([]byte, p.Addr().BitLen()/8)
		for i := range p.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
	}
	return appendOXM(b, field, p.Masked().Addr().AsSlice(), mask)
}

type oxm struct {
	class       uint16
	field       uint8
	value, mask []byte // mask nil: exact; of other classes value has both
	raw         []byte
}

// cutOXM splits the first field off.
func cutOXM(b []byte) (f oxm, rest []byte, err error) {
	if len(b) < 4 || len(b) < 4+int(b[3]) {
		return oxm{}, nil, errShort("match field")
	}
	size := int(b[3])
	f = oxm{class: binary.BigEndian.Uint16(b), field: b[2] >> 1, value: b[4 : 4+size], raw: b[:4+size]}
	if b[2]&1 != 0 && f.class == oxmBasic {
		if size%2 != 0 {
			return oxm{}, nil, fmt.Errorf("match field with a mask of another length: %w", ErrMalformed)
		}
		f.value, f.mask = f.value[:size/2], f.value[size/2:]
	}
	return f, b[4+size:], nil
}

// decodeMatch reads a padded match and returns what follows it.
func decodeMatch(b []byte) (Match, []byte, error) {
	var m Match
	if len(b) < 4 {
		return m, nil, errShort("match")
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if binary.BigEndian.Uint16(b) != matchOXM || size < 4 || roundUp8(size) > len(b) {
		return m, nil, fmt.Errorf("match of type %d and %d bytes in %d: %w",
			binary.BigEndian.Uint16(b), size, len(b), ErrMalformed)
	}
	for fields := b[4:size]; len(fields) > 0; {
		f, rest, err := cutOXM(fields)
		if err != nil {
			return m, nil, err
		}
		if !m.take(f) {
			m.Other += string(f.raw)
		}
		fields = rest
	}
	return m, b[roundUp8(size):], nil
}

// take stores a field under its name and tells whether it has one. A value that the name could not give back,
// such as a zero, which would mean any, has none.
func (m *Match) take(f oxm) bool {
	if f.class != oxmBasic {
		return false
	}
	switch f.field {
	case oxmIPv4Src, oxmIPv6Src:
		return takePrefix(&m.IPSrc, f, m.EthType)
	case oxmIPv4Dst, oxmIPv6Dst:
		return takePrefix(&m.IPDst, f, m.EthType)
	}
	if f.mask != nil {
		return false
	}
	switch {
	case f.field == oxmInPort && len(f.value) == 4:
		return takeOnce(&m.InPort, binary.BigEndian.Uint32(f.value))
	case f.field == oxmEthDst && len(f.value) == 6:
		return takeOnce(&m.EthDst, MAC(f.value))
	case f.field == oxmEthSrc && len(f.value) == 6:
		return takeOnce(&m.EthSrc, MAC(f.value))
	case f.field == oxmEthType && len(f.value) == 2:
		return takeOnce(&m.EthType, EthType(binary.BigEndian.Uint16(f.value)))
	case f.field == oxmVLAN && len(f.value) == 2:
		return takeVLAN(&m.VLAN, binary.BigEndian.Uint16(f.value))
	case f.field == oxmIPProto && len(f.value) == 1:
		return takeOnce(&m.IPProto, f.value[0])
	}
	return false
}

func takeOnce[T comparable](dst *T, v T) bool {
	var zero T
	if *dst != zero || v == zero {
		return false
	}
	*dst = v
	return true
}

func takeVLAN(dst *VLAN, v uint16) bool {
	switch {
	case v == 0:
		return takeOnce(dst, Untagged)
	case v > vlanPresent && v <= vlanPresent|0x0fff:
		return takeOnce(dst, VLAN(v&0x0fff))
	}
	return false
}

func takePrefix(dst *netip.Prefix, f oxm, t EthType) bool {
	addr, ok := netip.AddrFromSlice(f.value)
	is4 := f.field == oxmIPv4Src || f.field == oxmIPv4Dst
	if !ok || addr.Is4() != is4 || dst.IsValid() || is4 && t != IPv4 || !is4 && t != IPv6 {
		return false
	}
	length := addr.BitLen()
	if f.mask != nil {
		if length, ok = prefixLen(f.mask); !ok || length == 0 || length == addr.BitLen() {
			return false
		}
	}
	p := netip.PrefixFrom(addr, length)
	if p.Masked().Addr() != addr {
		return false
	}
	*dst = p
	return true
}

// prefixLen counts the leading ones of a mask that has no others.
func prefixLen(mask []byte) (int, bool) {
	n := 0
	for i, b := range mask {
		ones := bits.LeadingZeros8(^b)
		n += ones
		if ones == 8 {
			continue
		}
		if b<<ones != 0 {
			return 0, false
		}
		for _, rest := range mask[i+1:] {
			if rest != 0 {
				return 0, false
			}
		}
		break
	}
	return n, true
}
