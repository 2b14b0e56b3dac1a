package sink_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// published are the views that people read, with all that is in them.
var published = []string{"orders", "order_items", "order_history", "sync_windows", "rejects", "products",
	"window_audit", "order_amount_differences"}

func contents(t *testing.T, s *sink.Sink) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, view := range published {
		out[view] = texts(t, s.Conn(), "SELECT * FROM "+view+" ORDER BY ALL")
	}
	return out
}

func smallBatch() sink.Batch {
	b := sink.Batch{Orders: []schema.Order{order(1), order(2)}}
	b.Items = []schema.Item{item(b.Orders[0], 1), item(b.Orders[0], 2), item(b.Orders[1], 1)}
	b.Rejects = []schema.Reject{{Stream: stream, ID: "r1", Stage: schema.RejectList, Reason: "malformed", FirstSeen: day, LastSeen: day, Version: 1, Raw: "{"}}
	b.Windows = []schema.Window{ledgerRow(day, day.Add(time.Hour), b.Orders, 3)}
	return b
}

// The same batch again changes nothing that anyone can read (I3, I9), whether merges ran in between or not.
func TestWritingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	write(t, s, smallBatch())
	before := contents(t, s)
	write(t, s, smallBatch())
	equal(t, contents(t, s), before)
	for _, table := range []string{"order_rows", "order_item_rows", "order_versions", "sync_window_rows", "reject_rows"} {
		exec(t, s.Conn(), "OPTIMIZE TABLE "+table+" FINAL")
	}
	write(t, s, smallBatch())
	equal(t, contents(t, s), before)
	equal(t, len(before["order_history"]), 2)
}

// Rows that an operator deleted can be written again just as they were.
func TestDeletedRowsCanBeWrittenAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	write(t, s, smallBatch())
	before := contents(t, s)
	exec(t, s.Conn(), "ALTER TABLE order_rows DELETE WHERE 1")
	exec(t, s.Conn(), "ALTER TABLE order_item_rows DELETE WHERE 1")
	write(t, s, smallBatch())
	equal(t, contents(t, s), before)
}

func TestTheHighestVersionIsCurrent(t *testing.T) {
	t.Parallel()
	s := open(t)
	newer, older := order(1), order(1)
	newer.PaymentStatus, newer.Version = "Paid", 5
	older.PaymentStatus, older.Version = "Unpaid", 4
	for _, b := range [][]schema.Order{{newer}, {older}} { // the older state arrives late
		write(t, s, sink.Batch{Orders: b})
	}
	const query = "SELECT payment_status, version FROM orders"
	equal(t, texts(t, s.Conn(), query), []string{"('Paid',5)"})
	exec(t, s.Conn(), "OPTIMIZE TABLE order_rows FINAL")
	equal(t, texts(t, s.Conn(), query), []string{"('Paid',5)"})
}

// The server stores a block as it comes, so it is up to the reader that several states of an order in one block are one
// order, also while there is no other part in the partition, and after the part was merged with others.
func TestSeveralStatesInOneBlock(t *testing.T) {
	t.Parallel()
	s := open(t)
	first, last, gone := order(1), order(1), order(2)
	first.Version, first.PaymentStatus = 1, "Unpaid"
	last.Version, last.FetchedAt = 2, first.FetchedAt.Add(time.Hour)
	before := gone
	gone.Version, gone.FetchedAt, gone.Deleted = 2, last.FetchedAt, true
	newer := item(last, 1)
	newer.Version = 2
	write(t, s, sink.Batch{Orders: []schema.Order{last, before, first, gone}, Items: []schema.Item{newer, item(first, 1)}})
	check := func(when string) {
		t.Helper()
		equal(t, texts(t, s.Conn(), "SELECT payment_status, version FROM orders"), []string{"('Paid',2)"})
		equal(t, texts(t, s.Conn(), "SELECT count(), max(version) FROM order_items"), []string{"(1,2)"})
		equal(t, number(t, s.Conn(), "SELECT count() FROM order_history"), 3) // of the deleted order, what it was
		if t.Failed() {
			t.Fatal(when)
		}
	}
	check("in one part")
	write(t, s, sink.Batch{Orders: []schema.Order{first}, Items: []schema.Item{item(first, 1)}})
	check("in two parts")
	for _, table := range []string{"order_rows", "order_item_rows", "order_versions"} {
		exec(t, s.Conn(), "OPTIMIZE TABLE "+table+" FINAL")
	}
	check("merged")
}

