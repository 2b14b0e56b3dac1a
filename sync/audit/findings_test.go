package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
)

// openFindings returns the kinds of the open findings, by where they are.
func (w *world) openFindings() string {
	w.Helper()
	findings, err := w.Sink.OpenFindings(w.Context(), w.Stream)
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, f := range findings {
		out = append(out, f.Kind)
	}
	return strings.Join(out, " ")
}

// changedOrders is a world of three days with an order that changed out of sight on each of the first two.
func changedOrders(t *testing.T) (w *world, now time.Time) {
	t.Helper()
	w = newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now = start.AddDate(0, 0, 3).Add(time.Hour)
	w.Backfill(now)
	for day := range 2 {
		if err := w.Account.Change(w.Account.IDs(start.AddDate(0, 0, day).Add(2*time.Hour), now)[0]); err != nil {
			t.Fatal(err)
		}
	}
	return w, now
}

// A finding ends by a look of the same depth at the same place, and by nothing else (I12).
func TestWhatEndsAFinding(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	deep := audit.Options{Deep: true}
	for name, c := range map[string]struct {
		look func(w *world, now time.Time)
		left string // open afterwards
	}{
		"counts, of everything": {func(w *world, now time.Time) {
			if r := w.Verify(now, audit.Options{}); r.Left() != 2 || r.Differences[0].FoundAt.IsZero() {
				w.Errorf("%+v", r.Differences)
			}
		}, "changed changed"},
		"a deep look that still finds them": {func(w *world, now time.Time) { w.Verify(now, deep) }, "changed changed"},
		"a repair of a part": {func(w *world, now time.Time) {
			if r := w.VerifyRange(now, day(0), day(1), audit.Options{Repair: true}); len(r.Differences) != 1 || r.Left() != 0 {
				w.Errorf("%+v", r.Differences)
			}
		}, "changed"},
		"a repair of everything, by counts": {func(w *world, now time.Time) {
			w.Verify(now, audit.Options{Repair: true})
		}, ""},
		"a backfill of a part, by force": {func(w *world, now time.Time) {
			if _, err := w.Engine.Backfill(w.Context(), now, day(0), day(1), true, nil); err != nil {
				w.Fatal(err)
			}
		}, "changed"},
		"a scheduled run that does not come so far": {func(w *world, now time.Time) {
			if _, err := w.Engine.Scheduled(w.Context(), now, time.Now().Add(time.Hour), nil); err != nil {
				w.Fatal(err)
			}
		}, "changed changed"},
		"a backfill whose listings fail": {func(w *world, now time.Time) {
			w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
				if f.OrderID == "" {
					return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
				}
				return simulator.Action{}
			})
			if _, err := w.Engine.Backfill(w.Context(), now, day(0), day(2), true, nil); err != nil {
				w.Fatal(err)
			}
		}, "changed changed"},
		"a backfill whose listings are short": {func(w *world, now time.Time) {
			w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
				return simulator.Action{Total: func(n int) int { return n + 1 }}
			})
			if _, err := w.Engine.Backfill(w.Context(), now, day(0), day(2), true, nil); err != nil {
				w.Fatal(err)
			}
		}, "changed changed"},
		"a deep look that is cut short after the first day": {func(w *world, now time.Time) {
			w.Engine.Backfill(w.Context(), now, day(0), day(2), true, nil)
			w.Exec("ALTER TABLE sync_finding_rows DELETE WHERE 1") // they have ended; as if they had not
			ctx, cancel := context.WithCancel(w.Context())
			defer cancel()
			for i := range 2 {
				w.Account.Change(w.Account.IDs(day(i).Add(2*time.Hour), now)[0])
			}
			w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
				if f.OrderID == "" && !f.Start.Before(day(1).Add(-time.Hour)) {
					cancel()
				}
				return simulator.Action{}
			})
			if _, _, err := w.Audit().Verify(ctx, now, start, now, deep, nil); !errors.Is(err, context.Canceled) {
				w.Error(err)
			}
		}, "changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, now := changedOrders(t)
			w.T = t
			if r := w.Verify(now, deep); r.Left() != 2 || w.openFindings() != "changed changed" {
				t.Fatalf("%+v, open: %s", r.Differences, w.openFindings())
			}
			c.look(w, now)
			if left := w.openFindings(); left != c.left {
				t.Errorf("open: %q instead of %q", left, c.left)
			}
		})
	}
}

