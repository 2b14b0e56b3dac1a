package engine

import (
	"context"
	"slices"
	"sort"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// However the orders are spread over a day, and be nearly all of them in one minute of it, the listing of the day makes few
// more calls than there are full pages: a tenth, one for the day, a few that ask for a limit, and one for each halving on the way to a burst. (More than
// 10,000 orders within a few minutes cost up to a quarter more.)
func TestListingOfAnyDensity(t *testing.T) {
	t.Parallel()
	const halvings = 9  // of a day, down to what is listed whole
	const questions = 5 // at the most, whether a count is a limit, for one list
	day := window.Interval{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	for _, orders := range []int{0, 19, 300, 1100, 1600, 1700, 2100, 5000, 10_000} {
		for _, percent := range []int{0, 30, 60, 90, 100} { // of all orders, in the burst
			for _, hour := range []int64{0, 11, 23} {
				for _, seconds := range []int64{60, 600, 3600} {
					v := &generated{}
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

// generated is a source of orders that lie where its parts say, evenly spread within each.
type generated struct {
	parts []part
	total int
	calls atomic.Int64
}

// part is a range with n orders, at whole seconds.
type part struct {
	start, length int64 // Unix seconds
	first, n      int   // the first order's number
}

// before counts the orders that were created before a time.
func (v *generated) before(at time.Time) int {
	t := at.Unix()
	if at.Nanosecond() > 0 {
		t++
	}
	i, found := slices.BinarySearchFunc(v.parts, t, func(p part, t int64) int { return int(p.start - t) })
	switch {
	case found:
		return v.parts[i].first
	case i == 0:
		return 0
	}
	p := v.parts[i-1]
	// Order k of n is created at second (k+½)×length/n, rounded down: not at an edge, where two listings would show it.
	in := min(t-p.start, p.length)
	return p.first + int((2*in*int64(p.n)+p.length-1)/(2*p.length))
}

// at is when an order was created.
func (v *generated) at(number int) time.Time {
	i := sort.Search(len(v.parts), func(i int) bool { return v.parts[i].first > number }) - 1
	p := v.parts[i]
	return time.Unix(p.start+(2*int64(number-p.first)+1)*p.length/int64(2*p.n), 0).UTC()
}

// List is part of Source.
func (v *generated) List(ctx context.Context, q source.Query) (source.Page, error) {
	v.calls.Add(1)
	first, end := v.before(q.Start), v.before(q.End.Add(time.Second)) // both ends included
	p := source.Page{Total: end - first}
	for k := first + (q.Page-1)*q.Size; k < min(end, first+q.Page*q.Size); k++ {
		p.Orders = append(p.Orders, schema.Order{OrderID: strconv.Itoa(k), CreateTime: v.at(k), DetailStatus: schema.DetailOK})
	}
	return p, context.Cause(ctx)
}
