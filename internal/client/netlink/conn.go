package netlink

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// Conn is a Mirror and a Writer of one network namespace, joined so that the mirror sees the writer's work even where
// the kernel announces none of it.
type Conn struct {
	*Mirror
	*Writer
}

// Open opens both in the calling thread's network namespace. onWrite, which may be nil, is called before every write.
func Open(ctx context.Context, opts Options, onWrite func()) (*Conn, error) {
	m, err := NewMirror(ctx, opts)
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(WriterOptions{OnWrite: onWrite, Names: m.LinkName, Wrote: m.confirm, WroteAlias: m.confirmAlias})
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &Conn{Mirror: m, Writer: w}, nil
}

// Close ends both.
func (c *Conn) Close() error { return errors.Join(c.Writer.Close(), c.Mirror.Close()) }

// confirm takes into the copy an entry just written. A neighbour written again with another protocol only is
// announced to nobody, nor is any proxy entry.
func (m *Mirror) confirm(n Neighbor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n.Proxy {
		m.store.stale |= kindProxies // one dump at the next refresh, for all that were written
		return nil
	}
	if m.store.stale&kindNeighbors != 0 {
		return nil // to be dumped anyway
	}
	// What is queued from before the write must not be applied after what is read now.
	if err := m.drain(); err != nil {
		return err
	}
	b := appendAttr(neighHeader(n), unix.NDA_DST, n.IP.AsSlice())
	err := m.ask.request(unix.RTM_GETNEIGH, unix.NLM_F_ACK, b, m.store.take)
	if err != nil && !isGone(err) {
		return err
	}
	if isGone(err) {
		m.store.takeNeighbor(n, false)
	}
	return nil
}

func (m *Mirror) confirmAlias() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store.stale |= kindLinks
}
