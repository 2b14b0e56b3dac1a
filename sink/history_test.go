package sink_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

const historyQuery = `SELECT payment_status, change, formatDateTime(valid_from, '%H:%i'),
	if(isNull(valid_to), 'now', formatDateTime(assumeNotNull(valid_to), '%H:%i'))
	FROM order_history ORDER BY order_id, valid_from, version`

// state is the order as received at that minute of the day.
func state(status string, minute int, version uint64) sink.Batch {
	o := order(0)
	o.PaymentStatus, o.Version = status, version
	o.FetchedAt = day.Add(time.Duration(minute) * time.Minute)
	o.Fingerprint, o.Raw = version, status
	return sink.Batch{Orders: []schema.Order{o}}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	deleted := state("Cancelled", 4, 5)
	deleted.Orders[0].Deleted = true
	pending := state("Unpaid", 0, 1)
	pending.Orders[0].DetailStatus = schema.DetailPending
	for name, c := range map[string]struct {
		writes []sink.Batch
		want   []string
	}{
		"one state":          {[]sink.Batch{state("Unpaid", 0, 1)}, []string{"('Unpaid',1,'00:00','now')"}},
		"retried":            {[]sink.Batch{state("Unpaid", 0, 1), state("Unpaid", 0, 1)}, []string{"('Unpaid',1,'00:00','now')"}},
		"fetched again":      {[]sink.Batch{state("Unpaid", 0, 1), state("Unpaid", 1, 2)}, []string{"('Unpaid',1,'00:00','now')"}},
		"detail came later":  {[]sink.Batch{pending, state("Unpaid", 1, 2)}, []string{"('Unpaid',1,'00:00','now')"}},
		"there and back":     {[]sink.Batch{state("A", 0, 1), state("B", 1, 2), state("A", 2, 3)}, []string{"('A',1,'00:00','00:01')", "('B',2,'00:01','00:02')", "('A',3,'00:02','now')"}},
		"late retry":         {[]sink.Batch{state("A", 0, 1), state("B", 1, 2), state("A", 0, 1)}, []string{"('A',1,'00:00','00:01')", "('B',2,'00:01','now')"}},
		"replayed, the same": {[]sink.Batch{state("A", 0, 1), state("B", 1, 2), state("B", 1, 3)}, []string{"('A',1,'00:00','00:01')", "('B',2,'00:01','now')"}},
		"replayed, read better": {[]sink.Batch{state("A", 0, 1), state("wrong", 1, 2), state("right", 1, 3)},
			[]string{"('A',1,'00:00','00:01')", "('right',2,'00:01','now')"}},
		"vanished": {[]sink.Batch{state("A", 0, 1), deleted}, []string{"('A',1,'00:00','00:04')"}},
		"two at once": {[]sink.Batch{{Orders: append(state("B", 1, 2).Orders, state("A", 0, 1).Orders...)}},
			[]string{"('A',1,'00:00','00:01')", "('B',2,'00:01','now')"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, b := range c.writes {
				write(t, s, b)
			}
			equal(t, texts(t, s.Conn(), historyQuery), c.want)
			exec(t, s.Conn(), "OPTIMIZE TABLE order_versions FINAL")
			exec(t, s.Conn(), "OPTIMIZE TABLE order_rows FINAL")
			equal(t, texts(t, s.Conn(), historyQuery), c.want)
		})
	}
}

// An insert into order_rows and its copy into order_versions are two commits. The server may die between them.
func TestHistoryKnowsTheCurrentStateWithoutItsCopy(t *testing.T) {
	t.Parallel()
	s := open(t)
	write(t, s, state("A", 0, 1))
	exec(t, s.Conn(), "DROP TABLE order_versions_feed")
	write(t, s, state("B", 1, 2))
	equal(t, texts(t, s.Conn(), historyQuery), []string{"('A',1,'00:00','00:01')", "('B',2,'00:01','now')"})
}

const itemHistoryQuery = `SELECT item_id, region, change, formatDateTime(valid_from, '%H:%i'),
	if(isNull(valid_to), 'now', formatDateTime(assumeNotNull(valid_to), '%H:%i'))
	FROM order_item_history ORDER BY item_id, valid_from, version`

// lines is a detail as received at that minute of the day, each line with its region; a region "-" is a line that is gone.
func lines(minute int, version uint64, regions ...string) sink.Batch {
	version *= 10 // one below is that of a correction's tombstone
	b := state("Paid", minute, version)
	for n, region := range regions {
		i := item(b.Orders[0], n)
		i.Region, i.Deleted = region, region == "-"
		i.ItemID = string(rune('a' + n))
		b.Items = append(b.Items, i)
	}
	return b
}

