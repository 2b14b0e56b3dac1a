package sink

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// final makes a SELECT see the current version of each row only. All versions of a row share a partition, which spares
// the server from comparing partitions.
const final = " FINAL "

// finalSettings end each query that reads with final.
const finalSettings = " SETTINGS do_not_merge_across_partitions_select_final = 1"

// inRange bounds a query by lane and creation time, [from, to); its arguments are those of rangeArgs. The lane's
// account is the name of the configured account, which is unique, so the source need not be compared.
const inRange = "account = ? AND owner_id = ? AND create_time >= fromUnixTimestamp64Milli(?, 'UTC')" +
	" AND create_time < fromUnixTimestamp64Milli(?, 'UTC')"

// rangeArgs are the arguments of inRange. A time before or after all that a row can hold is no bound.
func rangeArgs(lane schema.Lane, from, to time.Time) []any {
	return []any{lane.Account, lane.OwnerID, bound(from), bound(to)}
}

// listed is the condition of the orders of a lane, created in [from, to), that a listing shows: those that the filters
// leave. Its arguments come with it.
func (s *Sink) listed(lane schema.Lane, from, to time.Time) (where string, args []any) {
	where, args = inRange, rangeArgs(lane, from, to)
	for _, f := range s.filters.Set() {
		where += " AND lower(" + f.Column + ") = ?"
		args = append(args, strings.ToLower(f.Value))
	}
	return where, args
}

// bound is a time as DateTime64(3) counts it, cut to the range of the column. A part of a millisecond counts as a whole
// one: stored times have no parts, so "before 1.5 ms" means "before 2 ms".
func bound(t time.Time) int64 {
	if t.Before(schema.MinTime) {
		t = schema.MinTime
	}
	if t.After(schema.MaxTime) {
		t = schema.MaxTime.Add(time.Nanosecond)
	}
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// maxIDs bounds the IN list of one query: the server limits the text of a query to 256 KB.
const maxIDs = 2000

// Known returns what is stored of the orders of a lane that were created in [from, to) and that its listings show, by id:
// enough for the engine to decide whether there is something to fetch or write.
func (s *Sink) Known(ctx context.Context, lane schema.Lane, from, to time.Time) (map[string]schema.Known, error) {
	known := map[string]schema.Known{}
	where, args := s.listed(lane, from, to)
	err := s.each(ctx, "SELECT order_id, toUnixTimestamp64Milli(create_time), fingerprint, detail_status, items, version FROM order_rows"+final+
		"WHERE "+where+finalSettings, args, func(rows driver.Rows) error {
		var id string
		var created int64
		var k schema.Known
		if err := rows.Scan(&id, &created, &k.Fingerprint, &k.DetailStatus, &k.ItemCount, &k.Version); err != nil {
			return err
		}
		k.CreateTime = fromMilliseconds(created)
		known[id] = k
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the stored orders: %w", err)
	}
	return known, nil
}

// First returns when the oldest order of a lane that is stored and was created in [from, to) was created, or the oldest
// order of a stored item, whichever is earlier, tombstones included; zero where there is none. It reads little of each part,
// since the tables are sorted by time.
func (s *Sink) First(ctx context.Context, lane schema.Lane, from, to time.Time) (time.Time, error) {
	first := func(table string) string {
		return "(SELECT toUnixTimestamp64Milli(create_time) AS created FROM " + table + " WHERE " + inRange + " ORDER BY create_time LIMIT 1)"
	}
	args := rangeArgs(lane, from, to)
	var found uint64
	var oldest int64
	err := s.conn.QueryRow(ctx, "SELECT count(), min(created) FROM ("+first(orderTable.name)+" UNION ALL "+first(itemTable.name)+")",
		append(args, args...)...).Scan(&found, &oldest)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the oldest stored order: %w", withRemedy(err))
	}
	if found == 0 {
		return time.Time{}, nil
	}
	return fromMilliseconds(oldest), nil
}

// ItemIDs returns the ids of all live line items of the orders of a lane that were created in [from, to), by order id. What
// a refreshed detail does not show any more gets a tombstone, so the engine must know what there was.
func (s *Sink) ItemIDs(ctx context.Context, lane schema.Lane, from, to time.Time) (map[string][]string, error) {
	items := map[string][]string{}
	err := s.inRange(ctx, itemIDSelect, "order_id, item_id", lane, from, to, addItemID(items))
	return items, failedRead("stored items", err)
}

// ItemIDsByOrder is ItemIDs for some orders: it returns none where no orders are given.
func (s *Sink) ItemIDsByOrder(ctx context.Context, lane schema.Lane, from, to time.Time, orderIDs []string) (map[string][]string, error) {
	items := map[string][]string{}
	err := s.byID(ctx, itemIDSelect, "order_id, item_id", lane, from, to, orderIDs, addItemID(items))
	return items, failedRead("stored items", err)
}

const itemIDSelect = "SELECT order_id, item_id FROM order_item_rows" + final

func addItemID(items map[string][]string) func(driver.Rows) error {
	return func(rows driver.Rows) error {
		var order, item string
		if err := rows.Scan(&order, &item); err != nil {
			return err
		}
		items[order] = append(items[order], item)
		return nil
	}
}

// Pending returns the orders of a lane whose detail is missing, oldest first. The skip index on detail_status keeps this
// cheap, however many orders there are.
func (s *Sink) Pending(ctx context.Context, lane schema.Lane) ([]schema.OrderRef, error) {
	refs, err := s.refs(ctx, "account = ? AND owner_id = ? AND detail_status = 'pending'", lane.Account, lane.OwnerID)
	if err != nil {
		return nil, fmt.Errorf("read the pending orders: %w", err)
	}
	return refs, nil
}

// Unpaid returns the stored unpaid orders of a lane that were created in [from, to) and that its listings show, oldest first.
func (s *Sink) Unpaid(ctx context.Context, lane schema.Lane, from, to time.Time) ([]schema.OrderRef, error) {
	where, args := s.listed(lane, from, to)
	refs, err := s.refs(ctx, where+" AND "+isUnpaid, args...)
	if err != nil {
		return nil, fmt.Errorf("read the unpaid orders: %w", err)
	}
	return refs, nil
}

func (s *Sink) refs(ctx context.Context, where string, args ...any) ([]schema.OrderRef, error) {
	var out []schema.OrderRef
	err := s.each(ctx, "SELECT order_id, toUnixTimestamp64Milli(create_time) FROM order_rows"+final+"WHERE "+where+
		" ORDER BY create_time, order_id"+finalSettings, args, func(rows driver.Rows) error {
		var id string
		var created int64
		if err := rows.Scan(&id, &created); err != nil {
			return err
		}
		out = append(out, schema.OrderRef{OrderID: id, CreateTime: fromMilliseconds(created)})
		return nil
	})
	return out, err
}

// each runs a query and calls scan for every row of its result, as the rows arrive.
func (s *Sink) each(ctx context.Context, query string, args []any, scan func(driver.Rows) error) error {
	rows, err := s.conn.Query(ctx, query, args...)
	if err != nil {
		return withRemedy(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return withRemedy(rows.Err())
}

// isUnpaid is schema.IsUnpaid of an order.
var isUnpaid = schema.StateSQL() + " = " + schema.Quote(schema.StateUnpaid)
