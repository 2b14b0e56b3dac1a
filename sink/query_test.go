package sink_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/schema"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	s := open(t)
	write(t, s, smallBatch())
	rows, err := s.Query(t.Context(), "SELECT order_id, tax, pretax_amount, create_time, 1 AS one, [1, 2] AS list, map('a', 'b') AS m FROM orders ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, rows.Columns, []string{"order_id", "tax", "pretax_amount", "create_time", "one", "list", "m"})
	equal(t, rows.Types[3], "DateTime64(3, 'UTC')")
	n := 0
	for row, err := range rows.All() {
		if err != nil {
			t.Fatal(err)
		}
		n++
		equal(t, fmt.Sprint(row[0], row[1], row[2], row[4:]), fmt.Sprintf("2110597882%05d<nil> 10.5 [1 [1 2] map[a:b]]", n))
	}
	equal(t, n, 2)
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Query(t.Context(), "SELECT nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Error(err)
	}
	// Statements without a result are fine too.
	rows, err = s.Query(t.Context(), "CREATE TABLE x (a UInt8) ENGINE = Memory")
	if err != nil {
		t.Fatal(err)
	}
	for range rows.All() {
		t.Error("a row of a statement without rows")
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	// An error in the middle of the rows is not the end of the rows (I8).
	rows, err = s.Query(t.Context(), "SELECT throwIf(number = 999999) FROM numbers(2000000) SETTINGS max_block_size = 1000, max_threads = 1")
	if err == nil {
		for _, err = range rows.All() {
			_ = err
		}
		rows.Close()
	}
	if err == nil {
		t.Error("the error of the query was lost")
	}
}

func TestProducts(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := schema.Product{Source: "bss", Account: "main", ProductCode: "rds", SubscriptionType: "PayAsYouGo", ProductName: "old", FetchedAt: day, Version: 1}
	newer := p
	newer.ProductName, newer.Version = "云数据库 RDS", 2
	for _, batch := range [][]schema.Product{{newer}, {p}} {
		if err := s.WriteProducts(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, texts(t, s.Conn(), "SELECT account, product_code, product_type, subscription_type, product_name FROM products"),
		[]string{"('main','rds','','PayAsYouGo','云数据库 RDS')"})
}
