package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// chunk is how many orders go to the committer at once: a stop or a crash costs few calls.
const chunk = 100

// list lists the range of a job and commits its windows: what the source lists is held against what is stored, the details
// of what is new or changed are fetched, and the rows go to the committer before the ledger row of their window (I1).
func (r *streamRun) list(ctx context.Context, j job) error {
	t := newTally(r, j)
	for l, err := range r.listings(ctx, r.until(j)) {
		if err != nil {
			return err
		}
		t.listing(l)
		todo, stored, err := r.diff(ctx, &l, t)
		if err != nil {
			return err
		}
		r.progress.found.Add(int64(len(todo)))
		r.progress.listed.Add(int64(l.End.Sub(l.Start) / time.Second))
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
		r.prove(&l)
		rejects, err := r.listRejects(ctx, l, t)
		if err != nil {
			return err
		}
		if err := r.commit(schema.Batch{Rejects: rejects}); err != nil {
			return err
		}
		windows, err := t.done(ctx, l)
		if err != nil {
			return err
		}
		if err := r.commits.add(schema.Batch{Windows: windows}); err != nil {
			return err
		}
	}
	return r.end(j.claim)
}

// listings returns the listings of a range. A place among those who list is held only while it is listed, and not while
// the details of a listing are fetched.
func (r *streamRun) listings(ctx context.Context, iv window.Interval) iter.Seq2[walk.Listing, error] {
	return func(yield func(walk.Listing, error) bool) {
		if err := enter(ctx, r.listing); err != nil {
			yield(walk.Listing{}, err)
			return
		}
		defer func() { <-r.listing }()
		for l, err := range r.walker().Walk(ctx, iv) {
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
		Lister: r.stream.Source, Stream: r.stream.Stream, Window: r.window, PageSize: r.stream.PageSize, Parallel: r.stream.InFlight,
		Filters: r.stream.Filters, Ceiling: &r.memory.ceiling,
	}
}

// diff returns the orders of a listing that the warehouse does not hold in this state, and at which other places it holds
// them. It deals with those that the listing lacks.
func (r *streamRun) diff(ctx context.Context, l *walk.Listing, t *tally) ([]*schema.Order, former, error) {
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
	r.sight(l.Orders[0].OrderID)
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
	var todo []*schema.Order
	for _, o := range l.Orders {
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
		todo = append(todo, o)
	}
	return todo, stored, nil
}

// rejectsOf looks at the rejects of those listed orders that are stored and need no detail but for them.
func (r *streamRun) rejectsOf(ctx context.Context, listed []*schema.Order, known map[string]schema.Known) (*rejectView, error) {
	var ids []string
	for _, o := range listed {
		if k, ok := known[o.OrderID]; ok && (r.eager || k.DetailStatus != schema.DetailOK) {
			ids = append(ids, o.OrderID)
		}
	}
	return r.open.look(ctx, nil, ids)
}

// details returns the details of orders that were created in iv, as they come.
func (r *streamRun) details(ctx context.Context, iv window.Interval, todo []*schema.Order) iter.Seq2[enrich.Result, error] {
	return func(yield func(enrich.Result, error) bool) {
		if len(todo) == 0 {
			return
		}
		stored, err := r.itemIDs(ctx, iv, todo)
		if err != nil {
			yield(enrich.Result{}, fmt.Errorf("%s %s: read stored items: %w", r.stream, iv, err))
			return
		}
		e := enrich.Enricher{Detailer: r.stream.Source, Parallel: r.stream.InFlight}
		for d, err := range e.Enrich(ctx, todo, stored) {
			if err == nil {
				r.progress.Details.Add(1)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// rows gathers the rows of orders whose details were fetched, and hands them to the committer, a chunk at a time.
type rows struct {
	run     *streamRun
	rejects *rejectView // of these orders
	batch   schema.Batch
}

// rows begins to gather the rows of orders whose details are about to be fetched. The caller ends it.
func (r *streamRun) rows(ctx context.Context, todo []*schema.Order) (*rows, error) {
	rejects, err := r.open.look(ctx, nil, orderIDs(todo))
	return &rows{run: r, rejects: rejects}, err
}

// take takes an order with its items, where it is to be written, with tombstones for what is stored of it at other places;
// and the rejects that its detail made, or ended.
func (w *rows) take(ctx context.Context, d enrich.Result, places []time.Time, write bool) error {
	r, o := w.run, d.Order
	if write {
		orders, items, err := r.leave(ctx, o, places)
		if err != nil {
			return err
		}
		w.batch.Orders = append(append(w.batch.Orders, orders...), *o)
		w.batch.Items = append(append(w.batch.Items, items...), d.Items...)
		r.progress.Items.Add(int64(len(d.Items)))
		r.sumUp(func(s *StreamSummary) {
			s.Changed++
			s.Items += len(d.Items)
		})
		r.wrote(o.OrderID)
	}
	for _, j := range d.Rejects {
		if row, write := w.rejects.seen(j, r.now, window.At(o.CreateTime, r.window).Start); write {
			w.batch.Rejects = append(w.batch.Rejects, row)
		}
	}
	if d.Err == nil { // else nothing was learned of its lines
		w.resolve(o.OrderID, d.Rejects, schema.RejectDetail, schema.RejectItem)
	}
	if len(w.batch.Orders) < chunk {
		return nil
	}
	return w.flush()
}

// resolve ends the rejects of an order of some stages, but for those that are still true.
func (w *rows) resolve(orderID string, still []schema.Reject, stages ...string) {
	w.batch.Rejects = append(w.batch.Rejects, w.rejects.resolve(orderID, still, w.run.now, stages...)...)
}

func (w *rows) flush() error {
	b := w.batch
	w.batch = schema.Batch{}
	return w.run.commit(b)
}

// end hands over the rest: what was fetched before an error as well, which it returns.
func (w *rows) end(err error) error {
	defer w.rejects.close()
	if failed := w.flush(); err == nil {
		return failed
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
func (r *streamRun) sight(orderID string) {
	r.mu.Lock()
	r.example = orderID
	r.mu.Unlock()
}

// prove notes which orders a listing shows, as far as their rows could be read.
func (r *streamRun) prove(l *walk.Listing) {
	unread, named := l.Unread()
	if !r.proving || l.Verdict != schema.Complete || !named {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed.Add(l.Interval)
	r.unread = append(r.unread, unread...)
}

// proven returns what this run has listed completely, and the ids of the orders there whose rows could not be read.
func (r *streamRun) proven() (listed window.Set, unread []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.listed), slices.Clone(r.unread)
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
		windows := iv.Tile(r.window)
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
