package audit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/domain"
	"github.com/ordersync/ordersync/sync/source/unicloud"
	"github.com/ordersync/ordersync/sync/stream"
)

// estimate asks what a backfill of [from, to) would cost. pageSize is that of the engine which makes it.
func (w *world) estimate(now, from, to time.Time, force bool, pageSize int) audit.Estimate {
	w.Helper()
	e := w.estimated(w.NewStream(0, pageSize), w.Store, now, from, to, force)
	if e.Err != nil {
		w.Fatal(e.Err)
	}
	return e
}

func (w *world) estimated(of stream.Stream, stored audit.Stored, now, from, to time.Time, force bool) audit.Estimate {
	w.Helper()
	return audit.EstimateBackfill(w.Context(), of, stored, audit.EstimateOptions{Window: time.Hour, Now: now, From: from, To: to, Force: force})
}

// calls makes the backfill and returns the calls that it really made.
func (w *world) calls(now, from, to time.Time, force bool) (list, detail int) {
	w.Helper()
	w.Account.ResetCounters()
	s, err := w.Engine.Backfill(w.Context(), now, from, to, force, nil)
	if err != nil || s.Err() != nil {
		w.Fatal(err, s.Err())
	}
	calls := w.Account.Calls()
	return calls["QueryOrders"].Total, calls["GetOrderDetail"].Total + calls["OrderDetail"].Total
}

// near fails unless a figure is within 10 % of what came, or two calls of it.
func (w *world) near(what string, estimated, came int) {
	w.Helper()
	if off := max(estimated-came, came-estimated); off > 2 && float64(off) > 0.10*float64(came) {
		w.Errorf("%s: %d were estimated, %d came (%+.1f %%)", what, estimated, came, 100*float64(estimated-came)/float64(came))
	}
}

// An estimate is within 10 % of what the backfill then makes, for any density, and for a range that is partly done.
func TestEstimateIsWhatABackfillCosts(t *testing.T) {
	t.Parallel()
	estimateAgainstCosts(t, 6, 17)
}

func TestEstimateIsWhatABackfillCostsSlow(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "takes long")
	estimateAgainstCosts(t, 60, 60)
}

// estimateAgainstCosts estimates and makes backfills, one for each seed up to the last one, of 3 to as many days more.
func estimateAgainstCosts(t *testing.T, last uint64, most int) {
	t.Helper()
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
			size := []int{10, 20, 20, 50}[rnd.IntN(4)]
			w.Engine = w.NewEngine(0, size)
			now := o.To.Add(time.Duration(rnd.IntN(48)) * 30 * time.Minute)
			// Ranges of it are there already.
			for range rnd.IntN(3) {
				from := start.Add(time.Duration(rnd.IntN(days*24)) * time.Hour)
				w.calls(now, from, from.Add(time.Duration(1+rnd.IntN(days*8))*time.Hour), false)
			}
			force := rnd.IntN(4) == 0
			w.Account.ResetCounters()
			f := w.estimate(now, start, now, force, size)
			made := w.Account.Calls()["QueryOrders"].Total
			list, detail := w.calls(now, start, now, force)
			t.Logf("seed %d: %d days, %d a day, force %v: %d and %d for %d orders, by %d calls (estimated %v); came %d and %d", seed, days, perDay, force,
				f.ListCalls, f.DetailCalls, f.Orders, f.Calls, f.Estimated, list, detail)
			w.near("list calls", f.ListCalls, list)
			w.near("detail calls", f.DetailCalls, detail)
			w.near("calls", f.ListCalls+f.DetailCalls, list+detail)
			if made != f.Calls || w.Account.Calls()["GetOrderDetail"].Total != detail {
				t.Errorf("the estimate says that it made %d calls; it made %d", f.Calls, made)
			}
			if f.Calls > 65 {
				t.Errorf("%d calls to estimate %d", f.Calls, list+detail)
			}
		})
	}
}

// A dense year and a sparse one.
func TestEstimateOfALongRange(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.Options{
		"sparse":       {Seed: 1, Orders: 4 * 365, From: start, To: start.AddDate(1, 0, 0)},
		"a page a day": {Seed: 3, Orders: 20 * 200, From: start, To: start.AddDate(0, 0, 200)},
		"dense":        {Seed: 2, Orders: 4000, From: start, To: start.AddDate(0, 0, 2)},
		"busy hour":    {Seed: 4, Orders: 6000, From: start, To: start.AddDate(0, 0, 5), BusyHour: 4000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			now := o.To.Add(time.Hour)
			f := w.estimate(now, start, now, false, 20)
			list, detail := w.calls(now, start, now, false)
			t.Logf("%d and %d by %d calls; came %d and %d", f.ListCalls, f.DetailCalls, f.Calls, list, detail)
			w.near("list calls", f.ListCalls, list)
			w.near("detail calls", f.DetailCalls, detail)
			if f.Calls > 65 {
				t.Errorf("%d calls to estimate %d", f.Calls, list+detail)
			}
		})
	}
}

