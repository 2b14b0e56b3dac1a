package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
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
		refs, err := e.store.Find(ctx, stream, ids)
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
func (e *Engine) refreshTracked(ctx context.Context, r *streamRun) error {
	return e.refresh(ctx, r, window.Interval{Start: r.now.Add(-e.Lookback), End: r.now})
}

// unsettled returns the tracked orders that are to be asked for now. Those of the lookback that are stored are left out
// where a listing shows them.
func (e *Engine) unsettled(ctx context.Context, r *streamRun, live window.Interval) ([]schema.OrderRef, error) {
	all, err := e.store.Unsettled(ctx, r.stream.Stream)
	if err != nil {
		return nil, err
	}
	v, err := r.open.look(ctx, nil, refIDs(all))
	if err != nil {
		return nil, err
	}
	defer v.close()
	young := r.now.Add(-e.Sweep)
	return slices.DeleteFunc(all, func(o schema.OrderRef) bool {
		switch {
		case v.waits(o.OrderID, r.now, r.eager):
			return true
		case o.CreateTime.IsZero() || r.eager:
			return false
		case r.stream.Lists() && live.Contains(o.CreateTime):
			return true
		}
		return o.CreateTime.Before(young) && !r.memory.retries.due(r.stream.String()+"\x00"+o.OrderID, r.now)
	}), nil
}

// fetchNew asks for orders of which nothing is known but their ids.
func (r *streamRun) fetchNew(ctx context.Context, refs []schema.OrderRef, touched map[time.Time]bool) error {
	orders := make([]*schema.Order, len(refs))
	for i, o := range refs {
		orders[i] = &schema.Order{Stream: r.stream.Stream, OrderID: o.OrderID}
	}
	out, err := r.rows(ctx, orders)
	if err != nil {
		return err
	}
	for d, err := range r.details(ctx, always, orders) {
		if err != nil {
			return out.end(err)
		}
		r.fetched(d)
		known := !d.Order.CreateTime.IsZero() // else it is unavailable, and there is no row to write
		if known {
			touched[window.At(d.Order.CreateTime, r.window).Start] = true
		}
		if err := out.take(ctx, d, nil, known); err != nil {
			return out.end(err)
		}
	}
	return out.end(nil)
}
