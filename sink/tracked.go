package sink

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

var trackedTable = newTable("tracked_order_rows", func(t *schema.Tracked) string { return "tracked order " + t.OrderID + " of " + t.Stream.String() })

// Track records that orders are to be kept fresh until they are settled.
func (s *Sink) Track(ctx context.Context, orders []schema.Tracked) error {
	return write(ctx, s, trackedTable, orders)
}

// Unsettled returns the tracked orders of a stream that are unpaid or, with a zero time, not stored yet, oldest first. It
// reads no more than these, however many were ever tracked: those that are found to be settled are recorded as such.
func (s *Sink) Unsettled(ctx context.Context, stream schema.Stream) ([]schema.OrderRef, error) {
	const unsettled = ofStream + " AND settled = 0"
	args := []any{stream.Account, stream.OwnerID}
	// By a projection, which FINAL cannot use, those of which some row is not settled, and by their ids the current ones.
	tracked, err := collect(ctx, s, trackedTable.all()+` FINAL
		WHERE `+unsettled+` AND order_id GLOBAL IN (SELECT order_id FROM tracked_order_rows WHERE `+unsettled+`) ORDER BY order_id`,
		slices.Concat(args, args), trackedTable.scan)
	if err != nil {
		return nil, trackError(err)
	}
	type order struct {
		schema.OrderRef
		unpaid bool
	}
	var missing, unpaid []schema.OrderRef
	// By their ids, and not by a subquery: a server of a cluster would have to ask all others for it.
	for some := range slices.Chunk(tracked, maxIDs) {
		ids := make([]string, len(some))
		for i := range some {
			ids[i] = some[i].OrderID
		}
		orders, err := collect(ctx, s, "SELECT order_id, toUnixTimestamp64Milli(create_time), "+isUnpaid+" FROM order_rows"+final+
			"WHERE account = ? AND owner_id = ? AND order_id IN (?)"+finalSettings,
			[]any{stream.Account, stream.OwnerID, ids}, func(rows driver.Rows) (o order, err error) {
				var created int64
				err = rows.Scan(&o.OrderID, &created, &o.unpaid)
				o.CreateTime = fromMilliseconds(created)
				return o, err
			})
		if err != nil {
			return nil, trackError(err)
		}
		stored := make(map[string]order, len(orders))
		for _, o := range orders {
			stored[o.OrderID] = o
		}
		var settled []schema.Tracked
		for _, t := range some {
			switch o, ok := stored[t.OrderID]; {
			case !ok:
				missing = append(missing, schema.OrderRef{OrderID: t.OrderID})
			case o.unpaid:
				unpaid = append(unpaid, o.OrderRef)
			default:
				t.Settled, t.Version = true, t.Version+1
				settled = append(settled, t)
			}
		}
		if err := s.Track(ctx, settled); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(unpaid, func(a, b schema.OrderRef) int { return a.CreateTime.Compare(b.CreateTime) })
	return append(missing, unpaid...), nil
}

func trackError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read the tracked orders: %w", err)
}

// TrackedCounts returns how many orders of each stream are tracked; streams without any are left out.
func (s *Sink) TrackedCounts(ctx context.Context) (map[schema.Stream]int, error) {
	type row struct {
		schema.Stream
		n uint64
	}
	rows, err := collect(ctx, s, "SELECT source, account, owner_id, count() FROM tracked_order_rows FINAL GROUP BY ALL", nil, func(rows driver.Rows) (r row, err error) {
		err = rows.Scan(&r.Source, &r.Account, &r.OwnerID, &r.n)
		return r, err
	})
	out := map[schema.Stream]int{}
	for _, r := range rows {
		out[r.Stream] = int(r.n)
	}
	return out, trackError(err)
}

// Find returns those of some orders of a stream that are stored, by their ids alone. The skip index on order_id keeps this
// from reading all rows.
func (s *Sink) Find(ctx context.Context, stream schema.Stream, orderIDs []string) ([]schema.OrderRef, error) {
	var out []schema.OrderRef
	for ids := range slices.Chunk(orderIDs, maxIDs) {
		some, err := s.refs(ctx, ofStream+" AND order_id IN (?)", 0, stream.Account, stream.OwnerID, ids)
		if err != nil {
			return nil, fmt.Errorf("find the stored orders: %w", err)
		}
		out = append(out, some...)
	}
	return out, nil
}

// StoredRange returns the creation times of the oldest and the newest stored order of a stream; zero times where there is none.
func (s *Sink) StoredRange(ctx context.Context, stream schema.Stream) (oldest, newest time.Time, err error) {
	var n uint64
	var from, to int64
	err = s.row(ctx, "SELECT count(), toUnixTimestamp64Milli(min(create_time)), toUnixTimestamp64Milli(max(create_time)) FROM order_rows"+
		final+"WHERE account = ? AND owner_id = ?"+finalSettings, []any{stream.Account, stream.OwnerID}, &n, &from, &to)
	if err != nil {
		return oldest, newest, fmt.Errorf("read the range of the stored orders: %w", err)
	}
	if n == 0 {
		return oldest, newest, nil
	}
	return fromMilliseconds(from), fromMilliseconds(to), nil
}
