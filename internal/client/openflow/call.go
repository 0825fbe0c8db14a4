package openflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// call is a group of messages sent together, of which the last is answered.
type call struct {
	last    uint32           // xid whose answer completes the call
	errs    map[uint32]error // refusals, by xid
	replies []message        // to the last message
	done    chan struct{}
}

// receive takes a reply or refusal; Conn.mu is held.
func (k *call) receive(m message) error {
	select {
	case <-k.done:
		return nil // an answer too many
	default:
	}
	if m.kind == typeError {
		k.errs[m.xid] = decodeError(m.body)
		if m.xid == k.last {
			close(k.done)
		}
		return nil
	}
	if m.xid != k.last {
		return nil
	}
	k.replies = append(k.replies, m)
	if m.kind == typeMultipartReply {
		if _, more, _, err := cutMultipart(m.body); err != nil || more {
			return err
		}
	}
	close(k.done)
	return nil
}

// exchange sends messages, which get their xids here, and waits for the answer to the last. It returns refusals
// by the position of what was refused; err is only what kept the answer from coming.
func (c *Conn) exchange(ctx context.Context, ms []message) (replies []message, refused map[int]error, err error) {
	k := &call{errs: map[uint32]error{}, done: make(chan struct{})}
	first, err := c.register(k, ms)
	if err != nil {
		return nil, nil, err
	}
	defer c.forget(ms)
	if err := c.write(ctx, ms); err != nil {
		return nil, nil, err
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-c.done:
		select {
		case <-k.done: // answered before it went
		default:
			return nil, nil, c.Err()
		}
	}
	refused = make(map[int]error, len(k.errs))
	for xid, e := range k.errs {
		refused[int(xid-first)] = e
	}
	return k.replies, refused, nil
}

// register gives the messages consecutive xids and makes the call known under them.
func (c *Conn) register(k *call, ms []message) (first uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if int64(c.lastXID)+int64(len(ms)) >= 1<<32-1 {
		c.lastXID = 0 // 0 itself is for what nobody asked for
	}
	first = c.lastXID + 1
	for i := range ms {
		c.lastXID++
		ms[i].version, ms[i].xid = c.version, c.lastXID
		if ms[i].kind == typeBundleAdd {
			setInnerXID(&ms[i])
		}
		c.calls[c.lastXID] = k
	}
	k.last = c.lastXID
	return first, nil
}

// forget makes the call unknown. The lock also orders what the reader wrote to the call before what follows.
func (c *Conn) forget(ms []message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range ms {
		delete(c.calls, m.xid)
	}
}

// ask sends one message and returns the bodies of its answers.
func (c *Conn) ask(ctx context.Context, kind uint8, body []byte) ([]message, error) {
	replies, refused, err := c.exchange(ctx, []message{{kind: kind, body: body}})
	if err != nil {
		return nil, err
	}
	return replies, refused[0]
}

// Barrier returns when the switch has done all that was sent before.
func (c *Conn) Barrier(ctx context.Context) error {
	if _, err := c.ask(ctx, typeBarrierRequest, nil); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	return nil
}

// Echo returns when the switch has answered; it tells a stuck one from an idle one.
func (c *Conn) Echo(ctx context.Context) error {
	if _, err := c.ask(ctx, typeEchoRequest, nil); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	return nil
}

// Flows returns the flows, of all tables, whose cookie equals cookie in the bits of mask, in no order.
func (c *Conn) Flows(ctx context.Context, cookie, mask uint64) ([]Flow, error) {
	replies, err := c.ask(ctx, typeMultipartRequest, flowStatsRequest(cookie, mask))
	if err != nil {
		return nil, fmt.Errorf("read flows: %w", err)
	}
	var flows []Flow
	for _, m := range replies {
		kind, _, rest, err := cutMultipart(m.body)
		if err == nil && (m.kind != typeMultipartReply || kind != multipartFlow) {
			err = fmt.Errorf("another answer than asked for: %w", ErrMalformed)
		}
		if err != nil {
			return nil, fmt.Errorf("read flows: %w", err)
		}
		part, err := decodeFlowStats(rest)
		if err != nil {
			return nil, fmt.Errorf("read flows: %w", err)
		}
		flows = append(flows, part...)
	}
	return flows, nil
}

