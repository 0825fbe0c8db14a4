package speaker

import (
	"context"
	"log/slog"
)

// hushed passes on what GoBGP says with less weight: what it calls information or a warning is the course of a protocol,
// of which the speaker tells what an operator needs.
type hushed struct{ slog.Handler }

func hush(h slog.Handler) slog.Handler { return hushed{h} }

func lower(l slog.Level) slog.Level {
	if l < slog.LevelError {
		return min(l, slog.LevelDebug)
	}
	return slog.LevelWarn
}

// Enabled implements slog.Handler. GoBGP's own debugging, each message on the wire, is never asked for.
func (h hushed) Enabled(ctx context.Context, l slog.Level) bool {
	return l > slog.LevelDebug && h.Handler.Enabled(ctx, lower(l))
}

// Handle implements slog.Handler.
func (h hushed) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lower(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h hushed) WithAttrs(a []slog.Attr) slog.Handler { return hushed{h.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (h hushed) WithGroup(name string) slog.Handler { return hushed{h.Handler.WithGroup(name)} }
