package sink_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// A product is named by account, code, type and subscription type together, and a name never adds or hides a row (I9).
func TestProductNames(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for n, p := range [][4]string{
		{"main", "rds", "rds", "Subscription"}, {"main", "rds", "rds", "PayAsYouGo"}, {"main", "rds", "rords", "Subscription"},
		{"main", "oss", "", "PayAsYouGo"}, {"main", "rds", "rds", "subscription"}, {"other", "rds", "rds", "Subscription"},
		{"main", "new", "new", "Subscription"},
	} {
		o := order(n)
		o.Account, o.ProductCode, o.ProductType, o.SubscriptionType = p[0], p[1], p[2], p[3]
		i := item(o, 1)
		i.ProductType, i.SubscriptionType = o.ProductType, o.SubscriptionType
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
	}
	write(t, s, b)
	for _, view := range []string{"orders", "order_items", "spend"} {
		equal(t, texts(t, s.Conn(), "SELECT product_name, count() FROM "+view+" GROUP BY product_name"), []string{"('',7)"})
	}
	product := func(typ, subscription, name string, version uint64) schema.Product {
		return schema.Product{Source: "bss", Account: "main", ProductCode: "rds", ProductType: typ, SubscriptionType: subscription,
			ProductName: name, FetchedAt: day, Version: version}
	}
	bucket := product("", "PayAsYouGo", "Bucket", 1)
	bucket.ProductCode = "oss"
	products := []schema.Product{product("rds", "Subscription", "an old name", 1), product("rds", "Subscription", "Database", 2),
		product("rds", "PayAsYouGo", "Database by use", 1), product("rords", "Subscription", "Read-only", 1), bucket}
	for _, p := range products { // one by one: nothing is merged away yet
		if err := s.WriteProducts(t.Context(), []schema.Product{p}); err != nil {
			t.Fatal(err)
		}
	}
	for _, view := range []string{"orders", "order_items", "spend"} {
		equal(t, texts(t, s.Conn(), "SELECT product_name FROM "+view+" ORDER BY create_time"), []string{
			"('Database')", "('Database by use')", "('Read-only')", "('Bucket')", "('Database')", "('')", "('')"})
	}
}

func TestSpend(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for n, c := range []struct{ orderType, subType, status, amount, afterTax string }{
		{"New", "ProductSubOrder", "Paid", "10", "11"},
		{"new", "productsuborder", "paid", "20", "22"},
		{"Refund", "RefundSubOrder", "", "-3", "-3.3"},
		{"refund", "refundsuborder", "", "4", "4.4"}, // nothing documents the sign
		{"Downgrade", "RefundSubOrder", "Paid", "-5", "-5.5"},
		{"New", "ProductSubOrder", "Unpaid", "100", "110"},
		{"New", "ProductSubOrder", "Cancelled", "1000", "1100"},
		{"New", "ProductSubOrder", "Frozen", "10000", "11000"},
		{"New", "ProductSubOrder", "Paid", "", ""},
	} {
		o := order(n)
		i := item(o, 1)
		i.OrderType, i.OrderSubType, i.PaymentStatus = c.orderType, c.subType, c.status
		i.Amounts = schema.Amounts{}
		if c.amount != "" {
			i.Pretax, i.AfterTax = amount(c.amount), amount(c.afterTax)
		}
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
	}
	write(t, s, b)
	equal(t, texts(t, s.Conn(), `SELECT kind, toString(paid), toString(refunded), toString(net), toString(net_after_tax),
		toString(unpaid), toString(day) FROM spend ORDER BY create_time`), []string{
		"('paid','10','0','10','11','0','2024-05-06')",
		"('paid','20','0','20','22','0','2024-05-06')",
		"('refund','0','3','-3','-3.3','0','2024-05-06')",
		"('refund','0','4','-4','-4.4','0','2024-05-06')",
		"('refund','0','5','-5','-5.5','0','2024-05-06')",
		"('unpaid','0','0','0','0','100','2024-05-06')",
		"('cancelled','0','0','0','0','0','2024-05-06')",
		"('other','0','0','0','0','0','2024-05-06')",
		"('paid',NULL,'0',NULL,NULL,'0','2024-05-06')",
	})
}

