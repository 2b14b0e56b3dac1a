package sink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// reading is one read of a sink, by the name of its method.
type reading struct {
	method string
	read   func(context.Context, *sink.Sink) (any, error)
}

// doubled is a stream with an order that is stored twice.
var doubled = schema.Stream{Source: "bss", Account: "main", OwnerID: "doubled"}

// some makes a reading's result one of any type.
func some[T any](v T, err error) (any, error) { return v, err }

// readings are all reads there are.
func readings(now time.Time) []reading {
	from, to := day.AddDate(0, -6, 0), day.AddDate(0, 6, 0)
	ids := []string{order(1).OrderID, order(2).OrderID, order(700).OrderID, "unknown"}
	return []reading{
		{"Known", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Known(ctx, stream, from, to)) }},
		{"Provisional", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.Provisional(ctx, stream, []time.Duration{time.Minute, 24 * time.Hour}, from, to))
		}},
		{"DetailAges", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.DetailAges(ctx, stream, time.Hour, from, to))
		}},
		{"OldDetails", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.OldDetails(ctx, stream, from, to, time.Now(), 100))
		}},
		{"First", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.First(ctx, stream, from, to)) }},
		{"Orders", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Orders(ctx, stream, from, to)) }},
		{"OrdersByID", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.OrdersByID(ctx, stream, from, to, ids))
		}},
		{"Items", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Items(ctx, stream, from, to)) }},
		{"ItemsByOrder", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.ItemsByOrder(ctx, stream, from, to, ids))
		}},
		{"ItemIDs", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.ItemIDs(ctx, stream, from, to)) }},
		{"ItemIDsByOrder", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.ItemIDsByOrder(ctx, stream, from, to, ids))
		}},
		{"Pending", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.Pending(ctx, stream, schema.OrderRef{}, 1_000_000))
		}},
		{"Unpaid", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Unpaid(ctx, stream, from, to)) }},
		{"Unsettled", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Unsettled(ctx, stream)) }},
		{"Find", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Find(ctx, stream, ids)) }},
		{"StoredRange", func(ctx context.Context, s *sink.Sink) (any, error) {
			oldest, newest, err := s.StoredRange(ctx, stream)
			return some([]time.Time{oldest, newest}, err)
		}},
		{"TrackedCounts", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.TrackedCounts(ctx)) }},
		{"Windows", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Windows(ctx, stream, from, to)) }},
		{"Undone", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Undone(ctx, stream, to)) }},
		{"LastWindow", func(ctx context.Context, s *sink.Sink) (any, error) {
			start, end, err := s.LastWindow(ctx)
			return some([]time.Time{start, end}, err)
		}},
		{"Places", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Places(ctx, "main", ids)) }},
		{"HasOrders", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.HasOrders(ctx, "main")) }},
		{"Doubled", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Doubled(ctx, doubled)) }},
		{"RangeLeases", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.RangeLeases(ctx, stream, from, to))
		}},
		{"Count", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Count(ctx, stream, from, to)) }},
		{"Counts", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.Counts(ctx, stream, time.Hour, from, to))
		}},
		{"CountOrders", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.CountOrders(ctx, stream)) }},
		{"OrdersSince", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.OrdersSince(ctx, from)) }},
		{"Summaries", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Summaries(ctx, nil)) }},
		{"RejectWindows", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.RejectWindows(ctx, stream, time.Hour, time.Time{}, to))
		}},
		{"HeldRejects", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.HeldRejects(ctx, stream, time.Hour, []schema.RejectWindow{{Start: day, List: 1, Loose: 1}}))
		}},
		{"RejectPage", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.RejectPage(ctx, stream, schema.RejectQuery{Stages: []string{schema.RejectList, schema.RejectItem}, Most: 1000, Raw: true}))
		}},
		{"RejectsOf", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.RejectsOf(ctx, stream, []string{"r1"}, ids))
		}},
		{"RejectsOfOrders", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.RejectsOfOrders(ctx, stream, ids))
		}},
		{"ListRejects", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.ListRejects(ctx)) }},
		{"ListAccountRejects", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.ListAccountRejects(ctx, "main")) }},
		{"FindRejects", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.FindRejects(ctx, "r")) }},
		{"FindAccountRejects", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.FindAccountRejects(ctx, "main", "r"))
		}},
		{"Ledger", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Ledger(ctx, stream, from, to)) }},
		{"LedgerMark", func(ctx context.Context, s *sink.Sink) (any, error) { return s.LedgerMark(ctx) }},
		{"AccountSummaries", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.AccountSummaries(ctx, "main")) }},
		{"Activities", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Activities(ctx, "main", from)) }},
		{"AccountFindingCounts", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.AccountFindingCounts(ctx, "main"))
		}},
		{"LastAccountVerifications", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.LastAccountVerifications(ctx, "main"))
		}},
		{"RejectCounts", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.RejectCounts(ctx)) }},
		{"RejectGroups", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.RejectGroups(ctx)) }},
		{"OpenFindings", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.OpenFindings(ctx, stream)) }},
		{"AllOpenFindings", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.AllOpenFindings(ctx)) }},
		{"FindingCounts", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.FindingCounts(ctx)) }},
		{"LastVerifications", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.LastVerifications(ctx)) }},
		{"RecentRuns", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.RecentRuns(ctx, from, 10)) }},
		{"RunningRuns", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.RunningRuns(ctx, now, from)) }},
		{"FailedRuns", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.FailedRuns(ctx, now, from, 10)) }},
		{"LastSuccesses", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.LastSuccesses(ctx, from)) }},
		{"Streaks", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Streaks(ctx, from, "auth")) }},
		{"WindowFaults", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.WindowFaults(ctx, "[0-9]+")) }},
		{"LastLeases", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.LastLeases(ctx)) }},
		{"Leases", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Leases(ctx)) }},
		{"Closes", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.Closes(ctx)) }},
		{"ClosesOf", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.ClosesOf(ctx, day)) }},
		{"Figures", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.Figures(ctx, from, to, day.AddDate(1, 0, 0)))
		}},
		{"FiguresOf", func(ctx context.Context, s *sink.Sink) (any, error) {
			return some(s.FiguresOf(ctx, from, to, day.AddDate(1, 0, 0), []string{"main"}))
		}},
		{"StoredView", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.StoredView(ctx)) }},
		{"ProductsFetched", func(ctx context.Context, s *sink.Sink) (any, error) { return some(s.ProductsFetched(ctx, "main")) }},
		{"Spend", func(ctx context.Context, s *sink.Sink) (any, error) {
			days, products, err := s.Spend(ctx, from, to)
			return some(append(days, products...), err)
		}},
	}
}

