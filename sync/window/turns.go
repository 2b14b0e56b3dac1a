package window

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// silenceShare is the part of its silence after which a stream is asked again: one that ordered nothing for four hours is asked
// after another hour. Smaller parts make rows appear sooner and cost more calls: with this one the bounds of 30,000 owners can
// be kept with the usual quota.
const silenceShare = 0.25

// Turns says how often the streams of one account are asked, where it has so many that not all of them can be in each
// scheduled run.
type Turns struct {
	Every time.Duration // from one scheduled run to the next
	Quiet time.Duration // how seldom a stream may be asked; what is not longer than Every is every run
}

// fewShare is the part of the list quota that asking all streams in every scheduled run may take, at askCalls each. Streams that
// are so few have no turns: what they save is not worth a row that comes late.
const (
	fewShare = 0.1
	askCalls = 2
)

// TurnsOf returns the turns of so many streams of a login with a list quota, in calls a second; 0 is without a bound.
func TurnsOf(streams int, quota float64, every, quiet time.Duration) Turns {
	if streams < 2 || every > 0 && quota > 0 && askCalls*float64(streams) <= fewShare*quota*every.Seconds() {
		quiet = 0
	}
	return Turns{Every: every, Quiet: quiet}
}

// Asked is what is known of a stream when it is decided whether it is its turn.
type Asked struct {
	At      time.Time // when it was last asked
	Ordered time.Time // when the newest of its stored orders was created; zero for longer ago than matters
	Failed  int       // how many times in a row not all was done that there was to do
}

// Bound returns how long after it was last asked a stream is asked again at the latest: Every for one that orders, and a quarter
// of its silence for one that does not, up to Quiet. One that has not answered is asked again soon, however long it has been
// silent, and then as if it were silent since.
func (t Turns) Bound(a Asked) time.Duration {
	bound := silenceShare * float64(a.At.Sub(a.Ordered))
	if a.Failed > 0 {
		bound = min(bound, float64(t.Every)*math.Pow(1+silenceShare, float64(a.Failed)))
	}
	return time.Duration(max(float64(t.Every), min(bound, float64(t.Quiet))))
}

// Horizon returns how far back it matters when a stream ordered, and when it was asked.
func (t Turns) Horizon() time.Duration { return time.Duration(2 * float64(t.Quiet) / silenceShare) }

// Due returns, by index, the streams whose turn it is in the run of a time, because the next run would come after their bound.
// Those come first that have waited longest, each measured by its own bound: whoever is left out for want of quota
// comes before others in the next run, and so nobody starves.
func (t Turns) Due(now time.Time, streams []Asked) []int {
	type turn struct {
		stream  int
		overdue float64
	}
	var due []turn
	for i, a := range streams {
		waited, bound := now.Sub(a.At), t.Bound(a)
		if waited > bound-t.Every {
			due = append(due, turn{i, float64(waited) / float64(max(bound, 1))})
		}
	}
	slices.SortStableFunc(due, func(a, b turn) int { return cmp.Compare(b.overdue, a.overdue) })
	out := make([]int, len(due))
	for i, d := range due {
		out[i] = d.stream
	}
	return out
}
