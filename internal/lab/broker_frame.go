package lab

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// kind says what a frame carries.
type kind uint8

// The kinds. Start, stdin, resize, signal and hangup travel towards the guest, ready, stdout, stderr, exit and gone
// away from it, window both ways.
const (
	kindReady    kind = iota + 1 // the guest is up; a readyInfo. Job 0
	kindStart                    // a jobSpec
	kindStdin                    // bytes of standard input; none: end of input
	kindStdout                   // bytes of standard output (or of the terminal)
	kindStderr                   // bytes of standard error
	kindWindow                   // a stream's kind and how many of its bytes were consumed, 32 bits. Job 0: the line itself
	kindResize                   // rows and columns, 16 bits each
	kindSignal                   // a signal's number, 8 bits
	kindHangup                   // nobody waits for the job any more: end it
	kindExit                     // an exitInfo; the job's last frame
	kindGone                     // the guest has ended; the reason as text
	kindPowerOff                 // end the guest. Job 0
	kindEnd                      // no kind: one past the last
)

const (
	frameMagic  = 0xb6
	frameHeader = 8
	// frameData is the most bytes one frame carries. Small enough for jobs to share the line fairly.
	frameData = 4096
	// streamWindow is how many bytes of one stream may be under way: sent and not yet consumed.
	streamWindow = 64 << 10
	// lineWindow is how many bytes may be under way on the line to the guest; its terminal layer holds 4096.
	lineWindow = 3 << 10
)

// frame is one message between a client, the broker and the guest: magic, kind, job (32 bits), length (16 bits), data.
type frame struct {
	kind kind
	job  uint32
	data []byte
}

// jobSpec describes a command to be run in the guest.
type jobSpec struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"` // added to the guest's environment
	TTY  bool     `json:"tty,omitempty"` // on a terminal of its own
	Rows uint16   `json:"rows,omitempty"`
	Cols uint16   `json:"cols,omitempty"`
}

// exitInfo says how a job ended.
type exitInfo struct {
	Code  int    `json:"code"`            // its exit code; 128 and the signal's number when one ended it
	Error string `json:"error,omitempty"` // why it could not be started
}

// readyInfo is the guest's first word.
type readyInfo struct {
	Kernel string `json:"kernel"`
}

// append adds the frame's encoding to b.
func (f frame) append(b []byte) []byte {
	b = append(b, frameMagic, byte(f.kind))
	b = binary.BigEndian.AppendUint32(b, f.job)
	b = binary.BigEndian.AppendUint16(b, uint16(len(f.data)))
	return append(b, f.data...)
}

// readFrame reads one frame. It returns io.EOF only between frames.
func readFrame(r *bufio.Reader) (frame, error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:1]); err != nil {
		return frame{}, err
	}
	if _, err := io.ReadFull(r, h[1:]); err != nil {
		return frame{}, fmt.Errorf("read frame: %w", noEOF(err))
	}
	f := frame{kind: kind(h[1]), job: binary.BigEndian.Uint32(h[2:])}
	n := int(binary.BigEndian.Uint16(h[6:]))
	if h[0] != frameMagic || f.kind == 0 || f.kind >= kindEnd || n > frameData {
		return frame{}, fmt.Errorf("read frame: the channel is out of step (header % x)", h)
	}
	f.data = make([]byte, n)
	if _, err := io.ReadFull(r, f.data); err != nil {
		return frame{}, fmt.Errorf("read frame: %w", noEOF(err))
	}
	return f, nil
}

// noEOF keeps an end in the middle of a frame from looking like a clean one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frameWriter writes whole frames from several goroutines.
type frameWriter struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

func newFrameWriter(w io.Writer) *frameWriter { return &frameWriter{w: w} }

func (w *frameWriter) write(f frame) error {
	if len(f.data) > frameData {
		return fmt.Errorf("write frame: %d bytes are more than %d", len(f.data), frameData)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = f.append(w.buf[:0])
	_, err := w.w.Write(w.buf)
	return err
}

// writeJSON writes a frame whose data is v.
func (w *frameWriter) writeJSON(k kind, job uint32, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.write(frame{kind: k, job: job, data: data})
}

// windowFrame tells the sender of a job's stream that n bytes of it were consumed.
func windowFrame(job uint32, stream kind, n int) frame {
	return frame{kind: kindWindow, job: job, data: binary.BigEndian.AppendUint32([]byte{byte(stream)}, uint32(n))}
}

// windowOf is the inverse of windowFrame. A malformed frame gives zero values.
func windowOf(f frame) (stream kind, n int) {
	if len(f.data) != 5 {
		return 0, 0
	}
	return kind(f.data[0]), int(binary.BigEndian.Uint32(f.data[1:]))
}

// resizeFrame tells a job's terminal its size.
func resizeFrame(job uint32, rows, cols uint16) frame {
	data := binary.BigEndian.AppendUint16(nil, rows)
	return frame{kind: kindResize, job: job, data: binary.BigEndian.AppendUint16(data, cols)}
}

// sizeOf is the inverse of resizeFrame. A malformed frame gives zeros.
func sizeOf(f frame) (rows, cols uint16) {
	if len(f.data) != 4 {
		return 0, 0
	}
	return binary.BigEndian.Uint16(f.data), binary.BigEndian.Uint16(f.data[2:])
}
