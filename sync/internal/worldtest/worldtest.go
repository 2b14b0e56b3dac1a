// Package worldtest has what the tests of engine and audit share: a simulated vendor on the wire, a real warehouse, and the
// production code between them.
package worldtest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
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

// Start is when the time of a world begins.
var Start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// World is a simulated vendor with one account, a warehouse, and the production code between them. What is of new streams and
// engines may be set before they are made.
type World struct {
	*testing.T
	Account   *simulator.Account
	Endpoint  string
	Sink      *sink.Sink
	Engine    *engine.Engine // the last that Open made, or a test
	Stream    schema.Stream
	Decoder   source.Decoder                    // of new streams
	Filters   schema.Filters                    // of new streams
	ListQuota float64                           // of new streams; zero is without a bound
	Recheck   []time.Duration                   // of new engines
	Source    func(stream.Source) stream.Source // what new streams have around their source
	Store     engine.Store                      // what new engines write to: Sink, or something around it

	mu        sync.Mutex
	Committed []engine.Written // what the engines have told so far
}

// New makes a world whose warehouse is empty. It ends with the test.
func New(t *testing.T, o simulator.Options) *World {
	t.Helper()
	addr, database := warehousetest.Database(t)
	return NewIn(t, o, sink.Config{Addr: []string{addr}, Database: database})
}

// NewIn is New with the warehouse that is named.
func NewIn(t *testing.T, o simulator.Options, warehouse sink.Config) *World {
	t.Helper()
	w := &World{T: t, Decoder: bss.Decoder{}, Source: func(s stream.Source) stream.Source { return s }, Stream: schema.Stream{Source: bss.Vendor, Account: "main"}}
	if o.To.IsZero() {
		o.From, o.To = Start, Start.AddDate(0, 0, 3)
	}
	w.Account = simulator.NewAccount(o)
	server := simulator.New(w.Account)
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	w.Endpoint = server.URL()
	w.Open(warehouse)
	return w
}

// Open opens a warehouse and makes an engine for it.
func (w *World) Open(c sink.Config) {
	w.Helper()
	s, err := sink.Open(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = s.Close() })
	w.Sink, w.Store = s, s
	w.Engine = w.NewEngine(0, 20)
}

// NewStream is what a new process would have: a client and budgets of its own. A call may take as long as timeout; zero is the
// client's default.
func (w *World) NewStream(timeout time.Duration, pageSize int) stream.Stream {
	w.Helper()
	var client interface {
		source.Client
		Close()
	}
	o := source.Options{Account: "main", Endpoint: w.Endpoint, MaxInFlight: 16, Timeout: timeout}
	var err error
	switch key, secret := w.Account.AccessKeyID(), w.Account.AccessKeySecret(); w.Stream.Source {
	case unicloud.Vendor:
		client, err = unicloud.New(unicloud.Options{Options: o, AccessKeyID: key, AccessKeySecret: secret})
	case domain.Vendor:
		client, err = domain.New(domain.Options{Options: o, Credentials: keys.Credentials{AccessKeyID: key, AccessKeySecret: secret}})
	default:
		client, err = bss.New(bss.Options{Options: o, Credentials: bss.Credentials{AccessKeyID: key, AccessKeySecret: secret}})
	}
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(client.Close)
	policy := source.Policy{Initial: time.Millisecond, MaxWait: 10 * time.Millisecond, MaxElapsed: 10 * time.Second, MaxTries: 6}
	caller := source.NewCaller(client, source.NewBudget(100_000), source.NewBudget(100_000), policy, nil)
	return stream.Stream{Stream: w.Stream, Source: w.Source(caller), Filters: w.Filters, Decoder: w.Decoder, PageSize: pageSize, InFlight: 8, ListQuota: w.ListQuota}
}

// NewEngine is an engine with a stream of its own.
func (w *World) NewEngine(timeout time.Duration, pageSize int) *engine.Engine {
	w.Helper()
	return engine.New(w.Store, []stream.Stream{w.NewStream(timeout, pageSize)}, engine.Options{
		Window: time.Hour, Settle: 2 * time.Minute, Lookback: 24 * time.Hour, Sweep: 192 * time.Hour, Recheck: w.Recheck,
		Committed: func(b engine.Written) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.Committed = append(w.Committed, b)
		},
	})
}

// Audit checks what the engine's runs have stored.
func (w *World) Audit() *audit.Audit { return w.AuditOf(w.Engine) }

// AuditOf checks what the runs of an engine have stored.
func (w *World) AuditOf(e *engine.Engine) *audit.Audit {
	return audit.New(w.Store, e, e.Window, e.Settle)
}

// Backfill fills the warehouse from the start of the world until now.
func (w *World) Backfill(now time.Time) stream.Summary {
	w.Helper()
	s, err := w.Engine.Backfill(w.Context(), now, Start, now, false, nil)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// Equal fails unless the warehouse equals the truth and the ledger tiles the time from start to end.
func (w *World) Equal(end time.Time) {
	w.Helper()
	diff, err := compare.Warehouse(w.Context(), w.Sink.Conn(), "main", Start, end, w.Account.Truth(Start, end))
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range diff {
		w.Error(d)
	}
	windows, err := w.Sink.Windows(w.Context(), w.Stream, Start, end)
	if err != nil {
		w.Fatal(err)
	}
	at, digest, stored := Start, uint64(0), 0
	for _, x := range windows {
		if !x.Start.Equal(at) {
			w.Errorf("the window %s follows one that ends at %s", x.Start, at)
		}
		at = x.End
		digest ^= x.IDDigest
		stored += int(x.Stored)
	}
	truth := w.Account.Truth(Start, end)
	if at.Before(end) || stored != truth.Orders || digest != truth.IDDigest {
		w.Errorf("the ledger ends at %s with %d orders of %d", at, stored, truth.Orders)
	}
	var disagree uint64
	if err := w.Sink.Conn().QueryRow(w.Context(), "SELECT count() FROM window_audit WHERE NOT agrees").Scan(&disagree); err != nil {
		w.Fatal(err)
	}
	if disagree > 0 {
		w.Errorf("%d windows do not agree with the stored orders", disagree)
	}
}

// RunAt makes the scheduled run of a time.
func (w *World) RunAt(now time.Time) stream.Summary {
	w.Helper()
	s, err := w.Engine.Scheduled(w.Context(), now, time.Now().Add(time.Hour), nil)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// Verify verifies the world from its start until now.
func (w *World) Verify(now time.Time, o audit.Options) audit.Report {
	w.Helper()
	r, _, err := w.Audit().Verify(w.Context(), now, Start, now, o, nil)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// VerifyRange verifies a part of it.
func (w *World) VerifyRange(now, from, to time.Time, o audit.Options) audit.Report {
	w.Helper()
	r, _, err := w.Audit().Verify(w.Context(), now, from, to, o, nil)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// Exec runs a formatted statement in the warehouse and waits for what it alters.
func (w *World) Exec(query string, args ...any) {
	w.Helper()
	if err := w.Sink.Conn().Exec(w.Context(), fmt.Sprintf(query, args...)+" SETTINGS mutations_sync = 2"); err != nil {
		w.Fatal(err)
	}
}

// Count returns the number that a formatted query of the warehouse returns.
func (w *World) Count(query string, args ...any) (n uint64) {
	w.Helper()
	if err := w.Sink.Conn().QueryRow(w.Context(), fmt.Sprintf(query, args...)).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}
