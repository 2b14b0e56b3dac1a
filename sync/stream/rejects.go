package stream

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// A vendor that changes a format makes a reject of every order. So a run holds no list of the rejects of its stream. It knows
// their numbers by window, as the warehouse adds them up once at the start, and asks for single ones only where it meets their
// records or their orders (a RejectView), or where it concludes something of a window. Payloads are never read, but by a replay.

const (
	// mostRecent bounds how many changes of rejects a run remembers before it has them written.
	mostRecent = 5000
	// mostLoose bounds how many records without a place in time a run remembers to have met. Where it meets more, it does not
	// conclude that others are gone; a later run does.
	mostLoose = 100_000
	// mostRetries bounds how many orders a scheduled run fetches again because their details or lines were rejected, and
	// mostDueWindows how many windows before the lookback it lists again for their rejects. The rest comes with later runs.
	mostRetries    = 1000
	mostDueWindows = 200
	// RejectPage is how many rejects are read at once.
	RejectPage = 1000
)

// OpenRejects is what a run knows of the unresolved rejects of its stream, the accepted ones included, so that a record
// rejected again is the same reject and one that became a row is resolved.
type OpenRejects struct {
	store  Store
	stream schema.Stream
	size   time.Duration // of a window
	flush  func() error  // has the warehouse write all that was handed over

	mu      sync.Mutex
	windows map[int64]schema.RejectWindow // by start, in Unix seconds, as they were counted last
	touched map[int64]bool                // starts of those whose rejects this run has changed since
	healed  map[time.Time]bool            // starts of those in which rejects were resolved and that were not recounted yet
	met     map[uint64]bool               // digests of the ids of loose rejects that this run saw

	recent  map[string]*recentReject // by id
	orders  map[string][]string      // ids of recent ones, by order
	handed  uint64                   // counts what was handed over to be written
	written uint64                   // how much of that is known to be in the warehouse
	views   map[*RejectView]bool     // that are in use
}

// recentReject is a reject that this run has changed, until the warehouse has it and everybody looks at that.
type recentReject struct {
	schema.Reject
	handed uint64 // its number among those that were handed over; 0 = not yet
}

func newOpenRejects(store Store, stream schema.Stream, size time.Duration, flush func() error) *OpenRejects {
	return &OpenRejects{
		store: store, stream: stream, size: size, flush: flush, windows: map[int64]schema.RejectWindow{}, touched: map[int64]bool{},
		healed: map[time.Time]bool{}, met: map[uint64]bool{}, recent: map[string]*recentReject{}, orders: map[string][]string{},
		views: map[*RejectView]bool{},
	}
}

// Start counts the rejects of the stream by window.
func (o *OpenRejects) Start(ctx context.Context) error {
	windows, err := o.store.RejectWindows(ctx, o.stream, o.size, time.Time{}, schema.MaxTime)
	for _, w := range windows {
		o.windows[w.Start.Unix()] = w
	}
	return err
}

// write has everything written that was handed over, and forgets of it what no view in use may lack.
func (o *OpenRejects) write() error {
	o.mu.Lock()
	handed := o.handed
	o.mu.Unlock()
	if err := o.flush(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written = max(o.written, handed)
	known := o.written
	for v := range o.views {
		known = min(known, v.since)
	}
	maps.DeleteFunc(o.recent, func(id string, c *recentReject) bool {
		if c.handed == 0 || c.handed > known {
			return false
		}
		if ids := slices.DeleteFunc(o.orders[c.OrderID], func(x string) bool { return x == id }); len(ids) > 0 {
			o.orders[c.OrderID] = ids
		} else {
			delete(o.orders, c.OrderID)
		}
		return true
	})
	return nil
}

// hand notes that rows of rejects were handed over to be written.
func (o *OpenRejects) hand(rows []schema.Reject) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range rows {
		o.handed++
		if c := o.recent[rows[i].ID]; c != nil && c.Version == rows[i].Version {
			c.handed = o.handed
		}
		o.touched[o.start64(rows[i].WindowStart)] = true
	}
}

// start64 is the start of the window of a time, in Unix seconds.
func (o *OpenRejects) start64(at time.Time) int64 { return at.UTC().Truncate(o.size).Unix() }

// change remembers what a reject has become. The lock is held.
func (o *OpenRejects) change(j schema.Reject) {
	if o.recent[j.ID] == nil && j.OrderID != "" {
		o.orders[j.OrderID] = append(o.orders[j.OrderID], j.ID)
	}
	o.recent[j.ID] = &recentReject{Reject: j.State()}
	o.touched[o.start64(j.WindowStart)] = true
}

// Bad returns the starts, in Unix seconds, of the windows in which rejects may be met again that nobody has accepted.
func (o *OpenRejects) Bad() map[int64]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return BadWindows(maps.Values(o.windows), o.size)
}

// BadWindows is [OpenRejects.Bad] of windows of a size.
func BadWindows(windows iter.Seq[schema.RejectWindow], size time.Duration) map[int64]bool {
	out := map[int64]bool{}
	for w := range windows {
		if w.OpenList+w.OpenItem+w.OpenDetail > 0 {
			out[w.Start.Unix()] = true
		}
		if !w.DueLoose.IsZero() {
			include(out, loose(w.Start, size), size)
		}
	}
	return out
}

// include adds the starts of the windows of an interval.
func include(windows map[int64]bool, iv window.Interval, size time.Duration) {
	for _, w := range iv.Tile(size) {
		windows[w.Start.Unix()] = true
	}
}

