package stream

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// recount corrects what the ledger says of items, rejects and pending orders after single orders were fetched.
// The ids and their digest stay what the listing saw: they are the evidence that the stored orders are held against.
func (r *Run) recount(ctx context.Context, touched map[time.Time]bool) error {
	if len(touched) == 0 {
		return nil
	}
	if err := r.Commits.Flush(); err != nil {
		return err
	}
	var all window.Interval
	for start := range touched {
		if !start.IsZero() { // of a reject that nobody knows the time of
			all = all.Extend(window.At(start, r.Window))
		}
	}
	counts, err := r.Store.Counts(ctx, r.Stream.Stream, r.Window, all.Start, all.End)
	if err != nil {
		return err
	}
	rejects, err := r.Rejects.rejected(ctx, slices.Collect(maps.Keys(touched))...)
	if err != nil {
		return err
	}
	return r.Correct(ctx, all, func(w *schema.Window) {
		if c := counts[w.Start.UTC()]; touched[w.Start.UTC()] {
			w.Items, w.Pending, w.Rejected = c.Items, c.Pending, rejects[w.Start.Unix()]
		}
	})
}

// Correct writes those of the ledger's rows of a range that are changed. One that was listed with other filters proves nothing
// that could be corrected.
func (r *Run) Correct(ctx context.Context, iv window.Interval, change func(*schema.Window)) error {
	ledger, err := r.Store.Windows(ctx, r.Stream.Stream, iv.Start, iv.End)
	if err != nil {
		return err
	}
	var out schema.Batch
	for _, w := range ledger {
		if w.Verdict == "" {
			continue
		}
		before := w
		if change(&w); w != before {
			w.Version = NextVersion(w.Version)
			out.Windows = append(out.Windows, w)
		}
	}
	return r.Commits.Add(out)
}

