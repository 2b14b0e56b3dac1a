package sink

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Orders returns all stored orders of a stream that were created in [from, to), by creation time. They are held in memory at
// once, so the range should be that of a few windows.
func (s *Sink) Orders(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Order, error) {
	out, err := collectRange(ctx, s, orderTable.all()+final, "create_time, order_id", stream, from, to, orderTable.scan)
	return out, failedRead("orders", err)
}

// OrdersByID returns those of some orders of a stream that are stored and were created in [from, to): none where no ids are
// given. The range spares the server from looking through the rest.
func (s *Sink) OrdersByID(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) ([]schema.Order, error) {
	out, err := collectByID(ctx, s, orderTable.all()+final, "create_time, order_id", stream, from, to, ids, orderTable.scan)
	return out, failedRead("orders", err)
}

// Items returns the live line items of the orders that Orders would return, by creation time, order and item.
func (s *Sink) Items(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Item, error) {
	out, err := collectRange(ctx, s, itemTable.all()+final, itemOrder, stream, from, to, itemTable.scan)
	return out, failedRead("items", err)
}

// ItemsByOrder returns the live line items of some orders: none where no orders are given.
func (s *Sink) ItemsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, orderIDs []string) ([]schema.Item, error) {
	out, err := collectByID(ctx, s, itemTable.all()+final, itemOrder, stream, from, to, orderIDs, itemTable.scan)
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
