package engine

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// tally adds up the ledger rows of one span while its listings are worked off, in the order of time. One goroutine uses
// it.
type tally struct {
	run     *streamRun
	job     job
	windows []schema.Window
	next    int                         // the first window that is not closed
	missing map[int64][]schema.OrderRef // stored and not listed, by the window's start, in Unix seconds
	met     map[int64]*meeting          // rejects that were listed, likewise
}

// meeting is which rejects the listings of a window showed.
type meeting struct {
	ids    map[uint64]bool // digests
	before int             // how many of them were exact rejects of the window before
}

// meet notes that a listing shows a reject; v is what is known of it. It is to be called before the reject is changed.
func (t *tally) meet(start time.Time, v *rejectView, id string) {
	m := t.met[start.Unix()]
	if m == nil {
		m = &meeting{ids: map[uint64]bool{}}
		t.met[start.Unix()] = m
	}
	key := schema.Digest(id)
	if m.ids[key] {
		return
	}
	m.ids[key] = true
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, ok := v.get(id); ok && v.exact(old) && v.start64(old.WindowStart) == start.Unix() {
		m.before++
	}
}

func newTally(r *streamRun, j job) *tally {
	t := &tally{run: r, job: j, missing: map[int64][]schema.OrderRef{}, met: map[int64]*meeting{}}
	started := r.clock()
	for _, iv := range j.Tile(r.window) {
		t.windows = append(t.windows, schema.Window{
			Stream: r.stream.Stream, Start: iv.Start, End: iv.End, Filters: r.stream.Filters.String(), Verdict: schema.Complete, StartedAt: started,
		})
	}
	if j.again { // its calls are this window's, too
		w := &t.windows[0]
		w.StartedAt, w.ListCalls, w.Pages, w.DetailCalls = j.first.StartedAt, j.first.ListCalls, j.first.Pages, j.first.DetailCalls
	}
	return t
}

// at finds the window of a time inside the span.
func (t *tally) at(at time.Time) *schema.Window {
	i := int(at.Sub(t.job.Start) / t.run.window)
	return &t.windows[max(0, min(i, len(t.windows)-1))]
}

// listing notes what a listing says of the windows that it covers.
func (t *tally) listing(l walk.Listing) {
	first := t.at(l.Start)
	first.ListCalls += uint32(l.Calls)
	first.Pages += uint32(l.Pages)
	t.run.progress.ListCalls.Add(int64(l.Calls))
	for i := range t.windows {
		w := &t.windows[i]
		if !w.Start.Before(l.End) || !l.Start.Before(w.End) {
			continue
		}
		if w.ListingStart.IsZero() {
			w.ListingStart = l.Start
		}
		w.ListingEnd = l.End
		w.TotalFirst += uint32(l.First)
		w.TotalLast += uint32(l.Last)
		if l.Err != nil && worse(l.Verdict, w.Verdict) {
			w.Verdict, w.Error = l.Verdict, l.Err.Error()
		}
	}
}

// doubt says why a window is short though it was listed whole.
func (t *tally) doubt(w *schema.Window, why string) {
	if worse(schema.Short, w.Verdict) {
		w.Verdict, w.Error = schema.Short, why
	}
}

func worse(a, b schema.Verdict) bool {
	rank := map[schema.Verdict]int{schema.Short: 1, schema.Failed: 2}
	return rank[a] > rank[b]
}

// order counts an order that is stored, or is about to be.
func (t *tally) order(o *schema.Order, items uint32, status string) {
	w := t.at(o.CreateTime)
	w.Listed++
	w.Stored++
	w.Items += items
	w.IDDigest ^= schema.Digest(o.OrderID)
	if status != schema.DetailOK {
		w.Pending++
	}
}

// detail counts an order whose detail was asked for.
func (t *tally) detail(res enrich.Result) {
	t.order(res.Order, res.Order.ItemCount, res.Order.DetailStatus)
	t.at(res.Order.CreateTime).DetailCalls++
}

// done closes the windows that the listing completes and gives their ledger rows.
func (t *tally) done(ctx context.Context, l walk.Listing) ([]schema.Window, error) {
	var out []schema.Window
	last := !l.End.Before(t.job.Clip(window.Interval{Start: t.job.Start, End: t.run.now}).End)
	first := t.next
	var starts []time.Time
	for t.next < len(t.windows) && (last || !t.windows[t.next].End.After(l.End)) {
		starts = append(starts, t.windows[t.next].Start)
		t.next++
	}
	if err := t.gone(ctx, t.windows[first:t.next]); err != nil {
		return nil, err
	}
	rejected, err := t.run.open.rejected(ctx, starts...)
	if err != nil {
		return nil, err
	}
	for _, w := range t.windows[first:t.next] {
		if w.Verdict == schema.Complete {
			t.run.wholeWindow(w.Start)
		}
		w.Rejected = rejected[w.Start.Unix()]
		if w.Verdict == schema.Complete && w.End.Add(t.run.settle).After(t.run.past()) {
			w.Verdict = schema.Open
		}
		prior := t.job.prior[w.Start.Unix()]
		if missing := t.missing[w.Start.Unix()]; len(missing) > 0 && w.Verdict != schema.Short && w.Verdict != schema.Failed {
			w.FinishedAt, w.Version = t.run.clock(), nextVersion(prior.Version)
			t.run.deferWindow(deferred{row: w, job: t.job, missing: missing})
			continue
		}
		if w.Verdict == schema.Short || w.Verdict == schema.Failed {
			w.Attempts = prior.Attempts + 1
		}
		w.FinishedAt = t.run.clock()
		w.Version = nextVersion(prior.Version)
		t.run.closed(ctx, w)
		if w.Verdict == schema.Failed {
			if prior.Verdict == schema.Complete {
				// The source did not answer today: that takes nothing away from what is stored and proven.
				continue
			}
			w.Listed, w.Stored, w.Items, w.IDDigest = max(w.Listed, prior.Listed), prior.Stored, prior.Items, prior.IDDigest
		}
		out = append(out, w)
	}
	return out, nil
}

// gone resolves the rejects of windows that were listed whole and did not show them any more.
func (t *tally) gone(ctx context.Context, windows []schema.Window) error {
	var out []schema.Reject
	for _, w := range windows {
		m := t.met[w.Start.Unix()]
		if m == nil {
			m = new(meeting)
		}
		delete(t.met, w.Start.Unix())
		if w.Verdict != schema.Complete {
			continue
		}
		gone, err := t.run.open.gone(ctx, w.Start, m.ids, m.before, t.run.now)
		if err != nil {
			return err
		}
		out = append(out, gone...)
	}
	return t.run.commit(schema.Batch{Rejects: out})
}
