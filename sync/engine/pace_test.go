package engine

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// Whatever an account holds, and however it was looked at before, each window is looked at again within the interval, at an even
// pace, and with hardly more calls than one look at everything takes in each interval.
func TestScrubComesRound(t *testing.T) {
	t.Parallel()
	const days, every, between = 30, 30 * 24 * time.Hour, 30 * time.Minute
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, a := range map[string]struct {
		perDay float64                          // orders
		looked func(i int) time.Duration        // since the first moment, of the i-th window
		others func(step int) (int, bool)       // a window that somebody else looks at
		off    func(at time.Duration) (no bool) // nothing is done
	}{
		"just filled, sparse":         {perDay: 3},
		"just filled, ordinary":       {perDay: 2_000},
		"just filled, dense":          {perDay: 100_000},
		"grown, sparse":               {perDay: 3, looked: func(i int) time.Duration { return -time.Duration(days*24-i) * time.Hour / 2 }},
		"grown, dense":                {perDay: 40_000, looked: func(i int) time.Duration { return -time.Duration(days*24-i) * time.Hour / 2 }},
		"with verifications, sparse":  {perDay: 50, others: func(step int) (int, bool) { return step % (days * 24), step%40 == 0 }},
		"after a week without a run":  {perDay: 2_000, off: func(at time.Duration) bool { return at > 20*24*time.Hour && at < 27*24*time.Hour }},
		"an hour of each day is busy": {perDay: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks, all := make([]looked, days*24), 0.0
			for i := range looks {
				l := &looks[i]
				l.Interval, l.at = window.At(first.Add(time.Duration(i)*time.Hour), time.Hour), first.Add(days*24*time.Hour)
				if a.looked != nil {
					l.at = l.at.Add(a.looked(i))
				}
				l.cost = math.Abs(a.perDay)/24/20 + besidePages/24.
				if a.perDay < 0 && i%24 == 9 {
					l.cost += 300
				}
				all += l.cost
			}
			begin := first.Add(days * 24 * time.Hour)
			const rounds = 2
			spent, byDay, calls := 0.0, map[int]float64{}, 0
			var until time.Duration
			for step := 0; step < rounds*int(every/between); step++ {
				at := time.Duration(step) * between
				now := begin.Add(at)
				if a.others != nil {
					if i, ok := a.others(step); ok {
						looks[i].at = now
					}
				}
				if at < until || a.off != nil && a.off(at) {
					continue
				}
				due, cost, wait := dueLooks(looks, every, now, between*3/2, scrubPart, 2400)
				until = at + min(wait, every/50)
				real := 0.0
				var ranges []window.Interval
				for _, w := range due {
					ranges = append(ranges, w.Interval)
					real += looks[int(w.Start.Sub(first)/time.Hour)].cost
					looks[int(w.Start.Sub(first)/time.Hour)].at = now.Add(time.Minute)
				}
				if math.Abs(real-cost) > 1e-6 {
					t.Fatalf("%f calls are said to be %f", real, cost)
				}
				slices.SortFunc(ranges, stream.Earliest)
				if cost > 0 {
					calls++
					// What a listing of so many ranges really takes.
					spent += real + float64(len(window.Ranges(ranges)))*besidePages - besidePages*float64(len(due))/24
					byDay[int(at/(24*time.Hour))] += real
				}
				if oldest := slices.MinFunc(looks, func(x, y looked) int { return x.at.Compare(y.at) }); now.Sub(oldest.at) > every && a.off == nil {
					t.Fatalf("after %s: %s was last looked at %s ago", at, oldest.Interval, now.Sub(oldest.at))
				}
			}
			if most := (rounds + 0.1) * all * 1.06; spent > most {
				t.Errorf("%.0f calls in %d rounds, each of which takes %.0f", spent, rounds, all)
			}
			busiest := 0.0
			for _, n := range byDay {
				busiest = max(busiest, n)
			}
			if even := all / 30; a.off == nil && busiest > 1.5*even+400 {
				t.Errorf("%.0f calls on one day, %.0f evenly", busiest, even)
			}
			t.Logf("%.0f calls in %d parts for %d rounds of %.0f, %.0f on the busiest day", spent, calls, rounds, all, busiest)
		})
	}
}
