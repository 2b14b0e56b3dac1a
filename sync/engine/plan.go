package engine

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

func (e *Engine) backfillJobs(ctx context.Context, r *streamRun, iv window.Interval, force bool) ([]job, error) {
	iv = iv.Clip(window.Interval{Start: iv.Start, End: r.now}).Align(r.window)
	if iv.Empty() {
		return nil, nil
	}
	ledger, err := r.store.Windows(ctx, r.stream.Stream, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	if force {
		return early(planJobs(iv.Tile(r.window), ledger, source.Backfill, time.Time{}), r.window), nil
	}
	// A window whose records or details are missing is listed whole, but who asks for a backfill wants them tried again.
	due := window.Missing(iv, r.window, ledger, r.open.bad())
	return early(planJobs(due, ledger, source.Backfill, time.Time{}), r.window), nil
}

// early cuts the first window off the first job, so that the first details are fetched while the rest of that day is still
// being listed. Without it the quota of details lies idle for the time of a whole listing. A window is enough: with equal
// quotas the details of an hour take as long as the listing of a day.
func early(jobs []job, size time.Duration) []job {
	if len(jobs) == 0 || jobs[0].End.Sub(jobs[0].Start) == size {
		return jobs
	}
	first := jobs[0]
	first.End = first.Start.Add(size)
	jobs[0].Start = first.End
	return append([]job{first}, jobs...)
}

// tickJobs plans a tick: live traffic, and what is not done between the oldest window of the ledger and the lookback. Of
// the ledger it reads only that, so that a tick costs no more after years.
func (e *Engine) tickJobs(ctx context.Context, r *streamRun, live window.Interval, until time.Time) (jobs, gaps []job, err error) {
	ledger, err := r.store.Windows(ctx, r.stream.Stream, live.Start, live.End)
	if err != nil {
		return nil, nil, err
	}
	jobs = planJobs(live.Tile(r.window), ledger, source.Live, time.Time{})
	undone, err := e.store.Undone(ctx, r.stream.Stream, live.Start)
	if err != nil {
		return nil, nil, err
	}
	var due []window.Interval
	// A row that could not become an order can only be had again by listing its window, complete as that may be.
	again := r.open.due(r.now, live.Start)
	for _, u := range undone {
		for _, w := range (window.Interval{Start: u.Start, End: u.End}).Align(r.window).Tile(r.window) {
			delete(again, w.Start.Unix())
			switch u.Verdict {
			case schema.Short, schema.Failed:
				if window.RetryAt(u.FinishedAt, u.Attempts).After(r.now) {
					r.sumUp(func(s *StreamSummary) { s.Waiting++ }) // nothing to do in this run, and yet not whole
					continue
				}
			}
			due = append(due, w)
		}
	}
	var listed []window.Interval
	for start := range again {
		if w := (window.Interval{Start: time.Unix(start, 0).UTC()}); w.Start.Before(live.Start) {
			w.End = w.Start.Add(r.window)
			listed = append(listed, w)
		}
	}
	slices.SortFunc(listed, earliest)
	for _, span := range window.Ranges(listed) {
		complete, err := r.store.Windows(ctx, r.stream.Stream, span.Start, span.End)
		if err != nil {
			return nil, nil, err
		}
		for _, w := range complete { // what is not in the ledger lies before its beginning
			due = append(due, window.Interval{Start: w.Start, End: w.End})
		}
		undone = append(undone, complete...)
	}
	slices.SortFunc(due, earliest)
	return jobs, planJobs(due, undone, source.Backfill, until), nil
}

func earliest(a, b window.Interval) int { return a.Start.Compare(b.Start) }

func planJobs(due []window.Interval, ledger []schema.Window, p source.Priority, until time.Time) []job {
	isDue := make(map[int64]bool, len(due))
	for _, w := range due {
		isDue[w.Start.Unix()] = true
	}
	prior := map[int64]schema.Window{} // of few: what is due is hardly ever in the ledger
	for _, w := range ledger {
		if at := w.Start.Unix(); isDue[at] {
			prior[at] = w
		}
	}
	var out []job
	for _, s := range window.Ranges(due) {
		out = append(out, job{Interval: s, priority: p, until: until, prior: prior})
	}
	return out
}
