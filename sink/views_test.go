package sink_test

import (
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// ledgerRow is the ledger row that a walk of a window would write after storing these orders.
func ledgerRow(start, end time.Time, orders []schema.Order, items int) schema.Window {
	w := schema.Window{Stream: stream, Start: start, End: end, Verdict: schema.Complete, Items: uint32(items), Version: 1}
	for _, o := range orders {
		if !o.CreateTime.Before(start) && o.CreateTime.Before(end) {
			w.Stored++
			w.IDDigest ^= xxhash.Sum64String(o.OrderID)
		}
	}
	w.Listed = w.Stored
	return w
}

// stored is a day of orders with two items each, and its ledger, in hours until noon and in half hours from then on.
func stored() sink.Batch {
	var b sink.Batch
	for n := range 24 * 60 {
		o := order(n)
		b.Orders = append(b.Orders, o)
		b.Items = append(b.Items, item(o, 1), item(o, 2))
	}
	for start := day; start.Before(day.Add(24 * time.Hour)); {
		end := start.Add(time.Hour)
		if start.Hour() >= 12 {
			end = start.Add(30 * time.Minute)
		}
		b.Windows = append(b.Windows, ledgerRow(start, end, b.Orders, int(end.Sub(start).Minutes())*2))
		start = end
	}
	return b
}

func TestWindowAudit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage string
		change func(*sink.Batch)
		want   []string
	}{
		"nothing wrong": {},
		"order deleted": {
			damage: "ALTER TABLE order_rows DELETE WHERE order_id = '211059788200065'",
			want:   []string{"01:00"},
		},
		"id altered": {
			change: func(b *sink.Batch) {
				o := b.Orders[125]
				o.Deleted, o.Version = true, 2
				moved := b.Orders[125]
				moved.OrderID = "another"
				b.Orders = append(b.Orders, o, moved)
			},
			want: []string{"02:00"},
		},
		"creation time altered": {
			change: func(b *sink.Batch) {
				o := b.Orders[0]
				o.Deleted, o.Version = true, 2
				moved := b.Orders[0]
				moved.CreateTime = day.Add(13*time.Hour + 29*time.Minute)
				b.Orders = append(b.Orders, o, moved)
			},
			want: []string{"00:00", "13:00"},
		},
		"order doubled": {
			change: func(b *sink.Batch) {
				twin := b.Orders[30]
				twin.CreateTime = twin.CreateTime.Add(time.Second)
				b.Orders = append(b.Orders, twin)
			},
			want: []string{"00:00"},
		},
		"item deleted": {
			damage: "ALTER TABLE order_item_rows DELETE WHERE item_id = '211059788201439-2'",
			want:   []string{"23:30"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			b := stored()
			if c.change != nil {
				c.change(&b)
			}
			write(t, s, b)
			if c.damage != "" {
				exec(t, s.Conn(), c.damage)
			}
			got := texts(t, s.Conn(), "SELECT formatDateTime(window_start, '%H:%i') FROM window_audit WHERE NOT agrees ORDER BY window_start")
			var want []string
			for _, w := range c.want {
				want = append(want, "('"+w+"')")
			}
			equal(t, got, want)
			if n := number(t, s.Conn(), "SELECT count() FROM window_audit"); n != 36 {
				t.Errorf("the audit has %d windows, want 36", n)
			}
		})
	}
}

func TestOrderAmountDifferences(t *testing.T) {
	t.Parallel()
	s := open(t)
	equalSum, more, none, unknown := order(1), order(2), order(3), order(4)
	unknown.Pretax = schema.Money{}
	i1, i2, i3, i4 := item(equalSum, 1), item(equalSum, 2), item(more, 1), item(unknown, 1)
	i1.Pretax, i2.Pretax, i3.Pretax = amount("0.1"), amount("10.4"), amount("10.500000000001")
	write(t, s, sink.Batch{Orders: []schema.Order{equalSum, more, none, unknown}, Items: []schema.Item{i1, i2, i3, i4}})
	equal(t, texts(t, s.Conn(), "SELECT toString(difference), items FROM order_amount_differences ORDER BY create_time"),
		[]string{"('0',2)", "('-0.000000000001',1)", "(NULL,0)", "(NULL,1)"})
}

