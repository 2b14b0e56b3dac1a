package sink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// Orders returns all stored orders of a stream that were created in [from, to), by creation time. They are held in memory at
// once, so the range should be that of a few windows.
func (s *Sink) Orders(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Order, error) {
	out, err := collectRange(ctx, s, orderSelect, "create_time, order_id", stream, from, to, scanOrder)
	return out, failedRead("orders", err)
}

// OrdersByID returns those of some orders of a stream that are stored and were created in [from, to): none where no ids are
// given. The range spares the server from looking through the rest.
func (s *Sink) OrdersByID(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) ([]schema.Order, error) {
	out, err := collectByID(ctx, s, orderSelect, "create_time, order_id", stream, from, to, ids, scanOrder)
	return out, failedRead("orders", err)
}

// Items returns the live line items of the orders that Orders would return, by creation time, order and item.
func (s *Sink) Items(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Item, error) {
	out, err := collectRange(ctx, s, itemSelect, itemOrder, stream, from, to, scanItem)
	return out, failedRead("items", err)
}

// ItemsByOrder returns the live line items of some orders: none where no orders are given.
func (s *Sink) ItemsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, orderIDs []string) ([]schema.Item, error) {
	out, err := collectByID(ctx, s, itemSelect, itemOrder, stream, from, to, orderIDs, scanItem)
	return out, failedRead("items", err)
}

// itemOrder is how items are sorted that are read.
const itemOrder = "create_time, order_id, item_id"

func failedRead(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read the %s: %w", what, err)
}

// collectRange is collect for a query over all of a range.
func collectRange[T any](ctx context.Context, s *Sink, query, order string, stream schema.Stream, from, to time.Time, scan func(driver.Rows) (T, error)) ([]T, error) {
	return collect(ctx, s, query+" WHERE "+inRange+" ORDER BY "+order+finalSettings, rangeArgs(stream, from, to), scan)
}

// collectByID is collect for a query over some orders of a range, once for every maxIDs of them.
func collectByID[T any](ctx context.Context, s *Sink, query, order string, stream schema.Stream, from, to time.Time, ids []string, scan func(driver.Rows) (T, error)) (out []T, err error) {
	args := rangeArgs(stream, from, to)
	query += " WHERE " + inRange + " AND order_id IN (?) ORDER BY " + order + finalSettings
	for chunk := range slices.Chunk(ids, maxIDs) {
		some, err := collect(ctx, s, query, append(slices.Clip(args), chunk), scan)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

var (
	orderSelect = selectAll(orderTable)
	itemSelect  = selectAll(itemTable)
)

// selectAll is the query for all columns of a table, in the order in which they are written. Times are asked for as
// numbers: the driver's own conversion wraps beyond the year 2262 (I6).
func selectAll[T any](t *table[T]) string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
		if strings.Contains(c.chType, "DateTime64") {
			names[i] = "toUnixTimestamp64Milli(" + c.name + ")"
		}
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + t.name + final
}

// amounts are the money columns as they are scanned.
type amounts struct{ gross, pretax, local, tax, after *decimal.Decimal }

func (a amounts) schema() schema.Amounts {
	return schema.Amounts{
		PretaxGross: money(a.gross), Pretax: money(a.pretax), PretaxLocal: money(a.local),
		Tax: money(a.tax), AfterTax: money(a.after),
	}
}

// money is the amount without the zeros that the column's scale adds: 10.500000000000 was received as 10.5 or 10.50.
func money(d *decimal.Decimal) schema.Money {
	if d == nil {
		return schema.Money{}
	}
	// String prints all digits that count, and no float is involved (I5).
	return schema.Money{Decimal: decimal.RequireFromString(d.String()), Valid: true}
}

func scanOrder(rows driver.Rows) (schema.Order, error) {
	var (
		o                schema.Order
		created, fetched int64
		paid             *int64
		a                amounts
		deleted          uint8
	)
	err := rows.Scan(&o.Source, &o.Account, &o.OwnerID, &o.OrderID, &o.RelatedOrderID, &o.OrderType, &o.PaymentStatus,
		&o.ProductCode, &o.ProductType, &o.CommodityCode, &o.SubscriptionType, &created, &paid, &o.Currency,
		&o.PaymentCurrency, &a.gross, &a.pretax, &a.local, &a.tax, &a.after, &o.Fingerprint, &o.DetailStatus,
		&o.ItemCount, &fetched, &o.Version, &deleted, &o.Raw, &o.RawDetail)
	o.CreateTime, o.FetchedAt, o.PaymentTime = fromMilliseconds(created), fromMilliseconds(fetched), optional(paid)
	o.Amounts, o.Deleted = a.schema(), deleted != 0
	return o, err
}

func scanItem(rows driver.Rows) (schema.Item, error) {
	var (
		i                schema.Item
		created, fetched int64
		paid, start, end *int64
		a                amounts
		quantity         *decimal.Decimal
		deleted          uint8
	)
	err := rows.Scan(&i.Source, &i.Account, &i.OwnerID, &i.OrderID, &i.ItemID, &i.RelatedOrderID, &i.OrderType,
		&i.OrderSubType, &i.PaymentStatus, &i.ProductCode, &i.ProductType, &i.CommodityCode, &i.SubscriptionType,
		&created, &paid, &i.Currency, &i.PaymentCurrency, &a.gross, &a.pretax, &a.local, &a.tax, &a.after,
		&i.InstanceIDs, &i.Region, &quantity, &i.Config, &i.OriginalConfig, &i.Operator, &start, &end, &i.ExtendInfos,
		&i.BillModuleConfig, &i.OriginalModuleConfig, &fetched, &i.Version, &deleted, &i.Raw)
	i.CreateTime, i.FetchedAt, i.PaymentTime = fromMilliseconds(created), fromMilliseconds(fetched), optional(paid)
	i.UsageStartTime, i.UsageEndTime = optional(start), optional(end)
	i.Amounts, i.Quantity, i.Deleted = a.schema(), money(quantity), deleted != 0
	return i, err
}
