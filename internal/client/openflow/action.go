package openflow

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Action is one thing done to a packet. Build it with Output, SetEthSrc, SetEthDst, SetVLAN, PushVLAN or PopVLAN.
// Actions are equal by ==.
type Action struct {
	kind actionKind
	mac  MAC
	num  uint32 // port, VLAN tag or ether type
	raw  string // an action this package has no name for, as on the wire
}

type actionKind uint8

const (
	actOther actionKind = iota
	actOutput
	actSetEthSrc
	actSetEthDst
	actSetVLAN
	actPushVLAN
	actPopVLAN
)

// Output sends the packet to a port, PortNormal being the switch's own forwarding.
func Output(port uint32) Action { return Action{kind: actOutput, num: port} }

// SetEthSrc writes the source MAC.
func SetEthSrc(m MAC) Action { return Action{kind: actSetEthSrc, mac: m} }

// SetEthDst writes the destination MAC.
func SetEthDst(m MAC) Action { return Action{kind: actSetEthDst, mac: m} }

// SetVLAN writes the tag of a packet that has one.
func SetVLAN(tag VLAN) Action { return Action{kind: actSetVLAN, num: uint32(tag)} }

// PushVLAN puts an 802.1Q header with tag 0 before the packet's own.
func PushVLAN() Action { return Action{kind: actPushVLAN, num: 0x8100} }

// PopVLAN takes the outermost 802.1Q header off.
func PopVLAN() Action { return Action{kind: actPopVLAN} }

// String returns the action as ovs-ofctl prints it: "mod_dl_dst:02:aa:bb:cc:dd:01", "output:2", "NORMAL".
func (a Action) String() string {
	switch a.kind {
	case actOutput:
		if a.num < 0xffffff00 {
			return "output:" + portText(a.num)
		}
		return portText(a.num)
	case actSetEthSrc:
		return "mod_dl_src:" + a.mac.String()
	case actSetEthDst:
		return "mod_dl_dst:" + a.mac.String()
	case actSetVLAN:
		return fmt.Sprintf("mod_vlan_vid:%d", a.num)
	case actPushVLAN:
		return fmt.Sprintf("push_vlan:%#04x", a.num)
	case actPopVLAN:
		return "strip_vlan"
	}
	return fmt.Sprintf("action:%x", a.raw)
}

func actionsText(as []Action) string {
	if len(as) == 0 {
		return "drop"
	}
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = a.String()
	}
	return strings.Join(parts, ",")
}

// Action types on the wire (OFPAT_*).
const (
	wireOutput   = 0
	wirePushVLAN = 17
	wirePopVLAN  = 18
	wireSetField = 25
)

func (a Action) encode(b []byte) []byte {
	be := binary.BigEndian
	switch a.kind {
	case actOutput:
		b = be.AppendUint16(b, wireOutput)
		b = be.AppendUint16(b, 16)
		b = be.AppendUint32(b, a.num)
		return append(b, make([]byte, 8)...) // max_len 0, padding
	case actSetEthSrc:
		return encodeSetField(b, oxmEthSrc, a.mac[:])
	case actSetEthDst:
		return encodeSetField(b, oxmEthDst, a.mac[:])
	case actSetVLAN:
		return encodeSetField(b, oxmVLAN, be.AppendUint16(nil, uint16(a.num)|vlanPresent))
	case actPushVLAN:
		b = be.AppendUint16(b, wirePushVLAN)
		b = be.AppendUint16(b, 8)
		b = be.AppendUint16(b, uint16(a.num))
		return append(b, 0, 0)
	case actPopVLAN:
		b = be.AppendUint16(b, wirePopVLAN)
		b = be.AppendUint16(b, 8)
		return append(b, 0, 0, 0, 0)
	}
	return append(b, a.raw...)
}

func encodeSetField(b []byte, field uint8, value []byte) []byte {
	start := len(b)
	size := roundUp8(4 + 4 + len(value))
	b = binary.BigEndian.AppendUint16(b, wireSetField)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = appendOXM(b, field, value, nil)
	return append(b, make([]byte, start+size-len(b))...)
}

// decodeActions reads a list of actions that fills b.
func decodeActions(b []byte) ([]Action, error) {
	var as []Action
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, errShort("action")
		}
		size := int(binary.BigEndian.Uint16(b[2:]))
		if size < 8 || size%8 != 0 || size > len(b) {
			return nil, fmt.Errorf("action of %d bytes in %d: %w", size, len(b), ErrMalformed)
		}
		as = append(as, decodeAction(b[:size]))
		b = b[size:]
	}
	return as, nil
}

// decodeAction keeps an action as it came when it says anything that the named ones do not.
func decodeAction(b []byte) Action {
	a := Action{}
	switch binary.BigEndian.Uint16(b) {
	case wireOutput:
		if len(b) == 16 {
			a = Output(binary.BigEndian.Uint32(b[4:]))
		}
	case wirePushVLAN:
		if len(b) == 8 && binary.BigEndian.Uint16(b[4:]) == 0x8100 {
			a = PushVLAN()
		}
	case wirePopVLAN:
		if len(b) == 8 {
			a = PopVLAN()
		}
	case wireSetField:
		a = decodeSetField(b[4:])
	}
	// max_len counts for the controller's port only; elsewhere switches return it as they please.
	if a.kind == actOutput && a.num != PortController {
		return a
	}
	if a.kind != actOther && string(a.encode(nil)) == string(b) {
		return a
	}
	return Action{raw: string(b)}
}

func decodeSetField(b []byte) Action {
	f, _, err := cutOXM(b)
	if err != nil || f.class != oxmBasic || f.mask != nil {
		return Action{}
	}
	switch {
	case f.field == oxmEthSrc && len(f.value) == 6:
		return SetEthSrc(MAC(f.value))
	case f.field == oxmEthDst && len(f.value) == 6:
		return SetEthDst(MAC(f.value))
	case f.field == oxmVLAN && len(f.value) == 2:
		return SetVLAN(VLAN(binary.BigEndian.Uint16(f.value) & 0x0fff))
	}
	return Action{}
}
