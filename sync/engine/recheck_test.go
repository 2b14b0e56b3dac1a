package engine_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
)

// An order that is read young is read once more, when it is as old as the last age, and never again; one of a backfill that is
// older is not. What has not changed is not written again. What changed without its list row is found.
func TestRecheckCostsOneCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 41, Orders: 400, From: start, To: start.AddDate(0, 0, 3)})
	w.Recheck = []time.Duration{10 * time.Minute, 24 * time.Hour}
	w.Engine = w.NewEngine(0, 20)
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	young := map[string]bool{}
	dropped := ""
	for _, id := range w.Account.IDs(now.Add(-30*time.Hour), now) {
		o, _ := w.Account.Order(id)
		settled := o.CreateTime
		if o.PaymentTime.After(settled) {
			settled = o.PaymentTime
		}
		if schema.IsUnpaid(o.PaymentStatus) || time.Now().Before(settled) {
			continue
		}
		if now.Sub(settled) < 24*time.Hour {
			young[id] = true
		}
		if n := len(o.Items); n > 1 && o.Items[n-1].PretaxGross.Decimal.IsZero() && o.Items[n-1].AfterTax.Decimal.IsZero() && young[id] && dropped == "" {
			dropped = id
		}
	}
	if dropped == "" || len(young) < 30 {
		t.Fatalf("%d young orders, %q", len(young), dropped)
	}
	if err := w.Account.DropItem(dropped); err != nil {
		t.Fatal(err)
	}
	w.Account.ResetCounters()
	w.Committed = nil
	for range 4 {
		now = now.Add(12 * time.Hour)
		s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err == nil {
			err = s.Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range w.Account.IDs(start, now) {
		want := 0
		if young[id] {
			want = 1
		}
		if n := w.Account.DetailCalls(id); n != want {
			o, _ := w.Account.Order(id)
			t.Errorf("order %s, created %s, paid %s, was fetched %d times", id, o.CreateTime, o.PaymentTime, n)
		}
	}
	written := 0
	for _, b := range w.Committed {
		written += b.Orders
	}
	if written != 1 {
		t.Errorf("%d orders were written again, and one has changed", written)
	}
	w.Equal(start.AddDate(0, 0, 3))
}
