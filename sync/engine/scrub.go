package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// The past is compared with the source again and again, as file systems scrub their disks: orders that are older than the
// lookback change seldom, and nobody tells of it. Every window before the lookback is listed whole again within a bound, the one
// first that was not for the longest time, by the same machine that lists it in a backfill: what differs is fetched, and what is
// missing is looked into as in any run. The details of its orders, which change without their list rows, are fetched again within
// another one.
//
// When each window was last listed whole, and when the oldest of its details was fetched, is in the ledger, whoever did it, and
// nothing else is kept: a restart goes on. The work is spread evenly, by a rule that needs no memory either: since any window was
// looked at, that part of all the others must have been that the time since then is of the bound. What comes out of it is a round
// within each bound, at one pace.
//
// A round's part is a run of its own, after the scheduled run and what is verified: until then nobody lists anything, and it ends
// before the next scheduled run is due, done or not. So it never delays one.

const (
	// scrubPart is how many list calls a part of a day takes at least that is listed by itself: two more for each part are little
	// then. Where a day takes fewer it is listed whole.
	scrubPart = 40
	// scrubQuota is the part of the quota that is counted on until the next run is due, and scrubMargin how long before that, at
	// the most, the work ends: what was fetched is to be committed.
	scrubQuota  = 0.8
	scrubMargin = 15 * time.Second
	// scrubDetails is how many details are fetched at a time, of as many windows as hold them.
	scrubDetails = 100
)

// errScrubTime ends a run that is not done when the next scheduled run is due. What it has not looked at comes first in the next
// one.
var errScrubTime = errors.New("the next scheduled run is due")

// Bounds are within what time all of the past is compared again: its list rows, and the details of its orders. Zero is never.
type Bounds struct{ Rows, Details time.Duration }

// scrubs is what an engine remembers of them, to ask the warehouse less often.
type scrubs struct {
	idle  map[schema.Stream]time.Time // until then nothing of a stream is due
	aged  map[schema.Stream]bool      // it was asked once how old details are of which the ledger does not know
	first int                         // of the streams: which one is looked at first
}

// Scrubbing is what is to be compared with the source again before the next scheduled run.
type Scrubbing struct {
	window.Interval // from the first to the last window; there may be much between them that is not to be compared
	now             time.Time
	end             time.Time // by [time.Now], when it has to be over; zero for whenever
	parts           map[schema.Stream]*scrubbed
}

// scrubbed is the part of one stream.
type scrubbed struct {
	rows    []window.Interval // to be listed, in the order of time
	ledger  []schema.Window
	details []looked          // whose details are to be fetched, the oldest look first
	aged    []window.Interval // of which it is to be found out how old their details are
}

// DueScrub returns what is to be compared again now, so that all of the past comes round within the bounds; nil for nothing. Without
// bounds a ledger that does not know how old its details are learns that all the same, once. now is
// the time of the scheduled run before it, until when the next one is due, by [time.Now]: zero for never.
func (e *Engine) DueScrub(ctx context.Context, b Bounds, now, until time.Time) (*Scrubbing, error) {
	s := &Scrubbing{now: now, parts: map[schema.Stream]*scrubbed{}}
	var left time.Duration
	began := time.Now()
	if !until.IsZero() {
		left = max(0, time.Until(until))
		s.end = until.Add(-min(scrubMargin, left/10))
	}
	calls := math.Inf(1) // that there is time for, of the login
	if quota, _ := stream.Quotas(e.streams); quota > 0 && !until.IsZero() {
		calls = scrubQuota * quota * left.Seconds()
	}
	if e.scrubs.idle == nil {
		e.scrubs.idle, e.scrubs.aged = map[schema.Stream]time.Time{}, map[schema.Stream]bool{}
	}
	for i := range e.streams {
		of := e.streams[(e.scrubs.first+i)%len(e.streams)]
		if s.over() || !until.IsZero() && time.Since(began) > left/4 { // the others in the next run: they are looked at once until they come due
			break
		}
		if now.Before(e.scrubs.idle[of.Stream]) {
			continue
		}
		part, rows, details, err := e.lookedAt(ctx, of, now)
		if err != nil {
			return nil, err
		}
		idle := cmp.Or(max(b.Rows, b.Details)/50, 24*time.Hour) // even where nothing comes due, windows leave the lookback
		ahead := left * 3 / 2                                   // what is due before the next run is over is due now
		if b.Rows > 0 {
			due, spent, wait := dueLooks(rows, b.Rows, now.Add(of.Offset()), ahead, scrubPart, calls)
			calls -= spent
			idle = min(idle, wait)
			for _, l := range due {
				part.rows = append(part.rows, l.Interval)
			}
			slices.SortFunc(part.rows, stream.Earliest)
		}
		if b.Details > 0 {
			var wait time.Duration
			part.details, _, wait = dueLooks(details, b.Details, now.Add(of.Offset()), ahead, 1, math.Inf(1))
			idle = min(idle, wait)
		}
		if extent := part.extent(); !extent.Empty() {
			s.parts[of.Stream] = part
			s.Interval = s.Extend(extent)
			continue
		}
		e.scrubs.idle[of.Stream] = now.Add(idle)
	}
	if len(s.parts) == 0 {
		return nil, nil
	}
	e.scrubs.first++ // where there are more owners than there is time for, each is the first one some time
	return s, nil
}

