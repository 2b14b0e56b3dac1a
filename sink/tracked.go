package sink

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

var trackedTable = &table[schema.Tracked]{
	name:  "tracked_order_rows",
	label: func(t *schema.Tracked) string { return "tracked order " + t.OrderID + " of " + t.Stream.String() },
	size:  func(*schema.Tracked) int { return overhead },
	compare: func(a, b *schema.Tracked) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.OwnerID, b.OwnerID),
			strings.Compare(a.OrderID, b.OrderID), cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Tracked]{
		label("source", func(t *schema.Tracked) string { return t.Source }),
		label("account", func(t *schema.Tracked) string { return t.Account }),
		label("owner_id", func(t *schema.Tracked) string { return t.OwnerID }),
		text("order_id", func(t *schema.Tracked) string { return t.OrderID }),
		moment("added_at", func(t *schema.Tracked) time.Time { return t.AddedAt }),
		text("added_by", func(t *schema.Tracked) string { return t.AddedBy }),
		long("version", func(t *schema.Tracked) uint64 { return t.Version }),
	},
}

// Track records that orders are to be kept fresh until they are settled.
func (s *Sink) Track(ctx context.Context, orders []schema.Tracked) error {
	return write(ctx, s, trackedTable, orders)
}

// Unsettled returns the tracked orders of a stream that are unpaid or, with a zero time, not stored yet, oldest first.
func (s *Sink) Unsettled(ctx context.Context, stream schema.Stream) ([]schema.OrderRef, error) {
	tracked, err := collect(ctx, s, "SELECT order_id FROM tracked_order_rows FINAL WHERE account = ? AND owner_id = ?",
		[]any{stream.Account, stream.OwnerID}, func(rows driver.Rows) (id string, err error) {
			err = rows.Scan(&id)
			return id, err
		})
	missing := map[string]bool{}
	for _, id := range tracked {
		missing[id] = true
	}
	type order struct {
		schema.OrderRef
		unpaid bool
	}
	var unpaid []schema.OrderRef
	// By their ids, and not by a subquery: a server of a cluster would have to ask all others for it.
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(missing)), maxIDs) {
		if err != nil {
			break
		}
		var stored []order
		stored, err = collect(ctx, s, "SELECT order_id, toUnixTimestamp64Milli(create_time), "+isUnpaid+" FROM order_rows"+final+
			"WHERE account = ? AND owner_id = ? AND order_id IN (?)"+finalSettings,
			[]any{stream.Account, stream.OwnerID, ids}, func(rows driver.Rows) (o order, err error) {
				var created int64
				err = rows.Scan(&o.OrderID, &created, &o.unpaid)
				o.CreateTime = fromMilliseconds(created)
				return o, err
			})
		for _, o := range stored {
			delete(missing, o.OrderID)
			if o.unpaid {
				unpaid = append(unpaid, o.OrderRef)
			}
		}
	}
	if err != nil {
		return nil, trackError(err)
	}
	var out []schema.OrderRef
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		out = append(out, schema.OrderRef{OrderID: id})
	}
	slices.SortFunc(unpaid, func(a, b schema.OrderRef) int { return a.CreateTime.Compare(b.CreateTime) })
	return append(out, unpaid...), nil
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
		some, err := s.refs(ctx, "account = ? AND owner_id = ? AND order_id IN (?)", stream.Account, stream.OwnerID, ids)
		if err != nil {
			return nil, fmt.Errorf("find the stored orders: %w", err)
		}
		out = append(out, some...)
	}
	return out, nil
}

// Stretch returns the creation times of the oldest and the newest stored order of a stream; zero times where there is none.
func (s *Sink) Stretch(ctx context.Context, stream schema.Stream) (oldest, newest time.Time, err error) {
	var n uint64
	var from, to int64
	err = s.row(ctx, "SELECT count(), toUnixTimestamp64Milli(min(create_time)), toUnixTimestamp64Milli(max(create_time)) FROM order_rows"+
		final+"WHERE account = ? AND owner_id = ?"+finalSettings, []any{stream.Account, stream.OwnerID}, &n, &from, &to)
	if err != nil {
		return oldest, newest, fmt.Errorf("read the stretch of the stored orders: %w", err)
	}
	if n == 0 {
		return oldest, newest, nil
	}
	return fromMilliseconds(from), fromMilliseconds(to), nil
}