// Apply makes the changes, in this order, and returns when the switch has made them. With OpenFlow 1.4 it makes all
// of them or none; with 1.3 each by itself. Errors name the change that was refused.
func (c *Conn) Apply(ctx context.Context, changes ...Change) error {
	for _, ch := range changes {
		if err := ch.Flow.validate(); err != nil {
			return fmt.Errorf("%s: %w", ch, err)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if c.version == Version13 {
		return c.applyEach(ctx, changes)
	}
	return c.applyBundle(ctx, changes)
}

func (c *Conn) applyEach(ctx context.Context, changes []Change) error {
	ms := make([]message, 0, len(changes)+1)
	for _, ch := range changes {
		ms = append(ms, message{kind: typeFlowMod, body: ch.encode()})
		c.countWrite()
	}
	ms = append(ms, message{kind: typeBarrierRequest})
	_, refused, err := c.exchange(ctx, ms)
	if err != nil {
		return fmt.Errorf("change %d flows: %w", len(changes), err)
	}
	return refusals(refused, changes, 0)
}

// applyBundle discards the bundle when one of its flow_mods is refused while it is added: the switch would commit
// the others.
func (c *Conn) applyBundle(ctx context.Context, changes []Change) error {
	c.mu.Lock()
	c.lastBundle++
	id := c.lastBundle
	c.mu.Unlock()
	ms := []message{{kind: typeBundleControl, body: bundleControlBody(id, bundleOpen)}}
	for _, ch := range changes {
		mod := message{version: c.version, kind: typeFlowMod, body: ch.encode()}
		ms = append(ms, message{kind: typeBundleAdd, body: bundleAddBody(id, mod)})
	}
	ms = append(ms, message{kind: typeBundleControl, body: bundleControlBody(id, bundleClose)})
	c.countWrite()
	_, refused, err := c.exchange(ctx, ms)
	if err == nil {
		err = refusals(refused, changes, 1)
	}
	if err != nil {
		c.discard(ctx, id)
		return fmt.Errorf("prepare %d flow changes: %w", len(changes), err)
	}
	if _, err := c.ask(ctx, typeBundleControl, bundleControlBody(id, bundleCommit)); err != nil {
		return fmt.Errorf("commit %d flow changes: %w", len(changes), err)
	}
	return nil
}

// discard forgets a bundle, also when the caller has given up. Nothing hangs on the outcome: what is never committed
// changes nothing, and goes with the connection.
func (c *Conn) discard(ctx context.Context, id uint32) {
	ms := []message{{kind: typeBundleControl, body: bundleControlBody(id, bundleDiscard)}}
	if _, err := c.register(&call{errs: map[uint32]error{}, done: make(chan struct{})}, ms); err != nil {
		return
	}
	defer c.forget(ms)
	_ = c.write(context.WithoutCancel(ctx), ms)
}

// refusals joins what was refused. The changes stand at offset in the messages sent.
func refusals(refused map[int]error, changes []Change, offset int) error {
	var errs []error
	for _, i := range slices.Sorted(maps.Keys(refused)) {
		if at := i - offset; at >= 0 && at < len(changes) {
			errs = append(errs, fmt.Errorf("%s: %w", changes[at], refused[i]))
		} else {
			errs = append(errs, refused[i])
		}
	}
	return errors.Join(errs...)
}

func (c *Conn) countWrite() {
	if c.opts.OnWrite != nil {
		c.opts.OnWrite()
	}
}

// Monitor has fn called for the flows of all tables: those there are (Initial), before it returns, and then each
// change until the connection ends. Changes made over this connection are Abbreviated (Open vSwitch 3.1 tells nothing
// of them when asked for more). fn runs on the goroutine that reads the connection: it must not block, nor call the
// Conn. There is one monitor a connection. Where the switch has none (OpenFlow 1.3; Open vSwitch before 2.16), the
// error wraps errors.ErrUnsupported.
func (c *Conn) Monitor(ctx context.Context, fn func(Update)) error {
	if c.version < Version14 {
		return fmt.Errorf("watch flows: %s has no flow monitor: %w", c.version, errors.ErrUnsupported)
	}
	c.mu.Lock()
	c.watch = fn
	c.mu.Unlock()
	// The barrier is what is waited for: Open vSwitch does not answer the request when there is no flow to tell of.
	_, refused, err := c.exchange(ctx, []message{
		{kind: typeMultipartRequest, body: monitorRequest()}, {kind: typeBarrierRequest}})
	if err == nil {
		err = refusals(refused, nil, 0)
	}
	if refusal := (*Error)(nil); errors.As(err, &refusal) && refusal.Type == errBadRequest {
		return fmt.Errorf("watch flows: %w: %w", errors.ErrUnsupported, err)
	}
	if err != nil {
		return fmt.Errorf("watch flows: %w", err)
	}
	return nil
}
