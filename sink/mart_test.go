package sink_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// A warehouse has one reporting zone. Another one is refused by whoever does not say that the views are to be made anew, so
// that two processes with different zones do not answer the same question in turns.
func TestReportingZone(t *testing.T) {
	t.Parallel()
	addr, database := sinktest.Database(t)
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

	shanghai.Rezone = true
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
	shanghai.Rezone = false
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
		"('unpaid','0','0','0','0','0','0','900','990','','')",
		"('cancelled','0','0','0','0','0','0','0','0','','Anna O\\'Neil')",
		"('paid',NULL,NULL,'7',NULL,NULL,NULL,'0','0','','Anna O\\'Neil')",
	})
	equal(t, texts(t, s.Conn(), "SELECT count(), uniqExact(payment_time), any(payment_currency), any(quantity) > 0, any(instance_ids) != [] FROM spend"),
		[]string{"(7,7,'USD',1,1)"})
}
