package daemon

import (
	"context"
	"crypto/rand"
	"log/slog"
)

// NewLog returns a log whose lines have the id of their run, and that says the same thing once an hour.
func NewLog(to slog.Handler) *slog.Logger { return slog.New(runHandler{newRepeatHandler(to)}) }

// runKey is the key of a run's id in its context.
type runKey struct{}

// WithRun adds the id of a run, which stands on every line that is logged with its context, whoever writes it.
func WithRun(ctx context.Context) context.Context {
	return context.WithValue(ctx, runKey{}, rand.Text()[:8])
}

// runHandler puts the id of the run on the lines of that run.
type runHandler struct{ slog.Handler }

// Handle adds the id.
func (h runHandler) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(runKey{}).(string); ok {
		r.AddAttrs(slog.String("run", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is part of slog.Handler.
func (h runHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return runHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup is part of slog.Handler.
func (h runHandler) WithGroup(name string) slog.Handler {
	return runHandler{h.Handler.WithGroup(name)}
}
