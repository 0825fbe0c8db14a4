package openflow

import (
	"encoding/binary"
	"fmt"
)

// Change is one change to a flow table. Build it with Add, Remove or RemoveAll.
type Change struct {
	Command Command
	Flow    Flow // of a DeleteCookie its cookie counts
}

// Command is what a change does, in the numbers of a flow_mod (OFPFC_*).
type Command uint8

// The commands. Deletes take only flows of the change's cookie.
const (
	AddFlow      Command = 0
	DeleteCookie Command = 3
	DeleteFlow   Command = 4 // OFPFC_DELETE_STRICT: the flow of this Key
)

const (
	noBuffer  = 0xffffffff // OFP_NO_BUFFER
	anyGroup  = 0xffffffff // OFPG_ANY
	allTables = 0xff       // OFPTT_ALL
	fullMask  = 1<<64 - 1
)

// Add writes a flow, in the place of one of the same Key, whatever its cookie.
func Add(f Flow) Change { return Change{Command: AddFlow, Flow: f.Normal()} }

// Remove deletes the flow of this Key, if it has this cookie too. Its absence is success.
func Remove(f Flow) Change { return Change{Command: DeleteFlow, Flow: f.Normal()} }

// RemoveAll deletes all flows of this cookie, in all tables.
func RemoveAll(cookie uint64) Change {
	return Change{Command: DeleteCookie, Flow: Flow{Table: allTables, Cookie: cookie}}
}

// String returns "add priority=900,ip,in_port=1".
func (c Change) String() string {
	switch c.Command {
	case AddFlow:
		return "add flow " + c.Flow.Key().String()
	case DeleteFlow:
		return "delete flow " + c.Flow.Key().String()
	}
	return fmt.Sprintf("delete flows of cookie %#x", c.Flow.Cookie)
}

// encode makes the body of an OFPT_FLOW_MOD. Every deletion is narrowed by the whole cookie: a switch has no other
// guard against one that empties the table.
func (c Change) encode() []byte {
	be := binary.BigEndian
	f := c.Flow
	b := be.AppendUint64(make([]byte, 0, 128), f.Cookie)
	mask := uint64(fullMask)
	if c.Command == AddFlow {
		mask = 0
	}
	b = be.AppendUint64(b, mask)
	b = append(b, f.Table, byte(c.Command))
	b = be.AppendUint16(b, f.IdleTimeout)
	b = be.AppendUint16(b, f.HardTimeout)
	b = be.AppendUint16(b, f.Priority)
	b = be.AppendUint32(b, noBuffer)
	b = be.AppendUint32(b, portAny)
	b = be.AppendUint32(b, anyGroup)
	b = append(b, 0, 0, 0, 0) // flags; importance, which is padding in 1.3
	b = f.Match.encode(b)
	if c.Command != AddFlow {
		return b
	}
	if len(f.Actions) > 0 {
		b = encodeActions(b, f.Actions)
	}
	return append(b, f.Instructions...)
}

// Instruction types (OFPIT_*).
const instructionApply = 4

func encodeActions(b []byte, as []Action) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, instructionApply)
	b = append(b, 0, 0, 0, 0, 0, 0)
	for _, a := range as {
		b = a.encode(b)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// decodeInstructions reads a list of instructions that fills b.
func (f *Flow) decodeInstructions(b []byte) error {
	for applied := false; len(b) > 0; {
		if len(b) < 8 {
			return errShort("instruction")
		}
		size := int(binary.BigEndian.Uint16(b[2:]))
		if size < 8 || size%8 != 0 || size > len(b) {
			return fmt.Errorf("instruction of %d bytes in %d: %w", size, len(b), ErrMalformed)
		}
		if binary.BigEndian.Uint16(b) == instructionApply && size > 8 && !applied {
			actions, err := decodeActions(b[8:size])
			if err != nil {
				return err
			}
			f.Actions, applied = actions, true
		} else {
			f.Instructions += string(b[:size])
		}
		b = b[size:]
	}
	return nil
}
