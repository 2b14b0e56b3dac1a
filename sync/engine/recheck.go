package engine

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// recheckAtOnce is how many orders are fetched again before the run looks whether it is time for the next one.
const recheckAtOnce = 500

// recheck fetches details again that were received too early. A vendor delivers after the payment: instances, service periods
// and the like come into a detail minutes or hours later, and the list row does not change then. Which orders are due follows
// from what is stored, so that a restart forgets nothing. What there is no time for before the deadline is due in the next run.
func (r *streamRun) recheck(ctx context.Context, until time.Time) error {
	if len(r.Recheck) == 0 {
		return nil
	}
	from := r.now.Add(-r.Sweep - r.Recheck[len(r.Recheck)-1]) // an order may be unpaid for as long as it is swept
	due, err := r.store.Provisional(ctx, r.stream.Stream, r.Recheck, from, r.now)
	if err != nil {
		return err
	}
	ctx = source.WithPriority(ctx, source.Backfill)
	for len(due) > 0 && ctx.Err() == nil && (until.IsZero() || time.Now().Before(until)) {
		some := due[:min(len(due), recheckAtOnce)]
		due = due[len(some):]
		r.sumUp(func(s *StreamSummary) { s.Rechecked += len(some) })
		if err := r.fetch(ctx, some); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// check is that the detail of a stored order was fetched and says nothing new.
func check(o *schema.Order) schema.Check {
	return schema.Check{Stream: o.Stream, OrderID: o.OrderID, CreateTime: o.CreateTime, CheckedAt: o.FetchedAt, Version: uint64(o.FetchedAt.UnixNano())}
}
