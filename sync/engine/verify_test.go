package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
)

func (w *world) verify(now time.Time, o audit.Options) audit.Report {
	w.Helper()
	r, _, err := w.audit().Verify(w.Context(), now, start, now, o, nil)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) exec(query string, args ...any) {
	w.Helper()
	if err := w.sink.Conn().Exec(w.Context(), fmt.Sprintf(query, args...)+" SETTINGS mutations_sync = 2"); err != nil {
		w.Fatal(err)
	}
}

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
	if _, err := w.engine.Backfill(t.Context(), start.Add(time.Hour), from, start, false, nil); err != nil {
		t.Fatal(err)
	}
	r, _, err := w.audit().Verify(t.Context(), start.Add(time.Hour), from, start, audit.Options{}, nil)
	if err != nil || len(r.Differences) > 0 || r.Calls >= 10 || r.Windows != 365*24 {
		t.Errorf("%d windows, %d calls, differences %v, %v", r.Windows, r.Calls, r.Differences, err)
	}
}

// After its end a window stays open until the next run, which is no difference. It is one when runs have passed it by.
func TestVerifyLeavesOpenWindowsToTheNextRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 2).Add(30 * time.Minute)
	w.backfill(now)
	now = now.Add(40 * time.Minute) // between the end of a window and the tick after it
	if r := w.verify(now, audit.Options{}); len(r.Differences) > 0 || r.Windows != 48 {
		t.Errorf("%d windows, %v", r.Windows, r.Differences)
	}
	ledger, err := w.sink.Windows(t.Context(), w.stream, start, now)
	if err != nil {
		t.Fatal(err)
	}
	left := ledger[10]
	left.Verdict, left.Version = schema.Open, left.Version+1
	if err := w.sink.Write(t.Context(), schema.Batch{Windows: []schema.Window{left}}); err != nil {
		t.Fatal(err)
	}
	if r := w.verify(now, audit.Options{}); w.kinds(r) != string(audit.Undone) || !r.Differences[0].Start.Equal(left.Start) {
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
			w.exec("ALTER TABLE order_rows DELETE WHERE order_id IN ('%s', '%s')", ids[3], ids[90])
		}, false, audit.Ledger},
		"items deleted": {func(w *world, ids []string) {
			w.exec("ALTER TABLE order_item_rows DELETE WHERE order_id = '%s'", ids[5])
		}, false, audit.Ledger},
		"an order doubled under another id": {func(w *world, ids []string) {
			w.exec("INSERT INTO order_rows SELECT * REPLACE ('1' AS order_id) FROM (SELECT * FROM order_rows WHERE order_id = '%s')", ids[7])
		}, false, audit.Ledger},
		"an order moved in time": {func(w *world, ids []string) {
			w.exec("INSERT INTO order_rows SELECT * REPLACE (create_time + INTERVAL 1 DAY AS create_time) FROM order_rows WHERE order_id = '%s'", ids[7])
		}, false, audit.Ledger},
		"an order doubled in time": {func(w *world, ids []string) {
			w.exec("INSERT INTO order_rows SELECT * REPLACE (create_time + INTERVAL 1 DAY AS create_time, version + 1 AS version) FROM order_rows WHERE order_id = '%s'", ids[7])
		}, false, audit.Extra},
		"an order doubled within its window, the older row right": {func(w *world, ids []string) {
			w.exec("INSERT INTO order_rows SELECT * REPLACE (create_time + INTERVAL 1 MILLISECOND AS create_time, version + 1 AS version) FROM order_rows WHERE order_id = '%s'", ids[8])
		}, false, audit.Extra},
		"an amount altered": {func(w *world, ids []string) {
			w.exec("ALTER TABLE order_rows UPDATE pretax_amount = pretax_amount + 1 WHERE order_id = '%s'", ids[9])
		}, true, audit.Altered},
		"an item's amount altered": {func(w *world, ids []string) {
			w.exec("ALTER TABLE order_item_rows UPDATE pretax_amount = 5 WHERE order_id = '%s'", ids[9])
		}, true, audit.Altered},
		"the ledger and its orders deleted": {func(w *world, ids []string) {
			w.exec("ALTER TABLE sync_window_rows DELETE WHERE toDate(window_start) = '2026-03-02'")
			w.exec("ALTER TABLE order_rows DELETE WHERE toDate(create_time) = '2026-03-02'")
		}, false, audit.Missing},
		"an order changed at the source, out of sight": {func(w *world, ids []string) {
			if err := w.account.Change(ids[0]); err != nil {
				w.Fatal(err)
			}
		}, true, audit.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
			w.backfill(now)
			if r := w.verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Fatalf("before: %v", r.Differences)
			}
			c.damage(w, w.account.IDs(start, end))
			r := w.verify(now, audit.Options{Deep: c.deep})
			if !strings.Contains(w.kinds(r), string(c.kind)) || r.Left() != len(r.Differences) {
				t.Errorf("found %v", r.Differences)
			}
			if r := w.verify(now, audit.Options{Deep: c.deep, Repair: true}); len(r.Differences) == 0 || r.Left() > 0 {
				t.Errorf("after the repair: %v", r.Differences)
			}
			if r := w.verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Errorf("after all: %v", r.Differences)
			}
			w.equal(end)
		})
	}
}

