package engine

import (
	"context"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// blank is a stretch of time of which the warehouse holds nothing, neither an order nor an item. Most of a backfill lies in
// one, and need not ask the warehouse for each day what there is.
type blank struct {
	mu      sync.Mutex
	stretch window.Interval
	asked   time.Time
}

// blankFor is how long a stretch is believed to be blank. This run fills it only behind itself, but somebody else may write
// there as well, whom nothing but a lease keeps out.
const blankFor = 30 * time.Second

// forget makes the next look ask the warehouse: another process has filled something.
func (b *blank) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = time.Time{}
}

// isBlank reports whether nothing of an interval is stored. Only a run that somebody asked for looks: the daily work of a
// daemon is in stretches that are full.
func (r *streamRun) isBlank(ctx context.Context, iv window.Interval) (bool, error) {
	if !r.eager || iv.Empty() {
		return false, nil
	}
	b := &r.blank
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.asked) > blankFor || iv.Start.Before(b.stretch.Start) || !iv.Start.Before(b.stretch.End) {
		first, err := r.store.First(ctx, r.stream.Stream, iv.Start, r.now)
		if err != nil {
			return false, err
		}
		if first.IsZero() {
			first = r.now
		}
		b.stretch, b.asked = window.Interval{Start: iv.Start, End: first}, now
	}
	return !iv.End.After(b.stretch.End), nil
}

// known returns what is stored of the orders of an interval.
func (r *streamRun) known(ctx context.Context, iv window.Interval) (map[string]schema.Known, error) {
	if blank, err := r.isBlank(ctx, iv); blank || err != nil {
		return nil, err
	}
	return r.store.Known(ctx, r.stream.Stream, iv.Start, iv.End)
}

// always is an interval that holds all stored orders: where it is not known when an order was created.
var always = window.Interval{Start: schema.MinTime, End: schema.MaxTime}

// itemIDs returns the ids of the stored items of some orders of an interval. Also orders that are not stored may have some: a
// crash may have come between them and their items.
func (r *streamRun) itemIDs(ctx context.Context, iv window.Interval, orders []*schema.Order) (map[string][]string, error) {
	if blank, err := r.isBlank(ctx, iv); blank || err != nil {
		return nil, err
	}
	// Many orders of a few windows are most of those that are stored there, and it is cheaper not to name them.
	if len(orders) > chunk && iv != always {
		return r.store.ItemIDs(ctx, r.stream.Stream, iv.Start, iv.End)
	}
	return r.store.ItemIDsByOrder(ctx, r.stream.Stream, iv.Start, iv.End, orderIDs(orders))
}
