package openflow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecodeFlows feeds the decoders of whatever a switch may send. What can be read must be written such that it
// reads the same: else a flow would be "repaired" in every round.
func FuzzDecodeFlows(f *testing.F) {
	flow := Flow{Table: 1, Priority: 900, Cookie: 999, Match: Match{InPort: 1, EthType: IPv4, VLAN: 5},
		Actions: []Action{SetEthDst(MAC{2}), PushVLAN(), SetVLAN(7), Output(PortNormal)}}
	f.Add(encodeStats(flow))
	f.Add(append([]byte{0, 8, 0, 4, 0, 0, 0, 9}, encodeStats(Flow{})...))
	f.Add([]byte{0, 24, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		if updates, err := decodeUpdates(b); err == nil {
			for _, u := range updates {
				_ = u.Flow.String()
			}
		}
		_, _, _, _ = cutMultipart(b)
		_ = decodeError(b)
		_ = offeredVersions(message{version: Version14, body: b})
		flows, err := decodeFlowStats(b)
		if err != nil {
			return
		}
		for _, f := range flows {
			again, err := decodeFlowStats(encodeStats(f))
			if err != nil || len(again) != 1 {
				t.Fatalf("%s cannot be read again: %v", f, err)
			}
			if d := cmp.Diff(f.String(), again[0].String()); d != "" || !f.Equal(again[0]) {
				t.Errorf("read again (-first +second):\n%s", d)
			}
		}
	})
}

// encodeStats writes a flow as a switch would in a reply.
func encodeStats(f Flow) []byte {
	b := make([]byte, 48)
	b[2] = f.Table
	for i, v := range []uint16{f.Priority, f.IdleTimeout, f.HardTimeout} {
		b[12+2*i], b[13+2*i] = byte(v>>8), byte(v)
	}
	for i := range 8 {
		b[24+i] = byte(f.Cookie >> (56 - 8*i))
	}
	b = f.Match.encode(b)
	if len(f.Actions) > 0 {
		b = encodeActions(b, f.Actions)
	}
	b = append(b, f.Instructions...)
	b[0], b[1] = byte(len(b)>>8), byte(len(b))
	return b
}

func TestMalformed(t *testing.T) {
	good := encodeStats(Flow{Match: Match{InPort: 1, EthType: IPv4}, Actions: []Action{Output(1)}})
	for n := 1; n < len(good); n++ {
		if _, err := decodeFlowStats(good[:n]); err == nil {
			t.Errorf("flow cut to %d of %d bytes is read", n, len(good))
		}
	}
}
