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
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/source/domain"
	"github.com/ordersync/ordersync/sync/source/keys"
	"github.com/ordersync/ordersync/sync/source/unicloud"
	"github.com/ordersync/ordersync/sync/stream"
)

func TestMain(m *testing.M) {
	if os.Getenv(simulatorVariable) != "" {
		serveBenchmark()
		return
	}
	sinktest.Main(m)
}

// slow skips a test that takes too long for every day. Its name says so, too: see .ci/run.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("ORDERSYNC_SLOW") == "" {
		t.Skip("takes long; ORDERSYNC_SLOW=1 runs it")
	}
}

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// world is a simulated vendor with one account, a warehouse, and the production code between them.
type world struct {
	*testing.T
	account  *simulator.Account
	endpoint string
	sink     *sink.Sink
	engine   *engine.Engine
	stream   schema.Stream
	decoder  source.Decoder // of new engines
	filters  schema.Filters
	// listQuota of new engines' streams; zero is without a bound.
	listQuota float64
	recheck   []time.Duration                   // of new engines
	bounds    engine.Bounds                     // of scheduled
	source    func(stream.Source) stream.Source // what they have around theirs
	store     engine.Store                      // what new engines write to: sink, or something around it

	mu        sync.Mutex
	committed []engine.Written
}

func newWorld(t *testing.T, o simulator.Options) *world {
	t.Helper()
	addr, database := warehousetest.Database(t)
	return newWorldIn(t, o, sink.Config{Addr: []string{addr}, Database: database})
}

// newWorldIn has the warehouse that is named.
func newWorldIn(t *testing.T, o simulator.Options, warehouse sink.Config) *world {
	t.Helper()
	w := &world{T: t, decoder: bss.Decoder{}, source: func(s stream.Source) stream.Source { return s }, stream: schema.Stream{Source: bss.Vendor, Account: "main"}}
	if o.To.IsZero() {
		o.From, o.To = start, start.AddDate(0, 0, 3)
	}
	w.account = simulator.NewAccount(o)
	server := simulator.New(w.account)
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	w.endpoint = server.URL()
	w.open(warehouse)
	return w
}

// open opens a warehouse and makes an engine for it.
func (w *world) open(c sink.Config) {
	w.Helper()
	s, err := sink.Open(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = s.Close() })
	w.sink, w.store = s, s
	w.engine = w.newEngine(0, 20)
}

// newStream is what a new process would have: a client and budgets of its own. A call may take as long as timeout; zero is the
// client's default.
func (w *world) newStream(timeout time.Duration, pageSize int) stream.Stream {
	w.Helper()
	var client interface {
		source.Client
		Close()
	}
	var err error
	switch key, secret := w.account.AccessKeyID(), w.account.AccessKeySecret(); w.stream.Source {
	case unicloud.Vendor:
		client, err = unicloud.New(unicloud.Options{Account: "main", Endpoint: w.endpoint, MaxInFlight: 16, Timeout: timeout, AccessKeyID: key, AccessKeySecret: secret})
	case domain.Vendor:
		client, err = domain.New(domain.Options{Account: "main", Endpoint: w.endpoint, MaxInFlight: 16, Timeout: timeout,
			Credentials: keys.Credentials{AccessKeyID: key, AccessKeySecret: secret}})
	default:
		client, err = bss.New(bss.Options{Account: "main", Endpoint: w.endpoint, MaxInFlight: 16, Timeout: timeout,
			Credentials: bss.Credentials{AccessKeyID: key, AccessKeySecret: secret}})
	}
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(client.Close)
	policy := source.Policy{Initial: time.Millisecond, MaxWait: 10 * time.Millisecond, MaxElapsed: 10 * time.Second, MaxTries: 6}
	caller := source.NewCaller(client, source.NewBudget(100_000), source.NewBudget(100_000), policy, nil)
	return stream.Stream{Stream: w.stream, Source: w.source(caller), Filters: w.filters, Decoder: w.decoder, PageSize: pageSize, InFlight: 8, ListQuota: w.listQuota}
}

