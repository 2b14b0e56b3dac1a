package sink_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// A warehouse has one reporting zone. Another one is refused by whoever does not say that the views are to be made anew, so
// that two processes with different zones do not answer the same question in turns.
func TestReportingZone(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	utc := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	shanghai := utc
	shanghai.Timezone = "Asia/Shanghai"
	s := openAt(t, addr, database)
	o := order(1)
	o.CreateTime = time.Date(2024, 2, 29, 16, 30, 0, 0, time.UTC) // in China it is March
	write(t, s, sink.Batch{Orders: []schema.Order{o}, Items: []schema.Item{item(o, 1)}})
	const asked = "SELECT toString(day), toString(month), toString(create_time) FROM spend"
	equal(t, texts(t, s.Conn(), asked), []string{"('2024-02-29','2024-02-01','2024-02-29 16:30:00.000')"})
	refused(t, shanghai, "has the days and months of the zone UTC, and reporting.timezone is Asia/Shanghai", "ordersync migrate", "set reporting.timezone: UTC")

	shanghai.Reconfigure = true
	there, err := sink.Open(t.Context(), shanghai)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if made := there.Made(); len(made.Tables)+len(made.Migrations) > 0 || made.Database || len(made.Views) == 0 || len(made.Views) == len(schema.Views()) {
		t.Errorf("another zone made this: %s", made)
	}
	equal(t, texts(t, s.Conn(), asked), []string{"('2024-03-01','2024-03-01','2024-02-29 16:30:00.000')"})
	days, _, err := there.Spend(t.Context(), o.CreateTime, o.CreateTime.Add(time.Second))
	if err != nil || len(days) != 1 || !days[0].Day.Equal(time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the status page has the days %v, %v", days, err)
	}
	equal(t, texts(t, s.Conn(), "SELECT comment LIKE '%in the reporting zone Asia/Shanghai%' FROM system.columns WHERE database = currentDatabase() AND table = 'spend' AND name = 'day'"),
		[]string{"(1)"})
	refused(t, utc, "zone Asia/Shanghai, and reporting.timezone is UTC")
	shanghai.Reconfigure = false
	again, err := sink.Open(t.Context(), shanghai)
	if err != nil || !again.Made().Empty() {
		t.Fatalf("the zone that it has: %v", err)
	}
	_ = again.Close()

	nowhere := utc
	nowhere.Timezone = "Asia/Beijing"
	if _, err := sink.Open(t.Context(), nowhere); err == nil || !strings.Contains(err.Error(), "reporting.timezone: unknown time zone Asia/Beijing") {
		t.Errorf("a zone that there is not: %v", err)
	}
}

