package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
)

func (w *world) kinds(r audit.Report) string {
	var out []string
	for _, d := range r.Differences {
		out = append(out, string(d.Kind))
	}
	return strings.Join(out, " ")
}

func TestAYearThatAgreesCostsAFewCalls(t *testing.T) {
	t.Parallel()
	from := start.AddDate(-1, 0, 0)
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 2000, From: from, To: start})
	if _, err := w.Engine.Backfill(t.Context(), start.Add(time.Hour), from, start, false, nil); err != nil {
		t.Fatal(err)
	}
	r, _, err := w.Audit().Verify(t.Context(), start.Add(time.Hour), from, start, audit.Options{}, nil)
	if err != nil || len(r.Differences) > 0 || r.Calls > 10 || r.Windows != 365*24 {
		t.Errorf("%d windows, %d calls, differences %v, %v", r.Windows, r.Calls, r.Differences, err)
	}
}

// After its end a window stays open until the next run, which is no difference. It is one when runs have passed it by.
func TestVerifyLeavesOpenWindowsToTheNextRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 2).Add(30 * time.Minute)
	w.Backfill(now)
	now = now.Add(40 * time.Minute) // between the end of a window and the run after it
	if r := w.Verify(now, audit.Options{}); len(r.Differences) > 0 || r.Windows != 48 {
		t.Errorf("%d windows, %v", r.Windows, r.Differences)
	}
	ledger, err := w.Sink.Windows(t.Context(), w.Stream, start, now)
	if err != nil {
		t.Fatal(err)
	}
	left := ledger[10]
	left.Verdict, left.Version = schema.Open, left.Version+1
	if err := w.Sink.Write(t.Context(), schema.Batch{Windows: []schema.Window{left}}); err != nil {
		t.Fatal(err)
	}
	if r := w.Verify(now, audit.Options{}); w.kinds(r) != string(audit.Undone) || !r.Differences[0].Start.Equal(left.Start) {
		t.Errorf("%v", r.Differences)
	}
}

// What a hand does to the warehouse is found and repaired.
func TestVerifyFindsAndRepairs(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	for name, c := range map[string]struct {
		damage func(w *world, ids []string)
		deep   bool
		kind   audit.Kind
	}{
		"orders deleted": {func(w *world, ids []string) {
			w.Exec("ALTER TABLE order_rows DELETE WHERE order_id IN ('%s', '%s')", ids[3], ids[90])
		}, false, audit.Ledger},
		"items deleted": {func(w *world, ids []string) {
			w.Exec("ALTER TABLE order_item_rows DELETE WHERE order_id = '%s'", ids[5])
		}, false, audit.Ledger},
		"an order doubled under another id": {func(w *world, ids []string) {
			w.Exec("INSERT INTO order_rows SELECT * REPLACE ('1' AS order_id) FROM (SELECT * FROM order_rows WHERE order_id = '%s')", ids[7])
		}, false, audit.Ledger},
		"an order moved in time": {func(w *world, ids []string) {
			w.Exec("INSERT INTO order_rows SELECT * REPLACE (create_time + INTERVAL 1 DAY AS create_time) FROM order_rows WHERE order_id = '%s'", ids[7])
		}, false, audit.Ledger},
		"an order doubled in time": {func(w *world, ids []string) {
			w.Exec("INSERT INTO order_rows SELECT * REPLACE (create_time + INTERVAL 1 DAY AS create_time, version + 1 AS version) FROM order_rows WHERE order_id = '%s'", ids[7])
		}, false, audit.Extra},
		"an order doubled within its window, the older row right": {func(w *world, ids []string) {
			w.Exec("INSERT INTO order_rows SELECT * REPLACE (create_time + INTERVAL 1 MILLISECOND AS create_time, version + 1 AS version) FROM order_rows WHERE order_id = '%s'", ids[8])
		}, false, audit.Extra},
		"an amount altered": {func(w *world, ids []string) {
			w.Exec("ALTER TABLE order_rows UPDATE pretax_amount = pretax_amount + 1 WHERE order_id = '%s'", ids[9])
		}, true, audit.Altered},
		"an item's amount altered": {func(w *world, ids []string) {
			w.Exec("ALTER TABLE order_item_rows UPDATE pretax_amount = 5 WHERE order_id = '%s'", ids[9])
		}, true, audit.Altered},
		"the ledger and its orders deleted": {func(w *world, ids []string) {
			w.Exec("ALTER TABLE sync_window_rows DELETE WHERE toDate(window_start) = '2026-03-02'")
			w.Exec("ALTER TABLE order_rows DELETE WHERE toDate(create_time) = '2026-03-02'")
		}, false, audit.Missing},
		"an order changed at the source, out of sight": {func(w *world, ids []string) {
			if err := w.Account.Change(ids[0]); err != nil {
				w.Fatal(err)
			}
		}, true, audit.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
			w.Backfill(now)
			if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Fatalf("before: %v", r.Differences)
			}
			c.damage(w, w.Account.IDs(start, end))
			r := w.Verify(now, audit.Options{Deep: c.deep})
			if !strings.Contains(w.kinds(r), string(c.kind)) || r.Left() != len(r.Differences) {
				t.Errorf("found %v", r.Differences)
			}
			if r := w.Verify(now, audit.Options{Deep: c.deep, Repair: true}); len(r.Differences) == 0 || r.Left() > 0 {
				t.Errorf("after the repair: %v", r.Differences)
			}
			if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Errorf("after all: %v", r.Differences)
			}
			w.Equal(end)
		})
	}
}

