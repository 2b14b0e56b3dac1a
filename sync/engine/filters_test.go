package engine_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
)

// narrow makes the world's engine one of an account with filters.
func (w *world) narrow(f schema.Filters) {
	w.Store = w.Sink.Narrowed(f)
	w.Filters = f
	w.Engine = w.NewEngine(0, 20)
}

// ids are those of the orders at the source that filters leave.
func (w *world) ids(f schema.Filters, from, to time.Time) map[string]bool {
	out := map[string]bool{}
	for _, id := range w.Account.IDs(from, to) {
		o, _ := w.Account.Order(id)
		if f.Match(&schema.Order{ProductCode: o.ProductCode, ProductType: o.ProductType, SubscriptionType: o.SubscriptionType, OrderType: o.OrderType}) {
			out[id] = true
		}
	}
	return out
}

// proven checks that everything agrees about the orders that filters leave: the ledger, the views and the vendor.
func (w *world) proven(what string, f schema.Filters, end time.Time) {
	w.Helper()
	want := w.ids(f, start, end)
	windows, err := w.Sink.Narrowed(f).Windows(w.Context(), w.Stream, start, end)
	if err != nil {
		w.Fatal(err)
	}
	stored := 0
	for _, x := range windows {
		if x.Verdict != schema.Complete && x.Verdict != schema.Open {
			w.Errorf("%s: the window %s is %q", what, x.Start, x.Verdict)
		}
		stored += int(x.Stored)
	}
	if stored != len(want) || len(want) == 0 || len(windows) != int(end.Sub(start)/time.Hour) {
		w.Errorf("%s: %d windows with %d orders of %d", what, len(windows), stored, len(want))
	}
	var disagree uint64
	if err := w.Sink.Conn().QueryRow(w.Context(), "SELECT count() FROM window_audit WHERE NOT agrees").Scan(&disagree); err != nil || disagree > 0 {
		w.Errorf("%s: %d windows disagree, %v", what, disagree, err)
	}
	for _, deep := range []bool{false, true} {
		report, summary, err := w.Audit().Verify(w.Context(), end.Add(time.Hour), start, end, audit.Options{Deep: deep}, nil)
		if err != nil || summary.Err() != nil || len(report.Differences) > 0 {
			w.Errorf("%s, deep %v: %+v, %v, %v", what, deep, report.Differences, err, summary.Err())
		}
	}
}

// A window proves only what its listing was narrowed to: when filters come, change and go on a filled warehouse, every window
// is listed again, nothing that is stored is taken for surplus, and all proofs agree in each state (I12).
func TestFiltersAreOfTheLedgersIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 4, Orders: 400, From: start, To: start.AddDate(0, 0, 2)})
	end := start.AddDate(0, 0, 2)
	now := end.Add(time.Hour)
	first, _ := w.Account.Order(w.Account.IDs(start, end)[0])
	// The case is not the vendor's.
	product := schema.Filters{ProductCode: strings.ToUpper(first.ProductCode)}
	for _, step := range []struct {
		what    string
		filters schema.Filters
	}{
		{"a product", product},
		{"narrower", schema.Filters{ProductCode: product.ProductCode, OrderType: "New"}},
		{"another", schema.Filters{SubscriptionType: "PayAsYouGo"}},
		{"all", schema.Filters{}},
		{"a product again", product},
	} {
		w.narrow(step.filters)
		for range 2 { // the second one has nothing to do
			w.Account.ResetCounters()
			w.Backfill(end)
		}
		if calls := w.Account.Calls()["QueryOrders"].Total; calls > 1 { // the last window has not settled
			t.Errorf("%s: %d list calls for windows that are complete", step.what, calls)
		}
		w.proven(step.what, step.filters, end)
	}
	var orders uint64
	if err := w.Sink.Conn().QueryRow(t.Context(), "SELECT count() FROM orders").Scan(&orders); err != nil || int(orders) != 400 {
		t.Errorf("%d orders of 400 are left, %v", orders, err)
	}

	// A repair takes nothing away of what was synced under wider filters.
	_, summary, err := w.Audit().Verify(t.Context(), now, start, end, audit.Options{Deep: true, Repair: true}, nil)
	if err != nil || summary.Err() != nil {
		t.Error(err, summary.Err())
	}
	if _, err := w.Engine.Backfill(t.Context(), now, start, end, true, nil); err != nil {
		t.Error(err)
	}
	if err := w.Sink.Conn().QueryRow(t.Context(), "SELECT count() FROM orders").Scan(&orders); err != nil || int(orders) != 400 {
		t.Errorf("%d orders of 400 are left, %v", orders, err)
	}
}

// A scheduled run lists again by itself what was listed with other filters, and its sweep asks for no order that they leave
// out.
func TestAScheduledRunFollowsTheFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 6, Orders: 400, From: start, To: start.AddDate(0, 0, 4)})
	end := start.AddDate(0, 0, 4)
	w.Backfill(end)
	filters := schema.Filters{OrderType: "New"}
	w.narrow(filters)
	for range 2 {
		w.Account.ResetCounters()
		s, err := w.Engine.Scheduled(t.Context(), end.Add(10*time.Minute), time.Now().Add(time.Hour), nil)
		if err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
	}
	if calls := w.Account.Calls()["GetOrderDetail"].Total; calls > 0 {
		t.Errorf("%d details were asked for though nothing changed", calls)
	}
	w.proven("after a run", filters, end)
}

// What the vendor lists beside what it was asked for is a reject, and never a part of a proof.
func TestAVendorThatListsWhatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 4, Orders: 60, From: start, To: start.AddDate(0, 0, 1)})
	end := start.AddDate(0, 0, 1)
	first, _ := w.Account.Order(w.Account.IDs(start, end)[0])
	w.narrow(schema.Filters{ProductCode: first.ProductCode})
	w.Account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Row: func(_ string, _ int, row []byte) []byte {
			return bytes.ReplaceAll(row, []byte(`"ProductCode":"`+first.ProductCode), []byte(`"ProductCode":"other`))
		}}
	})
	s, err := w.Engine.Backfill(t.Context(), end.Add(time.Hour), start, end, false, nil)
	if err != nil || s.Err() == nil || !strings.Contains(s.Err().Error(), "rejected") {
		t.Errorf("%v, %v", err, s.Err())
	}
	rejects, err := warehousetest.OpenRejects(t.Context(), w.Sink, w.Stream)
	want := len(w.ids(w.Filters, start, end))
	if err != nil || len(rejects) != want || want == 0 || rejects[0].Reason != "outside_filters" {
		t.Errorf("%d rejects of %d, %v", len(rejects), want, err)
	}
}