// lookedAt reads when the past of a stream was last looked at.
func (e *Engine) lookedAt(ctx context.Context, of stream.Stream, now time.Time) (part *scrubbed, rows, details []looked, err error) {
	part = new(scrubbed)
	if !of.Lists() {
		ages, err := e.store.DetailAges(ctx, of.Stream, e.Window, schema.MinTime, now)
		for _, w := range ages {
			details = append(details, looked{window.Of(w), w.DetailedAt, float64(w.Stored)})
		}
		return part, nil, details, err
	}
	part.ledger, err = e.store.Windows(ctx, of.Stream, schema.MinTime, now.Add(of.Offset()-e.Lookback).Truncate(e.Window))
	for _, w := range part.ledger {
		if w.Verdict != schema.Complete { // all else is to be listed anyway
			continue
		}
		iv := window.Of(w)
		rows = append(rows, looked{iv, w.Listing(), float64(w.Listed)/float64(max(1, of.PageSize)) + besidePages*iv.End.Sub(iv.Start).Hours()/24})
		switch orders := float64(w.Stored) - float64(w.Pending); {
		case orders <= 0:
		case !w.DetailedAt.IsZero():
			details = append(details, looked{iv, w.DetailedAt, orders})
		case !e.scrubs.aged[of.Stream]:
			part.aged = append(part.aged, iv)
		}
	}
	return part, rows, details, err
}

// extent is from the first to the last window of a part.
func (p *scrubbed) extent() (all window.Interval) {
	for _, iv := range slices.Concat(p.rows, p.aged) {
		all = all.Extend(iv)
	}
	for _, l := range p.details {
		all = all.Extend(l.Interval)
	}
	return all
}

// over reports whether there is no time left.
func (s *Scrubbing) over() bool { return !s.end.IsZero() && !time.Now().Before(s.end) }

// RunScrub compares what DueScrub returned.
func (e *Engine) RunScrub(ctx context.Context, s *Scrubbing, p *stream.Progress) (stream.Summary, error) {
	if !s.end.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, s.end, errScrubTime)
		defer cancel()
	}
	on := slices.DeleteFunc(slices.Clone(e.streams), func(of stream.Stream) bool { return s.parts[of.Stream] == nil })
	var mu sync.Mutex
	summary, err := e.runOn(ctx, s.now, p, on, func(ctx context.Context, r *stream.Run) error {
		part := s.parts[r.Stream.Stream]
		err := e.scrub(source.WithPriority(ctx, source.Scrub), r, part)
		if err != nil && errors.Is(context.Cause(ctx), errScrubTime) {
			return nil
		}
		if err == nil {
			mu.Lock()
			e.scrubs.aged[r.Stream.Stream] = true
			mu.Unlock()
		}
		return err
	})
	if errors.Is(err, errScrubTime) {
		err = nil
	}
	return summary, err
}

// scrub compares the part of a stream.
func (e *Engine) scrub(ctx context.Context, r *stream.Run, part *scrubbed) error {
	extent := part.extent()
	r.Limit(extent)
	if err := r.Detailed(ctx, part.aged); err != nil {
		return err
	}
	findings, err := audit.Findings(ctx, e.store, r.Stream.Stream, extent.Start, extent.End)
	if err != nil {
		return err
	}
	r.Proving = len(findings) > 0
	if len(part.rows) > 0 {
		if err := r.List(ctx, stream.Jobs(part.rows, part.ledger, source.Scrub, time.Time{})); err != nil {
			return err
		}
	}
	// Windows hold few orders, or many: about as many details are fetched at a time.
	var refs []schema.OrderRef
	var of []window.Interval
	for i, l := range part.details {
		// Not those that were fetched since: a part of the window may have been.
		old, err := e.store.OldDetails(ctx, r.Stream.Stream, l.Start, l.End, l.at.Add(r.Now.Sub(l.at)/2), int(l.cost))
		if err != nil {
			return err
		}
		if refs, of = append(refs, old...), append(of, l.Interval); len(refs) < scrubDetails && i+1 < len(part.details) {
			continue
		}
		for some := range slices.Chunk(refs, scrubDetails) {
			r.Count(func(s *stream.Outcome) { s.Rechecked += len(some) })
			if err := r.Fetch(ctx, slices.Clone(some)); err != nil {
				return err
			}
		}
		if r.Stream.Lists() {
			slices.SortFunc(of, stream.Earliest)
			if err := r.Detailed(ctx, of); err != nil {
				return err
			}
		}
		refs, of = nil, nil
	}
	return audit.EndFindings(ctx, e.store, r, findings)
}
