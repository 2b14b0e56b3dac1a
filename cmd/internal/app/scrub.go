package app

import (
	"context"
	"errors"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/stream"
)

// scrubLine is how often the log tells what was compared again.
const scrubLine = 24 * time.Hour

// scrubbed is what was compared again since the log last told of it.
type scrubbed struct {
	since                                   time.Time
	windows, orders, changed, lists, detail int
}

// scrubDue compares the part of an account's past with the source again that is due, as far as there is time until the deadline.
// Scheduled runs call it last, so nothing waits for it.
func (a *App) scrubDue(ctx context.Context, l *login, now, deadline time.Time) {
	due, err := l.engine.DueScrub(ctx, now, deadline)
	if err != nil {
		a.log.WarnContext(ctx, "what of the past is to be compared again could not be read", "account", l.name, "error", err)
		return
	}
	done := &l.scrubbed
	if done.since.IsZero() {
		done.since = now
	}
	if due != nil {
		p := new(stream.Progress)
		end := a.history.Record(ctx, sink.RunScrub, []string{l.name}, due.Start, due.End, p)
		s, err := l.engine.RunScrub(ctx, due, p)
		end(daemon.Outcome{Summary: s, Err: err})
		if err = errors.Join(err, daemon.StreamErrors(s)); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "a part of the past could not be compared again; it comes first in the next run", "account", l.name, "error", err)
		}
		for _, o := range s.Streams {
			windows := o.Windows[schema.Complete]
			done.windows += windows
			done.orders += o.Listed
			done.changed += o.Changed
			done.lists += o.ListCalls
			done.detail += o.Details
			a.metrics.scrubbed.WithLabelValues(l.name).Add(float64(windows))
			a.metrics.scrubFound.WithLabelValues(l.name).Add(float64(o.Changed))
		}
	}
	if done.windows > 0 && now.Sub(done.since) >= scrubLine {
		a.log.InfoContext(ctx, "the past was compared with the source again", "account", l.name, "since", done.since, "windows", done.windows,
			"orders", done.orders, "changed", done.changed, "list_calls", done.lists, "detail_calls", done.detail)
		*done = scrubbed{since: now}
	}
}
