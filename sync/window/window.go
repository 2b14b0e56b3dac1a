// Package window plans: which windows tile a range, which of them are due, and in which ranges they are listed.
//
// It is pure: no I/O and no clock. The run's time is always an argument.
package window

import (
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
)

// Interval is a half-open range of UTC time [Start, End).
type Interval struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// String shows the interval as people write it.
func (i Interval) String() string {
	return fmt.Sprintf("[%s, %s)", i.Start.Format(time.RFC3339), i.End.Format(time.RFC3339))
}

// Contains reports whether t lies in the interval.
func (i Interval) Contains(t time.Time) bool { return !t.Before(i.Start) && t.Before(i.End) }

// Empty reports whether no time lies in the interval.
func (i Interval) Empty() bool { return !i.Start.Before(i.End) }

// Clip returns the part of i that lies in o.
func (i Interval) Clip(o Interval) Interval {
	if o.Start.After(i.Start) {
		i.Start = o.Start
	}
	if o.End.Before(i.End) {
		i.End = o.End
	}
	return i
}

// Until returns the part of i before t.
func (i Interval) Until(t time.Time) Interval {
	if t.Before(i.End) {
		i.End = t
	}
	return i
}

// Extend returns the smallest interval that holds both; an empty one holds nothing.
func (i Interval) Extend(o Interval) Interval {
	switch {
	case i.Empty():
		return o
	case o.Empty():
		return i
	}
	if o.Start.Before(i.Start) {
		i.Start = o.Start
	}
	if o.End.After(i.End) {
		i.End = o.End
	}
	return i
}

// Of returns the interval of a window.
func Of(w schema.Window) Interval { return Interval{w.Start, w.End} }

// At returns the window of the given size, which divides a day, that a time lies in.
func At(t time.Time, size time.Duration) Interval {
	start := t.UTC().Truncate(size)
	return Interval{start, start.Add(size)}
}

// Align widens the interval to whole windows of the given size, which divides a day.
func (i Interval) Align(size time.Duration) Interval {
	start, end := i.Start.UTC().Truncate(size), i.End.UTC().Truncate(size)
	if end.Before(i.End) {
		end = end.Add(size)
	}
	return Interval{start, end}
}

// Tile returns the windows that an interval lies in: no gap and no overlap (I2).
func (i Interval) Tile(size time.Duration) []Interval {
	var out []Interval
	i = i.Align(size)
	for s := i.Start; s.Before(i.End); s = s.Add(size) {
		out = append(out, Interval{s, s.Add(size)})
	}
	return out
}

// Halve cuts the interval in two near its middle: at a window's edge where it holds several windows, else at a whole
// second, because that is the finest that a vendor can be asked. It reports false where that is not possible.
func (i Interval) Halve(size time.Duration) (a, b Interval, ok bool) {
	step, length := time.Second, i.End.Sub(i.Start)
	if length > size {
		step, length = size, length+size-1 // the last window may be one that is not over
	}
	n := length / step
	if n < 2 {
		return i, Interval{}, false
	}
	mid := i.Start.Add(n / 2 * step)
	return Interval{i.Start, mid}, Interval{mid, i.End}, true
}

// Ranges joins neighbouring windows into the ranges that are listed together: at most one day, never over midnight UTC, so
// that the rows of a range go to one partition. Windows must be sorted.
func Ranges(windows []Interval) []Interval {
	var out []Interval
	for _, w := range windows {
		if n := len(out); n > 0 && out[n-1].End.Equal(w.Start) && sameDay(out[n-1].Start, w.Start) {
			out[n-1].End = w.End
			continue
		}
		out = append(out, w)
	}
	return out
}

// Set is a set of times, as sorted intervals that do not meet. The zero Set is empty.
type Set []Interval

// Add adds an interval.
func (s *Set) Add(iv Interval) {
	if n := len(*s); n == 0 || iv.Start.After((*s)[n-1].End) {
		*s = append(*s, iv)
		return
	}
	first, _ := slices.BinarySearchFunc(*s, iv.Start, func(x Interval, t time.Time) int { return x.End.Compare(t) })
	last := first
	for last < len(*s) && !(*s)[last].Start.After(iv.End) {
		iv = iv.Extend((*s)[last])
		last++
	}
	*s = slices.Replace(*s, first, last, iv)
}

// Covers reports whether all of an interval is in the set.
func (s Set) Covers(iv Interval) bool {
	return slices.ContainsFunc(s, func(x Interval) bool { return !iv.Start.Before(x.Start) && !iv.End.After(x.End) })
}

func sameDay(a, b time.Time) bool {
	const day = 24 * time.Hour
	return a.UTC().Truncate(day).Equal(b.UTC().Truncate(day))
}

// Earliest is before all orders of all vendors: a range that begins earlier is a mistake, which would be planned hour by hour.
var Earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Check refuses a bound of a range in which no order can have been created: before Earliest, or after the hour of now, which
// is open.
func Check(t, now time.Time) error {
	switch open := now.UTC().Truncate(time.Hour).Add(time.Hour); {
	case t.Before(Earliest):
		return fmt.Errorf("%s is before %s, and no order is so old", t.UTC().Format(time.RFC3339), Earliest.Format(time.DateOnly))
	case t.After(open):
		return fmt.Errorf("%s is in the future: the hour that is open ends at %s", t.UTC().Format(time.RFC3339), open.Format(time.RFC3339))
	}
	return nil
}

// Missing returns the windows of an aligned range that the ledger does not hold as complete, and those that are due for
// another reason, oldest first. Entries may come in any order; due windows are named by their start, in Unix seconds.
func Missing(r Interval, size time.Duration, ledger []schema.Window, due map[int64]bool) []Interval {
	complete := make(map[int64]bool, len(ledger))
	for _, w := range ledger {
		if w.Verdict == schema.Complete {
			complete[w.Start.Unix()] = true
		}
	}
	var out []Interval
	for _, w := range r.Tile(size) {
		if at := w.Start.Unix(); !complete[at] || due[at] {
			out = append(out, w)
		}
	}
	return out
}

const (
	firstRetry = 5 * time.Minute
	lastRetry  = 24 * time.Hour
)

// RetryAt says when what failed for the n-th time in a row may be tried again: after five minutes, then ever more
// rarely, down to once a day, so that one bad record or window costs nothing.
func RetryAt(last time.Time, attempts uint32) time.Time {
	wait := firstRetry << min(max(attempts, 1)-1, 16)
	return last.Add(min(wait, lastRetry))
}
