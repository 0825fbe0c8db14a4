package speaker

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
)

// hushed passes on what GoBGP says with less weight: what it calls information or a warning is the course of a protocol,
// of which the speaker tells what an operator needs. What says why a session is down is heard besides.
type hushed struct {
	slog.Handler
	silent *atomic.Bool
	heard  func(netip.Addr, string)
	peer   netip.Addr // whom the log is of; invalid: nobody
}

func hush(h slog.Handler, heard func(netip.Addr, string)) *hushed {
	return &hushed{Handler: h, silent: &atomic.Bool{}, heard: heard}
}

// silence has nothing passed on any more: a server that has ended complains when it is asked to end.
func (h *hushed) silence() { h.silent.Store(true) }

func lower(l slog.Level) slog.Level {
	if l < slog.LevelError {
		return min(l, slog.LevelDebug)
	}
	return slog.LevelWarn
}

// passes tells whether a record of this level goes to the log. GoBGP's own debugging, each message on the wire, never does.
func (h *hushed) passes(ctx context.Context, l slog.Level) bool {
	return l > slog.LevelDebug && h.Handler.Enabled(ctx, lower(l))
}

// Enabled implements slog.Handler.
func (h *hushed) Enabled(ctx context.Context, l slog.Level) bool {
	return !h.silent.Load() && (h.peer.IsValid() || h.passes(ctx, l))
}

// Handle implements slog.Handler.
func (h *hushed) Handle(ctx context.Context, r slog.Record) error {
	if h.peer.IsValid() {
		if why := whyDown(r); why != "" {
			h.heard(h.peer, why)
		}
	}
	if !h.passes(ctx, r.Level) {
		return nil
	}
	r.Level = lower(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *hushed) WithAttrs(a []slog.Attr) slog.Handler {
	with := *h
	with.Handler = h.Handler.WithAttrs(a)
	for _, x := range a {
		if x.Key == "Key" {
			with.peer, _ = netip.ParseAddr(x.Value.String())
		}
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *hushed) WithGroup(name string) slog.Handler {
	with := *h
	with.Handler = h.Handler.WithGroup(name)
	return &with
}
