package sink_test

import (
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
