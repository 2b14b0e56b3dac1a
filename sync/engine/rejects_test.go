package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
)

// A row whose creation time cannot be read belongs to some hour of a listing, and nobody knows to which: listing one of
// them again proves nothing. It counts once, also where two listings show it.
func TestARowWithoutATimeIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	bad := append(w.Account.Add(1, start.AddDate(0, 0, 1)), w.Account.Add(1, start.Add(16*time.Hour))...)
	outside := w.Account.Add(1, start.Add(-time.Second)) // listed with the first window, and not of it
	script := simulator.NewScript(1, simulator.Rule{Kind: "no-create-time", Orders: append(bad, outside...)})
	w.Account.SetFault(script.Fault)
	if s := w.Backfill(now); s.Streams[0].Rejected != 3 {
		t.Error(s.Err())
	}
	for range 3 {
		now = now.Add(6 * time.Hour)
		s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil || s.Err() == nil || s.Streams[0].Rejected != 3 {
			t.Errorf("%v, %v", err, s.Err())
		}
		if open, ledger := w.Count("SELECT count() FROM rejects WHERE status = 'open'"), w.Count("SELECT sum(rejected) FROM sync_windows"); open != 3 || ledger != 3 {
			t.Errorf("at %s %d are open and the ledger says %d", now, open, ledger)
		}
	}
	script.Off()
	now = now.AddDate(0, 0, 1)
	if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Errorf("%v, %v", err, s.Err())
	}
	if open, ledger := w.Count("SELECT count() FROM rejects WHERE status = 'open'"), w.Count("SELECT sum(rejected) FROM sync_windows"); open+ledger > 0 {
		t.Errorf("healed, but %d are open and the ledger says %d", open, ledger)
	}
	w.Equal(now)
}

// Two runs may have the same time, as when a clock stands still: what the second one sees wins.
func TestTwoRunsAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	bad := w.Account.IDs(now.Add(-20*time.Hour), now)[3:6]
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: bad[:2]}, simulator.Rule{Kind: "bad-line", Orders: bad[2:]})
	w.Account.SetFault(script.Fault)
	w.Backfill(now)
	for i := range 6 {
		script.On()
		if i%2 == 0 {
			script.Off()
		}
		if err := w.Account.Change(bad[2]); err != nil { // so that its detail is fetched again
			t.Fatal(err)
		}
		s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil || s.Streams[0].Rejected != 3*(i%2) {
			t.Errorf("run %d: %v, %v", i, err, s.Err())
		}
		if n := w.Count("SELECT count() FROM rejects WHERE status = 'open'"); n != uint64(s.Streams[0].Rejected) {
			t.Errorf("run %d: %d rejects are open", i, n)
		}
	}
	script.Off()
	now = now.AddDate(0, 0, 1)
	if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	w.Equal(now)
	w.history()
}

// accept accepts all open rejects, as an operator would.
func (w *world) accept(by string) {
	w.Helper()
	rejects, err := warehousetest.OpenRejects(w.Context(), w.Sink, w.Stream)
	if err != nil {
		w.Fatal(err)
	}
	for _, j := range rejects {
		if !j.AcceptedAt.IsZero() {
			continue
		}
		j.AcceptedAt, j.AcceptedBy, j.Note = time.Now(), by, "looked at"
		if err := w.Sink.AcceptReject(w.Context(), j); err != nil {
			w.Fatal(err)
		}
	}
}