// A scheduled run that lists the windows of findings whole ends them, each by what it proves.
func TestARunEndsFindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	ids := w.Account.IDs(now.Add(-20*time.Hour), now.Add(-2*time.Hour))
	if err := w.Account.Change(ids[0]); err != nil {
		t.Fatal(err)
	}
	w.Account.Add(1, now.Add(-5*time.Hour+20*time.Minute))
	w.Exec("ALTER TABLE order_rows UPDATE pretax_amount = pretax_amount + 1 WHERE order_id = '%s'", ids[1])
	w.Verify(now.Add(time.Minute), audit.Options{})
	if got := w.openFindings(); got != "count" {
		t.Fatalf("open: %s", got)
	}
	w.Verify(now.Add(time.Minute), audit.Options{Deep: true}) // which knows what is behind the count
	if got := w.openFindings(); len(got) != len("altered changed absent") || strings.Contains(got, "count") {
		t.Fatalf("open: %s", got)
	}
	if s, err := w.Engine.Scheduled(t.Context(), now.Add(5*time.Minute), time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	// That a row is not what its payload says is not seen by listing it.
	if got := w.openFindings(); got != "altered" {
		t.Errorf("open: %s", got)
	}
	if n := w.Count("SELECT count() FROM sync_findings WHERE ended_by = 'run'"); n != 2 {
		t.Errorf("%d findings were ended by the run", n)
	}
}

// What is left out is not compared, and no finding there ends.
func TestWhatIsLeftOutIsNotCovered(t *testing.T) {
	t.Parallel()
	w, now := changedOrders(t)
	w.Verify(now, audit.Options{Deep: true})
	findings, err := w.Sink.OpenFindings(t.Context(), w.Stream)
	if err != nil {
		t.Fatal(err)
	}
	at := findings[0].Start
	w.Exec("ALTER TABLE sync_window_rows UPDATE verdict = 'short' WHERE window_start = '%s'", at.Format(time.DateTime))
	w.Exec("ALTER TABLE sync_window_rows DELETE WHERE window_start = '%s'", at.Add(3*time.Hour).Format(time.DateTime))
	r := w.Verify(now, audit.Options{})
	if r.LeftOut != 2 || r.Windows+r.LeftOut != 72 || r.Left() != 4 {
		t.Errorf("%d windows, %d left out, %+v", r.Windows, r.LeftOut, r.Differences)
	}
	if got := w.openFindings(); got != "changed undone missing changed" {
		t.Errorf("open: %s", got)
	}
	if _, err := w.Engine.Backfill(t.Context(), now, start, now, false, nil); err != nil { // lists the two
		t.Fatal(err)
	}
	if got := w.openFindings(); got != "changed" {
		t.Errorf("open after the backfill: %s", got)
	}
}

// An order in the last second of what was verified is found by a look that covers it, and a look that stops before it
// does not end that finding.
func TestACountCoversWhatItAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 100})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	w.Backfill(now)
	w.Account.Add(1, start.Add(30*time.Hour-time.Second))
	if r := w.Verify(now, audit.Options{}); !strings.Contains(w.kinds(r), "count") {
		t.Fatalf("%+v", r.Differences)
	}
	if r := w.VerifyRange(now, start, start.Add(30*time.Hour), audit.Options{}); r.Left() != 1 {
		t.Errorf("%+v", r.Differences)
	}
	if r := w.Verify(now, audit.Options{Repair: true}); r.Left() != 0 || w.openFindings() != "" {
		t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
	}
}

