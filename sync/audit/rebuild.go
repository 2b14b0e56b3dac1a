package audit

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// rebuilt is a stored order with its items, and the same made again from its payloads or from a new answer.
type rebuilt struct {
	order  schema.Order
	items  []schema.Item
	stored *stream.StoredOrder
	note   string // in what they differ

	lines      []schema.Reject // lines that were rejected before
	rejects    []schema.Reject // lines that are not items
	unreadable bool            // a stored payload cannot be decoded; order and items are as they are stored
}

func (b *rebuilt) differs() bool { return b.note != "" }

// rebuild returns the stored orders of a range, to be made again from their payloads.
func rebuild(ctx context.Context, store Store, r *stream.Run, iv window.Interval) iter.Seq2[*rebuilt, error] {
	return func(yield func(*rebuilt, error) bool) {
		orders, err := store.Orders(ctx, r.Stream.Stream, iv.Start, iv.End)
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
		lines, err := r.Rejects.Payloads(ctx, iv, schema.RejectItem)
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
func (b *rebuilt) make(r *stream.Run, lines bool) {
	stored := &b.stored.Order
	version := stored.Version
	for i := range b.stored.Items {
		version = max(version, b.stored.Items[i].Version)
	}
	var detail source.Detail
	if stored.DetailStatus == schema.DetailOK {
		raws := b.stored.Raws()
		detail = r.Stream.Decoder.Detail(stored.Stream, stored.OrderID, stored.RawDetail, raws)
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
				detail = r.Stream.Decoder.Detail(stored.Stream, stored.OrderID, stored.RawDetail, raws)
			}
		}
		b.rejects = detail.Rejects
	}
	o := *stored
	if stored.Raw != "" {
		again, reject := r.Stream.Decoder.Order(stored.Stream, stored.Raw)
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
	b.order.Version = stream.Newer(0, version)
	for i := range b.items {
		b.items[i].Version, b.items[i].FetchedAt, b.items[i].CreateTime = b.order.Version, o.FetchedAt, o.CreateTime
	}
}

// lost makes the tombstones of the items whose payload makes another item now. Those of an order that moves are left behind
// with it.
func (b *rebuilt) lost() (items []schema.Item) {
	if !stream.Same(b.order.CreateTime, b.stored.Order.CreateTime) {
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
func storedIn(ctx context.Context, store Store, r *stream.Run, iv window.Interval, orders []schema.Order) (map[string]*stream.StoredOrder, error) {
	items, err := store.Items(ctx, r.Stream.Stream, iv.Start, iv.End)
	if err != nil {
		return nil, fmt.Errorf("%s: read stored items: %w", r.Stream, err)
	}
	return stream.Together(orders, items), nil
}
