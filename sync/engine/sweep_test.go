package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
)

// Orders older than the lookback are brought up to date by the sweep, at one listing and one call a change.
func TestSweepCostsWhatChanged(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 9)
	w := newWorld(t, simulator.Options{Seed: 5, Orders: 900, From: start, To: end})
	now := end
	w.Backfill(now)
	var old []string
	for _, id := range w.Account.Unpaid() {
		if o, _ := w.Account.Order(id); o.CreateTime.Before(now.Add(-26*time.Hour)) && o.CreateTime.After(now.Add(-190*time.Hour)) {
			old = append(old, id)
		}
	}
	if len(old) < 4 {
		t.Fatalf("%d unpaid orders", len(old))
	}
	for i, id := range old[:4] {
		change := w.Account.Pay
		if i%2 == 1 {
			change = w.Account.Cancel
		}
		if err := change(id); err != nil {
			t.Fatal(err)
		}
	}
	w.Account.ResetCounters()
	tick := func() stream.Outcome {
		now = now.Add(5 * time.Minute)
		s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		return s.Streams[0]
	}
	if l := tick(); l.Details != 4 || w.Account.Calls()["GetOrderDetail"].Total != 4 {
		t.Errorf("%+v", l)
	}
	w.Equal(end)
	w.Account.ResetCounters()
	tick()
	if calls := w.Account.Calls(); calls["GetOrderDetail"].Total != 0 || calls["QueryOrders"].Total > 20 {
		t.Errorf("a tick without changes: %+v", calls)
	}
	// The history shows each state once, however often it was seen.
	var states uint64
	if err := w.Sink.Conn().QueryRow(t.Context(), fmt.Sprintf("SELECT count() FROM order_history WHERE order_id = '%s'", old[0])).Scan(&states); err != nil {
		t.Fatal(err)
	}
	if states != 2 {
		t.Errorf("%d states in the history", states)
	}
}
