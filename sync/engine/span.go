package engine

import (
	"context"
	"fmt"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// chunk is how many orders go to the committer at once: a stop or a crash costs few calls.
const chunk = 100

// span walks one span and commits its windows.
func (r *laneRun) span(ctx context.Context, j job, listing chan struct{}) error {
	if err := enter(ctx, listing); err != nil {
		return err
	}
	defer func() { <-listing }()
	t := newTally(r, j)
	// What is created after the run's time is the next run's: without it the listing holds still while it is read.
	return r.walker().Walk(ctx, j.Clip(window.Interval{Start: j.Start, End: r.now}), func(l walk.Listing) error {
		if err := r.alive(l); err != nil {
			return err
		}
		<-listing
		err := r.settle(ctx, l, t)
		listing <- struct{}{}
		return err
	})
}

// alive ends the lane's run when the source fails on one listing after the other.
func (r *laneRun) alive(l walk.Listing) error {
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

func (r *laneRun) walker() *walk.Walker {
	return &walk.Walker{
		Lister: r.lane.Source, Lane: r.lane.Lane, Window: r.Window, PageSize: r.lane.PageSize, Parallel: r.lane.InFlight,
	}
}

// settle brings the orders of one listing to the warehouse and closes the windows that it completes.
func (r *laneRun) settle(ctx context.Context, l walk.Listing, t *tally) error {
	t.listing(l)
	todo, err := r.changed(ctx, l, t)
	if err != nil {
		return err
	}
	if err := r.enrich(ctx, l, todo, t); err != nil {
		return err
	}
	return r.commits.add(schema.Batch{Rejects: r.listRejects(l, t), Windows: t.done(l)})
}

// changed finds the orders of a listing that the warehouse does not hold in this state.
func (r *laneRun) changed(ctx context.Context, l walk.Listing, t *tally) ([]schema.Order, error) {
	known, err := r.store.Known(ctx, r.lane.Lane, l.Start, l.End)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read stored orders: %w", r.lane, l.Interval, err)
	}
	if err := t.job.repair.prepare(ctx, r, l, known); err != nil {
		return nil, err
	}
	var todo []schema.Order
	for i := range l.Orders {
		o := &l.Orders[i]
		k, ok := known[o.OrderID]
		again := t.job.repair.redo(o.OrderID) || r.eager && r.open.hasLines(o.OrderID)
		if ok && k.Fingerprint == o.Fingerprint && !again {
			wait, accepted := r.open.waits(o.OrderID, r.now, r.eager)
			if k.DetailStatus == schema.DetailOK || wait {
				t.order(o, k.ItemCount, k.DetailStatus)
				if k.DetailStatus != schema.DetailOK && !accepted {
					r.sumUp(func(s *LaneSummary) { s.Pending++ })
				}
				continue
			}
		}
		// The newest fetch wins, even where the clock of this machine went back.
		o.Version = max(o.Version, k.Version+1)
		o.ItemCount = k.ItemCount
		todo = append(todo, *o)
	}
	return todo, nil
}

// enrich fetches the details of orders and hands them over as they come.
func (r *laneRun) enrich(ctx context.Context, l walk.Listing, todo []schema.Order, t *tally) error {
	if len(todo) == 0 {
		return nil
	}
	return r.details(ctx, l.Interval, todo, func(res enrich.Result) *schema.Window {
		t.detail(res)
		return t.at(res.Order.CreateTime)
	})
}

// details fetches the details of orders that were created in iv and hands the rows over. Each result is shown to its
// window first.
func (r *laneRun) details(ctx context.Context, iv window.Interval, todo []schema.Order, in func(enrich.Result) *schema.Window) error {
	ids := make([]string, len(todo))
	for i := range todo {
		ids[i] = todo[i].OrderID
	}
	// Also for orders that are not stored: a crash may have come between their items and them.
	stored, err := r.store.ItemIDs(ctx, r.lane.Lane, iv.Start, iv.End, ids)
	if err != nil {
		return fmt.Errorf("%s %s: read stored items: %w", r.lane, iv, err)
	}
	var out schema.Batch
	flush := func() error {
		b := out
		out = schema.Batch{}
		return r.commits.add(b)
	}
	e := enrich.Enricher{Detailer: r.lane.Source, Parallel: r.lane.InFlight}
	err = e.Enrich(ctx, todo, stored, func(res enrich.Result) error {
		o, w := &res.Order, in(res)
		r.progress.Details.Add(1)
		r.progress.Items.Add(int64(len(res.Items)))
		r.sumUp(func(s *LaneSummary) {
			s.Changed++
			s.Items += len(res.Items)
			if o.DetailStatus != schema.DetailOK {
				s.Pending++
			}
		})
		out.Orders = append(out.Orders, *o)
		out.Items = append(out.Items, res.Items...)
		for _, j := range res.Rejects {
			out.Rejects = r.reject(out.Rejects, j, w)
		}
		out.Rejects = append(out.Rejects, r.open.resolve(o.OrderID, res.Rejects, r.now)...)
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

// listRejects gives the rows of a listing that could not become orders, and resolves those that were there before and
// are not any more.
func (r *laneRun) listRejects(l walk.Listing, t *tally) []schema.Reject {
	var out []schema.Reject
	for _, j := range l.Rejects {
		at := j.CreateTime
		if !t.job.Contains(at) {
			at = l.Start
		}
		w := t.at(at)
		w.Listed++
		w.Rejected++
		out = r.reject(out, j, w)
	}
	if l.Verdict == schema.Complete {
		out = append(out, r.open.gone(l, r.now)...)
	}
	return out
}

// reject appends the row of a record that could not become one, if there is something new to say of it.
func (r *laneRun) reject(out []schema.Reject, j schema.Reject, w *schema.Window) []schema.Reject {
	row, write, accepted := r.open.seen(j, r.now, w.Start)
	if !accepted && j.Stage != schema.RejectDetail { // those are counted as pending
		r.sumUp(func(s *LaneSummary) { s.Rejected++ })
	}
	if write {
		out = append(out, row)
	}
	return out
}
