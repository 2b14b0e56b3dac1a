package engine_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
)

// Two processes that fill the same range at the same time get in nobody's way: locks save calls, and nothing rests on
// them (I3, I9).
func TestTwoBackfillsAtOnceEqualOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 3, Orders: 900, BusyHour: 300})
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	c := &campaign{world: w}
	stop := c.watch()
	var both sync.WaitGroup
	for _, e := range []*engine.Engine{w.NewEngine(0, 20), w.NewEngine(0, 50)} {
		both.Go(func() {
			s, err := e.Backfill(t.Context(), now, start, now, false, nil)
			if err != nil || s.Err() != nil {
				t.Errorf("%v, %v", err, s.Err())
			}
		})
	}
	both.Wait()
	stop()
	w.Equal(now)
	w.history()
	if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
		t.Errorf("%v", r.Differences)
	}
	// And they have not left anything for a later run to do.
	w.Account.ResetCounters()
	if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Errorf("%v, %v", err, s.Err())
	}
	if n := w.Account.Calls()["GetOrderDetail"].Total; n > 0 {
		t.Errorf("%d details were fetched again", n)
	}
}
