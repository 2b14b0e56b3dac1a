package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Activities returns what is stored of each stream of an account since a time, by which it is decided when it is asked again,
// in one query for all of them, however many there are. Windows that were listed with other filters than the sink's count
// as not listed. What is left undone is of any time.
func (s *Sink) Activities(ctx context.Context, account string, since time.Time) ([]schema.Activity, error) {
	from := bound(since)
	out, err := collect(ctx, s, `SELECT owner_id, max(answered), max(ordered), sum(undone), sum(rejected), sum(pending) FROM (
			SELECT owner_id, max(toUnixTimestamp64Milli(assumeNotNull(listing_end))) AS answered, 0 AS ordered, 0 AS undone, 0 AS rejected, 0 AS pending
			FROM sync_window_rows
			WHERE account = ? AND filters = ? AND window_start >= fromUnixTimestamp64Milli(?, 'UTC') AND verdict IN ('complete', 'open')
				AND isNotNull(listing_end)
			GROUP BY owner_id
			UNION ALL
			SELECT owner_id, 0, max(toUnixTimestamp64Milli(create_time)), 0, 0, 0 FROM order_rows
			WHERE account = ? AND create_time >= fromUnixTimestamp64Milli(?, 'UTC') GROUP BY owner_id
			UNION ALL
			SELECT owner_id, 0, 0, count(), 0, 0 FROM sync_window_rows FINAL
			WHERE account = ? AND `+unsound+` AND (owner_id, window_start) GLOBAL IN (
				SELECT owner_id, window_start FROM sync_window_rows WHERE account = ? AND `+unsound+`)
			GROUP BY owner_id
			UNION ALL
			SELECT r.owner_id, 0, 0, 0, countIf(r.stage != 'detail'), countIf(r.stage = 'detail')
			FROM `+currentRejects("owner_id, stage", "resolved = 0 AND "+ofAccount)+`
			WHERE isNull(`+accepted+`) GROUP BY r.owner_id
		) GROUP BY owner_id ORDER BY owner_id`,
		[]any{account, s.filters.String(), from, account, from, account, account, account},
		func(rows driver.Rows) (schema.Activity, error) {
			a := schema.Activity{Stream: schema.Stream{Account: account}}
			var answered, ordered int64
			var undone, rejected, pending uint64
			err := rows.Scan(&a.OwnerID, &answered, &ordered, &undone, &rejected, &pending)
			if answered > 0 {
				a.Answered = fromMilliseconds(answered)
			}
			if ordered > 0 {
				a.Ordered = fromMilliseconds(ordered)
			}
			a.Undone, a.Rejected, a.Pending = int(undone), int(rejected), int(pending)
			return a, err
		})
	if err != nil {
		return nil, fmt.Errorf("read when the owners of %s were asked: %w", account, err)
	}
	return out, nil
}

// unsound is the condition that not all orders of a window are known to be stored.
const unsound = "verdict IN ('short', 'failed')"
