package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
)

// repair makes the walk of a window distrust the warehouse: beside what changed at the source it finds the orders whose
// items are not as many as they should be. A nil repair does nothing.
type repair struct {
	mu     sync.Mutex
	orders map[string]bool // to be fetched again though their list row did not change
}

func (p *repair) redo(id string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.orders[id]
}

// prepare looks at what is stored of a listing.
func (p *repair) prepare(ctx context.Context, r *streamRun, l walk.Listing, known map[string]schema.Known) error {
	if p == nil {
		return nil
	}
	listed := make(map[string]bool, len(l.Orders))
	for _, o := range l.Orders {
		listed[o.OrderID] = true
	}
	items, err := r.itemIDs(ctx, l.Interval, l.Orders)
	if err != nil {
		return fmt.Errorf("%s %s: read stored items: %w", r.stream, l.Interval, err)
	}
	p.mu.Lock()
	for id, k := range known {
		if listed[id] && len(items[id]) != int(k.ItemCount) {
			p.orders[id] = true
		}
	}
	p.mu.Unlock()
	return nil
}

// remove returns stored orders of a listing's interval, and their items, tombstones. Their history stays.
func (r *streamRun) remove(ctx context.Context, l walk.Listing, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	orders, err := r.store.OrdersByID(ctx, r.stream.Stream, l.Start, l.End, ids)
	if err != nil {
		return err
	}
	items, err := r.store.ItemsByOrder(ctx, r.stream.Stream, l.Start, l.End, ids)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	for i := range orders {
		orders[i].Deleted, orders[i].Version, orders[i].FetchedAt = true, nextVersion(orders[i].Version), now
	}
	for i := range items {
		items[i].Deleted, items[i].Version, items[i].FetchedAt = true, nextVersion(items[i].Version), now
	}
	v, err := r.open.look(ctx, nil, ids)
	if err != nil {
		return err
	}
	defer v.close()
	var rejects []schema.Reject // what could not be had of an order that is no more is not missing
	for _, id := range ids {
		rejects = append(rejects, v.resolve(id, l.Rejects, r.now, schema.RejectDetail, schema.RejectItem)...)
	}
	r.log.WarnContext(ctx, "the source does not have these orders any more", r.stream.LogAttr(), "orders", ids)
	return r.commit(schema.Batch{Orders: orders, Items: items, Rejects: rejects})
}
