// Package compare holds a warehouse against the simulator's truth: counts, exact sums, digests and the ledger. The demo
// and the tests use it; with a real vendor there is no truth to compare with, and verify does what can be done.
package compare

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/sync/simulator"
)

// Warehouse says in what an account's rows created in [from, to) differ from the truth; nothing means that they are
// equal. An error means that they could not be read.
func Warehouse(ctx context.Context, conn driver.Conn, account string, from, to time.Time, truth simulator.Truth) ([]string, error) {
	got, err := Read(ctx, conn, account, from, to)
	if err != nil {
		return nil, err
	}
	return differences(got, truth), nil
}

// Owner is Warehouse for one owner of an account, which is empty for its own orders.
func Owner(ctx context.Context, conn driver.Conn, account, owner string, from, to time.Time, truth simulator.Truth) ([]string, error) {
	got, err := read(ctx, conn, fmt.Sprintf("account = '%s' AND owner_id = '%s'", account, owner), from, to)
	if err != nil {
		return nil, err
	}
	return differences(got, truth), nil
}

// Read asks the warehouse, about an account's rows created in [from, to), for the numbers of a truth. It reads the
// published views, as an analyst would.
func Read(ctx context.Context, conn driver.Conn, account string, from, to time.Time) (simulator.Truth, error) {
	return read(ctx, conn, fmt.Sprintf("account = '%s'", account), from, to)
}

func read(ctx context.Context, conn driver.Conn, whose string, from, to time.Time) (simulator.Truth, error) {
	where := fmt.Sprintf("WHERE %s AND create_time >= fromUnixTimestamp64Milli(%d) AND create_time < fromUnixTimestamp64Milli(%d)",
		whose, from.UnixMilli(), to.UnixMilli())
	got := simulator.Truth{Statuses: map[string]int{}}
	row := func(query string, dest ...any) error { return conn.QueryRow(ctx, query+" "+where).Scan(dest...) }
	var orders, items uint64
	if err := row("SELECT count(), groupBitXor(xxHash64(order_id)) FROM orders", &orders, &got.IDDigest); err != nil {
		return got, fmt.Errorf("read orders: %w", err)
	}
	if err := row("SELECT count(), groupBitXor(xxHash64(item_id)) FROM order_items", &items, &got.ItemIDDigest); err != nil {
		return got, fmt.Errorf("read order_items: %w", err)
	}
	got.Orders, got.Items = int(orders), int(items)
	statuses, err := conn.Query(ctx, "SELECT payment_status, count() FROM orders "+where+" GROUP BY payment_status")
	if err != nil {
		return got, fmt.Errorf("read statuses: %w", err)
	}
	defer statuses.Close()
	for statuses.Next() {
		var status string
		var n uint64
		if err := statuses.Scan(&status, &n); err != nil {
			return got, fmt.Errorf("read statuses: %w", err)
		}
		got.Statuses[status] = int(n)
	}
	if err := statuses.Err(); err != nil {
		return got, fmt.Errorf("read statuses: %w", err)
	}
	if got.OrderAmounts, err = sums(ctx, conn, "orders", where); err != nil {
		return got, err
	}
	got.ItemAmounts, err = sums(ctx, conn, "order_items", where)
	return got, err
}

// differences says in what two truths are not equal.
func differences(got, truth simulator.Truth) []string {
	var diff []string
	differ := func(what string, got, want any) {
		if got != want {
			diff = append(diff, fmt.Sprintf("%s: %v in the warehouse, %v at the source", what, got, want))
		}
	}
	differ("orders", got.Orders, truth.Orders)
	differ("items", got.Items, truth.Items)
	differ("digest of the order ids", got.IDDigest, truth.IDDigest)
	differ("digest of the item ids", got.ItemIDDigest, truth.ItemIDDigest)
	for _, s := range keys(got.Statuses, truth.Statuses) {
		differ(fmt.Sprintf("orders with status %q", s), got.Statuses[s], truth.Statuses[s])
	}
	for _, sum := range []struct {
		table     string
		got, want map[string]simulator.Amounts
	}{{"orders", got.OrderAmounts, truth.OrderAmounts}, {"order_items", got.ItemAmounts, truth.ItemAmounts}} {
		for _, c := range keys(sum.got, sum.want) {
			g, w := list(sum.got[c]), list(sum.want[c])
			for i, column := range columns {
				if !g[i].Equal(w[i]) {
					differ(fmt.Sprintf("sum of %s.%s in %s", sum.table, column, c), g[i].String(), w[i].String())
				}
			}
		}
	}
	return diff
}

var columns = [...]string{"pretax_gross_amount", "pretax_amount", "pretax_amount_local", "tax", "after_tax_amount"}

func list(a simulator.Amounts) [len(columns)]decimal.Decimal {
	return [...]decimal.Decimal{a.PretaxGross, a.Pretax, a.PretaxLocal, a.Tax, a.AfterTax}
}

func sums(ctx context.Context, conn driver.Conn, table, where string) (map[string]simulator.Amounts, error) {
	query := "SELECT currency"
	for _, c := range columns {
		query += fmt.Sprintf(", ifNull(sum(%s), toDecimal128(0, 12))", c)
	}
	rows, err := conn.Query(ctx, query+" FROM "+table+" "+where+" GROUP BY currency")
	if err != nil {
		return nil, fmt.Errorf("sum %s: %w", table, err)
	}
	defer rows.Close()
	out := map[string]simulator.Amounts{}
	for rows.Next() {
		var currency string
		var a simulator.Amounts
		if err := rows.Scan(&currency, &a.PretaxGross, &a.Pretax, &a.PretaxLocal, &a.Tax, &a.AfterTax); err != nil {
			return nil, err
		}
		out[currency] = a
	}
	return out, rows.Err()
}

func keys[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return slices.Sorted(maps.Keys(all))
}
