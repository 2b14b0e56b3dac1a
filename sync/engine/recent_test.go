package engine_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
)

// dense is a world whose lookback takes far more list calls than may be spent on listing it again.
type dense struct {
	*world
	now time.Time
}

const (
	denseOrders = 2400 // a day
	densePage   = 20
	denseQuota  = 0.4 // list calls a second: twelve in five minutes for listing again
)

func newDense(t *testing.T, o simulator.Options) *dense {
	t.Helper()
	o.Orders, o.From, o.To = denseOrders, start, start.AddDate(0, 0, 1)
	w := newWorld(t, o)
	w.ListQuota = denseQuota
	w.Engine = w.NewEngine(0, densePage)
	d := &dense{world: w, now: start.AddDate(0, 0, 1).Add(-20 * time.Minute)}
	d.Backfill(d.now)
	d.run(time.Minute) // the first one lists the part of the lookback that the backfill left out
	return d
}

// run is a scheduled run after a while. It returns the list calls that it made for what it needed, and for listing windows in
// turn.
func (d *dense) run(after time.Duration) (needed, inTurn int, s stream.Summary) {
	d.Helper()
	d.now = d.now.Add(after)
	before := d.listedAt()
	d.Account.ResetCounters()
	s, err := d.Engine.Scheduled(d.Context(), d.now, time.Now().Add(time.Hour), nil)
	if err != nil {
		d.Fatal(err)
	}
	if err := s.Err(); err != nil {
		d.Error(err)
	}
	needed = d.Account.Calls()["QueryOrders"].Total
	for at, w := range d.listedAt() {
		// A window that was closed long ago and was listed again was listed in turn.
		if b, ok := before[at]; ok && b.Verdict == schema.Complete && w.Listing().After(b.Listing()) && w.ListCalls > 0 && w.Version != b.Version {
			inTurn += int(w.ListCalls)
		}
	}
	return needed - inTurn, inTurn, s
}

func (d *dense) listedAt() map[int64]schema.Window {
	d.Helper()
	rows, err := d.Sink.Windows(d.Context(), d.Stream, start, d.now.Add(time.Hour))
	if err != nil {
		d.Fatal(err)
	}
	out := map[int64]schema.Window{}
	for _, w := range rows {
		out[w.Start.Unix()] = w
	}
	return out
}

func (d *dense) unpaid() int {
	n := 0
	for _, id := range d.Account.IDs(start, d.now) {
		if o, _ := d.Account.Order(id); schema.IsUnpaid(o.PaymentStatus) {
			n++
		}
	}
	return n
}

// most is how many list calls a scheduled run may need.
func (d *dense) most(added int) int {
	return int(math.Ceil(6 + 1.2*float64(added)/densePage + 1.2*float64(d.unpaid())/densePage))
}

// A scheduled run of a dense account costs what changed: nothing, new orders, the turn of an hour.
func TestScheduledRunCostsWhatChanged(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.Options{
		"both ends":            {Seed: 31},
		"no ends":              {Seed: 32, Boundary: simulator.NeitherIncluded},
		"oldest first, at end": {Seed: 33, OldestFirst: true, Boundary: simulator.EndIncluded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDense(t, o)
			for _, c := range []struct {
				after time.Duration
				added int
			}{{5 * time.Minute, 0}, {5 * time.Minute, 130}, {15 * time.Minute, 3}, {5 * time.Minute, 0}, {50 * time.Minute, 45}, {5 * time.Minute, 0}} {
				for i := range 5 {
					d.Account.Add(c.added/5, d.now.Add(c.after*time.Duration(i+1)/6))
				}
				needed, _, s := d.run(c.after)
				if most := d.most(c.added); needed > most {
					t.Errorf("%s later, with %d new orders: %d list calls, %d at the most", c.after, c.added, needed, most)
				}
				if n := d.Account.Calls()["GetOrderDetail"].Total; n < c.added || n > c.added+d.unpaid() {
					t.Errorf("%d new orders cost %d details", c.added, n)
				}
				if s.Streams[0].Windows[schema.Short]+s.Streams[0].Windows[schema.Failed] > 0 {
					t.Errorf("%+v", s.Streams[0])
				}
				d.Equal(d.now.Truncate(time.Hour))
			}
			for at, w := range d.listedAt() {
				if open := w.End.Add(2 * time.Minute).After(d.now); open != (w.Verdict == schema.Open) || w.Listed != w.Stored {
					t.Errorf("%s: %+v", time.Unix(at, 0).UTC(), w)
				}
			}
		})
	}
}

