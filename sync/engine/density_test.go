package engine

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// However the orders are spread over a day, and be nearly all of them in one minute of it, the listing of the day makes few
// more calls than there are full pages: a tenth, one for the day, a few that ask for a limit, and one for each halving on the way to a burst. (More than
// 10,000 orders within a few minutes cost up to a quarter more.)
func TestListingOfAnyDensity(t *testing.T) {
	t.Parallel()
	const halvings = 9  // of a day, down to what is listed whole
	const questions = 4 // at the most, whether a count is a limit, for one walk
	day := window.Interval{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	for _, orders := range []int{0, 19, 300, 1100, 1600, 1700, 2100, 5000, 10_000} {
		for _, percent := range []int{0, 30, 60, 90, 100} { // of all orders, in the burst
			for _, hour := range []int64{0, 11, 23} {
				for _, seconds := range []int64{60, 600, 3600} {
					v := &invented{}
					add := func(from, to int64, n int) {
						if from < to {
							v.parts = append(v.parts, part{start: day.Start.Unix() + from, length: to - from, first: v.total, n: n})
							v.total += n
						}
					}
					burst, rest := hour*3600, orders-orders*percent/100
					before := int(int64(rest) * burst / (86400 - seconds))
					add(0, burst, before)
					add(burst, burst+seconds, orders-rest)
					add(burst+seconds, 86400, rest-before)
					if burst+seconds == 86400 { // nothing comes after it
						v.parts[len(v.parts)-1].n += orders - v.total
						v.total = orders
					}
					listed := 0
					w := walk.Walker{Lister: v, Window: time.Hour, PageSize: 20, Parallel: 4}
					for l, err := range w.Walk(t.Context(), day) {
						listed += len(l.Orders)
						if err != nil || l.Verdict != schema.Complete {
							t.Error(l.Interval, err, l.Err)
						}
					}
					if listed != orders {
						t.Fatalf("%d orders of %d", listed, orders)
					}
					if calls, most := float64(v.calls.Load()), float64((orders+19)/20)*1.10+1+halvings+questions; calls > most {
						t.Errorf("%d orders, %d %% of them in %d s of hour %d: %.0f calls, %.0f at the most", orders, percent, seconds, hour, calls, most)
					}
				}
			}
		}
	}
}
