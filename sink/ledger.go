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
// account and owner.
func (s *Sink) Summaries(ctx context.Context, account string) ([]LaneSummary, error) {
	var out []LaneSummary
	var end time.Time // of the window before
	err := s.each(ctx, `SELECT source, account, owner_id, toUnixTimestamp64Milli(window_start),
		toUnixTimestamp64Milli(window_end), verdict, stored, rejected, pending, toUnixTimestamp64Milli(finished_at)
		FROM sync_window_rows FINAL WHERE ? = '' OR account = ? ORDER BY account, owner_id, window_start`, []any{account, account}, func(rows driver.Rows) error {
		var w schema.Window
		var startMS, endMS int64
		var finished *int64
		var verdict string
		if err := rows.Scan(&w.Source, &w.Account, &w.OwnerID, &startMS, &endMS, &verdict, &w.Stored, &w.Rejected,
			&w.Pending, &finished); err != nil {
			return err
		}
		w.Start, w.End, w.Verdict = fromMilliseconds(startMS), fromMilliseconds(endMS), schema.Verdict(verdict)
		w.FinishedAt = optional(finished)
		if n := len(out); n == 0 || out[n-1].Account != w.Account || out[n-1].OwnerID != w.OwnerID {
			out = append(out, LaneSummary{Lane: w.Lane, Windows: map[schema.Verdict]int{}, Oldest: w.Start})
			end = w.Start
		}
		out[len(out)-1].add(w, end)
		end = later(end, w.End)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return out, nil
}

// add takes the lane's next window into account; end is where the windows before it end.
func (l *LaneSummary) add(w schema.Window, end time.Time) {
	l.Source = w.Source
	l.Windows[w.Verdict]++
	l.Orders += uint64(w.Stored)
	l.Rejected += uint64(w.Rejected)
	l.Pending += uint64(w.Pending)
	l.Newest = later(l.Newest, w.End)
	l.LastFinished = later(l.LastFinished, w.FinishedAt)
	if gap := w.Start.Sub(end); gap > 0 {
		l.Gaps++
		l.Missing += gap
	}
	if w.Verdict != schema.Complete {
		return
	}
	// A window that does not follow on the stretch begins a new one: there was a gap, or windows that are not complete.
	if l.CompleteTo.IsZero() || w.Start.After(l.CompleteTo) {
		l.CompleteFrom = w.Start
	}
	l.CompleteTo = later(l.CompleteTo, w.End)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
