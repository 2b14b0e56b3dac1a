package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/ordersync/ordersync/sync/window"
)

// looked is a window of the past: when it was last looked at, and what it costs to look again.
type looked struct {
	window.Interval
	at   time.Time
	cost float64
}

// dueLooks chooses the windows that are to be looked at again: what the pace asks for now, and what must be done before a time ahead
// so that it comes round within every; oldest first. Those of a day are looked at in parts that take least calls or more, and all
// together take at most so many. spent is how many calls they take, and wait how long it is until the next one is due.
func dueLooks(looks []looked, every time.Duration, now time.Time, ahead time.Duration, least, most float64) (due []looked, spent float64, wait time.Duration) {
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
	chosen := map[time.Time]bool{}
	least, wait = min(least, most), every
	for _, oldest := range looks {
		if chosen[oldest.Start] {
			continue
		}
		// With it go the others of its day that are about as old: they are listed together.
		var part []looked
		cost, age := 0.0, max(0, now.Sub(oldest.at))
		day := days[oldest.Start.Truncate(24*time.Hour)]
		first, _ := slices.BinarySearchFunc(day, oldest, func(a, b looked) int { return a.Start.Compare(b.Start) })
		for i := range day {
			l := day[(first+i)%len(day)]
			if !chosen[l.Start] && !l.at.After(oldest.at.Add(age/2)) && cost < least {
				part, cost = append(part, l), cost+l.cost
			}
		}
		if early := spent + cost - owed; early > 0 && age+ahead < every {
			wait = min(time.Duration(early/all*float64(every)), every-age-ahead)
			break
		}
		if spent+cost > most {
			wait = 0
			break
		}
		for _, l := range part {
			chosen[l.Start] = true
		}
		due, spent = append(due, part...), spent+cost
	}
	return due, spent, wait
}
