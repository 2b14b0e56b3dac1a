package audit

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// Estimate is about what a backfill of one stream would cost if nothing changes, fails or is throttled meanwhile.
type Estimate struct {
	schema.Stream
	Windows     int  // due
	Skipped     int  // complete already
	Orders      int  // that the source has in the due windows
	Stored      int  // of these, stored with their detail already
	ListCalls   int  // of a backfill
	DetailCalls int  // of a backfill
	Estimated   bool // it is not known of every day how many orders the source has
	CannotList  bool // the source has no listing, so there is nothing to backfill
	Calls       int  // that were made to find this out
	Err         error
}

// EstimateOptions say of which backfill the cost is asked, as the arguments of Backfill do.
type EstimateOptions struct {
	Window        time.Duration
	Now, From, To time.Time
	Force         bool
}

// Stored is what an estimate asks the warehouse for; see Store.
type Stored interface {
	Windows(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Window, error)
	Counts(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) (map[time.Time]schema.Window, error)
	RejectWindows(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) ([]schema.RejectWindow, error)
}

// mostSamples bounds how many days are counted by themselves.
const mostSamples = 60

// EstimateBackfill says about what a backfill of a stream would cost, within 10 %. It writes nothing, and makes a few calls that
// count: one for each 90 days of the range, which say how many orders there are, up to 60 for single days, and one for what lies around
// a day that has all of them. What is stored the warehouse counts; nil is a warehouse that has no tables yet.
//
// The rest is arithmetic. A detail call for each order that is not stored, and orders ÷ page size list calls; beside them each day
// costs up to two for what does not fill its last page, and for the second look at its first one. How much that is on average the
// days say that were counted: all of them, or some that were picked by chance. However unevenly orders are spread, a day is
// never off by more than these two. The longest listing takes up to three calls more, which prove it.
func EstimateBackfill(ctx context.Context, s stream.Stream, stored Stored, o EstimateOptions) Estimate {
	o.Now = o.Now.Add(s.Offset())
	e := &estimate{Estimate: Estimate{Stream: s.Stream}, EstimateOptions: o, stream: s, stored: stored}
	if e.Err = stream.Begins(o.From); e.Err == nil {
		e.Err = e.run(source.WithPriority(ctx, source.Verify))
	}
	return e.Estimate
}

// estimate is EstimateBackfill under way.
type estimate struct {
	Estimate
	EstimateOptions
	stream stream.Stream
	stored Stored
	passed []schema.Window // windows of the range that are not due, by start
}

// unit is the part of a day whose windows are listed together.
type unit struct {
	window.Interval
	stored int // orders that are stored and would not be asked for
	listed int // rows that are stored, or were listed and could not be
	open   int // windows of which it is not known how many orders they have
}

func (e *estimate) run(ctx context.Context) error {
	if !e.stream.Lists() {
		e.CannotList = true
		return nil
	}
	units, err := e.due(ctx)
	if err != nil || len(units) == 0 {
		return err
	}
	stored := 0
	for _, u := range units {
		stored += u.stored
	}
	for some := units; len(some) > 0; {
		n := 1
		for n < len(some) && some[n].End.Sub(some[0].Start) <= longestCount {
			n++
		}
		orders, err := e.count(ctx, some[:n])
		if err != nil {
			return err
		}
		e.Orders, some = e.Orders+orders, some[n:]
	}
	e.Stored = min(max(stored, 0), e.Orders)
	e.DetailCalls = e.Orders - e.Stored
	return e.lists(ctx, units)
}

// lists estimates the list calls for units of which it is known how many orders they have together.
func (e *estimate) lists(ctx context.Context, units []unit) error {
	size := max(1, e.stream.PageSize)
	if new(walk.Ceiling).Exact(e.Orders, size) { // no unit has a full page, nor a count that is to be proven
		e.ListCalls += len(units)
		return nil
	}
	left, most := e.Orders, 0
	var longest unit
	list := func(u unit, n int) {
		if left -= n; n > most {
			longest, most = u, n
		}
		e.ListCalls += listCalls(n, size)
	}
	var unknown []unit
	for _, u := range units {
		if u.open > 0 {
			unknown = append(unknown, u)
			continue
		}
		list(u, u.listed)
	}
	picked := pick(unknown, mostSamples)
	e.Estimated = len(picked) < len(unknown)
	beside := 0.0 // calls of the picked ones that are not orders ÷ page size
	for _, u := range picked {
		n, err := max(0, left), error(nil)
		if len(unknown) > 1 {
			n, err = e.count(ctx, []unit{u})
		}
		if err != nil {
			return err
		}
		list(u, n)
		beside += float64(listCalls(n, size)) - float64(n)/float64(size)
	}
	if e.Estimated {
		rest := float64(len(unknown)-len(picked)) / float64(len(picked))
		e.ListCalls += int(math.Round(rest*beside + float64(max(0, left))/float64(size)))
	}
	return e.proof(ctx, longest, most)
}

// proof estimates the calls that find out whether the longest listing is as long as it is because the source lists no more. A wider
// range that has more is one call; where it has no more, two parts of the listing are counted as well. See [walk.Ceiling].
func (e *estimate) proof(ctx context.Context, longest unit, orders int) error {
	if new(walk.Ceiling).Exact(orders, max(1, e.stream.PageSize)) {
		return nil
	}
	if e.ListCalls++; orders < e.Orders {
		return nil
	}
	e.Calls++ // the other units have none, and what lies beside all of them was not counted
	wider, err := e.stream.Total(ctx, window.Interval{Start: longest.Start.Add(-walk.Around), End: longest.End.Add(walk.Around)})
	if err != nil && source.ReasonOf(err) != source.Timeout {
		return fmt.Errorf("count the orders around %s: %w", longest.Interval, err)
	}
	if wider <= orders {
		e.ListCalls += 2
	}
	return nil
}

