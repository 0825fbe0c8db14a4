package bfd

import (
	"encoding/binary"
	"time"
)

// packet is a control packet (RFC 5880, section 4.1).
type packet struct {
	diagnostic  diagnostic
	state       State
	poll, final bool
	multiplier  uint8
	mine, your  uint32
	transmit    time.Duration // desired
	receive     time.Duration // required
}

// diagnostic says why a session went down.
type diagnostic uint8

const (
	noDiagnostic     diagnostic = 0
	detectionExpired diagnostic = 1
	neighborDown     diagnostic = 3
	adminDown        diagnostic = 7
)

const (
	packetSize = 24
	version    = 1

	flagPoll       = 1 << 5
	flagFinal      = 1 << 4
	flagAuth       = 1 << 2
	flagMultipoint = 1 << 0
)

func (p packet) encode() []byte {
	b := make([]byte, packetSize)
	b[0] = version<<5 | byte(p.diagnostic)
	b[1] = byte(p.state) << 6
	if p.poll {
		b[1] |= flagPoll
	}
	if p.final {
		b[1] |= flagFinal
	}
	b[2], b[3] = p.multiplier, packetSize
	binary.BigEndian.PutUint32(b[4:], p.mine)
	binary.BigEndian.PutUint32(b[8:], p.your)
	binary.BigEndian.PutUint32(b[12:], uint32(p.transmit.Microseconds()))
	binary.BigEndian.PutUint32(b[16:], uint32(p.receive.Microseconds()))
	return b
}

// decode reads a packet, and tells whether it is one that a session may act upon (RFC 5880, section 6.8.6). One with
// authentication is not: no session here uses any.
func decode(b []byte) (packet, bool) {
	if len(b) < packetSize || b[0]>>5 != version || b[3] < packetSize || int(b[3]) > len(b) ||
		b[1]&(flagAuth|flagMultipoint) != 0 {
		return packet{}, false
	}
	p := packet{
		diagnostic: diagnostic(b[0] & 0x1f),
		state:      State(b[1] >> 6),
		poll:       b[1]&flagPoll != 0, final: b[1]&flagFinal != 0,
		multiplier: b[2],
		mine:       binary.BigEndian.Uint32(b[4:]), your: binary.BigEndian.Uint32(b[8:]),
		transmit: time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Microsecond,
		receive:  time.Duration(binary.BigEndian.Uint32(b[16:])) * time.Microsecond,
	}
	return p, p.multiplier != 0 && p.mine != 0
}
