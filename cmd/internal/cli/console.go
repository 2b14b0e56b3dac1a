package cli

import (
	"io"
	"log/slog"
	"sync"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// console is standard error, shared by logs and a progress bar: while there is a bar, lines go above it.
type console struct {
	mu sync.Mutex
	to io.Writer
}

// Write is part of io.Writer.
func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Logs and errors repeat what others have said.
	if _, err := c.to.Write(printableBytes(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// redirect sends what is written from now on elsewhere and returns the writer before it.
func (c *console) redirect(to io.Writer) io.Writer {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.to
	c.to = to
	return before
}

// readableDuration writes durations into JSON as they are written everywhere else, 1m30s, and not as nanoseconds.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// logger writes to standard error: text for people, JSON for machines, unless the configuration says which.
func (p *program) logger(c config.Log, least slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: max(c.SlogLevel(), least)}
	if c.SlogLevel() == slog.LevelDebug {
		o.Level = slog.LevelDebug // who asks for everything gets it
	}
	if c.Format == config.FormatJSON || c.Format == config.FormatAuto && (p.machine || !isTerminal(p.err)) {
		o.ReplaceAttr = readableDuration
		return slog.New(slog.NewJSONHandler(p.console, o))
	}
	return slog.New(slog.NewTextHandler(p.console, o))
}