// Due returns the starts, in Unix seconds, of windows before a time that may be listed again now for rows that could not become
// orders: of those that wait longest, a bounded number.
func (o *OpenRejects) Due(now, before time.Time) map[int64]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	type one struct {
		at time.Time
		window.Interval
	}
	var all []one
	for _, w := range o.windows {
		if !w.DueList.IsZero() && !w.DueList.After(now) && w.Start.Before(before) {
			all = append(all, one{w.DueList, window.At(w.Start, o.size)})
		}
		if iv := loose(w.Start, o.size); !w.DueLoose.IsZero() && !w.DueLoose.After(now) && iv.Start.Before(before) {
			all = append(all, one{w.DueLoose, iv})
		}
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Or(a.at.Compare(b.at), a.Start.Compare(b.Start)) })
	out := map[int64]bool{}
	for _, d := range all {
		if len(out) >= mostDueWindows {
			break
		}
		include(out, d.Interval, o.size)
	}
	return out
}

// Sums counts the rejects of some windows, by their start in Unix seconds. Those that this run has not changed are as they were.
func (o *OpenRejects) Sums(ctx context.Context, starts ...time.Time) (map[int64]schema.RejectWindow, error) {
	o.mu.Lock()
	var changed []time.Time
	for _, at := range starts {
		if o.touched[at.Unix()] {
			changed = append(changed, at)
			delete(o.touched, at.Unix())
		}
	}
	o.mu.Unlock()
	slices.SortFunc(changed, time.Time.Compare)
	for _, part := range o.ranges(changed) {
		if err := o.count(ctx, part); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[int64]schema.RejectWindow, len(starts))
	for _, at := range starts {
		if w, ok := o.windows[at.Unix()]; ok {
			out[at.Unix()] = w
		}
	}
	return out, nil
}

// Held counts those rejects of some windows, by the windows' start in Unix seconds, that are rows of listings whose order is stored.
func (o *OpenRejects) Held(ctx context.Context, sums map[int64]schema.RejectWindow) (map[int64]int, error) {
	return o.store.HeldRejects(ctx, o.stream, o.size, slices.Collect(maps.Values(sums)))
}

// ranges joins sorted starts of windows into the intervals that are counted together; a zero start is one for itself.
func (o *OpenRejects) ranges(starts []time.Time) (out []window.Interval) {
	var windows []window.Interval
	for _, at := range starts {
		if iv := window.At(at, o.size); at.IsZero() {
			out = append(out, iv)
		} else {
			windows = append(windows, iv)
		}
	}
	return append(out, window.Ranges(windows)...)
}

// count counts the rejects of an interval anew, after all changes of this run.
func (o *OpenRejects) count(ctx context.Context, iv window.Interval) error {
	if err := o.write(); err != nil {
		return err
	}
	windows, err := o.store.RejectWindows(ctx, o.stream, o.size, iv.Start, iv.End) // a zero start is that of all
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.windows, func(_ int64, w schema.RejectWindow) bool { return iv.Start.IsZero() || iv.Contains(w.Start) })
	for _, w := range windows {
		o.windows[w.Start.Unix()] = w
	}
	return nil
}

// rejected counts the records of some windows that are not rows, by the windows' start in Unix seconds.
func (o *OpenRejects) rejected(ctx context.Context, starts ...time.Time) (map[int64]uint32, error) {
	sums, err := o.Sums(ctx, starts...)
	out := make(map[int64]uint32, len(sums))
	for at, w := range sums {
		out[at] = uint32(w.List + w.Item)
	}
	return out, err
}

// left counts what is still open of the rejects of an interval, or of all with nil, and what nobody has accepted: records that
// are not rows, and orders without their detail.
func (o *OpenRejects) left(ctx context.Context, in *window.Interval) (rejected, pending int, err error) {
	o.mu.Lock()
	var starts []time.Time
	for at := range o.touched {
		starts = append(starts, time.Unix(at, 0).UTC())
	}
	o.mu.Unlock()
	if _, err := o.Sums(ctx, starts...); err != nil {
		return 0, 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.windows {
		if in == nil || in.Contains(w.Start) {
			rejected, pending = rejected+w.OpenList+w.OpenItem, pending+w.OpenDetail
		}
	}
	return rejected, pending, nil
}

// placed is where in time a reject belongs: with its order, unless that was listed where it does not belong.
func (o *OpenRejects) placed(j schema.Reject) time.Time {
	if o.exact(j) {
		return j.CreateTime
	}
	return j.WindowStart
}

// exact reports whether it is known which window a reject belongs to. It is not for a row of a listing whose creation
// time cannot be read, or cannot be true.
func (o *OpenRejects) exact(j schema.Reject) bool {
	return !j.CreateTime.IsZero() && o.start64(j.CreateTime) == o.start64(j.WindowStart)
}

// loose is where in time a row of a listing may lie that is not exact. It was met in a listing that began in the window that
// starts then; no listing goes beyond the end of a day, and each shows a little more than its interval on both sides.
func loose(start time.Time, size time.Duration) window.Interval {
	return window.Interval{Start: start.Add(-size), End: start.Truncate(24*time.Hour).AddDate(0, 0, 1).Add(size)}
}

// Drop resolves one reject and returns the row that says so.
func (o *OpenRejects) Drop(j schema.Reject, now time.Time) schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.resolved(j, now)
}

// resolved notes that a reject is one no more and returns the row that says so. The lock is held.
func (o *OpenRejects) resolved(j schema.Reject, now time.Time) schema.Reject {
	j = j.State()
	o.healed[j.WindowStart.UTC().Truncate(o.size)] = true
	j.Resolved, j.LastSeen, j.Version = true, now, NextVersion(j.Version)
	o.change(j)
	return j
}

// takeHealed returns the starts of the windows in which rejects were resolved since it was last asked. A record without a
// creation time may be counted with another window than the one whose listing heals it, and earlier.
func (o *OpenRejects) takeHealed() map[time.Time]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := maps.Clone(o.healed)
	clear(o.healed)
	return out
}
