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
	due, err := l.engine.DueScrub(ctx, l.bounds, now, deadline)
	if err != nil {
		a.log.WarnContext(ctx, "what of the past is to be compared again could not be read", "account", l.name, "error", err)
		return
	}
	done := &l.scrubbed
	if off := l.bounds.Details != a.cfg.Schedule.ScrubDetails; off != done.off {
		if done.off = off; off {
			a.log.InfoContext(ctx, "details are not compared again by themselves: it would take more than a fifth of the detail quota", "account", l.name,
				"remedy", "set schedule.scrub_details to another time than its default, such as 365d, or to 0 to say that it is off")
		}
	}
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
			a.metrics.rechecked.WithLabelValues(l.name, rechecks[1]).Add(float64(o.Rechecked))
			a.metrics.scrubFound.WithLabelValues(l.name).Add(float64(o.Changed))
		}
	}
	if done.windows+done.details > 0 && now.Sub(done.since) >= scrubLine {
		a.log.InfoContext(ctx, "the past was compared with the source again", "account", l.name, "since", done.since, "windows", done.windows,
			"orders", done.orders, "changed", done.changed, "list_calls", done.lists, "detail_calls", done.details)
		*done = scrubbed{since: now, off: done.off}
	}
}

// scrubState brings up to date how stale an account's orders can be, of the owners that are configured, and within what time they are to
// be compared again.
func (a *App) scrubState(ctx context.Context, l *login, configured map[string]int) error {
	var compared, detailed time.Time
	orders := uint64(0)
	oldest := func(all *time.Time, at time.Time) {
		if all.IsZero() || !at.IsZero() && at.Before(*all) {
			*all = at
		}
	}
	for _, of := range l.streams {
		if of.Lists() {
			continue
		}
		ages, err := a.warehouse.DetailAges(ctx, of.Stream, 24*time.Hour, schema.MinTime, schema.MaxTime)
		if err != nil {
			return err
		}
		for _, w := range ages {
			orders += uint64(w.Stored)
			oldest(&detailed, w.DetailedAt)
		}
	}
	for _, s := range l.ledger {
		if _, known := configured[s.OwnerID]; known {
			orders += s.Orders
			oldest(&compared, s.Compared)
			oldest(&detailed, s.Detailed)
		}
	}
	schedule := &a.cfg.Schedule
	_, quota := stream.Quotas(l.streams)
	l.bounds = engine.Bounds{Rows: schedule.Scrub, Details: schedule.DetailsWithin(orders, quota)}
	a.metrics.stale(l.name, compared, detailed, l.bounds)
	return nil
}