// An order that came into an hour long after it was complete is found by the next count.
func TestVerifyFindsWhatCameLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	w.Backfill(end.Add(time.Hour))
	w.Account.Add(1, start.Add(30*time.Hour+20*time.Minute))
	r := w.Verify(end.Add(time.Hour), audit.Options{})
	if w.kinds(r) != "count" || !r.Differences[0].Start.Equal(start.Add(30*time.Hour)) {
		t.Errorf("%v", r.Differences)
	}
	if r := w.Verify(end.Add(time.Hour), audit.Options{Repair: true}); r.Left() > 0 {
		t.Errorf("%v", r.Differences)
	}
	w.Equal(end)
}

// A vendor that counts no further than what is stored hides nothing that came late, wherever that is.
func TestVerifyBelievesNoLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ orders, busy, size int }{
		"evenly": {100, -1, 20}, "in an hour": {100, 100, 20}, "pages that hold more than the limit": {100, -1, 300}, "a page": {20, -1, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: c.orders, BusyHour: c.busy})
			w.Account.SetFault(func(simulator.FaultRequest) simulator.Action {
				return simulator.Action{Total: func(n int) int { return min(n, c.orders) }}
			})
			now := start.AddDate(0, 0, 3).Add(time.Hour)
			w.Backfill(now)
			w.Engine = w.NewEngine(0, c.size)
			r := w.Verify(now, audit.Options{})
			if r.Left() > 0 || r.Windows != 72 || r.Calls > 30 {
				t.Errorf("%d windows, %d calls, %+v", r.Windows, r.Calls, r.Differences)
			}
			ids := w.Account.IDs(start, now)
			busy, _ := w.Account.Order(ids[len(ids)/2])
			w.Account.Add(5, busy.CreateTime)
			w.Engine = w.NewEngine(0, c.size)
			if r := w.Verify(now, audit.Options{}); r.Left() == 0 {
				t.Errorf("5 orders are missing, and %d windows agree", r.Windows)
			}
			if r := w.Verify(now, audit.Options{Repair: true}); r.Left() > 0 {
				t.Errorf("%+v", r.Differences)
			}
			w.Equal(start.AddDate(0, 0, 3))
		})
	}
}

// Orders right before and right after what was synced are at the source and not stored, and that is no difference.
func TestVerifyDoesNotLookBeyondWhatIsSynced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 100})
	end := start.AddDate(0, 0, 3)
	w.Account.Add(1, start.Add(-time.Second))
	w.Account.Add(1, end)
	if _, err := w.Engine.Backfill(t.Context(), end.Add(3*time.Hour), start, end, false, nil); err != nil {
		t.Fatal(err)
	}
	r, _, err := w.Audit().Verify(t.Context(), end.Add(3*time.Hour), start, end, audit.Options{}, nil)
	if err != nil || len(r.Differences) > 0 {
		t.Errorf("%v %v", r.Differences, err)
	}
}

// More orders than a run believes to be gone are asked for where somebody asks for a repair.
func TestARepairRemovesWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	for _, id := range w.Account.IDs(start, now)[200:280] {
		if err := w.Account.Vanish(id); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(5 * time.Minute)
	if s := w.RunAt(now); s.Err() == nil {
		t.Error("80 orders are missing, and the run is green")
	}
	if r := w.Verify(now, audit.Options{Repair: true}); r.Left() > 0 || len(r.Differences) == 0 {
		t.Errorf("%v", r.Differences)
	}
	w.Equal(now)
}
