package engine

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// Replay makes the rows of [from, to) again from their raw payloads, and rows of the rejects that can be decoded by now,
// with no call to the vendor. Rows that come out as they are stored are not written, nor are those whose payload cannot be
// decoded any more: they stay as they are. An order that was a reject has no items yet: its detail is fetched by the next
// tick. The ledger follows, so that it agrees with the rows afterwards; a verdict gets no better by it, since nothing was
// listed.
func (a *Audit) Replay(ctx context.Context, now, from, to time.Time, p *Progress) (Summary, error) {
	iv := window.Interval{Start: from, End: to}
	iv = iv.Clip(window.Interval{Start: from, End: now}).Align(a.window)
	return a.runs.Run(ctx, now, p, func(ctx context.Context, r *streamRun) error {
		r.limit(iv)
		if r.stream.Decoder == nil {
			return nil
		}
		y := &replay{streamRun: r, warehouse: a.store, changes: map[int64]*change{}}
		if err := y.rejects(ctx, iv); err != nil {
			return err
		}
		spans := window.Ranges(iv.Tile(r.window))
		r.progress.plan(len(spans))
		for _, span := range spans {
			if err := y.rows(ctx, span); err != nil {
				return err
			}
			r.progress.Done.Add(1)
		}
		return y.settle(ctx)
	})
}

// replay is Replay on one stream.
type replay struct {
	*streamRun
	warehouse auditStore
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
	start := window.At(at, a.window).Start.Unix()
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
		return a.settle(ctx)
	}
	for _, start := range a.open.withList() {
		window := window.Interval{Start: start, End: start.Add(a.window)}
		err := a.open.pages(ctx, window, true, func(page []schema.Reject) (bool, error) {
			some = append(some, page...)
			return true, decode(rejectPage)
		}, schema.RejectList)
		if err != nil {
			return err
		}
	}
	return decode(1)
}

// decode makes orders of rejects.
func (a *replay) decode(ctx context.Context, iv window.Interval, rejects []schema.Reject) error {
	decoded := map[string]schema.Reject{}
	orders := map[string]schema.Order{}
	for _, j := range rejects {
		if j.Reason == walk.Outside || j.Reason == otherOwner {
			continue // it could be read, and has no place where it was listed: only another listing helps
		}
		o, reject := a.stream.Decoder.Order(a.stream.Stream, j.Raw)
		if reject != nil || !iv.Contains(o.CreateTime) || !a.stream.Filters.Match(&o) {
			continue
		}
		o.DetailStatus, o.Version, o.FetchedAt = schema.DetailPending, j.Version, j.LastSeen
		decoded[o.OrderID], orders[o.OrderID] = j, o
	}
	if len(orders) == 0 {
		return nil
	}
	stored, err := a.store.Places(ctx, a.stream.Account, slices.Collect(maps.Keys(orders)))
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, p := range stored {
		o, ok := orders[p.OrderID]
		switch here := same(p.CreateTime, o.CreateTime); {
		case !ok:
		case p.OwnerID == a.stream.OwnerID && !here, p.OwnerID != a.stream.OwnerID && here:
			// The source has corrected its time, or another owner has it: the walk that lists it knows what to do.
			delete(orders, p.OrderID)
		case here: // an earlier row of it is stored, with its items, which stay until the detail is there
			o.ItemCount, o.Version = p.ItemCount, newer(o.Version, p.Version)
			orders[p.OrderID], held[p.OrderID] = o, true
		}
	}
	var out schema.Batch
	for id, o := range orders {
		j := decoded[id]
		out.Orders = append(out.Orders, o)
		a.resolved = append(a.resolved, a.open.drop(j, a.now))
		a.sumUp(func(s *StreamSummary) { s.Changed++; s.Pending++ })
		to := a.change(o.CreateTime)
		if !held[id] {
			to.digest ^= schema.Digest(id)
		}
		if from := a.change(j.WindowStart); from != to { // it was counted with another window, for want of its time
			from.listed--
			to.listed++
		}
	}
	return a.commits.add(out)
}

