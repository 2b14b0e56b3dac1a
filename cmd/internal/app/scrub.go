package app

import (
	"context"
	"errors"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/stream"
)

// scrubLine is how often the log tells what was compared again.
const scrubLine = 24 * time.Hour

// scrubbed is what was compared again since the log last told of it.
type scrubbed struct {
	since                                    time.Time
	windows, orders, changed, lists, details int
	off                                      bool // it was said that details are not compared by themselves
}

// scrubDue compares the part of an account's past with the source again that is due, as far as there is time until the deadline.
// Scheduled runs call it last, so nothing waits for it.
func (a *App) scrubDue(ctx context.Context, l *login, now, deadline time.Time) {
	bounds, err := a.bounds(ctx, l)
	var due *engine.Scrubbing
	if err == nil {
		due, err = l.engine.DueScrub(ctx, bounds, now, deadline)
	}
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
			done.details += o.Details
			a.metrics.scrubbed.WithLabelValues(l.name).Add(float64(windows))
			a.metrics.scrubFound.WithLabelValues(l.name).Add(float64(o.Changed))
		}
	}
	if done.windows+done.details > 0 && now.Sub(done.since) >= scrubLine {
		a.log.InfoContext(ctx, "the past was compared with the source again", "account", l.name, "since", done.since, "windows", done.windows,
			"orders", done.orders, "changed", done.changed, "list_calls", done.lists, "detail_calls", done.details)
		*done = scrubbed{since: now, off: done.off}
	}
}

// bounds are within what time all of an account's past is to be compared again.
func (a *App) bounds(ctx context.Context, l *login) (b engine.Bounds, err error) {
	orders := uint64(0)
	for _, of := range l.streams {
		if of.Lists() {
			continue
		}
		n, err := a.warehouse.CountOrders(ctx, of.Stream)
		if err != nil {
			return b, err
		}
		orders += n
	}
	for _, s := range l.ledger {
		orders += s.Orders
	}
	schedule, quota := &a.cfg.Schedule, l.streams[0].DetailQuota*float64(len(l.streams))
	b = engine.Bounds{Rows: schedule.Scrub, Details: schedule.DetailsWithin(orders, quota)}
	if off := b.Details != schedule.ScrubDetails; off && !l.scrubbed.off {
		a.log.InfoContext(ctx, "details are not compared again by themselves: it would take more than a fifth of the detail quota", "account", l.name,
			"orders", orders, "quota", quota, "remedy", "set schedule.scrub_details to another time than its default, such as 365d, or 0 to say that it is off")
		l.scrubbed.off = true
	}
	return b, nil
}