func TestUnpaidOrders(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	var b sink.Batch
	for n, c := range []struct {
		age    time.Duration
		status string
	}{
		{193 * time.Hour, "Unpaid"}, {191 * time.Hour, "unpaid"}, {90 * time.Minute, "Unpaid"}, {time.Hour, "Paid"}, {time.Hour, ""},
	} {
		o := order(n)
		o.CreateTime, o.PaymentStatus = now.Add(-c.age), c.status
		b.Orders = append(b.Orders, o)
	}
	write(t, s, b)
	equal(t, texts(t, s.Conn(), `SELECT right(order_id, 1), is_anomaly, age_hours FROM unpaid_orders ORDER BY create_time`),
		[]string{"('0',1,193)", "('1',0,191)", "('2',0,1)"})
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.Now().UTC().Truncate(24 * time.Hour)
	var b sink.Batch
	// line adds an order of one line; start and end are days from today.
	line := func(start, end int, change func(*schema.Item), instances ...string) {
		o := order(len(b.Orders))
		o.CreateTime = now.AddDate(0, 0, start).Add(time.Duration(len(b.Orders)) * time.Second)
		i := item(o, 1)
		i.InstanceIDs, i.SubscriptionType, i.UsageEndTime = instances, "Subscription", now.AddDate(0, 0, end).Add(time.Hour)
		if change != nil {
			change(&i)
		}
		o.OrderType, o.PaymentStatus, o.RelatedOrderID = i.OrderType, i.PaymentStatus, i.RelatedOrderID
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
	}
	last := func() string { return b.Orders[len(b.Orders)-1].OrderID }
	refund := func(i *schema.Item) { i.OrderType, i.PaymentStatus = "refund", "" }
	refundOf := func(id string) func(*schema.Item) {
		return func(i *schema.Item) { refund(i); i.RelatedOrderID = id }
	}

	line(-20, 10, nil, "ends soon")
	line(-20, 10, nil, "renewed")
	line(-2, 40, func(i *schema.Item) { i.OrderType = "Renew" }, "renewed")
	line(-20, 10, nil, "renewal refunded")
	line(-2, 40, func(i *schema.Item) { i.OrderType = "Renew" }, "renewal refunded")
	line(-1, 40, refundOf(last()))
	line(-20, 10, nil, "refunded", "kept of the same line")
	line(-2, 10, refund, "refunded")
	line(-20, 10, nil, "bought again")
	line(-10, 10, refund, "bought again")
	line(-5, 25, nil, "bought again")
	line(-20, 10, func(i *schema.Item) { i.PaymentStatus = "Unpaid" }, "unpaid")
	line(-20, 36500, func(i *schema.Item) { i.SubscriptionType = "PayAsYouGo" }, "by use")
	line(-400, -40, nil, "long over")
	line(-40, -3, nil, "just over")
	line(-20, 10, nil)
	line(-20, 12, nil)
	line(-20, 10, func(i *schema.Item) { i.UsageStartTime, i.UsageEndTime = time.Time{}, time.Time{} }, "not delivered")
	line(-20, 10, func(i *schema.Item) { i.UsageStartTime, i.UsageEndTime = i.CreateTime, time.Time{} }, "never ends")
	line(-20, 10, func(i *schema.Item) { i.UsageStartTime, i.UsageEndTime = i.CreateTime, time.Time{} }, "never ended, refunded")
	line(-2, 10, refund, "never ended, refunded")
	write(t, s, b)
	// Counted from the day of the rows, in case midnight came between.
	since := fmt.Sprintf("dateDiff('day', toDateTime(%d, 'UTC'), now('UTC'))", now.Unix())
	equal(t, texts(t, s.Conn(), "SELECT instance_id, days_left + "+since+", order_type, orders FROM subscriptions ORDER BY instance_id, service_end"), []string{
		"('',10,'New',1)", "('',12,'New',1)", "('bought again',25,'New',1)", "('ends soon',10,'New',1)", "('just over',-3,'New',1)",
		"('kept of the same line',10,'New',1)", "('never ends',NULL,'New',1)", "('renewal refunded',10,'New',1)", "('renewed',40,'Renew',2)",
	})
}

func TestOrderChains(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for _, c := range []struct{ account, id, related string }{
		{"main", "a", ""}, {"main", "b", "a"}, {"main", "c", "b"}, {"main", "d", "a"}, // a tree
		{"main", "orphan", "before the copy begins"}, {"main", "child", "orphan"},
		{"main", "alone", ""}, {"main", "circle 1", "circle 2"}, {"main", "circle 2", "circle 1"}, {"main", "self", "self"},
		{"other", "a", ""}, {"other", "b", "a"}, // the same ids of another account
	} {
		o := order(len(b.Orders))
		o.Account, o.OrderID, o.RelatedOrderID = c.account, c.id, c.related
		b.Orders = append(b.Orders, o)
	}
	write(t, s, b)
	equal(t, texts(t, s.Conn(), "SELECT account, root_order_id, depth, order_id FROM order_chains ORDER BY create_time"), []string{
		"('main','a',0,'a')", "('main','a',1,'b')", "('main','a',2,'c')", "('main','a',1,'d')",
		"('main','orphan',0,'orphan')", "('main','orphan',1,'child')", "('other','a',0,'a')", "('other','a',1,'b')",
	})
}

func TestOrderInstances(t *testing.T) {
	t.Parallel()
	s := open(t)
	o, later := order(1), order(2)
	first, second, none, renewed := item(o, 1), item(o, 2), item(o, 3), item(later, 1)
	first.InstanceIDs, second.InstanceIDs = []string{"i-1", "i-2", "i-1"}, []string{"i-3"}
	none.InstanceIDs, renewed.InstanceIDs = nil, []string{"i-2"}
	write(t, s, sink.Batch{Orders: []schema.Order{o, later}, Items: []schema.Item{first, second, none, renewed}})
	equal(t, texts(t, s.Conn(), "SELECT instance_id, item_id FROM order_instances ORDER BY create_time, instance_id"), []string{
		fmt.Sprintf("('i-1','%s-1')", o.OrderID), fmt.Sprintf("('i-2','%s-1')", o.OrderID), fmt.Sprintf("('i-3','%s-2')", o.OrderID),
		fmt.Sprintf("('i-2','%s-1')", later.OrderID),
	})
}