// An order that came into an hour long after it was complete is found by the next count.
func TestVerifyFindsWhatCameLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	w.backfill(end.Add(time.Hour))
	w.account.Add(1, start.Add(30*time.Hour+20*time.Minute))
	r := w.verify(end.Add(time.Hour), audit.Options{})
	if w.kinds(r) != "count" || !r.Differences[0].Start.Equal(start.Add(30*time.Hour)) {
		t.Errorf("%v", r.Differences)
	}
	if r := w.verify(end.Add(time.Hour), audit.Options{Repair: true}); r.Left() > 0 {
		t.Errorf("%v", r.Differences)
	}
	w.equal(end)
}

// Orders older than the lookback are brought up to date by the sweep, at one listing and one call a change.
func TestSweepCostsWhatChanged(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 9)
	w := newWorld(t, simulator.Options{Seed: 5, Orders: 900, From: start, To: end})
	now := end
	w.backfill(now)
	var old []string
	for _, id := range w.account.Unpaid() {
		if o, _ := w.account.Order(id); o.CreateTime.Before(now.Add(-26*time.Hour)) && o.CreateTime.After(now.Add(-190*time.Hour)) {
			old = append(old, id)
		}
	}
	if len(old) < 4 {
		t.Fatalf("%d unpaid orders", len(old))
	}
	for i, id := range old[:4] {
		change := w.account.Pay
		if i%2 == 1 {
			change = w.account.Cancel
		}
		if err := change(id); err != nil {
			t.Fatal(err)
		}
	}
	w.account.ResetCounters()
	tick := func() stream.Outcome {
		now = now.Add(5 * time.Minute)
		s, err := w.engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		return s.Streams[0]
	}
	if l := tick(); l.Details != 4 || w.account.Calls()["GetOrderDetail"].Total != 4 {
		t.Errorf("%+v", l)
	}
	w.equal(end)
	w.account.ResetCounters()
	tick()
	if calls := w.account.Calls(); calls["GetOrderDetail"].Total != 0 || calls["QueryOrders"].Total > 20 {
		t.Errorf("a tick without changes: %+v", calls)
	}
	// The history shows each state once, however often it was seen.
	var states uint64
	if err := w.sink.Conn().QueryRow(t.Context(), fmt.Sprintf("SELECT count() FROM order_history WHERE order_id = '%s'", old[0])).Scan(&states); err != nil {
		t.Fatal(err)
	}
	if states != 2 {
		t.Errorf("%d states in the history", states)
	}
}

func TestReplayRebuildsFromRaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	bad := w.account.IDs(start, end)[12]
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: []string{bad}})
	w.account.SetFault(script.Fault)
	if s := w.backfill(end); s.Streams[0].Rejected != 1 {
		t.Fatalf("%+v", s.Streams[0])
	}
	w.exec("ALTER TABLE order_rows UPDATE pretax_amount = 1, product_code = 'x' WHERE order_id > '0'")
	w.exec("ALTER TABLE order_item_rows UPDATE region = 'x', quantity = 7 WHERE order_id > '0'")
	w.account.SetFault(nil)
	w.account.ResetCounters()
	s, err := w.audit().Replay(t.Context(), end.Add(time.Minute), start, end, nil)
	if err != nil || s.Streams[0].Changed < 290 || w.account.Calls()["QueryOrders"].Total+w.account.Calls()["GetOrderDetail"].Total > 0 {
		t.Errorf("%+v, %v, calls %v", s.Streams[0], err, w.account.Calls())
	}
	// The payload of the reject is as wrong as it was; a new walk brings the right one.
	w.backfill(end.Add(2 * time.Minute))
	w.equal(end)
	if again, err := w.audit().Replay(t.Context(), end.Add(time.Hour), start, end, nil); err != nil || again.Streams[0].Changed != 0 {
		t.Errorf("a second replay changed %d orders, %v", again.Streams[0].Changed, err)
	}
}

// A record that nobody can read costs ever fewer calls, and none once an operator has accepted it.
func TestRejectsGrowCheap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 200})
	end := start.AddDate(0, 0, 3)
	bad := w.account.IDs(start, end)[0] // older than the lookback
	w.account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.OrderID == bad {
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
		}
		return simulator.Action{}
	})
	w.backfill(end)
	calls := func() int { return w.account.Calls()["GetOrderDetail"].Total }
	now, before := end, calls()
	for range 12 * 24 * 2 { // two days of ticks
		now = now.Add(5 * time.Minute)
		if now.Sub(end) > time.Hour && now.Sub(now.Truncate(2*time.Hour)) > 0 {
			continue // every tick of the first hour, then one in two hours
		}
		s, err := w.engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Err() == nil {
			t.Fatalf("at %s the run looks green", now)
		}
	}
	if n := calls() - before; n < 5 || n > 12 {
		t.Errorf("%d calls in two days for an order that always fails", n)
	}
	rejects, err := warehousetest.OpenRejects(t.Context(), w.sink, w.stream)
	if err != nil || len(rejects) != 1 {
		t.Fatal(rejects, err)
	}
	accepted := rejects[0]
	accepted.AcceptedAt, accepted.AcceptedBy, accepted.Note = now, "me", "it is gone"
	accepted.Version++
	if err := w.sink.Write(t.Context(), schema.Batch{Rejects: []schema.Reject{accepted}}); err != nil {
		t.Fatal(err)
	}
	before = calls()
	s, err := w.engine.Scheduled(t.Context(), now.Add(48*time.Hour), time.Now().Add(time.Hour), nil)
	if err != nil || s.Err() != nil || calls() != before {
		t.Errorf("%v %v, %d calls", err, s.Err(), calls()-before)
	}
}

// Orders right before and right after what was synced are at the source and not stored, and that is no difference.
func TestVerifyDoesNotLookBeyondWhatIsSynced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 100})
	end := start.AddDate(0, 0, 3)
	w.account.Add(1, start.Add(-time.Second))
	w.account.Add(1, end)
	if _, err := w.engine.Backfill(t.Context(), end.Add(3*time.Hour), start, end, false, nil); err != nil {
		t.Fatal(err)
	}
	r, _, err := w.audit().Verify(t.Context(), end.Add(3*time.Hour), start, end, audit.Options{}, nil)
	if err != nil || len(r.Differences) > 0 {
		t.Errorf("%v %v", r.Differences, err)
	}
}