// rows makes the rows of a span again.
func (a *replay) rows(ctx context.Context, span window.Interval) error {
	var out schema.Batch
	for b, err := range rebuild(ctx, a.warehouse, a.streamRun, span) {
		if err != nil {
			return err
		}
		b.make(a.streamRun, true)
		if b.unreadable {
			a.log.WarnContext(ctx, "the stored payload cannot be decoded any more; the row stays as it is", a.stream.LogAttr(),
				"order", b.stored.Order.OrderID, "why", b.note)
			continue
		}
		if !b.differs() {
			continue
		}
		orders, items, err := a.leave(ctx, &b.order, []time.Time{b.stored.Order.CreateTime}) // its time may be read better
		if err != nil {
			return err
		}
		out.Orders = append(append(out.Orders, orders...), b.order)
		out.Items = append(append(append(out.Items, items...), b.items...), b.lost()...)
		a.sumUp(func(s *StreamSummary) { s.Changed++; s.Items += len(b.items) })
		for _, j := range b.lines {
			if !slices.ContainsFunc(b.rejects, func(still schema.Reject) bool { return still.ID == j.ID }) {
				a.resolved = append(a.resolved, a.open.drop(j, a.now))
			}
		}
		if from, to := a.change(b.stored.Order.CreateTime), a.change(b.order.CreateTime); from != to {
			from.digest ^= schema.Digest(b.order.OrderID)
			to.digest ^= schema.Digest(b.order.OrderID)
			from.listed--
			to.listed++
		}
	}
	return a.commits.add(out)
}

// settle makes the ledger follow, and then resolves the rejects: a replay that is killed in between finds them again. The
// evidence of a window stays what its walk saw, but for the orders that came or went here; where the stored rows are not
// that, they have not been before, and the ledger goes on saying so.
func (a *replay) settle(ctx context.Context) error {
	if err := a.commits.flush(); err != nil {
		return err
	}
	var windows []window.Interval
	for start := range a.changes {
		windows = append(windows, window.At(time.Unix(start, 0), a.window))
	}
	slices.SortFunc(windows, earliest)
	starts := make([]time.Time, len(windows))
	for i, w := range windows {
		starts[i] = w.Start
	}
	rejects, err := a.open.sums(ctx, starts...)
	if err != nil {
		return err
	}
	for _, j := range a.resolved { // the warehouse is not told yet
		at := window.At(j.WindowStart, a.window).Start.Unix()
		if w, ok := rejects[at]; ok {
			if j.Stage == schema.RejectList {
				w.List--
			} else {
				w.Item--
			}
			rejects[at] = w
		}
	}
	for _, span := range window.Ranges(windows) {
		ledger, err := a.store.Windows(ctx, a.stream.Stream, span.Start, span.End)
		if err != nil {
			return err
		}
		counts, err := a.store.Counts(ctx, a.stream.Stream, a.window, span.Start, span.End)
		if err != nil {
			return err
		}
		var out schema.Batch
		for _, w := range ledger {
			x := a.changes[w.Start.Unix()]
			if x == nil || w.Verdict == "" { // listed with other filters: it proves nothing that could follow
				continue
			}
			before, c := w, counts[w.Start.UTC()]
			w = a.undoubted(w)
			j := rejects[w.Start.Unix()]
			w.Items, w.Pending, w.Rejected = c.Items, c.Pending, uint32(j.List+j.Item)
			if c.IDDigest == w.IDDigest^x.digest || c.IDDigest == w.IDDigest {
				w.Stored, w.IDDigest = c.Stored, c.IDDigest
			}
			if x.digest != 0 || x.listed != 0 {
				records := int(w.Stored) + j.List
				if int(w.Listed)+x.listed == records {
					w.Listed = uint32(records)
				}
				if w.Verdict == schema.Complete && int(w.Listed) != records {
					w.Verdict = schema.Short
					w.Error = fmt.Sprintf("after a replay there are %d orders and rejects, and %d records were listed", records, w.Listed)
				}
			}
			if w != before {
				w.Version = nextVersion(w.Version)
				out.Windows = append(out.Windows, w)
			}
		}
		if err := a.commits.add(out); err != nil {
			return err
		}
	}
	if err := a.commits.flush(); err != nil {
		return err
	}
	resolved := a.resolved
	a.resolved = nil
	clear(a.changes)
	return a.commit(schema.Batch{Rejects: resolved})
}

// rebuilt is a stored order with its items, and the same made again from its payloads or from a new answer.
type rebuilt struct {
	order  schema.Order
	items  []schema.Item
	stored *StoredOrder
	note   string // in what they differ

	lines      []schema.Reject // lines that were rejected before
	rejects    []schema.Reject // lines that are not items
	unreadable bool            // a stored payload cannot be decoded; order and items are as they are stored
}

