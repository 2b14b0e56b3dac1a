package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/stream"
)

// once fails unless the views have one row of an order, or none, at the creation time of the source.
func (w *world) once(id string) {
	w.Helper()
	var rows uint64
	var created time.Time
	if err := w.Sink.Conn().QueryRow(w.Context(), "SELECT count(), max(create_time) FROM orders WHERE order_id = $1", id).Scan(&rows, &created); err != nil {
		w.Fatal(err)
	}
	o, ok := w.Account.Order(id)
	if ok && (rows != 1 || !created.Equal(o.CreateTime)) || !ok && rows != 0 {
		w.Errorf("%d rows of order %s, the newest created at %s; at the source %t, %s", rows, id, created, ok, o.CreateTime)
	}
}

// Whatever a vendor makes of the creation time of an order, the next run leaves one row of it, and the proofs hold (I11).
func TestAnOrderThatMovesIsOneRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, by time.Duration }{
		"within its window":                       {70 * time.Hour, time.Second},
		"over the edge of its window":             {71*time.Hour - time.Second, time.Second},
		"to an earlier window":                    {70 * time.Hour, -5 * time.Hour},
		"to a later window":                       {50 * time.Hour, 20 * time.Hour},
		"out of the lookback":                     {60 * time.Hour, -30 * time.Hour},
		"into the lookback":                       {10 * time.Hour, 55 * time.Hour},
		"to a month before, which was not synced": {60 * time.Hour, -80 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
			now := start.AddDate(0, 0, 3)
			id := w.Account.Add(1, start.Add(c.from))[0]
			w.Backfill(now)
			w.Equal(now)
			if err := w.Account.Move(id, start.Add(c.from+c.by)); err != nil {
				t.Fatal(err)
			}
			if s := w.RunAt(now.Add(5 * time.Minute)); s.Err() != nil {
				t.Error(s.Err())
			}
			w.once(id)
			w.Equal(now)
			w.history()
			if r := w.Verify(now.Add(5*time.Minute), audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Errorf("%v", r.Differences)
			}
			w.Account.ResetCounters()
			if s := w.RunAt(now.Add(10 * time.Minute)); s.Err() != nil || s.Streams[0].Changed > 0 || s.Streams[0].Details > 0 {
				t.Errorf("the next run: %+v, %v", s.Streams[0], s.Err())
			}
		})
	}
}

// The history of an order that moved is one chain.
func TestHistoryGoesOnWhenAnOrderMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 100})
	now := start.AddDate(0, 0, 3)
	id := w.Account.Add(1, start.Add(60*time.Hour))[0]
	w.Backfill(now)
	for i, at := range []time.Duration{61, 50, 60} {
		if err := w.Account.Move(id, start.Add(at*time.Hour)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(5 * time.Minute)
		if s := w.RunAt(now); s.Err() != nil {
			t.Error(i, s.Err())
		}
	}
	rows, err := w.Sink.Conn().Query(t.Context(), `SELECT change, formatDateTime(create_time, '%d %H'), isNull(valid_to),
		valid_from = lagInFrame(valid_to) OVER (ORDER BY change ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
		FROM order_history WHERE order_id = $1 ORDER BY change`, id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var change uint64
		var at string
		var last uint8
		var follows *uint8
		if err := rows.Scan(&change, &at, &last, &follows); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(change, " ", at, " ", last, " ", follows != nil && *follows == 1))
	}
	want := "1 03 12 0 false, 2 03 13 0 true, 3 03 02 0 true, 4 03 12 1 true"
	if s := strings.Join(got, ", "); s != want || rows.Err() != nil {
		t.Errorf("%s, want %s, %v", s, want, rows.Err())
	}
}

