package openflow

import (
	"encoding/binary"
	"fmt"
)

// Multipart types (OFPMP_*) and the flag that says that more follows.
const (
	multipartFlow        = 1
	multipartFlowMonitor = 16
	multipartMore        = 1
)

func multipartBody(kind uint16, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 8+len(body)), kind)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, body...)
}

// cutMultipart takes the header off a multipart reply's body.
func cutMultipart(b []byte) (kind uint16, more bool, rest []byte, err error) {
	if len(b) < 8 {
		return 0, false, nil, errShort("multipart reply")
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])&multipartMore != 0, b[8:], nil
}

// flowStatsRequest asks for the flows of a cookie in all tables.
func flowStatsRequest(cookie, mask uint64) []byte {
	be := binary.BigEndian
	b := []byte{allTables, 0, 0, 0}
	b = be.AppendUint32(b, portAny)
	b = be.AppendUint32(b, anyGroup)
	b = append(b, 0, 0, 0, 0)
	b = be.AppendUint64(b, cookie)
	b = be.AppendUint64(b, mask)
	return multipartBody(multipartFlow, Match{}.encode(b))
}

// decodeFlowStats reads the flows of one reply (struct ofp_flow_stats, up to OpenFlow 1.4).
func decodeFlowStats(b []byte) ([]Flow, error) {
	const fixed = 48
	var flows []Flow
	for len(b) > 0 {
		if len(b) < fixed {
			return nil, errShort("flow")
		}
		be := binary.BigEndian
		size := int(be.Uint16(b))
		if size < fixed || size > len(b) {
			return nil, fmt.Errorf("flow of %d bytes in %d: %w", size, len(b), ErrMalformed)
		}
		f := Flow{
			Table: b[2], Priority: be.Uint16(b[12:]), IdleTimeout: be.Uint16(b[14:]),
			HardTimeout: be.Uint16(b[16:]), Cookie: be.Uint64(b[24:]),
		}
		if err := f.decodeRest(b[fixed:size]); err != nil {
			return nil, err
		}
		flows = append(flows, f)
		b = b[size:]
	}
	return flows, nil
}

// decodeRest reads match and instructions.
func (f *Flow) decodeRest(b []byte) error {
	m, rest, err := decodeMatch(b)
	if err != nil {
		return err
	}
	f.Match = m
	return f.decodeInstructions(rest)
}

// Event says what happened to a flow.
type Event uint16

// Events (OFPFME_*).
const (
	Initial  Event = 0 // there when the monitor began
	Added    Event = 1
	Removed  Event = 2
	Modified Event = 3
	// Abbreviated stands for changes made over this connection, without the flows.
	Abbreviated Event = 4
	// Paused: the switch stops telling of additions until we have read what it sent. Resumed: it has told them.
	Paused  Event = 5
	Resumed Event = 6
)

// String returns the event's name.
func (e Event) String() string {
	names := [...]string{"initial", "added", "removed", "modified", "abbreviated", "paused", "resumed"}
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("event %d", uint16(e))
}

// Update is what a flow monitor tells.
type Update struct {
	Event Event
	Flow  Flow // of Initial, Added, Removed and Modified
}

func monitorRequest() []byte {
	const (
		id    = 1
		flags = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<4 // OFPFMF_INITIAL, ADD, REMOVED, MODIFY, INSTRUCTIONS
	)
	be := binary.BigEndian
	b := be.AppendUint32(nil, id)
	b = be.AppendUint32(b, portAny)
	b = be.AppendUint32(b, anyGroup)
	b = be.AppendUint16(b, flags)
	b = append(b, allTables, 0) // OFPFMC_ADD
	return multipartBody(multipartFlowMonitor, Match{}.encode(b))
}

// decodeUpdates reads the updates of one reply (struct ofp_flow_update_*).
func decodeUpdates(b []byte) ([]Update, error) {
	var updates []Update
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, errShort("flow update")
		}
		be := binary.BigEndian
		size := int(be.Uint16(b))
		u := Update{Event: Event(be.Uint16(b[2:]))}
		if size < 8 || size > len(b) {
			return nil, fmt.Errorf("flow update of %d bytes in %d: %w", size, len(b), ErrMalformed)
		}
		if u.Event <= Modified {
			const fixed = 24
			if size < fixed {
				return nil, errShort("flow update")
			}
			u.Flow = Flow{
				Table: b[4], IdleTimeout: be.Uint16(b[6:]), HardTimeout: be.Uint16(b[8:]),
				Priority: be.Uint16(b[10:]), Cookie: be.Uint64(b[16:]),
			}
			if err := u.Flow.decodeRest(b[fixed:size]); err != nil {
				return nil, err
			}
		}
		updates = append(updates, u)
		b = b[size:]
	}
	return updates, nil
}
