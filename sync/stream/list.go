package stream

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// maxFailedListings in a row end the stream's run: the source is down, and what was not tried comes again later.
const maxFailedListings = 20

// listJob lists the range of a job and commits its windows: what the source lists is held against what is stored, the details
// of what is new or changed are fetched, and the rows go to the committer before the ledger row of their window (I1).
func (r *Run) listJob(ctx context.Context, j Job) error {
	t := newWindowCounter(r, j)
	// What is created after the run's time is the next run's: without it the listing holds still while it is read.
	for l, err := range r.listings(ctx, j.Until(r.Now)) {
		if err != nil {
			return err
		}
		t.listing(l)
		r.Progress.listed.Add(int64(l.End.Sub(l.Start) / time.Second))
		if err := r.store(ctx, &l, t); err != nil {
			return err
		}
		r.prove(&l)
		windows, err := t.done(ctx, l)
		if err != nil {
			return err
		}
		if err := r.Commits.Add(schema.Batch{Windows: windows}); err != nil {
			return err
		}
	}
	return r.leasing.end(j.claim)
}

// store brings what a listing shows to the committer: list, diff, details, rows and rejects. The ledger row is counted meanwhile.
func (r *Run) store(ctx context.Context, l *walk.Listing, t *windowCounter) error {
	todo, stored, err := r.diff(ctx, l, t)
	if err != nil {
		return err
	}
	r.Progress.found.Add(int64(len(todo)))
	out, err := r.rows(ctx, todo)
	if err != nil {
		return err
	}
	for d, err := range r.details(ctx, l.Interval, todo) {
		if err != nil {
			return out.end(err)
		}
		t.detail(d)
		out.resolve(d.Order.OrderID, nil, schema.RejectList) // its list row could be read
		if err := out.take(ctx, d, stored[d.Order.OrderID], true); err != nil {
			return out.end(err)
		}
	}
	if err := out.end(nil); err != nil {
		return err
	}
	rejects, err := r.listRejects(ctx, *l, t)
	if err != nil {
		return err
	}
	return r.Commit(schema.Batch{Rejects: rejects})
}

// listings returns the listings of a range. A place among those who list is held only while it is listed, and not while
// the details of a listing are fetched.
func (r *Run) listings(ctx context.Context, iv window.Interval) iter.Seq2[walk.Listing, error] {
	return func(yield func(walk.Listing, error) bool) {
		if err := enter(ctx, r.listing); err != nil {
			yield(walk.Listing{}, err)
			return
		}
		defer func() { <-r.listing }()
		for l, err := range r.Walker().Walk(ctx, iv) {
			if err == nil {
				err = r.alive(l)
			}
			<-r.listing
			more := yield(l, err)
			r.listing <- struct{}{}
			if err != nil || !more {
				return
			}
		}
	}
}

// alive ends the stream's run when the source fails on one listing after the other.
func (r *Run) alive(l walk.Listing) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.Verdict != schema.Failed {
		r.failures = 0
		return nil
	}
	if r.failures++; r.failures < maxFailedListings {
		return nil
	}
	return fmt.Errorf("%d listings in a row failed, the last one %s: %w", r.failures, l.Interval, l.Err)
}

// Walker returns what lists the stream.
func (r *Run) Walker() *walk.Walker {
	return &walk.Walker{
		Lister: r.Stream.Source, Stream: r.Stream.Stream, Window: r.Window, PageSize: r.Stream.PageSize, Parallel: r.Stream.InFlight,
		Filters: r.Stream.Filters, Ceiling: &r.Memory.ceiling,
	}
}

