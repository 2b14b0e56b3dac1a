package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// A scheduled run costs what changed, whatever the lookback holds. Where listing the lookback whole is cheap, it is listed
// whole. Where it is not, as that of 100,000 orders a day, whose 5,000 pages take longer than the time between two runs:
//
//   - what was created since the last run is listed;
//   - the source is asked for the count of the whole lookback, which is one call. Where it is not that of the stored orders,
//     what came late is listed, and then the halves are counted, down to what is listed with a call or two;
//   - a window is closed by a count of its own: two errors must not make each other good;
//   - a count does not see an order that changed, or that went while another one came. The unpaid are reconciled over the
//     lookback too, and the windows of the lookback are listed whole in turn, behind everything else, those first that were not
//     for the longest time.

const (
	// comparedShare is the part of the list quota that goes into listing again what is thought to be right.
	comparedShare = 0.1
	// cheapLookback is how many list calls a lookback may take that is listed whole whatever the quota: not more than the
	// calls that find out what changed in it.
	cheapLookback = 4
	// maxCounts is how many counts may be asked for in search of what differs. A vendor that does not count what it lists
	// differs everywhere, and is listed.
	maxCounts = 64
)

// recent is what a scheduled run has to do in the lookback.
type recent struct {
	due    []window.Interval // windows to be listed whole at once
	later  []window.Interval // windows to be listed whole behind everything else
	ledger []schema.Window   // of the lookback

	unlisted bool // not all of the lookback is listed whole at once: the unpaid have to be reconciled there, too
}

// recent brings in what is new in the lookback, and finds out which of its windows are to be listed whole.
func (r *streamRun) recent(ctx context.Context, live window.Interval) (recent, error) {
	ledger, err := r.store.Windows(ctx, r.stream.Stream, live.Start, live.End)
	if err != nil {
		return recent{}, err
	}
	rows := make(map[int64]schema.Window, len(ledger))
	var newest schema.Window
	for _, w := range ledger {
		rows[w.Start.Unix()] = w
		if sound(w) && w.Start.After(newest.Start) {
			newest = w
		}
	}
	calls := r.turns.earned(r.stream, r.now, newest.ListingEnd, r.Lookback)
	all := live.Tile(r.Window)
	if cost := r.listingCost(all, rows); newest.Start.IsZero() || cost <= max(calls, cheapLookback) {
		r.turns.spent(r.stream, cost)
		return recent{due: all, ledger: ledger}, nil
	}
	l := lookback{streamRun: r, rows: rows, touched: map[window.Interval]bool{}, due: map[window.Interval]bool{}}
	fresh := window.Interval{Start: newest.ListingEnd.Truncate(time.Second), End: r.now.Truncate(time.Second)}
	// After a long time without a run each window since then is listed whole, by the walk, many at a time.
	long := fresh.End.Sub(fresh.Start) > r.Window
	// A row that could not become an order can only be had again by listing its window.
	again := r.open.due(r.now, live.End)
	for _, w := range all {
		row, known := rows[w.Start.Unix()]
		switch {
		case !w.Start.Before(fresh.End):
		case again[w.Start.Unix()], known && !sound(row), w.End.After(fresh.Start) && long, !w.End.After(fresh.Start) && row.ListingEnd.Before(w.End):
			l.due[w] = true
		default:
			l.touched[w] = row.Verdict == schema.Open // it may be over now
			l.windows = append(l.windows, w)
		}
	}
	if err := l.update(ctx, fresh); err != nil {
		return recent{}, err
	}
	p := recent{ledger: ledger, unlisted: true, due: slices.SortedFunc(maps.Keys(l.due), earliest)}
	p.later = r.inTurn(slices.DeleteFunc(l.windows, func(w window.Interval) bool {
		return l.due[w] || rows[w.Start.Unix()].Verdict != schema.Complete
	}), rows, calls)
	return p, nil
}

// lookback is the lookback of a scheduled run that is not listed whole.
type lookback struct {
	*streamRun
	rows    map[int64]schema.Window  // the ledger's, by start
	windows []window.Interval        // that are not due
	touched map[window.Interval]bool // windows of which something was listed: they get a new row
	due     map[window.Interval]bool // windows to be listed whole
	calls   uint32                   // list calls that are in no row yet
	counts  int                      // that were asked for in search of what differs
}

