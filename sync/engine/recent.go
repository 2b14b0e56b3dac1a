package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
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
	// besidePages is how many list calls a range of up to a day takes beside its full pages: its last page is not full, and its
	// first is read twice.
	besidePages = 2
)

// recent is what a scheduled run has to do in the lookback.
type recent struct {
	due    []window.Interval // windows to be listed whole at once
	later  []window.Interval // windows to be listed whole behind everything else
	ledger []schema.Window   // of the lookback

	unlisted bool // not all of the lookback is listed whole at once: the unpaid have to be reconciled there, too
}

// recent brings in what is new in the lookback, and finds out which of its windows are to be listed whole.
func (e *Engine) recent(ctx context.Context, r *stream.Run, live window.Interval) (recent, error) {
	ledger, err := r.Store.Windows(ctx, r.Stream.Stream, live.Start, live.End)
	if err != nil {
		return recent{}, err
	}
	rows := make(map[int64]schema.Window, len(ledger))
	var newest schema.Window
	for _, w := range ledger {
		rows[w.Start.Unix()] = w
		if stream.Sound(w) && w.Start.After(newest.Start) {
			newest = w
		}
	}
	calls := e.extra.earned(r.Stream, r.Now, newest.ListingEnd, e.Lookback)
	all := live.Tile(r.Window)
	if cost := listingCost(r.Stream.PageSize, all, rows); newest.Start.IsZero() || cost <= max(calls, cheapLookback) {
		e.extra.spent(r.Stream, cost)
		return recent{due: all, ledger: ledger}, nil
	}
	l := stream.NewLookback(r, rows)
	fresh := window.Interval{Start: newest.ListingEnd.Truncate(time.Second), End: r.Now.Truncate(time.Second)}
	// After a long time without a run each window since then is listed completely, many at a time.
	long := fresh.End.Sub(fresh.Start) > r.Window
	// A row that could not become an order comes again only where its window is listed.
	again := r.Rejects.Due(r.Now, live.End)
	for _, w := range all {
		row, known := rows[w.Start.Unix()]
		switch {
		case !w.Start.Before(fresh.End):
		case again[w.Start.Unix()], known && !stream.Sound(row), w.End.After(fresh.Start) && long, !w.End.After(fresh.Start) && row.ListingEnd.Before(w.End):
			l.Due[w] = true
		default:
			l.Add(w)
		}
	}
	if err := l.Bring(ctx, fresh); err != nil {
		return recent{}, err
	}
	p := recent{ledger: ledger, unlisted: true, due: slices.SortedFunc(maps.Keys(l.Due), stream.Earliest)}
	p.later = e.inTurn(r, slices.DeleteFunc(l.Windows, func(w window.Interval) bool {
		return l.Due[w] || rows[w.Start.Unix()].Verdict != schema.Complete
	}), rows, calls)
	return p, nil
}

// listingCost estimates the list calls that it takes to list windows whole.
func listingCost(size int, windows []window.Interval, rows map[int64]schema.Window) float64 {
	orders := 0
	for _, w := range windows {
		orders += int(rows[w.Start.Unix()].Listed)
	}
	return float64(orders)/float64(max(1, size)) + besidePages*float64(len(window.Ranges(windows)))
}

// inTurn chooses which windows are listed whole again, as far as the calls that were earned go: those first that were not for
// the longest time, and of equal ones the youngest.
func (e *Engine) inTurn(r *stream.Run, turn []window.Interval, rows map[int64]schema.Window, calls float64) []window.Interval {
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
		at, _ := slices.BinarySearchFunc(out, w, stream.Earliest)
		next := slices.Insert(out, at, w)
		c := listingCost(r.Stream.PageSize, next, rows)
		if c > calls {
			out = slices.Delete(next, at, at+1)
			break
		}
		out, cost = next, c
	}
	e.extra.spent(r.Stream, cost)
	return out
}

// allowance keeps, by stream, how many list calls were earned for listing again what is thought to be right. What a run could not
// use, because the next window takes more, is left for the next one.
type allowance struct {
	mu   sync.Mutex
	left map[schema.Stream]float64
	at   map[schema.Stream]time.Time // of the last run of this process
}

// earned adds what the time since the last run has brought, and returns all that there is. A process that has just begun
// takes the end of the newest listing for the last run.
func (a *allowance) earned(s stream.Stream, now, newest time.Time, lookback time.Duration) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == nil {
		a.left, a.at = map[schema.Stream]float64{}, map[schema.Stream]time.Time{}
	}
	last, known := a.at[s.Stream]
	if !known {
		last = newest
	}
	a.at[s.Stream] = now
	if s.ListQuota <= 0 {
		a.left[s.Stream] = 1e9 // no bound: everything is cheap
	} else if !last.IsZero() {
		rate := s.ListQuota * comparedShare
		a.left[s.Stream] = min(a.left[s.Stream]+rate*max(0, now.Sub(last).Seconds()), rate*lookback.Seconds())
	}
	return a.left[s.Stream]
}

func (a *allowance) spent(s stream.Stream, calls float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left[s.Stream] = max(0, a.left[s.Stream]-calls)
}
