package sink

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Windows returns the ledger rows of a stream whose windows start in [from, to), by start. A window that was listed with other
// filters than the sink's is one without a verdict: only its version and its place are in it.
func (s *Sink) Windows(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Window, error) {
	windows, err := s.Ledger(ctx, stream, from, to)
	s.unproven(windows)
	return windows, err
}

// unproven leaves of the windows that were listed with other filters only what they are (I12).
func (s *Sink) unproven(windows []schema.Window) {
	for i := range windows {
		if w := &windows[i]; w.Filters != s.filters.String() {
			*w = schema.Window{Stream: w.Stream, Start: w.Start, End: w.End, Filters: w.Filters, Version: w.Version}
		}
	}
}

// Ledger returns the ledger rows of a stream whose windows start in [from, to) as they were written, whatever their listings
// were narrowed to.
func (s *Sink) Ledger(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Window, error) {
	return s.windows(ctx, "", nil, stream, from, to)
}

// Undone returns what is not done of a stream before a time, by start: the windows that the ledger does not hold as complete
// with the sink's filters,
// and between its first window and that time the ranges without any, as windows without a verdict. The server looks
// for both, so that a ledger of years costs no more than one of a day.
func (s *Sink) Undone(ctx context.Context, stream schema.Stream, before time.Time) ([]schema.Window, error) {
	out, err := s.windows(ctx, "AND (verdict != 'complete' OR filters != ?) ", []any{s.filters.String()}, stream, schema.MinTime, before)
	if err != nil {
		return nil, err
	}
	s.unproven(out)
	args := append(rangeArgs(stream, schema.MinTime, before), bound(before), bound(before))
	gaps, err := collect(ctx, s, `SELECT covered, start FROM (
			SELECT start, max(end) OVER (ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
			FROM (
				SELECT toUnixTimestamp64Milli(window_start) AS start, toUnixTimestamp64Milli(window_end) AS end
				FROM sync_window_rows FINAL WHERE `+windowsInRange+`
				UNION ALL SELECT toInt64(?), toInt64(?)
			)
		) WHERE covered != 0 AND covered < start`, args, func(rows driver.Rows) (schema.Window, error) {
		var start, end int64
		err := rows.Scan(&start, &end)
		return schema.Window{Stream: stream, Start: fromMilliseconds(start), End: fromMilliseconds(end)}, err
	})
	if err != nil {
		return nil, fmt.Errorf("look for gaps in the ledger: %w", err)
	}
	out = append(out, gaps...)
	slices.SortFunc(out, func(a, b schema.Window) int { return a.Start.Compare(b.Start) })
	return out, nil
}

// LastWindow returns the start and the end of the window that was recorded last, of any stream; zero times where the ledger is
// empty. All windows of a ledger have one length: others would overlap (I2).
func (s *Sink) LastWindow(ctx context.Context) (start, end time.Time, err error) {
	var n uint64
	var from, to int64
	err = s.row(ctx, `SELECT count(), toUnixTimestamp64Milli(argMax(window_start, version)),
		toUnixTimestamp64Milli(argMax(window_end, version)) FROM sync_window_rows`, nil, &n, &from, &to)
	if err != nil {
		return start, end, fmt.Errorf("read the ledger: %w", err)
	}
	if n == 0 {
		return start, end, nil
	}
	return fromMilliseconds(from), fromMilliseconds(to), nil
}

// LedgerMark tells states of the ledger apart: it changes whenever a window is written, and may when the server merges parts.
type LedgerMark struct{ Rows, Versions uint64 }

// LedgerMark returns that of the ledger as it is now. It costs little beside a summary.
func (s *Sink) LedgerMark(ctx context.Context) (m LedgerMark, err error) {
	if err = s.row(ctx, "SELECT count(), sum(version) FROM sync_window_rows", nil, &m.Rows, &m.Versions); err != nil {
		return m, fmt.Errorf("read the ledger: %w", err)
	}
	return m, nil
}

// windowsInRange is inRange for the ledger.
const windowsInRange = ofStream +
	" AND window_start >= fromUnixTimestamp64Milli(?, 'UTC') AND window_start < fromUnixTimestamp64Milli(?, 'UTC')"

// windows returns ledger rows; which is a further condition, with its arguments.
func (s *Sink) windows(ctx context.Context, which string, whichArgs []any, stream schema.Stream, from, to time.Time) ([]schema.Window, error) {
	out, err := collect(ctx, s, windowTable.all()+" FINAL WHERE "+windowsInRange+" "+which+"ORDER BY window_start",
		append(rangeArgs(stream, from, to), whichArgs...), windowTable.scan)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return out, nil
}

// Count counts the stored orders of a stream that were created in [from, to) and that its listings show.
func (s *Sink) Count(ctx context.Context, stream schema.Stream, from, to time.Time) (int, error) {
	var n uint64
	where, args := s.listed(stream, from, to)
	err := s.row(ctx, "SELECT count() FROM order_rows"+final+"WHERE "+where+finalSettings, args, &n)
	if err != nil {
		return 0, fmt.Errorf("count the stored orders: %w", err)
	}
	return int(n), nil
}

// Counts recomputes from the stored rows that listings show what the ledger says of the windows of [from, to), which are of the given
// length: Stored, Items, Pending and IDDigest of each window that holds an order, by its start. It is window_audit for
// a range, without reading the rest.
func (s *Sink) Counts(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) (map[time.Time]schema.Window, error) {
	at := fmt.Sprintf("intDiv(toUnixTimestamp64Milli(create_time), %d) * %[1]d", window.Milliseconds())
	where, args := s.listed(stream, from, to)
	orders, err := collect(ctx, s, "SELECT "+at+" AS w, count(), countIf(detail_status = 'pending'), groupBitXor(xxHash64(order_id)) FROM order_rows"+
		final+"WHERE "+where+" GROUP BY w"+finalSettings, args, func(rows driver.Rows) (schema.Window, error) {
		var start int64
		var stored, pending, digest uint64
		err := rows.Scan(&start, &stored, &pending, &digest)
		return schema.Window{Start: fromMilliseconds(start), Stored: uint32(stored), Pending: uint32(pending), IDDigest: digest}, err
	})
	var items []schema.Window
	if err == nil {
		itemWhere, itemArgs := inRange, rangeArgs(stream, from, to)
		if len(s.filters.Set()) > 0 { // a line may be of another product than its order, which is what was asked for
			itemWhere += " AND order_id GLOBAL IN (SELECT order_id FROM order_rows" + final + "WHERE " + where + ")"
			itemArgs = append(itemArgs, args...)
		}
		items, err = collect(ctx, s, "SELECT "+at+" AS w, count() FROM order_item_rows"+final+"WHERE "+itemWhere+" GROUP BY w"+finalSettings,
			itemArgs, func(rows driver.Rows) (schema.Window, error) {
				var start int64
				var items uint64
				err := rows.Scan(&start, &items)
				return schema.Window{Start: fromMilliseconds(start), Items: uint32(items)}, err
			})
	}
	if err != nil {
		return nil, fmt.Errorf("count the stored rows: %w", err)
	}
	out := map[time.Time]schema.Window{}
	for _, w := range orders {
		w.Stream, w.End = stream, w.Start.Add(window)
		out[w.Start] = w
	}
	for _, i := range items {
		w := out[i.Start]
		w.Stream, w.Start, w.End, w.Items = stream, i.Start, i.Start.Add(window), i.Items
		out[i.Start] = w
	}
	return out, nil
}
