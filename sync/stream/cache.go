package stream

import (
	"context"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// cache spares a run questions about what is stored.
type cache struct {
	run *Run

	none emptyRange

	once  sync.Once
	empty bool // the account had no order when the run began
	err   error
}

// emptyRange is a range of time of which the warehouse holds nothing, neither an order nor an item. Most of a backfill lies in
// one, and need not ask the warehouse for each day what there is.
type emptyRange struct {
	mu    sync.Mutex
	iv    window.Interval
	asked time.Time
}

// emptyFor is how long a range is accepted to be empty. This run fills it only behind itself, but somebody else may write
// there as well, whom nothing but a lease keeps out.
const emptyFor = 30 * time.Second

// forget makes the next look ask the warehouse: another process has filled something.
func (e *emptyRange) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = time.Time{}
}

// isEmpty reports whether nothing of an interval is stored. Only a run that somebody asked for looks: the daily work of a
// daemon is in ranges that are full.
func (c *cache) isEmpty(ctx context.Context, iv window.Interval) (bool, error) {
	if !c.run.ForceRetry || iv.Empty() {
		return false, nil
	}
	e := &c.none
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if now.Sub(e.asked) > emptyFor || iv.Start.Before(e.iv.Start) || !iv.Start.Before(e.iv.End) {
		first, err := c.run.Store.First(ctx, c.run.Stream.Stream, iv.Start, c.run.Now)
		if err != nil {
			return false, err
		}
		if first.IsZero() {
			first = c.run.Now
		}
		e.iv, e.asked = window.Interval{Start: iv.Start, End: first}, now
	}
	return !iv.End.After(e.iv.End), nil
}

// known returns what is stored of the orders of an interval.
func (c *cache) known(ctx context.Context, iv window.Interval) (map[string]schema.Known, error) {
	if empty, err := c.isEmpty(ctx, iv); empty || err != nil {
		return nil, err
	}
	return c.run.Store.Known(ctx, c.run.Stream.Stream, iv.Start, iv.End)
}

// always is an interval that holds all stored orders: where it is not known when an order was created.
var always = window.Interval{Start: schema.MinTime, End: schema.MaxTime}

// itemIDs returns the ids of the stored items of some orders of an interval. Also orders that are not stored may have some: a
// crash may have come between them and their items.
func (c *cache) itemIDs(ctx context.Context, iv window.Interval, orders []*schema.Order) (map[string][]string, error) {
	if empty, err := c.isEmpty(ctx, iv); empty || err != nil {
		return nil, err
	}
	// Many orders of a few windows are most of those that are stored there, and it is cheaper not to name them.
	if len(orders) > lookUp && iv != always {
		return c.run.Store.ItemIDs(ctx, c.run.Stream.Stream, iv.Start, iv.End)
	}
	return c.run.Store.ItemIDsByOrder(ctx, c.run.Stream.Stream, iv.Start, iv.End, OrderIDs(orders))
}

// nothingStored reports whether the account had no order at all when this run first asked, so that whatever is stored is of
// this run: then no listed order need be looked up, and [Moves.unite] looks once, at the end. Where an account has
// several streams they see each other's.
func (c *cache) nothingStored(ctx context.Context) (bool, error) {
	if !c.run.ForceRetry || c.run.Siblings {
		return false, nil
	}
	c.once.Do(func() {
		var found bool
		found, c.err = c.run.Store.HasOrders(ctx, c.run.Stream.Account)
		c.empty = !found
	})
	return c.empty, c.err
}
