package engine

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// refresh brings single orders up to date that no due window shows: those whose detail is still missing, and those that
// are stored as unpaid, are older than the lookback, or within it where that was not listed completely, and have moved on. It
// costs one listing of the unpaid orders and one detail call for each such order, whatever the number of orders.
func (e *Engine) refresh(ctx context.Context, r *stream.Run, live window.Interval, within bool) error {
	var due []schema.OrderRef
	add := func(some []schema.OrderRef) error { // many are fetched a part at a time
		if due = append(due, some...); len(due) < stream.RejectPage {
			return nil
		}
		refs := due
		due = nil
		return r.Fetch(ctx, refs)
	}
	for some, err := range r.Rejects.Retries(ctx, r.Now, r.ForceRetry) {
		if err == nil {
			err = add(some)
		}
		if err != nil {
			return err
		}
	}
	for after := (schema.OrderRef{}); ; {
		pending, err := e.store.Pending(ctx, r.Stream.Stream, after, stream.RejectPage)
		if err != nil {
			return err
		}
		if len(pending) > 0 {
			after = pending[len(pending)-1]
		}
		last := len(pending) < stream.RejectPage
		if err := add(pending); err != nil {
			return err
		}
		if last {
			break
		}
	}
	tracked, err := e.unsettled(ctx, r, live)
	if err != nil {
		return err
	}
	var moved []schema.OrderRef
	if r.Stream.Lists() {
		unpaid := window.Interval{Start: r.Now.Add(-e.Sweep).Truncate(time.Second), End: live.Start}
		if within {
			unpaid.End = r.Now
		}
		moved, err = e.unpaidMoved(ctx, r, unpaid)
		if err != nil {
			return err
		}
	}
	return r.Fetch(ctx, slices.Concat(due, tracked, moved))
}

// unpaidMoved finds the orders of an interval that are stored as unpaid and are not listed as unpaid any more.
func (e *Engine) unpaidMoved(ctx context.Context, r *stream.Run, iv window.Interval) ([]schema.OrderRef, error) {
	if iv.Empty() {
		return nil, nil
	}
	stored, err := e.store.Unpaid(ctx, r.Stream.Stream, iv.Start, iv.End)
	if err != nil || len(stored) == 0 {
		return nil, err // nothing can have moved on: not even the listing is needed
	}
	if !r.Stream.Source.CanFilterStatus() {
		return e.unpaidByRange(ctx, r, iv, stored)
	}
	w := r.Walker()
	w.PaymentStatus = "Unpaid"
	unpaid, whole := map[string]bool{}, true
	for l, err := range w.Walk(ctx, iv) {
		if err != nil {
			return nil, err
		}
		r.Count(func(s *stream.Outcome) { s.ListCalls += l.Calls })
		r.Progress.ListCalls.Add(int64(l.Calls))
		whole = whole && l.Verdict == schema.Complete
		for _, o := range l.Orders {
			unpaid[o.OrderID] = true
		}
		for i := range l.Rejects { // a row that cannot be read is of an unpaid order all the same
			unpaid[l.Rejects[i].OrderID] = true
		}
	}
	if !whole {
		// An order that is absent from half a listing has not moved on; the next run sweeps again.
		r.Log.WarnContext(ctx, "the listing of unpaid orders is not whole, so nothing is concluded from it", r.Stream.LogAttr())
		r.Count(func(s *stream.Outcome) { s.Unswept = true })
		return nil, nil
	}
	var moved []schema.OrderRef
	for _, o := range stored {
		if !unpaid[o.OrderID] && r.MayRetry(o.OrderID) {
			moved = append(moved, o)
		}
	}
	return moved, nil
}

// unpaidByRange is the refresh of the unpaid of a vendor whose listing cannot be narrowed to the unpaid orders. They are asked for one by
// one, unless listing all orders of the interval again costs less; then only those that changed are asked for.
func (e *Engine) unpaidByRange(ctx context.Context, r *stream.Run, iv window.Interval, unpaid []schema.OrderRef) ([]schema.OrderRef, error) {
	iv.Start = unpaid[0].CreateTime
	counts, err := r.Store.Counts(ctx, r.Stream.Stream, 24*time.Hour, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	pages := 0
	for _, day := range counts {
		pages += 2 + int(day.Stored)/max(1, r.Stream.PageSize) // the last page is not full, and the first is read twice
	}
	if len(unpaid) <= pages {
		return unpaid, nil
	}
	iv = iv.Align(r.Window)
	ledger, err := r.Store.Windows(ctx, r.Stream.Stream, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	return nil, r.List(ctx, stream.Jobs(iv.Tile(r.Window), ledger, source.Live, time.Time{}))
}
