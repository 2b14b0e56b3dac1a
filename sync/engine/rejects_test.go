package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

func (w *world) count(query string, args ...any) (n uint64) {
	w.Helper()
	if err := w.sink.Conn().QueryRow(w.Context(), fmt.Sprintf(query, args...)).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// A row whose creation time cannot be read belongs to some hour of a listing, and nobody knows to which: listing one of
// them again proves nothing. It counts once, also where two listings show it.
func TestARowWithoutATimeIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	bad := append(w.account.Add(1, start.AddDate(0, 0, 1)), w.account.Add(1, start.Add(16*time.Hour))...)
	outside := w.account.Add(1, start.Add(-time.Second)) // listed with the first window, and not of it
	script := simulator.NewScript(1, simulator.Rule{Kind: "no-create-time", Orders: append(bad, outside...)})
	w.account.SetFault(script.Fault)
	if s := w.backfill(now); s.Lanes[0].Rejected != 3 {
		t.Error(s.Err())
	}
	for range 3 {
		now = now.Add(6 * time.Hour)
		s, err := w.engine.Tick(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil || s.Err() == nil || s.Lanes[0].Rejected != 3 {
			t.Errorf("%v, %v", err, s.Err())
		}
		if open, ledger := w.count("SELECT count() FROM rejects WHERE status = 'open'"), w.count("SELECT sum(rejected) FROM sync_windows"); open != 3 || ledger != 3 {
			t.Errorf("at %s %d are open and the ledger says %d", now, open, ledger)
		}
	}
	script.Off()
	now = now.AddDate(0, 0, 1)
	if s, err := w.engine.Tick(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Errorf("%v, %v", err, s.Err())
	}
	if open, ledger := w.count("SELECT count() FROM rejects WHERE status = 'open'"), w.count("SELECT sum(rejected) FROM sync_windows"); open+ledger > 0 {
		t.Errorf("healed, but %d are open and the ledger says %d", open, ledger)
	}
	w.equal(now)
}

// Two ticks may have the same time, as when a clock stands still: what the second one sees wins.
func TestTwoTicksAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	bad := w.account.IDs(now.Add(-20*time.Hour), now)[3:6]
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: bad[:2]}, simulator.Rule{Kind: "bad-line", Orders: bad[2:]})
	w.account.SetFault(script.Fault)
	w.backfill(now)
	for i := range 6 {
		script.On()
		if i%2 == 0 {
			script.Off()
		}
		if err := w.account.Change(bad[2]); err != nil { // so that its detail is fetched again
			t.Fatal(err)
		}
		s, err := w.engine.Tick(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil || s.Lanes[0].Rejected != 3*(i%2) {
			t.Errorf("tick %d: %v, %v", i, err, s.Err())
		}
		if n := w.count("SELECT count() FROM rejects WHERE status = 'open'"); n != uint64(s.Lanes[0].Rejected) {
			t.Errorf("tick %d: %d rejects are open", i, n)
		}
	}
	script.Off()
	now = now.AddDate(0, 0, 1)
	if s, err := w.engine.Tick(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	w.equal(now)
	w.history()
}
