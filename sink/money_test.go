package sink_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// books are orders of one instance each, made of lines: "New Paid 1200" is an order of one line. Lines are separated by
// commas; "refund -500" is one with the sub-type of a refund, and "?" is a payment status that the line lacks.
type books struct {
	sink.Batch
	now time.Time
}

// add adds an order. Its status is as given, and that of its lines too, unless a line says another one in brackets.
func (b *books) add(instance, orderType, status string, change func(*schema.Order, []schema.Item), lines ...string) {
	o := order(len(b.Orders))
	o.OrderID = fmt.Sprintf("o%03d", len(b.Orders))
	o.CreateTime = b.now.Add(time.Duration(len(b.Orders)-1000) * time.Minute)
	o.OrderType, o.PaymentStatus, o.Pretax = orderType, status, schema.Money{}
	var items []schema.Item
	for n, line := range lines {
		i := item(o, n+1)
		i.SubscriptionType, i.InstanceIDs, i.UsageEndTime = "Subscription", []string{instance}, b.now.AddDate(0, 0, 20)
		value, refund := strings.CutPrefix(line, "refund ")
		if refund {
			i.OrderSubType, i.UsageEndTime = "RefundSubOrder", time.Time{}
		}
		i.Pretax = amount(value)
		items = append(items, i)
	}
	if change != nil {
		change(&o, items)
	}
	b.Orders, b.Items = append(b.Orders, o), append(b.Items, items...)
}

// check compares what spend, the sums of a day and subscriptions say.
func (b *books) check(t *testing.T, refunded, net, unpaid string, orders int, instances ...string) {
	t.Helper()
	s := open(t)
	write(t, s, b.Batch)
	equal(t, texts(t, s.Conn(), "SELECT toString(sum(refunded)), toString(sum(net)), toString(sum(unpaid)) FROM spend"),
		[]string{fmt.Sprintf("('%s','%s','%s')", refunded, net, unpaid)})
	var want []string
	for _, i := range instances {
		want = append(want, "('"+i+"')")
	}
	equal(t, texts(t, s.Conn(), "SELECT instance_id FROM subscriptions ORDER BY instance_id"), want)
	days, products, err := s.Spend(t.Context(), b.now.AddDate(0, 0, -30), b.now.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]sink.Spend{days, products} {
		var sum, count = amount("0").Decimal, 0
		for _, x := range list {
			sum, count = sum.Add(x.Amount), count+int(x.Orders)
		}
		if sum.String() != net || count != orders {
			t.Errorf("the status page says %s of %d orders, want %s of %d", sum, count, net, orders)
		}
	}
	equal(t, texts(t, s.Conn(), "SELECT order_id, difference FROM order_amount_differences WHERE difference != 0"), nil)
}

