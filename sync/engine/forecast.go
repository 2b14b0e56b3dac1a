package engine

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Forecast is what a backfill of one stream would cost if nothing changes, fails or is throttled meanwhile.
type Forecast struct {
	schema.Stream
	Windows     int  // due
	Skipped     int  // complete already
	Orders      int  // that the source has in the due windows
	Stored      int  // of these, stored with their detail already
	ListCalls   int  // of a backfill
	DetailCalls int  // of a backfill
	Estimated   bool // not every day was counted on its own, because that would have cost too many calls
	CannotList  bool // the source has no listing, so there is nothing to backfill
	Calls       int  // that were made to find this out
	Err         error
}

const (
	// A forecast may cost a few calls in any case, and more than that only while it is in doubt about such a share of the
	// list calls, and up to such a share of all calls that it foretells.
	forecastCalls = 60
	forecastDoubt = 0.02
	forecastShare = 0.05
)

// Forecast says what Backfill would cost with the same arguments. It counts the orders of the due windows at the source,
// by TotalCount, halving where it matters how they are spread; then it runs a backfill of as many invented orders against
// no vendor and no warehouse, and counts its calls. So it is right about whatever the planner and the walk do.
func (e *Engine) Forecast(ctx context.Context, now, from, to time.Time, force bool, p *Progress) ([]Forecast, error) {
	if err := begins(from); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	out := make([]Forecast, 0, len(e.streams))
	_, err := e.Run(ctx, now, p, func(ctx context.Context, r *streamRun) error {
		r.eager = true
		r.limit(window.Interval{Start: from, End: to}.Align(e.Window))
		f := &forecast{streamRun: r, engine: e, force: force, Forecast: Forecast{Stream: r.stream.Stream}}
		f.Err = f.run(source.WithPriority(ctx, source.Verify))
		mu.Lock()
		defer mu.Unlock()
		out = append(out, f.Forecast)
		return f.Err
	})
	slices.SortFunc(out, func(a, b Forecast) int { return cmp.Compare(e.place(a.Stream), e.place(b.Stream)) })
	return out, err
}

// place is where a stream stands among the engine's streams.
func (e *Engine) place(l schema.Stream) int {
	return slices.IndexFunc(e.streams, func(x Stream) bool { return x.Stream == l })
}

// forecast is Forecast on one stream.
type forecast struct {
	*streamRun
	engine *Engine
	Forecast
	force  bool
	ledger []schema.Window
	passed []schema.Window // windows of the range that are not due, by start
	groups []group         // the due windows, by start
}

// group is some units that follow each other, and how many orders the source has in them.
type group struct {
	units  []unit
	orders int
}

// unit is the part of a day whose windows are due together.
type unit struct {
	window.Interval
	stored int // orders that are stored and would not be asked for
	listed int // rows that are stored, or were listed and could not be
	open   int // windows in which there may be others
}

func (f *forecast) run(ctx context.Context) error {
	if !f.stream.Lists() {
		f.CannotList = true
		return nil
	}
	units, err := f.due(ctx)
	if err != nil || len(units) == 0 {
		return err
	}
	for len(units) > 0 {
		n := 1
		for n < len(units) && units[n].End.Sub(units[0].Start) <= longestCount {
			n++
		}
		counted, err := f.count(ctx, units[:n])
		if err != nil {
			return err
		}
		f.groups, units = append(f.groups, counted...), units[n:]
	}
	if err := f.refine(ctx); err != nil {
		return err
	}
	for _, g := range f.groups {
		stored, _ := g.sums()
		f.Orders += g.orders
		f.Stored += stored
	}
	f.DetailCalls = f.Orders - f.Stored
	return f.rehearse(ctx)
}

// due finds the units that a backfill would list, with what is stored of them.
func (f *forecast) due(ctx context.Context) ([]unit, error) {
	jobs, err := f.engine.backfillJobs(ctx, f.streamRun, f.scope, f.force)
	if err != nil || len(jobs) == 0 {
		f.Skipped = f.windowsUntilNow()
		return nil, err
	}
	all := window.Interval{Start: jobs[0].Start, End: jobs[len(jobs)-1].End}
	if f.ledger, err = f.store.Windows(ctx, f.stream.Stream, f.scope.Start, f.scope.End); err != nil {
		return nil, err
	}
	stored, listed, err := f.known(ctx, all)
	if err != nil {
		return nil, err
	}
	var units []unit
	due, complete := map[int64]bool{}, map[int64]bool{}
	for _, w := range f.ledger {
		complete[w.Start.Unix()] = w.Verdict == schema.Complete
	}
	for _, j := range jobs {
		windows := j.Tile(f.window)
		f.Windows += len(windows)
		for _, span := range window.Ranges(windows) {
			u := unit{Interval: span}
			for _, w := range span.Tile(f.window) {
				due[w.Start.Unix()] = true
				u.stored += stored[w.Start.Unix()]
				u.listed += listed[w.Start.Unix()]
				if !complete[w.Start.Unix()] {
					u.open++
				}
			}
			u.Interval = span.Clip(window.Interval{Start: span.Start, End: f.now})
			units = append(units, u)
		}
	}
	for _, w := range f.ledger {
		if !due[w.Start.Unix()] {
			f.passed = append(f.passed, w)
		}
	}
	f.Skipped = f.windowsUntilNow() - f.Windows
	return units, nil
}

func (f *forecast) windowsUntilNow() int {
	return len(f.scope.Clip(window.Interval{Start: f.scope.Start, End: f.now}).Align(f.window).Tile(f.window))
}