func TestTombstones(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := smallBatch()
	write(t, s, b)
	gone := b.Items[1]
	gone.Deleted, gone.Version = true, 2
	write(t, s, sink.Batch{Items: []schema.Item{gone}})
	check := func(when string) {
		t.Helper()
		if n := number(t, s.Conn(), "SELECT count() FROM order_items"); n != 2 {
			t.Errorf("%s: %d items, want 2", when, n)
		}
		ids, err := s.ItemIDsByOrder(t.Context(), stream, day, day.Add(time.Hour), []string{b.Orders[0].OrderID, b.Orders[1].OrderID})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, ids, map[string][]string{
			b.Orders[0].OrderID: {b.Items[0].ItemID}, b.Orders[1].OrderID: {b.Items[2].ItemID},
		})
	}
	check("before merges")
	exec(t, s.Conn(), "OPTIMIZE TABLE order_item_rows FINAL")
	check("after merges")
	back := b.Items[1]
	back.Version = 3
	write(t, s, sink.Batch{Items: []schema.Item{back}})
	if n := number(t, s.Conn(), "SELECT count() FROM order_items"); n != 3 {
		t.Errorf("the item that came back: %d items, want 3", n)
	}
}

// inserts collects what the sink tells its observer.
type inserts struct {
	tables  []string
	rows    int
	retries []string
}

func (i *inserts) Inserted(table string, rows int, _ time.Duration) {
	i.tables = append(i.tables, table)
	i.rows += rows
}
func (i *inserts) Retried(_, reason string) { i.retries = append(i.retries, reason) }

// One insert is one partition, hence one part, hence atomic; and the ledger comes last (I1).
func TestOneInsertIsOnePartition(t *testing.T) {
	t.Parallel()
	seen := &inserts{}
	s := open(t, func(c *sink.Config) { c.Observer = seen })
	exec(t, s.Conn(), "SYSTEM STOP MERGES order_rows")
	exec(t, s.Conn(), "SYSTEM STOP MERGES order_item_rows")
	b := smallBatch()
	for month := range 12 {
		o := order(month)
		o.CreateTime = time.Date(2023, time.Month(month+1), 1, 0, 0, 0, 0, time.FixedZone("", 8*3600))
		b.Orders = append(b.Orders, o)
		b.Items = append(b.Items, item(o, 1))
	}
	write(t, s, b)
	equal(t, texts(t, s.Conn(), `SELECT table, count(), uniqExact(partition) FROM system.parts WHERE active
		AND database = currentDatabase() AND table IN ('order_rows', 'order_item_rows') GROUP BY table ORDER BY table`),
		[]string{"('order_item_rows',13,13)", "('order_rows',13,13)"})
	equal(t, len(seen.tables), 28)
	equal(t, seen.tables[:2], []string{"reject_rows", "order_item_rows"})
	equal(t, seen.tables[27], "sync_window_rows")
	equal(t, seen.rows, 15+14+1+1)
}

