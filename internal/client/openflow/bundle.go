package openflow

import "encoding/binary"

// Bundle control types (OFPBCT_*) and flags.
const (
	bundleOpen    = 0
	bundleClose   = 2
	bundleCommit  = 4
	bundleDiscard = 6

	// All or nothing (OFPBF_ATOMIC), in the order given (OFPBF_ORDERED): one of the flow_mods may delete what a
	// later one adds.
	bundleFlags = 1 | 2
)

func bundleControlBody(id uint32, kind uint16) []byte {
	b := binary.BigEndian.AppendUint32(nil, id)
	b = binary.BigEndian.AppendUint16(b, kind)
	return binary.BigEndian.AppendUint16(b, bundleFlags)
}

// bundleAddBody wraps a message, which must have the xid of the wrapping one.
func bundleAddBody(id uint32, m message) []byte {
	b := binary.BigEndian.AppendUint32(nil, id)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, bundleFlags)
	return m.encode(b)
}

// setInnerXID copies the xid of a bundle-add message to the message inside.
func setInnerXID(m *message) {
	const inner = 8 + 4 // after the bundle's id, padding and flags: the wrapped header's version, type and length
	binary.BigEndian.PutUint32(m.body[inner:], m.xid)
}
