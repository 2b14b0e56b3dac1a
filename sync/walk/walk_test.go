package walk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// list is a vendor's listing in memory. Faults change one answer.
type list struct {
	mu     sync.Mutex
	times  []time.Time // sorted; the id is the position
	calls  int
	cap    int
	fault  func(call int, q source.Query, p *source.Page) error
	before func(call int)
}

func spread(n int, over time.Duration) *list {
	l := &list{}
	for i := range n {
		l.times = append(l.times, day.Add(over*time.Duration(i)/time.Duration(n)).Truncate(time.Second))
	}
	return l
}

func (l *list) List(_ context.Context, q source.Query) (source.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.before != nil {
		l.before(l.calls)
	}
	var in []int
	for i := len(l.times) - 1; i >= 0; i-- { // newest first, both ends included
		if !l.times[i].Before(q.Start) && !l.times[i].After(q.End) {
			in = append(in, i)
		}
	}
	size := q.Size
	if l.cap > 0 {
		size = min(size, l.cap)
	}
	p := source.Page{Total: len(in)}
	if from := (q.Page - 1) * size; from < len(in) {
		for _, i := range in[from:min(from+size, len(in))] {
			p.Orders = append(p.Orders, schema.Order{OrderID: fmt.Sprint(i), CreateTime: l.times[i]})
		}
	}
	if l.fault != nil {
		if err := l.fault(l.calls, q, &p); err != nil {
			return source.Page{}, err
		}
	}
	return p, nil
}

func (l *list) walk(t *testing.T, iv window.Interval) []Listing {
	t.Helper()
	var out []Listing
	w := &Walker{Lister: l, Window: time.Hour, PageSize: 20, Parallel: 4}
	if err := w.Walk(t.Context(), iv, func(l Listing) error { out = append(out, l); return nil }); err != nil {
		t.Fatal(err)
	}
	at, calls := iv.Start, 0
	for _, g := range out {
		if !g.Start.Equal(at) {
			t.Errorf("a listing starts at %s, the last one ended at %s", g.Start, at)
		}
		at = g.End
		calls += g.Calls
		for _, o := range g.Orders {
			if !g.Contains(o.CreateTime) {
				t.Errorf("order of %s in the listing %s", o.CreateTime, g.Interval)
			}
		}
	}
	if !at.Equal(iv.End) {
		t.Errorf("the listings end at %s, not at %s", at, iv.End)
	}
	if calls != l.calls {
		t.Errorf("the listings account for %d calls of %d", calls, l.calls)
	}
	return out
}

// whole fails unless the listings are complete and hold every order of the interval once.
func (l *list) whole(t *testing.T, iv window.Interval, got []Listing) {
	t.Helper()
	seen := map[string]int{}
	for _, g := range got {
		if g.Verdict != schema.Complete {
			t.Errorf("%s is %s: %v", g.Interval, g.Verdict, g.Err)
		}
		for _, o := range g.Orders {
			seen[o.OrderID]++
		}
	}
	for i, at := range l.times {
		want := 0
		if iv.Contains(at) {
			want = 1
		}
		if n := seen[fmt.Sprint(i)]; n != want {
			t.Errorf("order %d of %s was seen %d times instead of %d", i, at, n, want)
		}
	}
}

func days(n float64) window.Interval {
	return window.Interval{Start: day, End: day.Add(time.Duration(n * 24 * float64(time.Hour)))}
}

func TestWalkCostsWhatItMust(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ orders, calls int }{
		{0, 1},      // nothing there: one answer
		{15, 1},     // one page, not full: one answer
		{20, 2},     // a full page might hide a second one
		{45, 4},     // three pages and a second look at the first
		{1000, 51},  // as long as a listing gets
		{1001, 55},  // halved: one call for nothing, 26 + 26 pages, two second looks
		{3900, 207}, // 3 calls for nothing, 4 listings of 50 pages and a second look
	} {
		t.Run(fmt.Sprint(c.orders), func(t *testing.T) {
			t.Parallel()
			l := spread(c.orders, 24*time.Hour)
			got := l.walk(t, days(1))
			l.whole(t, days(1), got)
			if l.calls > c.calls {
				t.Errorf("%d calls, not %d", l.calls, c.calls)
			}
		})
	}
}

func TestWalkAttributesTheEdges(t *testing.T) {
	t.Parallel()
	iv := window.Interval{Start: day, End: day.Add(time.Hour)}
	l := &list{times: []time.Time{day.Add(-time.Second), day, day.Add(time.Hour - time.Millisecond), day.Add(time.Hour)}}
	got := l.walk(t, iv)
	l.whole(t, iv, got)
}

func TestWalkReadsASecondThatIsLongerThanAListing(t *testing.T) {
	t.Parallel()
	l := &list{}
	for range 2500 {
		l.times = append(l.times, day.Add(5*time.Minute))
	}
	l.whole(t, days(1), l.walk(t, days(1)))
}

func TestWalkNeverBelievesOneAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(rnd *rand.Rand, q source.Query, p *source.Page){
		"wrong TotalCount": func(rnd *rand.Rand, _ source.Query, p *source.Page) { p.Total = max(0, p.Total+rnd.IntN(41)-20) },
		"empty page":       func(_ *rand.Rand, _ source.Query, p *source.Page) { p.Orders = nil },
		"short page":       func(rnd *rand.Rand, _ source.Query, p *source.Page) { p.Orders = p.Orders[:rnd.IntN(len(p.Orders)+1)] },
		"doubled row": func(_ *rand.Rand, _ source.Query, p *source.Page) {
			if len(p.Orders) > 1 {
				p.Orders = append([]schema.Order{p.Orders[0]}, p.Orders[:len(p.Orders)-1]...)
			}
		},
	} {
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				t.Parallel()
				rnd := rand.New(rand.NewPCG(seed, 1))
				l := spread(30+rnd.IntN(700), 24*time.Hour)
				l.fault = func(call int, q source.Query, p *source.Page) error {
					if rnd.IntN(10) == 0 {
						fault(rnd, q, p)
					}
					return nil
				}
				l.whole(t, days(1), l.walk(t, days(1)))
			})
		}
	}
}