// Of two processes that make a warehouse at the same time for two zones, not both have their way without a word.
func TestTwoReportingZonesAtOnce(t *testing.T) {
	t.Parallel()
	addr, database := sinktest.Database(t)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for n, zone := range []string{"Asia/Shanghai", "America/New_York"} {
		wg.Go(func() {
			s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default", Timezone: zone})
			if errs[n] = err; err == nil {
				errs[n] = s.Close()
				_, _, err = sink.Look(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default", Timezone: zone})
				errs[n] = errors.Join(errs[n], err)
			}
		})
	}
	wg.Wait()
	if errs[0] == nil && errs[1] == nil {
		t.Error("both have their zone")
	}
	for _, err := range errs {
		if err != nil && !strings.Contains(err.Error(), "reporting.timezone is ") {
			t.Error(err)
		}
	}
}

// The mart has all that is asked of a line, with amounts that can be added up.
func TestMart(t *testing.T) {
	t.Parallel()
	s := open(t)
	money := func(list, pretax, tax, after, local string) (a schema.Amounts) {
		for _, x := range []struct {
			to   *schema.Money
			text string
		}{{&a.PretaxGross, list}, {&a.Pretax, pretax}, {&a.Tax, tax}, {&a.AfterTax, after}, {&a.PretaxLocal, local}} {
			if x.text != "" {
				*x.to = amount(x.text)
			}
		}
		return a
	}
	var b sink.Batch
	for n, c := range []struct {
		orderType, subType, status, related, operator string
		amounts                                       schema.Amounts
	}{
		{"New", "ProductSubOrder", "Paid", "", "u1", money("100", "80", "8", "88", "11.5")},
		{"Renew", "ProductSubOrder", "paid", "o0", "u2", money("100", "80", "", "88", "")},       // the tax is the rest
		{"Refund", "RefundSubOrder", "", "o0", "", money("50", "40", "4", "44", "5.75")},         // sent without a sign
		{"Refund", "RefundSubOrder", "", "o0", "u1", money("-5", "-4", "-0.4", "-4.4", "-0.57")}, // and with one
		{"Refund", "RefundSubOrder", "", "o0", "", money("50", "", "4", "44", "")},               // the amount before tax is the rest
		{"Refund", "RefundSubOrder", "", "o0", "", money("50", "40", "4", "", "")},               // that after tax is the sum
		{"New", "ProductSubOrder", "Unpaid", "", "u3", money("1000", "900", "90", "990", "1")},
		{"New", "ProductSubOrder", "Cancelled", "", "u1", money("1000", "900", "90", "990", "1")},
		{"New", "ProductSubOrder", "Paid", "", "u1", money("", "7", "", "", "")},
	} {
		o := order(n)
		o.PaymentStatus, o.PaymentTime = c.status, o.CreateTime.Add(time.Minute)
		i := item(o, 1)
		i.OrderType, i.OrderSubType, i.RelatedOrderID, i.Operator, i.Amounts, i.PaymentCurrency = c.orderType, c.subType, c.related, c.operator, c.amounts, "USD"
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
	}
	write(t, s, b)
	for _, names := range []string{"('u1', 'A former name'), ('u2', 'Björk')", "('u1', 'Anna O''Neil')"} {
		exec(t, s.Conn(), "INSERT INTO operators (id, name) VALUES "+names)
	}
	equal(t, texts(t, s.Conn(), `SELECT kind, toString(list_price), toString(discount), toString(net), toString(tax), toString(net_after_tax),
		toString(net_local), toString(unpaid), toString(unpaid_after_tax), related_order_id, operator_name FROM spend ORDER BY create_time`), []string{
		"('paid','100','20','80','8','88','11.5','0','0','','Anna O\\'Neil')",
		"('paid','100','20','80','8','88',NULL,'0','0','o0','Björk')",
		"('refund','-50','-10','-40','-4','-44','-5.75','0','0','o0','')",
		"('refund','-5','-1','-4','-0.4','-4.4','-0.57','0','0','o0','Anna O\\'Neil')",
		"('refund','-50','-10','-40','-4','-44',NULL,'0','0','o0','')",
		"('refund','-50','-10','-40','-4','-44',NULL,'0','0','o0','')",
		"('unpaid','0','0','0','0','0','0','900','990','','')",
		"('cancelled','0','0','0','0','0','0','0','0','','Anna O\\'Neil')",
		"('paid',NULL,NULL,'7',NULL,NULL,NULL,'0','0','','Anna O\\'Neil')",
	})
	equal(t, texts(t, s.Conn(), "SELECT count(), uniqExact(payment_time), any(payment_currency), any(quantity) > 0, any(instance_ids) != [] FROM spend"),
		[]string{"(9,9,'USD',1,1)"})
}

// monthly spreads an amount by the days of its months, as a person would do it: with fractions, and the rest to the last.
func monthly(first, end time.Time, net decimal.Decimal) (rows []string) {
	period := int64(end.Sub(first) / (24 * time.Hour))
	left := net
	for at := first; at.Before(end); {
		next := time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		if next.After(end) {
			next = end
		}
		days := int64(next.Sub(at) / (24 * time.Hour))
		part, _ := net.Mul(decimal.NewFromInt(days)).QuoRem(decimal.NewFromInt(period), 12)
		if next.Equal(end) {
			part = left
		}
		left = left.Sub(part)
		rows = append(rows, fmt.Sprintf("('%s',%d,'%s')", at.Format("2006-01")+"-01", days, part))
		at = next
	}
	return rows
}

func TestSpendByServiceMonth(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default", Timezone: "Asia/Shanghai", Reconfigure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	zone := s.Zone()
	parse := func(text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	var b sink.Batch
	var want []string
	for n, c := range []struct {
		subscription, subType, start, end, payment, amount string
		first, until                                       string // days of the calendar; empty = the day of payment alone
	}{
		{"Subscription", "", "2024-01-31 23:30", "2025-02-01 00:00", "2024-01-31 23:29", "1000", "2024-01-31", "2025-02-01"},
		{"subscription", "", "2024-02-28 10:00", "2024-03-01 10:00", "2024-02-28 10:00", "0.000000000001", "2024-02-28", "2024-03-01"},
		{"Subscription", "", "2024-05-01 00:00", "2024-05-01 12:00", "2024-05-01 00:00", "7", "2024-05-01", "2024-05-02"},
		{"Subscription", "RefundSubOrder", "2024-01-15 00:00", "2024-04-15 00:00", "2024-01-15 00:00", "99.99", "2024-01-15", "2024-04-15"}, // sent without a sign
		{"Subscription", "", "2024-12-31 00:00", "2299-12-31 23:00", "2024-12-31 00:00", "1000000", "2024-12-31", "2299-12-31"},
		{"Subscription", "", "", "", "2024-05-31 23:59", "5", "2024-05-31", ""},
		{"Subscription", "", "2024-03-01 00:00", "", "2024-02-29 23:59", "6", "2024-02-29", ""},                          // it never ends
		{"Subscription", "", "2024-03-01 00:00", "2024-03-01 00:00", "2024-02-29 23:59", "6", "2024-02-29", ""},          // an empty period
		{"PayAsYouGo", "", "2024-03-01 00:00", "2124-03-01 00:00", "2024-04-01 00:00", "8", "2024-04-01", ""},            // by use
		{"Subscription", "", "2024-03-31 00:00", "2024-05-01 00:00", "2024-03-31 00:00", "", "2024-03-31", "2024-05-01"}, // no amount
		{"Subscription", "", "2024-03-31 00:00", "2025-03-31 00:00", "2024-03-31 00:00", "12345678901234567890123456.123456789012", "2024-03-31", "2025-03-31"},
	} {
		o := order(n)
		i := item(o, 1)
		i.SubscriptionType, i.OrderSubType, i.UsageStartTime, i.UsageEndTime, i.PaymentTime = c.subscription, c.subType, parse(c.start), parse(c.end), parse(c.payment)
		i.Amounts = schema.Amounts{}
		var net decimal.Decimal
		if c.amount != "" {
			i.Pretax = amount(c.amount)
			net = i.Pretax.Decimal
		}
		if c.subType != "" {
			net = net.Neg()
		}
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
		first, err := time.Parse(time.DateOnly, c.first)
		if err != nil {
			t.Fatal(err)
		}
		until := first.AddDate(0, 0, 1)
		if c.until != "" {
			if until, err = time.Parse(time.DateOnly, c.until); err != nil {
				t.Fatal(err)
			}
		}
		for _, row := range monthly(first, until, net) {
			if c.amount == "" {
				row = strings.Replace(row, "'0'", "NULL", 1)
			}
			want = append(want, row)
		}
	}
	write(t, s, b)
	equal(t, texts(t, s.Conn(), "SELECT toString(month), days, toString(net) FROM spend_by_service_month ORDER BY create_time, month"), want)
	equal(t, texts(t, s.Conn(), `SELECT m.net = s.net FROM (SELECT order_id, sum(net) AS net FROM spend_by_service_month GROUP BY order_id) AS m
		INNER JOIN (SELECT order_id, net FROM spend WHERE net IS NOT NULL) AS s ON s.order_id = m.order_id GROUP BY ALL`), []string{"(1)"})
}

// What resources cost adds up to what was spent, whatever lines list, and each knows when its service ends.
func TestResources(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := &books{now: time.Now().UTC().Truncate(24 * time.Hour)}
	lists := func(operator, related string, instances ...string) func(*schema.Order, []schema.Item) {
		return func(o *schema.Order, items []schema.Item) {
			o.RelatedOrderID = related
			for n := range items {
				items[n].Operator, items[n].RelatedOrderID, items[n].InstanceIDs = operator, related, instances
				items[n].UsageStartTime = o.CreateTime.Add(time.Second)
			}
		}
	}
	last := func(c func(*schema.Order, []schema.Item), end time.Time) func(*schema.Order, []schema.Item) {
		return func(o *schema.Order, items []schema.Item) { c(o, items); items[0].UsageEndTime = end }
	}
	later := b.now.AddDate(0, 6, 0)
	b.add("", "New", "Paid", lists("u1", "", "i-3", "i-1", "i-2", "i-1"), "100") // 0: three instances
	b.add("", "Renew", "Paid", last(lists("u2", "o000", "i-1"), later), "10")    // 1: one of them
	b.add("", "Refund", "", lists("", "o001"), "refund 4")                       // 2: gives back the renewal, lists nothing
	b.add("", "Refund", "", lists("", "o000", "i-2"), "refund 33.333333333333")  // 3: gives back an instance
	b.add("", "New", "Paid", lists("u1", ""), "7", "8")                          // 4: two packages, no instance
	b.add("", "New", "Cancelled", lists("u3", "", "i-1"), "1000")                // 5
	b.add("", "New", "Unpaid", lists("u3", "", "i-9"), "1000")                   // 6
	b.add("", "New", "Paid", func(o *schema.Order, items []schema.Item) {        // 7: by use, in another currency
		lists("u4", "", "i-1")(o, items)
		items[0].SubscriptionType, items[0].Currency = "PayAsYouGo", "USD"
	}, "5")
	b.add("", "Refund", "", lists("", "o004"), "refund 1") // 8: of what has no instance
	write(t, s, b.Batch)
	exec(t, s.Conn(), "INSERT INTO operators (id, name) VALUES ('u2', 'Bo')")
	equal(t, texts(t, s.Conn(), "SELECT instance_id, currency, toString(cost), order_ids, operator, operator_name FROM resources ORDER BY instance_id, currency, order_ids, cost"), []string{
		"('','CNY','7',['o004'],'u1','')", "('','CNY','8',['o004'],'u1','')", "('','CNY','-1',['o008'],'','')",
		"('i-1','CNY','39.333333333333',['o000','o001','o002'],'u2','Bo')", "('i-1','USD','5',['o007'],'u4','')",
		"('i-2','CNY','0',['o000','o003'],'u1','')", "('i-3','CNY','33.333333333334',['o000'],'u1','')",
	})
	at := func(n int) string { return b.Orders[n].CreateTime.Format("2006-01-02 15:04:05.000") }
	end := b.now.AddDate(0, 0, 20).Format("2006-01-02 15:04:05.000") // what books gives a line
	equal(t, texts(t, s.Conn(), "SELECT instance_id, toString(until), toString(last_ordered_at) FROM resources WHERE instance_id != '' ORDER BY instance_id, currency"), []string{
		"('i-1','" + end + "','" + at(2) + "')", "('i-1',NULL,'" + at(7) + "')", "('i-2','" + at(3) + "','" + at(3) + "')", "('i-3','" + end + "','" + at(0) + "')",
	})
	equal(t, texts(t, s.Conn(), "SELECT toString(since) FROM resources WHERE instance_id = 'i-1' AND currency = 'CNY'"),
		[]string{"('" + b.Orders[0].CreateTime.Add(time.Second).Format("2006-01-02 15:04:05.000") + "')"})
	for _, view := range []string{"resources", "spend_by_instance", "spend_by_service_month"} {
		column := map[bool]string{true: "cost", false: "net"}[view == "resources"]
		equal(t, texts(t, s.Conn(), "SELECT currency, toString(sum("+column+")) FROM "+view+" GROUP BY currency ORDER BY currency"),
			texts(t, s.Conn(), "SELECT currency, toString(sum(net)) FROM spend GROUP BY currency ORDER BY currency"))
	}
}
