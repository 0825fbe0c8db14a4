package openflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrMalformed says that the switch sent what cannot be read as OpenFlow.
var ErrMalformed = errors.New("malformed message")

func errShort(what string) error { return fmt.Errorf("%s cut short: %w", what, ErrMalformed) }

// Version is an OpenFlow version as on the wire.
type Version uint8

// The versions this package speaks.
const (
	Version13 Version = 4
	Version14 Version = 5
)

// String returns "OpenFlow14", as the column protocols of a Bridge row spells it.
func (v Version) String() string { return fmt.Sprintf("OpenFlow1%d", int(v)-1) }

// Message types (OFPT_*).
const (
	typeHello            = 0
	typeError            = 1
	typeEchoRequest      = 2
	typeEchoReply        = 3
	typeFlowMod          = 14
	typeMultipartRequest = 18
	typeMultipartReply   = 19
	typeBarrierRequest   = 20
	typeBarrierReply     = 21
	typeBundleControl    = 33
	typeBundleAdd        = 34
)

const headerSize = 8

type message struct {
	version Version
	kind    uint8
	xid     uint32
	body    []byte
}

func (m message) encode(b []byte) []byte {
	b = append(b, byte(m.version), m.kind)
	b = binary.BigEndian.AppendUint16(b, uint16(headerSize+len(m.body)))
	b = binary.BigEndian.AppendUint32(b, m.xid)
	return append(b, m.body...)
}

func readMessage(r io.Reader) (message, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return message{}, err
	}
	m := message{version: Version(h[0]), kind: h[1], xid: binary.BigEndian.Uint32(h[4:])}
	size := int(binary.BigEndian.Uint16(h[2:]))
	if size < headerSize {
		return message{}, fmt.Errorf("message of %d bytes: %w", size, ErrMalformed)
	}
	m.body = make([]byte, size-headerSize)
	_, err := io.ReadFull(r, m.body)
	return m, err
}

// Error is a switch's refusal (OFPT_ERROR).
type Error struct {
	Type, Code uint16
	Text       string // of a refused hello; else empty
}

// Error names the type and code as the specification does, where this package knows them.
func (e *Error) Error() string {
	name, codes := errorType(e.Type)
	code := fmt.Sprintf("code %d", e.Code)
	if int(e.Code) < len(codes) {
		code = codes[e.Code]
	}
	if e.Text != "" {
		return name + ": " + e.Text
	}
	return "switch refuses: " + name + " " + code
}

// Error types (OFPET_*) this package acts on.
const (
	errHelloFailed       = 0
	errBadRequest        = 1
	errFlowMonitorFailed = 16
	errBundleFailed      = 17
)

func errorType(t uint16) (name string, codes []string) {
	switch t {
	case errHelloFailed:
		return "HELLO_FAILED", []string{"INCOMPATIBLE", "EPERM"}
	case errBadRequest:
		return "BAD_REQUEST", []string{"BAD_VERSION", "BAD_TYPE", "BAD_MULTIPART", "BAD_EXPERIMENTER",
			"BAD_EXP_TYPE", "EPERM", "BAD_LEN", "BUFFER_EMPTY", "BUFFER_UNKNOWN", "BAD_TABLE_ID"}
	case 2:
		return "BAD_ACTION", []string{"BAD_TYPE", "BAD_LEN", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_OUT_PORT",
			"BAD_ARGUMENT", "EPERM", "TOO_MANY", "BAD_QUEUE", "BAD_OUT_GROUP", "MATCH_INCONSISTENT",
			"UNSUPPORTED_ORDER", "BAD_TAG", "BAD_SET_TYPE", "BAD_SET_LEN", "BAD_SET_ARGUMENT"}
	case 3:
		return "BAD_INSTRUCTION", nil
	case 4:
		return "BAD_MATCH", []string{"BAD_TYPE", "BAD_LEN", "BAD_TAG", "BAD_DL_ADDR_MASK", "BAD_NW_ADDR_MASK",
			"BAD_WILDCARDS", "BAD_FIELD", "BAD_VALUE", "BAD_MASK", "BAD_PREREQ", "DUP_FIELD", "EPERM"}
	case 5:
		return "FLOW_MOD_FAILED", []string{"UNKNOWN", "TABLE_FULL", "BAD_TABLE_ID", "OVERLAP", "EPERM",
			"BAD_TIMEOUT", "BAD_COMMAND", "BAD_FLAGS"}
	case errFlowMonitorFailed:
		return "FLOW_MONITOR_FAILED", []string{"UNKNOWN", "MONITOR_EXISTS", "INVALID_MONITOR",
			"UNKNOWN_MONITOR", "BAD_COMMAND", "BAD_FLAGS", "BAD_TABLE_ID", "BAD_OUT"}
	case errBundleFailed:
		return "BUNDLE_FAILED", []string{"UNKNOWN", "EPERM", "BAD_ID", "BUNDLE_EXIST", "BUNDLE_CLOSED",
			"OUT_OF_BUNDLES", "BAD_TYPE", "BAD_FLAGS", "MSG_BAD_LEN", "MSG_BAD_XID", "MSG_UNSUP",
			"MSG_CONFLICT", "MSG_TOO_MANY", "MSG_FAILED", "TIMEOUT", "BUNDLE_IN_PROGRESS"}
	}
	return fmt.Sprintf("error type %d", t), nil
}

func decodeError(body []byte) error {
	if len(body) < 4 {
		return errShort("error")
	}
	e := &Error{Type: binary.BigEndian.Uint16(body), Code: binary.BigEndian.Uint16(body[2:])}
	if e.Type == errHelloFailed {
		e.Text = string(body[4:])
	}
	return e
}

// helloBody offers the versions of this package (OFPHET_VERSIONBITMAP).
func helloBody() []byte {
	b := []byte{0, 1, 0, 8}
	return binary.BigEndian.AppendUint32(b, 1<<Version13|1<<Version14)
}

// offeredVersions returns the peer's versions as a bitmap: its list, or, as the specification says, all up to
// the header's when it sent none.
func offeredVersions(m message) uint32 {
	for b := m.body; len(b) >= 4; {
		kind, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if size < 4 || size > len(b) {
			break
		}
		if kind == 1 && size >= 8 {
			return binary.BigEndian.Uint32(b[4:])
		}
		b = b[min(roundUp8(size), len(b)):]
	}
	if m.version >= 31 {
		return 1<<32 - 2
	}
	return 1<<(m.version+1) - 2
}
