package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// Spend is what was ordered of one product on one day (UTC), in one currency. Currencies are never added up.
type Spend struct {
	Day         time.Time
	Currency    string
	ProductCode string
	ProductName string          // empty where it is not known
	Orders      uint64          // all orders, whatever became of them
	Amount      decimal.Decimal // pretax_amount of those that are neither unpaid nor cancelled
}

// Spend adds up the orders created in [from, to) of all accounts, by day, currency and product.
func (s *Sink) Spend(ctx context.Context, from, to time.Time) ([]Spend, error) {
	var out []Spend
	// The names are few; the orders are grouped before they are looked up.
	err := s.each(ctx, `SELECT day, currency, code, names.name, orders, toString(amount) FROM (
			SELECT toUnixTimestamp(toStartOfDay(create_time)) AS day, currency, product_code AS code, count() AS orders,
				ifNull(sumIf(pretax_amount, lower(payment_status) NOT IN ('unpaid', 'cancelled')), 0) AS amount
			FROM order_rows FINAL
			WHERE create_time >= fromUnixTimestamp64Milli(?, 'UTC') AND create_time < fromUnixTimestamp64Milli(?, 'UTC')
			GROUP BY day, currency, code
		) AS spent LEFT JOIN (
			SELECT product_code, argMax(product_name, version) AS name FROM product_rows GROUP BY product_code
		) AS names ON names.product_code = spent.code
		ORDER BY day, currency, code`+finalSettings, []any{bound(from), bound(to)}, func(rows driver.Rows) error {
		var p Spend
		var day uint32
		var amount string
		if err := rows.Scan(&day, &p.Currency, &p.ProductCode, &p.ProductName, &p.Orders, &amount); err != nil {
			return err
		}
		var err error
		p.Day = time.Unix(int64(day), 0).UTC()
		p.Amount, err = decimal.NewFromString(amount)
		out = append(out, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("add up the orders: %w", err)
	}
	return out, nil
}

// CountOrders counts the stored orders of a lane. Where there is a ledger, that knows it without a look at the orders.
func (s *Sink) CountOrders(ctx context.Context, lane schema.Lane) (n uint64, err error) {
	err = s.conn.QueryRow(ctx, "SELECT count() FROM order_rows"+final+"WHERE account = ? AND owner_id = ?"+finalSettings,
		lane.Account, lane.OwnerID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the orders: %w", err)
	}
	return n, nil
}
