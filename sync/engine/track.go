package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/window"
)

// Fetch asks for orders by their ids, whether or not they are stored, and writes what their details say. An order that
// cannot be had becomes a reject; the Summary counts it as pending. Only the stream that is named is worked on.
func (e *Engine) Fetch(ctx context.Context, now time.Time, stream schema.Stream, ids []string, p *Progress) (Summary, error) {
	on := slices.DeleteFunc(slices.Clone(e.streams), func(l Stream) bool { return l.Stream != stream })
	if len(on) == 0 {
		return Summary{}, fmt.Errorf("%s is not synced here", stream)
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	return e.runOn(ctx, now, p, on, func(ctx context.Context, r *streamRun) error {
		r.eager, r.asked = true, asked
		r.progress.plan(len(asked))
		refs, err := r.store.Find(ctx, stream, ids)
		if err != nil {
			return err
		}
		stored := make(map[string]bool, len(refs))
		for _, o := range refs {
			stored[o.OrderID] = true
		}
		for id := range asked {
			if !stored[id] {
				refs = append(refs, schema.OrderRef{OrderID: id})
			}
		}
		return r.fetch(ctx, refs)
	})
}

// refreshTracked is all there is to do for a stream whose orders cannot be listed: those that are tracked and not settled
// are asked for, and those whose detail or lines are missing.
func (r *streamRun) refreshTracked(ctx context.Context) error {
	return r.refresh(ctx, window.Interval{Start: r.now.Add(-r.Lookback), End: r.now}, false)
}

// unsettled returns the tracked orders that are to be asked for now. Those of the lookback that are stored are left out
// where a listing shows them.
func (r *streamRun) unsettled(ctx context.Context, live window.Interval) ([]schema.OrderRef, error) {
	all, err := r.store.Unsettled(ctx, r.stream.Stream)
	if err != nil {
		return nil, err
	}
	v, err := r.open.look(ctx, nil, refIDs(all))
	if err != nil {
		return nil, err
	}
	defer v.close()
	young := r.now.Add(-r.Sweep)
	return slices.DeleteFunc(all, func(o schema.OrderRef) bool {
		switch {
		case v.waits(o.OrderID, r.now, r.eager):
			return true
		case o.CreateTime.IsZero() || r.eager:
			return false
		case r.stream.Lists() && live.Contains(o.CreateTime):
			return true
		}
		return o.CreateTime.Before(young) && !r.stuck.due(r.stream.String()+"\x00"+o.OrderID, r.now)
	}), nil
}

// fetchNew asks for orders of which nothing is known but their ids.
func (r *streamRun) fetchNew(ctx context.Context, refs []schema.OrderRef, touched map[time.Time]bool) error {
	orders := make([]schema.Order, len(refs))
	for i, o := range refs {
		orders[i] = schema.Order{Stream: r.stream.Stream, OrderID: o.OrderID}
	}
	return r.details(ctx, always, orders, nil, func(res enrich.Result, _ *rejectView) ([]schema.Reject, bool) {
		r.fetched(res)
		if !res.Order.CreateTime.IsZero() {
			touched[res.Order.CreateTime.UTC().Truncate(r.Window)] = true
		}
		// Where it could not be had and nothing is known of it but its id, there is no row to write.
		return nil, !res.Order.CreateTime.IsZero()
	})
}