func TestMoneyMeansOneThing(t *testing.T) {
	t.Parallel()
	withSum := func(sum string) func(*schema.Order, []schema.Item) {
		return func(o *schema.Order, _ []schema.Item) { o.Pretax = amount(sum) }
	}
	unsaid := func(_ *schema.Order, items []schema.Item) { // no line has a status of its own
		for n := range items {
			items[n].PaymentStatus = ""
		}
	}
	without := func(words ...string) func(*schema.Order, []schema.Item) { // the refund line has no status of its own, or another
		return func(_ *schema.Order, items []schema.Item) {
			for n := range items {
				if items[n].OrderSubType == "RefundSubOrder" {
					items[n].PaymentStatus = strings.Join(words, "")
				}
			}
		}
	}
	for name, c := range map[string]struct {
		fill                  func(*books)
		refunded, net, unpaid string
		orders                int
		instances             []string
	}{
		"upgrades": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "1200")
			b.add("i-1", "Upgrade", "Cancelled", nil, "1500", "refund -1200")
			b.add("i-2", "New", "Paid", nil, "1000")
			b.add("i-2", "Upgrade", "Paid", withSum("300"), "1300", "refund -1000")
			b.add("i-3", "New", "Paid", nil, "500")
			b.add("i-3", "Upgrade", "Unpaid", withSum("300"), "800", "refund -500")
		}, "1000", "3000", "300", 4, []string{"i-1", "i-2", "i-3"}},
		"refunds sent positive": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "1200")
			b.add("i-1", "Upgrade", "Cancelled", nil, "1500", "refund 1200")
			b.add("i-2", "New", "Paid", nil, "1000")
			b.add("i-2", "Upgrade", "Paid", withSum("300"), "1300", "refund 1000")
			b.add("i-3", "New", "Paid", nil, "500")
			b.add("i-3", "Upgrade", "Unpaid", withSum("300"), "800", "refund 500")
		}, "1000", "3000", "300", 4, []string{"i-1", "i-2", "i-3"}},
		"refund lines without a status": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "1200")
			b.add("i-1", "Upgrade", "Cancelled", without(), "1500", "refund -1200")
			b.add("i-2", "New", "Paid", nil, "1000")
			b.add("i-2", "TempUpgrade", "Paid", without(), "1300", "refund -1000")
			b.add("i-3", "New", "Paid", nil, "500")
			b.add("i-3", "Upgrade", "Unpaid", without(), "800", "refund -500")
			b.add("i-4", "Downgrade", "canceled", without(), "1", "refund -500")
		}, "1000", "3000", "300", 4, []string{"i-1", "i-2", "i-3"}},
		"lines without a status": {func(b *books) {
			b.add("i-1", "New", "Paid", unsaid, "1200")
			b.add("i-1", "Upgrade", "Cancelled", unsaid, "1500", "refund -1200")
			b.add("i-2", "New", "PAID", unsaid, "1000")
			b.add("i-2", "Upgrade", "paid ", func(o *schema.Order, items []schema.Item) { withSum("300")(o, items); unsaid(o, items) }, "1300", "refund 1000")
			b.add("i-3", "New", "Paid", unsaid, "500")
			b.add("i-3", "Upgrade", "Unpaid", unsaid, "800", "refund -500")
			b.add("i-3", "Renew", "canceled", unsaid, "800")
			b.add("i-3", "Refund", "canceled", unsaid, "refund 500")
			b.add("i-3", "Downgrade", "Exploded", unsaid, "1", "refund -500")
		}, "1000", "3000", "300", 4, []string{"i-1", "i-2", "i-3"}},
		"orders without a status": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "1200")
			b.add("i-1", "Upgrade", "", nil, "1500", "refund -1200")
			b.add("i-1", "", " ", nil, "70")
			b.add("i-1", "Renew", "", func(_ *schema.Order, items []schema.Item) { items[0].PaymentStatus = "Paid" }, "30")
			b.add("i-2", "New", "Paid", nil, "5")
			b.add("i-2", "", "", nil, "refund 5")
		}, "5", "1230", "0", 4, []string{"i-1"}},
		"domains": {func(b *books) {
			domain := func(o *schema.Order, items []schema.Item) {
				o.Source, items[0].Source, items[0].SubscriptionType = "domain", "domain", ""
			}
			b.add("example.com", "activate", "Paid", domain, "55")
			b.add("example.net", "activate", "Unpaid", domain, "55")
			b.add("example.org", "renew", "Cancelled", domain, "55")
		}, "0", "55", "55", 1, []string{"example.com"}},
		"spellings": {func(b *books) {
			b.add("i-1", " neW", "paid ", nil, "1200")
			b.add("i-1", "UPGRADE", "CANCELED", without("canceled"), "1500", "refund -1200")
			b.add("i-1", "Upgrade", "Cancelled", without("Canceled\n"), "1500", "refund -1200")
			b.add("i-2", "New", "PAID", nil, "500")
			b.add("i-2", "upgrade", "\tunPaid", nil, "800", "refund -500")
			b.add("i-3", "New", "Paid", nil, "9")
			b.add("i-3", "REFUND ", "", nil, "refund 9")
		}, "9", "1700", "300", 4, []string{"i-1", "i-2"}},
		"refund orders": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "1000")
			b.add("i-1", "Refund", "", withSum("400"), "refund 400")
			b.add("i-2", "New", "Paid", nil, "1000")
			b.add("i-2", "Refund", "", withSum("-150"), "refund -150")
			b.add("i-3", "New", "Paid", nil, "20")
			b.add("i-3", "Refund", "Paid", nil, "3")
			b.add("i-4", "New", "Paid", nil, "20")
			b.add("i-4", "Refund", "Cancelled", nil, "refund 20")
		}, "553", "1487", "0", 7, []string{"i-4"}},
		"a renewal is refunded": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "100")
			b.add("i-1", "Renew", "Paid", nil, "100")
			renewal := b.Orders[len(b.Orders)-1].OrderID
			b.add("", "Refund", "", func(o *schema.Order, items []schema.Item) {
				o.RelatedOrderID, items[0].RelatedOrderID, items[0].InstanceIDs = renewal, renewal, nil
			}, "refund 100")
		}, "100", "100", "0", 3, []string{"i-1"}},
		"a downgrade gives money back": {func(b *books) {
			b.add("i-1", "New", "Paid", nil, "1000")
			b.add("i-1", "Downgrade", "Paid", withSum("-400"), "600", "refund -1000")
			b.add("i-2", "New", "Paid", nil, "7")
			b.add("i-2", "Downgrade", "Paid", withSum("-2"), "refund -2")
		}, "1002", "605", "0", 4, []string{"i-1", "i-2"}},
		"cancelled and words of nobody": {func(b *books) {
			b.add("i-1", "New", "Cancelled", nil, "1000")
			b.add("i-2", "New", "Exploded", nil, "1000")
			b.add("i-3", "New", "", nil, "1000")
		}, "0", "0", "0", 0, nil},
		"prepaid, with a total price": {func(b *books) {
			prepaid := func(_ *schema.Order, items []schema.Item) {
				items[0].SubscriptionType, items[0].Amounts = "prepaid", schema.Amounts{PretaxGross: items[0].Pretax}
			}
			b.add("i-1", "NEW", "PAID", prepaid, "80")
			b.add("i-2", "NEW", "CANCELED", prepaid, "80")
			b.add("i-3", "NEW", "PAID", func(_ *schema.Order, items []schema.Item) {
				items[0].SubscriptionType = "postpaid"
				items[0].Amounts = schema.Amounts{AfterTax: amount("106"), Tax: amount("6")}
			}, "100")
		}, "0", "180", "0", 2, []string{"i-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &books{now: time.Now().UTC().Truncate(time.Minute)}
			c.fill(b)
			b.check(t, c.refunded, c.net, c.unpaid, c.orders, c.instances...)
		})
	}
}

