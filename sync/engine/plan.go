package engine

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

func (e *Engine) backfillJobs(ctx context.Context, lane Lane, now time.Time, r window.Interval, force bool) ([]job, error) {
	r = r.Clip(window.Interval{Start: r.Start, End: now}).Align(e.Window)
	if r.Empty() {
		return nil, nil
	}
	ledger, err := e.store.Windows(ctx, lane.Lane, r.Start, r.End)
	if err != nil {
		return nil, err
	}
	due := r.Tile(e.Window)
	if !force {
		due = window.Missing(r, e.Window, ledger)
	}
	return e.jobs(due, ledger, source.Backfill, time.Time{}), nil
}

// tickJobs plans a tick: live traffic first, then the gaps between the oldest window of the ledger and the lookback.
func (e *Engine) tickJobs(ctx context.Context, lane Lane, now, until time.Time) ([]job, error) {
	live := window.Interval{Start: now.Add(-e.Lookback), End: now}.Align(e.Window)
	ledger, err := e.store.Windows(ctx, lane.Lane, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	jobs := e.jobs(live.Tile(e.Window), ledger, source.Live, time.Time{})
	if len(ledger) == 0 || !ledger[0].Start.Before(live.Start) {
		return jobs, nil
	}
	waiting := map[int64]bool{}
	for _, w := range ledger {
		if w.Verdict != schema.Complete && w.Verdict != schema.Open && window.RetryAt(w.FinishedAt, w.Attempts).After(now) {
			waiting[w.Start.Unix()] = true
		}
	}
	var due []window.Interval
	for _, w := range window.Missing(window.Interval{Start: ledger[0].Start, End: live.Start}.Align(e.Window), e.Window, ledger) {
		if !waiting[w.Start.Unix()] {
			due = append(due, w)
		}
	}
	return append(jobs, e.jobs(due, ledger, source.Backfill, until)...), nil
}

func (e *Engine) jobs(due []window.Interval, ledger []schema.Window, p source.Priority, until time.Time) []job {
	prior := make(map[int64]schema.Window, len(due))
	for _, w := range due {
		prior[w.Start.Unix()] = schema.Window{}
	}
	for _, w := range ledger {
		if _, ok := prior[w.Start.Unix()]; ok {
			prior[w.Start.Unix()] = w
		}
	}
	var out []job
	for _, s := range window.Spans(due) {
		out = append(out, job{Interval: s, priority: p, until: until, prior: prior})
	}
	return out
}
