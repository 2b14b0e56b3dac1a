package unicloud

import (
	"time"

	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// china is the zone of times that name none, where no other is configured. It has had no summer time since 1991.
var china = time.FixedZone("UTC+8", 8*60*60)

// notAfter writes the start of an interval as the vendor takes it: a local time, at whole seconds. Where clocks are set
// back, times come twice and nobody knows which of them the vendor means; then it is the last one before that, since an
// interval may only ever grow.
func notAfter(t time.Time, loc *time.Location) string {
	t = t.Truncate(time.Second)
	if from, _, twice := repeated(t, loc); twice {
		t = from.Add(-time.Second)
	}
	return t.In(loc).Format(field.LocalLayout)
}

// notBefore is notAfter for the end of an interval.
func notBefore(t time.Time, loc *time.Location) string {
	if r := t.Truncate(time.Second); !r.Equal(t) {
		t = r.Add(time.Second)
	}
	if _, to, twice := repeated(t, loc); twice {
		t = to
	}
	return t.In(loc).Format(field.LocalLayout)
}

// repeated reports whether the clocks of a zone show a time twice, and from when to when they show such times.
func repeated(t time.Time, loc *time.Location) (from, to time.Time, twice bool) {
	start, end := t.In(loc).ZoneBounds()
	for _, change := range []time.Time{start, end} {
		if change.IsZero() {
			continue
		}
		_, before := change.Add(-time.Second).In(loc).Zone()
		_, after := change.In(loc).Zone()
		back := time.Duration(before-after) * time.Second
		if back > 0 && !t.Before(change.Add(-back)) && t.Before(change.Add(back)) {
			return change.Add(-back), change.Add(back), true
		}
	}
	return from, to, false
}