// The calls that prove the longest listing are foreseen: none for a short one, one where there is more around it, and three where it has
// all that the source has. So is what it costs that the first window is listed by itself.
func TestEstimateOfOneDay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		orders, hour, before, size int // in the day, all of them in the hour where that is not -1; and in the days before it
		done                       bool
	}{
		"all of it":               {90, -1, 0, 20, false},
		"all in its first hour":   {45, 0, 0, 20, false},
		"all in another hour":     {45, 7, 0, 20, false},
		"more before it":          {90, -1, 50, 20, false},
		"more before it, stored":  {90, -1, 50, 20, true},
		"one full page":           {20, 7, 0, 20, false},
		"less than a page":        {19, 7, 0, 20, false},
		"less than a larger page": {30, 7, 0, 50, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			day := start.AddDate(0, 0, 3)
			o := simulator.Options{Seed: 1, Orders: c.before, From: start, To: day.Add(-time.Hour)}
			w := newWorld(t, o)
			w.Engine = w.NewEngine(0, c.size)
			for i := range c.orders {
				at := time.Duration(c.hour)*time.Hour + time.Duration(i)*time.Minute + time.Minute
				if c.hour < 0 {
					at = time.Duration(i)*23*time.Hour/time.Duration(c.orders) + 10*time.Minute
				}
				w.Account.Add(1, day.Add(at))
			}
			now, from := day.AddDate(0, 0, 1), day
			if c.done {
				w.calls(now, start, day, false)
				w.Engine, from = w.NewEngine(0, c.size), start // a new process knows nothing
			}
			f := w.estimate(now, from, now, false, c.size)
			if list, detail := w.calls(now, from, now, false); f.ListCalls != list || f.DetailCalls != detail {
				t.Errorf("%d and %d were estimated by %d calls; came %d and %d", f.ListCalls, f.DetailCalls, f.Calls, list, detail)
			}
		})
	}
}

// What is there already costs nothing, and neither does the estimate of it.
func TestEstimateOfWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	w.calls(now, start, end, false)
	w.Account.ResetCounters()
	f := w.estimate(now, start, end, false, 20)
	if f.ListCalls+f.DetailCalls+f.Windows+f.Calls+w.Account.Calls()["QueryOrders"].Total != 0 || f.Skipped != 72 {
		t.Errorf("%+v", f)
	}
	// Forced, it is all listed again. Where the orders are is known, so that is estimated by one call.
	f = w.estimate(now, start, end, true, 20)
	if f.Orders != 300 || f.Stored != 300 || f.DetailCalls != 0 || f.Windows != 72 || f.Calls != 1 {
		t.Errorf("forced: %+v", f)
	}
}

// An estimate asks smaller questions where the vendor does not answer large ones, and says what stands in its way.
func TestEstimateWhereTheVendorFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 2000, From: start, To: start.AddDate(0, 0, 20)})
	w.Account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		return simulator.Action{Hang: r.End.Sub(r.Start) > 12*24*time.Hour}
	})
	now := start.AddDate(0, 0, 21)
	hasty := w.NewStream(200*time.Millisecond, 20)
	if f := w.estimated(hasty, w.Store, now, start, now, false); f.Err != nil || f.Orders != 2000 {
		t.Errorf("%+v", f)
	}
	w.Account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Error: &simulator.Error{Status: 403, Code: "NotAuthorized"}}
	})
	if f := w.estimated(hasty, w.Store, now, start, now, false); source.ReasonOf(f.Err) != source.Auth {
		t.Errorf("%+v", f)
	}
}

// Another vendor counts as well, and one that cannot list has nothing to be backfilled. A warehouse without tables has nothing.
func TestEstimateOfOtherVendors(t *testing.T) {
	t.Parallel()
	now := start.AddDate(0, 0, 6)
	for name, o := range map[string]simulator.Options{
		"sparse": {Seed: 1, Orders: 60}, "dense": {Seed: 2, Orders: 2400}, "busy hour": {Seed: 3, Orders: 1500, BusyHour: 900},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Vendor, o.From, o.To = unicloud.Vendor, start, now
			w := newWorld(t, o)
			w.Stream.Source, w.Decoder = unicloud.Vendor, unicloud.Decoder{}
			w.Engine = w.NewEngine(0, 20)
			f := w.estimated(w.NewStream(0, 20), nil, now, start, now, false)
			list, detail := w.calls(now, start, start.AddDate(0, 0, 2), false)
			part := w.estimate(now, start, now, false, 20)
			restList, restDetail := w.calls(now, start, now, false)
			t.Logf("%d and %d, came %d and %d; then %d and %d, came %d and %d", f.ListCalls, f.DetailCalls, list+restList, detail+restDetail,
				part.ListCalls, part.DetailCalls, restList, restDetail)
			w.near("list calls", f.ListCalls, list+restList)
			w.near("detail calls", f.DetailCalls, detail+restDetail)
			w.near("list calls of the rest", part.ListCalls, restList)
			w.near("detail calls of the rest", part.DetailCalls, restDetail)
		})
	}
	tracked := stream.Stream{Stream: schema.Stream{Source: domain.Vendor, Account: "domains"}, Source: onlyByID{}}
	f := audit.EstimateBackfill(t.Context(), tracked, nil, audit.EstimateOptions{Window: time.Hour, Now: now, From: start, To: now})
	if !f.CannotList || f.Err != nil || f.Calls+f.ListCalls+f.DetailCalls != 0 {
		t.Errorf("%+v", f)
	}
}

// onlyByID is a source that cannot list.
type onlyByID struct{ stream.Source }

func (onlyByID) CanList() bool { return false }
