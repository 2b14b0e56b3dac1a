package engine

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Replay makes the rows of [from, to) again from their raw payloads, and rows of the rejects that can be decoded by now,
// with no call to the vendor. Rows that come out as they are stored are not written. An order that was a reject has no
// items yet: its detail is fetched by the next tick.
func (e *Engine) Replay(ctx context.Context, now, from, to time.Time, p *Progress) (Summary, error) {
	iv := window.Interval{Start: from, End: to}
	iv = iv.Clip(window.Interval{Start: from, End: now}).Align(e.Window)
	return e.run(ctx, now, p, func(ctx context.Context, r *laneRun) error {
		r.scope = iv
		if r.lane.Decoder == nil {
			return nil
		}
		touched := map[time.Time]bool{}
		if err := r.replayRejects(iv, touched); err != nil {
			return err
		}
		spans := window.Spans(iv.Tile(r.Window))
		r.progress.plan(len(spans))
		for _, span := range spans {
			var out schema.Batch
			err := r.rebuild(ctx, span, func(b rebuilt) error {
				if !b.differs() {
					return nil
				}
				out.Orders = append(out.Orders, b.order)
				out.Items = append(out.Items, b.items...)
				r.sumUp(func(s *LaneSummary) { s.Changed++; s.Items += len(b.items) })
				touched[b.order.CreateTime.UTC().Truncate(r.Window)] = true
				return nil
			})
			if err == nil {
				err = r.commits.add(out)
			}
			if err != nil {
				return err
			}
			r.progress.Done.Add(1)
		}
		return r.recount(ctx, touched)
	})
}

// replayRejects tries to decode the listed rows that could not become orders. Windows that gain an order are due again:
// the walk that lists them makes their digest right.
func (r *laneRun) replayRejects(iv window.Interval, touched map[time.Time]bool) error {
	var out schema.Batch
	for _, j := range r.open.list(schema.RejectList) {
		o, reject := r.lane.Decoder.Order(r.lane.Lane, j.Raw)
		if reject != nil || !iv.Contains(o.CreateTime) {
			continue
		}
		o.DetailStatus, o.Version, o.FetchedAt = schema.DetailPending, j.Version, j.LastSeen
		out.Orders = append(out.Orders, o)
		out.Rejects = append(out.Rejects, r.open.drop(j, r.now))
		r.sumUp(func(s *LaneSummary) { s.Changed++; s.Pending++ })
		touched[o.CreateTime.UTC().Truncate(r.Window)] = true
	}
	return r.commits.add(out)
}

// rebuilt is a stored order with its items, and the same made again from its payloads or from a new answer.
type rebuilt struct {
	order  schema.Order
	items  []schema.Item
	stored schema.Order
	before []schema.Item
	note   string
}

func (b *rebuilt) differs() bool { return b.note != "" }

// changedBy reports whether what was fetched differs from what is stored.
func (b rebuilt) changedBy(res enrich.Result) bool {
	if res.Err != nil { // nothing was learned of its lines
		return res.Order.Content() != b.stored.Content()
	}
	b.order, b.items = *res.Order, res.Items
	b.compare()
	return b.differs()
}

// rebuild makes the orders of a span again from their payloads.
func (r *laneRun) rebuild(ctx context.Context, span window.Interval, yield func(rebuilt) error) error {
	orders, err := r.store.Orders(ctx, r.lane.Lane, span.Start, span.End, nil)
	if err != nil || len(orders) == 0 {
		return err
	}
	held, err := r.held(ctx, span, orders, nil)
	if err != nil {
		return err
	}
	for _, o := range orders {
		b := held[o.OrderID]
		b.make(r)
		if err := yield(b); err != nil {
			return err
		}
	}
	return nil
}

func (b *rebuilt) make(r *laneRun) {
	stored := b.stored
	version := stored.Version
	var detail source.Detail
	if stored.DetailStatus == schema.DetailOK {
		raws := make([]string, len(b.before))
		for i := range b.before {
			raws[i] = b.before[i].Raw
			version = max(version, b.before[i].Version)
		}
		detail = r.lane.Decoder.Detail(stored.Lane, stored.OrderID, stored.RawDetail, raws)
	}
	o := stored
	if stored.Raw != "" {
		again, reject := r.lane.Decoder.Order(stored.Lane, stored.Raw)
		if reject != nil {
			b.order, b.items, b.note = stored, b.before, "the raw payload cannot be decoded: "+reject.Message
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
	b.items = b.before
	if stored.DetailStatus == schema.DetailOK {
		b.items = enrich.Apply(&o, detail)
	}
	b.order = o
	b.compare()
	b.order.Version = version + 1
	for i := range b.items {
		b.items[i].Version, b.items[i].FetchedAt = version+1, o.FetchedAt
	}
}

// compare says in what the rows differ from the stored ones.
func (b *rebuilt) compare() {
	if b.order.Content() != b.stored.Content() {
		b.note = "the order's columns are not those of its raw payload"
		return
	}
	if len(b.items) != len(b.before) {
		b.note = "the items are not those of their raw payloads"
		return
	}
	stored := make(map[string]string, len(b.before))
	for i := range b.before {
		stored[b.before[i].ItemID] = b.before[i].Content()
	}
	for i := range b.items {
		if stored[b.items[i].ItemID] != b.items[i].Content() {
			b.note = "the columns of item " + b.items[i].ItemID + " are not those of its raw payload"
			return
		}
	}
}
