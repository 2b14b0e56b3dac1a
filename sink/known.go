package sink

import (
	"context"
	"fmt"
	"strconv"
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

// ofStream is the condition that a row is of a stream, whose account is the name of the configured account. That is unique, so
// the source need not be compared.
const ofStream = "account = ? AND owner_id = ?"

// inRange bounds a query by stream and creation time, [from, to); its arguments are those of rangeArgs.
const inRange = ofStream + " AND create_time >= fromUnixTimestamp64Milli(?, 'UTC')" +
	" AND create_time < fromUnixTimestamp64Milli(?, 'UTC')"

// rangeArgs are the arguments of inRange. A time before or after all that a row can hold is no bound.
func rangeArgs(stream schema.Stream, from, to time.Time) []any {
	return []any{stream.Account, stream.OwnerID, bound(from), bound(to)}
}

// listed is the condition of the orders of a stream, created in [from, to), that a listing shows: those that the filters
// leave. Its arguments come with it.
func (s *Sink) listed(stream schema.Stream, from, to time.Time) (where string, args []any) {
	where, args = inRange, rangeArgs(stream, from, to)
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

// Known returns what is stored of the orders of a stream that were created in [from, to) and that its listings show, by id:
// enough for the engine to decide whether there is something to fetch or write.
func (s *Sink) Known(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string]schema.Known, error) {
	type row struct {
		id string
		schema.Known
	}
	where, args := s.listed(stream, from, to)
	rows, err := collect(ctx, s, `SELECT order_id, toUnixTimestamp64Milli(create_time), fingerprint, detail_status, items,
		toUnixTimestamp64Milli(fetched_at), version FROM order_rows`+final+
		"WHERE "+where+finalSettings, args, func(rows driver.Rows) (r row, err error) {
		var created, fetched int64
		err = rows.Scan(&r.id, &created, &r.Fingerprint, &r.DetailStatus, &r.ItemCount, &fetched, &r.Version)
		r.CreateTime, r.FetchedAt = fromMilliseconds(created), fromMilliseconds(fetched)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the stored orders: %w", err)
	}
	known := make(map[string]schema.Known, len(rows))
	for _, r := range rows {
		known[r.id] = r.Known
	}
	return known, nil
}

// First returns when the oldest order of a stream that is stored and was created in [from, to) was created, or the oldest
// order of a stored item, whichever is earlier, tombstones included; zero where there is none. It reads little of each part,
// since the tables are sorted by time.
func (s *Sink) First(ctx context.Context, stream schema.Stream, from, to time.Time) (time.Time, error) {
	first := func(table string) string {
		return "(SELECT toUnixTimestamp64Milli(create_time) AS created FROM " + table + " WHERE " + inRange + " ORDER BY create_time LIMIT 1)"
	}
	args := rangeArgs(stream, from, to)
	var found uint64
	var oldest int64
	err := s.row(ctx, "SELECT count(), min(created) FROM ("+first(orderTable.name)+" UNION ALL "+first(itemTable.name)+")",
		append(args, args...), &found, &oldest)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the oldest stored order: %w", err)
	}
	if found == 0 {
		return time.Time{}, nil
	}
	return fromMilliseconds(oldest), nil
}

// ItemIDs returns the ids of all live line items of the orders of a stream that were created in [from, to), by order id. What
// a refreshed detail does not show any more gets a tombstone, so the engine must know what there was.
func (s *Sink) ItemIDs(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string][]string, error) {
	ids, err := collectRange(ctx, s, itemIDSelect, "order_id, item_id", stream, from, to, scanItemID)
	return byOrder(ids), failedRead("stored items", err)
}

// ItemIDsByOrder is ItemIDs for some orders: it returns none where no orders are given.
func (s *Sink) ItemIDsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, orderIDs []string) (map[string][]string, error) {
	ids, err := collectByID(ctx, s, itemIDSelect, "order_id, item_id", stream, from, to, orderIDs, scanItemID)
	return byOrder(ids), failedRead("stored items", err)
}

const itemIDSelect = "SELECT order_id, item_id FROM order_item_rows" + final

// itemID is the id of a line item and that of its order.
type itemID struct{ order, item string }

func scanItemID(rows driver.Rows) (i itemID, err error) {
	err = rows.Scan(&i.order, &i.item)
	return i, err
}

func byOrder(ids []itemID) map[string][]string {
	out := map[string][]string{}
	for _, i := range ids {
		out[i.order] = append(out[i.order], i.item)
	}
	return out
}

// Pending returns some of the orders of a stream whose detail is missing and that are no rejects for it, oldest first, after
// one of them. The skip index on detail_status keeps this cheap, however many orders there are.
func (s *Sink) Pending(ctx context.Context, stream schema.Stream, after schema.OrderRef, most int) ([]schema.OrderRef, error) {
	created := bound(after.CreateTime)
	refs, err := s.refs(ctx, ofStream+" AND detail_status = 'pending' AND (toUnixTimestamp64Milli(create_time), order_id) > (?, ?)"+
		" AND order_id GLOBAL NOT IN (SELECT order_id FROM reject_states FINAL WHERE "+ofStream+" AND stage = 'detail' AND resolved = 0)",
		most, stream.Account, stream.OwnerID, created, after.OrderID, stream.Account, stream.OwnerID)
	if err != nil {
		return nil, fmt.Errorf("read the pending orders: %w", err)
	}
	return refs, nil
}

// Unpaid returns the stored unpaid orders of a stream that were created in [from, to) and that its listings show, oldest first.
func (s *Sink) Unpaid(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.OrderRef, error) {
	where, args := s.listed(stream, from, to)
	refs, err := s.refs(ctx, where+" AND "+isUnpaid, 0, args...)
	if err != nil {
		return nil, fmt.Errorf("read the unpaid orders: %w", err)
	}
	return refs, nil
}

// refs returns the orders that fulfil a condition, oldest first: at most that many, or all with 0.
func (s *Sink) refs(ctx context.Context, where string, most int, args ...any) ([]schema.OrderRef, error) {
	limit := ""
	if most > 0 {
		limit = " LIMIT " + strconv.Itoa(most)
	}
	return collect(ctx, s, "SELECT order_id, toUnixTimestamp64Milli(create_time) FROM order_rows"+final+"WHERE "+where+
		" ORDER BY create_time, order_id"+limit+finalSettings, args, scanRef)
}

// scanRef reads an order's id and its creation time, in milliseconds.
func scanRef(rows driver.Rows) (o schema.OrderRef, err error) {
	var created int64
	err = rows.Scan(&o.OrderID, &created)
	o.CreateTime = fromMilliseconds(created)
	return o, err
}

// isUnpaid is schema.IsUnpaid of an order.
var isUnpaid = schema.StateSQL() + " = " + schema.Quote(schema.StateUnpaid)
