package sink_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

func TestScratch(t *testing.T) {
	n := sinktest.Cluster(t)
	s, err := sink.Open(t.Context(), sink.Config{Addr: n.Addrs(0), Database: n.Database, Cluster: sinktest.TwoShards, EachNode: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b sink.Batch
	for i := range 40_000 {
		o := order(i)
		o.CreateTime = day.Add(time.Duration(i) * time.Second)
		b.Orders = append(b.Orders, o)
		b.Items = append(b.Items, item(o, 1), item(o, 2))
	}
	write(t, s, b)
	for i := range b.Orders { b.Orders[i].Version=2; b.Orders[i].PaymentStatus="Unpaid"; b.Orders[i].FetchedAt = b.Orders[i].FetchedAt.Add(time.Hour) }
	b.Items = nil
	write(t, s, b)
	for node := range 2 {
		c := n.Conn(t, node)
		for _, q := range []string{
			"SELECT count() FROM order_rows_local", "SELECT count() FROM order_item_rows_local", "SELECT count() FROM order_versions_local",
			"SELECT count() FROM orders", "SELECT count() FROM order_items", "SELECT count() FROM order_history",
			"SELECT count() FROM order_amount_differences",
			"SELECT count() FROM window_audit",
			"SELECT count() FROM orders WHERE order_id IN (SELECT order_id FROM order_items WHERE item_id LIKE '%7-1')",
			"SELECT count() FROM orders AS r JOIN orders AS o ON o.account = r.account AND o.order_id = r.order_id",
			"SELECT count() FROM orders AS r JOIN order_items AS o USING (account, order_id)",
		} {
			rows, err := c.Query(t.Context(), q)
			if err != nil { fmt.Println(node, q, err); continue }
			for rows.Next() { var n uint64; rows.Scan(&n); fmt.Println(node, q, n) }
			rows.Close()
		}
	}
	o := b.Orders[31000]
	for _, q := range []string{
		"SELECT count() FROM orders",
		"SELECT * FROM orders WHERE order_id = '" + o.OrderID + "'",
		"SELECT * FROM order_history WHERE order_id = '" + o.OrderID + "'",
		"SELECT * FROM orders WHERE account = 'main' AND create_time = '" + o.CreateTime.Format(time.DateTime) + "'",
		"SELECT * FROM order_items WHERE order_id IN (SELECT max(order_id) FROM orders)",
	} {
		st := time.Now()
		fmt.Println(readRows(t, s, q), time.Since(st), q)
	}
	for _, q := range []string{
		"EXPLAIN SELECT * FROM orders WHERE order_id = '" + o.OrderID + "'",
		"EXPLAIN distributed=1 SELECT order_id FROM orders WHERE order_id = '" + o.OrderID + "'",
		"EXPLAIN distributed=1 SELECT payment_status, count() FROM orders GROUP BY payment_status",
		"EXPLAIN distributed=1 SELECT payment_status, count() FROM (SELECT * FROM order_rows FINAL) WHERE order_id='x' GROUP BY payment_status",
	} {
		for _, l := range texts(t, s.Conn(), q) { fmt.Println(l) }
	}
}
