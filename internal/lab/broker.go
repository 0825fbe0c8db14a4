package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
)

// broker stands between clients and the guest: each connection to its socket is one job, all jobs share the guest's
// serial line. It only passes frames on and rewrites job numbers; windows are agreed between client and guest.
type broker struct {
	line *frameWriter
	pace *credit // of the line
	log  *slog.Logger

	mu      sync.Mutex
	clients map[uint32]*brokerClient
	next    uint32
	gone    string // why there is no guest any more; empty while there is one
	done    sync.WaitGroup
}

func newBroker(line io.Writer, log *slog.Logger) *broker {
	pace := newCredit(lineWindow)
	return &broker{line: newFrameWriter(pacedWriter{pace, line}), pace: pace, log: log, clients: map[uint32]*brokerClient{}}
}

// awaitReady reads the guest's first frame.
func awaitReady(line *bufio.Reader) (readyInfo, error) {
	var info readyInfo
	f, err := readFrame(line)
	if err != nil {
		return info, err
	}
	if f.kind != kindReady {
		return info, fmt.Errorf("the guest began with a frame of kind %d", f.kind)
	}
	return info, json.Unmarshal(f.data, &info)
}

// relay passes the guest's frames to their clients until the line ends.
func (b *broker) relay(line *bufio.Reader) error {
	for {
		f, err := readFrame(line)
		if err != nil {
			b.pace.close()
			return err
		}
		if f.job == 0 && f.kind == kindWindow {
			_, n := windowOf(f)
			b.pace.give(n)
			continue
		}
		b.mu.Lock()
		c := b.clients[f.job]
		if f.kind == kindExit {
			delete(b.clients, f.job)
		}
		b.mu.Unlock()
		if c == nil {
			continue // its client has left
		}
		f.job = 0
		c.send(f)
		if f.kind == kindExit {
			c.finish()
		}
	}
}

// accept serves connections until the listener is closed.
func (b *broker) accept(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept a client: %w", err)
		}
		b.done.Go(func() { b.serveClient(conn) })
	}
}

// serveClient runs one connection: one job.
func (b *broker) serveClient(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	first, err := readFrame(in)
	if err != nil || first.kind != kindStart {
		return // a stranger, or a client that was ended at once
	}
	c := newBrokerClient()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if c.writeTo(conn) != nil {
			conn.Close() // ends the reads below
		}
	}()
	if id, ok := b.register(c); ok {
		go func() { // the job's end ends the reads, as the client's leaving does
			<-sent
			conn.Close()
		}()
		if b.pass(in, id, first) != nil {
			<-sent // the guest has ended: fail says so, and finishes
			return
		}
		b.mu.Lock()
		delete(b.clients, id)
		b.mu.Unlock()
	}
	c.finish()
	<-sent
}

// register gives a client a job number. Without a guest it tells the client so.
func (b *broker) register(c *brokerClient) (uint32, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone != "" {
		c.send(frame{kind: kindGone, data: []byte(b.gone)})
		return 0, false
	}
	b.next++
	b.clients[b.next] = c
	return b.next, true
}

// pass sends a client's frames to the guest until the client leaves, then ends the job if it still runs. The error is
// that the guest cannot be written to.
func (b *broker) pass(in *bufio.Reader, id uint32, f frame) error {
	var err error
	for ; err == nil; f, err = readFrame(in) {
		f.job = id
		if err := b.line.write(f); err != nil {
			b.log.Warn("write to the guest", "err", err)
			return err
		}
	}
	b.mu.Lock()
	_, running := b.clients[id]
	b.mu.Unlock()
	if running {
		_ = b.line.write(frame{kind: kindHangup, job: id}) // fails only when the guest has ended
	}
	return nil
}

// fail tells every client, and those to come, that the guest has ended.
func (b *broker) fail(reason string) {
	b.pace.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = reason[:min(len(reason), frameData)]
	for id, c := range b.clients {
		c.send(frame{kind: kindGone, data: []byte(b.gone)})
		c.finish()
		delete(b.clients, id)
	}
}

// powerOff asks the guest to end.
func (b *broker) powerOff() error { return b.line.write(frame{kind: kindPowerOff}) }

// wait waits until every client has what was sent to it, or ctx is done.
func (b *broker) wait(ctx context.Context) {
	idle := make(chan struct{})
	go func() { b.done.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// brokerClient holds what is to be written to a client, so that one that does not read never holds up the line. The
// windows bound it.
type brokerClient struct {
	mu       sync.Mutex
	come     *sync.Cond
	held     bytes.Buffer
	finished bool
}

func newBrokerClient() *brokerClient {
	c := &brokerClient{}
	c.come = sync.NewCond(&c.mu)
	return c
}

func (c *brokerClient) send(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Write(f.append(c.held.AvailableBuffer()))
	c.come.Signal()
}

// finish says that nothing more will be sent.
func (c *brokerClient) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished = true
	c.come.Signal()
}

// writeTo writes what is held until the client is finished.
func (c *brokerClient) writeTo(w io.Writer) error {
	for {
		c.mu.Lock()
		for c.held.Len() == 0 && !c.finished {
			c.come.Wait()
		}
		data := bytes.Clone(c.held.Bytes())
		c.held.Reset()
		c.mu.Unlock()
		if len(data) == 0 {
			return nil
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
}
