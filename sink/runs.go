package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Run is one row of sync_runs: what one run did, or has done so far.
type Run struct {
	ID       string    `ch:"id"` // as on its log lines
	Kind     RunKind   `ch:"kind,label"`
	State    RunState  `ch:"state,label"`
	Process  string    `ch:"process"` // host name and process id
	Accounts []string  `ch:"accounts"`
	From     time.Time `ch:"range_start,optional"`
	To       time.Time `ch:"range_end,optional"` // creation times; zero for each account's own ledger

	StartedAt  time.Time `ch:"started_at"`
	UpdatedAt  time.Time `ch:"updated_at"`           // the last sign of life
	FinishedAt time.Time `ch:"finished_at,optional"` // zero while it runs

	Planned     uint64 `ch:"windows_planned"`
	Done        uint64 `ch:"windows_done"` // windows; ranges of windows in a replay, orders in track and fetch
	Orders      uint64 `ch:"orders"`       // that the listings showed
	Changed     uint64 `ch:"changed"`      // of these, new or changed
	Items       uint64 `ch:"items"`
	Rejected    uint64 `ch:"rejected"` // records left without a row
	ListCalls   uint64 `ch:"list_calls"`
	DetailCalls uint64 `ch:"detail_calls"`
	Error       string `ch:"error"` // what it left undone
	Version     uint64 `ch:"version"`
}

// RunKind says what ran.
type RunKind string

// Kinds of a run.
const (
	RunTick     RunKind = "tick"
	RunBackfill RunKind = "backfill"
	RunVerify   RunKind = "verify"
	RunReplay   RunKind = "replay"
	RunTrack    RunKind = "track"
	RunFetch    RunKind = "fetch" // of orders by their ids, before they are cancelled
	RunProducts RunKind = "products"
	RunScrub    RunKind = "scrub" // a part of the past compared again
)

// RunState says how a run stands.
type RunState string

// States of a run. A run that is Running and gave no sign of life for RunSilence ended without a word: its process was
// killed, or lost the warehouse.
const (
	RunRunning RunState = "running"
	RunOK      RunState = "ok"
	RunFailed  RunState = "failed"  // something was left undone
	RunStopped RunState = "stopped" // it was told to stop
)

// RunSilence is how long a run may be silent. It says something every ten seconds, and one write may take some of them.
const RunSilence = time.Minute

// Lost reports whether the run ended without a word.
func (r *Run) Lost(now time.Time) bool {
	return r.State == RunRunning && now.Sub(r.UpdatedAt) > RunSilence
}

var runTable = newTable("sync_run_rows", func(r *Run) string { return "run " + r.ID })

// WriteRuns records how runs stand. Of the rows of one run the one of the highest version counts.
func (s *Sink) WriteRuns(ctx context.Context, runs []Run) error { return write(ctx, s, runTable, runs) }

// RecentRuns returns the last n runs that began since a time, the newest first.
func (s *Sink) RecentRuns(ctx context.Context, since time.Time, n int) ([]Run, error) {
	return s.runs(ctx, "1", since, n)
}

// RunningRuns returns the runs that are under way at a time, the newest first.
func (s *Sink) RunningRuns(ctx context.Context, now, since time.Time) ([]Run, error) {
	return s.runs(ctx, "state = 'running' AND updated_at >= fromUnixTimestamp64Milli(?, 'UTC')", since, 100, bound(now.Add(-RunSilence)))
}

// FailedRuns returns the last n runs since a time that failed or ended without a word, the newest first. Runs that went
// well never push them out.
func (s *Sink) FailedRuns(ctx context.Context, now, since time.Time, n int) ([]Run, error) {
	return s.runs(ctx, "(state = 'failed' OR state = 'running' AND updated_at < fromUnixTimestamp64Milli(?, 'UTC'))",
		since, n, bound(now.Add(-RunSilence)))
}

// LastSuccesses returns when a scheduled run of each account last left nothing undone, of those that began since a time.
func (s *Sink) LastSuccesses(ctx context.Context, since time.Time) (map[string]time.Time, error) {
	type row struct {
		account string
		at      int64
	}
	rows, err := collect(ctx, s, `SELECT arrayJoin(accounts) AS account, toUnixTimestamp64Milli(assumeNotNull(max(finished_at)))
		FROM sync_run_rows FINAL WHERE kind = 'tick' AND state = 'ok' AND started_at >= fromUnixTimestamp64Milli(?, 'UTC')
		GROUP BY account`, []any{bound(since)}, func(rows driver.Rows) (r row, err error) {
		err = rows.Scan(&r.account, &r.at)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of runs: %w", err)
	}
	out := map[string]time.Time{}
	for _, r := range rows {
		out[r.account] = fromMilliseconds(r.at)
	}
	return out, nil
}

// runs returns the last n runs since a time that fulfil a condition, the newest first.
func (s *Sink) runs(ctx context.Context, where string, since time.Time, n int, args ...any) ([]Run, error) {
	out, err := collect(ctx, s, runTable.all()+" FINAL WHERE "+where+` AND started_at >= fromUnixTimestamp64Milli(?, 'UTC')
		ORDER BY started_at DESC, id LIMIT `+fmt.Sprint(n), append(args, bound(since)), runTable.scan)
	if err != nil {
		return nil, fmt.Errorf("read the history of runs: %w", err)
	}
	return out, nil
}
