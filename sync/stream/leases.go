package stream

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Claims keeps other processes from the ranges of creation time that a run lists, so that nothing is fetched twice. What is
// stored is right without it (I3, I9): where a claim cannot be made, or was lost, two processes do the same work.
type Claims interface {
	// Claim claims some of the ranges of a stream, at most that many. It returns which of them are this process's now, by
	// index, and of those that are another's the name of its process.
	Claim(ctx context.Context, stream schema.Stream, ranges []window.Interval, most int) (ours []int, others map[int]string)
	// Release releases ranges. What was fetched of them has been committed.
	Release(ctx context.Context, stream schema.Stream, ranges []window.Interval)
}

// claimsAtOnce is how many ranges are claimed at once: enough that claims cost nothing beside the calls, few enough that
// processes on one range share it.
const claimsAtOnce = 2 * rangesAtOnce

// waitLeast is how soon it is looked again whether another process has given a range back; up to twice as long, so that
// processes that wait for the same range do not claim it in the same instant again and again.
const waitLeast = 300 * time.Millisecond

// lease is a range that this run has claimed.
type lease struct {
	window.Interval
	parts int  // jobs of it that have not ended; under the lock of leasing
	over  bool // it was released, or is to be after the next commit; likewise
}

// leasing is what a run has claimed.
type leasing struct {
	run *Run

	mu     sync.Mutex
	claims []*lease
}

// toClaim is the part of a job that is to be claimed; empty where nothing is. Of the lookback, which belongs to whoever holds
// the lease of the account, those windows are that nobody has listed yet: the others cost a listing and what changed.
func (l *leasing) toClaim(j Job) window.Interval {
	if j.priority != source.Live {
		return j.Interval
	}
	var out window.Interval
	for _, w := range j.Tile(l.run.Window) {
		if _, known := j.prior[w.Start.Unix()]; !known {
			out = out.Extend(w)
		}
	}
	return out
}

// claim claims jobs. It returns what is this run's to list, and which jobs are not its own yet.
func (l *leasing) claim(ctx context.Context, jobs []Job) (ours, rest []Job, err error) {
	if l.run.Leases == nil {
		return jobs, nil, nil
	}
	var asked []Job
	var ranges []window.Interval
	for _, j := range jobs {
		if iv := l.toClaim(j); iv.Empty() {
			ours = append(ours, j)
		} else {
			asked, ranges = append(asked, j), append(ranges, iv)
		}
	}
	if len(asked) == 0 {
		return ours, nil, nil
	}
	got, others := l.run.Leases.Claim(ctx, l.run.Stream.Stream, ranges, claimsAtOnce)
	var claims []*lease
	var all window.Interval
	for _, i := range got {
		claims = append(claims, &lease{Interval: ranges[i]})
		all = all.Extend(asked[i].Interval)
	}
	l.mu.Lock()
	l.claims = append(slices.DeleteFunc(l.claims, func(c *lease) bool { return c.over }), claims...)
	l.mu.Unlock()
	var ledger []schema.Window
	if len(got) > 0 {
		if ledger, err = l.run.Store.Windows(ctx, l.run.Stream.Stream, all.Start, all.End); err != nil {
			return nil, nil, err
		}
	}
	var left []Job
	for i, j := range asked {
		j.other = others[i]
		switch k := slices.Index(got, i); {
		case k >= 0:
			parts, err := l.still(ctx, j, ledger)
			if err != nil {
				return nil, nil, err
			}
			claims[k].parts = len(parts)
			for p := range parts {
				parts[p].claim = claims[k]
			}
			ours = append(ours, parts...)
			if len(parts) == 0 {
				claims[k].parts = 1
				if err := l.end(claims[k]); err != nil {
					return nil, nil, err
				}
			}
		case j.other == "" || l.run.ForceRetry:
			rest = append(rest, j)
		default:
			known, unknown := l.split(j, func(w window.Interval) bool {
				_, known := j.prior[w.Start.Unix()]
				return known && j.priority == source.Live
			})
			ours, left = append(ours, known...), append(left, unknown...)
		}
	}
	l.leaveToOthers(ctx, left)
	return ours, rest, nil
}

