package engine_test

import (
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// lossesShow fails unless everything that the script has taken away can be seen: as an open reject, as an order whose
// detail is missing, or as a window that is not whole; and unless the run says so (I4, I8).
func (c *campaign) lossesShow(run string, s stream.Summary, err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", run, err)
	}
	ctx := c.Context()
	open, err := warehousetest.OpenRejects(ctx, c.Sink, c.Stream)
	if err != nil {
		c.Fatal(err)
	}
	pending, err := c.Sink.Pending(ctx, c.Stream, schema.OrderRef{}, 1_000_000)
	if err != nil {
		c.Fatal(err)
	}
	ledger, err := c.Sink.Windows(ctx, c.Stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		c.Fatal(err)
	}
	seen := map[string]bool{} // ids of orders and payloads of rows that are accounted for
	for _, j := range open {
		seen[j.Raw], seen[j.OrderID] = true, true
	}
	for _, o := range pending {
		seen[o.OrderID] = true
	}
	delete(seen, "")
	whole := map[int64]bool{}
	for _, w := range ledger {
		whole[w.Start.Unix()] = w.Verdict == schema.Complete || w.Verdict == schema.Open
	}
	lost := 0
	for _, l := range c.script.Losses() {
		at := l.At
		if l.OrderID != "" {
			o, ok := c.Account.Order(l.OrderID)
			if !ok {
				continue // it has vanished
			}
			at = o.CreateTime
		}
		if at.Before(start) || !at.Before(c.now) {
			continue // listed for the edge of a window, and not ours
		}
		lost++
		if !seen[l.OrderID] && !seen[l.Sent] && whole[at.UTC().Truncate(time.Hour).Unix()] {
			c.Errorf("%s: nothing shows the loss of %+v, created at %s", run, l, at)
		}
	}
	if lost > 0 && s.Err() == nil {
		c.Errorf("%s: %d losses, and it looks green: %+v", run, lost, s.Streams)
	}
}

// watcher reads the published views after each insert of orders or items, while whatever comes next goes on: nobody may
// ever count one twice (I9).
type watcher struct{ changed chan struct{} }

func (w watcher) Inserted(table string, _ int, _ time.Duration) {
	if table != "order_rows" && table != "order_item_rows" {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default: // it is about to read anyway
	}
}

func (watcher) Retried(string, string) {}

// watch starts the watcher. The function that it gives ends it and waits.
func (c *campaign) watch() func() {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with the function below
		defer close(done)
		for ended := false; !ended; {
			select {
			case <-stop:
				ended = true
			case <-c.watcher.changed:
			}
			var orders, items uint64
			if err := c.Sink.Conn().QueryRow(c.Context(), `SELECT
				(SELECT toUInt64(count() - uniqExact(account, order_id)) FROM orders),
				(SELECT toUInt64(count() - uniqExact(account, order_id, item_id)) FROM order_items)`).Scan(&orders, &items); err != nil {
				c.Errorf("read the views: %v", err)
				return
			}
			if orders+items > 0 {
				c.Errorf("%d orders and %d items are there twice", orders, items)
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-done
	}
}

const historyState = `sipHash64(tuple(create_time, related_order_id, order_type, payment_status, product_code, product_type, commodity_code,
	subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local,
	tax, after_tax_amount))`

// history fails unless the states of each order differ from one to the next and end with the current one.
func (w *world) history() {
	w.Helper()
	count := func(query string) (n uint64) {
		w.Helper()
		if err := w.Sink.Conn().QueryRow(w.Context(), query).Scan(&n); err != nil {
			w.Fatal(err)
		}
		return n
	}
	if n := count(`SELECT count() FROM (
		SELECT ` + historyState + ` AS state, lagInFrame(state) OVER w AS before, row_number() OVER w AS n FROM order_history
		WINDOW w AS (PARTITION BY account, order_id ORDER BY change ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
		) WHERE n > 1 AND state = before`); n > 0 {
		w.Errorf("%d states in the history are as the one before", n)
	}
	if n := count(`SELECT count() FROM (SELECT account, order_id, ` + historyState + ` AS state FROM orders) AS o
		FULL JOIN (SELECT account, order_id, ` + historyState + ` AS state FROM order_history WHERE isNull(valid_to)) AS h
		ON o.account = h.account AND o.order_id = h.order_id AND o.state = h.state WHERE o.order_id = '' OR h.order_id = ''`); n > 0 {
		w.Errorf("%d orders and current states in the history do not match", n)
	}
}

// onlyWhatChanged fails unless a tick costs its pages and the sweep's listing, and a detail for each order that changed
// where one of them shows it.
func (c *campaign) onlyWhatChanged() {
	c.Helper()
	const lookback, sweep = 24 * time.Hour, 192 * time.Hour
	for _, change := range []bool{false, true, true} {
		before := c.now
		c.pass(5 * time.Minute)
		live := window.Interval{Start: c.now.Add(-lookback), End: c.now}.Align(time.Hour)
		changed := map[string]bool{}
		// What was created in the second of a run is the next run's.
		for _, id := range c.Account.IDs(before, before.Add(time.Second)) {
			changed[id] = true
		}
		if change {
			s := c.living.Step(c.now)
			for _, ids := range [][]string{s.Added, s.Paid, s.Cancelled, s.Changed, s.Dropped} {
				for _, id := range ids {
					if o, _ := c.Account.Order(id); !o.CreateTime.Before(c.now.Add(-sweep)) && o.CreateTime.Before(c.now) {
						changed[id] = true
					}
				}
			}
		}
		pages := 0
		for _, span := range window.Ranges(live.Tile(time.Hour)) {
			pages += c.pages(span.Clip(window.Interval{Start: span.Start, End: c.now}), false)
		}
		pages += c.pages(window.Interval{Start: c.now.Add(-sweep), End: live.Start}, true)
		c.Account.ResetCounters()
		s, err := c.tick()
		if err != nil || s.Err() != nil {
			c.Fatal(err, s.Err())
		}
		calls := c.Account.Calls()
		if n := calls["QueryOrders"].Total; n > pages {
			c.Errorf("%d list calls where %d are enough", n, pages)
		}
		if n := calls["GetOrderDetail"].Total; n != len(changed) {
			c.Errorf("%d detail calls for %d changes: %v", n, len(changed), changed)
		}
	}
	c.Equal(c.now)
}

// pages is what listing an interval costs: its pages, once more page 1 where there is more than one, and a call for each
// time that it has to be halved.
func (c *campaign) pages(iv window.Interval, unpaid bool) int {
	n := 0
	for _, id := range c.Account.IDs(iv.Start.Add(-time.Second), iv.End.Add(2*time.Second)) {
		if o, _ := c.Account.Order(id); !unpaid || schema.IsUnpaid(o.PaymentStatus) {
			n++
		}
	}
	if n < c.pageSize {
		return 1
	}
	if n <= 50*c.pageSize {
		return (n+c.pageSize-1)/c.pageSize + 1
	}
	a, b, _ := iv.Halve(time.Hour)
	return 1 + c.pages(a, unpaid) + c.pages(b, unpaid)
}
