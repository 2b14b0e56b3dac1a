package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Fetch asks for the details of stored orders, writes what they say, and corrects the ledger where items came or went.
func (r *Run) Fetch(ctx context.Context, refs []schema.OrderRef) error {
	touched := map[time.Time]bool{}
	var checks []schema.Check
	var suspects []suspect
	lost := map[int64]bool{} // starts of windows, in Unix seconds, with an order that the source does not know any more
	// An order can be due for several reasons, or for several of its lines.
	slices.SortFunc(refs, func(a, b schema.OrderRef) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), strings.Compare(a.OrderID, b.OrderID))
	})
	refs = slices.CompactFunc(refs, func(a, b schema.OrderRef) bool { return a.OrderID == b.OrderID })
	unknown := slices.IndexFunc(refs, func(o schema.OrderRef) bool { return !o.CreateTime.IsZero() })
	if unknown < 0 {
		unknown = len(refs)
	}
	if err := r.fetchNew(ctx, refs[:unknown], touched); err != nil {
		return err
	}
	refs = refs[unknown:]
	for len(refs) > 0 {
		some := refs[:min(len(refs), lookUp)]
		refs = refs[len(some):]
		var iv window.Interval
		ids := make([]string, len(some))
		for i, o := range some {
			ids[i] = o.OrderID
			iv = iv.Extend(window.Interval{Start: o.CreateTime, End: o.CreateTime.Add(time.Millisecond)})
			touched[window.At(o.CreateTime, r.Window).Start] = true
		}
		orders, err := r.Store.OrdersByID(ctx, r.Stream.Stream, iv.Start, iv.End, ids)
		if err != nil {
			return fmt.Errorf("%s: read stored orders: %w", r.Stream, err)
		}
		before, err := r.stored(ctx, iv, orders)
		if err != nil {
			return err
		}
		todo := Pointers(orders)
		for _, o := range todo {
			o.Version = Newer(NextVersion(o.Version), o.Version)
		}
		out, err := r.rows(ctx, todo)
		if err != nil {
			return err
		}
		for d, err := range r.details(ctx, iv, todo) {
			if err != nil {
				return out.end(err)
			}
			id := d.Order.OrderID
			b := before[id]
			touched[window.At(d.Order.CreateTime, r.Window).Start] = true // it may have moved
			switch at := b.Order.CreateTime; {
			case !r.Stream.Lists() || b.Order.Fingerprint == 0: // no listing has ever shown it
			case source.ReasonOf(d.Err) == source.NotFound:
				lost[window.At(at, r.Window).Start.Unix()] = true
			case !d.Created.IsZero() && !Same(d.Created, at) && !Same(d.Created, r.said(b)):
				suspects = append(suspects, suspect{OrderRef: schema.OrderRef{OrderID: id, CreateTime: at}, now: d.Created})
			}
			r.Memory.retries.note(r.Stream.String()+"\x00"+id, r.Now, d.Err == nil && schema.IsUnpaid(d.Order.PaymentStatus))
			r.fetched(d)
			changed := b.ChangedBy(d)
			if !changed && d.Err == nil {
				checks = append(checks, r.Check(d.Order))
			}
			if err := out.take(ctx, d, []time.Time{b.Order.CreateTime}, changed); err != nil {
				return out.end(err)
			}
		}
		if err := out.end(nil); err != nil {
			return err
		}
	}
	if err := r.Store.WriteChecks(ctx, checks); err != nil {
		return err
	}
	for _, s := range suspects {
		o, err := r.listedAt(ctx, s.OrderID, s.now)
		if err == nil && o != nil && !Same(o.CreateTime, s.CreateTime) {
			err = r.relocate(ctx, o, s.CreateTime)
		}
		if err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return r.recount(ctx, touched) }, r.Moves.unite, r.Moves.restore,
		func(ctx context.Context) error { return r.listLost(ctx, lost) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Check is that the detail of a stored order was fetched just now and says nothing new.
func (r *Run) Check(o *schema.Order) schema.Check {
	return schema.Check{Stream: o.Stream, OrderID: o.OrderID, CreateTime: o.CreateTime, CheckedAt: r.clock(), Version: NextVersion(0)}
}

// suspect is a stored order whose detail says another creation time than it did before.
type suspect struct {
	schema.OrderRef
	now time.Time
}

// listLost lists the windows of the orders that the source does not know by their ids: the listing says whether they are
// gone. Those that this run has listed completely are left out.
func (r *Run) listLost(ctx context.Context, lost map[int64]bool) error {
	var due []window.Interval
	var ledger []schema.Window
	for at := range lost {
		of := window.At(time.Unix(at, 0), r.Window)
		if _, done := r.ListedAll(of); done {
			continue
		}
		rows, err := r.Store.Windows(ctx, r.Stream.Stream, of.Start, of.End) // none where it was never listed: it claims nothing
		if err != nil {
			return err
		}
		for _, w := range rows {
			if w.Verdict == "" {
				continue // it was listed with other filters
			}
			due, ledger = append(due, window.Of(w)), append(ledger, w)
		}
	}
	if len(due) == 0 {
		return nil
	}
	slices.SortFunc(due, Earliest)
	return r.List(ctx, Jobs(due, ledger, source.Live, time.Time{}))
}

// MayRetry reports whether an order may be asked for now, of which a listing and its detail contradicted each other.
func (r *Run) MayRetry(orderID string) bool {
	return r.Memory.retries.due(r.Stream.String()+"\x00"+orderID, r.Now)
}

// Had reports whether the detail of an order was asked for by its id in this run, and was there.
func (r *Run) Had(orderID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[orderID]
}

// fetched counts an order that was asked for by its id.
func (r *Run) fetched(res enrich.Result) {
	r.Count(func(s *Outcome) {
		s.Details++
		if res.Err == nil {
			if r.got == nil {
				r.got = map[string]bool{}
			}
			r.got[res.Order.OrderID] = true
		}
	})
	if r.Asked[res.Order.OrderID] {
		r.Progress.Done.Add(1)
	}
}

// fetchNew asks for orders of which nothing is known but their ids.
func (r *Run) fetchNew(ctx context.Context, refs []schema.OrderRef, touched map[time.Time]bool) error {
	orders := make([]*schema.Order, len(refs))
	for i, o := range refs {
		orders[i] = &schema.Order{Stream: r.Stream.Stream, OrderID: o.OrderID}
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
			touched[window.At(d.Order.CreateTime, r.Window).Start] = true
		}
		if err := out.take(ctx, d, nil, known); err != nil {
			return out.end(err)
		}
	}
	return out.end(nil)
}
