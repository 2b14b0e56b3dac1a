package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// An order is (account, owner, order id), and its creation time is a property that the vendor may correct (I11). The time is
// part of the key of its row, so a corrected order has a row of before, at another place. Whoever writes an order tells
// rows where it is stored, and these write tombstones for what is at any other place in the same batch. The warehouse
// writes the tombstones first: a crash between them and the row leaves the order out for the moment, and never there twice
// (I9). That it comes back is certain (I7), because both windows are recorded as short before anything else is written;
// they are restored when all is written, or listed again by the next run.

// former is where orders are stored, by their ids.
type former map[string][]time.Time

// Leave makes the tombstones of an order, and of its items, at the places of before, and records that both windows are not
// whole until they are there and the order is at its new place.
func (mv *Moves) Leave(ctx context.Context, o *schema.Order, places []time.Time) (orders []schema.Order, items []schema.Item, err error) {
	for _, at := range places {
		if Same(at, o.CreateTime) {
			continue
		}
		if err := mv.doubt(ctx, o.OrderID, at, o.CreateTime); err != nil {
			return nil, nil, err
		}
		stored, err := mv.run.Store.ItemIDsByOrder(ctx, mv.run.Stream.Stream, at, at.Add(time.Millisecond), []string{o.OrderID})
		if err != nil {
			return nil, nil, err
		}
		// One below the version of the row: that is how the history knows a correction from an order that vanished.
		tombstone := schema.Order{
			Stream: o.Stream, OrderID: o.OrderID, CreateTime: at, FetchedAt: o.FetchedAt, Version: o.Version - 1, Deleted: true,
		}
		orders = append(orders, tombstone)
		for _, id := range stored[o.OrderID] {
			items = append(items, schema.Item{
				Stream: o.Stream, OrderID: o.OrderID, ItemID: id, CreateTime: at, FetchedAt: o.FetchedAt, Version: o.Version - 1, Deleted: true,
			})
		}
		mv.run.Log.InfoContext(ctx, "the source has corrected the creation time of an order", mv.run.Stream.LogAttr(),
			"order", o.OrderID, "before", at, "now", o.CreateTime)
	}
	return orders, items, nil
}

// relocate moves an order, which a listing has shown at another place, to there.
func (r *Run) relocate(ctx context.Context, o *schema.Order, from time.Time) error {
	o.Version = Newer(o.Version, uint64(time.Now().UnixNano()))
	todo := []*schema.Order{o}
	out, err := r.rows(ctx, todo)
	if err != nil {
		return err
	}
	for d, err := range r.details(ctx, window.Interval{Start: o.CreateTime, End: o.CreateTime.Add(time.Millisecond)}, todo) {
		if err != nil {
			return out.end(err)
		}
		r.fetched(d)
		if err := out.take(ctx, d, []time.Time{from}, true); err != nil {
			return out.end(err)
		}
	}
	return out.end(nil)
}

// listedAt asks whether an order is listed with a creation time, and returns its row. A detail alone does not move an order:
// what it says of the time is of its lines, and the listing is what windows are made of.
func (r *Run) listedAt(ctx context.Context, id string, at time.Time) (found *schema.Order, err error) {
	for l, err := range r.Walker().Walk(ctx, window.At(at, time.Second)) {
		if err != nil {
			return nil, err
		}
		r.Progress.ListCalls.Add(int64(l.Calls))
		r.Count(func(s *Outcome) { s.ListCalls += l.Calls })
		for _, o := range l.Orders {
			if o.OrderID == id {
				found = o
			}
		}
	}
	return found, nil
}

// Moves are the orders that a run has written, of which some may have been at another place before.
type Moves struct {
	run *Run

	mu      sync.Mutex
	written []string // ids of the orders that were written
	All     bool     // more were written than that

	markMu sync.Mutex
	marks  map[int64]*mark // by the window's start, in Unix seconds
}

// mark is a window in which an order came or went otherwise than by its own list.
type mark struct {
	prior   schema.Window // what the ledger said before
	digest  uint64        // of the ids that came or went
	doubted string        // what the ledger says meanwhile
}

