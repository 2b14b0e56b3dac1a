package stream

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// maxCounts is how many counts may be asked for in search of what differs. A vendor that does not count what it lists differs
// everywhere, and is listed.
const maxCounts = 64

// Lookback is the lookback of a scheduled run that is not listed whole.
type Lookback struct {
	run     *Run
	rows    map[int64]schema.Window  // the ledger's, by start
	Windows []window.Interval        // that are not due
	touched map[window.Interval]bool // windows of which something was listed: they get a new row
	Due     map[window.Interval]bool // windows to be listed whole
	calls   uint32                   // list calls that are in no row yet
	counts  int                      // that were asked for in search of what differs
}

// NewLookback begins with the ledger's rows of the lookback, by their windows' start in Unix seconds.
func NewLookback(r *Run, rows map[int64]schema.Window) *Lookback {
	return &Lookback{run: r, rows: rows, touched: map[window.Interval]bool{}, Due: map[window.Interval]bool{}}
}

// Add adds a window that need not be listed whole.
func (l *Lookback) Add(w window.Interval) {
	l.touched[w] = l.rows[w.Start.Unix()].Verdict == schema.Open // it may be over now
	l.Windows = append(l.Windows, w)
}

// Bring stores what is new, finds what differs, and writes the ledger rows of the windows that were brought up to date so.
func (l *Lookback) Bring(ctx context.Context, fresh window.Interval) error {
	ctx = source.WithPriority(ctx, source.Live)
	if err := l.list(ctx, fresh); err != nil {
		return err
	}
	ranges := l.ranges(fresh.End)
	equal := true
	for _, iv := range ranges {
		same, _, err := l.counted(ctx, iv, iv)
		if err != nil {
			return err
		}
		equal = equal && same
	}
	if !equal {
		if err := l.list(ctx, window.Interval{Start: fresh.Start.Add(-l.run.Lateness), End: fresh.Start}); err != nil {
			return err
		}
		for _, iv := range ranges {
			differ, err := l.differing(ctx, iv, iv, false)
			if err != nil {
				return err
			}
			for _, part := range differ {
				if err := l.list(ctx, part); err != nil {
					return err
				}
			}
		}
	}
	for _, w := range l.Windows {
		over := !w.End.Add(l.run.Lateness).After(l.run.Past())
		if !l.touched[w] || l.Due[w] || !over {
			continue
		}
		for _, iv := range ranges {
			if part := w.Clip(iv); !part.Empty() {
				same, _, err := l.counted(ctx, part, iv)
				if err != nil {
					return err
				}
				if !same {
					l.Due[w] = true
				}
			}
		}
	}
	return l.write(ctx, fresh.End)
}

// ranges joins the windows that are not due, up to a time.
func (l *Lookback) ranges(end time.Time) (out window.Set) {
	for _, w := range l.Windows {
		if w = w.Until(end); !w.Empty() {
			out.Add(w)
		}
	}
	return out
}

// list lists a part of the lookback and stores what is new there. Where the listing is not complete, or does not show all that
// is stored of it, its windows are due. The rows are committed when it returns.
func (l *Lookback) list(ctx context.Context, iv window.Interval) error {
	windows := slices.DeleteFunc(iv.Tile(l.run.Window), func(w window.Interval) bool { return !slices.Contains(l.Windows, w) })
	if len(windows) == 0 || iv.Empty() {
		return nil
	}
	r, complete := l.run, true
	t := newWindowCounter(r, Job{Interval: iv.Align(l.run.Window)}) // whose windows stay open here: they are seen in part
	for part, err := range r.Walker().Walk(ctx, iv) {
		if err != nil {
			return err
		}
		l.calls += uint32(part.Calls)
		r.Progress.ListCalls.Add(int64(part.Calls))
		if part.Verdict != schema.Complete {
			complete = false
			if err := r.alive(part); err != nil {
				return err
			}
			continue
		}
		if err := r.store(ctx, &part, t); err != nil {
			return err
		}
	}
	for _, w := range windows {
		l.touched[w] = true
		if !complete || len(t.missing[w.Start.Unix()]) > 0 {
			l.Due[w] = true
		}
	}
	for _, w := range t.windows {
		l.run.Count(func(s *Outcome) { s.Details += int(w.DetailCalls) })
	}
	return l.run.Commits.Flush()
}

