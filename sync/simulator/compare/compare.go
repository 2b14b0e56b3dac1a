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
	orders, err := sums(ctx, conn, "orders", "payment_status", "order_id", where)
	if err != nil {
		return got, err
	}
	for _, s := range orders {
		got.Statuses[s.status] += s.rows
	}
	items, err := sums(ctx, conn, "order_items", "''", "item_id", where)
	if err != nil {
		return got, err
	}
	got.Orders, got.IDDigest, got.OrderAmounts = total(orders)
	got.Items, got.ItemIDDigest, got.ItemAmounts = total(items)
	return got, nil
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

// sum is what the rows of one status and currency add up to.
type sum struct {
	status, currency string
	rows             int
	digest           uint64
	amounts          simulator.Amounts
}

// sums reads a view once: planning a query is most of what a comparison costs.
func sums(ctx context.Context, conn driver.Conn, table, status, id, where string) ([]sum, error) {
	query := fmt.Sprintf("SELECT %s, currency, count(), groupBitXor(xxHash64(%s))", status, id)
	for _, c := range columns {
		query += fmt.Sprintf(", ifNull(sum(%s), toDecimal128(0, 12))", c)
	}
	rows, err := conn.Query(ctx, query+" FROM "+table+" "+where+" GROUP BY 1, 2")
	if err != nil {
		return nil, fmt.Errorf("sum %s: %w", table, err)
	}
	defer rows.Close()
	var out []sum
	for rows.Next() {
		var s sum
		var n uint64
		a := &s.amounts
		if err := rows.Scan(&s.status, &s.currency, &n, &s.digest, &a.PretaxGross, &a.Pretax, &a.PretaxLocal, &a.Tax, &a.AfterTax); err != nil {
			return nil, fmt.Errorf("sum %s: %w", table, err)
		}
		s.rows = int(n)
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum %s: %w", table, err)
	}
	return out, nil
}

func total(sums []sum) (rows int, digest uint64, amounts map[string]simulator.Amounts) {
	amounts = map[string]simulator.Amounts{}
	for _, s := range sums {
		rows += s.rows
		digest ^= s.digest
		a := amounts[s.currency]
		amounts[s.currency] = simulator.Amounts{
			PretaxGross: a.PretaxGross.Add(s.amounts.PretaxGross), Pretax: a.Pretax.Add(s.amounts.Pretax),
			PretaxLocal: a.PretaxLocal.Add(s.amounts.PretaxLocal), Tax: a.Tax.Add(s.amounts.Tax), AfterTax: a.AfterTax.Add(s.amounts.AfterTax),
		}
	}
	return rows, digest, amounts
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