// An order that vanishes goes, with its items, once two listings lack it and its detail is twice not found.
func TestAnOrderThatVanishesGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	ids := w.Account.IDs(now.Add(-20*time.Hour), now.Add(-time.Hour))[:3]
	for _, id := range ids {
		if err := w.Account.Vanish(id); err != nil {
			t.Fatal(err)
		}
	}
	w.Account.ResetCounters()
	now = now.Add(5 * time.Minute)
	if s := w.RunAt(now); s.Err() != nil {
		t.Error(s.Err())
	}
	for _, id := range ids {
		w.once(id)
	}
	w.Equal(now)
	w.ended(ids)
	if n := w.Account.Calls()["GetOrderDetail"].Total; n > 3*len(ids) {
		t.Errorf("%d detail calls for %d orders", n, len(ids))
	}
	if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
		t.Errorf("%v", r.Differences)
	}
}

// An order that vanishes and comes back, at its place or at another one, is one row while it is there, and none while it is not.
func TestAnOrderThatComesBack(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"where it was": 0, "within its window": time.Second, "in another one": -10 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
			now := start.AddDate(0, 0, 3)
			id := w.Account.Add(1, now.Add(-5*time.Hour))[0]
			w.Backfill(now)
			hidden := func(q simulator.FaultRequest) simulator.Action {
				less := simulator.Action{Total: func(n int) int { return n - 1 }}
				if q.OrderID == id {
					less.Total = func(int) int { return 0 }
					less.Drop = func(int) bool { return true }
					return less
				}
				at := slices.Index(w.Account.IDs(q.Start, q.End.Add(time.Second)), id) // oldest first, both ends included
				if q.OrderID != "" || at < 0 {
					return simulator.Action{}
				}
				row := len(w.Account.IDs(q.Start, q.End.Add(time.Second))) - 1 - at
				less.Drop = func(n int) bool { return (q.Page-1)*q.Size+n == row }
				return less
			}
			for _, there := range []bool{false, true, false, true} {
				w.Account.SetFault(nil)
				if !there {
					w.Account.SetFault(hidden)
				} else if err := w.Account.Move(id, now.Add(-5*time.Hour+by)); err != nil {
					t.Fatal(err)
				}
				if s := w.RunAt(now.Add(5 * time.Minute)); s.Err() != nil {
					t.Error(there, s.Err())
				}
				want := map[bool]uint64{true: 1}[there]
				for _, view := range []string{"orders", "spend", "order_items"} {
					if n := w.Count("SELECT uniqExact(order_id) FROM %s WHERE order_id = '%s'", view, id); n != want {
						t.Errorf("%d in %s, there %t", n, view, there)
					}
				}
				if n := w.Count("SELECT count() FROM window_audit WHERE NOT agrees"); n > 0 {
					t.Errorf("%d windows do not agree, there %t", n, there)
				}
			}
			w.once(id)
			w.Equal(now)
			if r := w.Verify(now.Add(5*time.Minute), audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Errorf("%v", r.Differences)
			}
		})
	}
}

// ended fails unless the history of these orders has ended.
func (w *world) ended(ids []string) {
	w.Helper()
	var open uint64
	if err := w.Sink.Conn().QueryRow(w.Context(), "SELECT count() FROM order_history WHERE order_id IN ($1) AND isNull(valid_to)", ids).Scan(&open); err != nil {
		w.Fatal(err)
	}
	if open > 0 {
		w.Errorf("%d histories of orders that vanished have not ended", open)
	}
}

