package lab

import (
	"cmp"
	"errors"
	"io"
	"sync"
)

// errStreamClosed ends a stream whose other side is gone.
var errStreamClosed = errors.New("the stream is closed")

// credit is how many bytes may still be sent: a sender takes, the receiver gives back what it has consumed.
type credit struct {
	mu     sync.Mutex
	room   *sync.Cond
	most   int
	free   int
	closed bool
}

func newCredit(most int) *credit {
	c := &credit{most: most, free: most}
	c.room = sync.NewCond(&c.mu)
	return c
}

// take waits for room and takes up to most bytes of it.
func (c *credit) take(most int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.free == 0 && !c.closed {
		c.room.Wait()
	}
	if c.closed {
		return 0, errStreamClosed
	}
	n := min(most, c.free)
	c.free -= n
	return n, nil
}

// give returns room: the other side consumed n bytes.
func (c *credit) give(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = min(c.free+n, c.most)
	c.room.Broadcast()
}

// close makes waiting and later takers fail.
func (c *credit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.room.Broadcast()
}

// outlet is the sending side of one stream of a job. It never has more than a window under way, so that a job whose
// output nobody reads, or that does not read its input, blocks itself and no other.
type outlet struct {
	*credit
	job    uint32
	stream kind
	out    func(frame) error
}

func newOutlet(job uint32, stream kind, out func(frame) error) *outlet {
	return &outlet{credit: newCredit(streamWindow), job: job, stream: stream, out: out}
}

// Write sends p in frames, waiting for room.
func (o *outlet) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := o.take(min(len(p)-sent, frameData))
		if err != nil {
			return sent, err
		}
		if err := o.out(frame{kind: o.stream, job: o.job, data: p[sent : sent+n]}); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// pacedWriter writes to the guest's serial line no more than the line holds. User-Mode Linux stalls for good when its
// terminal layer has to throttle a line, so that must never happen: the guest acknowledges every byte it reads.
type pacedWriter struct {
	*credit
	w io.Writer
}

func (p pacedWriter) Write(data []byte) (int, error) {
	sent := 0
	for sent < len(data) {
		n, err := p.take(len(data) - sent)
		if err != nil {
			return sent, err
		}
		if _, err := p.w.Write(data[sent : sent+n]); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// ackingReader is the other side of a pacedWriter.
type ackingReader struct {
	r   io.Reader
	out func(frame) error
}

func (a ackingReader) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		err = errors.Join(err, a.out(windowFrame(0, kindStart, n)))
	}
	return n, err
}

// inlet is the receiving side of one stream: it holds what has come, never more than a window, and hands it to a
// writer at that writer's pace.
type inlet struct {
	job    uint32
	stream kind
	out    func(frame) error

	mu    sync.Mutex
	come  *sync.Cond
	held  []byte
	ended bool
	drop  bool
}

func newInlet(job uint32, stream kind, out func(frame) error) *inlet {
	i := &inlet{job: job, stream: stream, out: out}
	i.come = sync.NewCond(&i.mu)
	return i
}

// put takes in bytes as they come; none means that the stream has ended. It never blocks.
func (i *inlet) put(data []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(data) == 0 {
		i.ended = true
	}
	if !i.drop {
		i.held = append(i.held, data...)
	}
	i.come.Broadcast()
}

// end says that no more will come; what is held is still handed over.
func (i *inlet) end() { i.put(nil) }

// copyTo hands the stream to w until it ends. When w fails the rest is thrown away and acknowledged, so that the
// sender does not wait for a reader that is gone. A sender that is gone itself has left something to hand over: that it
// cannot be acknowledged is the error at the end.
func (i *inlet) copyTo(w io.Writer) error {
	var failed, unheard error
	for {
		data := i.next()
		if data == nil {
			return cmp.Or(failed, unheard)
		}
		if failed == nil {
			_, failed = w.Write(data)
		}
		if err := i.out(windowFrame(i.job, i.stream, len(data))); err != nil {
			unheard = err
		}
	}
}

// next waits for bytes; nil is the end.
func (i *inlet) next() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.held) == 0 && !i.ended {
		i.come.Wait()
	}
	if len(i.held) == 0 {
		return nil
	}
	data := i.held
	i.held = nil
	return data
}

// discard throws away what is held and what comes, and ends copyTo.
func (i *inlet) discard() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.drop, i.ended, i.held = true, true, nil
	i.come.Broadcast()
}
