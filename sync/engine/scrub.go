package engine

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// The past is compared with the source again and again, as file systems scrub their disks: orders that are older than the
// lookback change seldom, and nobody tells of it. Every window before the lookback is listed whole again within Options.Scrub,
// the one first that was not for the longest time, by the same machine that lists it in a backfill: what differs is fetched, and
// what is missing is looked into as in any run.
//
// When each window was last listed whole is in the ledger, whoever did it, and nothing else is kept: a restart goes on. The work
// is spread evenly, by a rule that needs no memory either: since any window was listed, that part of all the others must have
// been listed that the time since then is of Options.Scrub. What comes out of it is a round in each Options.Scrub, at one pace.
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
)

// errScrubTime ends a run that is not done when the next scheduled run is due. The windows that it has not listed come first in
// the next one.
var errScrubTime = errors.New("the next scheduled run is due")

// Scrubbing is what is to be compared with the source again before the next scheduled run.
type Scrubbing struct {
	window.Interval // from the first to the last window; there may be much between them that is not to be compared
	now             time.Time
	end             time.Time // by [time.Now], when it has to be over; zero for whenever
	parts           map[schema.Stream]*scrubbed
}

// scrubbed is the part of one stream.
type scrubbed struct {
	windows []window.Interval
	ledger  []schema.Window
}

// looked is a window of the past: when it was last looked at, and what it costs to look again.
type looked struct {
	window.Interval
	at   time.Time
	cost float64
}

// DueScrub returns what is to be compared again now, so that all of the past comes round within Options.Scrub; nil for nothing.
// now is the time of the scheduled run before it, until when the next one is due, by [time.Now]: zero for never.
func (e *Engine) DueScrub(ctx context.Context, now, until time.Time) (*Scrubbing, error) {
	s := &Scrubbing{now: now, parts: map[schema.Stream]*scrubbed{}}
	var left time.Duration
	if !until.IsZero() {
		left = max(0, time.Until(until))
		s.end = until.Add(-min(scrubMargin, left/10))
	}
	calls := math.Inf(1) // that there is time for, of the login
	if quota := e.streams[0].ListQuota * float64(len(e.streams)); quota > 0 && !until.IsZero() {
		calls = scrubQuota * quota * left.Seconds()
	}
	for i := range e.streams {
		of := e.streams[(e.scrubFrom+i)%len(e.streams)]
		if e.Scrub <= 0 || s.over() {
			break
		}
		if !of.Lists() || now.Before(e.scrubAt[of.Stream]) {
			continue
		}
		past := now.Add(of.Offset() - e.Lookback).Truncate(e.Window)
		ledger, err := e.store.Windows(ctx, of.Stream, schema.MinTime, past)
		if err != nil {
			return nil, err
		}
		var looks []looked
		for _, w := range ledger {
			if w.Verdict == schema.Complete { // all else is to be listed anyway
				iv := window.Interval{Start: w.Start, End: w.End}
				looks = append(looks, looked{iv, w.Listing(), float64(w.Listed)/float64(max(1, of.PageSize)) + perDay*iv.End.Sub(iv.Start).Hours()/24})
			}
		}
		due, spent, wait := dueLooks(looks, e.Scrub, now.Add(of.Offset()), left*3/2, calls) // what is due before the next run is over is due now
		if calls -= spent; len(due) > 0 {
			s.parts[of.Stream] = &scrubbed{due, ledger}
			s.Interval = s.Extend(window.Interval{Start: due[0].Start, End: due[len(due)-1].End})
			continue
		}
		e.scrubAt[of.Stream] = now.Add(min(wait, e.Scrub/50)) // until then the ledger need not be read
	}
	if len(s.parts) == 0 {
		return nil, nil
	}
	e.scrubFrom++ // where there are more owners than there is time for, each is the first one some time
	return s, nil
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
	summary, err := e.runOn(ctx, s.now, p, on, func(ctx context.Context, r *stream.Run) error {
		part := s.parts[r.Stream.Stream]
		extent := window.Interval{Start: part.windows[0].Start, End: part.windows[len(part.windows)-1].End}
		r.Limit(extent)
		findings, err := audit.Findings(ctx, e.store, r.Stream.Stream, extent.Start, extent.End)
		if err != nil {
			return err
		}
		r.Proving = len(findings) > 0
		if err := r.List(ctx, stream.Jobs(part.windows, part.ledger, source.Scrub, time.Time{})); err != nil {
			if errors.Is(context.Cause(ctx), errScrubTime) {
				return nil
			}
			return err
		}
		return audit.EndFindings(ctx, e.store, r, findings)
	})
	if errors.Is(err, errScrubTime) {
		err = nil
	}
	return summary, err
}

// perDay is how many list calls a range of up to a day takes beside its full pages: its last page is not full, and its first is
// read twice.
const perDay = 2

// dueLooks chooses the windows that are to be looked at again, with at most so many calls: what the pace asks for now, and what must
// be done before a time ahead so that it comes round within every; oldest first. spent is how many calls they take, and wait how long it is until the next one is due.
func dueLooks(looks []looked, every time.Duration, now time.Time, ahead time.Duration, most float64) (due []window.Interval, spent float64, wait time.Duration) {
	days := map[time.Time][]looked{} // each in the order of time, as looks are
	all := 0.0
	for _, l := range looks {
		day := l.Start.Truncate(24 * time.Hour)
		days[day] = append(days[day], l)
		all += l.cost
	}
	looks = slices.SortedFunc(slices.Values(looks), func(a, b looked) int { return cmp.Or(a.at.Compare(b.at), a.Start.Compare(b.Start)) })
	owed, since := 0.0, 0.0
	for _, l := range slices.Backward(looks) {
		owed = max(owed, all*now.Sub(l.at).Seconds()/every.Seconds()-since)
		since += l.cost
	}
	chosen, least := map[time.Time]bool{}, min(scrubPart, most)
	for _, oldest := range looks {
		if chosen[oldest.Start] {
			continue
		}
		// With it go the others of its day that are about as old: they are listed together.
		var part []window.Interval
		cost, age := 0.0, now.Sub(oldest.at)
		day := days[oldest.Start.Truncate(24*time.Hour)]
		first, _ := slices.BinarySearchFunc(day, oldest, func(a, b looked) int { return a.Start.Compare(b.Start) })
		for i := range day {
			l := day[(first+i)%len(day)]
			if !chosen[l.Start] && !l.at.After(oldest.at.Add(age/2)) && cost < least {
				part, cost = append(part, l.Interval), cost+l.cost
			}
		}
		if early := spent + cost - owed; early > 0 && age+ahead < every {
			wait = min(time.Duration(early/all*float64(every)), every-age-ahead)
			break
		}
		if spent+cost > most {
			break
		}
		for _, w := range part {
			chosen[w.Start] = true
		}
		due, spent = append(due, part...), spent+cost
	}
	slices.SortFunc(due, stream.Earliest)
	return due, spent, wait
}
