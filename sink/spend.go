package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// Spend is what was spent in one currency, of one day of the reporting zone or of one product. Currencies are never added up.
type Spend struct {
	Day         time.Time // a day of the calendar, as its midnight in UTC; zero for a product
	Currency    string
	ProductCode string          // empty for a day
	ProductName string          // empty where it is not known
	Orders      uint64          // that were paid, or give money back
	Amount      decimal.Decimal // net, before tax
}

// Spend adds up the view spend over the orders created in [from, to) of all accounts: by day and currency, and by product
// and currency. An order of two products counts once a day, and once for each of them.
func (s *Sink) Spend(ctx context.Context, from, to time.Time) (days, products []Spend, err error) {
	all, err := collect(ctx, s, `SELECT grouping(day) = 0, toUnixTimestamp(toDateTime(day, 'UTC')), currency, product_code,
			if(grouping(day) = 0, '', argMax(product_name, create_time)), uniqExact(account, owner_id, order_id), toString(ifNull(sum(net), 0))
		FROM spend
		WHERE kind IN ('paid', 'refund')
			AND create_time >= fromUnixTimestamp64Milli(?, 'UTC') AND create_time < fromUnixTimestamp64Milli(?, 'UTC')
		GROUP BY GROUPING SETS ((day, currency), (currency, product_code))
		ORDER BY day, currency, product_code`, []any{bound(from), bound(to)}, func(rows driver.Rows) (p Spend, err error) {
		var ofDay bool
		var day uint32
		var amount string
		if err := rows.Scan(&ofDay, &day, &p.Currency, &p.ProductCode, &p.ProductName, &p.Orders, &amount); err != nil {
			return p, err
		}
		if ofDay {
			p.Day = time.Unix(int64(day), 0).UTC()
		}
		p.Amount, err = decimal.NewFromString(amount)
		return p, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("add up the orders: %w", err)
	}
	for _, p := range all {
		if p.Day.IsZero() {
			products = append(products, p)
		} else {
			days = append(days, p)
		}
	}
	return days, products, nil
}

// CountOrders counts the stored orders of a stream. Where there is a ledger, that knows it without a look at the orders.
func (s *Sink) CountOrders(ctx context.Context, stream schema.Stream) (n uint64, err error) {
	err = s.row(ctx, "SELECT count() FROM order_rows"+final+"WHERE account = ? AND owner_id = ?"+finalSettings,
		[]any{stream.Account, stream.OwnerID}, &n)
	if err != nil {
		return 0, fmt.Errorf("count the orders: %w", err)
	}
	return n, nil
}

// OrdersSince counts the stored orders that were created since a time, by account and owner.
func (s *Sink) OrdersSince(ctx context.Context, since time.Time) (map[schema.Stream]uint64, error) {
	type counted struct {
		schema.Stream
		n uint64
	}
	rows, err := collect(ctx, s, "SELECT account, owner_id, count() FROM order_rows"+final+"WHERE create_time >= fromUnixTimestamp64Milli(?, 'UTC')"+
		" GROUP BY account, owner_id"+finalSettings, []any{bound(since)}, func(rows driver.Rows) (c counted, err error) {
		err = rows.Scan(&c.Account, &c.OwnerID, &c.n)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the orders: %w", err)
	}
	out := map[schema.Stream]uint64{}
	for _, c := range rows {
		out[c.Stream] = c.n
	}
	return out, nil
}