// known counts, by window, the orders that a backfill would list and not ask for, and what was listed there before.
func (f *forecast) known(ctx context.Context, iv window.Interval) (stored, listed map[int64]int, err error) {
	counts, err := f.store.Counts(ctx, f.stream.Stream, f.window, iv.Start, iv.End)
	if err != nil {
		return nil, nil, err
	}
	stored, listed = make(map[int64]int, len(counts)), make(map[int64]int, len(counts))
	for start, c := range counts {
		stored[start.Unix()], listed[start.Unix()] = int(c.Stored)-int(c.Pending), int(c.Stored)
	}
	for at, w := range f.open.windows {
		stored[at] += w.List + w.Detail - w.OpenDetails // they are counted at the source, or are not asked for
		listed[at] += w.List
	}
	return stored, listed, nil
}

// count asks how many orders the source has in some units: by one call, or by several where the vendor does not answer
// about so many at once.
func (f *forecast) count(ctx context.Context, units []unit) ([]group, error) {
	iv := window.Interval{Start: units[0].Start, End: units[len(units)-1].End}
	f.progress.ListCalls.Add(1)
	f.mu.Lock()
	f.Calls++
	f.mu.Unlock()
	p, err := f.stream.Source.List(ctx, source.Query{
		OwnerID: f.stream.OwnerID, Filters: f.stream.Filters, Start: iv.Start, End: iv.End.Add(-time.Second), Page: 1, Size: 1,
	})
	if source.ReasonOf(err) == source.Timeout && len(units) > 1 {
		a, err := f.count(ctx, units[:len(units)/2])
		if err != nil {
			return nil, err
		}
		b, err := f.count(ctx, units[len(units)/2:])
		return append(a, b...), err
	}
	if err != nil {
		return nil, err
	}
	// What lies between the units is complete, and its number known.
	n := p.Total
	from, _ := slices.BinarySearchFunc(f.passed, iv.Start, func(w schema.Window, t time.Time) int { return w.Start.Compare(t) })
	for _, w := range f.passed[from:] {
		if !w.Start.Before(iv.End) {
			break
		}
		n -= int(w.Listed)
	}
	return []group{{units, max(n, 0)}}, nil
}

// sums adds up what is known of the units.
func (g group) sums() (stored, listed int) {
	for _, u := range g.units {
		stored, listed = stored+u.stored, listed+u.listed
	}
	return min(max(stored, 0), g.orders), listed
}

// doubt is about how many list calls a group may cost more or less than is known of it, for pages of a size. A page that
// is not full is one call whatever it holds, and many full ones are as many calls however they are spread: the doubt is
// greatest where there is about a page a unit. Where orders lie that are stored is known.
func (g group) doubt(size int) float64 {
	_, listed := g.sums()
	if len(g.units) == 1 || g.orders < size || g.orders <= listed {
		return 0
	}
	n := float64(len(g.units))
	pages := float64(g.orders) / float64(size) / n
	return n * min(1, pages, 1/pages) * float64(g.orders-listed) / float64(g.orders)
}

// refine halves the groups that are most in doubt, until none is or it has cost enough.
func (f *forecast) refine(ctx context.Context) error {
	size := max(1, f.stream.PageSize)
	for {
		lists, details, doubt := 0, 0, 0.0
		for _, g := range f.groups {
			stored, _ := g.sums()
			lists += len(g.units) + g.orders/size
			details += g.orders - stored
			doubt += g.doubt(size)
		}
		most := forecastCalls
		if doubt > forecastDoubt*float64(lists) {
			most = max(most, int(forecastShare*float64(lists+details)))
		}
		left := most - f.Calls
		if f.Estimated = doubt > 0; !f.Estimated || left <= 0 {
			return nil
		}
		byDoubt := slices.Clone(f.groups)
		slices.SortStableFunc(byDoubt, func(a, b group) int { return cmp.Compare(b.doubt(size), a.doubt(size)) })
		least := byDoubt[min(len(byDoubt), max(1, f.stream.InFlight), left)-1].doubt(size)
		if err := f.halve(ctx, left, func(g group) bool { return g.doubt(size) > 0 && g.doubt(size) >= least }); err != nil {
			return err
		}
	}
}

// halve counts the first half of such groups, some at a time; the second half is the rest.
func (f *forecast) halve(ctx context.Context, most int, such func(group) bool) error {
	halves := make([][]group, len(f.groups))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, f.stream.InFlight))
	for i, whole := range f.groups {
		halves[i] = []group{whole}
		if most == 0 || !such(whole) {
			continue
		}
		most--
		g.Go(func() error {
			k := len(whole.units) / 2
			first, err := f.count(ctx, whole.units[:k])
			rest := group{whole.units[k:], whole.orders}
			for _, x := range first {
				rest.orders -= x.orders
			}
			rest.orders = max(rest.orders, 0)
			halves[i] = append(first, rest)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	f.groups = slices.Concat(halves...)
	return nil
}

// rehearse runs the backfill against invented orders and counts its list calls.
func (f *forecast) rehearse(ctx context.Context) error {
	rnd := rand.New(rand.NewPCG(1, 1)) // the same figures give the same forecast
	v := &invented{}
	for _, g := range f.groups {
		v.add(g, rnd)
	}
	stream, o := f.stream, f.engine.Options
	stream.Source, o.Log, o.Committed = v, nil, nil
	store := &noStore{engineStore: f.engine.store, invented: v, ledger: f.ledger}
	s, err := New(store, []Stream{stream}, o).Backfill(ctx, f.now, f.scope.Start, f.scope.End, f.force, nil)
	if err == nil {
		err = s.Streams[0].Err
	}
	f.ListCalls = int(v.calls.Load())
	return err
}
