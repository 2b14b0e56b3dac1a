package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// chunk is how many orders go to the committer at once: a stop or a crash costs few calls.
const chunk = 100

// span walks one span and commits its windows.
func (r *streamRun) span(ctx context.Context, j job, listing chan struct{}) error {
	if err := enter(ctx, listing); err != nil {
		return err
	}
	defer func() { <-listing }()
	t := newTally(r, j)
	err := r.walker().Walk(ctx, r.until(j), func(l walk.Listing) error {
		if err := r.alive(l); err != nil {
			return err
		}
		<-listing
		err := r.settle(ctx, l, t)
		listing <- struct{}{}
		return err
	})
	if err != nil {
		return err
	}
	return r.end(j.claim)
}

// until is the part of a job that lies before the run's time. What is created after it is the next run's: without it the
// listing holds still while it is read.
func (r *streamRun) until(j job) window.Interval {
	return j.Clip(window.Interval{Start: j.Start, End: r.now})
}

// alive ends the stream's run when the source fails on one listing after the other.
func (r *streamRun) alive(l walk.Listing) error {
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

func (r *streamRun) walker() *walk.Walker {
	return &walk.Walker{
		Lister: r.stream.Source, Stream: r.stream.Stream, Window: r.Window, PageSize: r.stream.PageSize, Parallel: r.stream.InFlight,
		Filters: r.stream.Filters, Ceiling: r.ceilings[r.stream.Account],
	}
}

// settle brings the orders of one listing to the warehouse and closes the windows that it completes.
func (r *streamRun) settle(ctx context.Context, l walk.Listing, t *tally) error {
	t.listing(l)
	r.progress.listed.Add(int64(l.End.Sub(l.Start) / time.Second))
	if err := r.bring(ctx, &l, t); err != nil {
		return err
	}
	if len(r.findings) > 0 {
		r.looks.listing(&l)
	}
	windows, err := t.done(ctx, l)
	if err != nil {
		return err
	}
	return r.commits.add(schema.Batch{Windows: windows})
}

// bring brings the orders of one listing to the warehouse: those that it does not hold in this state, with their details, and as
// rejects what is none.
func (r *streamRun) bring(ctx context.Context, l *walk.Listing, t *tally) error {
	r.sight(*l)
	todo, stored, err := r.changed(ctx, l, t)
	if err != nil {
		return err
	}
	r.progress.found.Add(int64(len(todo)))
	if err := r.enrich(ctx, *l, todo, stored, t); err != nil {
		return err
	}
	rejects, err := r.listRejects(ctx, *l, t)
	if err != nil {
		return err
	}
	return r.commit(schema.Batch{Rejects: rejects})
}

// changed finds the orders of a listing that the warehouse does not hold in this state, and at which other places it holds
// them. They take the place of the listing's. It deals with those that the listing lacks.
func (r *streamRun) changed(ctx context.Context, l *walk.Listing, t *tally) ([]schema.Order, former, error) {
	known, err := r.known(ctx, l.Interval)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read stored orders: %w", r.stream, l.Interval, err)
	}
	if err := t.job.repair.prepare(ctx, r, *l, known); err != nil {
		return nil, nil, err
	}
	if missing := unlisted(*l, known); len(missing) > 0 {
		if err := r.miss(ctx, *l, missing, t); err != nil {
			return nil, nil, err
		}
	}
	if len(l.Orders) == 0 {
		return nil, nil, nil
	}
	if known == nil {
		known = map[string]schema.Known{}
	}
	if err := r.elsewhere(ctx, l, known); err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.stream, l.Interval, err)
	}
	rejects, err := r.rejectsOf(ctx, l.Orders, known)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.stream, l.Interval, err)
	}
	defer rejects.close()
	stored := former{}
	todo := l.Orders[:0]
	for i := range l.Orders {
		o := &l.Orders[i]
		k, ok := known[o.OrderID]
		again := t.job.repair.redo(o.OrderID) || r.eager && rejects.hasLines(o.OrderID)
		moved := ok && !same(k.CreateTime, o.CreateTime)
		if ok && k.Fingerprint == o.Fingerprint && !moved && !again {
			if k.DetailStatus == schema.DetailOK || rejects.waits(o.OrderID, r.now, r.eager) {
				t.order(o, k.ItemCount, k.DetailStatus)
				continue
			}
		}
		if moved {
			stored[o.OrderID] = append(stored[o.OrderID], k.CreateTime)
		}
		// The newest fetch wins, even where the clock of this machine went back.
		o.Version = newer(o.Version, k.Version)
		o.ItemCount = k.ItemCount
		todo = append(todo, *o)
	}
	return todo, stored, nil
}

// rejectsOf looks at the rejects of those listed orders that are stored and need no detail but for them.
func (r *streamRun) rejectsOf(ctx context.Context, listed []schema.Order, known map[string]schema.Known) (*rejectView, error) {
	var ids []string
	for i := range listed {
		if k, ok := known[listed[i].OrderID]; ok && (r.eager || k.DetailStatus != schema.DetailOK) {
			ids = append(ids, listed[i].OrderID)
		}
	}
	return r.open.look(ctx, nil, ids)
}

