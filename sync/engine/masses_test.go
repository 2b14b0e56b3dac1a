package engine_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
)

// runCosts is what a run took of the warehouse and of this process.
type runCosts struct {
	rows, bytes uint64 // that the server read
	allocated   uint64 // bytes of memory, also those that were freed
	took        time.Duration
}

// runCost makes a scheduled run and measures it.
func (w *world) runCost(now time.Time) (c runCosts, s stream.Summary) {
	w.Helper()
	var mu sync.Mutex
	ctx := clickhouse.Context(w.Context(), clickhouse.WithProgress(func(p *clickhouse.Progress) {
		mu.Lock()
		defer mu.Unlock()
		c.rows, c.bytes = c.rows+p.Rows, c.bytes+p.Bytes
	}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	s, err := w.Engine.Scheduled(ctx, now, time.Now().Add(time.Hour), nil)
	if err != nil {
		w.Fatal(err)
	}
	c.took = time.Since(began)
	runtime.ReadMemStats(&after)
	c.allocated = after.TotalAlloc - before.TotalAlloc
	return c, s
}

// rejectMany makes rejects in the warehouse, spread over the hours before a time, by stages, each with a payload of a kilobyte.
// They may be tried again at next.
func (w *world) rejectMany(n int, before, next time.Time) {
	w.Helper()
	w.Exec(`INSERT INTO reject_rows (source, account, id, stage, order_id, window_start, create_time, reason, message, raw, first_seen,
			last_seen, attempts, next_attempt, version)
		SELECT 'bss', 'main', hex(sipHash64(number)), ['list', 'list', 'item', 'detail'][1 + number %% 4], 'of-' || hex(sipHash64(number, 1)),
			toStartOfHour(create_time), fromUnixTimestamp64Milli(toInt64(%d - number %% 480 * 3600000 - 1000), 'UTC') AS create_time,
			'malformed', 'it cannot be read', repeat('x', 1024) || toString(number), now(), now(), 3,
			fromUnixTimestamp64Milli(toInt64(%d), 'UTC'), 1
		FROM numbers(%d)`, before.UnixMilli(), next.UnixMilli(), n)
}

// many is the larger one of two numbers of which a run must not depend, and very many that of the slow tests.
const (
	many     = 20_000
	veryMany = 1_000_000
)

// masses is a warehouse with some rejects, at a time at which a scheduled run is due.
func masses(t *testing.T, n int, due bool) (w *world, now time.Time) {
	w = newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now = start.AddDate(0, 0, 3)
	w.Backfill(now)
	next := now.AddDate(1, 0, 0)
	if due {
		next = now.Add(-time.Hour)
	}
	w.rejectMany(n, now.AddDate(0, 0, -1), next)
	return w, now.Add(5 * time.Minute)
}

// A vendor changes a format and every order becomes a reject. A scheduled run, red as it is (I8), costs what it looks at: it
// reads no payload, counts in the server, and holds nothing that grows with the rejects.
func TestRejectsInMasses(t *testing.T) { rejectsInMasses(t, many) }

func TestRejectsInMassesSlow(t *testing.T) {
	sinktest.Slow(t, "takes long")
	rejectsInMasses(t, veryMany)
}

func rejectsInMasses(t *testing.T, n int) {
	t.Helper() // not parallel: memory is that of the process
	few, now := masses(t, 1000, false)
	less, s := few.runCost(now)
	if l := s.Streams[0]; l.Rejected != 750 || l.Pending != 250 || s.Err() == nil {
		t.Errorf("%+v", l)
	}
	all, now := masses(t, n, false)
	more, s := all.runCost(now)
	if l := s.Streams[0]; l.Rejected != n*3/4 || l.Pending != n/4 || s.Err() == nil {
		t.Errorf("%+v", l)
	}
	t.Logf("1000 rejects: %+v", less)
	t.Logf("%d rejects: %+v", n, more)
	notMore(t, n, less, more)
}

// notMore fails unless a run with n rejects took what one with a thousand did, and for each reject beside that one narrow row of
// each count in the server.
func notMore(t *testing.T, n int, less, more runCosts) {
	t.Helper()
	if most := less.rows + 2*uint64(n) + 100_000; more.rows > most {
		t.Errorf("%d rows were read, and %d with 1000 rejects", more.rows, less.rows)
	}
	if most := less.bytes + 100*uint64(n) + 5<<20; more.bytes > most {
		t.Errorf("%d bytes were read, and %d with 1000 rejects", more.bytes, less.bytes)
	}
	if most := 2*less.allocated + 4<<20; more.allocated > most {
		t.Errorf("%d bytes were allocated, and %d with 1000 rejects", more.allocated, less.allocated)
	}
}

// Of those that are due a scheduled run tries a bounded number.
func TestDueRejectsInMasses(t *testing.T) { dueRejectsInMasses(t, many) }

func TestDueRejectsInMassesSlow(t *testing.T) {
	sinktest.Slow(t, "takes long")
	dueRejectsInMasses(t, veryMany)
}

func dueRejectsInMasses(t *testing.T, n int) {
	t.Helper()
	few, now := masses(t, 1000, true)
	less, _ := few.runCost(now)
	all, now := masses(t, n, true)
	all.Account.ResetCounters()
	more, s := all.runCost(now)
	if s.Err() == nil || s.Streams[0].Rejected+s.Streams[0].Pending < n/2 {
		t.Errorf("%+v", s.Streams[0])
	}
	if calls := all.Account.Calls(); calls["QueryOrders"].Total > 200 || calls["GetOrderDetail"].Total > 1100 {
		t.Errorf("%+v", calls)
	}
	t.Logf("1000 rejects: %+v", less)
	t.Logf("%d rejects: %+v, of which are left %d", n, more, s.Streams[0].Rejected)
}

// A scheduled run looks at the tracked orders that are not settled, not at all that were ever tracked.
func TestSettledOrdersInMasses(t *testing.T) { settledOrdersInMasses(t, many) }

func TestSettledOrdersInMassesSlow(t *testing.T) {
	sinktest.Slow(t, "takes long")
	settledOrdersInMasses(t, veryMany)
}

func settledOrdersInMasses(t *testing.T, n int) {
	t.Helper()
	measure := func(n int) runCosts {
		w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
		now := start.AddDate(0, 0, 3)
		w.Backfill(now)
		w.Exec(`INSERT INTO order_rows (source, account, order_id, payment_status, create_time, detail_status, fetched_at, version)
			SELECT 'bss', 'main', 'old-' || toString(number), 'Paid', toDateTime64('2025-01-01 00:00:00', 3, 'UTC') + number, 'ok', now(), 1 FROM numbers(%d)`, n)
		w.Exec(`INSERT INTO tracked_order_rows (source, account, order_id, added_at, version)
			SELECT 'bss', 'main', 'old-' || toString(number), now(), 1 FROM numbers(%d)`, n)
		if _, s := w.runCost(now.Add(5 * time.Minute)); s.Err() != nil { // which finds out that they are settled
			t.Fatal(s.Err())
		}
		w.Exec("OPTIMIZE TABLE tracked_order_rows FINAL") // as the server does within the hour
		unknown := []schema.Tracked{{Stream: w.Stream, OrderID: "unknown", AddedAt: now, Version: 1}}
		if err := w.Sink.Track(t.Context(), unknown); err != nil {
			t.Fatal(err)
		}
		c, s := w.runCost(now.Add(10 * time.Minute))
		if s.Streams[0].Details == 0 || s.Streams[0].Pending != 1 {
			t.Errorf("the one that is not settled was not asked for: %+v", s.Streams[0])
		}
		t.Logf("%d settled orders: %+v", n, c)
		return c
	}
	less, more := measure(1000), measure(n)
	notMore(t, 0, less, more)
}
