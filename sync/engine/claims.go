package engine

import (
	"context"
	"math/rand/v2"
	"slices"
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
	// Release returns ranges back. What was fetched of them has been committed.
	Release(ctx context.Context, stream schema.Stream, ranges []window.Interval)
}

// claimsAtOnce is how many spans are claimed at once: enough that claims cost nothing beside the calls, few enough that
// processes on one range share it.
const claimsAtOnce = 2 * spansAtOnce

// waitLeast is how soon it is looked again whether another process has given a range back; up to twice as long, so that
// processes that wait for the same range do not claim it in the same instant again and again.
const waitLeast = 300 * time.Millisecond

// claim is a range that this run has claimed.
type claim struct {
	window.Interval
	parts int  // jobs of it that have not ended; under the run's lock
	over  bool // it was given back, or is to be after the next commit; likewise
}

// toClaim is the part of a job that is to be claimed; empty where nothing is. Of the lookback, which belongs to whoever holds
// the lease of the account, those windows are that nobody has listed yet: the others cost a listing and what changed.
func (r *streamRun) toClaim(j job) window.Interval {
	if j.priority != source.Live {
		return j.Interval
	}
	var out window.Interval
	for _, w := range j.Tile(r.window) {
		if _, known := j.prior[w.Start.Unix()]; known {
			continue
		}
		if out.Empty() {
			out.Start = w.Start
		}
		out.End = w.End
	}
	return out
}

// claim claims jobs. It returns what is this run's to walk, and which jobs are not its own yet.
func (r *streamRun) claim(ctx context.Context, jobs []job) (ours, rest []job, err error) {
	if r.leases == nil {
		return jobs, nil, nil
	}
	var asked []job
	var ranges []window.Interval
	for _, j := range jobs {
		if iv := r.toClaim(j); iv.Empty() {
			ours = append(ours, j)
		} else {
			asked, ranges = append(asked, j), append(ranges, iv)
		}
	}
	if len(asked) == 0 {
		return ours, nil, nil
	}
	got, others := r.leases.Claim(ctx, r.stream.Stream, ranges, claimsAtOnce)
	var claims []*claim
	var all window.Interval
	for _, i := range got {
		claims = append(claims, &claim{Interval: ranges[i]})
		all = all.Extend(asked[i].Interval)
	}
	r.mu.Lock()
	r.claims = append(slices.DeleteFunc(r.claims, func(c *claim) bool { return c.over }), claims...)
	r.mu.Unlock()
	var ledger []schema.Window
	if len(got) > 0 {
		if ledger, err = r.store.Windows(ctx, r.stream.Stream, all.Start, all.End); err != nil {
			return nil, nil, err
		}
	}
	var left []job
	for i, j := range asked {
		j.other = others[i]
		switch k := slices.Index(got, i); {
		case k >= 0:
			parts, err := r.still(ctx, j, ledger)
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
				if err := r.end(claims[k]); err != nil {
					return nil, nil, err
				}
			}
		case j.other == "" || r.eager:
			rest = append(rest, j)
		default:
			known, unknown := r.split(j, func(w window.Interval) bool {
				_, known := j.prior[w.Start.Unix()]
				return known && j.priority == source.Live
			})
			ours, left = append(ours, known...), append(left, unknown...)
		}
	}
	r.leaveToOthers(ctx, left)
	return ours, rest, nil
}

// split makes two of a job: the windows that are of a kind, and the others.
func (r *streamRun) split(j job, kind func(window.Interval) bool) (are, others []job) {
	var a, b []window.Interval
	for _, w := range j.Tile(r.window) {
		if kind(w) {
			a = append(a, w)
		} else {
			b = append(b, w)
		}
	}
	part := func(windows []window.Interval) (out []job) {
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
func (r *streamRun) still(ctx context.Context, j job, ledger []schema.Window) ([]job, error) {
	if j.repair != nil {
		return []job{j}, nil // whoever repairs looks himself
	}
	done := map[int64]bool{}
	prior := map[int64]schema.Window{}
	var starts []time.Time
	for _, w := range j.Tile(r.window) {
		starts = append(starts, w.Start)
	}
	rejects, err := r.open.sums(ctx, starts...)
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
	finished, parts := r.split(j, func(w window.Interval) bool { return done[w.Start.Unix()] })
	for _, f := range finished {
		r.plan(f, -1)
	}
	for i := range parts {
		parts[i].prior = prior
	}
	return parts, nil
}

// leaveToOthers leaves jobs to the processes that work on them: a later run sees what became of them.
func (r *streamRun) leaveToOthers(ctx context.Context, jobs []job) {
	if len(jobs) == 0 {
		return
	}
	n := 0
	for _, j := range jobs {
		r.plan(j, -1)
		n += len(j.Tile(r.window))
	}
	r.sumUp(func(s *StreamSummary) { s.Waiting += n })
	r.log.InfoContext(ctx, "windows are left to another process, which fills them", r.stream.LogAttr(),
		"windows", n, "start", jobs[0].Start, "process", jobs[0].other)
}

// end notes that a job has ended. When it was the last one of its claim, that is given back with the next commit, which has
// all that was fetched of it: others would not find it in the ledger before.
func (r *streamRun) end(c *claim) error {
	if c == nil {
		return nil
	}
	r.mu.Lock()
	c.parts--
	c.over = c.parts == 0
	over := c.over
	r.mu.Unlock()
	if !over {
		return nil
	}
	return r.commits.release(r.stream.Stream, c.Interval)
}

// claimed returns the ranges that are to be released at the end of the run.
func (r *streamRun) claimed() (out []window.Interval) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.claims {
		out = append(out, c.Interval)
	}
	return out
}

// waiting is the wait of a walk for other processes.
type waiting struct {
	*streamRun
	process string // that was last named
	said    time.Time
}

// sayEvery is how often a wait is told.
const sayEvery = time.Hour

// wait waits before it is tried again to claim what is left, where nothing could be claimed now. It is bounded by the claims
// of others, which they renew while they work and which die with them.
func (w *waiting) wait(ctx context.Context, claimed bool, jobs []job) {
	if len(jobs) == 0 && w.process != "" {
		w.log.InfoContext(ctx, "the other process is done", w.stream.LogAttr(), "process", w.process)
		w.process = ""
	}
	if claimed || len(jobs) == 0 {
		return
	}
	if j := jobs[0]; j.other != "" && (j.other != w.process || time.Since(w.said) > sayEvery) {
		w.process, w.said = j.other, time.Now()
		w.log.WarnContext(ctx, "another process fills a part of the range: waiting for it", w.stream.LogAttr(),
			"start", j.Start, "end", jobs[len(jobs)-1].End, "process", j.other)
	}
	select {
	case <-time.After(waitLeast + rand.N(waitLeast)):
	case <-ctx.Done():
	}
	w.blank.forget()
}
