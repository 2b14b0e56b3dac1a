package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/source/unicloud"
	"github.com/ordersync/ordersync/sync/stream"
)

// payloads are what the vendor says of orders where nothing spoils it: another account of the same seed has the same bytes.
func payloads(t *testing.T, o simulator.Options, now time.Time) map[string]string {
	t.Helper()
	w := newWorld(t, o)
	w.Backfill(now)
	orders, err := w.Sink.Orders(t.Context(), w.Stream, schema.MinTime, schema.MaxTime)
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
	if n := w.Count("SELECT count() FROM window_audit WHERE NOT agrees"); n != 0 {
		w.Errorf("%d windows do not agree with the ledger", n)
	}
	if n := w.Count("SELECT count() FROM sync_windows WHERE verdict NOT IN ('complete', 'open')"); n != 0 {
		w.Errorf("%d windows are not complete", n)
	}
	if n := w.Count(`SELECT count() FROM sync_windows WHERE listed NOT BETWEEN stored AND stored + rejected`); n != 0 {
		w.Errorf("the numbers of %d windows do not add up", n)
	}
}

// A reject that becomes an order is in the ledger at once: in the window of its time, wherever it was counted before.
func TestReplayKeepsTheLedger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   string
		stored bool // before it became a reject
	}{
		"bad-amount": {"bad-amount", false}, "no-create-time": {"no-create-time", false},
		"bad-amount of a stored order": {"bad-amount", true}, "no-create-time of a stored order": {"no-create-time", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := simulator.Options{Seed: 1, Orders: 300}
			now := start.AddDate(0, 0, 3).Add(time.Hour)
			raw := payloads(t, o, now)
			w := newWorld(t, o)
			bad := w.Account.IDs(start.Add(30*time.Hour), now)[:3]
			script := simulator.NewScript(1, simulator.Rule{Kind: c.kind, Orders: bad})
			if c.stored {
				w.Backfill(now)
			}
			w.Account.SetFault(script.Fault)
			if _, err := w.Engine.Backfill(t.Context(), now, start, now, true, nil); err != nil {
				t.Fatal(err)
			}
			w.agrees()
			if n := w.Count("SELECT count() FROM rejects WHERE status = 'open'"); n != 3 {
				t.Fatalf("%d rejects", n)
			}
			// As an upgrade that reads the payload better would.
			for _, id := range bad {
				w.Exec("ALTER TABLE reject_rows UPDATE raw = %s WHERE order_id = '%s'", schema.Quote(raw[id]), id)
			}
			for range 2 { // the second one finds nothing to do
				if s, err := w.Audit().Replay(t.Context(), now, start, now, nil); err != nil || s.Streams[0].Err != nil {
					t.Fatal(err, s.Streams[0].Err)
				}
				w.agrees()
				if n := w.Count("SELECT count() FROM rejects WHERE status = 'open'"); n != 0 {
					t.Errorf("%d rejects are open", n)
				}
			}
			w.Account.SetFault(nil)
			if r := w.Verify(now, audit.Options{}); len(r.Differences) != 0 {
				t.Errorf("%+v", r.Differences)
			}
			w.Backfill(now) // fetches the items
			if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
				t.Error(err, s.Err())
			}
			w.Equal(start.AddDate(0, 0, 3))
		})
	}
}

// A line that became readable becomes an item, and its reject is resolved.
func TestReplayOfALine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	bad := w.Account.IDs(start.Add(30*time.Hour), now)[:1]
	good := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	good.Backfill(now)
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-line", Orders: bad})
	w.Account.SetFault(script.Fault)
	w.Backfill(now)
	rejects, err := warehousetest.OpenRejects(t.Context(), w.Sink, w.Stream)
	if err != nil || len(rejects) != 1 || rejects[0].Stage != schema.RejectItem {
		t.Fatal(rejects, err)
	}
	items, err := good.Sink.ItemsByOrder(t.Context(), w.Stream, schema.MinTime, schema.MaxTime, bad)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := w.Sink.ItemIDsByOrder(t.Context(), w.Stream, schema.MinTime, schema.MaxTime, bad)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if !strings.Contains(strings.Join(stored[bad[0]], " "), i.ItemID) {
			w.Exec("ALTER TABLE reject_rows UPDATE raw = %s WHERE order_id = '%s'", schema.Quote(i.Raw), bad[0])
		}
	}
	if s, err := w.Audit().Replay(t.Context(), now, start, now, nil); err != nil || s.Streams[0].Err != nil {
		t.Fatal(err, s.Streams[0].Err)
	}
	w.agrees()
	if n := w.Count("SELECT count() FROM rejects WHERE status = 'open'"); n != 0 {
		t.Errorf("%d rejects are open", n)
	}
	w.Equal(start.AddDate(0, 0, 3))
}

