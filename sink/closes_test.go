package sink_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// month is the May of the tests' day, in UTC.
var month = time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)

// closing is a month of two accounts and currencies, received at the first minute of the day.
func closing() sink.Batch {
	var b sink.Batch
	for n := range 12 {
		o := order(n)
		o.Account = []string{"main", "second"}[n%2]
		o.CreateTime = month.AddDate(0, n/9, n).Add(time.Millisecond) // three are of June
		o.PaymentTime = o.CreateTime.AddDate(0, 1, 0)                 // paid in another month than ordered, which does not matter
		o.PaymentStatus, o.Currency, o.Version, o.FetchedAt = "Paid", []string{"CNY", "USD", "CNY"}[n%3], 1, day
		b.Orders = append(b.Orders, o)
		for k := range 2 {
			i := item(o, k)
			i.PaymentStatus, i.Currency = "Paid", o.Currency
			i.Pretax, i.Tax, i.AfterTax = amount(fmt.Sprintf("%d.%d", n, k)), amount("0.1"), amount(fmt.Sprintf("%d.%d", n, k+1))
			i.Version, i.FetchedAt = 1, day
			b.Items = append(b.Items, i)
		}
	}
	return b
}

// closeMay closes the month as of a moment, as the verb does it.
func closeMay(t testing.TB, s *sink.Sink, at time.Time) []sink.Figures {
	t.Helper()
	end := month.AddDate(0, 1, 0)
	figures := must[[]sink.Figures](t)(s.Figures(t.Context(), month, end, at))
	var rows []sink.Close
	for _, f := range figures {
		rows = append(rows, sink.Close{Month: month, Zone: "UTC", Start: month, End: end, ClosedAt: at, ClosedBy: "somebody", Figures: f})
	}
	if err := s.WriteClose(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	return figures
}

// The digest of a month is of its money alone: not of the order in which rows came, of their parts, of the bookkeeping, or of the
// profile of the user who asks. Each fact changes it.
func TestDigestOfAMonth(t *testing.T) {
	t.Parallel()
	end := month.AddDate(0, 1, 0)
	figures := func(s *sink.Sink) []sink.Figures {
		t.Helper()
		return must[[]sink.Figures](t)(s.Figures(t.Context(), month, end, day.Add(time.Hour)))
	}
	addr, database := warehousetest.Database(t)
	s := openAt(t, addr, database)
	write(t, s, closing())
	want := figures(s)
	if len(want) != 4 || want[0].Account != "main" || want[0].Currency != "CNY" || want[0].Orders != 4 || want[0].Items != 8 || len(want[0].Digest) != 64 {
		t.Fatalf("%+v", want)
	}
	equal(t, texts(t, s.Conn(), "SELECT toString(sum(net)) FROM spend WHERE month = '2024-05-01' AND account = 'main' AND currency = 'CNY'"),
		[]string{fmt.Sprintf("('%s')", want[0].Net.Decimal)})

	other := open(t)
	b := closing()
	for n := len(b.Orders) - 1; n >= 0; n-- { // one by one, backwards, with something fetched again and other payloads
		o, items := b.Orders[n], b.Items[2*n:2*n+2]
		write(t, other, sink.Batch{Orders: []schema.Order{o}, Items: []schema.Item{items[1], items[0]}})
		o.Version, o.FetchedAt, o.Raw = 2, o.FetchedAt.Add(time.Minute), "other"
		items[0].Version, items[0].FetchedAt, items[0].Raw = 2, o.FetchedAt, "other"
		write(t, other, sink.Batch{Orders: []schema.Order{o}, Items: items[:1]})
	}
	equal(t, figures(other), want)
	for _, table := range []string{"order_rows", "order_item_rows", "order_versions", "order_item_versions"} {
		exec(t, other.Conn(), "OPTIMIZE TABLE "+table+" FINAL")
	}
	equal(t, figures(other), want)

	changes := map[string]func(i *schema.Item){
		"amount": func(i *schema.Item) { i.Pretax = amount("0.000000000001") },
		"no amount": func(i *schema.Item) {
			i.Pretax, i.AfterTax, i.PretaxGross = schema.Money{}, schema.Money{}, schema.Money{}
		},
		"tax":                func(i *schema.Item) { i.Tax = amount("7") },
		"list price":         func(i *schema.Item) { i.PretaxGross = amount("7") },
		"local amount":       func(i *schema.Item) { i.PretaxLocal = amount("7") },
		"state":              func(i *schema.Item) { i.PaymentStatus = "Unpaid" },
		"currency":           func(i *schema.Item) { i.Currency = "EUR" },
		"currency of paying": func(i *schema.Item) { i.PaymentCurrency = "EUR" },
		"time of paying":     func(i *schema.Item) { i.PaymentTime = i.PaymentTime.Add(time.Millisecond) },
		"type":               func(i *schema.Item) { i.OrderType = "Renew" },
		"product":            func(i *schema.Item) { i.ProductCode = "x" },
		"region":             func(i *schema.Item) { i.Region = "x" },
		"operator":           func(i *schema.Item) { i.Operator = "x" },
		"gone":               func(i *schema.Item) { i.Deleted = true },
	}
	// Each happens to the month of an account of its own.
	changed := open(t)
	before, after := sink.Batch{}, sink.Batch{}
	for name, change := range changes {
		b := closing()
		for n := range b.Orders {
			b.Orders[n].Account = name
		}
		for n := range b.Items {
			b.Items[n].Account = name
		}
		before.Orders, before.Items = append(before.Orders, b.Orders...), append(before.Items, b.Items...)
		i := b.Items[3]
		change(&i)
		i.Version, i.FetchedAt = 2, day.Add(time.Minute)
		after.Items = append(after.Items, i)
	}
	write(t, changed, before)
	closed := closeMay(t, changed, day.Add(time.Second))
	write(t, changed, after)
	digests := map[string]string{} // by account and currency
	for _, f := range figures(changed) {
		digests[f.Account+f.Currency] = f.Digest
	}
	differ, wantChanges := map[string]bool{}, []string{}
	for _, f := range closed {
		differ[f.Account] = differ[f.Account] || digests[f.Account+f.Currency] != f.Digest
	}
	for name := range changes {
		if !differ[name] {
			t.Errorf("%s: no digest changed", name)
		}
		wantChanges = append(wantChanges, fmt.Sprintf("('%s','%s')", name, after.Items[0].OrderID))
	}
	equal(t, must[[]sink.Figures](t)(changed.Figures(t.Context(), month, end, day.Add(time.Second))), closed)
	got := texts(t, changed.Conn(), "SELECT DISTINCT account, order_id FROM changes_since_close")
	slices.Sort(wantChanges)
	slices.Sort(got)
	equal(t, got, wantChanges)
}

// What moved in a closed month is shown order by order: what the digest is made of, and nothing else.
func TestChangesSinceClose(t *testing.T) {
	t.Parallel()
	const changes = "SELECT order_id, currency, change, old_kind, kind, toString(old_net), toString(net), toString(old_unpaid), toString(unpaid), changed, length(lines) FROM changes_since_close ORDER BY order_id, currency"
	closedAt, later := day.Add(time.Hour), day.Add(2*time.Hour)
	for name, c := range map[string]struct {
		before, after func(o *schema.Order, items []schema.Item) // of the order 4: 4.0 and 4.1 USD of the account main
		want          string                                     // after its id; empty = nothing moved
	}{
		"nothing": {nil, func(*schema.Order, []schema.Item) {}, ""},
		"other bookkeeping": {nil, func(o *schema.Order, items []schema.Item) {
			o.Fingerprint, items[0].Raw, items[1].Config = 7, "other", "other"
		}, ""},
		"cancelled": {nil, func(o *schema.Order, items []schema.Item) {
			o.PaymentStatus, items[0].PaymentStatus, items[1].PaymentStatus = "Cancelled", "Cancelled", "Cancelled"
		}, "'USD','changed','paid','cancelled','8.1','0','0','0',['kind','list_price','net','net_after_tax','net_local','tax'],2"},
		"paid": {func(o *schema.Order, items []schema.Item) {
			o.PaymentStatus, items[0].PaymentStatus, items[1].PaymentStatus = "Unpaid", "Unpaid", "Unpaid"
		}, func(o *schema.Order, items []schema.Item) {},
			"'USD','changed','unpaid','paid','0','8.1','8.1','0',['kind','list_price','net','net_after_tax','net_local','tax','unpaid','unpaid_after_tax'],2"},
		"a line becomes a refund": {nil, func(o *schema.Order, items []schema.Item) {
			items[1].OrderSubType = "RefundSubOrder"
		}, "'USD','changed','paid','paid, refund','8.1','-0.1','0','0',['kind','net','net_after_tax','tax'],1"},
		"its detail came late": {func(o *schema.Order, items []schema.Item) {
			o.DetailStatus, items[0].Deleted, items[1].Deleted = schema.DetailPending, true, true
		}, func(o *schema.Order, items []schema.Item) {}, "'USD','added','','paid','0','8.1','0','0',['lines'],2"},
		"gone": {nil, func(o *schema.Order, items []schema.Item) {
			o.Deleted, items[0].Deleted, items[1].Deleted = true, true, true
		}, "'USD','removed','paid','','8.1','0','0','0',['lines'],2"},
		"a line is gone": {nil, func(o *schema.Order, items []schema.Item) { items[0].Deleted = true },
			"'USD','changed','paid','paid','8.1','4.1','0','0',['lines'],1"},
		"no amount any more": {nil, func(o *schema.Order, items []schema.Item) {
			for n := range items {
				items[n].PretaxGross, items[n].Pretax, items[n].AfterTax = schema.Money{}, schema.Money{}, schema.Money{}
			}
		}, "'USD','changed','paid','paid','8.1',NULL,'0','0',['net','net_after_tax'],2"},
		"one up, one down": {nil, func(o *schema.Order, items []schema.Item) {
			items[0].Pretax, items[1].Pretax = amount("4.1"), amount("4.0")
		}, "'USD','changed','paid','paid','8.1','8.1','0','0',['net'],2"},
		"created a second later": {nil, func(o *schema.Order, _ []schema.Item) { o.CreateTime = o.CreateTime.Add(time.Second) },
			"'USD','changed','paid','paid','8.1','8.1','0','0',['create_time'],2"},
		"created a month later": {nil, func(o *schema.Order, _ []schema.Item) { o.CreateTime = o.CreateTime.AddDate(0, 1, 0) },
			"'USD','removed','paid','','8.1','0','0','0',['lines'],2"},
		"another currency": {nil, func(o *schema.Order, items []schema.Item) { items[0].Currency, items[1].Currency = "CNY", "CNY" },
			"'CNY','added','','paid','0','8.1','0','0',['lines'],2\n'USD','removed','paid','','8.1','0','0','0',['lines'],2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			equal(t, texts(t, s.Conn(), changes), nil)
			b := closing()
			const n = 4
			if c.before != nil {
				c.before(&b.Orders[n], b.Items[2*n:2*n+2])
			}
			write(t, s, b)
			figures := closeMay(t, s, closedAt)
			after := closing()
			o, items := after.Orders[n], after.Items[2*n:2*n+2]
			c.after(&o, items)
			o.Version, o.FetchedAt = 3, later
			moved := sink.Batch{}
			if was := after.Orders[n]; !was.CreateTime.Equal(o.CreateTime) {
				was.Deleted, was.Version, was.FetchedAt = true, 2, later
				moved.Orders = append(moved.Orders, was)
			}
			for k := range items {
				if was := items[k]; len(moved.Orders) > 0 {
					was.Deleted, was.Version, was.FetchedAt = true, 2, later
					moved.Items = append(moved.Items, was)
				}
				items[k].CreateTime, items[k].Version, items[k].FetchedAt = o.CreateTime, 3, later
			}
			june := after.Orders[11] // of a month that is not closed
			june.PaymentStatus, june.Version, june.FetchedAt = "Cancelled", 2, later
			write(t, s, sink.Batch{Orders: append(moved.Orders, o, june), Items: append(moved.Items, items...)})
			var want []string
			for row := range strings.FieldsFuncSeq(c.want, func(r rune) bool { return r == 10 }) {
				want = append(want, "('"+o.OrderID+"',"+row+")")
			}
			for range 2 {
				equal(t, texts(t, s.Conn(), changes), want)
				equal(t, must[[]sink.Figures](t)(s.Figures(t.Context(), month, month.AddDate(0, 1, 0), closedAt)), figures)
				for _, table := range []string{"order_rows", "order_item_rows", "order_versions", "order_item_versions"} {
					exec(t, s.Conn(), "OPTIMIZE TABLE "+table+" FINAL")
				}
			}
			// A close of another zone has a month of its own, and the latest of this one counts.
			if err := s.WriteClose(t.Context(), []sink.Close{{Month: month, Zone: "Asia/Shanghai", Start: month, End: later, ClosedAt: later.Add(time.Hour)}}); err != nil {
				t.Fatal(err)
			}
			equal(t, texts(t, s.Conn(), changes), want)
			closeMay(t, s, later)
			equal(t, texts(t, s.Conn(), changes), nil)
		})
	}
}