// An order that is stored is not fetched again. So whatever step of a write fails, what is known of the order beside its row is
// stored before it: its lines, and the lines of it that could not become items (I7). The ledger row is not (I1).
func TestAnOrderIsStoredAfterAllThatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"reject_rows", "order_item_rows", "order_rows"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			b := smallBatch()
			b.Rejects = append(b.Rejects, schema.Reject{Stream: stream, ID: "r2", Stage: schema.RejectItem, OrderID: b.Orders[0].OrderID,
				CreateTime: b.Orders[0].CreateTime, WindowStart: day, Reason: "malformed", FirstSeen: day, LastSeen: day, Version: 1, Raw: "{"})
			exec(t, s.Conn(), "RENAME TABLE "+table+" TO elsewhere")
			if err := s.Write(t.Context(), b); err == nil {
				t.Fatal("the write succeeds")
			}
			exec(t, s.Conn(), "RENAME TABLE elsewhere TO "+table)
			equal(t, texts(t, s.Conn(), "SELECT count() FROM order_rows"), []string{"(0)"})
			equal(t, texts(t, s.Conn(), "SELECT count() FROM sync_window_rows"), []string{"(0)"})
			write(t, s, b)
			equal(t, texts(t, s.Conn(), "SELECT count() FROM rejects"), []string{"(2)"})
			equal(t, texts(t, s.Conn(), "SELECT (SELECT count() FROM orders), (SELECT count() FROM order_items)"), []string{"(2,3)"})
		})
	}
}

func TestValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, c := range map[string]struct {
		change func(*schema.Order, *schema.Item)
		want   string
	}{
		"too late": {func(o *schema.Order, _ *schema.Item) { o.PaymentTime = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) },
			"order_rows: order 211059788200001 of main: column payment_time: 2300-01-01T00:00:00Z is outside"},
		"too early": {func(_ *schema.Order, i *schema.Item) { i.UsageEndTime = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC) },
			"item 211059788200001-1 of order 211059788200001 of main: column usage_end_time: 1899"},
		"no time":   {func(o *schema.Order, _ *schema.Item) { o.CreateTime = time.Time{} }, "column create_time: no time given"},
		"too large": {func(o *schema.Order, _ *schema.Item) { o.Tax = amount("1e26") }, "column tax: the amount has 27 digits before the point"},
		"too small": {func(o *schema.Order, _ *schema.Item) { o.Tax = amount("-1e26") }, "column tax: the amount has 27 digits before the point"},
		"too fine":  {func(_ *schema.Order, i *schema.Item) { i.Quantity = amount("1.0000000000001") }, "column quantity: the amount has more than the 12 decimals"},
		"absurdly fine": {func(o *schema.Order, _ *schema.Item) {
			o.Tax.Decimal, o.Tax.Valid = decimal.New(1, -2_000_000_000), true
		}, "more than the 12 decimals"},
		"absurdly big": {func(o *schema.Order, _ *schema.Item) {
			o.Tax.Decimal, o.Tax.Valid = decimal.New(1, 2_000_000_000), true
		}, "digits before the point"},
	} {
		o := order(1)
		i := item(o, 1)
		c.change(&o, &i)
		err := s.Write(t.Context(), sink.Batch{Orders: []schema.Order{o}, Items: []schema.Item{i}, Windows: smallBatch().Windows})
		var value *sink.ValueError
		if !errors.As(err, &value) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want it to say %q", name, err, c.want)
		}
	}
	// Whatever else was written, no window was recorded (I1).
	if n := number(t, s.Conn(), "SELECT count() FROM sync_windows"); n != 0 {
		t.Errorf("%d windows were recorded", n)
	}
}

// A block is bounded in rows and in bytes.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	seen := &inserts{}
	s := open(t, func(c *sink.Config) { c.Observer = seen })
	var b sink.Batch
	for n := range 100_001 {
		o := order(0)
		o.OrderID = string(rune('a'+n%26)) + o.OrderID + time.Duration(n).String()
		b.Orders = append(b.Orders, o)
	}
	write(t, s, b)
	equal(t, len(seen.tables), 2)
	b = sink.Batch{}
	for n := range 5 {
		o := order(n)
		o.Raw = strings.Repeat("r", 20<<20)
		b.Orders = append(b.Orders, o)
	}
	write(t, s, b)
	equal(t, len(seen.tables), 4)
	if n := number(t, s.Conn(), "SELECT count() FROM orders"); n != 100_006 {
		t.Errorf("%d orders, want 100006", n)
	}
}
