package sink

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Run is one row of sync_runs: what one run did, or has done so far.
type Run struct {
	ID       string // as on its log lines
	Kind     RunKind
	State    RunState
	Process  string // host name and process id
	Accounts []string
	From, To time.Time // creation times; zero for each account's own ledger

	StartedAt  time.Time
	UpdatedAt  time.Time // the last sign of life
	FinishedAt time.Time // zero while it runs

	Planned, Done uint64 // windows; spans of windows in a replay, orders in track and fetch
	Orders        uint64 // that the listings showed
	Changed       uint64 // of these, new or changed
	Items         uint64
	Rejected      uint64 // records left without a row
	ListCalls     uint64
	DetailCalls   uint64
	Error         string // what it left undone
	Version       uint64
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

var runTable = &table[Run]{
	name:  "sync_run_rows",
	label: func(r *Run) string { return "run " + r.ID },
	size:  func(r *Run) int { return overhead + len(r.Error) },
	compare: func(a, b *Run) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	},
	columns: []column[Run]{
		text("id", func(r *Run) string { return r.ID }),
		label("kind", func(r *Run) string { return string(r.Kind) }),
		label("state", func(r *Run) string { return string(r.State) }),
		text("process", func(r *Run) string { return r.Process }),
		texts("accounts", func(r *Run) []string { return r.Accounts }),
		optionalMoment("range_start", func(r *Run) time.Time { return r.From }),
		optionalMoment("range_end", func(r *Run) time.Time { return r.To }),
		moment("started_at", func(r *Run) time.Time { return r.StartedAt }),
		moment("updated_at", func(r *Run) time.Time { return r.UpdatedAt }),
		optionalMoment("finished_at", func(r *Run) time.Time { return r.FinishedAt }),
		long("windows_planned", func(r *Run) uint64 { return r.Planned }),
		long("windows_done", func(r *Run) uint64 { return r.Done }),
		long("orders", func(r *Run) uint64 { return r.Orders }),
		long("changed", func(r *Run) uint64 { return r.Changed }),
		long("items", func(r *Run) uint64 { return r.Items }),
		long("rejected", func(r *Run) uint64 { return r.Rejected }),
		long("list_calls", func(r *Run) uint64 { return r.ListCalls }),
		long("detail_calls", func(r *Run) uint64 { return r.DetailCalls }),
		text("error", func(r *Run) string { return r.Error }),
		long("version", func(r *Run) uint64 { return r.Version }),
	},
}

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

// LastSuccesses returns when a tick of each account last left nothing undone, of those that began since a time.
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
	out, err := collect(ctx, s, `SELECT id, kind, state, process, accounts, toUnixTimestamp64Milli(range_start),
		toUnixTimestamp64Milli(range_end), toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(updated_at),
		toUnixTimestamp64Milli(finished_at), windows_planned, windows_done, orders, changed, items, rejected, list_calls,
		detail_calls, error, version FROM sync_run_rows FINAL WHERE `+where+` AND started_at >= fromUnixTimestamp64Milli(?, 'UTC')
		ORDER BY started_at DESC, id LIMIT `+fmt.Sprint(n), append(args, bound(since)), func(rows driver.Rows) (r Run, err error) {
		var kind, state string
		var from, to, finished *int64
		var started, updated int64
		if err := rows.Scan(&r.ID, &kind, &state, &r.Process, &r.Accounts, &from, &to, &started, &updated, &finished, &r.Planned,
			&r.Done, &r.Orders, &r.Changed, &r.Items, &r.Rejected, &r.ListCalls, &r.DetailCalls, &r.Error, &r.Version); err != nil {
			return r, err
		}
		r.Kind, r.State, r.From, r.To = RunKind(kind), RunState(state), optional(from), optional(to)
		r.StartedAt, r.UpdatedAt, r.FinishedAt = fromMilliseconds(started), fromMilliseconds(updated), optional(finished)
		return r, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the history of runs: %w", err)
	}
	return out, nil
}
