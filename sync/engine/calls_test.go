package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// However many orders there are in a day, a backfill makes few more calls than the best that is possible: a list call for
// every full page, and one detail call for every order. Hours without orders cost nothing of their own. The first window
// is listed apart, so that the details need not wait for the listing of a whole day.
func TestBackfillWastesNoCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		days, orders int
		busyHour     int
	}{
		{"empty", 10, 0, 0},
		{"sparse", 30, 150, -1},
		{"ordinary", 8, 2_000, 0},
		{"dense", 1, 3_500, -1},
		{"a busy hour", 4, 2_000, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			end := start.AddDate(0, 0, c.days)
			w := newWorld(t, simulator.Options{Seed: 11, Orders: c.orders, BusyHour: c.busyHour, From: start, To: end})
			if s := w.Backfill(end); s.Err() != nil {
				t.Fatal(s.Err())
			}
			w.cost(c.orders, c.days+1, c.orders)

			// Again, there is nothing to ask for but the window that is open.
			w.Account.ResetCounters()
			w.Backfill(end)
			w.cost(len(w.Account.IDs(end.Add(-time.Hour), end)), 1, 0)
		})
	}
}

// A tick in which nothing happens lists the lookback and asks for no detail.
func TestQuietTickListsTheLookback(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 10)
	w := newWorld(t, simulator.Options{Seed: 12, Orders: 2_500, From: start, To: end})
	now := end.Add(-90 * time.Minute)
	w.Backfill(now)
	w.Account.ResetCounters()
	if s, err := w.Engine.Scheduled(t.Context(), now, now.Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	lookback := now.Add(-24 * time.Hour).Truncate(time.Hour)
	const unpaid = 3 // pages, at the most, of the listing of those that are older and unpaid
	w.cost(len(w.Account.IDs(lookback, now))+20*unpaid, 2, 0)
}

// cost fails if more calls were made than a listing of so many orders, spread over so many days, and so many details
// need: a tenth more list calls than full pages, and one a day.
func (w *world) cost(orders, days, details int) {
	w.Helper()
	lists, detailed := w.Account.Calls()["QueryOrders"].Total, w.Account.Calls()["GetOrderDetail"].Total
	most := float64((orders+19)/20)*1.10 + float64(days)
	got := fmt.Sprintf("%d list calls for %d orders in %d days, %.0f at the most; %d details", lists, orders, days, most, detailed)
	if float64(lists) > most || detailed != details {
		w.Error(got)
	}
	w.Log(got)
}
