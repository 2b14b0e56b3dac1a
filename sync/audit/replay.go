package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// Replay makes the rows of [from, to) again from their raw payloads, and rows of the rejects that can be decoded by now,
// with no call to the vendor. Rows that come out as they are stored are not written, nor are those whose payload cannot be
// decoded any more: they stay as they are. An order that was a reject has no items yet: its detail is fetched by the next
// scheduled run. The ledger follows, so that it agrees with the rows afterwards; a verdict gets no better by it, since nothing was
// listed.
func (a *Audit) Replay(ctx context.Context, now, from, to time.Time, p *stream.Progress) (stream.Summary, error) {
	iv := window.Interval{Start: from, End: to}.Until(now).Align(a.window)
	return a.runs.Run(ctx, now, p, func(ctx context.Context, r *stream.Run) error {
		r.Limit(iv)
		if r.Stream.Decoder == nil {
			return nil
		}
		y := &replay{run: r, warehouse: a.store, changes: map[int64]*change{}}
		if err := y.rejects(ctx, iv); err != nil {
			return err
		}
		parts := window.Ranges(iv.Tile(r.Window))
		r.Progress.Plan(len(parts))
		for _, part := range parts {
			if err := y.rows(ctx, part); err != nil {
				return err
			}
			r.Progress.Done.Add(1)
		}
		return y.finish(ctx)
	})
}

// replay is Replay on one stream.
type replay struct {
	run       *stream.Run
	warehouse Store
	changes   map[int64]*change // by the window's start, in Unix seconds
	resolved  []schema.Reject   // that are to be written when the ledger is
}

// change is what a replay makes of a window.
type change struct {
	digest uint64 // of the ids that came or went
	listed int    // records that the listing showed elsewhere, as is known by now
}

// change returns the change of the window of a time.
func (a *replay) change(at time.Time) *change {
	start := window.At(at, a.run.Window).Start.Unix()
	if a.changes[start] == nil {
		a.changes[start] = new(change)
	}
	return a.changes[start]
}

// rejects tries to decode the listed rows that could not become orders, some at a time, wherever they were met.
func (a *replay) rejects(ctx context.Context, iv window.Interval) error {
	var some []schema.Reject
	decode := func(least int) error {
		if len(some) < least {
			return nil
		}
		err := a.decode(ctx, iv, some)
		some = nil
		if err != nil {
			return err
		}
		return a.finish(ctx)
	}
	for _, start := range a.run.Rejects.WithList() {
		for page, err := range a.run.Rejects.Pages(ctx, window.At(start, a.run.Window), true, schema.RejectList) {
			if err != nil {
				return err
			}
			some = append(some, page...)
			if err := decode(stream.RejectPage); err != nil {
				return err
			}
		}
	}
	return decode(1)
}

// decode makes orders of rejects.
func (a *replay) decode(ctx context.Context, iv window.Interval, rejects []schema.Reject) error {
	decoded := map[string]schema.Reject{}
	orders := map[string]schema.Order{}
	for _, j := range rejects {
		if j.Reason == walk.Outside || j.Reason == stream.OtherOwner {
			continue // it could be read, and has no place where it was listed: only another listing helps
		}
		o, reject := a.run.Stream.Decoder.Order(a.run.Stream.Stream, j.Raw)
		if reject != nil || !iv.Contains(o.CreateTime) || !a.run.Stream.Filters.Match(&o) {
			continue
		}
		o.DetailStatus, o.Version, o.FetchedAt = schema.DetailPending, j.Version, j.LastSeen
		decoded[o.OrderID], orders[o.OrderID] = j, o
	}
	if len(orders) == 0 {
		return nil
	}
	stored, err := a.run.Store.Places(ctx, a.run.Stream.Account, slices.Collect(maps.Keys(orders)))
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, p := range stored {
		o, ok := orders[p.OrderID]
		switch here := stream.Same(p.CreateTime, o.CreateTime); {
		case !ok:
		case p.OwnerID == a.run.Stream.OwnerID && !here, p.OwnerID != a.run.Stream.OwnerID && here:
			// The source has corrected its time, or another owner has it: the run that lists it knows what to do.
			delete(orders, p.OrderID)
		case here: // an earlier row of it is stored, with its items, which stay until the detail is there
			o.ItemCount, o.Version = p.ItemCount, stream.Newer(o.Version, p.Version)
			orders[p.OrderID], held[p.OrderID] = o, true
		}
	}
	var out schema.Batch
	for id, o := range orders {
		j := decoded[id]
		out.Orders = append(out.Orders, o)
		a.resolved = append(a.resolved, a.run.Rejects.Drop(j, a.run.Now))
		a.run.Count(func(s *stream.Outcome) { s.Changed++; s.Pending++ })
		to := a.change(o.CreateTime)
		if held[id] { // and counted
			continue
		}
		to.digest ^= schema.Digest(id)
		if from := a.change(j.WindowStart); from != to { // it was counted with another window, for want of its time
			from.listed--
			to.listed++
		}
	}
	return a.run.Commits.Add(out)
}

