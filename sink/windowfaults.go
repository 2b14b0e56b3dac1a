package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// WindowFault is one cause for which windows of a stream are short or failed.
type WindowFault struct {
	schema.Stream
	Verdict  schema.Verdict
	Error    string // of the newest attempt
	Windows  int
	From, To time.Time // start of the earliest and end of the latest of the windows
	Tried    time.Time // when the newest attempt ended
}

// mostFaults bounds the causes that are told of one stream: more than that say no more.
const mostFaults = 5

// WindowFaults returns why windows are short or failed, of each stream the causes with the most windows. The pattern is what
// differs in an error from window to window although its cause is one.
func (s *Sink) WindowFaults(ctx context.Context, varying string) ([]WindowFault, error) {
	out, err := collect(ctx, s, `SELECT any(source), account, owner_id, toString(verdict), argMax(error, version), count(),
			toUnixTimestamp64Milli(min(window_start)), toUnixTimestamp64Milli(max(window_end)), toUnixTimestamp64Milli(ifNull(max(finished_at), toDateTime64(0, 3, 'UTC')))
		FROM sync_window_rows FINAL WHERE verdict IN ('short', 'failed')
		GROUP BY account, owner_id, verdict, replaceRegexpAll(error, ?, '') AS cause
		ORDER BY account, owner_id, count() DESC, cause LIMIT ? BY account, owner_id`, []any{varying, mostFaults}, func(rows driver.Rows) (f WindowFault, err error) {
		var n uint64
		var from, to, tried int64
		err = rows.Scan(&f.Source, &f.Account, &f.OwnerID, (*string)(&f.Verdict), &f.Error, &n, &from, &to, &tried)
		f.Windows, f.From, f.To, f.Tried = int(n), fromMilliseconds(from), fromMilliseconds(to), fromMilliseconds(tried)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read why windows are not complete: %w", err)
	}
	return out, nil
}
