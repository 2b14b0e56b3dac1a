package engine

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

func (r *laneRun) backfillJobs(ctx context.Context, iv window.Interval, force bool) ([]job, error) {
	iv = iv.Clip(window.Interval{Start: iv.Start, End: r.now}).Align(r.Window)
	if iv.Empty() {
		return nil, nil
	}
	ledger, err := r.store.Windows(ctx, r.lane.Lane, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	if force {
		return early(r.jobs(iv.Tile(r.Window), ledger, source.Backfill, time.Time{}), r.Window), nil
	}
	// A window whose records or details are missing is listed whole, but who asks for a backfill wants them tried again.
	bad := r.open.windows(func(j schema.Reject) bool { return j.AcceptedAt.IsZero() })
	due := window.Missing(iv, r.Window, ledger, bad)
	return early(r.jobs(due, ledger, source.Backfill, time.Time{}), r.Window), nil
}

// early cuts the first job into a window, two, four, and so on, so that the first details are fetched while the rest of
// that day is still being listed. Without it the quota of details lies idle for the time of whole listings.
func early(jobs []job, size time.Duration) []job {
	if len(jobs) == 0 {
		return jobs
	}
	var out []job
	rest := jobs[0]
	for step := size; rest.End.Sub(rest.Start) > step; step *= 2 {
		first := rest
		first.End = rest.Start.Add(step)
		rest.Start = first.End
		out = append(out, first)
	}
	return append(append(out, rest), jobs[1:]...)
}

// tickJobs plans a tick: live traffic, and the gaps between the oldest window of the ledger and the lookback.
func (r *laneRun) tickJobs(ctx context.Context, live window.Interval, until time.Time) (jobs, gaps []job, err error) {
	ledger, err := r.store.Windows(ctx, r.lane.Lane, time.Time{}, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	jobs = r.jobs(live.Tile(r.Window), ledger, source.Live, time.Time{})
	if len(ledger) == 0 || !ledger[0].Start.Before(live.Start) {
		return jobs, nil, nil
	}
	waiting := map[int64]bool{}
	for _, w := range ledger {
		if w.Verdict != schema.Complete && w.Verdict != schema.Open && window.RetryAt(w.FinishedAt, w.Attempts).After(r.now) {
			waiting[w.Start.Unix()] = true
		}
	}
	// A row that could not become an order can only be had again by listing its window.
	due := r.open.windows(func(j schema.Reject) bool {
		return j.Stage == schema.RejectList && j.AcceptedAt.IsZero() && !j.NextAttempt.After(r.now)
	})
	past := window.Interval{Start: ledger[0].Start, End: live.Start}.Align(r.Window)
	missing := slices.DeleteFunc(window.Missing(past, r.Window, ledger, due), func(w window.Interval) bool {
		return waiting[w.Start.Unix()]
	})
	for _, w := range past.Tile(r.Window) {
		if waiting[w.Start.Unix()] { // nothing to do in this run, and yet not whole
			r.sumUp(func(s *LaneSummary) { s.Waiting++ })
		}
	}
	return jobs, r.jobs(missing, ledger, source.Backfill, until), nil
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
