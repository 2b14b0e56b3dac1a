package engine_test

import (
	"testing"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source/unicloud"
)

// unfiltered is a world at a vendor whose listing cannot be narrowed to the unpaid orders.
func unfiltered(t *testing.T, o simulator.Options, pageSize int) *world {
	t.Helper()
	o.Vendor = simulator.VendorUniCloud
	w := newWorld(t, o)
	w.Stream.Source, w.Decoder = unicloud.Vendor, unicloud.Decoder{}
	w.Engine = w.NewEngine(0, pageSize)
	return w
}

// Where the unpaid orders cannot be listed alone, few of them are asked for one by one, and many by listing the stretch
// again. Either way those that moved on are noticed by the next tick, and an order that did not is not written.
func TestSweepWithoutAFilter(t *testing.T) {
	t.Parallel()
	for name, pageSize := range map[string]int{"few": 20, "many": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := unfiltered(t, simulator.Options{Orders: 1500, Seed: 5, From: start, To: start.AddDate(0, 0, 4)}, pageSize)
			now := start.AddDate(0, 0, 4)
			w.Backfill(now)
			old := start.AddDate(0, 0, 3) // before the lookback
			var unpaid []string
			for _, id := range w.Account.IDs(start, old) {
				if o, _ := w.Account.Order(id); schema.IsUnpaid(o.PaymentStatus) {
					unpaid = append(unpaid, id)
				}
			}
			if len(unpaid) < 4 {
				t.Fatalf("a test with %d unpaid orders", len(unpaid))
			}
			for _, id := range unpaid[:3] {
				if err := w.Account.Pay(id); err != nil {
					t.Fatal(err)
				}
			}
			w.Account.ResetCounters()
			s, err := w.Engine.Scheduled(t.Context(), now, now, nil)
			if err != nil || s.Err() != nil {
				t.Fatal(err, s.Err())
			}
			if got := s.Streams[0].Changed; got != 3 {
				t.Errorf("%d orders written, want the 3 that moved on", got)
			}
			w.Equal(now)
			details, lists := w.Account.Calls()["OrderDetail"].Total, w.Account.Calls()["QueryOrders"].Total
			live := len(w.Account.IDs(old, now))/pageSize + 6
			if name == "few" && (details != len(unpaid) || lists > live) {
				t.Errorf("%d details for %d unpaid orders, %d list calls for %d", details, len(unpaid), lists, live)
			}
			if name == "many" && (details != 3 || lists > live+len(w.Account.IDs(start, old))/pageSize+12) {
				t.Errorf("%d details and %d list calls", details, lists)
			}
		})
	}
}
