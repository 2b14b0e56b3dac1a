package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

func refIDs(refs []schema.OrderRef) []string {
	ids := make([]string, len(refs))
	for i := range refs {
		ids[i] = refs[i].OrderID
	}
	return ids
}

// Fetch asks for orders by their ids, whether or not they are stored, and writes what their details say. An order that
// is unavailable becomes a reject; the Summary counts it as pending. Only the stream that is named is worked on.
func (e *Engine) Fetch(ctx context.Context, now time.Time, of schema.Stream, ids []string, p *stream.Progress) (stream.Summary, error) {
	on := slices.DeleteFunc(slices.Clone(e.streams), func(l stream.Stream) bool { return l.Stream != of })
	if len(on) == 0 {
		return stream.Summary{}, fmt.Errorf("%s is not synced here", of)
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	return e.runOn(ctx, now, p, on, func(ctx context.Context, r *stream.Run) error {
		r.ForceRetry, r.Asked = true, asked
		r.Progress.Plan(len(asked))
		refs, err := e.store.Find(ctx, of, ids)
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
		return r.Fetch(ctx, refs)
	})
}

// refreshTracked is all there is to do for a stream whose orders cannot be listed: those that are tracked and not settled
// are asked for, and those whose detail or lines are missing.
func (e *Engine) refreshTracked(ctx context.Context, r *stream.Run) error {
	return e.refresh(ctx, r, window.Interval{Start: r.Now.Add(-e.Lookback), End: r.Now}, false)
}

// unsettled returns the tracked orders that are to be asked for now. Those of the lookback that are stored are left out
// where a listing shows them.
func (e *Engine) unsettled(ctx context.Context, r *stream.Run, live window.Interval) ([]schema.OrderRef, error) {
	all, err := e.store.Unsettled(ctx, r.Stream.Stream)
	if err != nil {
		return nil, err
	}
	v, err := r.Rejects.Look(ctx, nil, refIDs(all))
	if err != nil {
		return nil, err
	}
	defer v.Close()
	young := r.Now.Add(-e.Sweep)
	return slices.DeleteFunc(all, func(o schema.OrderRef) bool {
		switch {
		case v.Waits(o.OrderID, r.Now, r.ForceRetry):
			return true
		case o.CreateTime.IsZero() || r.ForceRetry:
			return false
		case r.Stream.Lists() && live.Contains(o.CreateTime):
			return true
		}
		return o.CreateTime.Before(young) && !r.MayRetry(o.OrderID)
	}), nil
}
