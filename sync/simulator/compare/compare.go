// Package compare holds a warehouse against the simulator's truth: counts, exact sums, digests and the ledger. The demo
// and the tests use it; with a real vendor there is no truth to compare with, and verify does what can be done.
package compare

import (
	"cmp"
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
func differences(got, truth simulator.Truth) (diff []string) {
	for _, m := range Measures(got, truth) {
		if !m.Equal() {
			diff = append(diff, fmt.Sprintf("%s: %v in the warehouse, %v at the source", m.Name, m.Got, m.Truth))
		}
	}
	return diff
}

// Measure is one number of a truth, and the same of a warehouse: a count is an int, a digest or a sum of money a text.
type Measure struct {
	Name       string
	Got, Truth any
}

// Equal reports whether both are the same.
func (m Measure) Equal() bool { return m.Got == m.Truth }

// Measures are all that can be compared of two truths, for the statuses and currencies that either has.
func Measures(got, truth simulator.Truth) (all []Measure) {
	add := func(name string, got, truth any) { all = append(all, Measure{name, got, truth}) }
	digest := func(of uint64) string { return fmt.Sprintf("%016x", of) }
	currencies := keys(got.OrderAmounts, truth.OrderAmounts, got.ItemAmounts, truth.ItemAmounts)
	sums := func(table string, got, truth map[string]simulator.Amounts) {
		for _, c := range currencies {
			g, t := list(got[c]), list(truth[c])
			for i, column := range columns {
				add(fmt.Sprintf("%s: sum of %s, %s", table, column, c), g[i].String(), t[i].String())
			}
		}
	}
	add("orders", got.Orders, truth.Orders)
	add("orders: digest of all ids", digest(got.IDDigest), digest(truth.IDDigest))
	for _, s := range keys(got.Statuses, truth.Statuses) {
		add("orders: "+cmp.Or(s, "(refund)"), got.Statuses[s], truth.Statuses[s])
	}
	sums("orders", got.OrderAmounts, truth.OrderAmounts)
	add("order_items", got.Items, truth.Items)
	add("order_items: digest of all ids", digest(got.ItemIDDigest), digest(truth.ItemIDDigest))
	sums("order_items", got.ItemAmounts, truth.ItemAmounts)
	return all
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

// keys are those that any of some maps has.
func keys[V any](of ...map[string]V) []string {
	all := map[string]bool{}
	for _, m := range of {
		for k := range m {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
