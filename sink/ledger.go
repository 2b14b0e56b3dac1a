package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Windows returns the ledger rows of a lane whose windows start in [from, to), by start. A zero time is no bound.
func (s *Sink) Windows(ctx context.Context, lane schema.Lane, from, to time.Time) ([]schema.Window, error) {
	var out []schema.Window
	err := s.each(ctx, `SELECT source, toUnixTimestamp64Milli(window_start), toUnixTimestamp64Milli(window_end), verdict,
		listed, stored, items, rejected, pending, id_digest, toUnixTimestamp64Milli(listing_start),
		toUnixTimestamp64Milli(listing_end), total_first, total_last, pages, list_calls, detail_calls, attempts, error,
		toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(finished_at), version
		FROM sync_window_rows FINAL WHERE account = ? AND owner_id = ?
		AND window_start >= fromUnixTimestamp64Milli(?, 'UTC') AND window_start < fromUnixTimestamp64Milli(?, 'UTC')
		ORDER BY window_start`, rangeArgs(lane, from, to), func(rows driver.Rows) error {
		w := schema.Window{Lane: lane}
		var start, end int64
		var verdict string
		var listingStart, listingEnd, startedAt, finishedAt *int64
		if err := rows.Scan(&w.Source, &start, &end, &verdict, &w.Listed, &w.Stored, &w.Items, &w.Rejected, &w.Pending,
			&w.IDDigest, &listingStart, &listingEnd, &w.TotalFirst, &w.TotalLast, &w.Pages, &w.ListCalls,
			&w.DetailCalls, &w.Attempts, &w.Error, &startedAt, &finishedAt, &w.Version); err != nil {
			return err
		}
		w.Start, w.End, w.Verdict = fromMilliseconds(start), fromMilliseconds(end), schema.Verdict(verdict)
		w.ListingStart, w.ListingEnd = optional(listingStart), optional(listingEnd)
		w.StartedAt, w.FinishedAt = optional(startedAt), optional(finishedAt)
		out = append(out, w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return out, nil
}

// optional is the time of a Nullable column; NULL is the zero time.
func optional(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return fromMilliseconds(*ms)
}

// Counts recomputes from the stored rows what the ledger says of the windows of [from, to), which are of the given
// length: Stored, Items, Pending and IDDigest of each window that holds an order, by its start. It is window_audit for
// a range, without reading the rest.
func (s *Sink) Counts(ctx context.Context, lane schema.Lane, window time.Duration, from, to time.Time) (map[time.Time]schema.Window, error) {
	out := map[time.Time]schema.Window{}
	at := fmt.Sprintf("intDiv(toUnixTimestamp64Milli(create_time), %d) * %[1]d", window.Milliseconds())
	err := s.each(ctx, "SELECT "+at+" AS w, count(), countIf(detail_status = 'pending'), groupBitXor(xxHash64(order_id)) FROM order_rows"+
		final+"WHERE "+inRange+" GROUP BY w"+finalSettings, rangeArgs(lane, from, to), func(rows driver.Rows) error {
		var start int64
		var stored, pending, digest uint64
		if err := rows.Scan(&start, &stored, &pending, &digest); err != nil {
			return err
		}
		t := fromMilliseconds(start)
		out[t] = schema.Window{Lane: lane, Start: t, End: t.Add(window), Stored: uint32(stored), Pending: uint32(pending), IDDigest: digest}
		return nil
	})
	if err == nil {
		err = s.each(ctx, "SELECT "+at+" AS w, count() FROM order_item_rows"+final+"WHERE "+inRange+" GROUP BY w"+finalSettings,
			rangeArgs(lane, from, to), func(rows driver.Rows) error {
				var start int64
				var items uint64
				if err := rows.Scan(&start, &items); err != nil {
					return err
				}
				t := fromMilliseconds(start)
				w := out[t]
				w.Lane, w.Start, w.End, w.Items = lane, t, t.Add(window), uint32(items)
				out[t] = w
				return nil
			})
	}
	if err != nil {
		return nil, fmt.Errorf("count the stored rows: %w", err)
	}
	return out, nil
}

// LaneSummary is what the ledger says of one lane, in short.
type LaneSummary struct {
	schema.Lane
	Windows  map[schema.Verdict]int
	Orders   uint64 // stored, by the ledger
	Rejected uint64
	Pending  uint64

	Oldest, Newest time.Time // start of the first and end of the last window

	// The newest complete stretch: windows that follow each other without a gap, all complete, the last of them being
	// the newest complete window there is. Both are zero where no window is complete. Lag is counted from its end.
	CompleteFrom, CompleteTo time.Time

	// Gaps counts the places between Oldest and Newest that no window covers, and Missing adds up their lengths (I2).
	Gaps    int
	Missing time.Duration

	LastFinished time.Time // when the newest walk of any window ended
}

// Summaries returns a summary of each lane of an account that the ledger knows, or of all accounts where it is empty, by
// account and owner. The server sums up: a ledger has a row for each hour of each lane, and this is asked at every tick and
// for every look at the status.
func (s *Sink) Summaries(ctx context.Context, account string) ([]LaneSummary, error) {
	var out []LaneSummary
	// covered and whole are where the windows before a window end, all of them and the complete ones; 0 before the first.
	// A complete window that does not follow on the complete ones begins a new stretch: there was a gap, or windows that
	// are not complete.
	err := s.each(ctx, `SELECT any(source), account, owner_id, countIf(verdict = 'complete'), countIf(verdict = 'open'),
			countIf(verdict = 'short'), countIf(verdict = 'failed'), sum(stored), sum(rejected), sum(pending),
			toInt64(min(start)), toInt64(max(end)), toInt64(maxIf(start, verdict = 'complete' AND start > whole)),
			toInt64(maxIf(end, verdict = 'complete')), countIf(covered > 0 AND start > covered),
			toInt64(sumIf(start - covered, covered > 0 AND start > covered)), max(finished)
		FROM (
			SELECT source, account, owner_id, verdict, stored, rejected, pending,
				toUnixTimestamp64Milli(window_start) AS start, toUnixTimestamp64Milli(window_end) AS end,
				toUnixTimestamp64Milli(finished_at) AS finished,
				max(end) OVER before AS covered, maxIf(end, verdict = 'complete') OVER before AS whole
			FROM sync_window_rows FINAL WHERE ? = '' OR account = ?
			WINDOW before AS (PARTITION BY account, owner_id ORDER BY window_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
		)
		GROUP BY account, owner_id ORDER BY account, owner_id`, []any{account, account}, func(rows driver.Rows) error {
		var l LaneSummary
		var complete, open, short, failed, gaps uint64
		var oldest, newest, from, to, missing int64
		var finished *int64
		if err := rows.Scan(&l.Source, &l.Account, &l.OwnerID, &complete, &open, &short, &failed, &l.Orders, &l.Rejected,
			&l.Pending, &oldest, &newest, &from, &to, &gaps, &missing, &finished); err != nil {
			return err
		}
		l.Windows = map[schema.Verdict]int{}
		for v, n := range map[schema.Verdict]uint64{schema.Complete: complete, schema.Open: open, schema.Short: short, schema.Failed: failed} {
			if n > 0 {
				l.Windows[v] = int(n)
			}
		}
		l.Oldest, l.Newest, l.LastFinished = fromMilliseconds(oldest), fromMilliseconds(newest), optional(finished)
		if complete > 0 {
			l.CompleteFrom, l.CompleteTo = fromMilliseconds(from), fromMilliseconds(to)
		}
		l.Gaps, l.Missing = int(gaps), time.Duration(missing)*time.Millisecond
		out = append(out, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return out, nil
}
