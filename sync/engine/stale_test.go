package engine_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

// TestHowStaleAnOrderCanBe holds the bound that the package's documentation gives, at the edges of what covers what.
func TestHowStaleAnOrderCanBe(t *testing.T) {
	t.Parallel()
	now := start.AddDate(0, 0, 12)
	w := newWorld(t, simulator.Options{Seed: 9, Orders: 1000, From: start, To: now})
	tick := now.Add(5 * time.Minute)
	lookback, sweep := tick.Add(-24*time.Hour).Truncate(time.Hour), tick.Add(-192*time.Hour)
	unpaid := func(at time.Time) string {
		t.Helper()
		for range 500 {
			id := w.Account.Add(1, at)[0]
			if o, _ := w.Account.Order(id); schema.IsUnpaid(o.PaymentStatus) {
				return id
			}
		}
		t.Fatal("none of five hundred orders is unpaid")
		return ""
	}
	cases := []struct {
		name   string
		id     string
		change func(string) error
		seen   bool // by the next tick; otherwise by a deep verify
	}{
		{"changed within the lookback", w.Account.Add(1, lookback)[0], w.Account.Change, true},
		{"paid within the lookback", unpaid(lookback), w.Account.Pay, true},
		{"paid before the lookback", unpaid(lookback.Add(-time.Second)), w.Account.Pay, true},
		{"cancelled within the sweep", unpaid(sweep), w.Account.Cancel, true},
		{"changed before the lookback", w.Account.Add(1, lookback.Add(-time.Second))[0], w.Account.Change, false},
		{"cancelled before the sweep", unpaid(sweep.Add(-time.Second)), w.Account.Cancel, false},
	}
	w.Backfill(now)
	w.Equal(now)
	for _, c := range cases {
		if err := c.change(c.id); err != nil {
			t.Fatal(c.name, err)
		}
	}
	fresh := func(id string) bool {
		t.Helper()
		orders, err := w.Sink.OrdersByID(t.Context(), w.Stream, schema.MinTime, schema.MaxTime, []string{id})
		if err != nil {
			t.Fatal(err)
		}
		items, err := w.Sink.ItemsByOrder(t.Context(), w.Stream, schema.MinTime, schema.MaxTime, []string{id})
		if err != nil {
			t.Fatal(err)
		}
		return len(orders) == 1 && len(compare.Rows(orders, items, w.Account)) == 0
	}
	if s, err := w.Engine.Scheduled(t.Context(), tick, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	for _, c := range cases {
		if fresh(c.id) != c.seen {
			t.Errorf("%s: up to date after one tick: %t", c.name, !c.seen)
		}
	}
	if r := w.Verify(tick, audit.Options{Deep: true, Repair: true}); r.Left() > 0 {
		t.Errorf("%v", r.Differences)
	}
	for _, c := range cases {
		if !fresh(c.id) {
			t.Errorf("%s: not up to date after a deep verify", c.name)
		}
	}
	w.Equal(now)
}
