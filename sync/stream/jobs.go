package stream

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Begins refuses a range that begins before there can be orders: it would be planned window by window. What lies after the
// run's time is cut off by each plan.
func Begins(from time.Time) error {
	if err := window.Check(from, from); err != nil {
		return fmt.Errorf("the range to work on: %w", err)
	}
	return nil
}

// Job is one range to list.
type Job struct {
	window.Interval // whole windows
	priority        source.Priority
	until           time.Time               // not started after this; zero for whenever
	prior           map[int64]schema.Window // the ledger's rows of due windows, by start; a new window has none
	repair          *repair                 // what verify found; nil otherwise
	again           bool                    // stored orders were missing in the listing before; the job is one window
	first           schema.Window           // that listing, as its row would have been
	claim           *lease                  // that it is a part of; nil for none
	other           string                  // process that holds it; empty for none
}

// rangesAtOnce is how many ranges of a stream are under way: enough that there are always details to fetch while the next
// range is listed, few enough that memory stays small.
const rangesAtOnce = 4

// listingsAtOnce is how many of them are listed at once: listing is far faster than details, and so these keep all workers
// busy.
const listingsAtOnce = 2

// List works off the jobs, and then what came to light in them: stored orders that are missing, rejects that are gone,
// orders that moved.
func (r *Run) List(ctx context.Context, jobs []Job) error {
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return r.listJobs(ctx, jobs) }, r.missing.lookAgain, r.Moves.unite, r.Moves.restore, r.resolveGone,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// listJobs lists the jobs, several at a time. What another process works on is waited for by a run that somebody asked for,
// and left alone by one of the daemon's.
func (r *Run) listJobs(ctx context.Context, jobs []Job) error {
	for _, j := range jobs {
		r.plan(j, 1)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(rangesAtOnce)
	late := func(j Job) bool {
		late := !j.until.IsZero() && time.Now().After(j.until)
		if late {
			r.Count(func(s *Outcome) { s.Waiting += len(j.Tile(r.Window)) })
		}
		return late
	}
	w := waiting{run: r}
	for len(jobs) > 0 && gctx.Err() == nil {
		if jobs = slices.DeleteFunc(jobs, late); len(jobs) == 0 {
			break
		}
		ours, others, err := r.leasing.claim(gctx, jobs)
		if err != nil {
			g.Go(func() error { return err })
			break
		}
		for _, j := range ours {
			if gctx.Err() != nil {
				break
			}
			if late(j) {
				continue
			}
			g.Go(func() error {
				return r.listJob(source.WithPriority(gctx, j.priority), j)
			})
		}
		jobs = others
		w.wait(gctx, len(ours) > 0, jobs)
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// plan adds a job to the progress, or takes it out with a sign of -1.
func (r *Run) plan(j Job, sign int) {
	r.Progress.Plan(sign * len(j.Tile(r.Window)))
	r.Progress.toList.Add(int64(sign) * int64(j.Until(r.Now).End.Sub(j.Start)/time.Second))
}

// Earliest orders intervals by their start.
func Earliest(a, b window.Interval) int { return a.Start.Compare(b.Start) }

// Starts are those of some intervals.
func Starts(intervals []window.Interval) []time.Time {
	out := make([]time.Time, len(intervals))
	for i, iv := range intervals {
		out[i] = iv.Start
	}
	return out
}

// Jobs joins due windows to jobs, each with what the ledger says of its windows before.
func Jobs(due []window.Interval, ledger []schema.Window, p source.Priority, until time.Time) []Job {
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
	var out []Job
	for _, s := range window.Ranges(due) {
		out = append(out, Job{Interval: s, priority: p, until: until, prior: prior})
	}
	return out
}
