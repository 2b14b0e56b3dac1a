package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/window"
)

// Same reports whether two times are the same place: the precision of the column.
func Same(a, b time.Time) bool { return a.UnixMilli() == b.UnixMilli() }

// Newer is the version of a row of an order of which one with this version is stored, wherever. The one between them is
// for a tombstone.
func Newer(fetched, stored uint64) uint64 { return max(fetched, stored+2) }

// said is the creation time that the stored detail of an order says, which need not be that of its list row: it is of the
// order's lines. Zero where it says none.
func (r *Run) said(b *StoredOrder) time.Time {
	if r.Stream.Decoder == nil || b.Order.DetailStatus != schema.DetailOK {
		return time.Time{}
	}
	if d := r.Stream.Decoder.Detail(b.Order.Stream, b.Order.OrderID, b.Order.RawDetail, b.Raws()); d.Order != nil {
		return d.Order.CreateTime
	}
	return time.Time{}
}

// stored returns some stored orders of an interval with their items, by id.
func (r *Run) stored(ctx context.Context, iv window.Interval, orders []schema.Order) (map[string]*StoredOrder, error) {
	items, err := r.Store.ItemsByOrder(ctx, r.Stream.Stream, iv.Start, iv.End, OrderIDs(Pointers(orders)))
	if err != nil {
		return nil, fmt.Errorf("%s: read stored items: %w", r.Stream, err)
	}
	return Together(orders, items), nil
}

// OrderIDs are those of some orders.
func OrderIDs(orders []*schema.Order) []string {
	ids := make([]string, len(orders))
	for i, o := range orders {
		ids[i] = o.OrderID
	}
	return ids
}

// Pointers are those to the orders of a slice.
func Pointers(orders []schema.Order) []*schema.Order {
	out := make([]*schema.Order, len(orders))
	for i := range orders {
		out[i] = &orders[i]
	}
	return out
}

// Together puts the items to their orders.
func Together(orders []schema.Order, items []schema.Item) map[string]*StoredOrder {
	out := make(map[string]*StoredOrder, len(orders))
	for _, o := range orders {
		out[o.OrderID] = &StoredOrder{Order: o}
	}
	for _, i := range items {
		if s := out[i.OrderID]; s != nil {
			s.Items = append(s.Items, i)
		}
	}
	return out
}

// StoredOrder is an order with its items as the warehouse has them.
type StoredOrder struct {
	Order schema.Order
	Items []schema.Item
}

// Raws are the payloads of the items.
func (s *StoredOrder) Raws() []string {
	raws := make([]string, len(s.Items))
	for i := range s.Items {
		raws[i] = s.Items[i].Raw
	}
	return raws
}

// ChangedBy reports whether what was fetched differs from what is stored.
func (s *StoredOrder) ChangedBy(d enrich.Result) bool {
	if d.Err != nil { // nothing was learned of its lines
		return d.Order.Content() != s.Order.Content()
	}
	return s.Differs(d.Order, d.Items) != ""
}

// Differs says in what an order and its items differ from the stored ones; empty for nothing.
func (s *StoredOrder) Differs(o *schema.Order, items []schema.Item) string {
	if o.Content() != s.Order.Content() {
		return "the order's columns are not those of its raw payload"
	}
	if len(items) != len(s.Items) {
		return "the items are not those of their raw payloads"
	}
	stored := make(map[string]string, len(s.Items))
	for i := range s.Items {
		stored[s.Items[i].ItemID] = s.Items[i].Content()
	}
	for i := range items {
		if stored[items[i].ItemID] != items[i].Content() {
			return "the columns of item " + items[i].ItemID + " are not those of its raw payload"
		}
	}
	return ""
}

// NextVersion is above a row's version. It comes from this machine's clock and not from the run's time, so that the rows
// of two runs with the same time have different ones.
func NextVersion(before uint64) uint64 { return max(uint64(time.Now().UnixNano()), before+1) }