// A source that lists nothing, or less, on its own word empties nothing, costs few calls, and is not green.
func TestASickSourceEmptiesNothing(t *testing.T) {
	t.Parallel()
	const nothing = `{"Code":"Success","Success":true,"Data":{"TotalCount":0,"PageNum":1,"PageSize":20,"OrderList":{}}}`
	for name, c := range map[string]struct {
		orders int
		fault  func(q simulator.FaultRequest) simulator.Action
		green  bool
	}{
		"lists nothing, twice": {40, nil, true},
		"lists nothing, of few orders": {40, func(q simulator.FaultRequest) simulator.Action {
			if q.OrderID == "" {
				return simulator.Action{Status: 200, Body: nothing}
			}
			return simulator.Action{}
		}, false},
		"knows nothing, of few orders": {40, func(simulator.FaultRequest) simulator.Action {
			return simulator.Action{Status: 200, Body: nothing}
		}, false},
		"knows nothing, of many": {3000, func(simulator.FaultRequest) simulator.Action {
			return simulator.Action{Status: 200, Body: nothing}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: c.orders})
			now := start.AddDate(0, 0, 3)
			w.Backfill(now)
			if c.fault == nil {
				script := simulator.NewScript(1, simulator.Rule{Kind: "lists-nothing", Most: 2})
				c.fault = script.Fault
			}
			w.Account.SetFault(c.fault)
			w.Account.ResetCounters()
			now = now.Add(5 * time.Minute)
			s := w.RunAt(now)
			if (s.Err() == nil) != c.green {
				t.Errorf("%v", s.Err())
			}
			calls := w.Account.Calls()
			if n := calls["QueryOrders"].Total + calls["GetOrderDetail"].Total; n > 150 {
				t.Errorf("%d calls: %+v", n, calls)
			}
			w.stored(now)
			w.Account.SetFault(nil)
			now = now.Add(20 * time.Minute) // what was short is tried again after a while
			if s := w.RunAt(now); s.Err() != nil {
				t.Errorf("when it is well again: %v", s.Err())
			}
			w.Equal(now)
		})
	}
}

// stored fails unless the stored orders are those of the source, whatever the ledger says.
func (w *world) stored(end time.Time) {
	w.Helper()
	n, err := w.Sink.Count(w.Context(), w.Stream, start, end)
	if err != nil || n != w.Account.Truth(start, end).Orders {
		w.Errorf("%d orders are stored, %v", n, err)
	}
}

// A vendor whose detail has what its listing lacks contradicts itself: the window is short, and costs ever fewer calls.
func TestAContradictionIsShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 100})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	id := w.Account.IDs(now.Add(-20*time.Hour), now)[0]
	hidden, _ := w.Account.Order(id)
	w.Account.SetFault(func(q simulator.FaultRequest) simulator.Action {
		if q.OrderID != "" || q.Start.After(hidden.CreateTime) || q.End.Before(hidden.CreateTime) {
			return simulator.Action{}
		}
		rows := w.Account.IDs(q.Start, q.End.Add(time.Second)) // newest first, both ends included
		return simulator.Action{
			Total: func(n int) int { return n - 1 },
			Drop:  func(row int) bool { return q.Page == 1 && rows[len(rows)-1-row] == id },
		}
	})
	for i := range 12 {
		now = now.Add(5 * time.Minute)
		if s := w.RunAt(now); s.Err() == nil {
			t.Fatalf("run %d is green", i)
		}
	}
	var why string
	if err := w.Sink.Conn().QueryRow(t.Context(), "SELECT error FROM sync_windows WHERE verdict = 'short'").Scan(&why); err != nil || !strings.Contains(why, id) {
		t.Errorf("%q, %v", why, err)
	}
	w.once(id)
	if n := w.Account.DetailCalls(id); n > 6 {
		t.Errorf("%d detail calls in an hour", n)
	}
	w.Account.SetFault(nil)
	if s := w.RunAt(now.Add(5 * time.Minute)); s.Err() != nil {
		t.Error(s.Err())
	}
	w.Equal(now)
}

// failing refuses a write that holds a row of an order, once it has let some such writes pass.
type failing struct {
	engine.Store
	order string
	pass  atomic.Int64
	half  bool // write the tombstones, and not what comes after them
}

var errRefused = errors.New("the warehouse is gone")

func (f *failing) Writer(of int) schema.Writer {
	return &failingWriter{Writer: f.Store.Writer(of), store: f}
}

type failingWriter struct {
	schema.Writer
	store *failing
	rows  []schema.Batch
}

func (b *failingWriter) Add(rows schema.Batch) error {
	b.rows = append(b.rows, rows)
	return b.Writer.Add(rows)
}

