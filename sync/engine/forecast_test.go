package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
)

// forecast asks what a backfill of [from, to) would cost.
func (w *world) forecast(now, from, to time.Time, force bool) engine.Forecast {
	w.Helper()
	f, err := w.engine.Forecast(w.Context(), now, from, to, force, nil)
	if err != nil {
		w.Fatal(err)
	}
	if f[0].Err != nil {
		w.Fatal(f[0].Err)
	}
	return f[0]
}

// calls makes the backfill and gives the calls that it really made.
func (w *world) calls(now, from, to time.Time, force bool) (list, detail int) {
	w.Helper()
	w.account.ResetCounters()
	s, err := w.engine.Backfill(w.Context(), now, from, to, force, nil)
	if err != nil || s.Err() != nil {
		w.Fatal(err, s.Err())
	}
	calls := w.account.Calls()
	return calls["QueryOrders"].Total, calls["GetOrderDetail"].Total
}

// near fails unless a figure is within 5 % of what came, or one call of it.
func (w *world) near(what string, foretold, came int) {
	w.Helper()
	if off := max(foretold-came, came-foretold); off > 1 && float64(off) > 0.05*float64(came) {
		w.Errorf("%s: %d were foretold, %d came (%+.1f %%)", what, foretold, came, 100*float64(foretold-came)/float64(came))
	}
}

// A forecast is within 5 % of what the backfill then makes, for any density, and for a range that is partly done.
func TestForecastIsWhatABackfillCosts(t *testing.T) {
	t.Parallel()
	last, most := uint64(6), 17
	if os.Getenv("ORDERSYNC_SLOW") == "1" {
		last, most = 150, 60
	}
	for seed := uint64(1); seed <= last; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 9))
			days := 3 + rnd.IntN(most)
			perDay := []int{1, 5, 15, 20, 30, 60, 120}[rnd.IntN(7)]
			o := simulator.Options{
				Seed: seed, Orders: days * perDay, From: start, To: start.AddDate(0, 0, days), BusyHour: []int{0, 0, -1, days * perDay / 3}[rnd.IntN(4)],
				OldestFirst: rnd.IntN(2) == 1, Boundary: simulator.Boundary(rnd.IntN(4)),
			}
			w := newWorld(t, o)
			w.engine = w.newEngine(0, []int{10, 20, 20, 50}[rnd.IntN(4)])
			now := o.To.Add(time.Duration(rnd.IntN(48)) * 30 * time.Minute)
			// Stretches of it are there already.
			for range rnd.IntN(3) {
				from := start.Add(time.Duration(rnd.IntN(days*24)) * time.Hour)
				w.calls(now, from, from.Add(time.Duration(1+rnd.IntN(days*8))*time.Hour), false)
			}
			force := rnd.IntN(4) == 0
			w.account.ResetCounters()
			f := w.forecast(now, start, now, force)
			made := w.account.Calls()["QueryOrders"].Total
			list, detail := w.calls(now, start, now, force)
			t.Logf("seed %d: %d days, %d a day, force %v: %d and %d for %d orders, by %d calls (estimated %v); came %d and %d", seed, days, perDay, force,
				f.ListCalls, f.DetailCalls, f.Orders, f.Calls, f.Estimated, list, detail)
			w.near("list calls", f.ListCalls, list)
			w.near("detail calls", f.DetailCalls, detail)
			w.near("calls", f.ListCalls+f.DetailCalls, list+detail)
			if made != f.Calls || w.account.Calls()["GetOrderDetail"].Total != detail {
				t.Errorf("the forecast says that it made %d calls; it made %d", f.Calls, made)
			}
			if most := max(60, (list+detail)/16); f.Calls > most {
				t.Errorf("%d calls to foretell %d", f.Calls, list+detail)
			}
		})
	}
}

// A dense year and a sparse one.
func TestForecastOfALongRange(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.Options{
		"sparse": {Seed: 1, Orders: 4 * 365, From: start, To: start.AddDate(1, 0, 0)},
		"dense":  {Seed: 2, Orders: 4000, From: start, To: start.AddDate(0, 0, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			now := o.To.Add(time.Hour)
			f := w.forecast(now, start, now, false)
			list, detail := w.calls(now, start, now, false)
			t.Logf("%d and %d by %d calls; came %d and %d", f.ListCalls, f.DetailCalls, f.Calls, list, detail)
			w.near("list calls", f.ListCalls, list)
			w.near("detail calls", f.DetailCalls, detail)
			if f.Calls > max(60, (list+detail)/16) {
				t.Errorf("%d calls to foretell %d", f.Calls, list+detail)
			}
		})
	}
}

// What is there already costs nothing, and neither does the forecast of it.
func TestForecastOfWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	w.calls(now, start, end, false)
	w.account.ResetCounters()
	f := w.forecast(now, start, end, false)
	if f.ListCalls+f.DetailCalls+f.Windows+f.Calls+w.account.Calls()["QueryOrders"].Total != 0 || f.Skipped != 72 {
		t.Errorf("%+v", f)
	}
	// Forced, it is all listed again. Where the orders are is known, so that is foretold by one call.
	f = w.forecast(now, start, end, true)
	if f.Orders != 300 || f.Stored != 300 || f.DetailCalls != 0 || f.Windows != 72 || f.Calls != 1 {
		t.Errorf("forced: %+v", f)
	}
}

// A forecast asks smaller questions where the vendor does not answer large ones, and says what stands in its way.
func TestForecastWhereTheVendorFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 2000, From: start, To: start.AddDate(0, 0, 20)})
	w.engine = w.newEngine(200*time.Millisecond, 20)
	w.account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		return simulator.Action{Hang: r.End.Sub(r.Start) > 12*24*time.Hour}
	})
	now := start.AddDate(0, 0, 21)
	if f := w.forecast(now, start, now, false); f.Orders != 2000 {
		t.Errorf("%+v", f)
	}
	w.account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Error: &simulator.Error{Status: 403, Code: "NotAuthorized"}}
	})
	f, err := w.engine.Forecast(t.Context(), now, start, now, false, nil)
	if err != nil || source.ReasonOf(f[0].Err) != source.Auth {
		t.Errorf("%v, %+v", err, f)
	}
}
