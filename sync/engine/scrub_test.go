package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/domain"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// scheduled is a scheduled run and the scrub after it, as the daemon makes them, with as much time as lies between two runs.
func (w *world) scheduled(now time.Time, tick time.Duration) (scrubbed stream.Summary) {
	w.Helper()
	until := time.Now().Add(tick)
	s, err := w.Engine.Scheduled(w.Context(), now, until, nil)
	if err == nil {
		err = s.Err()
	}
	if err != nil {
		w.Fatal(err)
	}
	due, err := w.Engine.DueScrub(w.Context(), w.bounds, now, until)
	if err != nil {
		w.Fatal(err)
	}
	if due != nil {
		if scrubbed, err = w.Engine.RunScrub(w.Context(), due, nil); err != nil {
			w.Fatal(err)
		}
	}
	return scrubbed
}

// oldestLook is the window of the ledger that was not listed whole for the longest time.
func (w *world) oldestLook() schema.Window {
	w.Helper()
	rows, err := w.Sink.Windows(w.Context(), w.Stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		w.Fatal(err)
	}
	oldest := rows[0]
	for _, r := range rows {
		if r.Listing().Before(oldest.Listing()) {
			oldest = r
		}
	}
	return oldest
}

// What changes in the past, and what vanishes there, is in the copy within the interval, without anybody who verifies; a process
// that begins anew goes on where the one before was; and a round takes the calls that listing the past takes.
func TestScrubFindsOldChanges(t *testing.T) {
	t.Parallel()
	const days, every, tick = 5, 3 * 24 * time.Hour, 4 * time.Hour
	end := start.AddDate(0, 0, days)
	w := newWorld(t, simulator.Options{Seed: 51, Orders: 500, From: start, To: end})
	w.bounds.Rows, w.ListQuota = every, 10
	w.Engine = w.NewEngine(0, 20)
	now := end
	w.Backfill(now)
	w.scheduled(now, tick)
	old := w.Account.IDs(start, end.AddDate(0, 0, -2))
	gone := 0
	for i, id := range old {
		var err error
		switch {
		case i%20 == 3:
			err = w.Account.Change(id)
		case i%60 == 7 && w.Account.Vanish(id) == nil: // not of one that was given back
			gone++
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	changed, calls := 0, 0
	for at := tick; at <= every; at += tick {
		now = now.Add(tick)
		if at == every/2 { // another process
			w.Engine = w.NewEngine(0, 20)
		}
		s := w.scheduled(now, tick)
		for _, o := range s.Streams {
			changed += o.Changed
			calls += o.ListCalls
		}
		if oldest := w.oldestLook(); now.Sub(oldest.Listing()) > every {
			t.Fatalf("%s was last listed %s ago", window.At(oldest.Start, time.Hour), now.Sub(oldest.Listing()))
		}
	}
	w.Equal(end)
	if gone == 0 || changed < len(old)/20 {
		t.Errorf("%d orders vanished, and %d changed ones were found", gone, changed)
	}
	// Six pages and two calls a day, a day and a half more for what leaves the lookback, and two calls for each vanished order's window.
	if most := (days + 3) * 8 * 11 / 10; calls > most+4*gone {
		t.Errorf("%d list calls, %d at the most", calls, most+4*gone)
	}
	if r := w.Verify(now, audit.Options{Deep: true}); r.Left() > 0 {
		t.Errorf("a deep verification finds %v", r.Differences)
	}
}

// What changes in details alone, and is in no listing, is in the copy within the other interval; a detail is fetched once in it, and
// the ledger says of each window how old the oldest of its details is.
func TestScrubFindsChangedDetails(t *testing.T) {
	t.Parallel()
	const days, every, tick, all = 6, 4 * 24 * time.Hour, 4 * time.Hour, 300
	end := start.AddDate(0, 0, days)
	w := newWorld(t, simulator.Options{Seed: 55, Orders: all, From: start, To: end})
	w.bounds.Details = every
	now := end
	w.Backfill(now)
	w.scheduled(now, tick)
	old := w.Account.IDs(start, end.AddDate(0, 0, -2))
	changed := 0
	for i, id := range old {
		if i%7 == 3 && w.Account.ChangeDetail(id) == nil {
			changed++
		}
	}
	w.Account.ResetCounters()
	for at := tick; at <= every; at += tick {
		now = now.Add(tick)
		if at == every/2 {
			w.Engine = w.NewEngine(0, 20)
		}
		w.scheduled(now, tick)
		rows, err := w.Sink.Windows(t.Context(), w.Stream, start, end)
		if err != nil {
			t.Fatal(err)
		}
		ages, err := w.Sink.DetailAges(t.Context(), w.Stream, time.Hour, start, end)
		if err != nil {
			t.Fatal(err)
		}
		oldest := map[time.Time]time.Time{}
		for _, a := range ages {
			oldest[a.Start] = a.DetailedAt
		}
		for _, r := range rows {
			if at := oldest[r.Start.UTC()]; !at.Equal(r.DetailedAt) && (r.DetailedAt.IsZero() || r.DetailedAt.After(at)) {
				t.Errorf("%s: the oldest detail is of %s, the ledger says %s", r.Start, at, r.DetailedAt)
			}
			if !r.DetailedAt.IsZero() && now.Sub(r.DetailedAt) > every {
				t.Fatalf("%s: a detail was last fetched %s ago", r.Start, now.Sub(r.DetailedAt))
			}
		}
	}
	orders, err := w.Sink.Orders(t.Context(), w.Stream, start, end)
	if err != nil {
		t.Fatal(err)
	}
	items, err := w.Sink.Items(t.Context(), w.Stream, start, end)
	if err != nil {
		t.Fatal(err)
	}
	if d := compare.Rows(orders, items, w.Account); len(d) > 0 || changed < 5 {
		t.Errorf("%d details changed: %v", changed, d)
	}
	twice := 0
	for _, id := range old {
		if w.Account.DetailCalls(id) > 1 {
			twice++
		}
	}
	if calls := w.Account.Calls()["GetOrderDetail"].Total; calls > all*11/10 || twice > len(old)/10 {
		t.Errorf("%d details were fetched of %d orders, and %d of %d twice", calls, all, twice, len(old))
	}
}

// Of orders that cannot be listed a scrub fetches the details, each once in the interval, and so finds what changed of those that
// are paid or cancelled; there are no list rows to compare, and no interval for them.
func TestScrubOfWhatCannotBeListed(t *testing.T) {
	t.Parallel()
	const days, every, tick, all = 20, 4 * 24 * time.Hour, 6 * time.Hour, 60
	end := start.AddDate(0, 0, days)
	w := newWorld(t, simulator.Options{Vendor: simulator.VendorDomain, Seed: 57, Orders: all, From: start, To: end})
	w.Stream.Source, w.Decoder = domain.Vendor, domain.Decoder{}
	w.Engine = w.NewEngine(0, 20)
	ids := w.Account.IDs(start, end)
	tracked := make([]schema.Tracked, len(ids))
	for i, id := range ids {
		tracked[i] = schema.Tracked{Stream: w.Stream, OrderID: id, AddedAt: end, Version: 1}
	}
	if err := w.Sink.Track(t.Context(), tracked); err != nil {
		t.Fatal(err)
	}
	now := end.AddDate(0, 0, 10)
	w.bounds = engine.Bounds{Rows: time.Hour} // which is of no list
	if s := w.scheduled(now, tick); len(s.Streams) > 0 {
		t.Errorf("a scrub of list rows: %+v", s.Streams)
	}
	w.bounds = engine.Bounds{Details: every}
	var changed []string
	for i, id := range ids {
		if o, _ := w.Account.Order(id); i%5 == 2 && !schema.IsUnpaid(o.PaymentStatus) && w.Account.ChangeDetail(id) == nil {
			changed = append(changed, id)
		}
	}
	w.Account.ResetCounters()
	settled, rechecked := 0, 0
	for at := time.Duration(0); at <= every; at += tick {
		now = now.Add(tick)
		if at == every/2 {
			w.Engine = w.NewEngine(0, 20)
		}
		for _, o := range w.scheduled(now, tick).Streams {
			rechecked += o.Rechecked
		}
	}
	for _, id := range ids {
		o, _ := w.Account.Order(id)
		if schema.IsUnpaid(o.PaymentStatus) {
			continue
		}
		settled++
		if n := w.Account.DetailCalls(id); n < 1 || n > 2 {
			t.Errorf("the detail of order %s was fetched %d times in %s", id, n, every)
		}
	}
	stored, err := w.Sink.Items(t.Context(), w.Stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := w.Sink.Orders(t.Context(), w.Stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		t.Fatal(err)
	}
	for i := range stored {
		stored[i].ExtendInfos = nil // the truth has none of this vendor
	}
	if d := compare.Rows(orders, stored, w.Account); len(d) > 0 || len(changed) < 5 {
		t.Errorf("%d details changed: %v", len(changed), d)
	}
	if rechecked < settled || rechecked > settled*5/4 {
		t.Errorf("%d details were fetched for %d orders", rechecked, settled)
	}
	if lists := w.Account.Calls()["QueryOrders"].Total; lists > 0 {
		t.Errorf("%d list calls", lists)
	}
}

// Too much that vanishes at once empties nothing: the windows are short, and say what to do.
func TestScrubBelievesNoEmptySource(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 4)
	w := newWorld(t, simulator.Options{Seed: 52, Orders: 800, From: start, To: end})
	w.bounds.Rows = 10 * time.Second
	w.Engine = w.NewEngine(0, 20)
	w.Backfill(end)
	before, err := w.Sink.Count(t.Context(), w.Stream, start, end)
	if err != nil {
		t.Fatal(err)
	}
	gone := 0
	for _, id := range w.Account.IDs(start, start.AddDate(0, 0, 1)) {
		if w.Account.Vanish(id) == nil {
			gone++
		}
	}
	due, err := w.Engine.DueScrub(t.Context(), w.bounds, end.Add(time.Hour), time.Time{})
	if err != nil || due == nil || gone < 60 {
		t.Fatal(due, err, gone)
	}
	s, err := w.Engine.RunScrub(t.Context(), due, nil)
	if err != nil || s.Err() == nil || s.Streams[0].Windows[schema.Short] == 0 {
		t.Errorf("%d orders vanished, and the run says %v, %v: %+v", gone, err, s.Err(), s.Streams)
	}
	if after, err := w.Sink.Count(t.Context(), w.Stream, start, end); err != nil || after != before {
		t.Errorf("%d orders are left of %d, %v", after, before, err)
	}
}

// A deep verification by hand counts: what it has found as it should be need not be listed again for as long.
func TestDeepVerificationCountsForScrub(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 4)
	w := newWorld(t, simulator.Options{Seed: 53, Orders: 300, From: start, To: end})
	w.Backfill(end)
	late := end.AddDate(0, 0, 20)
	changed := w.Account.IDs(start.Add(30*time.Hour), end)[0]
	if err := w.Account.Change(changed); err != nil {
		t.Fatal(err)
	}
	if r := w.VerifyRange(late, start, end, audit.Options{Deep: true}); r.Left() != 1 {
		t.Fatal(r.Differences)
	}
	rows, err := w.Sink.Windows(t.Context(), w.Stream, start, end)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := w.Account.Order(changed)
	for _, r := range rows {
		differs := window.At(o.CreateTime, time.Hour).Start.Equal(r.Start)
		if counted := !r.ListedAt.Before(late); counted == differs && r.Verdict == schema.Complete {
			t.Errorf("%s: listed at %s, verified at %s; it differs: %t", r.Start, r.ListedAt, late, differs)
		}
	}
}

// slowSource takes a while for each call once it is told to.
type slowSource struct {
	stream.Source
	takes *time.Duration
}

func (s slowSource) List(ctx context.Context, q source.Query) (source.Page, error) {
	select {
	case <-time.After(*s.takes):
		return s.Source.List(ctx, q)
	case <-ctx.Done():
		return source.Page{}, context.Cause(ctx)
	}
}

// A scrub that is not done when the next scheduled run is due ends by then, as no failure, and goes on after it.
func TestScrubEndsInTime(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 4)
	w := newWorld(t, simulator.Options{Seed: 54, Orders: 400, From: start, To: end})
	takes := time.Duration(0)
	w.Source = func(s stream.Source) stream.Source { return slowSource{s, &takes} }
	w.bounds.Rows = 10 * time.Second
	w.Engine = w.NewEngine(0, 20)
	w.Backfill(end)
	takes = 500 * time.Millisecond
	until := time.Now().Add(2 * time.Second)
	now := end.Add(time.Hour)
	due, err := w.Engine.DueScrub(t.Context(), w.bounds, now, until)
	if err != nil || due == nil {
		t.Fatal(due, err)
	}
	s, err := w.Engine.RunScrub(t.Context(), due, nil)
	if over := time.Since(until); err != nil || s.Err() != nil || over > time.Second {
		t.Errorf("%s after its end: %v, %v", over, err, s.Err())
	}
	takes = 0
	due, err = w.Engine.DueScrub(t.Context(), w.bounds, now, time.Time{})
	if err != nil || due == nil {
		t.Fatal(due, err)
	}
	if s, err = w.Engine.RunScrub(t.Context(), due, nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	if oldest := w.oldestLook(); oldest.End.Before(now.Add(-24*time.Hour)) && oldest.Listing().Before(now) {
		t.Errorf("%+v was not listed again", oldest)
	}
}

// A ledger of before it knew how old details are learns it from the orders.
func TestScrubLearnsHowOldDetailsAre(t *testing.T) {
	t.Parallel()
	end := start.AddDate(0, 0, 4)
	w := newWorld(t, simulator.Options{Seed: 56, Orders: 200, From: start, To: end})
	w.Backfill(end)
	detailed := func() (n uint64) {
		t.Helper()
		if err := w.Sink.Conn().QueryRow(t.Context(), `SELECT count() FROM sync_windows WHERE isNotNull(detailed_at) AND window_start < ?`,
			end.Add(-24*time.Hour)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := detailed()
	w.Exec("ALTER TABLE sync_window_rows UPDATE detailed_at = NULL WHERE 1")
	if before == 0 || detailed() > 0 {
		t.Fatal(before, detailed())
	}
	w.scheduled(end, 5*time.Minute)
	if after := detailed(); after != before {
		t.Errorf("%d windows say how old their details are, %d did before", after, before)
	}
	if due, err := w.Engine.DueScrub(t.Context(), w.bounds, end.Add(5*time.Minute), time.Time{}); err != nil || due != nil {
		t.Errorf("it is asked again: %+v, %v", due, err)
	}
}
