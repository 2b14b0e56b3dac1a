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

	Planned     uint64    `ch:"windows_planned"`
	Done        uint64    `ch:"windows_done"` // windows; ranges of windows in a replay, orders in track and fetch
	Orders      uint64    `ch:"orders"`       // that the listings showed
	Changed     uint64    `ch:"changed"`      // of these, new or changed
	Items       uint64    `ch:"items"`
	Rejected    uint64    `ch:"rejected"` // records left without a row
	ListCalls   uint64    `ch:"list_calls"`
	DetailCalls uint64    `ch:"detail_calls"`
	Share       float64   `ch:"share"`                // of the work that is done, from 0 to 1; 0 while nobody knows
	EndsAt      time.Time `ch:"ends_at,optional"`     // when it will end as it seems; zero where nobody knows, and at its end
	ClockOffset float64   `ch:"clock_offset_seconds"` // the vendor's clock minus this machine's; 0 where they agree or that is not known
	Error       string    `ch:"error"`                // what it left undone
	Version     uint64    `ch:"version"`
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

// Streak is how the runs that bring an account up to date have ended of late: scheduled ones and backfills.
type Streak struct {
	Account     string
	Last        time.Time // when the newest of them that has ended began
	Failed      bool      // it left something undone
	Error       string    // what, with the cause
	Since       time.Time // when the first run began of those that have ended in the same way since then
	ClockOffset float64   // the vendor's clock minus the machine's in the newest run, in seconds
	Ticked      time.Time // when a scheduled run last began; zero for never
}

// Streaks returns, by account, how runs have ended that began since a time. Two failures are of one way where the first match
// of the pattern in their errors is the same, such as the reason of a vendor's refusal. A run that was stopped says nothing.
func (s *Sink) Streaks(ctx context.Context, since time.Time, pattern string) (map[string]Streak, error) {
	streaks, err := collect(ctx, s, `SELECT account, toUnixTimestamp64Milli(max(started_at)), argMax(state, started_at) = 'failed', argMax(error, started_at),
			toUnixTimestamp64Milli(minIf(started_at, started_at > changed)), argMax(clock_offset_seconds, started_at),
			toUnixTimestamp64Milli(maxIf(started_at, kind = 'tick'))
		FROM (
			SELECT *, max(if(way != newest, started_at, toDateTime64(0, 3, 'UTC'))) OVER (PARTITION BY account) AS changed
			FROM (
				SELECT account, kind, state, error, started_at, clock_offset_seconds, concat(toString(state), extract(error, ?)) AS way,
					last_value(way) OVER (PARTITION BY account ORDER BY started_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS newest
				FROM sync_run_rows FINAL ARRAY JOIN accounts AS account
				WHERE kind IN ('tick', 'backfill') AND state IN ('ok', 'failed') AND started_at >= fromUnixTimestamp64Milli(?, 'UTC')
			)
		)
		GROUP BY account`, []any{pattern, bound(since)}, func(rows driver.Rows) (x Streak, err error) {
		var last, from, ticked int64
		var failed uint8
		err = rows.Scan(&x.Account, &last, &failed, &x.Error, &from, &x.ClockOffset, &ticked)
		x.Last, x.Failed, x.Since = fromMilliseconds(last), failed != 0, fromMilliseconds(from)
		if ticked != 0 {
			x.Ticked = fromMilliseconds(ticked)
		}
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of runs: %w", err)
	}
	out := map[string]Streak{}
	for _, x := range streaks {
		out[x.Account] = x
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