// split makes two of a job: the windows that are of a kind, and the others.
func (l *leasing) split(j Job, kind func(window.Interval) bool) (are, others []Job) {
	var a, b []window.Interval
	for _, w := range j.Tile(l.run.Window) {
		if kind(w) {
			a = append(a, w)
		} else {
			b = append(b, w)
		}
	}
	part := func(windows []window.Interval) (out []Job) {
		for _, s := range window.Ranges(windows) {
			p := j
			p.Interval = s
			out = append(out, p)
		}
		return out
	}
	return part(a), part(b)
}

// still is what is left to do of a job that was planned some time ago. A window that another process has completed since
// is done, but for one with records or details that are missing: who asks for a run is told of them (I8).
func (l *leasing) still(ctx context.Context, j Job, ledger []schema.Window) ([]Job, error) {
	if j.repair != nil {
		return []Job{j}, nil // whoever repairs looks himself
	}
	done := map[int64]bool{}
	prior := map[int64]schema.Window{}
	rejects, err := l.run.Rejects.Sums(ctx, Starts(j.Tile(l.run.Window))...)
	if err != nil {
		return nil, err
	}
	for _, w := range ledger {
		at := w.Start.Unix()
		planned := j.prior[at]
		if j.Contains(w.Start) {
			prior[at] = w
		}
		// Single orders that are fetched later correct a row, and do not finish it again.
		done[at] = w.Verdict == schema.Complete && w.Rejected == 0 && w.Pending == 0 && !w.FinishedAt.Equal(planned.FinishedAt) &&
			rejects[at].List+rejects[at].Item+rejects[at].Detail == 0
	}
	finished, parts := l.split(j, func(w window.Interval) bool { return done[w.Start.Unix()] })
	for _, f := range finished {
		l.run.plan(f, -1)
	}
	for i := range parts {
		parts[i].prior = prior
	}
	return parts, nil
}

// leaveToOthers leaves jobs to the processes that work on them: a later run sees what became of them.
func (l *leasing) leaveToOthers(ctx context.Context, jobs []Job) {
	if len(jobs) == 0 {
		return
	}
	n := 0
	for _, j := range jobs {
		l.run.plan(j, -1)
		n += len(j.Tile(l.run.Window))
	}
	l.run.Count(func(s *Outcome) { s.Waiting += n })
	l.run.Log.InfoContext(ctx, "windows are left to another process, which fills them", l.run.Stream.LogAttr(),
		"windows", n, "start", jobs[0].Start, "process", jobs[0].other)
}

// end notes that a job has ended. When it was the last one of its claim, that is released with the next commit, which has
// all that was fetched of it: others would not find it in the ledger before.
func (l *leasing) end(c *lease) error {
	if c == nil {
		return nil
	}
	l.mu.Lock()
	c.parts--
	c.over = c.parts == 0
	over := c.over
	l.mu.Unlock()
	if !over {
		return nil
	}
	return l.run.Commits.Release(l.run.Stream.Stream, c.Interval)
}

// Claimed returns the ranges that are to be released at the end of the run.
func (r *Run) Claimed() (out []window.Interval) {
	r.leasing.mu.Lock()
	defer r.leasing.mu.Unlock()
	for _, c := range r.leasing.claims {
		out = append(out, c.Interval)
	}
	return out
}

// waiting is the wait of a run for other processes.
type waiting struct {
	run     *Run
	process string // that was last named
	said    time.Time
}

// sayEvery is how often a wait is told.
const sayEvery = time.Hour

// wait waits before it is tried again to claim what is left, where nothing could be claimed now. It is bounded by the claims
// of others, which they renew while they work and which die with them.
func (w *waiting) wait(ctx context.Context, claimed bool, jobs []Job) {
	if len(jobs) == 0 && w.process != "" {
		w.run.Log.InfoContext(ctx, "the other process is done", w.run.Stream.LogAttr(), "process", w.process)
		w.process = ""
	}
	if claimed || len(jobs) == 0 {
		return
	}
	if j := jobs[0]; j.other != "" && (j.other != w.process || time.Since(w.said) > sayEvery) {
		w.process, w.said = j.other, time.Now()
		w.run.Log.WarnContext(ctx, "another process fills a part of the range: waiting for it", w.run.Stream.LogAttr(),
			"start", j.Start, "end", jobs[len(jobs)-1].End, "process", j.other)
	}
	select {
	case <-time.After(waitLeast + rand.N(waitLeast)):
	case <-ctx.Done():
	}
	w.run.cache.none.forget()
}