// update stores what is new, finds what differs, and writes the ledger rows of the windows that were brought up to date so.
func (l *lookback) update(ctx context.Context, fresh window.Interval) error {
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
		if err := l.list(ctx, window.Interval{Start: fresh.Start.Add(-l.Settle), End: fresh.Start}); err != nil {
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
	for _, w := range l.windows {
		over := !w.End.Add(l.Settle).After(l.past())
		if !l.touched[w] || l.due[w] || !over {
			continue
		}
		for _, iv := range ranges {
			if part := w.Clip(iv); !part.Empty() {
				same, _, err := l.counted(ctx, part, iv)
				if err != nil {
					return err
				}
				if !same {
					l.due[w] = true
				}
			}
		}
	}
	return l.write(ctx, fresh.End)
}

// ranges joins the windows that are not due, up to a time.
func (l *lookback) ranges(end time.Time) (out []window.Interval) {
	for _, w := range l.windows {
		if w = w.Clip(window.Interval{Start: w.Start, End: end}); !w.Empty() {
			out = join(out, w)
		}
	}
	return out
}

// list lists a part of the lookback and stores what is new there. Where the listing is not complete, or does not show all that
// is stored of it, its windows are due. The rows are committed when it returns.
func (l *lookback) list(ctx context.Context, iv window.Interval) error {
	windows := slices.DeleteFunc(iv.Align(l.Window).Tile(l.Window), func(w window.Interval) bool { return !slices.Contains(l.windows, w) })
	if len(windows) == 0 || iv.Empty() {
		return nil
	}
	complete := true
	t := newTally(l.streamRun, job{Interval: iv.Align(l.Window)}) // whose windows stay open here: they are seen in part
	err := l.walker().Walk(ctx, iv, func(part walk.Listing) error {
		l.calls += uint32(part.Calls)
		l.progress.ListCalls.Add(int64(part.Calls))
		if part.Verdict != schema.Complete {
			complete = false
			return l.alive(part)
		}
		return l.bring(ctx, &part, t)
	})
	if err != nil {
		return err
	}
	for _, w := range windows {
		l.touched[w] = true
		if !complete || len(t.missing[w.Start.Unix()]) > 0 {
			l.due[w] = true
		}
	}
	for _, w := range t.windows {
		l.sumUp(func(s *StreamSummary) { s.Details += int(w.DetailCalls) })
	}
	return l.commits.flush()
}

// counted asks for the count of an interval of a range and reports whether it is that of the stored orders, and how many
// these are.
func (l *lookback) counted(ctx context.Context, iv, within window.Interval) (equal bool, stored int, err error) {
	asked, least, most, err := l.question(ctx, iv, within)
	if err != nil {
		return false, 0, err
	}
	if asked.Empty() {
		return true, most, nil
	}
	total, err := l.stream.total(ctx, asked)
	l.calls++
	l.progress.ListCalls.Add(1)
	return err == nil && least <= total && total <= most, most, err
}

// differing finds the parts of an interval of a range whose counts are not those of the stored orders: small ones, which a
// call or two list. known says that the interval differs.
func (l *lookback) differing(ctx context.Context, iv, within window.Interval, known bool) ([]window.Interval, error) {
	a, b, ok := iv.Halve(l.Window)
	if l.counts++; l.counts > maxCounts {
		for _, w := range iv.Align(l.Window).Tile(l.Window) {
			l.due[w] = true
		}
		return nil, nil
	}
	if !known {
		equal, stored, err := l.counted(ctx, iv, within)
		if err != nil || equal {
			return nil, err
		}
		if ok = ok && (iv.End.Sub(iv.Start) > l.Window || stored > l.stream.PageSize); !ok {
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
	second, err := l.differing(ctx, b, within, len(first) == 0 && !l.due[a])
	return append(first, second...), err
}

// write writes the ledger rows of the windows that were listed in part and that the source counts as they are stored.
func (l *lookback) write(ctx context.Context, end time.Time) error {
	var windows []window.Interval
	for _, w := range l.windows {
		if l.touched[w] && !l.due[w] {
			windows = append(windows, w)
		}
	}
	if len(windows) == 0 {
		l.sumUp(func(s *StreamSummary) { s.ListCalls += int(l.calls) })
		return nil
	}
	counts, err := l.store.Counts(ctx, l.stream.Stream, l.Window, windows[0].Start, windows[len(windows)-1].End)
	if err != nil {
		return err
	}
	rejects, err := l.open.sums(ctx, starts(windows)...)
	if err != nil {
		return err
	}
	var out schema.Batch
	for _, iv := range windows {
		prior, known := l.rows[iv.Start.Unix()]
		w, c := prior, counts[iv.Start.UTC()]
		if !known {
			w = schema.Window{Stream: l.stream.Stream, Start: iv.Start, End: iv.End, Filters: l.stream.Filters.String(), ListingStart: iv.Start}
		}
		w.Stored, w.Items, w.Pending, w.IDDigest = c.Stored, c.Items, c.Pending, c.IDDigest
		j := rejects[iv.Start.Unix()]
		w.Rejected, w.Listed = uint32(j.List+j.Item), c.Stored+uint32(j.List)
		w.TotalFirst, w.TotalLast = w.Listed, w.Listed
		w.ListingEnd, w.ListCalls, w.Pages, w.DetailCalls, w.Attempts = earlier(iv.End, end), l.calls, 0, 0, 0
		l.calls = 0
		w.StartedAt, w.FinishedAt, w.Version = l.now, l.clock(), nextVersion(prior.Version)
		if !known {
			w.ListedAt = w.FinishedAt // all of it was listed
		}
		w.Verdict = schema.Complete
		if w.End.Add(l.Settle).After(l.past()) {
			w.Verdict = schema.Open
		}
		l.progress.plan(1)
		l.closed(ctx, w)
		out.Windows = append(out.Windows, w)
	}
	return l.commits.add(out)
}

// sound reports whether all orders of a window that there were at its listing's end are stored.
func sound(w schema.Window) bool { return w.Verdict == schema.Complete || w.Verdict == schema.Open }

// listingCost estimates the list calls that it takes to list windows whole.
func (r *streamRun) listingCost(windows []window.Interval, rows map[int64]schema.Window) float64 {
	orders := 0
	for _, w := range windows {
		orders += int(rows[w.Start.Unix()].Listed)
	}
	// The last page is not full, and the first is read twice.
	return float64(orders)/float64(max(1, r.stream.PageSize)) + 2*float64(len(window.Spans(windows)))
}

// inTurn chooses which windows are listed whole again, as far as the calls that were earned go: those first that were not for
// the longest time, and of equal ones the youngest.
func (r *streamRun) inTurn(turn []window.Interval, rows map[int64]schema.Window, calls float64) []window.Interval {
	listed := func(w window.Interval) time.Time { return rows[w.Start.Unix()].Listing() }
	slices.SortFunc(turn, func(a, b window.Interval) int {
		if c := listed(a).Compare(listed(b)); c != 0 {
			return c
		}
		return b.Start.Compare(a.Start)
	})
	var out []window.Interval
	cost := 0.0
	for _, w := range turn {
		at, _ := slices.BinarySearchFunc(out, w, earliest)
		next := slices.Insert(out, at, w)
		c := r.listingCost(next, rows)
		if c > calls {
			out = slices.Delete(next, at, at+1)
			break
		}
		out, cost = next, c
	}
	r.turns.spent(r.stream, cost)
	return out
}

// turns keeps, by stream, how many list calls were earned for listing again what is thought to be right. What a run could not
// use, because the next window takes more, is left for the next one.
type turns struct {
	mu   sync.Mutex
	left map[schema.Stream]float64
	at   map[schema.Stream]time.Time // of the last run of this process
}

// earned adds what the time since the last run has brought, and returns all that there is. A process that has just begun
// takes the end of the newest listing for the last run.
func (t *turns) earned(s Stream, now, newest time.Time, lookback time.Duration) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == nil {
		t.left, t.at = map[schema.Stream]float64{}, map[schema.Stream]time.Time{}
	}
	last, known := t.at[s.Stream]
	if !known {
		last = newest
	}
	t.at[s.Stream] = now
	if s.ListQuota <= 0 {
		t.left[s.Stream] = 1e9 // no bound: everything is cheap
	} else if !last.IsZero() {
		rate := s.ListQuota * comparedShare
		t.left[s.Stream] = min(t.left[s.Stream]+rate*max(0, now.Sub(last).Seconds()), rate*lookback.Seconds())
	}
	return t.left[s.Stream]
}

func (t *turns) spent(s Stream, calls float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left[s.Stream] = max(0, t.left[s.Stream]-calls)
}