func (b *failingWriter) Write(ctx context.Context) error {
	for _, rows := range b.rows {
		for _, o := range rows.Orders {
			if o.OrderID != b.store.order || b.store.pass.Add(-1) >= 0 {
				continue
			}
			if b.store.half {
				left := b.store.Store.Writer(1)
				for _, b := range b.rows {
					orders := slices.DeleteFunc(slices.Clone(b.Orders), func(o schema.Order) bool { return !o.Deleted })
					items := slices.DeleteFunc(slices.Clone(b.Items), func(i schema.Item) bool { return !i.Deleted })
					if err := left.Add(schema.Batch{Orders: orders, Items: items}); err != nil {
						return err
					}
				}
				if err := left.Write(ctx); err != nil {
					return err
				}
			}
			return errRefused
		}
	}
	return b.Writer.Write(ctx)
}

// A crash while an order moves loses nothing for good and doubles nothing, wherever the two windows are: the next runs heal
// it by themselves (I7, I9).
func TestACrashWhileAnOrderMoves(t *testing.T) {
	t.Parallel()
	for _, half := range []bool{false, true} {
		for name, c := range map[string]struct{ from, by time.Duration }{
			"in the lookback":     {60 * time.Hour, 5 * time.Hour},
			"out of the lookback": {60 * time.Hour, -30 * time.Hour},
		} {
			t.Run(fmt.Sprint(name, ", half ", half), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, simulator.Options{Seed: 1, Orders: 200})
				now := start.AddDate(0, 0, 3)
				id := w.Account.Add(1, start.Add(c.from))[0]
				w.Backfill(now)
				if err := w.Account.Move(id, start.Add(c.from+c.by)); err != nil {
					t.Fatal(err)
				}
				w.Store = &failing{Store: w.Sink, order: id, half: half}
				if _, err := w.NewEngine(0, 20).Scheduled(t.Context(), now.Add(5*time.Minute), time.Now().Add(time.Hour), nil); !errors.Is(err, errRefused) {
					t.Fatal(err)
				}
				var rows uint64
				if err := w.Sink.Conn().QueryRow(t.Context(), "SELECT count() FROM orders WHERE order_id = $1", id).Scan(&rows); err != nil || rows > 1 {
					t.Errorf("%d rows after the crash, %v", rows, err)
				}
				w.Store = w.Sink
				w.Engine = w.NewEngine(0, 20)
				for _, d := range []time.Duration{15 * time.Minute, 30 * time.Minute} { // a short window is tried again after a while
					if s := w.RunAt(now.Add(d)); d == 30*time.Minute && s.Err() != nil {
						t.Error(s.Err())
					}
				}
				w.once(id)
				w.Equal(now)
				w.history()
			})
		}
	}
}

// An order that moves while a run lists it here and there is one row at its end.
func TestAnOrderThatMovesUnderTheRun(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]time.Duration{"later": 10 * time.Hour, "earlier": 60 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 600})
			now := start.AddDate(0, 0, 3)
			id := w.Account.Add(1, start.Add(from))[0]
			to := start.Add(70*time.Hour - from)
			var moved atomic.Bool
			w.Account.SetFault(func(q simulator.FaultRequest) simulator.Action {
				if q.OrderID == id && moved.CompareAndSwap(false, true) {
					_ = w.Account.Move(id, to)
				}
				return simulator.Action{}
			})
			w.Backfill(now)
			if s, err := w.Engine.Backfill(t.Context(), now, start, now, true, nil); err != nil || s.Err() != nil {
				t.Error(err, s.Err())
			}
			w.once(id)
			w.Equal(now)
			w.history()
		})
	}
}

// An order that is fetched by its id, wherever it is stored, moves when its detail and a listing say so.
func TestAnOrderThatIsFetchedMoves(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"in its window": time.Second, "to another": 7 * time.Hour, "to another month": -20 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 200})
			now := start.AddDate(0, 0, 3)
			id := w.Account.Add(1, start.Add(12*time.Hour))[0]
			w.Backfill(now)
			if err := w.Account.Move(id, start.Add(12*time.Hour+by)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				w.Account.ResetCounters()
				s, err := w.Engine.Fetch(t.Context(), now.Add(time.Minute), w.Stream, []string{id}, nil)
				if err != nil || s.Err() != nil {
					t.Error(err, s.Err())
				}
				w.once(id)
				w.Equal(now)
			}
			if calls := w.Account.Calls(); calls["QueryOrders"].Total > 0 || calls["GetOrderDetail"].Total != 1 {
				t.Errorf("fetched again: %+v", calls)
			}
			w.history()
		})
	}
}