// counted asks for the count of an interval of a range and reports whether it is that of the stored orders, and how many
// these are. Where the source may count no further its halves are counted as well.
func (l *Lookback) counted(ctx context.Context, iv, within window.Interval) (equal bool, stored int, err error) {
	c, err := l.run.AskCount(ctx, iv, within)
	if !c.Asked.Empty() {
		l.calls++
	}
	a, b, ok := iv.Halve(l.run.Window)
	if err != nil || !c.Agrees || c.Exact || !ok {
		return c.Agrees && c.Exact, c.Stored, err
	}
	for _, half := range []window.Interval{a, b} {
		if equal, _, err = l.counted(ctx, half, within); err != nil || !equal {
			return false, c.Stored, err
		}
	}
	return true, c.Stored, nil
}

// differing finds the parts of an interval of a range whose counts are not those of the stored orders: small ones, which a
// call or two list. known says that the interval differs.
func (l *Lookback) differing(ctx context.Context, iv, within window.Interval, known bool) ([]window.Interval, error) {
	a, b, ok := iv.Halve(l.run.Window)
	if l.counts++; l.counts > maxCounts {
		for _, w := range iv.Tile(l.run.Window) {
			l.Due[w] = true
		}
		return nil, nil
	}
	if !known {
		equal, stored, err := l.counted(ctx, iv, within)
		if err != nil || equal {
			return nil, err
		}
		if ok = ok && (iv.End.Sub(iv.Start) > l.run.Window || stored > l.run.Stream.PageSize); !ok {
			return []window.Interval{iv}, nil
		}
	}
	if !ok {
		return []window.Interval{iv}, nil
	}
	first, err := l.differing(ctx, a, within, false)
	if err != nil {
		return nil, err
	}
	// Where the first half is right the second is not, and need not be counted.
	second, err := l.differing(ctx, b, within, len(first) == 0 && !l.Due[a])
	return append(first, second...), err
}

// write writes the ledger rows of the windows that were listed in part and that the source counts as they are stored.
func (l *Lookback) write(ctx context.Context, end time.Time) error {
	var windows []window.Interval
	for _, w := range l.Windows {
		if l.touched[w] && !l.Due[w] {
			windows = append(windows, w)
		}
	}
	if len(windows) == 0 {
		l.run.Count(func(s *Outcome) { s.ListCalls += int(l.calls) })
		return nil
	}
	counts, err := l.run.Store.Counts(ctx, l.run.Stream.Stream, l.run.Window, windows[0].Start, windows[len(windows)-1].End)
	if err != nil {
		return err
	}
	rejects, err := l.run.Rejects.Sums(ctx, Starts(windows)...)
	if err != nil {
		return err
	}
	held, err := l.run.Rejects.Held(ctx, rejects)
	if err != nil {
		return err
	}
	var out schema.Batch
	for _, iv := range windows {
		prior, known := l.rows[iv.Start.Unix()]
		w, c := prior, counts[iv.Start.UTC()]
		if !known {
			w = schema.Window{Stream: l.run.Stream.Stream, Start: iv.Start, End: iv.End, Filters: l.run.Stream.Filters.String(), ListingStart: iv.Start}
		}
		w.Stored, w.Items, w.Pending, w.IDDigest = c.Stored, c.Items, c.Pending, c.IDDigest
		j := rejects[iv.Start.Unix()]
		w.Rejected, w.Listed = uint32(j.List+j.Item), c.Stored+uint32(j.List-held[iv.Start.Unix()])
		w.TotalFirst, w.TotalLast = w.Listed, w.Listed
		w.ListingEnd, w.ListCalls, w.Pages, w.DetailCalls, w.Attempts = iv.Until(end).End, l.calls, 0, 0, 0
		l.calls = 0
		w.StartedAt, w.FinishedAt, w.Version = l.run.Now, l.run.clock(), NextVersion(prior.Version)
		if !known {
			w.ListedAt = w.FinishedAt // all of it was listed
		}
		if prior.Stored == 0 && w.Stored > 0 {
			w.DetailedAt = l.run.Now // all its details were fetched since
		}
		w.Verdict = schema.Complete
		if w.End.Add(l.run.Lateness).After(l.run.Past()) {
			w.Verdict = schema.Open
		}
		l.run.Progress.Plan(1)
		l.run.closed(ctx, w)
		out.Windows = append(out.Windows, w)
	}
	return l.run.Commits.Add(out)
}

// Sound reports whether all orders of a window that there were at its listing's end are stored.
func Sound(w schema.Window) bool { return w.Verdict == schema.Complete || w.Verdict == schema.Open }
