package engine

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

func (e *Engine) backfillJobs(ctx context.Context, r *stream.Run, iv window.Interval, force bool) ([]stream.Job, error) {
	iv = iv.Until(r.Now).Align(r.Window)
	if iv.Empty() {
		return nil, nil
	}
	ledger, err := r.Store.Windows(ctx, r.Stream.Stream, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	if force {
		return early(stream.Jobs(iv.Tile(r.Window), ledger, source.Backfill, time.Time{}), r.Window), nil
	}
	// A window whose records or details are missing is listed completely, but who asks for a backfill wants them tried again.
	due := window.Missing(iv, r.Window, ledger, r.Rejects.Bad())
	return early(stream.Jobs(due, ledger, source.Backfill, time.Time{}), r.Window), nil
}

// early cuts the first window off the first job, so that the first details are fetched while the rest of that day is still
// being listed. Without it the quota of details lies idle for the time of a complete listing. A window is enough: with equal
// quotas the details of an hour take as long as the listing of a day.
func early(jobs []stream.Job, size time.Duration) []stream.Job {
	if len(jobs) == 0 || jobs[0].End.Sub(jobs[0].Start) == size {
		return jobs
	}
	first := jobs[0]
	first.End = first.Start.Add(size)
	jobs[0].Start = first.End
	return append([]stream.Job{first}, jobs...)
}

// gaps plans what is not done between the oldest window of the ledger and the lookback. Of the ledger it reads only that, so
// that a scheduled run costs no more after years.
func (e *Engine) gaps(ctx context.Context, r *stream.Run, live window.Interval, until time.Time) ([]stream.Job, error) {
	undone, err := e.store.Undone(ctx, r.Stream.Stream, live.Start)
	if err != nil {
		return nil, err
	}
	var due []window.Interval
	// A row that could not become an order comes again only where its window is listed, complete as that may be.
	again := r.Rejects.Due(r.Now, live.Start)
	for _, u := range undone {
		for _, w := range window.Of(u).Tile(r.Window) {
			delete(again, w.Start.Unix())
			switch u.Verdict {
			case schema.Short, schema.Failed:
				if window.RetryAt(u.FinishedAt, u.Attempts).After(r.Now) {
					r.Count(func(s *stream.Outcome) { s.Waiting++ }) // nothing to do in this run, and yet not complete
					continue
				}
			}
			due = append(due, w)
		}
	}
	var listed []window.Interval
	for start := range again {
		if w := window.At(time.Unix(start, 0), r.Window); w.Start.Before(live.Start) {
			listed = append(listed, w)
		}
	}
	slices.SortFunc(listed, stream.Earliest)
	for _, part := range window.Ranges(listed) {
		complete, err := r.Store.Windows(ctx, r.Stream.Stream, part.Start, part.End)
		if err != nil {
			return nil, err
		}
		for _, w := range complete { // what is not in the ledger lies before its beginning
			due = append(due, window.Of(w))
		}
		undone = append(undone, complete...)
	}
	slices.SortFunc(due, stream.Earliest)
	return stream.Jobs(due, undone, source.Backfill, until), nil
}
