package netlink

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// receiveSize holds the largest datagram the kernel sends: dumps grow to 32 KiB, messages of one link stay below.
const receiveSize = 64 << 10

// errInterrupted says that what was dumped changed meanwhile, so that parts may be missing.
var errInterrupted = errors.New("dump interrupted by a change")

// message is one netlink message.
type message struct {
	typ   uint16
	flags uint16
	seq   uint32
	port  uint32 // whose request it answers or tells of; 0 of what the kernel does by itself
	body  []byte
}

// messages splits a datagram. It ends at the first message that does not fit.
func messages(b []byte, each func(message) error) error {
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return fmt.Errorf("netlink message of %d bytes in %d", n, len(b))
		}
		m := message{
			typ:   binary.NativeEndian.Uint16(b[4:]),
			flags: binary.NativeEndian.Uint16(b[6:]),
			seq:   binary.NativeEndian.Uint32(b[8:]),
			port:  binary.NativeEndian.Uint32(b[12:]),
			body:  b[unix.SizeofNlMsghdr:n],
		}
		if err := each(m); err != nil {
			return err
		}
		b = b[min(align(n), len(b)):]
	}
	return nil
}

// requester is a socket for requests and their replies, one at a time.
type requester struct {
	port uint32 // by which the kernel calls this socket

	mu  sync.Mutex
	fd  int
	seq uint32
	in  []byte
}

// newSocket opens a routing netlink socket in the calling thread's network namespace.
func newSocket(flags int) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("bind netlink socket: %w", err)
	}
	return fd, nil
}

func newRequester() (*requester, error) {
	fd, err := newSocket(0)
	if err != nil {
		return nil, err
	}
	// Strict checking lets the kernel filter dumps; extended acknowledgements say in words what is wrong. Kernels
	// before 4.20 lack one, before 4.12 the other: dumps are filtered here as well, and words are a comfort.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	// The kernel answers within the request; the limit only keeps a kernel fault from stopping the agent for good.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("limit netlink reads: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("name of the netlink socket: %w", err)
	}
	own, _ := name.(*unix.SockaddrNetlink)
	return &requester{port: own.Pid, fd: fd, in: make([]byte, receiveSize)}, nil
}

func (r *requester) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd := r.fd
	r.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}

// write sends a change and waits for its acknowledgement.
func (r *requester) write(typ, flags uint16, body []byte) error {
	return r.request(typ, flags|unix.NLM_F_ACK, body, nil)
}

// dump asks for all objects of a type and gives them to each, trying again while changes interrupt it. The start
// function is called before every attempt: what each got before is void.
func (r *requester) dump(ctx context.Context, typ uint16, body []byte, start func(), each func(message)) error {
	const attempts = 10
	err := errInterrupted
	for i := 0; i < attempts && errors.Is(err, errInterrupted); i++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		start()
		err = r.request(typ, unix.NLM_F_DUMP, body, each)
	}
	return err
}

// request sends one message and reads replies up to the end mark: NLMSG_DONE of a dump, or the acknowledgement.
func (r *requester) request(typ, flags uint16, body []byte, each func(message)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return os.ErrClosed
	}
	r.seq++
	out := make([]byte, 0, unix.SizeofNlMsghdr+len(body))
	out = binary.NativeEndian.AppendUint32(out, uint32(unix.SizeofNlMsghdr+len(body)))
	out = binary.NativeEndian.AppendUint16(out, typ)
	out = binary.NativeEndian.AppendUint16(out, flags|unix.NLM_F_REQUEST)
	out = binary.NativeEndian.AppendUint32(out, r.seq)
	out = binary.NativeEndian.AppendUint32(out, 0)
	out = append(out, body...)
	if err := unix.Sendto(r.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send netlink request: %w", err)
	}
	rep := reply{seq: r.seq, each: each}
	for !rep.done {
		n, err := receive(r.fd, r.in, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive netlink reply: %w", err)
		}
		if err := messages(r.in[:n], rep.take); err != nil {
			return err
		}
	}
	if rep.err == nil && rep.interrupted {
		return errInterrupted
	}
	return rep.err
}

// reply collects the answer to one request.
type reply struct {
	seq         uint32
	each        func(message)
	done        bool
	interrupted bool
	err         error
}

func (r *reply) take(m message) error {
	if m.seq != r.seq || r.done {
		return nil // the rest of an answer that was given up
	}
	if m.flags&unix.NLM_F_DUMP_INTR != 0 {
		r.interrupted = true
	}
	switch m.typ {
	case unix.NLMSG_ERROR, unix.NLMSG_DONE:
		r.done = true
		r.err = ackError(m)
	default:
		if r.each != nil {
			r.each(m)
		}
	}
	return nil
}

// ackError returns the error an acknowledgement carries: a unix.Errno, with the kernel's words where it has some.
func ackError(m message) error {
	code := int32(getUint32(m.body))
	if code == 0 {
		return nil
	}
	errno := syscall.Errno(-code)
	if errno == unix.EINTR && m.typ == unix.NLMSG_DONE {
		return errInterrupted
	}
	if m.flags&unix.NLM_F_ACK_TLVS == 0 {
		return errno
	}
	rest := m.body[min(4, len(m.body)):]
	if m.typ == unix.NLMSG_ERROR {
		// The request's header follows; its body too where the kernel did not cap it.
		size := unix.SizeofNlMsghdr
		if m.flags&unix.NLM_F_CAPPED == 0 {
			size = align(int(getUint32(rest)))
		}
		rest = rest[min(size, len(rest)):]
	}
	for typ, data := range attrs(rest) {
		if typ == unix.NLMSGERR_ATTR_MSG {
			return fmt.Errorf("%w (%s)", errno, getString(data))
		}
	}
	return errno
}

// receive reads one datagram. It refuses one that does not fit instead of dropping its end.
func receive(fd int, b []byte, flags int) (int, error) {
	n, _, err := unix.Recvfrom(fd, b, flags|unix.MSG_TRUNC)
	if err != nil {
		return 0, err
	}
	if n > len(b) {
		return 0, fmt.Errorf("netlink datagram of %d bytes does not fit into %d", n, len(b))
	}
	return n, nil
}
