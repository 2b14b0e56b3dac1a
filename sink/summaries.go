package sink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// StreamSummary is what the ledger says of one stream, in short.
type StreamSummary struct {
	schema.Stream
	Windows  map[schema.Verdict]int
	Unproven int    // windows that were listed with other filters than are asked for now
	Orders   uint64 // stored, by the ledger
	Rejected uint64
	Pending  uint64

	Oldest, Newest time.Time // start of the first and end of the last window

	// The newest complete range: windows that follow each other without a gap, all complete, the last of them being
	// the newest complete window there is. Both are zero where no window is complete. Lag is counted from its end.
	CompleteFrom, CompleteTo time.Time

	// Gaps counts the places between Oldest and Newest that no window covers, and Missing adds up their lengths (I2).
	Gaps    int
	Missing time.Duration

	LastFinished time.Time // when the newest walk of any window ended

	// Compared is when the list rows of the window were last compared that were not for the longest time, and Detailed when the detail
	// was last fetched that was not for the longest time; zero where nobody knows.
	Compared, Detailed time.Time
}

// summaries adds the ledger up on the server. covered is where the windows before one end, and whole where the complete
// ones before it do: a window that begins after the one follows a gap, and a complete one that begins after the other
// begins a complete range. Both are 0 where there is none before it.
const summaries = `
SELECT
    argMax(source, start), account, owner_id, sumMap(map(toString(verdict), toUInt64(1))),
    sum(stored), sum(rejected), sum(pending), min(start), max(end),
    maxIf(start, verdict = 'complete' AND (whole = 0 OR start > whole)), maxIf(end, verdict = 'complete'),
    countIf(covered != 0 AND start > covered), sumIf(start - covered, covered != 0 AND start > covered),
    max(ifNull(finished, 0)),
    ifNull(min(multiIf(verdict = '', NULL, isNotNull(listed), listed, verdict IN ('complete', 'open'), finished, NULL)), 0),
    ifNull(minIf(detailed, verdict != ''), 0)
FROM (
    SELECT *, %[3]s
    FROM (
        SELECT source, account, owner_id, rejected, pending,
            if(%[1]s, toString(verdict), '') AS verdict, if(%[1]s, stored, 0) AS stored,
            toUnixTimestamp64Milli(window_start) AS start, toUnixTimestamp64Milli(window_end) AS end,
            toUnixTimestamp64Milli(finished_at) AS finished,
            toUnixTimestamp64Milli(listed_at) AS listed, toUnixTimestamp64Milli(detailed_at) AS detailed
        FROM sync_window_rows FINAL WHERE %[2]s
    )
    WINDOW before AS (PARTITION BY account, owner_id ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
GROUP BY account, owner_id
ORDER BY account, owner_id`

// The columns covered and whole. Whoever does without gaps spares the server the sorting, which is nearly all of the work.
const (
	withGaps    = "max(end) OVER before AS covered, max(if(verdict = 'complete', end, 0)) OVER before AS whole"
	withoutGaps = "0 AS covered, 0 AS whole"
)

// Summaries returns a summary of each stream that the ledger knows, by account and owner. asked are the filters of accounts: a
// window of such an account that was listed with other ones proves nothing. Windows of other accounts count as they are.
func (s *Sink) Summaries(ctx context.Context, asked map[string]schema.Filters) ([]StreamSummary, error) {
	var conditions []string
	var args []any
	for _, account := range slices.Sorted(maps.Keys(asked)) {
		conditions = append(conditions, "(account != ? OR filters = ?)")
		args = append(args, account, asked[account].String())
	}
	if len(conditions) == 0 {
		return s.summaries(ctx, withGaps, "1", nil, "1")
	}
	return s.summaries(ctx, withGaps, strings.Join(conditions, " AND "), args, "1")
}

// AccountSummaries returns a summary of each stream of an account that the ledger knows, by owner, as of the sink's filters. It
// is for what asks often: it does not look for gaps, and CompleteFrom is the start of the newest complete window.
func (s *Sink) AccountSummaries(ctx context.Context, account string) ([]StreamSummary, error) {
	return s.summaries(ctx, withoutGaps, "filters = ?", []any{s.filters.String()}, ofAccount, account)
}

// ofAccount is the condition that a row is of an account.
const ofAccount = "account = ?"

// summaries returns the summaries of the streams whose rows fulfil the condition where. proven is the condition that a row
// proves something.
func (s *Sink) summaries(ctx context.Context, gaps, proven string, provenArgs []any, where string, whereArgs ...any) ([]StreamSummary, error) {
	args := slices.Concat(provenArgs, provenArgs, whereArgs) // the query has proven twice
	out, err := collect(ctx, s, fmt.Sprintf(summaries, proven, where, gaps), args, func(rows driver.Rows) (StreamSummary, error) {
		l := StreamSummary{Windows: map[schema.Verdict]int{}}
		var verdicts map[string]uint64
		var places uint64
		var oldest, newest, from, to, missing, finished, compared, detailed int64
		if err := rows.Scan(&l.Source, &l.Account, &l.OwnerID, &verdicts, &l.Orders, &l.Rejected, &l.Pending, &oldest, &newest,
			&from, &to, &places, &missing, &finished, &compared, &detailed); err != nil {
			return l, err
		}
		for v, n := range verdicts {
			if v == "" {
				l.Unproven = int(n)
				continue
			}
			l.Windows[schema.Verdict(v)] = int(n)
		}
		l.Oldest, l.Newest = fromMilliseconds(oldest), fromMilliseconds(newest)
		if l.Windows[schema.Complete] > 0 {
			l.CompleteFrom, l.CompleteTo = fromMilliseconds(from), fromMilliseconds(to)
		}
		for at, ms := range map[*time.Time]int64{&l.LastFinished: finished, &l.Compared: compared, &l.Detailed: detailed} {
			if ms != 0 {
				*at = fromMilliseconds(ms)
			}
		}
		l.Gaps, l.Missing = int(places), time.Duration(missing)*time.Millisecond
		return l, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return out, nil
}
