package engine_test

import (
	"context"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/internal/worldtest"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

func TestMain(m *testing.M) {
	if os.Getenv(simulatorVariable) != "" {
		serveBenchmark()
		return
	}
	sinktest.Main(m)
}

var start = worldtest.Start

// world is a world with what the tests of this package do in it.
type world struct {
	*worldtest.World
	bounds engine.Bounds // of scheduled
}

func newWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	return &world{World: worldtest.New(t, o)}
}

// newWorldIn has the warehouse that is named.
func newWorldIn(t *testing.T, o simulator.Options, warehouse sink.Config) *world {
	t.Helper()
	return &world{World: worldtest.NewIn(t, o, warehouse)}
}

func TestBackfillEqualsTheTruth(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.Options{
		"newest first, both ends":  {Seed: 1, Orders: 2000},
		"oldest first, no ends":    {Seed: 2, Orders: 800, OldestFirst: true, Boundary: simulator.NeitherIncluded},
		"start only":               {Seed: 3, Orders: 800, Boundary: simulator.StartIncluded},
		"end only":                 {Seed: 4, Orders: 800, Boundary: simulator.EndIncluded},
		"small pages":              {Seed: 5, Orders: 300, MaxPageSize: 20},
		"a very busy hour":         {Seed: 6, Orders: 2500, BusyHour: 1500},
		"an account without order": {Seed: 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			end := start.AddDate(0, 0, 3)
			s := w.Backfill(end.Add(time.Hour))
			if err := s.Err(); err != nil {
				t.Error(err)
			}
			w.Equal(end)
			for _, id := range w.Account.IDs(start, end) {
				if n := w.Account.DetailCalls(id); n != 1 {
					t.Fatalf("the detail of order %s was fetched %d times", id, n)
				}
			}
		})
	}
}

func TestBackfillAgainCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 500})
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	w.Backfill(now)
	w.Account.ResetCounters()
	w.Committed = nil
	if s := w.Backfill(now); len(w.Account.Calls()) != 0 || len(s.Streams[0].Windows) != 1 {
		// Only the window that is open at now is walked again.
		if calls := w.Account.Calls(); calls["QueryOrders"].Total != 1 || calls["GetOrderDetail"].Total != 0 {
			t.Errorf("%+v", calls)
		}
	}
	if _, err := w.Engine.Backfill(t.Context(), now, start, now, true, nil); err != nil {
		t.Fatal(err)
	}
	if calls := w.Account.Calls(); calls["GetOrderDetail"].Total != 0 {
		t.Errorf("forced again: %+v", calls)
	}
	for _, b := range w.Committed {
		if b.Orders+b.Items+len(b.Rejects) > 0 {
			t.Errorf("rows were written again: %+v", b)
		}
	}
	w.Equal(end)
}

// asked counts what a run asks a warehouse about stored orders and items.
type asked struct {
	engine.Store
	known, items atomic.Int64
	ranges       atomic.Int64 // questions for all items of a range
}

func (a *asked) Known(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string]schema.Known, error) {
	a.known.Add(1)
	return a.Store.Known(ctx, stream, from, to)
}

func (a *asked) ItemIDs(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string][]string, error) {
	a.items.Add(1)
	a.ranges.Add(1)
	return a.Store.ItemIDs(ctx, stream, from, to)
}

func (a *asked) ItemIDsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) (map[string][]string, error) {
	a.items.Add(1)
	return a.Store.ItemIDsByOrder(ctx, stream, from, to, ids)
}

// However many orders are fetched by their ids, no other order's items are read; and no ids are no orders.
func TestFetchReadsOnlyWhatItWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 5, Orders: 300, From: start, To: start.AddDate(0, 0, 2)})
	store := &asked{Store: w.Sink}
	w.Store = store
	w.Engine = w.NewEngine(0, 20)
	now := start.AddDate(0, 0, 2)
	// New ones, and the same again as stored ones that lie far apart.
	for _, ids := range [][]string{nil, {}, w.Account.IDs(start, now), w.Account.IDs(start, now)[:1]} {
		s, err := w.Engine.Fetch(t.Context(), now, w.Stream, ids, nil)
		if err != nil || s.Streams[0].Details != len(ids) {
			t.Fatalf("%d ids: %d details, %v", len(ids), s.Streams[0].Details, err)
		}
	}
	if n := store.ranges.Load(); n > 0 {
		t.Errorf("the items of a range were read %d times", n)
	}
}