// A repair says for each difference by itself what became of it.
func TestRepairedIsWhatWasListedWhole(t *testing.T) {
	t.Parallel()
	w, now := changedOrders(t)
	bad := start.AddDate(0, 0, 1)
	w.Verify(now, audit.Options{Deep: true})
	for name, fault := range map[string]simulator.Action{
		"refused": {Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}},
		"short":   {Total: func(n int) int { return n + 1 }},
	} {
		w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
			if f.OrderID == "" && f.Size > 1 && f.Start.After(bad.Add(-time.Hour)) {
				return fault
			}
			return simulator.Action{}
		})
		r := w.Verify(now, audit.Options{Repair: true})
		repaired, left := 0, 0
		for _, d := range r.Differences {
			switch {
			case d.Repaired && d.Start.Before(bad):
				repaired++
			case d.Kind == audit.Undone && !d.Start.Before(bad): // the ledger says so by now
			case !d.Repaired && d.Why != "" && !d.Start.Before(bad):
				left++
			default:
				t.Errorf("%s: %+v", name, d)
			}
		}
		if left != 1 {
			t.Errorf("%s: %d left, %d repaired", name, left, repaired)
		}
		if open := w.openFindings(); !strings.Contains(open, "changed") {
			t.Errorf("%s: open: %s", name, open)
		}
	}
	w.Account.SetFault(nil)
	if r := w.Verify(now, audit.Options{Repair: true}); r.Left() != 0 || w.openFindings() != "" {
		t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
	}
	w.Equal(start.AddDate(0, 0, 3))
}

// What was found without filters, or with others, is ended by a look with some only where that shows it (I12).
func TestFiltersEndNoFindingThatTheyLeaveOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 4, Orders: 400})
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	narrow := func(f schema.Filters) {
		w.Store, w.Filters = w.Sink.Narrowed(f), f
		w.Engine = w.NewEngine(0, 20)
		w.Backfill(now)
	}
	w.Backfill(now)
	ids := w.Account.IDs(start, end)
	inside, _ := w.Account.Order(ids[0])
	outside := ids[slices.IndexFunc(ids, func(id string) bool { o, _ := w.Account.Order(id); return o.ProductCode != inside.ProductCode })]
	for _, id := range []string{inside.OrderID, outside} {
		if err := w.Account.Change(id); err != nil {
			t.Fatal(err)
		}
	}
	w.Verify(now, audit.Options{Deep: true})
	for range 8 { // of which some have another product
		w.Account.Add(1, start.Add(30*time.Hour))
	}
	w.VerifyRange(now, start.Add(30*time.Hour), start.Add(32*time.Hour), audit.Options{})
	open := func(what, want string) {
		t.Helper()
		if got := w.openFindings(); got != want {
			t.Errorf("%s: open: %q instead of %q", what, got, want)
		}
	}
	open("before", "changed changed count")
	narrow(schema.Filters{ProductCode: inside.ProductCode})
	open("listed with filters", "changed count")
	for _, o := range []audit.Options{{}, {Deep: true}, {Deep: true, Repair: true}} {
		if r := w.Verify(now, o); r.Left() != 2 || o.Repair && !strings.Contains(r.Differences[0].Why, "accounts[].filters") {
			t.Errorf("%+v: %+v", o, r.Differences)
		}
	}
	open("looked at with filters", "changed count")
	narrow(schema.Filters{})
	open("listed without", "")
	if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) != 0 {
		t.Errorf("%+v", r.Differences)
	}
	w.Equal(end)
}

