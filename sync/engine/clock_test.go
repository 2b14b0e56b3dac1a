package engine_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/stream"
)

// A window is over when it is over at the vendor, whatever this machine's clock says, and in the first run of a process
// already, which knows nothing of the vendor's clock before its first answer.
func TestTheVendorsClockDecides(t *testing.T) {
	t.Parallel()
	const settle = 2 * time.Minute
	for name, ahead := range map[string]time.Duration{ // the vendor's clock
		"equal": 0, "ours 10 minutes ahead": -10 * time.Minute, "ours an hour and a half ahead": -90 * time.Minute,
		"ours 10 minutes behind": 10 * time.Minute, "ours an hour and a half behind": 90 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().UTC()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 200, From: now.Add(-6 * time.Hour), To: now.Add(-3 * time.Hour)})
			w.Account.SetClock(ahead)
			process := func() *engine.Engine {
				client, err := bss.New(bss.Options{Options: source.Options{Account: "main", Endpoint: w.Endpoint}, Credentials: bss.Credentials{
					AccessKeyID: w.Account.AccessKeyID(), AccessKeySecret: w.Account.AccessKeySecret(),
				}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(client.Close)
				caller := source.NewCaller(client, source.NewBudget(1e5), source.NewBudget(1e5), source.DefaultPolicy, nil)
				return engine.New(w.Sink, []stream.Stream{{
					Stream: w.Stream, Source: caller, Decoder: bss.Decoder{}, PageSize: 20, InFlight: 4, Clock: client.Clock().Offset,
				}}, engine.Options{Window: 5 * time.Minute, Settle: settle, Lookback: 6 * time.Hour, Sweep: 7 * time.Hour})
			}
			vendor := func() time.Time { return time.Now().UTC().Add(ahead) }
			late := w.Account.Add(3, vendor().Add(90*time.Second)) // while, and after, the first run lists
			first := process()
			if s, err := first.Backfill(t.Context(), now, now.Add(-7*time.Hour), now, false, nil); err != nil || s.Err() != nil {
				t.Fatal(err, s.Err())
			}
			ledger, err := w.Sink.Windows(t.Context(), w.Stream, schema.MinTime, schema.MaxTime)
			if err != nil {
				t.Fatal(err)
			}
			complete := 0
			for _, x := range ledger {
				if x.Verdict != schema.Complete {
					continue
				}
				complete++
				if x.End.Add(settle).After(vendor().Add(3 * time.Second)) {
					t.Errorf("%s is closed at %s by the vendor's clock", x.End, vendor())
				}
			}
			if complete == 0 {
				t.Error("nothing is complete")
			}
			// The vendor's clock goes on, and so does the schedule, in a new process and in the old one.
			ahead += 8 * time.Minute
			w.Account.SetClock(ahead)
			for range 2 {
				for _, e := range []*engine.Engine{process(), first} {
					if s, err := e.Scheduled(t.Context(), time.Now().UTC(), time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
						t.Fatal(err, s.Err())
					}
				}
			}
			orders, err := w.Sink.OrdersByID(t.Context(), w.Stream, schema.MinTime, schema.MaxTime, late)
			if err != nil || len(orders) != len(late) {
				t.Errorf("%d of %d late orders are stored, %v", len(orders), len(late), err)
			}
			if n := w.Count("SELECT count() FROM window_audit WHERE verdict = 'complete' AND NOT agrees"); n != 0 {
				t.Errorf("%d windows do not agree", n)
			}
		})
	}
}