// A backfill does not ask an empty warehouse for each day what there is, and yet finds what a crash has left in it: an
// item whose order was not written, and that its detail does not have any more.
func TestBackfillIntoABlankWarehouse(t *testing.T) {
	t.Parallel()
	const days = 20
	w := newWorld(t, simulator.Options{Seed: 5, Orders: 600, From: start, To: start.AddDate(0, 0, days)})
	now := start.AddDate(0, 0, days)
	orders := w.Account.IDs(start, now)
	o, _ := w.Account.Order(orders[len(orders)/2])
	left := schema.Item{Stream: w.Stream, OrderID: o.OrderID, ItemID: "gone", CreateTime: o.CreateTime, FetchedAt: start, Version: 1}
	if err := w.Sink.Write(t.Context(), schema.Batch{Items: []schema.Item{left}}); err != nil {
		t.Fatal(err)
	}
	store := &asked{Store: w.Sink}
	w.Store = store
	w.Engine = w.NewEngine(0, 20)
	w.Backfill(now)
	w.Equal(now)
	if store.known.Load() > days/4 || store.items.Load() > days/4 {
		t.Errorf("asked %d times for orders and %d times for items", store.known.Load(), store.items.Load())
	}
}

func TestTickFollowsWhatChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 500})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	tick := func(d time.Duration) stream.Summary {
		now = now.Add(d)
		s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w.Account.ResetCounters()
	w.Account.Add(3, now.Add(time.Minute))
	recent := w.Account.IDs(now.Add(-20*time.Hour), now)
	if err := w.Account.Change(recent[0]); err != nil {
		t.Fatal(err)
	}
	if s := tick(5 * time.Minute); s.Streams[0].Changed != 4 || w.Account.Calls()["GetOrderDetail"].Total != 4 {
		t.Errorf("%+v, %+v", s.Streams[0], w.Account.Calls())
	}
	w.Equal(now.Truncate(time.Hour).Add(time.Hour))

	// A day later: what was open is closed, and the hours in between are there.
	w.Account.Add(2, now.Add(3*time.Hour))
	tick(50 * time.Hour)
	w.Equal(now)
	windows, err := w.Sink.Windows(t.Context(), w.Stream, start, now.Truncate(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range windows {
		if x.Verdict != schema.Complete {
			t.Errorf("window %s is %s", x.Start, x.Verdict)
		}
	}
}

func TestAStopCommitsWhatWasFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 500, Latency: simulator.Latency{Fixed: 5 * time.Millisecond}})
	end := start.AddDate(0, 0, 3)
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.API == "GetOrderDetail" && f.Number > 120 {
			once.Do(cancel)
		}
		return simulator.Action{}
	})
	if _, err := w.Engine.Backfill(ctx, end, start, end, false, nil); err == nil {
		t.Error("a stopped run says that all is well")
	}
	fetched := w.Account.Calls()["GetOrderDetail"].OK
	w.Account.SetFault(nil)
	w.Backfill(end)
	w.Equal(end)
	if again := w.Account.Calls()["GetOrderDetail"].OK - 500; again > 32 { // at most what was in flight
		t.Errorf("%d details were fetched before the stop, %d of them again after it", fetched, again)
	}
}

func TestAFailureIsVisibleAndHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	bad := w.Account.IDs(start, end)[7]
	w.Account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		switch {
		case f.API == "QueryOrders" && f.Start.Day() == 2:
			return simulator.Action{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"}
		case f.OrderID == bad:
			return simulator.Action{Error: &simulator.Error{Status: 500, Code: "InternalError"}}
		}
		return simulator.Action{}
	})
	s := w.Backfill(end)
	l := s.Streams[0]
	if s.Err() == nil || l.Windows[schema.Failed] == 0 || l.Pending != 1 {
		t.Errorf("%+v: %v", l, s.Err())
	}
	w.Account.SetFault(nil)
	for i := range 3 {
		now := end.Add(time.Duration(i*20) * time.Minute)
		if _, err := w.Engine.Backfill(t.Context(), now, start, end, i == 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.Equal(end)
	rejects, err := warehousetest.OpenRejects(t.Context(), w.Sink, w.Stream)
	if err != nil || len(rejects) > 0 {
		t.Errorf("%v %v", rejects, err)
	}
}

func TestRefusedCredentialsEndTheRunAfterAFewCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300, DeniedActions: []string{"GetOrderDetail"}})
	s := w.Backfill(start.AddDate(0, 0, 3))
	if source.ReasonOf(s.Streams[0].Err) != source.Auth {
		t.Errorf("%v", s.Streams[0].Err)
	}
	if n := w.Account.Calls()["GetOrderDetail"].Total; n > 64 {
		t.Errorf("%d calls", n)
	}
}