// doubt records that an order moves from one window to another. Until that is written, both are short: whatever happens,
// they are listed again.
func (mv *Moves) doubt(ctx context.Context, id string, from, to time.Time) error {
	mv.markMu.Lock()
	defer mv.markMu.Unlock()
	if window.At(from, mv.run.Window).Contains(to) {
		return nil // its window keeps its orders; one insert into one partition, which is all or nothing
	}
	var out schema.Batch
	flushed := false
	for _, at := range []time.Time{from, to} {
		start := window.At(at, mv.run.Window).Start
		m := mv.marks[start.Unix()]
		if m == nil {
			if !flushed { // a listing of this run may have closed the window
				if err := mv.run.Commits.Flush(); err != nil {
					return err
				}
				flushed = true
			}
			ledger, err := mv.run.Store.Windows(ctx, mv.run.Stream.Stream, start, start.Add(mv.run.Window))
			if err != nil {
				return err
			}
			if len(ledger) == 0 || ledger[0].Verdict == "" {
				continue // it was never listed, or with other filters, and so it claims nothing
			}
			m = &mark{prior: ledger[0]}
			mv.marks[start.Unix()] = m
			if w := m.prior; w.Verdict == schema.Complete || w.Verdict == schema.Open {
				m.doubted = fmt.Sprintf("order %s moves from %s to %s; the next run lists this window again", id,
					from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
				w.Verdict, w.Error, w.Version, w.FinishedAt = schema.Short, m.doubted, NextVersion(w.Version), mv.run.clock()
				out.Windows = append(out.Windows, w)
			}
		}
		m.digest ^= schema.Digest(id)
	}
	if len(out.Windows) == 0 {
		return nil
	}
	if err := mv.run.Commits.Add(out); err != nil {
		return err
	}
	return mv.run.Commits.Flush()
}

// Undoubted returns the row of a window as it was before an order moved from or to it, if nobody has listed it since.
func (mv *Moves) Undoubted(w schema.Window) schema.Window {
	if m := mv.marks[w.Start.Unix()]; m != nil && m.doubted != "" && w.Error == m.doubted {
		w.Verdict, w.Error = m.prior.Verdict, m.prior.Error
	}
	return w
}

// restore restores the windows that orders moved from and to. The evidence stays what the listings saw, but for the orders
// that moved: where the stored rows are not that, the window stays short and is listed again.
func (mv *Moves) restore(ctx context.Context) error {
	mv.markMu.Lock()
	defer mv.markMu.Unlock()
	if len(mv.marks) == 0 {
		return nil
	}
	if err := mv.run.Commits.Flush(); err != nil {
		return err
	}
	for start, m := range mv.marks {
		iv := window.At(time.Unix(start, 0), mv.run.Window)
		counts, err := mv.run.Store.Counts(ctx, mv.run.Stream.Stream, mv.run.Window, iv.Start, iv.End)
		if err != nil {
			return err
		}
		err = mv.run.Correct(ctx, iv, func(w *schema.Window) { mv.restored(w, m, counts[iv.Start]) })
		if err != nil {
			return err
		}
	}
	clear(mv.marks)
	return nil
}

// restored makes the row of a window what it is after orders moved from or to it; c is what is stored of it.
func (mv *Moves) restored(w *schema.Window, m *mark, c schema.Window) {
	before := *w
	*w = mv.Undoubted(*w)
	switch c.IDDigest {
	case w.IDDigest, w.IDDigest ^ m.digest:
		w.Listed = uint32(max(0, int64(w.Listed)+int64(c.Stored)-int64(w.Stored)))
		w.Stored, w.Items, w.Pending, w.IDDigest = c.Stored, c.Items, c.Pending, c.IDDigest
		if before.Stored == 0 && w.Stored > 0 {
			w.DetailedAt = mv.run.Now // the detail of an order that moves is fetched
		}
	default:
		w.Verdict, w.Error = schema.Short, "after an order moved, the stored orders are not those that were listed"
	}
	if w.Verdict == schema.Short && before.Verdict != schema.Short || w.Verdict == schema.Short && m.doubted != "" && before.Error == m.doubted {
		mv.run.Count(func(s *Outcome) { s.Waiting++ })
	}
}

// mostWritten is how many ids of written orders a run remembers; if there are more, all are looked at.
const mostWritten = 10_000

// wrote remembers an order that this run has written.
func (mv *Moves) wrote(id string) {
	mv.mu.Lock()
	defer mv.mu.Unlock()
	if len(mv.written) < mostWritten {
		mv.written = append(mv.written, strings.Clone(id)) // it is a part of the answer, all of which it would keep
	} else {
		mv.All = true
	}
}

// unite makes one row of each order that this run has written twice: it was moved while it was listed here and there, or
// somebody else wrote at the same time. The newest word of the source counts.
func (mv *Moves) unite(ctx context.Context) error {
	mv.mu.Lock()
	ids, all := mv.written, mv.All
	mv.written, mv.All = nil, false
	mv.mu.Unlock()
	if len(ids) == 0 && !all {
		return nil
	}
	if err := mv.run.Commits.Flush(); err != nil {
		return err
	}
	if all {
		var err error
		if ids, err = mv.run.Store.Doubled(ctx, mv.run.Stream.Stream); err != nil {
			return err
		}
	}
	stored, err := mv.run.Store.Places(ctx, mv.run.Stream.Account, ids)
	if err != nil {
		return err
	}
	stored = slices.DeleteFunc(stored, func(p schema.Place) bool { return p.OwnerID != mv.run.Stream.OwnerID })
	newest := map[string]schema.Place{}
	places := former{}
	for _, p := range stored { // the newest of an order comes last
		newest[p.OrderID] = p
		places[p.OrderID] = append(places[p.OrderID], p.CreateTime)
	}
	var out schema.Batch
	for id, p := range newest {
		o := schema.Order{Stream: mv.run.Stream.Stream, OrderID: id, CreateTime: p.CreateTime, Version: p.Version, FetchedAt: mv.run.clock()}
		orders, items, err := mv.Leave(ctx, &o, places[id])
		if err != nil {
			return err
		}
		out.Orders, out.Items = append(out.Orders, orders...), append(out.Items, items...)
	}
	return mv.run.Commits.Add(out)
}