// A row whose payload cannot be decoded any more stays, and so does one whose item cannot: a replay loses nothing.
func TestReplayLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	now := start.AddDate(0, 0, 3).Add(time.Hour)
	w.Backfill(now)
	ids := w.Account.IDs(start, now)
	w.Exec("ALTER TABLE order_rows UPDATE raw = '{' WHERE order_id = '%s'", ids[3])
	w.Exec("ALTER TABLE order_item_rows UPDATE raw = '{' WHERE order_id = '%s'", ids[4])
	orders, items := w.Count("SELECT count() FROM orders"), w.Count("SELECT count() FROM order_items")
	s, err := w.Audit().Replay(t.Context(), now, start, now, nil)
	if err != nil || s.Streams[0].Changed != 0 {
		t.Errorf("%+v, %v", s.Streams[0], err)
	}
	if o, i := w.Count("SELECT count() FROM orders"), w.Count("SELECT count() FROM order_items"); o != orders || i != items {
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
	w.Backfill(now)
	orders, items := w.Count("SELECT count() FROM orders"), w.Count("SELECT count() FROM order_items")
	w.Decoder = shifted{}
	if s, err := w.AuditOf(w.NewEngine(0, 20)).Replay(t.Context(), now, start, now, nil); err != nil || s.Streams[0].Err != nil {
		t.Fatal(err, s.Streams[0].Err)
	}
	if o, i, u := w.Count("SELECT count() FROM orders"), w.Count("SELECT count() FROM order_items"), w.Count("SELECT uniqExact(order_id) FROM orders"); o != orders || i != items || u != orders {
		t.Errorf("%d orders of %d, %d of them different, %d items of %d", o, orders, u, i, items)
	}
	w.agrees()
}

func TestReplayRebuildsFromRaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Seed: 1, Orders: 300})
	end := start.AddDate(0, 0, 3)
	bad := w.Account.IDs(start, end)[12]
	script := simulator.NewScript(1, simulator.Rule{Kind: "bad-amount", Orders: []string{bad}})
	w.Account.SetFault(script.Fault)
	if s := w.Backfill(end); s.Streams[0].Rejected != 1 {
		t.Fatalf("%+v", s.Streams[0])
	}
	w.Exec("ALTER TABLE order_rows UPDATE pretax_amount = 1, product_code = 'x' WHERE order_id > '0'")
	w.Exec("ALTER TABLE order_item_rows UPDATE region = 'x', quantity = 7 WHERE order_id > '0'")
	w.Account.SetFault(nil)
	w.Account.ResetCounters()
	s, err := w.Audit().Replay(t.Context(), end.Add(time.Minute), start, end, nil)
	if err != nil || s.Streams[0].Changed < 290 || w.Account.Calls()["QueryOrders"].Total+w.Account.Calls()["GetOrderDetail"].Total > 0 {
		t.Errorf("%+v, %v, calls %v", s.Streams[0], err, w.Account.Calls())
	}
	// The payload of the reject is as wrong as it was; a new list brings the right one.
	w.Backfill(end.Add(2 * time.Minute))
	w.Equal(end)
	if again, err := w.Audit().Replay(t.Context(), end.Add(time.Hour), start, end, nil); err != nil || again.Streams[0].Changed != 0 {
		t.Errorf("a second replay changed %d orders, %v", again.Streams[0].Changed, err)
	}
}

// The rows are made again with another time zone: those of before do not stay (I11).
func TestAReplayMovesOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Vendor: simulator.VendorUniCloud, Seed: 1, Orders: 200, DatesAsText: true})
	now := start.AddDate(0, 0, 4)
	store := func(zone *time.Location) {
		client, err := unicloud.New(unicloud.Options{
			Options:     source.Options{Account: "main", Endpoint: w.Endpoint},
			AccessKeyID: w.Account.AccessKeyID(), AccessKeySecret: w.Account.AccessKeySecret(), Location: zone,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		caller := source.NewCaller(client, source.NewBudget(100_000), source.NewBudget(100_000), source.DefaultPolicy, nil)
		w.Stream.Source = unicloud.Vendor
		w.Engine = engine.New(w.Sink, []stream.Stream{{
			Stream: w.Stream, Source: caller, Decoder: unicloud.Decoder{Location: zone}, PageSize: 20, InFlight: 8,
		}}, engine.Options{Window: time.Hour, Settle: 2 * time.Minute, Lookback: 24 * time.Hour, Sweep: 192 * time.Hour})
	}
	store(time.UTC)
	w.Backfill(now)
	store(time.FixedZone("UTC+8", 8*60*60))
	s, err := w.Audit().Replay(t.Context(), now, start, now, nil)
	if err != nil || s.Err() != nil || s.Streams[0].Changed != 200 {
		t.Errorf("%+v, %v", s.Streams[0], err)
	}
	w.Equal(now)
	w.Account.ResetCounters()
	if s, err := w.Engine.Backfill(t.Context(), now, start.Add(-24*time.Hour), now, true, nil); err != nil || s.Err() != nil {
		t.Error(err, s.Err())
	}
	if n := w.Account.Calls()["OrderDetail"].Total; n > 0 {
		t.Errorf("%d details were fetched again", n)
	}
	w.Equal(now)
}