func TestWalkTakesTheVendorsPageSize(t *testing.T) {
	t.Parallel()
	l := spread(300, 24*time.Hour)
	l.cap = 7
	l.whole(t, days(1), l.walk(t, days(1)))
}

func TestWalkSurvivesOrdersThatArriveAndVanish(t *testing.T) {
	t.Parallel()
	l := spread(400, 24*time.Hour)
	l.before = func(call int) {
		switch {
		case call%9 == 0 && call < 100:
			l.times = append(l.times, day.Add(23*time.Hour+time.Duration(call)*time.Second))
			sort.Slice(l.times, func(i, j int) bool { return l.times[i].Before(l.times[j]) })
		case call == 12:
			l.times = l.times[1:]
		}
	}
	// The ids are positions, so only the verdicts and the number are compared.
	n := 0
	for _, g := range l.walk(t, days(1)) {
		if g.Verdict != schema.Complete {
			t.Errorf("%s: %v", g.Interval, g.Err)
		}
		n += len(g.Orders)
	}
	if n != len(l.times) {
		t.Errorf("%d orders of %d", n, len(l.times))
	}
}

func TestWalkIsHonestAboutWhatDoesNotAgree(t *testing.T) {
	t.Parallel()
	l := spread(30, time.Second)
	l.fault = func(_ int, _ source.Query, p *source.Page) error { p.Total += 2; return nil }
	got := l.walk(t, window.Interval{Start: day, End: day.Add(time.Second)})
	if got[0].Verdict != schema.Short || got[0].Err == nil || len(got[0].Orders) != 30 {
		t.Errorf("%s with %d orders: %v", got[0].Verdict, len(got[0].Orders), got[0].Err)
	}
}

func TestWalkAsksLessAfterATimeout(t *testing.T) {
	t.Parallel()
	l := spread(300, 24*time.Hour)
	l.fault = func(_ int, q source.Query, _ *source.Page) error {
		if q.End.Sub(q.Start) > 4*time.Hour || q.Size > 10 {
			return &source.Error{Reason: source.Timeout}
		}
		return nil
	}
	l.whole(t, days(1), l.walk(t, days(1)))
}

func TestWalkGivesUpOnAVendorThatIsDown(t *testing.T) {
	t.Parallel()
	for reason, most := range map[source.Reason]int{source.Timeout: 40, source.Unavailable: 11} {
		l := spread(300, 24*time.Hour)
		l.fault = func(int, source.Query, *source.Page) error { return &source.Error{Reason: reason} }
		for _, g := range l.walk(t, days(1)) {
			if g.Verdict != schema.Failed || source.ReasonOf(g.Err) != reason {
				t.Errorf("%s: %v", g.Verdict, g.Err)
			}
		}
		if l.calls > most {
			t.Errorf("%s: %d calls", reason, l.calls)
		}
	}
}

func TestWalkFindsTheHourThatFails(t *testing.T) {
	t.Parallel()
	l := spread(300, 24*time.Hour)
	bad := window.Interval{Start: day.Add(7 * time.Hour), End: day.Add(8 * time.Hour)}
	l.fault = func(_ int, q source.Query, _ *source.Page) error {
		if q.Start.Before(bad.End.Add(-time.Minute)) && q.End.After(bad.Start.Add(time.Minute)) {
			return &source.Error{Reason: source.Unavailable}
		}
		return nil
	}
	for _, g := range l.walk(t, days(1)) {
		if (g.Verdict == schema.Failed) != (g.Interval == bad) {
			t.Errorf("%s is %s", g.Interval, g.Verdict)
		}
	}
}

func TestWalkDoesNotChaseAPhantom(t *testing.T) {
	t.Parallel()
	l := spread(600, 24*time.Hour)
	at := day.Add(7*time.Hour + 13*time.Minute)
	l.fault = func(_ int, q source.Query, p *source.Page) error { // an order that is counted and never listed
		if !at.Before(q.Start) && !at.After(q.End) {
			p.Total++
		}
		return nil
	}
	short := 0
	for _, g := range l.walk(t, days(1)) {
		if g.Verdict == schema.Short {
			short++
		}
	}
	if short != 1 || l.calls > 200 {
		t.Errorf("%d short listings, %d calls", short, l.calls)
	}
}

func TestWalkEndsWhenTheCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	l := spread(300, 24*time.Hour)
	l.fault = func(int, source.Query, *source.Page) error { return &source.Error{Reason: source.Auth} }
	w := &Walker{Lister: l, Window: time.Hour, PageSize: 20}
	err := w.Walk(t.Context(), days(1), func(Listing) error { t.Error("a listing"); return nil })
	var e *source.Error
	if !errors.As(err, &e) || e.Reason != source.Auth || l.calls != 1 {
		t.Errorf("%d calls, %v", l.calls, err)
	}
}

func TestWalkRejectsWhatDoesNotBelongToTheListing(t *testing.T) {
	t.Parallel()
	l := spread(3, time.Hour)
	l.fault = func(_ int, _ source.Query, p *source.Page) error {
		p.Orders[0].CreateTime = day.AddDate(1, 0, 0)
		return nil
	}
	got := l.walk(t, days(1))
	if len(got[0].Orders) != 2 || len(got[0].Rejects) != 1 || got[0].Rejects[0].Reason != "outside_window" {
		t.Errorf("%+v", got[0])
	}
}