// diff returns the orders of a listing that the warehouse does not hold in this state, and at which other places it holds
// them. It deals with those that the listing lacks.
func (r *Run) diff(ctx context.Context, l *walk.Listing, t *windowCounter) ([]*schema.Order, former, error) {
	known, err := r.cache.known(ctx, l.Interval)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read stored orders: %w", r.Stream, l.Interval, err)
	}
	if err := t.job.repair.prepare(ctx, r, *l, known); err != nil {
		return nil, nil, err
	}
	held := r.Held(l, known)
	for id, k := range held {
		t.hold(id, k)
	}
	if missing := unlisted(*l, known, held); len(missing) > 0 {
		if err := r.missing.miss(ctx, *l, missing, t); err != nil {
			return nil, nil, err
		}
	}
	if len(l.Orders) == 0 {
		return nil, nil, nil
	}
	r.missing.sight(l.Orders[0].OrderID)
	if known == nil {
		known = map[string]schema.Known{}
	}
	if err := r.elsewhere(ctx, l, known); err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.Stream, l.Interval, err)
	}
	rejects, err := r.rejectsOf(ctx, l.Orders, known)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.Stream, l.Interval, err)
	}
	defer rejects.Close()
	stored := former{}
	var todo []*schema.Order
	for _, o := range l.Orders {
		k, ok := known[o.OrderID]
		again := t.job.repair.redo(o.OrderID) || r.ForceRetry && rejects.hasLines(o.OrderID)
		moved := ok && !Same(k.CreateTime, o.CreateTime)
		if ok && k.Fingerprint == o.Fingerprint && !moved && !again {
			if k.DetailStatus == schema.DetailOK || rejects.Waits(o.OrderID, r.Now, r.ForceRetry) {
				t.order(o, k.ItemCount, k.DetailStatus, k.FetchedAt)
				continue
			}
		}
		if moved {
			stored[o.OrderID] = append(stored[o.OrderID], k.CreateTime)
		}
		// The newest fetch wins, even where the clock of this machine went back.
		o.Version = Newer(o.Version, k.Version)
		o.ItemCount = k.ItemCount
		todo = append(todo, o)
	}
	return todo, stored, nil
}

// Held returns those of the stored orders of a listing's interval that it shows in rows that cannot be read. They stay as they
// are, and are what was listed: such a row is of no order beside them.
func (r *Run) Held(l *walk.Listing, known map[string]schema.Known) map[string]schema.Known {
	var out map[string]schema.Known
	for i := range l.Rejects {
		j := &l.Rejects[i]
		if k, ok := known[j.OrderID]; ok && (j.CreateTime.IsZero() || window.At(j.CreateTime, r.Window).Contains(k.CreateTime)) {
			if out == nil {
				out = map[string]schema.Known{}
			}
			out[j.OrderID] = k
		}
	}
	return out
}

// rejectsOf looks at the rejects of those listed orders that are stored and need no detail but for them.
func (r *Run) rejectsOf(ctx context.Context, listed []*schema.Order, known map[string]schema.Known) (*RejectView, error) {
	var ids []string
	for _, o := range listed {
		if k, ok := known[o.OrderID]; ok && (r.ForceRetry || k.DetailStatus != schema.DetailOK) {
			ids = append(ids, o.OrderID)
		}
	}
	return r.Rejects.Look(ctx, nil, ids)
}

// details returns the details of orders that were created in iv, as they come.
func (r *Run) details(ctx context.Context, iv window.Interval, todo []*schema.Order) iter.Seq2[enrich.Result, error] {
	return func(yield func(enrich.Result, error) bool) {
		if len(todo) == 0 {
			return
		}
		stored, err := r.cache.itemIDs(ctx, iv, todo)
		if err != nil {
			yield(enrich.Result{}, fmt.Errorf("%s %s: read stored items: %w", r.Stream, iv, err))
			return
		}
		e := enrich.Enricher{Detailer: r.Stream.Source, Parallel: r.Stream.InFlight}
		for d, err := range e.Enrich(ctx, todo, stored) {
			if err == nil {
				r.Progress.Details.Add(1)
				d.Order.FetchedAt = r.clock() // the vendor's: the ages of details are counted by it
				for i := range d.Items {
					d.Items[i].FetchedAt = d.Order.FetchedAt
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// listRejects returns the rows of a listing that could not become orders.
func (r *Run) listRejects(ctx context.Context, l walk.Listing, t *windowCounter) ([]schema.Reject, error) {
	if len(l.Rejects) == 0 {
		return nil, nil
	}
	ids := make([]string, len(l.Rejects))
	for i := range l.Rejects {
		ids[i] = l.Rejects[i].ID
	}
	v, err := r.Rejects.Look(ctx, ids, nil)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	var out []schema.Reject
	for _, j := range l.Rejects {
		at := j.CreateTime
		if !l.Contains(at) {
			at = l.Start
		}
		w := t.at(at)
		t.meet(w.Start, v, j.ID)
		row, write := v.seen(j, r.Now, w.Start)
		if row.WindowStart.Equal(w.Start) && !t.held[j.OrderID] {
			w.Listed++ // a row without a creation time can be in two listings that meet, and counts in one of them
		}
		if write {
			out = append(out, row)
		}
	}
	return out, nil
}