func (b *rebuilt) differs() bool { return b.note != "" }

// rebuild returns the stored orders of a range, to be made again from their payloads.
func rebuild(ctx context.Context, store auditStore, r *streamRun, iv window.Interval) iter.Seq2[*rebuilt, error] {
	return func(yield func(*rebuilt, error) bool) {
		orders, err := store.Orders(ctx, r.stream.Stream, iv.Start, iv.End)
		if err != nil {
			yield(nil, err)
			return
		}
		if len(orders) == 0 {
			return
		}
		stored, err := storedIn(ctx, store, r, iv, orders)
		if err != nil {
			yield(nil, err)
			return
		}
		lines, err := r.open.payloads(ctx, iv, schema.RejectItem)
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range orders {
			id := orders[i].OrderID
			if !yield(&rebuilt{stored: stored[id], lines: lines[id]}, nil) {
				return
			}
		}
	}
}

// make makes the order again. With lines, those that were rejected are tried as well.
func (b *rebuilt) make(r *streamRun, lines bool) {
	stored := &b.stored.Order
	version := stored.Version
	for i := range b.stored.Items {
		version = max(version, b.stored.Items[i].Version)
	}
	var detail source.Detail
	if stored.DetailStatus == schema.DetailOK {
		raws := make([]string, len(b.stored.Items))
		for i := range b.stored.Items {
			raws[i] = b.stored.Items[i].Raw
		}
		detail = r.stream.Decoder.Detail(stored.Stream, stored.OrderID, stored.RawDetail, raws)
		for _, j := range detail.Rejects {
			if !slices.ContainsFunc(b.lines, func(k schema.Reject) bool { return k.ID == j.ID }) {
				b.unreadable, b.order, b.items = true, *stored, b.stored.Items
				b.note = "the raw payload of an item cannot be decoded: " + j.Message
				return
			}
		}
		if lines {
			for _, j := range b.lines {
				if j.Raw != stored.RawDetail { // else it is the part about the order as a whole, which is there already
					raws = append(raws, j.Raw)
				}
			}
			if len(raws) > len(b.stored.Items) {
				detail = r.stream.Decoder.Detail(stored.Stream, stored.OrderID, stored.RawDetail, raws)
			}
		}
		b.rejects = detail.Rejects
	}
	o := *stored
	if stored.Raw != "" {
		again, reject := r.stream.Decoder.Order(stored.Stream, stored.Raw)
		if reject != nil {
			b.unreadable, b.order, b.items = true, *stored, b.stored.Items
			b.note = "the raw payload cannot be decoded: " + reject.Message
			return
		}
		o = again
	} else if detail.Order != nil { // it was fetched by its id, and no listing has shown it yet
		o = *detail.Order
	}
	o.DetailStatus, o.ItemCount, o.RawDetail, o.FetchedAt = stored.DetailStatus, stored.ItemCount, stored.RawDetail, stored.FetchedAt
	if stored.Fingerprint == 0 {
		o.Fingerprint = 0
	}
	b.items = slices.Clone(b.stored.Items)
	if stored.DetailStatus == schema.DetailOK {
		b.items = enrich.Apply(&o, detail)
	}
	b.order = o
	b.note = b.stored.Differs(&b.order, b.items)
	b.order.Version = newer(0, version)
	for i := range b.items {
		b.items[i].Version, b.items[i].FetchedAt, b.items[i].CreateTime = b.order.Version, o.FetchedAt, o.CreateTime
	}
}

// lost makes the tombstones of the items whose payload makes another item now. Those of an order that moves are left behind
// with it.
func (b *rebuilt) lost() (items []schema.Item) {
	if !same(b.order.CreateTime, b.stored.Order.CreateTime) {
		return nil
	}
	for _, i := range b.stored.Items {
		if !slices.ContainsFunc(b.items, func(n schema.Item) bool { return n.ItemID == i.ItemID }) {
			i.Deleted, i.Version = true, b.order.Version
			items = append(items, i)
		}
	}
	return items
}

// storedIn returns all orders of a range, which were read before, with their items.
func storedIn(ctx context.Context, store auditStore, r *streamRun, iv window.Interval, orders []schema.Order) (map[string]*StoredOrder, error) {
	items, err := store.Items(ctx, r.stream.Stream, iv.Start, iv.End)
	if err != nil {
		return nil, fmt.Errorf("%s: read stored items: %w", r.stream, err)
	}
	return together(orders, items), nil
}