// A run that began before an acceptance writes the reject again, and cannot undo it. A different failure of the same
// record is not accepted with it.
func TestARunDoesNotUndoAnAcceptance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	bad := w.Account.IDs(now.Add(-10*time.Hour), now)[:3]
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: bad[:1]}, simulator.Rule{Kind: "bad-line", Orders: bad[1:2]})
	gone := bad[2]
	var during atomic.Pointer[func()]
	var healed atomic.Bool
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if do := during.Swap(nil); do != nil { // the run has begun, and read the rejects
			(*do)()
		}
		if f.OrderID == gone && !healed.Load() {
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
		}
		return script.Fault(f)
	})
	w.Backfill(now)
	status := func() string {
		t.Helper()
		var out string
		if err := w.Sink.Conn().QueryRow(t.Context(), "SELECT arrayStringConcat(arraySort(groupArray(concat(stage, ' ', status))), ', ') FROM rejects").Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := status(); got != "detail open, item open, list open" {
		t.Fatal(got)
	}
	if err := w.Account.Change(bad[1]); err != nil { // so that all three are met again
		t.Fatal(err)
	}
	accept := func() { w.accept("me") }
	during.Store(&accept)
	now = now.Add(2 * time.Hour)
	if _, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	if n := w.Count("SELECT countIf(attempts > 1) FROM rejects"); n == 0 {
		t.Error("the run wrote none of them again: this test shows nothing")
	}
	if got := status(); got != "detail accepted, item open, list accepted" { // the line came with another payload
		t.Errorf("after the run: %s", got)
	}
	w.accept("me")
	s, err := w.Engine.Scheduled(t.Context(), now.Add(time.Minute), time.Now().Add(time.Hour), nil)
	if err != nil || s.Err() != nil || status() != "detail accepted, item accepted, list accepted" {
		t.Errorf("%v, %v, %s", err, s.Err(), status())
	}
	// Healed while it is accepted: it is a row, whoever says what.
	during.Store(&accept)
	script.Off()
	healed.Store(true)
	if err := w.Account.Change(bad[1]); err != nil {
		t.Fatal(err)
	}
	if s, err := w.Engine.Backfill(t.Context(), now.Add(time.Hour), start, now, true, nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	if got := status(); got != "detail accepted, item resolved, list resolved" { // an accepted detail is not asked for
		t.Error(got)
	}
}

// Of two operators the first one counts, and acceptances of before there was a table for them hold.
func TestAcceptances(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	bad := w.Account.IDs(now.Add(-10*time.Hour), now)[:2]
	w.Account.SetFault(simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: bad}).Fault)
	w.Backfill(now)
	open, err := warehousetest.OpenRejects(t.Context(), w.Sink, w.Stream)
	if err != nil || len(open) != 2 {
		t.Fatal(open, err)
	}
	old := open[1]
	old.AcceptedAt, old.AcceptedBy, old.Version = time.Now(), "before", old.Version+1
	if err := w.Sink.Write(t.Context(), schema.Batch{Rejects: []schema.Reject{old}}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"first", "second"} {
		j := open[0]
		j.AcceptedAt, j.AcceptedBy = time.Now(), who
		if err := w.Sink.AcceptReject(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := w.Engine.Scheduled(t.Context(), now.Add(48*time.Hour), time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Errorf("%v, %v", err, s.Err())
	}
	if n := w.Count("SELECT count() FROM rejects WHERE status = 'accepted' AND accepted_by IN ('first', 'before')"); n != 2 {
		t.Errorf("%d are accepted", n)
	}
	if n := w.Count("SELECT count() FROM reject_rows FINAL WHERE payload != xxHash64(raw)"); n != 0 {
		t.Errorf("the payloads of %d rejects have another hash than ours", n)
	}
}

// A record that nobody can read costs ever fewer calls, and none once an operator has accepted it.
func TestRejectsGrowCheap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 200})
	end := start.AddDate(0, 0, 3)
	bad := w.Account.IDs(start, end)[0] // older than the lookback
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.OrderID == bad {
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
		}
		return simulator.Action{}
	})
	w.Backfill(end)
	calls := func() int { return w.Account.Calls()["GetOrderDetail"].Total }
	now, before := end, calls()
	for range 12 * 24 * 2 { // two days of runs
		now = now.Add(5 * time.Minute)
		if now.Sub(end) > time.Hour && now.Sub(now.Truncate(2*time.Hour)) > 0 {
			continue // every run of the first hour, then one in two hours
		}
		s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
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
	rejects, err := warehousetest.OpenRejects(t.Context(), w.Sink, w.Stream)
	if err != nil || len(rejects) != 1 {
		t.Fatal(rejects, err)
	}
	accepted := rejects[0]
	accepted.AcceptedAt, accepted.AcceptedBy, accepted.Note = now, "me", "it is gone"
	accepted.Version++
	if err := w.Sink.Write(t.Context(), schema.Batch{Rejects: []schema.Reject{accepted}}); err != nil {
		t.Fatal(err)
	}
	before = calls()
	s, err := w.Engine.Scheduled(t.Context(), now.Add(48*time.Hour), time.Now().Add(time.Hour), nil)
	if err != nil || s.Err() != nil || calls() != before {
		t.Errorf("%v %v, %d calls", err, s.Err(), calls()-before)
	}
}

// A stored order whose list row cannot be read any more stays as it is, and is what was listed: no proof counts it twice, or
// misses it, whether the reject is open, accepted or healed.
func TestAStoredOrderThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"bad-amount", "no-create-time"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
			now := start.AddDate(0, 0, 3)
			w.Backfill(now)
			ids := w.Account.IDs(now.Add(-20*time.Hour), now.Add(-time.Hour))
			w.Account.SetFault(simulator.NewScript(1, simulator.Rule{Kind: kind, Orders: ids[2:4]}).Fault)
			proven := func(what string, green bool) {
				t.Helper()
				if s := w.RunAt(now); (s.Err() == nil) != green {
					t.Errorf("%s: %v", what, s.Err())
				}
				w.Equal(now)
				if n := w.Count("SELECT count() FROM sync_windows WHERE listed != stored"); n > 0 {
					t.Errorf("%s: the numbers of %d windows do not add up", what, n)
				}
				for _, o := range []audit.Options{{}, {Deep: true}, {Deep: true, Repair: true}} {
					if r := w.Verify(now.Add(time.Minute), o); len(r.Differences) > 0 {
						t.Errorf("%s, %+v: %+v", what, o, r.Differences)
					}
				}
				now = now.Add(10 * time.Minute)
			}
			proven("open", false)
			w.accept("me")
			proven("accepted", true)
			w.Account.SetFault(nil)
			proven("healed", true)
			if n := w.Count("SELECT count() FROM rejects WHERE status = 'open'"); n > 0 {
				t.Errorf("%d rejects are open", n)
			}
		})
	}
}
