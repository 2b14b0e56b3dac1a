package app

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
)

// runHandler puts the id of the run under way on every line, whoever writes it. There is one run at a time.
type runHandler struct {
	slog.Handler
	run *atomic.Pointer[string]
}

// Handle adds the id.
func (h runHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := h.run.Load(); id != nil {
		r.AddAttrs(slog.String("run", *id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is part of slog.Handler.
func (h runHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return runHandler{h.Handler.WithAttrs(attrs), h.run}
}

// WithGroup is part of slog.Handler.
func (h runHandler) WithGroup(name string) slog.Handler {
	return runHandler{h.Handler.WithGroup(name), h.run}
}

// begin gives a run its id; end takes it away again.
func (a *App) begin() (end func()) {
	id := rand.Text()[:8]
	a.run.Store(&id)
	return func() { a.run.Store(nil) }
}
