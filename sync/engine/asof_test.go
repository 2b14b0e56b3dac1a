package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

// What was known at each moment of an account's life is what the vendor had then: with every change the copy is compared with
// the truth, and long afterwards the views as of that moment still show it, line by line and to the digit.
func TestAsOfIsTheTruthOfThen(t *testing.T) {
	t.Parallel()
	now := start.AddDate(0, 0, 3)
	w := newWorld(t, simulator.Options{Seed: 21, Orders: 300, From: start, To: now})
	conn := w.Sink.Conn()
	read := func(query string) (rows []string) {
		t.Helper()
		found, err := conn.Query(t.Context(), "SELECT toString(tuple(*)) FROM ("+query+") ORDER BY ALL")
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer found.Close()
		for found.Next() {
			var row string
			if err := found.Scan(&row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	views := []string{"orders", "order_items", "spend"}
	// known is each view as it is now, or as it was at a moment.
	known := func(moment time.Time) (all [3][]string) {
		t.Helper()
		for i, view := range views {
			from := view
			if !moment.IsZero() {
				from = fmt.Sprintf("%s(moment = fromUnixTimestamp64Milli(%d, 'UTC'))", view+schema.AsOf, moment.UnixMilli())
			}
			all[i] = read("SELECT * FROM " + from)
		}
		return all
	}
	type then struct {
		what   string
		moment time.Time
		known  [3][]string
	}
	var life []then
	look := func(what string) {
		t.Helper()
		w.Equal(now)
		orders, err := w.Sink.Orders(t.Context(), w.Stream, schema.MinTime, schema.MaxTime)
		if err != nil {
			t.Fatal(err)
		}
		items, err := w.Sink.Items(t.Context(), w.Stream, schema.MinTime, schema.MaxTime)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range compare.Rows(orders, items, w.Account) {
			t.Error(what, d)
		}
		// Rows are stamped with the time of their run, and how long it took until then: a minute is enough.
		moment := now.Add(time.Minute)
		now = now.Add(2 * time.Minute)
		life = append(life, then{what, moment, known(time.Time{})})
	}
	w.Backfill(now)
	look("the backfill")

	recent := w.Account.IDs(now.Add(-20*time.Hour), now)
	several := slices.DeleteFunc(slices.Clone(recent), func(id string) bool {
		o, _ := w.Account.Order(id)
		return len(o.Items) < 2 || !o.Items[len(o.Items)-1].Pretax.Decimal.IsPositive()
	})
	unpaid := w.Account.Unpaid()
	if len(several) < 3 || len(unpaid) < 2 {
		t.Fatalf("%d orders with several lines, %d unpaid: another seed is needed", len(several), len(unpaid))
	}
	for _, step := range []struct {
		what   string
		change func() error
	}{
		{"paid, and cancelled", func() error { return errors.Join(w.Account.Pay(unpaid[0]), w.Account.Cancel(unpaid[1])) }},
		{"a line is gone", func() error { return w.Account.DropItem(several[0]) }},
		{"amounts and configuration, and new orders", func() error {
			w.Account.Add(3, now.Add(-time.Minute))
			return w.Account.Change(several[0])
		}},
		{"corrected to another hour, and vanished", func() error {
			o, _ := w.Account.Order(several[1])
			return errors.Join(w.Account.Move(several[1], o.CreateTime.Add(-2*time.Hour)), w.Account.Vanish(several[2]))
		}},
	} {
		if err := step.change(); err != nil {
			t.Fatal(step.what, err)
		}
		w.RunAt(now)
		look(step.what)
	}
	for i, l := range life {
		if d := cmp.Diff(l.known, known(l.moment)); d != "" {
			t.Errorf("as of the moment after %q, (-then +as of):\n%.3000s", l.what, d)
		}
		if i > 0 && cmp.Equal(l.known, life[i-1].known) {
			t.Errorf("%q changed nothing: the test proves nothing", l.what)
		}
	}
	var n uint64
	err := conn.QueryRow(t.Context(), "SELECT count() FROM spend_as_of(moment = '2001-01-01 00:00:00')").Scan(&n)
	if err == nil || !strings.Contains(err.Error(), "history begins for account main at ") {
		t.Errorf("before the first sync there are %d rows, %v", n, err)
	}
}
