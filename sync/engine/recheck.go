package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// recheckAtOnce is how many orders are fetched again before the run looks whether it is time for the next one.
const recheckAtOnce = 500

// recheck fetches details again that were received too early. A vendor delivers after the payment: instances, service periods
// and the like come into a detail minutes or hours later, and the list row does not change then. Which orders are due follows
// from what is stored, so that a restart forgets nothing. What there is no time for before the deadline is due in the next run.
func (e *Engine) recheck(ctx context.Context, r *stream.Run, until time.Time) error {
	if len(e.Recheck) == 0 {
		return nil
	}
	from := r.Now.Add(-e.Sweep - e.Recheck[len(e.Recheck)-1]) // an order may be unpaid for as long as the unpaid are reconciled
	due, err := e.store.Provisional(ctx, r.Stream.Stream, e.Recheck, from, r.Now)
	if err != nil {
		return err
	}
	ctx = source.WithPriority(ctx, source.Backfill)
	done := map[window.Interval]bool{}
	for some := range slices.Chunk(due, recheckAtOnce) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if !until.IsZero() && time.Now().After(until) {
			break
		}
		r.Count(func(s *stream.Outcome) { s.Rechecked += len(some) })
		if err := r.Fetch(ctx, slices.Clone(some)); err != nil {
			return err
		}
		for _, o := range some {
			done[window.At(o.CreateTime, r.Window)] = true
		}
	}
	return r.Detailed(ctx, slices.SortedFunc(maps.Keys(done), stream.Earliest))
}
