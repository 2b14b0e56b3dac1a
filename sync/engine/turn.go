package engine

import (
	"context"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// answersShare is the part of the time between two scheduled runs in which streams may be asked what is new. The rest of it is
// left to gaps, rechecks and verifications, and lets the run end before the next one.
const answersShare = 0.9

// turn is which streams a scheduled run asks, where an account has several: those whose turn it is by [window.Turns], until the
// time to the next run, and with it the list quota, is used up.
type turn struct {
	streams []stream.Stream // in the order in which they are asked
	quiet   []stream.Stream // whose turn it is not
	stored  map[schema.Stream]schema.Activity
	now     time.Time     // the run's, by the vendor's clock
	until   time.Time     // after it only the first places are taken; zero for whenever
	places  chan struct{} // of those that are asked at the same time; nil for all
	begun   int
	quota   float64   // list calls a second; 0 is without a bound
	since   time.Time // by [time.Now], when streams began to be asked
	used    bool      // the quota, when the time was over
}

// usedShare is the part of the list quota that is used where streams wait for it. Where it is not, it is the vendor, the warehouse or
// this machine that takes its time, and more quota would not help.
const usedShare = 0.8

// quotaUsed reports whether so many list calls in a time are all that a quota allows, in calls a second; 0 is without a bound.
func quotaUsed(calls int64, took time.Duration, quota float64) bool {
	return quota > 0 && float64(calls) >= usedShare*quota*took.Seconds()
}

// turn chooses the streams of a scheduled run. It goes by what is stored of them, so that a restart forgets nothing.
func (e *Engine) turn(ctx context.Context, now, until time.Time) (*turn, error) {
	t := &turn{streams: e.streams, stored: map[schema.Stream]schema.Activity{}}
	if len(e.streams) < 2 || !e.streams[0].Lists() {
		return t, nil
	}
	t.streams, t.places, t.since = nil, make(chan struct{}, atOnce(e.streams)), time.Now()
	var every time.Duration
	if !until.IsZero() {
		every = max(0, time.Until(until))
		t.until = t.since.Add(time.Duration(answersShare * float64(every)))
	}
	t.quota, _ = stream.Quotas(e.streams)
	rule := window.TurnsOf(len(e.streams), t.quota, every, e.Quiet)
	stored, err := e.store.Activities(ctx, e.streams[0].Account, now.Add(-rule.Horizon()-e.Lookback))
	if err != nil {
		return nil, err
	}
	for _, a := range stored {
		t.stored[a.Stream] = a
	}
	t.now = now.Add(e.streams[0].Offset())
	asked := make([]window.Asked, len(e.streams))
	for i, s := range e.streams {
		asked[i] = e.tries.asked(s.Key(), t.stored[s.Key()], t.now.Add(-rule.Every))
	}
	due := make([]bool, len(e.streams))
	for _, i := range rule.Due(t.now, asked) {
		t.streams = append(t.streams, e.streams[i])
		due[i] = true
	}
	for i, s := range e.streams {
		if !due[i] {
			t.quiet = append(t.quiet, s)
		}
	}
	return t, nil
}

// atOnce is how many streams of a login are asked at the same time: enough to use its list quota while each waits two seconds for
// an answer, and few enough that those that were begun are soon done.
func atOnce(streams []stream.Stream) int {
	n := streams[0].InFlight
	if quota, _ := stream.Quotas(streams); quota > 0 {
		n = min(n, max(8, int(2*quota)))
	}
	return max(1, n)
}

// begin waits for a place among those that are asked. It reports false where no stream is to be begun any more. There is always
// time for as many as there are places: a run that begins right before the next one, or whose warehouse is slow, must not leave
// everybody. calls tells how many list calls the run has made.
func (t *turn) begin(ctx context.Context, calls func() int64) (answered func(), ok bool) {
	if t.places == nil {
		return func() {}, true
	}
	select {
	case t.places <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	if t.begun >= cap(t.places) && !t.until.IsZero() && time.Now().After(t.until) {
		t.used = quotaUsed(calls(), time.Since(t.since), t.quota)
		<-t.places
		return nil, false
	}
	t.begun++
	return sync.OnceFunc(func() { <-t.places }), true
}

// end adds to the summary of the run the streams that it did not ask, with what is left undone of them (I8).
func (t *turn) end(s *stream.Summary, e *tries) {
	left := t.streams[len(s.Streams):]
	s.Quiet, s.Left, s.Late, s.QuotaUsed = len(t.quiet), len(left), e.leave(left), t.used
	for _, of := range [][]stream.Stream{t.quiet, left} {
		for _, l := range of {
			if a := t.stored[l.Key()]; a.Undone+a.Rejected+a.Pending > 0 {
				s.Unasked = append(s.Unasked, stream.Outcome{Stream: l.Stream, Waiting: a.Undone, Rejected: a.Rejected, Pending: a.Pending})
			}
		}
	}
}

// tries is what the runs of this process know of streams beyond what is stored: of which of them not all could be done,
// since when those wait that were never asked, and which the last run left.
type tries struct {
	mu   sync.Mutex
	of   map[schema.Stream]window.Asked
	left map[schema.Stream]bool
}

// leave notes which streams a run left, and returns how many of them the run before had left, too.
func (t *tries) leave(left []stream.Stream) (late int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.left
	t.left = make(map[schema.Stream]bool, len(left))
	for _, s := range left {
		t.left[s.Key()] = true
		if before[s.Key()] {
			late++
		}
	}
	return late
}

// asked is what is known of a stream. One of which nothing is known is as if it had ordered, and been asked, at first.
func (t *tries) asked(s schema.Stream, stored schema.Activity, first time.Time) window.Asked {
	t.mu.Lock()
	defer t.mu.Unlock()
	tried, known := t.of[s]
	switch {
	case tried.Failed > 0:
		tried.Ordered = stored.Ordered
	case !stored.Answered.IsZero():
		return window.Asked{At: stored.Answered, Ordered: stored.Ordered}
	case !known:
		if t.of == nil {
			t.of = map[schema.Stream]window.Asked{}
		}
		tried = window.Asked{At: first, Ordered: first}
		t.of[s] = tried
	}
	return tried
}

// note takes over what the run of a time did. Windows that fail, or for which there was no time, bring their stream's turn
// forward.
func (t *tries) note(now time.Time, outcomes []stream.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range outcomes {
		k := l.Key()
		if l.Err == nil && l.Windows[schema.Failed]+l.Windows[schema.Short]+l.Waiting == 0 {
			delete(t.of, k)
			continue
		}
		if t.of == nil {
			t.of = map[schema.Stream]window.Asked{}
		}
		t.of[k] = window.Asked{At: now, Failed: t.of[k].Failed + 1}
	}
}