// newEngine is an engine with a stream of its own.
func (w *world) newEngine(timeout time.Duration, pageSize int) *engine.Engine {
	w.Helper()
	return engine.New(w.store, []stream.Stream{w.newStream(timeout, pageSize)}, engine.Options{
		Window: time.Hour, Settle: 2 * time.Minute, Lookback: 24 * time.Hour, Sweep: 192 * time.Hour, Recheck: w.recheck,
		Committed: func(b engine.Written) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.committed = append(w.committed, b)
		},
	})
}

// audit checks what the engine's runs have stored.
func (w *world) audit() *audit.Audit { return w.auditOf(w.engine) }

func (w *world) auditOf(e *engine.Engine) *audit.Audit {
	return audit.New(w.store, e, e.Window, e.Settle)
}

func (w *world) backfill(now time.Time) stream.Summary {
	w.Helper()
	s, err := w.engine.Backfill(w.Context(), now, start, now, false, nil)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// equal fails unless the warehouse equals the truth and the ledger tiles the time from start to end.
func (w *world) equal(end time.Time) {
	w.Helper()
	diff, err := compare.Warehouse(w.Context(), w.sink.Conn(), "main", start, end, w.account.Truth(start, end))
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range diff {
		w.Error(d)
	}
	windows, err := w.sink.Windows(w.Context(), w.stream, start, end)
	if err != nil {
		w.Fatal(err)
	}
	at, digest, stored := start, uint64(0), 0
	for _, x := range windows {
		if !x.Start.Equal(at) {
			w.Errorf("the window %s follows one that ends at %s", x.Start, at)
		}
		at = x.End
		digest ^= x.IDDigest
		stored += int(x.Stored)
	}
	truth := w.account.Truth(start, end)
	if at.Before(end) || stored != truth.Orders || digest != truth.IDDigest {
		w.Errorf("the ledger ends at %s with %d orders of %d", at, stored, truth.Orders)
	}
	var disagree uint64
	if err := w.sink.Conn().QueryRow(w.Context(), "SELECT count() FROM window_audit WHERE NOT agrees").Scan(&disagree); err != nil {
		w.Fatal(err)
	}
	if disagree > 0 {
		w.Errorf("%d windows do not agree with the stored orders", disagree)
	}
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
			s := w.backfill(end.Add(time.Hour))
			if err := s.Err(); err != nil {
				t.Error(err)
			}
			w.equal(end)
			for _, id := range w.account.IDs(start, end) {
				if n := w.account.DetailCalls(id); n != 1 {
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
	w.backfill(now)
	w.account.ResetCounters()
	w.committed = nil
	if s := w.backfill(now); len(w.account.Calls()) != 0 || len(s.Streams[0].Windows) != 1 {
		// Only the window that is open at now is walked again.
		if calls := w.account.Calls(); calls["QueryOrders"].Total != 1 || calls["GetOrderDetail"].Total != 0 {
			t.Errorf("%+v", calls)
		}
	}
	if _, err := w.engine.Backfill(t.Context(), now, start, now, true, nil); err != nil {
		t.Fatal(err)
	}
	if calls := w.account.Calls(); calls["GetOrderDetail"].Total != 0 {
		t.Errorf("forced again: %+v", calls)
	}
	for _, b := range w.committed {
		if b.Orders+b.Items+len(b.Rejects) > 0 {
			t.Errorf("rows were written again: %+v", b)
		}
	}
	w.equal(end)
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
	store := &asked{Store: w.sink}
	w.store = store
	w.engine = w.newEngine(0, 20)
	now := start.AddDate(0, 0, 2)
	// New ones, and the same again as stored ones that lie far apart.
	for _, ids := range [][]string{nil, {}, w.account.IDs(start, now), w.account.IDs(start, now)[:1]} {
		s, err := w.engine.Fetch(t.Context(), now, w.stream, ids, nil)
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
	orders := w.account.IDs(start, now)
	o, _ := w.account.Order(orders[len(orders)/2])
	left := schema.Item{Stream: w.stream, OrderID: o.OrderID, ItemID: "gone", CreateTime: o.CreateTime, FetchedAt: start, Version: 1}
	if err := w.sink.Write(t.Context(), schema.Batch{Items: []schema.Item{left}}); err != nil {
		t.Fatal(err)
	}
	store := &asked{Store: w.sink}
	w.store = store
	w.engine = w.newEngine(0, 20)
	w.backfill(now)
	w.equal(now)
	if store.known.Load() > days/4 || store.items.Load() > days/4 {
		t.Errorf("asked %d times for orders and %d times for items", store.known.Load(), store.items.Load())
	}
}

func TestTickFollowsWhatChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 500})
	now := start.AddDate(0, 0, 3)
	w.backfill(now)
	tick := func(d time.Duration) stream.Summary {
		now = now.Add(d)
		s, err := w.engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w.account.ResetCounters()
	w.account.Add(3, now.Add(time.Minute))
	recent := w.account.IDs(now.Add(-20*time.Hour), now)
	if err := w.account.Change(recent[0]); err != nil {
		t.Fatal(err)
	}
	if s := tick(5 * time.Minute); s.Streams[0].Changed != 4 || w.account.Calls()["GetOrderDetail"].Total != 4 {
		t.Errorf("%+v, %+v", s.Streams[0], w.account.Calls())
	}
	w.equal(now.Truncate(time.Hour).Add(time.Hour))

	// A day later: what was open is closed, and the hours in between are there.
	w.account.Add(2, now.Add(3*time.Hour))
	tick(50 * time.Hour)
	w.equal(now)
	windows, err := w.sink.Windows(t.Context(), w.stream, start, now.Truncate(time.Hour))
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
	w.account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		if f.API == "GetOrderDetail" && f.Number > 120 {
			once.Do(cancel)
		}
		return simulator.Action{}
	})
	if _, err := w.engine.Backfill(ctx, end, start, end, false, nil); err == nil {
		t.Error("a stopped run says that all is well")
	}
	fetched := w.account.Calls()["GetOrderDetail"].OK
	w.account.SetFault(nil)
	w.backfill(end)
	w.equal(end)
	if again := w.account.Calls()["GetOrderDetail"].OK - 500; again > 32 { // at most what was in flight
		t.Errorf("%d details were fetched before the stop, %d of them again after it", fetched, again)
	}
}

func TestAFailureIsVisibleAndHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	bad := w.account.IDs(start, end)[7]
	w.account.SetFault(func(f simulator.FaultRequest) simulator.Action {
		switch {
		case f.API == "QueryOrders" && f.Start.Day() == 2:
			return simulator.Action{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"}
		case f.OrderID == bad:
			return simulator.Action{Error: &simulator.Error{Status: 500, Code: "InternalError"}}
		}
		return simulator.Action{}
	})
	s := w.backfill(end)
	l := s.Streams[0]
	if s.Err() == nil || l.Windows[schema.Failed] == 0 || l.Pending != 1 {
		t.Errorf("%+v: %v", l, s.Err())
	}
	w.account.SetFault(nil)
	for i := range 3 {
		now := end.Add(time.Duration(i*20) * time.Minute)
		if _, err := w.engine.Backfill(t.Context(), now, start, end, i == 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.equal(end)
	rejects, err := warehousetest.OpenRejects(t.Context(), w.sink, w.stream)
	if err != nil || len(rejects) > 0 {
		t.Errorf("%v %v", rejects, err)
	}
}

func TestRefusedCredentialsEndTheRunAfterAFewCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300, DeniedActions: []string{"GetOrderDetail"}})
	s := w.backfill(start.AddDate(0, 0, 3))
	if source.ReasonOf(s.Streams[0].Err) != source.Auth {
		t.Errorf("%v", s.Streams[0].Err)
	}
	if n := w.account.Calls()["GetOrderDetail"].Total; n > 64 {
		t.Errorf("%d calls", n)
	}
}
