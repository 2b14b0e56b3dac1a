package sink

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

var checkTable = newTable("detail_check_rows", func(c *schema.Check) string { return "check of order " + c.OrderID + " of " + c.Stream.String() }).
	partitioned(func(c *schema.Check) (time.Time, bool) { return c.CreateTime, false })

// WriteChecks records that the details of orders were fetched again and are as they are stored.
func (s *Sink) WriteChecks(ctx context.Context, checks []schema.Check) error {
	return write(ctx, s, checkTable, checks)
}

// usualFor is how long before the last age the lines are looked at that say what a product's lines usually have.
const usualFor = 7 * 24 * time.Hour

// Provisional returns the orders of a stream that were created in [from, now) and whose detail is to be fetched again, oldest
// first: it was last received before one of the ages, counted from the later of creation and payment, that has passed. For
// the ages before the last one only orders count that have a paid line without its instances or its service period, where
// most lines of its product have them. Ages are ascending; unpaid orders are not settled and have none.
func (s *Sink) Provisional(ctx context.Context, stream schema.Stream, ages []time.Duration, from, now time.Time) ([]schema.OrderRef, error) {
	if len(ages) == 0 {
		return nil, nil
	}
	last := ages[len(ages)-1]
	steps := make([]string, len(ages))
	for i, a := range ages {
		steps[i] = fmt.Sprint(a.Milliseconds())
	}
	where, args := s.listed(stream, from, now)
	usual := rangeArgs(stream, now.Add(-last-usualFor), now.Add(-last))
	query := fmt.Sprintf(`SELECT order_id, created FROM (
			SELECT order_id, toUnixTimestamp64Milli(create_time) AS created, toUnixTimestamp64Milli(fetched_at) AS fetched,
				greatest(created, ifNull(toUnixTimestamp64Milli(payment_time), 0)) AS settled
			FROM order_rows FINAL
			WHERE %[1]s AND detail_status = 'ok' AND NOT %[2]s AND fetched < settled + %[3]d AND settled + %[4]d <= %[5]d
		) AS o
		GLOBAL LEFT JOIN (
			SELECT order_id, toUnixTimestamp64Milli(max(checked_at)) AS checked FROM detail_check_rows WHERE %[6]s GROUP BY order_id
		) AS c USING order_id
		WHERE settled + %[3]d <= %[5]d AND greatest(fetched, checked) < settled + %[3]d
			OR arrayExists(age -> settled + age <= %[5]d AND greatest(fetched, checked) < settled + age, [%[7]s]) AND order_id GLOBAL IN (
				SELECT order_id FROM order_item_rows AS i FINAL
				GLOBAL LEFT JOIN (
					SELECT product_code, subscription_type, count() AS lines, countIf(notEmpty(instance_ids)) AS instances,
						countIf(isNotNull(usage_end_time)) AS periods
					FROM order_item_rows WHERE %[6]s GROUP BY ALL
				) AS usual USING (product_code, subscription_type)
				WHERE %[6]s AND %[8]s = %[9]s
					AND (empty(instance_ids) AND 2 * instances >= lines OR isNull(usage_end_time) AND 2 * periods >= lines)
			)
		ORDER BY created, order_id`, where, isUnpaid, last.Milliseconds(), ages[0].Milliseconds(), now.UnixMilli(), inRange,
		strings.Join(steps, ", "), schema.StateSQL(), schema.Quote(schema.StatePaid))
	args = append(args, rangeArgs(stream, from, now)...)
	args = append(append(args, usual...), rangeArgs(stream, from, now)...)
	refs, err := collect(ctx, s, query+finalSettings, args, scanRef)
	if err != nil {
		return nil, fmt.Errorf("look for details that may have come too early: %w", err)
	}
	return refs, nil
}

// details selects the orders of a stream that were created in [from, to), that its listings show and whose detail is stored: order_id,
// when it was created and when its detail was last fetched, in milliseconds.
func (s *Sink) details(stream schema.Stream, from, to time.Time) (query string, args []any) {
	where, args := s.listed(stream, from, to)
	return fmt.Sprintf(`SELECT order_id, created, greatest(fetched, checked) AS at FROM (
			SELECT order_id, toUnixTimestamp64Milli(create_time) AS created, toUnixTimestamp64Milli(fetched_at) AS fetched
			FROM order_rows FINAL WHERE %s AND detail_status = 'ok'
		) AS o
		GLOBAL LEFT JOIN (
			SELECT order_id, toUnixTimestamp64Milli(max(checked_at)) AS checked FROM detail_check_rows WHERE %s GROUP BY order_id
		) AS c USING order_id`, where, inRange), append(args, rangeArgs(stream, from, to)...)
}

// DetailAges counts the orders of a stream that were created in [from, to) and whose detail is stored, by windows, and says when that
// was last fetched of the order for which it is the longest ago. Of the windows, the oldest first, nothing else is told.
func (s *Sink) DetailAges(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) ([]schema.Window, error) {
	details, args := s.details(stream, from, to)
	out, err := collect(ctx, s, fmt.Sprintf("SELECT intDiv(created, %d) * %[1]d AS start, count(), min(at) FROM (%s) GROUP BY start ORDER BY start",
		window.Milliseconds(), details)+finalSettings, args, func(rows driver.Rows) (schema.Window, error) {
		var start, oldest int64
		var orders uint64
		err := rows.Scan(&start, &orders, &oldest)
		at := fromMilliseconds(start)
		return schema.Window{Stream: stream, Start: at, End: at.Add(window), Stored: uint32(orders), DetailedAt: fromMilliseconds(oldest)}, err
	})
	if err != nil {
		return nil, fmt.Errorf("look how old the details are: %w", err)
	}
	return out, nil
}

// OldDetails returns orders of a stream that were created in [from, to) and whose detail was last fetched before a time, the oldest look
// first; at most so many.
func (s *Sink) OldDetails(ctx context.Context, stream schema.Stream, from, to, before time.Time, most int) ([]schema.OrderRef, error) {
	details, args := s.details(stream, from, to)
	refs, err := collect(ctx, s, fmt.Sprintf("SELECT order_id, created FROM (%s) WHERE at < ? ORDER BY at, created, order_id LIMIT %d", details, most)+
		finalSettings, append(args, bound(before)), scanRef)
	if err != nil {
		return nil, fmt.Errorf("look for old details: %w", err)
	}
	return refs, nil
}