// pick returns all of some units, or where there are more than that many so many of them: one by chance of each of as many
// parts, since a step might keep time with the week.
func pick(units []unit, most int) []unit {
	if len(units) <= most {
		return units
	}
	rnd := rand.New(rand.NewPCG(1, 1)) // the same figures make the same estimate
	out := make([]unit, most)
	for i := range out {
		from, to := i*len(units)/most, (i+1)*len(units)/most
		out[i] = units[from+rnd.IntN(to-from)]
	}
	return out
}

// due finds the units that a backfill would list, with what is stored of them.
func (e *estimate) due(ctx context.Context) ([]unit, error) {
	iv := (window.Interval{Start: e.From, End: e.To}).Align(e.Window)
	iv = iv.Until(e.Now).Align(e.Window)
	if iv.Empty() {
		return nil, nil
	}
	var ledger []schema.Window
	var counts map[time.Time]schema.Window
	var rejects []schema.RejectWindow
	if e.stored != nil {
		var err error
		if ledger, err = e.stored.Windows(ctx, e.stream.Stream, iv.Start, iv.End); err != nil {
			return nil, err
		}
		if counts, err = e.stored.Counts(ctx, e.stream.Stream, e.Window, iv.Start, iv.End); err != nil {
			return nil, err
		}
		if rejects, err = e.stored.RejectWindows(ctx, e.stream.Stream, e.Window, iv.Start.AddDate(0, 0, -1), iv.End.Add(e.Window)); err != nil {
			return nil, err
		}
	}
	windows := iv.Tile(e.Window)
	due := windows
	if !e.Force {
		due = window.Missing(iv, e.Window, ledger, stream.BadWindows(slices.Values(rejects), e.Window))
	}
	e.Windows, e.Skipped = len(due), len(windows)-len(due)
	rejected := make(map[int64]schema.RejectWindow, len(rejects))
	for _, w := range rejects {
		rejected[w.Start.Unix()] = w
	}
	isDue, complete := map[int64]bool{}, map[int64]bool{}
	for _, w := range due {
		isDue[w.Start.Unix()] = true
	}
	for _, w := range ledger {
		complete[w.Start.Unix()] = w.Verdict == schema.Complete
		if !isDue[w.Start.Unix()] {
			e.passed = append(e.passed, w)
		}
	}
	var units []unit
	parts := window.Ranges(due)
	if len(parts) > 0 && parts[0].End.Sub(parts[0].Start) > e.Window { // a backfill lists its first window by itself
		first := window.At(parts[0].Start, e.Window)
		parts[0].Start = first.End
		parts = slices.Insert(parts, 0, first)
	}
	for _, part := range parts {
		u := unit{Interval: part.Until(e.Now)}
		for _, w := range part.Tile(e.Window) {
			c, j := counts[w.Start.UTC()], rejected[w.Start.Unix()]
			// A row that could not become an order is counted at the source and has no detail; an order with a line that could
			// not become an item is asked for again, one whose missing detail was accepted is not.
			u.stored += int(c.Stored) - int(c.Pending) + j.List + j.Detail - j.OpenDetail - min(j.OpenItem, int(c.Stored-c.Pending))
			u.listed += int(c.Stored) + j.List
			if !complete[w.Start.Unix()] {
				u.open++
			}
		}
		units = append(units, u)
	}
	return units, nil
}

// count asks how many orders the source has in some units: by one call, or by several where the vendor does not answer
// about so many at once.
func (e *estimate) count(ctx context.Context, units []unit) (int, error) {
	iv := window.Interval{Start: units[0].Start, End: units[len(units)-1].End}
	e.Calls++
	n, err := e.stream.Total(ctx, iv.Until(iv.End.Add(-time.Second)))
	if source.ReasonOf(err) == source.Timeout && len(units) > 1 {
		a, err := e.count(ctx, units[:len(units)/2])
		if err != nil {
			return 0, err
		}
		b, err := e.count(ctx, units[len(units)/2:])
		return a + b, err
	}
	if err != nil {
		return 0, fmt.Errorf("count the orders of %s: %w", iv, err)
	}
	// What lies between the units is complete, and its number known.
	from, _ := slices.BinarySearchFunc(e.passed, iv.Start, func(w schema.Window, t time.Time) int { return w.Start.Compare(t) })
	for _, w := range e.passed[from:] {
		if !w.Start.Before(iv.End) {
			break
		}
		n -= int(w.Listed)
	}
	return max(n, 0), nil
}

// listCalls is how many calls a listing of n rows takes: one for what is less than a page; else its pages, the first of them
// again where there are several, and the one after a last one that is full. One that is too long is halved, after a call that says
// so where that is not known.
func listCalls(n, size int) int {
	switch {
	case n <= size:
		return n/size + 1
	case n <= walk.MaxPages*size:
		return n/size + 2
	}
	return 1 + halves(n, size)
}

// halves is listCalls for the halves of a listing whose number of rows is known: that of the second half is the rest.
func halves(n, size int) int {
	rest := n - n/2
	if rest <= walk.MaxPages*size {
		return listCalls(n/2, size) + listCalls(rest, size)
	}
	return listCalls(n/2, size) + halves(rest, size)
}
