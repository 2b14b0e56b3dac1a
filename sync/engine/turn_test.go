package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/stream"
)

// reseller is a world with customers, under one login. The first ones order every hour or so, the others did so days ago.
type reseller struct {
	*world
	customers map[string]*simulator.Account // by owner id
	client    source.Client
	streams   []stream.Stream
	quiet     time.Duration
	now       time.Time
	asked     map[string][]time.Time // by owner id, without the backfill
}

const (
	resellerQuiet = 2 * time.Hour
	resellerEvery = 10 * time.Minute
)

// newReseller has that many customers, some of them busy, whose orders of the past are stored.
func newReseller(t *testing.T, busy, all int) *reseller {
	t.Helper()
	addr, database := warehousetest.Database(t)
	r := &reseller{customers: map[string]*simulator.Account{}, asked: map[string][]time.Time{}, now: start.AddDate(0, 0, 3), quiet: resellerQuiet}
	r.world = newWorldIn(t, simulator.Options{Seed: 41, From: start, To: r.now}, sink.Config{Addr: []string{addr}, Database: database})
	for i := range all {
		o := simulator.Options{Seed: uint64(100 + i), Orders: 3, From: start, To: start.AddDate(0, 0, 1)}
		if i < busy {
			o.Orders, o.To = 60, r.now
		}
		id := fmt.Sprint(2000 + i)
		r.customers[id] = simulator.NewAccount(o)
		if i < busy {
			r.customers[id].Add(1, r.now.Add(-5*time.Minute))
		}
		r.Account.AddOwner(id, r.customers[id])
	}
	client, err := bss.New(bss.Options{Options: source.Options{Account: "main", Endpoint: r.Endpoint, MaxInFlight: 16},
		Credentials: bss.Credentials{AccessKeyID: r.Account.AccessKeyID(), AccessKeySecret: r.Account.AccessKeySecret()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	r.client = client
	for i := range all + 1 {
		s := r.NewStream(0, 20)
		if s.InFlight = 4; i > 0 {
			s.OwnerID = fmt.Sprint(2000 + i - 1)
		}
		r.streams = append(r.streams, s)
	}
	r.limit(100_000)
	r.world.Backfill(r.now)
	r.Account.ResetCounters()
	return r
}

// limit bounds the list calls a second of the runs to come.
func (r *reseller) limit(quota float64) {
	caller := source.NewCaller(r.client, source.NewBudget(quota), source.NewBudget(100_000),
		source.Policy{Initial: time.Millisecond, MaxWait: time.Millisecond, MaxElapsed: time.Second, MaxTries: 2}, nil)
	for i := range r.streams {
		r.streams[i].Source = caller
	}
	r.restart()
}

// restart has the runs to come made by what a new process would have.
func (r *reseller) restart() {
	r.Engine = engine.New(r.Store, r.streams, engine.Options{Window: time.Hour, Settle: 2 * time.Minute, Lookback: 24 * time.Hour, Sweep: 192 * time.Hour, Quiet: r.quiet})
}

// run is a scheduled run after a while, for which there is as much time as given. It returns the list calls that it made.
func (r *reseller) run(after, within time.Duration) (int, stream.Summary) {
	r.Helper()
	r.now = r.now.Add(after)
	before := r.Account.Calls()["QueryOrders"].Total
	s, err := r.Engine.Scheduled(r.Context(), r.now, time.Now().Add(within), nil)
	if err != nil {
		r.Fatal(err)
	}
	for _, l := range s.Streams {
		r.asked[l.OwnerID] = append(r.asked[l.OwnerID], r.now)
	}
	if n := len(s.Streams) + s.Quiet + s.Left; n != len(r.streams) {
		r.Errorf("%d streams were asked, %d are quiet and %d left", len(s.Streams), s.Quiet, s.Left)
	}
	return r.Account.Calls()["QueryOrders"].Total - before, s
}

// Of 25 customers of whom two order, a run asks two and now and then a quiet one. What a quiet one orders is stored within its
// bound, and it is asked in each run from then on. A restart changes nothing.
func TestQuietOwnersAreAskedSeldom(t *testing.T) {
	t.Parallel()
	const busy, all = 2, 25
	r := newReseller(t, busy, all)
	calls, runs := 0, int(2*resellerQuiet/resellerEvery)
	begin, late, placed := r.now, r.customers["2024"], r.now.Add(resellerQuiet+17*time.Minute)
	var id string
	var stored time.Time
	for i := range runs {
		for b := range busy {
			if i%3 == 0 {
				r.customers[fmt.Sprint(2000+b)].Add(1, r.now.Add(time.Minute))
			}
		}
		if id == "" && r.now.Add(resellerEvery).After(placed) {
			id = late.Add(1, placed)[0]
		}
		if i%10 == 5 {
			r.restart()
		}
		n, s := r.run(resellerEvery, resellerEvery)
		if calls += n; s.Err() != nil || s.Left > 0 {
			t.Errorf("%v, %d are left", s.Err(), s.Left)
		}
		if id != "" && stored.IsZero() {
			if found, err := r.Sink.Find(t.Context(), schema.Stream{Account: "main", OwnerID: "2024"}, []string{id}); err != nil {
				t.Fatal(err)
			} else if len(found) == 1 {
				stored = r.now
			}
		}
	}
	if took := stored.Sub(placed); stored.IsZero() || took > resellerQuiet {
		t.Errorf("an order of a quiet owner was stored after %s", took)
	}
	for _, s := range r.streams {
		at := append([]time.Time{begin}, r.asked[s.OwnerID]...)
		for i := 1; i < len(at); i++ {
			if took := at[i].Sub(at[i-1]); took > resellerQuiet {
				t.Errorf("owner %s was not asked for %s", s.OwnerID, took)
			}
		}
		switch n := len(at) - 1; s.OwnerID {
		case "2000", "2001":
			if n != runs {
				t.Errorf("owner %s orders, and was asked in %d of %d runs", s.OwnerID, n, runs)
			}
		case "2024":
			if since := slices.Index(r.asked[s.OwnerID], stored); n-since < int(r.now.Sub(stored)/resellerEvery)-3 && r.now.Sub(stored) < time.Hour {
				t.Errorf("after its order it was asked %d times", n-since)
			}
		default:
			if n < 2 || n > 3 {
				t.Errorf("owner %q is quiet, and was asked %d times in %s", s.OwnerID, n, 2*resellerQuiet)
			}
		}
	}
	t.Logf("%d list calls in %d runs, where all in each would be at least %d", calls, runs, 2*runs*(all+1))
	if most := runs*5*busy + 3*4*all; calls > most {
		t.Errorf("%d list calls in %d runs, %d at the most", calls, runs, most)
	}
	for owner, account := range r.customers {
		truth := account.Truth(start, r.now.Add(-resellerQuiet))
		n, err := r.Sink.Count(t.Context(), schema.Stream{Account: "main", OwnerID: owner}, start, r.now.Add(-resellerQuiet))
		if err != nil || n != truth.Orders {
			t.Errorf("owner %s has %d orders of %d: %v", owner, n, truth.Orders, err)
		}
	}
}

// Where the quota is too small to ask everybody in each run, they take turns: the next run begins with those that this one left.
func TestOwnersTakeTurns(t *testing.T) {
	t.Parallel()
	const all = 25
	r := newReseller(t, all, all)
	// A run of half a second is over before it has asked half of them, each of which takes two calls at least.
	const within, quota, mostRuns = 500 * time.Millisecond, 40, 100
	r.quiet = 0 // everybody is to be asked in each run
	r.limit(quota)
	calls, runs, least, most := 0, 0, 0, 0
	for ; least < 2 && runs < mostRuns; runs++ {
		n, s := r.run(within, within)
		if calls += n; s.Err() != nil || s.Left == 0 {
			t.Errorf("%d streams were asked, %d left: %v", len(s.Streams), s.Left, s.Err())
		}
		least, most = mostRuns, 0
		for _, s := range r.streams {
			n := len(r.asked[s.OwnerID])
			least, most = min(least, n), max(most, n)
		}
		if most-least > 2 { // of those that were last asked in one run, any may come first
			t.Errorf("after %d runs owners were asked %d to %d times", runs+1, least, most)
		}
	}
	t.Logf("each was asked %d to %d times in %d runs, %d list calls", least, most, runs, calls)
	if least < 2 {
		t.Error("an owner starves")
	}
	if most := runs*quota/2 + runs*4*4; calls > most { // those that are begun are asked to their end
		t.Errorf("%d list calls in %d runs, %d at the most", calls, runs, most)
	}
}

// A run that begins when the next one is due, as the first of a process may, or whose time is used up before it begins to ask, asks as
// many as are asked at a time all the same. The others wait until the next run, and longer than they should only if that leaves them, too.
func TestOwnersAreAskedHoweverLateARunBegins(t *testing.T) {
	t.Parallel()
	const all, atOnce = 8, 4
	r := newReseller(t, all, all)
	r.quiet = 0 // everybody is to be asked in each run
	r.limit(100_000)
	for i, late := range []int{0, all + 1 - 2*atOnce} {
		_, s := r.run(resellerEvery, 0)
		if s.Err() != nil || len(s.Streams) != atOnce || s.Left != all+1-atOnce || s.Late != late || s.QuotaUsed {
			t.Errorf("run %d: %d streams were asked, %d left, %d of them again; the quota was used: %v; %v", i, len(s.Streams), s.Left, s.Late, s.QuotaUsed, s.Err())
		}
	}
	if _, s := r.run(resellerEvery, resellerEvery); s.Err() != nil || len(s.Streams) != all+1 || s.Left+s.Late > 0 {
		t.Errorf("%d streams were asked, %d left, %d of them again: %v", len(s.Streams), s.Left, s.Late, s.Err())
	}
}

// An owner whose orders the login may not read is asked more and more seldom, and yet no run looks as if nothing were wrong.
func TestRefusedOwnerIsAskedSeldom(t *testing.T) {
	t.Parallel()
	r := newReseller(t, 1, 3)
	refused := r.streams[3]
	refused.OwnerID = "666"
	r.streams = append(r.streams, refused)
	r.restart()
	const runs = 100
	for range runs {
		if _, s := r.run(resellerEvery, resellerEvery); s.Err() == nil {
			t.Error("a run says that all is well")
		}
	}
	if n := len(r.asked["666"]); n < 8 || n > 25 {
		t.Errorf("asked %d times in %d runs", n, runs)
	}
	r.Account.AddOwner("666", simulator.NewAccount(simulator.Options{Seed: 7, Orders: 5, From: r.now.Add(-time.Hour), To: r.now}))
	for range int(resellerQuiet / resellerEvery) {
		r.run(resellerEvery, resellerEvery)
	}
	if n, err := r.Sink.CountOrders(t.Context(), schema.Stream{Account: "main", OwnerID: "666"}); err != nil || n != 5 {
		t.Errorf("%d of its orders are stored once it is not refused any more: %v", n, err)
	}
}
