package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source/bss"
)

// payloads are what the vendor says of orders where nothing spoils it: another account of the same seed has the same bytes.
func payloads(t *testing.T, o simulator.Options, now time.Time) map[string]string {
	t.Helper()
	w := newWorld(t, o)
	w.backfill(now)
	orders, err := w.sink.Orders(t.Context(), w.stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range orders {
		out[o.OrderID] = o.Raw
	}
	return out
}

// agrees fails unless the ledger agrees with the stored rows and its windows are complete.
func (w *world) agrees() {
	w.Helper()
	if n := w.count("SELECT count() FROM window_audit WHERE NOT agrees"); n != 0 {
		w.Errorf("%d windows do not agree with the ledger", n)
	}
	if n := w.count("SELECT count() FROM sync_windows WHERE verdict NOT IN ('complete', 'open')"); n != 0 {
		w.Errorf("%d windows are not complete", n)
	}
	if n := w.count("SELECT count() FROM sync_windows WHERE listed != stored + rejected"); n != 0 {
		w.Errorf("the numbers of %d windows do not add up", n)
	}
}

// A reject that becomes an order is in the ledger at once: in the window of its time, wherever it was counted before.
func TestReplayKeepsTheLedger(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"bad-amount", "no-create-time"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := simulator.Options{Seed: 1, Orders: 300}
			now := start.AddDate(0, 0, 3).Add(time.Hour)
			raw := payloads(t, o, now)
			w := newWorld(t, o)
			bad := w.account.IDs(start.Add(30*time.Hour), now)[:3]
			script := simulator.NewScript(1, simulator.Rule{Kind: kind, Orders: bad})
			w.account.SetFault(script.Fault)
			w.backfill(now)
			w.agrees()
			if n := w.count("SELECT count() FROM rejects WHERE status = 'open'"); n != 3 {
				t.Fatalf("%d rejects", n)
			}
			// As an upgrade that reads the payload better would.
			for _, id := range bad {
				w.exec("ALTER TABLE reject_rows UPDATE raw = %s WHERE order_id = '%s'", schema.Quote(raw[id]), id)
			}
			for range 2 { // the second one finds nothing to do
				if s, err := w.audit().Replay(t.Context(), now, start, now, nil); err != nil || s.Streams[0].Err != nil {
					t.Fatal(err, s.Streams[0].Err)
				}
				w.agrees()
				if n := w.count("SELECT count() FROM rejects WHERE status = 'open'"); n != 0 {
					t.Errorf("%d rejects are open", n)
				}
			}
			w.account.SetFault(nil)
			if r := w.verify(now, audit.Options{}); len(r.Differences) != 0 {
				t.Errorf("%+v", r.Differences)
			}
			w.backfill(now) // fetches the items
			if s, err := w.engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
				t.Error(err, s.Err())
			}
			w.equal(start.AddDate(0, 0, 3))
		})
	}
}

// A line that became readable becomes an item, and its reject is resolved.
func TestReplayOfALine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	bad := w.account.IDs(start.Add(30*time.Hour), now)[:1]
	good := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	good.backfill(now)
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-line", Orders: bad})
	w.account.SetFault(script.Fault)
	w.backfill(now)
	rejects, err := warehousetest.OpenRejects(t.Context(), w.sink, w.stream)
	if err != nil || len(rejects) != 1 || rejects[0].Stage != schema.RejectItem {
		t.Fatal(rejects, err)
	}
	items, err := good.sink.ItemsByOrder(t.Context(), w.stream, schema.MinTime, schema.MaxTime, bad)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := w.sink.ItemIDsByOrder(t.Context(), w.stream, schema.MinTime, schema.MaxTime, bad)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if !strings.Contains(strings.Join(stored[bad[0]], " "), i.ItemID) {
			w.exec("ALTER TABLE reject_rows UPDATE raw = %s WHERE order_id = '%s'", schema.Quote(i.Raw), bad[0])
		}
	}
	if s, err := w.audit().Replay(t.Context(), now, start, now, nil); err != nil || s.Streams[0].Err != nil {
		t.Fatal(err, s.Streams[0].Err)
	}
	w.agrees()
	if n := w.count("SELECT count() FROM rejects WHERE status = 'open'"); n != 0 {
		t.Errorf("%d rejects are open", n)
	}
	w.equal(start.AddDate(0, 0, 3))
}

// A row whose payload cannot be decoded any more stays, and so does one whose item cannot: a replay loses nothing.
func TestReplayLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	w.backfill(now)
	ids := w.account.IDs(start, now)
	w.exec("ALTER TABLE order_rows UPDATE raw = '{' WHERE order_id = '%s'", ids[3])
	w.exec("ALTER TABLE order_item_rows UPDATE raw = '{' WHERE order_id = '%s'", ids[4])
	orders, items := w.count("SELECT count() FROM orders"), w.count("SELECT count() FROM order_items")
	s, err := w.audit().Replay(t.Context(), now, start, now, nil)
	if err != nil || s.Streams[0].Changed != 0 {
		t.Errorf("%+v, %v", s.Streams[0], err)
	}
	if o, i := w.count("SELECT count() FROM orders"), w.count("SELECT count() FROM order_items"); o != orders || i != items {
		t.Errorf("%d orders of %d, %d items of %d", o, orders, i, items)
	}
	w.agrees()
}

// shifted decodes all creation times anew, as after a correction of the configured time zone.
type shifted struct{ bss.Decoder }

func (s shifted) Order(stream schema.Stream, raw string) (schema.Order, *schema.Reject) {
	o, reject := s.Decoder.Order(stream, raw)
	o.CreateTime = o.CreateTime.Add(8 * time.Hour)
	return o, reject
}

// Orders whose creation time is decoded anew move: each is one row, and both windows agree (I11).
func TestReplayMovesOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 4)
	w.backfill(now)
	orders, items := w.count("SELECT count() FROM orders"), w.count("SELECT count() FROM order_items")
	w.decoder = shifted{}
	if s, err := w.auditOf(w.newEngine(0, 20)).Replay(t.Context(), now, start, now, nil); err != nil || s.Streams[0].Err != nil {
		t.Fatal(err, s.Streams[0].Err)
	}
	if o, i, u := w.count("SELECT count() FROM orders"), w.count("SELECT count() FROM order_items"), w.count("SELECT uniqExact(order_id) FROM orders"); o != orders || i != items || u != orders {
		t.Errorf("%d orders of %d, %d of them different, %d items of %d", o, orders, u, i, items)
	}
	w.agrees()
}