// What a count shows is found at once: an order that comes hours late. What it does not show is found when it is the window's
// turn, within a bound: an order that changed, and one that vanished while another one came. An order that was paid is found by
// the unpaid.
func TestScheduledRunFindsWhatChanged(t *testing.T) {
	t.Parallel()
	d := newDense(t, simulator.Options{Seed: 34})
	d.run(5 * time.Minute)

	late := d.Account.Add(1, d.now.Add(-5*time.Hour))[0]
	paid := ""
	for _, id := range d.Account.IDs(d.now.Add(-10*time.Hour), d.now.Add(-2*time.Hour)) {
		if o, _ := d.Account.Order(id); schema.IsUnpaid(o.PaymentStatus) {
			paid = id
			break
		}
	}
	if err := d.Account.Pay(paid); err != nil {
		t.Fatal(err)
	}
	d.run(5 * time.Minute)
	for _, id := range []string{late, paid} {
		if n := d.Account.DetailCalls(id); n != 1 {
			t.Errorf("the detail of order %s was fetched %d times", id, n)
		}
	}
	d.Equal(d.now.Truncate(time.Hour))

	changed := d.Account.IDs(d.now.Add(-9*time.Hour), d.now.Add(-8*time.Hour))
	if err := d.Account.Change(changed[3]); err != nil {
		t.Fatal(err)
	}
	if err := d.Account.Vanish(changed[5]); err != nil {
		t.Fatal(err)
	}
	d.Account.Add(1, d.now.Add(-8*time.Hour-30*time.Minute))
	// The lookback is 120 pages and two calls for each range; twelve calls are earned in five minutes.
	inTurn := 0
	const runs = 30
	for range runs {
		_, n, _ := d.run(5 * time.Minute)
		inTurn += n
	}
	if inTurn == 0 || inTurn > runs*12+20 {
		t.Errorf("%d list calls in turn", inTurn)
	}
	d.Equal(d.now.Truncate(time.Hour))
}

// A vendor that counts no further than what is stored hides no order that came late.
func TestScheduledRunBelievesNoLimit(t *testing.T) {
	t.Parallel()
	d := newDense(t, simulator.Options{Seed: 36})
	var limit atomic.Int64
	d.Account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Total: func(n int) int {
			if n > 1000 { // the first question is for the count of the lookback, which has one order more than are stored
				limit.CompareAndSwap(0, int64(n-1))
			}
			if most := int(limit.Load()); most > 0 {
				n = min(n, most)
			}
			return n
		}}
	})
	d.Engine = d.NewEngine(0, densePage) // that has not heard a larger count
	late := d.Account.Add(1, d.now.Add(-5*time.Hour))[0]
	d.run(time.Second)
	d.once(late)
}

// A count that is the largest one that was ever heard is proven by those of its parts, also where all orders are of one window:
// that is cheaper than to list the window in each run.
func TestScheduledRunOfOneBurst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 37, Orders: 1000, From: start.Add(3 * time.Hour), To: start.Add(3*time.Hour + 20*time.Minute)})
	w.ListQuota = denseQuota
	w.Engine = w.NewEngine(0, densePage)
	d := &dense{world: w, now: start.AddDate(0, 0, 1).Add(-20 * time.Minute)}
	d.Backfill(d.now)
	d.run(time.Minute)
	for range 3 {
		if needed, _, _ := d.run(5 * time.Minute); needed > 25 {
			t.Errorf("%d list calls", needed)
		}
	}
	d.Equal(d.now.Truncate(time.Hour))
}

// A window whose end cannot be listed is not closed by a count.
func TestScheduledRunIsHonest(t *testing.T) {
	t.Parallel()
	d := newDense(t, simulator.Options{Seed: 35})
	d.Account.Add(30, d.now.Add(2*time.Minute))
	script := simulator.NewScript(5, simulator.Rule{Kind: "bad-amount", Probability: 0.2, From: d.now, To: d.now.Add(time.Hour)})
	d.Account.SetFault(script.Fault)
	d.now = d.now.Add(5 * time.Minute)
	s, err := d.Engine.Scheduled(t.Context(), d.now, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(script.Losses()) == 0 || s.Err() == nil {
		t.Errorf("%d losses, and the run says %v", len(script.Losses()), s.Err())
	}
	d.Account.SetFault(nil)
	d.now = d.now.Add(time.Hour)
	if _, err = d.Engine.Scheduled(t.Context(), d.now, time.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	d.Equal(d.now.Truncate(time.Hour))
}