// An unpaid order before the lookback that vanishes is missing in the sweep, and goes.
func TestAnUnpaidOrderThatVanishesGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 600})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	id := w.Account.Unpaid()[0]
	if o, _ := w.Account.Order(id); o.CreateTime.After(now.Add(-25 * time.Hour)) {
		t.Fatal("a test with no old unpaid order")
	}
	if err := w.Account.Vanish(id); err != nil {
		t.Fatal(err)
	}
	if s := w.RunAt(now.Add(5 * time.Minute)); s.Err() != nil {
		t.Error(s.Err())
	}
	w.once(id)
	w.Equal(now)
}

// Two owners may see one order: it is stored for one of them, and the other has a reject that says so.
func TestAnOrderOfTwoOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 60})
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	w.Account.AddOwner("42", w.Account)
	own := w.Stream
	w.Stream.OwnerID = "42"
	w.Engine = w.NewEngine(0, 20)
	s := w.Backfill(now)
	if s.Err() == nil || s.Streams[0].Rejected != 60 {
		t.Errorf("%v", s.Err())
	}
	rejects, err := warehousetest.OpenRejects(t.Context(), w.Sink, w.Stream)
	if err != nil || len(rejects) != 60 || rejects[0].Reason != "other_owner" {
		t.Errorf("%d rejects, %v", len(rejects), err)
	}
	w.Stream = own
	w.Equal(now)
}

// The same where both are listed for the first time, in one run: each order is stored for one of them, and is a reject of
// the other, whichever is first.
func TestAnOrderOfTwoOwnersInOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 60})
	now := start.AddDate(0, 0, 3)
	w.Account.AddOwner("42", w.Account)
	of := func(owner string) stream.Stream {
		client, err := bss.New(bss.Options{Options: source.Options{Account: "main", Endpoint: w.Endpoint}, Credentials: bss.Credentials{
			AccessKeyID: w.Account.AccessKeyID(), AccessKeySecret: w.Account.AccessKeySecret(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		caller := source.NewCaller(client, source.NewBudget(100_000), source.NewBudget(100_000), source.DefaultPolicy, nil)
		l := w.Stream
		l.OwnerID = owner
		return stream.Stream{Stream: l, Source: caller, Decoder: bss.Decoder{}, PageSize: 20, InFlight: 8}
	}
	e := engine.New(w.Sink, []stream.Stream{of(""), of("42")},
		engine.Options{Window: time.Hour, Settle: 2 * time.Minute, Lookback: 24 * time.Hour, Sweep: 192 * time.Hour})
	for range 2 { // a second run says the same
		s, err := e.Backfill(t.Context(), now, start, now, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows, rejects := 0, 0
		for _, l := range s.Streams {
			o, err := w.Sink.Orders(t.Context(), l.Stream, start, now)
			if err != nil {
				t.Fatal(err)
			}
			open, err := warehousetest.OpenRejects(t.Context(), w.Sink, l.Stream)
			if err != nil {
				t.Fatal(err)
			}
			rows, rejects = rows+len(o), rejects+len(open)
		}
		if rows != 60 || rejects != 60 || s.Err() == nil {
			t.Errorf("%d rows and %d rejects, %v", rows, rejects, s.Err())
		}
	}
}

// A vendor that counts and lists up to a limit, with pages that agree, is read whole all the same.
func TestALimitOfTheVendorHidesNothing(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]int{"evenly": -1, "in an hour": 600} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Seed: 1, Orders: 900, BusyHour: busy})
			w.Account.SetFault(simulator.NewScript(1, simulator.Rule{Kind: "total-cap"}).Fault)
			now := start.AddDate(0, 0, 3)
			if s := w.Backfill(now); s.Err() != nil {
				t.Error(s.Err())
			}
			w.Equal(now)
			if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Errorf("%v", r.Differences)
			}
		})
	}
}
