package speaker

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// hushed passes on what GoBGP says with less weight: what it calls information or a warning is the course of a protocol,
// of which the speaker tells what an operator needs.
type hushed struct {
	slog.Handler
	silent *atomic.Bool
}

func hush(h slog.Handler) *hushed { return &hushed{h, &atomic.Bool{}} }

// silence has nothing passed on any more: a server that has ended complains when it is asked to end.
func (h *hushed) silence() { h.silent.Store(true) }

func lower(l slog.Level) slog.Level {
	if l < slog.LevelError {
		return min(l, slog.LevelDebug)
	}
	return slog.LevelWarn
}

// Enabled implements slog.Handler. GoBGP's own debugging, each message on the wire, is never asked for.
func (h *hushed) Enabled(ctx context.Context, l slog.Level) bool {
	return !h.silent.Load() && l > slog.LevelDebug && h.Handler.Enabled(ctx, lower(l))
}

// Handle implements slog.Handler.
func (h *hushed) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lower(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *hushed) WithAttrs(a []slog.Attr) slog.Handler {
	return &hushed{h.Handler.WithAttrs(a), h.silent}
}

// WithGroup implements slog.Handler.
func (h *hushed) WithGroup(name string) slog.Handler {
	return &hushed{h.Handler.WithGroup(name), h.silent}
}
