package stream

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/window"
)

// chunk is how many orders go to the committer at once: a stop or a crash costs few calls, and as each of the listings
// under way holds so many, hundreds of them take little memory.
const chunk = 20

// lookUp is how many stored orders are read at once, where they are named: a query costs the warehouse more than its rows.
const lookUp = 100

// rows gathers the rows of orders whose details were fetched, and hands them to the committer, a chunk at a time.
type rows struct {
	run     *Run
	rejects *RejectView // of these orders
	batch   schema.Batch
}

// rows begins to gather the rows of orders whose details are about to be fetched. The caller ends it.
func (r *Run) rows(ctx context.Context, todo []*schema.Order) (*rows, error) {
	rejects, err := r.Rejects.Look(ctx, nil, OrderIDs(todo))
	return &rows{run: r, rejects: rejects}, err
}

// take takes an order with its items, where it is to be written, with tombstones for what is stored of it at other places;
// and the rejects that its detail made, or ended.
func (w *rows) take(ctx context.Context, d enrich.Result, places []time.Time, write bool) error {
	r, o := w.run, d.Order
	if write {
		orders, items, err := r.Moves.Leave(ctx, o, places)
		if err != nil {
			return err
		}
		w.batch.Orders = append(append(w.batch.Orders, orders...), *o)
		w.batch.Items = append(append(w.batch.Items, items...), d.Items...)
		r.Progress.Items.Add(int64(len(d.Items)))
		r.Count(func(s *Outcome) {
			s.Changed++
			s.Items += len(d.Items)
		})
		r.Moves.wrote(o.OrderID)
	}
	for _, j := range d.Rejects {
		if row, write := w.rejects.seen(j, r.Now, window.At(o.CreateTime, r.Window).Start); write {
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
	w.batch.Rejects = append(w.batch.Rejects, w.rejects.resolve(orderID, still, w.run.Now, stages...)...)
}

func (w *rows) flush() error {
	b := w.batch
	w.batch = schema.Batch{}
	return w.run.Commit(b)
}

// end hands over the rest: what was fetched before an error as well, which it returns.
func (w *rows) end(err error) error {
	defer w.rejects.Close()
	if failed := w.flush(); err == nil {
		return failed
	}
	return err
}