// The history of items is kept as that of their orders, and what was known at a moment is the state of then.
func TestItemHistory(t *testing.T) {
	t.Parallel()
	moved := lines(1, 2, "x")
	moved.Items = append(moved.Items, moved.Items[0])
	moved.Items[1].Deleted, moved.Items[1].Version = true, moved.Items[0].Version-1
	moved.Items[0].CreateTime = moved.Items[0].CreateTime.AddDate(0, 1, 0)
	for name, c := range map[string]struct {
		writes []sink.Batch
		want   []string
		asOf   []string // at 00:00, 00:01, 00:02
	}{
		"one state":     {[]sink.Batch{lines(0, 1, "x", "y")}, []string{"('a','x',1,'00:00','now')", "('b','y',1,'00:00','now')"}, []string{"xy", "xy", "xy"}},
		"retried":       {[]sink.Batch{lines(0, 1, "x"), lines(0, 1, "x")}, []string{"('a','x',1,'00:00','now')"}, []string{"x", "x", "x"}},
		"fetched again": {[]sink.Batch{lines(0, 1, "x"), lines(1, 2, "x")}, []string{"('a','x',1,'00:00','now')"}, []string{"x", "x", "x"}},
		"there and back": {[]sink.Batch{lines(0, 1, "x"), lines(1, 2, "y"), lines(2, 3, "x")},
			[]string{"('a','x',1,'00:00','00:01')", "('a','y',2,'00:01','00:02')", "('a','x',3,'00:02','now')"}, []string{"x", "y", "x"}},
		"late retry": {[]sink.Batch{lines(0, 1, "x"), lines(1, 2, "y"), lines(0, 1, "x")},
			[]string{"('a','x',1,'00:00','00:01')", "('a','y',2,'00:01','now')"}, []string{"x", "y", "y"}},
		"replayed, read better": {[]sink.Batch{lines(0, 1, "x"), lines(1, 2, "wrong"), lines(1, 3, "y")},
			[]string{"('a','x',1,'00:00','00:01')", "('a','y',2,'00:01','now')"}, []string{"x", "y", "y"}},
		"a line is gone, and comes again": {[]sink.Batch{lines(0, 1, "x", "y"), lines(1, 2, "x", "-"), lines(2, 3, "x", "y")},
			[]string{"('a','x',1,'00:00','now')", "('b','y',1,'00:00','00:01')", "('b','y',3,'00:02','now')"}, []string{"xy", "x", "xy"}},
		"moved to another month": {[]sink.Batch{lines(0, 1, "x"), moved},
			[]string{"('a','x',1,'00:00','00:01')", "('a','x',2,'00:01','now')"}, []string{"x", "x", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, b := range c.writes {
				write(t, s, b)
			}
			check := func() {
				t.Helper()
				equal(t, texts(t, s.Conn(), itemHistoryQuery), c.want)
				var asOf []string
				for minute := range 3 {
					asOf = append(asOf, texts(t, s.Conn(), fmt.Sprintf(`SELECT arrayStringConcat(groupArray(region)) FROM
						(SELECT region FROM order_items_as_of(moment = '2024-05-06 00:%02d:00') ORDER BY item_id)`, minute))...)
				}
				for i := range asOf {
					asOf[i] = strings.Trim(asOf[i], "()'")
				}
				equal(t, asOf, c.asOf)
			}
			check()
			for _, table := range []string{"order_item_versions", "order_item_rows", "order_rows"} {
				exec(t, s.Conn(), "OPTIMIZE TABLE "+table+" FINAL")
			}
			check()
		})
	}
}

// An insert into order_item_rows and its copy are two commits, too.
func TestAsOfKnowsTheCurrentStateWithoutItsCopy(t *testing.T) {
	t.Parallel()
	s := open(t)
	write(t, s, lines(0, 1, "x"))
	exec(t, s.Conn(), "DROP TABLE order_item_versions_feed")
	exec(t, s.Conn(), "DROP TABLE order_versions_feed")
	b := lines(1, 2, "y")
	b.Orders[0].PaymentStatus = "Cancelled"
	write(t, s, b)
	const asOf = `SELECT payment_status, region FROM orders_as_of(moment = '2024-05-06 00:%[1]s:00')
		INNER JOIN (SELECT order_id, region FROM order_items_as_of(moment = '2024-05-06 00:%[1]s:00')) AS i USING (order_id)`
	equal(t, texts(t, s.Conn(), fmt.Sprintf(asOf, "00")), []string{"('Paid','x')"})
	equal(t, texts(t, s.Conn(), fmt.Sprintf(asOf, "01")), []string{"('Cancelled','y')"})
}

// A moment of which nothing is known is an error that says since when something is, for the accounts that are asked for.
func TestAsOfBeforeTheFirstSync(t *testing.T) {
	t.Parallel()
	s := open(t)
	write(t, s, lines(1, 1, "x"))
	later := lines(30, 2, "y")
	later.Orders[0].Account, later.Items[0].Account = "later", "later"
	write(t, s, later)
	for _, view := range []string{"orders_as_of", "order_items_as_of", "spend_as_of"} {
		ask := func(minute int, where string) error {
			var n uint64
			return s.Conn().QueryRow(t.Context(), fmt.Sprintf("SELECT count() FROM %s(moment = '2024-05-06 00:%02d:00') %s", view, minute, where)).Scan(&n)
		}
		for _, c := range []struct {
			minute int
			where  string
			says   string // empty: is answered
		}{
			{0, "", "for account main at 2024-05-06 00:01:00.000 UTC"}, {0, "WHERE account = 'main'", "for account main at 2024-05-06 00:01:00.000 UTC"},
			{2, "", "for account later at 2024-05-06 00:30:00.000 UTC"}, {2, "WHERE account = 'later'", "for account later"},
			{2, "WHERE account = 'main'", ""}, {2, "WHERE account IN ('main', 'another')", ""}, {30, "", ""}, {59, "", ""},
		} {
			err := ask(c.minute, c.where)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s at minute %d %s: %v, want %q", view, c.minute, c.where, err, c.says)
			}
		}
	}
}

// A look-up of one order must not read the whole history: the conditions have to reach the tables.
func TestHistoryOfOneOrderReadsLittle(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for n := range 40_000 {
		o := order(n)
		o.CreateTime = day.Add(time.Duration(n) * time.Second)
		b.Orders = append(b.Orders, o)
	}
	write(t, s, b)
	o := b.Orders[31_000]
	for _, where := range []string{
		"order_id = '" + o.OrderID + "'",
		"account = 'main' AND owner_id = '' AND order_id = '" + o.OrderID + "'",
	} {
		rows := readRows(t, s, "SELECT count() FROM order_history WHERE "+where)
		if rows > 30_000 {
			t.Errorf("%s: reads %d rows", where, rows)
		}
	}
}