// notRead are the methods of a sink that give something and that nobody tries again: a person's own statement, a claim,
// of which the next renewal comes soon, and why a server would take no rows, which it need not tell.
var notRead = map[string]bool{"Query": true, "ClaimLeases": true, "Refusal": true}

// Every read there is is tested here.
func TestReadingsAreComplete(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, r := range readings(day) {
		tested[r.method] = true
	}
	sinks := reflect.TypeFor[*sink.Sink]()
	for i := range sinks.NumMethod() {
		m := sinks.Method(i)
		reads := m.Type.NumIn() > 1 && m.Type.In(1) == reflect.TypeFor[context.Context]() && m.Type.NumOut() > 1
		if reads && !tested[m.Name] && !notRead[m.Name] {
			t.Errorf("Sink.%s reads, and no test cuts it", m.Name)
		}
	}
}

// fill stores something for each reading, in several partitions, so that a result comes in several blocks.
func fill(t *testing.T, s *sink.Sink) {
	t.Helper()
	b := stored()
	b.Rejects = smallBatch().Rejects
	b.Rejects = append(b.Rejects, schema.Reject{Stream: stream, ID: "r3", Stage: schema.RejectList, OrderID: order(2).OrderID, Reason: "malformed",
		WindowStart: day, FirstSeen: day, LastSeen: day, Version: 1, Raw: "["})
	b.Rejects = append(b.Rejects, schema.Reject{Stream: stream, ID: "r2", Stage: schema.RejectItem, OrderID: order(1).OrderID, Reason: "malformed",
		FirstSeen: day, LastSeen: day, Version: 1, Raw: "["})
	for month := range 4 {
		for n := range 500 {
			o := order(n)
			o.OrderID = fmt.Sprintf("%d-%d", month, n)
			o.CreateTime = o.CreateTime.AddDate(0, month-2, 0)
			o.PaymentStatus = []string{"Paid", "Unpaid"}[n%2]
			o.DetailStatus = []string{schema.DetailOK, schema.DetailPending}[n/2%2]
			b.Orders = append(b.Orders, o)
			b.Items = append(b.Items, item(o, 1), item(o, 2))
		}
	}
	b.Windows = append(b.Windows, ledgerRow(day.AddDate(0, 1, 0), day.AddDate(0, 1, 0).Add(time.Hour), nil, 0),
		schema.Window{Stream: stream, Start: day.AddDate(0, 2, 0), End: day.AddDate(0, 2, 0).Add(time.Hour), Verdict: schema.Failed, Error: "503", Version: 1})
	write(t, s, b)
	ctx := t.Context()
	if err := errors.Join(
		s.Track(ctx, []schema.Tracked{{Stream: stream, OrderID: b.Orders[3000].OrderID, AddedAt: day, Version: 1}, {Stream: stream, OrderID: "later", AddedAt: day, Version: 1}}),
		s.WriteFindings(ctx, []schema.Finding{{Stream: stream, ID: "f", Kind: "missing", Depth: "count", Start: day, End: day.Add(time.Hour), FoundAt: day, Version: 1}}),
		s.WriteVerification(ctx, sink.Verification{Stream: stream, From: day, To: day.Add(time.Hour), Whole: true, StartedAt: day, FinishedAt: day}),
		s.WriteRuns(ctx, []sink.Run{
			{ID: "a", Kind: sink.RunTick, State: sink.RunOK, Accounts: []string{"main"}, StartedAt: day, UpdatedAt: day, FinishedAt: day, Version: 1},
			{ID: "b", Kind: sink.RunTick, State: sink.RunFailed, Accounts: []string{"main"}, StartedAt: day, UpdatedAt: day, FinishedAt: day, Version: 1},
			{ID: "c", Kind: sink.RunBackfill, State: sink.RunRunning, Accounts: []string{"main"}, StartedAt: day, UpdatedAt: day, Version: 1},
		}),
		s.WriteClose(ctx, []sink.Close{{Month: day, Start: day, End: day, ClosedAt: day, Figures: sink.Figures{Account: "main", Digest: "d"}}}),
		s.WriteProducts(ctx, []schema.Product{{Source: "bss", Account: "main", ProductCode: "rds", ProductName: "RDS", FetchedAt: day, Version: 1}}),
	); err != nil {
		t.Fatal(err)
	}
	once := order(1)
	once.OwnerID = doubled.OwnerID
	twice := once // at another time
	twice.CreateTime = twice.CreateTime.AddDate(0, 1, 0)
	write(t, s, sink.Batch{Orders: []schema.Order{once, twice}})
	if err := s.ClaimRanges(ctx, []sink.RangeLease{{Stream: stream, From: day, To: day.Add(time.Hour), Holder: "holder", Process: "process"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClaimLeases(ctx, "holder", "process", []string{"main"}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"sync_leases", "sync_range_leases"} { // a claim lives for less than the test may take
		exec(t, s.Conn(), "INSERT INTO "+table+" SELECT * REPLACE (renewed_at + toIntervalHour(1) AS renewed_at) FROM "+table+" FINAL")
	}
}

// The connection breaks before or in the result of a read, of whatever kind: the read is made again, and its result is whole
// and has nothing twice.
func TestConnectionCutDuringRead(t *testing.T) {
	t.Parallel()
	cutDuringRead(t, func(size int64) []int64 { return []int64{0, size * 2 / 3} })
}

// The same at more places.
func TestSlowConnectionCutDuringRead(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "cuts each kind of read at four places")
	cutDuringRead(t, func(size int64) []int64 { return []int64{0, size / 3, size * 2 / 3, size - 1} })
}

// cutDuringRead makes each kind of read over a connection that breaks after so many bytes of a result of that size.
func cutDuringRead(t *testing.T, places func(size int64) []int64) {
	t.Helper()
	addr, database := warehousetest.Database(t)
	fill(t, openAt(t, addr, database))
	openAt(t, addr, database, func(c *sink.Config) { c.Refresh = 365 * 24 * time.Hour })
	for i, r := range readings(day) {
		t.Run(fmt.Sprint(r.method, i), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, addr)
			seen := new(retries)
			s, err := sink.OpenToRead(t.Context(), sink.Config{Addr: []string{p.addr}, Database: database, Username: "default", Log: slog.New(seen)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			var want any
			size := int64(math.MaxInt64) // it differs, by what the server says of its work
			for range 3 {
				p.received.Store(0)
				if want, err = r.read(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				size = min(size, p.received.Load())
			}
			if v := reflect.ValueOf(want); v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 || v.Kind() == reflect.Map && v.Len() == 0 {
				t.Error("there is nothing to lose")
			}
			for _, limit := range places(size) {
				cuts, tries := p.cuts.Load(), seen.n.Load()
				p.received.Store(0)
				p.download.Store(limit)
				got, err := r.read(t.Context(), s)
				if err != nil {
					t.Fatalf("cut after %d of %d bytes: %v", limit, size, err)
				}
				p.download.Store(-1)
				equal(t, got, want)
				// The end alone may be cut off when all has arrived.
				if cuts, tries := p.cuts.Load()-cuts, seen.n.Load()-tries; tries != cuts && limit < size-1 || limit == 0 && cuts != 1 {
					t.Errorf("cut after %d of %d bytes: %d cuts, tried again %d times", limit, size, cuts, tries)
				}
			}
			if n := p.cuts.Load(); n < 2 {
				t.Errorf("%d cuts", n)
			}
		})
	}
}

// retries is a log that counts the lines that say that something is tried again.
type retries struct{ n atomic.Int64 }

func (r *retries) Handle(_ context.Context, line slog.Record) error {
	if strings.Contains(line.Message, "trying again") {
		r.n.Add(1)
	}
	return nil
}
func (r *retries) Enabled(context.Context, slog.Level) bool { return true }
func (r *retries) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *retries) WithGroup(string) slog.Handler            { return r }

// The server itself is killed in the middle of a result, and comes back.
func TestServerKilledDuringRead(t *testing.T) {
	t.Parallel()
	server, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Open: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := newProxy(t, server.Addr())
	s := openAt(t, p.addr, "killed")
	fill(t, s)
	p.onCut = func() {
		if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	for _, r := range readings(day) {
		if r.method != "Known" && r.method != "Summaries" && r.method != "Count" { // the others are read by the same two functions
			continue
		}
		p.received.Store(0)
		want, err := r.read(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		p.download.Store(p.received.Swap(0) / 2)
		got, err := r.read(t.Context(), s)
		if err != nil {
			t.Fatal(r.method, err)
		}
		equal(t, got, want)
	}
	if n := p.cuts.Load(); n != 3 {
		t.Errorf("%d kills", n)
	}
}

// What would fail in the same way again is not tried again, and a read that is over ends.
func TestReadsEnd(t *testing.T) {
	t.Parallel()
	t.Run("hopeless", func(t *testing.T) {
		t.Parallel()
		seen := new(retries)
		s := open(t, func(c *sink.Config) { c.Log = slog.New(seen) })
		write(t, s, smallBatch())
		exec(t, s.Conn(), "DROP TABLE reject_rows")
		exec(t, s.Conn(), "ALTER TABLE sync_finding_rows MODIFY COLUMN note Int32")
		if err := s.WriteFindings(t.Context(), []schema.Finding{{Stream: stream, ID: "f", FoundAt: day}}); err == nil {
			t.Error("the column is as it was")
		}
		exec(t, s.Conn(), "INSERT INTO sync_finding_rows (account, id) VALUES ('main', 'x')")
		if _, err := s.ListRejects(t.Context()); err == nil || !strings.Contains(err.Error(), "a table is missing: run `ordersync migrate`") ||
			strings.Count(err.Error(), "ordersync migrate") != 1 {
			t.Error(err)
		}
		if _, err := s.OpenFindings(t.Context(), stream); err == nil || !strings.Contains(err.Error(), "read the findings") {
			t.Error(err)
		}
		if n := seen.n.Load(); n != 0 {
			t.Errorf("tried again %d times", n)
		}
	})
	t.Run("time is up", func(t *testing.T) {
		t.Parallel()
		addr, database := warehousetest.Database(t)
		p := newProxy(t, addr)
		s := openAt(t, p.addr, database, func(c *sink.Config) { c.MaxElapsedTime = time.Second })
		p.close()
		start := time.Now()
		_, err := s.Count(t.Context(), stream, day, day)
		if err == nil || !strings.Contains(err.Error(), "count the stored orders: given up after 1s, reason network") {
			t.Error(err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		addr, database := warehousetest.Database(t)
		p := newProxy(t, addr)
		stop := errors.New("the program is asked to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		s := openAt(t, p.addr, database, func(c *sink.Config) {
			c.Log = slog.New(slog.NewTextHandler(writer(func([]byte) { cancel(stop) }), nil))
		})
		p.close()
		if _, err := s.Windows(ctx, stream, day, day); !errors.Is(err, stop) || !strings.Contains(err.Error(), "while retrying") {
			t.Error(err)
		}
		if _, err := s.Windows(ctx, stream, day, day); !errors.Is(err, stop) {
			t.Error(err)
		}
	})
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

// A server that takes connections and says nothing holds nobody who is told to stop, whatever he asks it.
func TestStopWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	l := listen(t, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c) // ends with the client
		c.Close()
	})
	// The first address answers, until it is closed.
	p := newProxy(t, addr)
	s := openAt(t, p.addr, database, func(c *sink.Config) { c.Addr = []string{p.addr, l.Addr().String()} })
	p.close()
	_, _ = s.Count(stopSoon(t), stream, day, day) // cuts the connection there is
	for what, do := range map[string]func(context.Context) error{
		"read":  func(ctx context.Context) error { _, err := s.Count(ctx, stream, day, day); return err },
		"write": func(ctx context.Context) error { return s.Write(ctx, smallBatch()) },
		"claim": func(ctx context.Context) error { _, err := s.ClaimLeases(ctx, "h", "p", []string{"main"}); return err },
		"ping":  s.Ping,
	} {
		start := time.Now()
		if err := do(stopSoon(t)); err == nil {
			t.Errorf("%s: no error", what)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s ended %s after it began", what, took)
		}
	}
}

// stopSoon is a context without a deadline that ends soon.
func stopSoon(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(500*time.Millisecond, cancel)
	return ctx
}

// Forty accounts, or owners, read at once, each for a second: they take turns on the connections, and none fails because
// its turn comes late.
func TestManyReadAtOnce(t *testing.T) {
	t.Parallel()
	seen := new(retries)
	s := open(t, func(c *sink.Config) { c.DialTimeout, c.Log = 2*time.Second, slog.New(seen) })
	exec(t, s.Conn(), "DROP TABLE product_rows")
	exec(t, s.Conn(), "CREATE VIEW product_rows AS SELECT 'main' AS account, toDateTime64('2024-05-06', 3, 'UTC') AS fetched_at FROM numbers(1) WHERE NOT sleep(1)")
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			at, err := s.ProductsFetched(t.Context(), "main")
			if err != nil || !at.Equal(day) {
				t.Error(at, err)
			}
		})
	}
	// Nor does the question whether the server is there wait for them.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
	all.Wait()
	if n := seen.n.Load(); n != 0 {
		t.Errorf("tried again %d times", n)
	}
	// Who is stopped does not wait for its turn.
	var held sync.WaitGroup
	for range 40 {
		held.Go(func() { _, _ = s.ProductsFetched(t.Context(), "main") })
	}
	stop := errors.New("stop")
	stopped, end := context.WithCancelCause(t.Context())
	end(stop)
	if _, err := s.ProductsFetched(stopped, "main"); !errors.Is(err, stop) {
		t.Error(err)
	}
	held.Wait()
}