// Every table, view and column explains itself to who reads it in SQL.
func TestEverythingHasAComment(t *testing.T) {
	t.Parallel()
	s := open(t)
	equal(t, texts(t, s.Conn(), `SELECT table, name FROM system.columns WHERE database = currentDatabase()
		AND comment = '' AND table != 'goose_db_version' AND table NOT IN (
			SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView')`), nil)
	equal(t, texts(t, s.Conn(), `SELECT name FROM system.tables WHERE database = currentDatabase()
		AND comment = '' AND name != 'goose_db_version'`), nil)
}

// The bound on how stale a window can be follows from the ledger, and from the orders of an account that has none.
func TestFreshness(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := smallBatch()
	byID := order(5)
	byID.Account = "byid"
	b.Orders = append(b.Orders, byID)
	listed, detailed := day.Add(50*time.Hour), day.Add(40*time.Hour)
	at := func(hour int, v schema.Verdict, listed, detailed time.Time) schema.Window {
		return schema.Window{
			Stream: stream, Start: day.Add(time.Duration(hour) * time.Hour), End: day.Add(time.Duration(hour+1) * time.Hour), Verdict: v, Stored: 1,
			FinishedAt: day.Add(60 * time.Hour), ListedAt: listed, DetailedAt: detailed, Version: 1,
		}
	}
	b.Windows = []schema.Window{
		at(10, schema.Complete, listed, detailed),
		at(11, schema.Complete, time.Time{}, time.Time{}), // of before the ledger knew
		at(12, schema.Failed, time.Time{}, time.Time{}),   // never listed
		at(13, schema.Short, listed.Add(-time.Hour), detailed.Add(time.Hour)),
	}
	write(t, s, b)
	if err := s.WriteChecks(t.Context(), []schema.Check{{Stream: byID.Stream, OrderID: byID.OrderID, CreateTime: byID.CreateTime, CheckedAt: listed, Version: 1}}); err != nil {
		t.Fatal(err)
	}
	equal(t, texts(t, s.Conn(), `SELECT account || ' ' || formatDateTime(window_start, '%H', 'UTC') || ' ' || ifNull(toString(dateDiff('hour', toDateTime64('`+
		day.Format(time.DateTime)+`', 3, 'UTC'), last_compared)), '-') || ' ' || ifNull(toString(dateDiff('hour', toDateTime64('`+day.Format(time.DateTime)+
		`', 3, 'UTC'), oldest_detail)), '-') FROM freshness WHERE window_start >= '`+day.Format(time.DateTime)+`' ORDER BY account, window_start`),
		[]string{"('byid 00 50 50')", "('main 10 50 40')", "('main 11 60 -')", "('main 12 - -')", "('main 13 49 41')"})
	equal(t, number(t, s.Conn(), `SELECT count() FROM freshness WHERE status_seconds != amounts_seconds
		OR status_seconds NOT BETWEEN age('second', last_compared, now64(3, 'UTC')) - 5 AND age('second', last_compared, now64(3, 'UTC'))
		OR instances_seconds NOT BETWEEN age('second', oldest_detail, now64(3, 'UTC')) - 5 AND age('second', oldest_detail, now64(3, 'UTC'))`), 0)
	sums := must[[]sink.StreamSummary](t)(s.Summaries(t.Context(), nil))
	if len(sums) != 1 || !sums[0].Compared.Equal(listed.Add(-time.Hour)) || !sums[0].Detailed.Equal(detailed) {
		t.Errorf("%+v", sums)
	}
}

// Ten years of hours are read in well under a second, however many orders they hold.
func TestFreshnessIsCheap(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.Conn().Exec(t.Context(), `INSERT INTO sync_window_rows (source, account, owner_id, window_start, window_end, verdict, stored, finished_at, listed_at, detailed_at, version)
		SELECT 'bss', 'main', '', toDateTime64('2016-01-01 00:00:00', 3, 'UTC') + INTERVAL number HOUR AS start, start + INTERVAL 1 HOUR, 'complete', 4000,
			now64(3), now64(3), now64(3), 1 FROM numbers(87600)`); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if n := number(t, s.Conn(), "SELECT count() FROM (SELECT max(status_seconds), max(instances_seconds) FROM freshness GROUP BY account, owner_id)"); n != 1 {
		t.Error(n)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it takes %s", took)
	} else {
		t.Log(took)
	}
}