// A currency is one, however a detail spells it; lines without one have a sum of their own.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	b := &books{now: time.Now().UTC().Truncate(time.Minute)}
	for _, currency := range []string{"CNY", "cny", " Cny\n", "USD", "usd", ""} {
		b.add("i-1", "New", "Paid", func(_ *schema.Order, items []schema.Item) { items[0].Currency = currency }, "10")
	}
	s := open(t)
	write(t, s, b.Batch)
	for _, sum := range []string{"net)) FROM spend", "net)) FROM spend_by_instance", "net)) FROM spend_by_service_month", "cost)) FROM resources"} {
		equal(t, texts(t, s.Conn(), "SELECT currency, toString(sum("+sum+" GROUP BY currency ORDER BY currency"), []string{"('','10')", "('CNY','30')", "('USD','20')"})
	}
	equal(t, texts(t, s.Conn(), "SELECT BillingCurrency, toString(sum(BilledCost)) FROM focus_charges GROUP BY ALL ORDER BY ALL"), []string{"('CNY','30')", "('USD','20')"})
}

// SQL and Go read a payment status alike.
func TestPaymentStates(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	words := []string{"Paid", "PAID ", "paid", "Unpaid", "unPaid", " UNPAID\n", "Cancelled", "canceled", "CANCELLED", "\tCanceled", "", "  ", "Closed", "pa id", "Ünpaid", "refunded"}
	var want []string
	for n, word := range words {
		o := order(n)
		o.PaymentStatus = word
		b.Orders = append(b.Orders, o)
		want = append(want, "('"+schema.PaymentState(word)+"')")
	}
	write(t, s, b)
	equal(t, texts(t, s.Conn(), "SELECT payment_state FROM orders ORDER BY create_time"), want)
	equal(t, strings.Join(want, ""), "('paid')('paid')('paid')('unpaid')('unpaid')('unpaid')('cancelled')('cancelled')('cancelled')('cancelled')('none')('none')('other')('paid')('other')('other')")
	equal(t, number(t, s.Conn(), "SELECT count() FROM unpaid_orders"), 3)
	unpaid, err := s.Unpaid(t.Context(), stream, day, day.AddDate(0, 0, 1))
	if err != nil || len(unpaid) != 3 {
		t.Errorf("%v, %v", unpaid, err)
	}
}
