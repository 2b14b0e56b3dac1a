package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// repair makes the listing of a window distrust the warehouse: beside what changed at the source it finds the orders whose
// items are not as many as they should be. A nil repair does nothing.
type repair struct {
	mu     sync.Mutex
	orders map[string]bool // to be fetched again though their list row did not change
}

// RepairJobs are the jobs of windows that differ, and orders those that are to be fetched again in them.
func RepairJobs(windows []window.Interval, ledger []schema.Window, orders map[string]bool) []Job {
	jobs := Jobs(windows, ledger, source.Verify, time.Time{})
	shared := &repair{orders: orders} // one for all jobs, which run side by side: its lock is the map's
	for i := range jobs {
		jobs[i].repair = shared
	}
	return jobs
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
func (p *repair) prepare(ctx context.Context, r *Run, l walk.Listing, known map[string]schema.Known) error {
	if p == nil {
		return nil
	}
	listed := make(map[string]bool, len(l.Orders))
	for _, o := range l.Orders {
		listed[o.OrderID] = true
	}
	items, err := r.cache.itemIDs(ctx, l.Interval, l.Orders)
	if err != nil {
		return fmt.Errorf("%s %s: read stored items: %w", r.Stream, l.Interval, err)
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
