package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// An order is (account, owner, order id), and its creation time is a property that the vendor may correct (I11). The time is
// part of the key of its row, so a corrected order has a row of before, at another place. Whoever writes an order tells
// details where it is stored, and details gives what is at any other place tombstones in the same batch. The warehouse
// writes the tombstones first: a crash between them and the row leaves the order out for the moment, and never there twice
// (I9). That it comes back is certain (I7), because both windows are recorded as short before anything else is written;
// they are restored when all is written, or walked again by the next run.

// same reports whether two times are the same place: the precision of the column.
func same(a, b time.Time) bool { return a.UnixMilli() == b.UnixMilli() }

// former is where orders are stored, by their ids.
type former map[string][]time.Time

// otherOwner is the reason of a reject of an order that is stored for another owner. The key of a row has no owner: two rows
// with the same id and creation time would take turns.
const otherOwner = "other_owner"

// elsewhere looks up the listed orders that are not stored within the listing's interval, and adds those that are stored
// at another place to what is known. An order that another owner has at this very place is made a reject.
func (r *streamRun) elsewhere(ctx context.Context, l *walk.Listing, known map[string]schema.Known) error {
	if none, err := r.nothingStored(ctx); none || err != nil {
		return err
	}
	var ids []string
	for _, o := range l.Orders {
		if _, ok := known[o.OrderID]; !ok {
			ids = append(ids, o.OrderID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	stored, err := r.store.Places(ctx, r.stream.Account, ids)
	if err != nil {
		return err
	}
	others := map[string]schema.Place{}
	for _, p := range stored {
		if p.OwnerID != r.stream.OwnerID {
			others[p.OrderID] = p
			continue
		}
		known[p.OrderID] = p.Known
	}
	l.Orders = slices.DeleteFunc(l.Orders, func(o *schema.Order) bool {
		if _, own := known[o.OrderID]; own {
			return false
		}
		p, ok := others[o.OrderID]
		if !ok || !same(p.CreateTime, o.CreateTime) {
			if !r.siblings {
				return false
			}
			if p.OwnerID = r.owners.take(o); p.OwnerID == r.stream.OwnerID {
				return false
			}
		}
		l.Rejects = append(l.Rejects, schema.Reject{
			Stream: o.Stream, ID: "owner-" + o.OrderID, Stage: schema.RejectList, OrderID: o.OrderID, CreateTime: o.CreateTime, Reason: otherOwner,
			Message: fmt.Sprintf("an order with this id and creation time is stored for %s; the warehouse cannot hold both: sync it for one of them only",
				schema.Stream{Account: r.stream.Account, OwnerID: p.OwnerID}),
			Raw: o.Raw,
		})
		return true
	})
	return nil
}

// owners are the new orders of a run by the owner that listed them first. Two owners of an account are listed at the same
// time, and what one of them is about to write the other does not find in the warehouse yet.
type owners struct {
	mu    sync.Mutex
	owner map[uint64]string // by the digest of account, order id and creation time
}

// take claims an order's place for its owner, and returns whose it is.
func (c *owners) take(o *schema.Order) string {
	key := schema.Digest(fmt.Sprintf("%s\x00%s\x00%d", o.Account, o.OrderID, o.CreateTime.UnixMilli()))
	c.mu.Lock()
	defer c.mu.Unlock()
	if owner, taken := c.owner[key]; taken {
		return owner
	}
	if c.owner == nil {
		c.owner = map[uint64]string{}
	}
	c.owner[key] = o.OwnerID
	return o.OwnerID
}

// nothingStored reports whether the account had no order at all when this run first asked, so that whatever is stored is of
// this run: then no listed order need be looked up, and [streamRun.single] looks once, at the end. Where an account has
// several streams they see each other's.
func (r *streamRun) nothingStored(ctx context.Context) (bool, error) {
	if !r.eager || r.siblings {
		return false, nil
	}
	r.emptyOnce.Do(func() {
		var found bool
		found, r.emptyErr = r.store.HasOrders(ctx, r.stream.Account)
		r.empty = !found
	})
	return r.empty, r.emptyErr
}

// leave makes the tombstones of an order, and of its items, at the places of before, and records that both windows are not
// whole until they are there and the order is at its new place.
func (r *streamRun) leave(ctx context.Context, o *schema.Order, places []time.Time) (orders []schema.Order, items []schema.Item, err error) {
	for _, at := range places {
		if same(at, o.CreateTime) {
			continue
		}
		if err := r.doubt(ctx, o.OrderID, at, o.CreateTime); err != nil {
			return nil, nil, err
		}
		stored, err := r.store.ItemIDsByOrder(ctx, r.stream.Stream, at, at.Add(time.Millisecond), []string{o.OrderID})
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
		r.log.InfoContext(ctx, "the source has corrected the creation time of an order", r.stream.LogAttr(),
			"order", o.OrderID, "before", at, "now", o.CreateTime)
	}
	return orders, items, nil
}

// newer is the version of a row of an order of which one with this version is stored, wherever. The one between them is
// for a tombstone.
func newer(fetched, stored uint64) uint64 { return max(fetched, stored+2) }

// relocate moves an order, which a listing has shown at another place, to there.
func (r *streamRun) relocate(ctx context.Context, o *schema.Order, from time.Time) error {
	o.Version = newer(o.Version, uint64(time.Now().UnixNano()))
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
func (r *streamRun) listedAt(ctx context.Context, id string, at time.Time) (found *schema.Order, err error) {
	for l, err := range r.walker().Walk(ctx, window.At(at, time.Second)) {
		if err != nil {
			return nil, err
		}
		r.progress.ListCalls.Add(int64(l.Calls))
		r.sumUp(func(s *StreamSummary) { s.ListCalls += l.Calls })
		for _, o := range l.Orders {
			if o.OrderID == id {
				found = o
			}
		}
	}
	return found, nil
}

// mark is a window in which an order came or went otherwise than by its own walk.
type mark struct {
	prior   schema.Window // what the ledger said before
	digest  uint64        // of the ids that came or went
	doubted string        // what the ledger says meanwhile
}

// doubt records that an order moves from one window to another. Until that is written, both are short: whatever happens,
// they are walked again.
func (r *streamRun) doubt(ctx context.Context, id string, from, to time.Time) error {
	r.markMu.Lock()
	defer r.markMu.Unlock()
	if window.At(from, r.window).Contains(to) {
		return nil // its window keeps its orders; one insert into one partition, which is all or nothing
	}
	var out schema.Batch
	flushed := false
	for _, at := range []time.Time{from, to} {
		start := window.At(at, r.window).Start
		m := r.marks[start.Unix()]
		if m == nil {
			if !flushed { // a walk of this run may have closed the window
				if err := r.commits.flush(); err != nil {
					return err
				}
				flushed = true
			}
			ledger, err := r.store.Windows(ctx, r.stream.Stream, start, start.Add(r.window))
			if err != nil {
				return err
			}
			if len(ledger) == 0 || ledger[0].Verdict == "" {
				continue // it was never walked, or with other filters, and so it claims nothing
			}
			m = &mark{prior: ledger[0]}
			r.marks[start.Unix()] = m
			if w := m.prior; w.Verdict == schema.Complete || w.Verdict == schema.Open {
				m.doubted = fmt.Sprintf("order %s moves from %s to %s; the next run walks this window again", id,
					from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
				w.Verdict, w.Error, w.Version, w.FinishedAt = schema.Short, m.doubted, nextVersion(w.Version), r.clock()
				out.Windows = append(out.Windows, w)
			}
		}
		m.digest ^= schema.Digest(id)
	}
	if len(out.Windows) == 0 {
		return nil
	}
	if err := r.commits.add(out); err != nil {
		return err
	}
	return r.commits.flush()
}

// undoubted returns the row of a window as it was before an order moved from or to it, if nobody has walked it since.
func (r *streamRun) undoubted(w schema.Window) schema.Window {
	if m := r.marks[w.Start.Unix()]; m != nil && m.doubted != "" && w.Error == m.doubted {
		w.Verdict, w.Error = m.prior.Verdict, m.prior.Error
	}
	return w
}

// settleMarks restores the windows that orders moved from and to. The evidence stays what the walks saw, but for the orders
// that moved: where the stored rows are not that, the window stays short and is walked again.
func (r *streamRun) settleMarks(ctx context.Context) error {
	r.markMu.Lock()
	defer r.markMu.Unlock()
	if len(r.marks) == 0 {
		return nil
	}
	if err := r.commits.flush(); err != nil {
		return err
	}
	var out schema.Batch
	for start, m := range r.marks {
		from := time.Unix(start, 0).UTC()
		to := from.Add(r.window)
		ledger, err := r.store.Windows(ctx, r.stream.Stream, from, to)
		if err != nil {
			return err
		}
		counts, err := r.store.Counts(ctx, r.stream.Stream, r.window, from, to)
		if err != nil {
			return err
		}
		if len(ledger) == 0 || ledger[0].Verdict == "" {
			continue
		}
		w, c := ledger[0], counts[from]
		before := w
		w = r.undoubted(w)
		switch c.IDDigest {
		case w.IDDigest, w.IDDigest ^ m.digest:
			w.Listed = uint32(max(0, int64(w.Listed)+int64(c.Stored)-int64(w.Stored)))
			w.Stored, w.Items, w.Pending, w.IDDigest = c.Stored, c.Items, c.Pending, c.IDDigest
		default:
			w.Verdict, w.Error = schema.Short, "after an order moved, the stored orders are not those of the walk"
		}
		if w.Verdict == schema.Short && before.Verdict != schema.Short || w.Verdict == schema.Short && m.doubted != "" && before.Error == m.doubted {
			r.sumUp(func(s *StreamSummary) { s.Waiting++ })
		}
		if w != before {
			w.Version = nextVersion(w.Version)
			out.Windows = append(out.Windows, w)
		}
	}
	clear(r.marks)
	return r.commits.add(out)
}

// mostWritten is how many ids of written orders a run remembers; if there are more, all are looked at.
const mostWritten = 10_000

// wrote remembers an order that this run has written.
func (r *streamRun) wrote(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.written) < mostWritten {
		r.written = append(r.written, id)
	} else {
		r.searchAll = true
	}
}

// single makes one row of each order that this run has written twice: it was moved while it was listed here and there, or
// somebody else wrote at the same time. The newest word of the source counts.
func (r *streamRun) single(ctx context.Context) error {
	r.mu.Lock()
	ids, all := r.written, r.searchAll
	r.written, r.searchAll = nil, false
	r.mu.Unlock()
	if len(ids) == 0 && !all {
		return nil
	}
	if err := r.commits.flush(); err != nil {
		return err
	}
	if all {
		var err error
		if ids, err = r.store.Doubled(ctx, r.stream.Stream); err != nil {
			return err
		}
	}
	stored, err := r.store.Places(ctx, r.stream.Account, ids)
	if err != nil {
		return err
	}
	stored = slices.DeleteFunc(stored, func(p schema.Place) bool { return p.OwnerID != r.stream.OwnerID })
	newest := map[string]schema.Place{}
	places := former{}
	for _, p := range stored { // the newest of an order comes last
		newest[p.OrderID] = p
		places[p.OrderID] = append(places[p.OrderID], p.CreateTime)
	}
	var out schema.Batch
	for id, p := range newest {
		o := schema.Order{Stream: r.stream.Stream, OrderID: id, CreateTime: p.CreateTime, Version: p.Version, FetchedAt: time.Now().UTC()}
		orders, items, err := r.leave(ctx, &o, places[id])
		if err != nil {
			return err
		}
		out.Orders, out.Items = append(out.Orders, orders...), append(out.Items, items...)
	}
	return r.commits.add(out)
}