// Detailed records how old the details of some windows, sorted, are.
func (r *Run) Detailed(ctx context.Context, windows []window.Interval) error {
	if len(windows) == 0 {
		return nil
	}
	if err := r.Commits.Flush(); err != nil {
		return err
	}
	for _, iv := range window.Ranges(windows) {
		ages, err := r.Store.DetailAges(ctx, r.Stream.Stream, r.Window, iv.Start, iv.End)
		if err != nil {
			return err
		}
		if err := r.Correct(ctx, iv, func(w *schema.Window) {
			for _, a := range ages {
				if a.Start.Equal(w.Start) && !a.DetailedAt.Equal(w.DetailedAt) {
					w.DetailedAt = a.DetailedAt
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// Compared records that all list rows of some windows, which lie close together, were compared with the stored ones since the run began.
func (r *Run) Compared(ctx context.Context, windows []window.Interval) error {
	if len(windows) == 0 {
		return nil
	}
	return r.Correct(ctx, windows[0].Extend(windows[len(windows)-1]), func(w *schema.Window) {
		if w.Listing().Before(r.Now) && slices.Contains(windows, window.Of(*w)) {
			w.ListedAt = r.Now
		}
	})
}

// windowCounter adds up the ledger rows of one range while its listings are worked off, in the order of time. One goroutine uses
// it.
type windowCounter struct {
	run     *Run
	job     Job
	windows []schema.Window
	next    int                         // the first window that is not closed
	missing map[int64][]schema.OrderRef // stored and not listed, by the window's start, in Unix seconds
	met     map[int64]*meeting          // rejects that were listed, likewise
	held    map[string]bool             // ids of the orders whose rejects count as them
}

// meeting is which rejects the listings of a window showed.
type meeting struct {
	ids    map[uint64]bool // digests
	before int             // how many of them were exact rejects of the window before
}

// meet notes that a listing shows a reject; v is what is known of it. It is to be called before the reject is changed.
func (t *windowCounter) meet(start time.Time, v *RejectView, id string) {
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

func newWindowCounter(r *Run, j Job) *windowCounter {
	t := &windowCounter{run: r, job: j, missing: map[int64][]schema.OrderRef{}, met: map[int64]*meeting{}, held: map[string]bool{}}
	started := r.clock()
	for _, iv := range j.Tile(r.Window) {
		t.windows = append(t.windows, schema.Window{
			Stream: r.Stream.Stream, Start: iv.Start, End: iv.End, Filters: r.Stream.Filters.String(), Verdict: schema.Complete, StartedAt: started,
		})
	}
	if j.again { // its calls are this window's, too
		w := &t.windows[0]
		w.StartedAt, w.ListCalls, w.Pages, w.DetailCalls = j.first.StartedAt, j.first.ListCalls, j.first.Pages, j.first.DetailCalls
	}
	return t
}

// at finds the window of a time inside the range.
func (t *windowCounter) at(at time.Time) *schema.Window {
	i := int(at.Sub(t.job.Start) / t.run.Window)
	return &t.windows[max(0, min(i, len(t.windows)-1))]
}

// listing notes what a listing says of the windows that it covers.
func (t *windowCounter) listing(l walk.Listing) {
	first := t.at(l.Start)
	first.ListCalls += uint32(l.Calls)
	first.Pages += uint32(l.Pages)
	t.run.Progress.ListCalls.Add(int64(l.Calls))
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

// doubt says why a window is short though it was listed completely.
func (t *windowCounter) doubt(w *schema.Window, why string) {
	if worse(schema.Short, w.Verdict) {
		w.Verdict, w.Error = schema.Short, why
	}
}

func worse(a, b schema.Verdict) bool {
	rank := map[schema.Verdict]int{schema.Short: 1, schema.Failed: 2}
	return rank[a] > rank[b]
}

// order counts an order that is stored, or is about to be, whose detail is not older than a time.
func (t *windowCounter) order(o *schema.Order, items uint32, status string, fetched time.Time) {
	w := t.at(o.CreateTime)
	w.Listed++
	w.Stored++
	w.Items += items
	w.IDDigest ^= schema.Digest(o.OrderID)
	switch {
	case status != schema.DetailOK:
		w.Pending++
	case w.DetailedAt.IsZero() || fetched.Before(w.DetailedAt):
		w.DetailedAt = fetched
	}
}

// hold counts an order that stays as it is stored, since the row that was listed of it cannot be read.
func (t *windowCounter) hold(id string, k schema.Known) {
	t.held[id] = true
	t.order(&schema.Order{OrderID: id, CreateTime: k.CreateTime}, k.ItemCount, k.DetailStatus, k.FetchedAt)
}

// detail counts an order whose detail was asked for.
func (t *windowCounter) detail(res enrich.Result) {
	t.order(res.Order, res.Order.ItemCount, res.Order.DetailStatus, res.Order.FetchedAt)
	t.at(res.Order.CreateTime).DetailCalls++
}

// done closes the windows that the listing completes and returns their ledger rows.
func (t *windowCounter) done(ctx context.Context, l walk.Listing) ([]schema.Window, error) {
	var out []schema.Window
	last := !l.End.Before(t.job.Until(t.run.Now).End)
	first := t.next
	var starts []time.Time
	for t.next < len(t.windows) && (last || !t.windows[t.next].End.After(l.End)) {
		starts = append(starts, t.windows[t.next].Start)
		t.next++
	}
	if err := t.gone(ctx, t.windows[first:t.next]); err != nil {
		return nil, err
	}
	rejected, err := t.run.Rejects.rejected(ctx, starts...)
	if err != nil {
		return nil, err
	}
	for _, w := range t.windows[first:t.next] {
		if w.Verdict == schema.Complete {
			t.run.completed(w.Start)
		}
		w.Rejected = rejected[w.Start.Unix()]
		if w.Verdict == schema.Complete && w.End.Add(t.run.Lateness).After(t.run.Past()) {
			w.Verdict = schema.Open
		}
		prior := t.job.prior[w.Start.Unix()]
		// Both are no later than any detail of the window: the rows do not tell of fetches that found nothing new.
		if d := prior.DetailedAt; !d.IsZero() && (!Sound(w) || !w.DetailedAt.IsZero() && d.After(w.DetailedAt)) {
			w.DetailedAt = d
		}
		if missing := t.missing[w.Start.Unix()]; len(missing) > 0 && w.Verdict != schema.Short && w.Verdict != schema.Failed {
			w.FinishedAt, w.Version = t.run.clock(), NextVersion(prior.Version)
			w.ListedAt = w.FinishedAt
			t.run.missing.deferWindow(deferred{row: w, job: t.job, missing: missing})
			continue
		}
		if w.Verdict == schema.Short || w.Verdict == schema.Failed {
			w.Attempts = prior.Attempts + 1
		}
		w.FinishedAt = t.run.clock()
		if w.ListedAt = w.FinishedAt; !Sound(w) {
			w.ListedAt = prior.Listing()
		}
		w.Version = NextVersion(prior.Version)
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

// gone resolves the rejects of windows that were listed completely and did not show them any more.
func (t *windowCounter) gone(ctx context.Context, windows []schema.Window) error {
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
		gone, err := t.run.Rejects.gone(ctx, w.Start, m.ids, m.before, t.run.Now)
		if err != nil {
			return err
		}
		out = append(out, gone...)
	}
	return t.run.Commit(schema.Batch{Rejects: out})
}