// enrich fetches the details of orders and hands them over as they come.
func (r *streamRun) enrich(ctx context.Context, l walk.Listing, todo []schema.Order, stored former, t *tally) error {
	if len(todo) == 0 {
		return nil
	}
	return r.details(ctx, l.Interval, todo, stored, func(res enrich.Result, v *rejectView) ([]schema.Reject, bool) {
		t.detail(res)
		return v.resolve(res.Order.OrderID, nil, r.now, schema.RejectList), true // its list row could be read
	})
}

// details fetches the details of orders that were created in iv and hands the rows over, with tombstones for what is stored of
// them at other places. Each result is first shown to the caller, who may have more rejects to hand over, and says whether
// there is anything to write.
func (r *streamRun) details(ctx context.Context, iv window.Interval, todo []schema.Order, places former, seen func(enrich.Result, *rejectView) (more []schema.Reject, write bool)) error {
	stored, err := r.itemIDs(ctx, iv, todo)
	if err != nil {
		return fmt.Errorf("%s %s: read stored items: %w", r.stream, iv, err)
	}
	v, err := r.open.look(ctx, nil, orderIDs(todo))
	if err != nil {
		return err
	}
	defer v.close()
	var out schema.Batch
	flush := func() error {
		b := out
		out = schema.Batch{}
		return r.commit(b)
	}
	e := enrich.Enricher{Detailer: r.stream.Source, Parallel: r.stream.InFlight}
	err = e.Enrich(ctx, todo, stored, func(res enrich.Result) error {
		o := res.Order
		more, write := seen(res, v)
		out.Rejects = append(out.Rejects, more...)
		r.progress.Details.Add(1)
		if write {
			r.progress.Items.Add(int64(len(res.Items)))
			r.sumUp(func(s *StreamSummary) {
				s.Changed++
				s.Items += len(res.Items)
			})
			orders, items, err := r.leave(ctx, o, places[o.OrderID])
			if err != nil {
				return err
			}
			out.Orders = append(append(out.Orders, orders...), *o)
			out.Items = append(append(out.Items, items...), res.Items...)
			r.wrote(o.OrderID)
		}
		for _, j := range res.Rejects {
			if row, write := v.seen(j, r.now, o.CreateTime.UTC().Truncate(r.Window)); write {
				out.Rejects = append(out.Rejects, row)
			}
		}
		if res.Err == nil { // else nothing was learned of its lines
			out.Rejects = append(out.Rejects, v.resolve(o.OrderID, res.Rejects, r.now, schema.RejectDetail, schema.RejectItem)...)
		}
		if len(out.Orders) < chunk {
			return nil
		}
		return flush()
	})
	if ferr := flush(); err == nil {
		err = ferr
	}
	return err
}

// listRejects returns the rows of a listing that could not become orders.
func (r *streamRun) listRejects(ctx context.Context, l walk.Listing, t *tally) ([]schema.Reject, error) {
	if len(l.Rejects) == 0 {
		return nil, nil
	}
	ids := make([]string, len(l.Rejects))
	for i := range l.Rejects {
		ids[i] = l.Rejects[i].ID
	}
	v, err := r.open.look(ctx, ids, nil)
	if err != nil {
		return nil, err
	}
	defer v.close()
	var out []schema.Reject
	for _, j := range l.Rejects {
		at := j.CreateTime
		if !l.Contains(at) {
			at = l.Start
		}
		w := t.at(at)
		t.meet(w.Start, v, j.ID)
		row, write := v.seen(j, r.now, w.Start)
		if row.WindowStart.Equal(w.Start) {
			w.Listed++ // a row without a creation time can be in two listings that meet, and counts in one of them
		}
		if write {
			out = append(out, row)
		}
	}
	return out, nil
}

// sight remembers an order that the source lists; see witnessed.
func (r *streamRun) sight(l walk.Listing) {
	if len(l.Orders) > 0 {
		r.mu.Lock()
		r.listed = l.Orders[0].OrderID
		r.mu.Unlock()
	}
}

// wholeWindow notes that this run listed all of a window.
func (r *streamRun) wholeWindow(start time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole == nil {
		r.whole = map[int64]bool{}
	}
	r.whole[start.Unix()] = true
}

// resolveGone resolves the rejects without a place in time that this run would have met if they were still there, and corrects
// the ledger where any were resolved. Those of one window were resolved when it was closed.
func (r *streamRun) resolveGone(ctx context.Context) error {
	listed := func(w window.Interval) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.whole[w.Start.Unix()] || !w.Start.Before(r.now)
	}
	gone, err := r.open.goneLoose(ctx, func(iv window.Interval) (bool, error) {
		windows := iv.Tile(r.Window)
		last := len(windows) - 1
		for i, w := range windows {
			if listed(w) {
				continue
			}
			if i > 0 && i < last {
				return false, nil
			}
			// At its edges a range may reach into windows that are not synced at all.
			ledger, err := r.store.Windows(ctx, r.stream.Stream, w.Start, w.End)
			if err != nil || len(ledger) > 0 {
				return false, err
			}
		}
		return true, nil
	}, r.now)
	if err != nil {
		return err
	}
	if err := r.commit(schema.Batch{Rejects: gone}); err != nil {
		return err
	}
	return r.recount(ctx, r.open.takeHealed())
}