// An order whose new row was listed is not repaired while its items are those of before.
func TestRepairedHasItsDetail(t *testing.T) {
	t.Parallel()
	w, now := changedOrders(t)
	lacks := ""
	var refused atomic.Bool
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.OrderID != "" && f.OrderID == lacks && refused.Load() {
			return simulator.Action{Error: &simulator.Error{Status: 503, Code: "Throttling.User"}}
		}
		return simulator.Action{}
	})
	findings := w.Verify(now, audit.Options{Deep: true}).Differences
	lacks = findings[0].OrderID
	refused.Store(true)
	for _, d := range w.Verify(now, audit.Options{Deep: true, Repair: true}).Differences {
		if d.Repaired == (d.OrderID == lacks) || d.Repaired == (d.Why != "") {
			t.Errorf("%+v", d)
		}
	}
	if r := w.Verify(now, audit.Options{}); r.Left() != 1 {
		t.Errorf("%+v", r.Differences)
	}
	refused.Store(false)
	w.Backfill(now) // tries what is pending again
	if r := w.Verify(now, audit.Options{Deep: true}); r.Left() != 0 || w.openFindings() != "" {
		t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
	}
	w.Equal(start.AddDate(0, 0, 3))
}

// Items that were altered by hand are not repaired while the order's detail is unavailable.
func TestAlteredItemsNeedTheirDetail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 100})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	w.Backfill(now)
	id := w.Account.IDs(start, now)[5]
	w.Exec("ALTER TABLE order_item_rows UPDATE region = 'nowhere' WHERE order_id = '%s'", id)
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.OrderID == id {
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
		}
		return simulator.Action{}
	})
	for range 2 {
		r := w.Verify(now, audit.Options{Deep: true, Repair: true})
		if r.Left() == 0 || !strings.Contains(w.openFindings(), "altered") {
			t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
		}
	}
	w.Account.SetFault(nil)
	if r := w.Verify(now, audit.Options{Deep: true, Repair: true}); r.Left() != 0 || w.openFindings() != "" {
		t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
	}
	w.Equal(start.AddDate(0, 0, 3))
}

// byID is a source whose orders cannot be listed.
type byID struct{ stream.Source }

func (byID) CanList() bool { return false }

// Where orders cannot be listed their details are compared, and repaired is what could be fetched.
func TestFindingsOfWhatCannotBeListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	w.Backfill(now)
	w.Source = func(s stream.Source) stream.Source { return byID{s} }
	w.Engine = w.NewEngine(0, 20)
	deep := audit.Options{Deep: true}
	if r := w.Verify(now, deep); len(r.Differences) != 0 {
		t.Fatalf("%+v", r.Differences)
	}
	ids := w.Account.Unpaid()[:2]
	for _, id := range ids {
		if err := w.Account.Pay(id); err != nil {
			t.Fatal(err)
		}
	}
	if r := w.Verify(now, deep); r.Left() != 2 || w.openFindings() != "changed changed" {
		t.Errorf("%+v", r.Differences)
	}
	// The first look is answered, and what is asked for again is not.
	var looked atomic.Bool
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.OrderID == ids[0] && looked.Swap(true) {
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
		}
		return simulator.Action{}
	})
	r := w.Verify(now, audit.Options{Deep: true, Repair: true})
	for _, d := range r.Differences {
		if d.Repaired != (d.OrderID == ids[1]) || d.Repaired == (d.Why != "") {
			t.Errorf("%+v", d)
		}
	}
	if r.Left() != 1 || w.openFindings() != "changed" {
		t.Errorf("%d left, open: %s", r.Left(), w.openFindings())
	}
	// An order that cannot be asked for is not compared.
	if r := w.Verify(now, deep); r.Left() != 2 || w.openFindings() != "changed undone" && w.openFindings() != "undone changed" {
		t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
	}
	w.Account.SetFault(nil)
	if r := w.Verify(now, audit.Options{Deep: true, Repair: true}); r.Left() != 0 || w.openFindings() != "" {
		t.Errorf("%+v, open: %s", r.Differences, w.openFindings())
	}
}
