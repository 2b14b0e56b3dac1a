package sink

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// places finds the live rows of some orders of an account. It takes the newest version of each key by itself and not with
// FINAL, which would read the keys of the whole account: nearly always there is nothing to find (I11).
const places = `SELECT owner_id, order_id, toUnixTimestamp64Milli(create_time) AS created,
	argMax(fingerprint, version), argMax(detail_status, version), argMax(items, version),
	argMax(toUnixTimestamp64Milli(fetched_at), version), max(version) AS newest
	FROM order_rows WHERE account = ? AND order_id IN (?)
	GROUP BY owner_id, order_id, create_time HAVING argMax(is_deleted, version) = 0 ORDER BY newest`

// Places returns the stored rows of some orders of an account, whatever their creation time and their owner, and so also
// those of which nobody knows where they are. Of the rows of one order the newest comes last. The skip index on order_id
// keeps a look-up of a few from reading all.
func (s *Sink) Places(ctx context.Context, account string, orderIDs []string) ([]schema.Place, error) {
	var out []schema.Place
	for ids := range slices.Chunk(orderIDs, maxIDs) {
		some, err := collect(ctx, s, places, []any{account, ids}, func(rows driver.Rows) (p schema.Place, err error) {
			var created, fetched int64
			err = rows.Scan(&p.OwnerID, &p.OrderID, &created, &p.Fingerprint, &p.DetailStatus, &p.ItemCount, &fetched, &p.Version)
			p.CreateTime, p.FetchedAt = fromMilliseconds(created), fromMilliseconds(fetched)
			return p, err
		})
		if err != nil {
			return nil, fmt.Errorf("look up the stored orders: %w", err)
		}
		out = append(out, some...)
	}
	return out, nil
}

// HasOrders reports whether any row of an order was ever stored of an account, tombstones included.
func (s *Sink) HasOrders(ctx context.Context, account string) (bool, error) {
	found, err := collect(ctx, s, "SELECT 1 FROM order_rows WHERE account = ? LIMIT 1", []any{account}, func(driver.Rows) (bool, error) {
		return true, nil
	})
	if err != nil {
		return false, fmt.Errorf("look for stored orders: %w", err)
	}
	return len(found) > 0, nil
}

// Doubled returns the ids of the orders of a stream that are stored with more than one creation time. It reads the ids of all
// its orders, which takes about a second for some millions.
func (s *Sink) Doubled(ctx context.Context, stream schema.Stream) ([]string, error) {
	// Of rows, tombstones included: few ever had two creation times.
	ids, err := collect(ctx, s, `SELECT order_id FROM order_rows WHERE account = ? AND owner_id = ?
		GROUP BY order_id HAVING min(create_time) != max(create_time)
		SETTINGS max_bytes_before_external_group_by = 268435456`, []any{stream.Account, stream.OwnerID}, func(rows driver.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("look for orders that are stored twice: %w", err)
	}
	stored, err := s.Places(ctx, stream.Account, ids)
	if err != nil {
		return nil, err
	}
	rows := map[string]int{}
	var out []string
	for _, p := range stored {
		if p.OwnerID != stream.OwnerID {
			continue
		}
		if rows[p.OrderID]++; rows[p.OrderID] == 2 {
			out = append(out, p.OrderID)
		}
	}
	return out, nil
}