// rows makes the rows of a range again.
func (a *replay) rows(ctx context.Context, part window.Interval) error {
	var out schema.Batch
	for b, err := range rebuild(ctx, a.warehouse, a.run, part) {
		if err != nil {
			return err
		}
		b.make(a.run, true)
		if b.unreadable {
			a.run.Log.WarnContext(ctx, "the stored payload cannot be decoded any more; the row stays as it is", a.run.Stream.LogAttr(),
				"order", b.stored.Order.OrderID, "why", b.note)
			continue
		}
		if !b.differs() {
			continue
		}
		orders, items, err := a.run.Moves.Leave(ctx, &b.order, []time.Time{b.stored.Order.CreateTime}) // its time may be read better
		if err != nil {
			return err
		}
		out.Orders = append(append(out.Orders, orders...), b.order)
		out.Items = append(append(append(out.Items, items...), b.items...), b.lost()...)
		a.run.Count(func(s *stream.Outcome) { s.Changed++; s.Items += len(b.items) })
		for _, j := range b.lines {
			if !slices.ContainsFunc(b.rejects, func(still schema.Reject) bool { return still.ID == j.ID }) {
				a.resolved = append(a.resolved, a.run.Rejects.Drop(j, a.run.Now))
			}
		}
		if from, to := a.change(b.stored.Order.CreateTime), a.change(b.order.CreateTime); from != to {
			from.digest ^= schema.Digest(b.order.OrderID)
			to.digest ^= schema.Digest(b.order.OrderID)
			from.listed--
			to.listed++
		}
	}
	return a.run.Commits.Add(out)
}

// finish makes the ledger follow, and then resolves the rejects: a replay that is killed in between finds them again. The
// evidence of a window stays what its listing saw, but for the orders that came or went here; where the stored rows are not
// that, they have not been before, and the ledger goes on saying so.
func (a *replay) finish(ctx context.Context) error {
	if err := a.run.Commits.Flush(); err != nil {
		return err
	}
	var windows []window.Interval
	for start := range a.changes {
		windows = append(windows, window.At(time.Unix(start, 0), a.run.Window))
	}
	slices.SortFunc(windows, stream.Earliest)
	rejects, err := a.run.Rejects.Sums(ctx, stream.Starts(windows)...)
	if err != nil {
		return err
	}
	held, err := a.run.Rejects.Held(ctx, rejects)
	if err != nil {
		return err
	}
	for _, j := range a.resolved { // the warehouse is not told yet
		at := window.At(j.WindowStart, a.run.Window).Start.Unix()
		if w, ok := rejects[at]; ok {
			if j.Stage == schema.RejectList {
				w.List--
				held[at]-- // its order is stored by now
			} else {
				w.Item--
			}
			rejects[at] = w
		}
	}
	for _, part := range window.Ranges(windows) {
		counts, err := a.run.Store.Counts(ctx, a.run.Stream.Stream, a.run.Window, part.Start, part.End)
		if err != nil {
			return err
		}
		err = a.run.Correct(ctx, part, func(w *schema.Window) {
			x := a.changes[w.Start.Unix()]
			if x == nil {
				return
			}
			*w = a.run.Moves.Undoubted(*w)
			c, j := counts[w.Start.UTC()], rejects[w.Start.Unix()]
			w.Items, w.Pending, w.Rejected = c.Items, c.Pending, uint32(j.List+j.Item)
			if c.IDDigest == w.IDDigest^x.digest || c.IDDigest == w.IDDigest {
				w.Stored, w.IDDigest = c.Stored, c.IDDigest
			}
			if x.digest != 0 || x.listed != 0 {
				records := int(w.Stored) + j.List - held[w.Start.Unix()]
				if int(w.Listed)+x.listed == records {
					w.Listed = uint32(records)
				}
				if w.Verdict == schema.Complete && int(w.Listed) != records {
					w.Verdict = schema.Short
					w.Error = fmt.Sprintf("after a replay its orders and rejects are %d, and %d were listed", records, w.Listed)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	if err := a.run.Commits.Flush(); err != nil {
		return err
	}
	resolved := a.resolved
	a.resolved = nil
	clear(a.changes)
	return a.run.Commit(schema.Batch{Rejects: resolved})
}
