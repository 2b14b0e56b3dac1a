package walk

import (
	"cmp"
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
	size   int // of the pages that are asked for; 0 is 20
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
	w := &Walker{Lister: l, Window: time.Hour, PageSize: cmp.Or(l.size, 20), Parallel: 4}
	for l, err := range w.Walk(t.Context(), iv) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
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
		{20, 5},     // a full page might hide a second one, and the count be a limit: four questions, three of them once for all
		{45, 7},     // three pages, a second look at the first, and the same three questions
		{1000, 55},  // as long as a listing gets, and nothing after its last page
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

// Whoever leaves the loop has no further call made.
func TestWalkEndsWithItsLoop(t *testing.T) {
	t.Parallel()
	l := spread(4000, 24*time.Hour)
	w := &Walker{Lister: l, Window: time.Hour, PageSize: 20}
	for range w.Walk(t.Context(), days(1)) {
		break
	}
	calls := l.calls
	l.calls = 0
	for _, err := range w.Walk(t.Context(), days(1)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if calls == 0 || calls > l.calls*2/3 {
		t.Errorf("%d calls for the first listing, %d for all of them", calls, l.calls)
	}
}

func TestWalkEndsWhenTheCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	l := spread(300, 24*time.Hour)
	l.fault = func(int, source.Query, *source.Page) error { return &source.Error{Reason: source.Auth} }
	w := &Walker{Lister: l, Window: time.Hour, PageSize: 20}
	var err error
	for _, err = range w.Walk(t.Context(), days(1)) {
		if err == nil {
			t.Error("a listing")
		}
	}
	var e *source.Error
	if !errors.As(err, &e) || e.Reason != source.Auth || l.calls != 1 {
		t.Errorf("%d calls, %v", l.calls, err)
	}
}

// limited is a vendor that counts, and perhaps lists, no further than a limit.
func (l *list) limited(most int, lists bool) {
	l.fault = func(_ int, q source.Query, p *source.Page) error {
		p.Total = min(p.Total, most)
		if beyond := (q.Page-1)*q.Size + len(p.Orders) - most; lists && beyond > 0 {
			p.Orders = p.Orders[:max(0, len(p.Orders)-beyond)]
		}
		return nil
	}
}

func TestWalkBelievesNoLimit(t *testing.T) {
	t.Parallel()
	for _, most := range []int{20, 30, 100, 110, 500, 1000} {
		for _, orders := range []int{19, most - 1, most, most + 1, 300, 3*most + 7} {
			for name, over := range map[string]time.Duration{"a day": 24 * time.Hour, "an hour": time.Hour, "ten minutes": 10 * time.Minute} {
				for _, lists := range []bool{false, true} {
					for _, size := range []int{20, 100, 300} { // in one of 300 a limit of 100 is no full page
						t.Run(fmt.Sprintf("%d of %d in %s, lists no more %t, pages of %d", most, orders, name, lists, size), func(t *testing.T) {
							t.Parallel()
							l := spread(orders, over)
							l.size = size
							l.limited(most, lists)
							l.whole(t, days(1), l.walk(t, days(1)))
						})
					}
				}
			}
		}
	}
}

// A vendor that refuses to page further than a limit is asked for less.
func TestWalkLivesWithDeepPagesThatAreRefused(t *testing.T) {
	t.Parallel()
	l := spread(700, 24*time.Hour)
	l.fault = func(_ int, q source.Query, _ *source.Page) error {
		if q.Page*q.Size > 100 {
			return &source.Error{Reason: source.BadRequest}
		}
		return nil
	}
	l.whole(t, days(1), l.walk(t, days(1)))
}

// A vendor that counts less than it lists, or more, is not believed anywhere, and not asked without end.
func TestWalkBelievesNoWrongCount(t *testing.T) {
	t.Parallel()
	for name, count := range map[string]func(n int) int{
		"zero": func(int) int { return 0 }, "half": func(n int) int { return n / 2 }, "one less": func(n int) int { return max(0, n-1) },
		"one more": func(n int) int { return n + 1 }, "full pages": func(n int) int { return n / 20 * 20 },
	} {
		for _, orders := range []int{5, 81, 100, 2000} {
			t.Run(fmt.Sprintf("%s, %d", name, orders), func(t *testing.T) {
				t.Parallel()
				l := spread(orders, 24*time.Hour)
				l.fault = func(_ int, _ source.Query, p *source.Page) error {
					p.Total = count(p.Total)
					return nil
				}
				for _, g := range l.walk(t, days(1)) {
					n := 0
					for _, at := range l.times {
						if g.Contains(at) {
							n++
						}
					}
					if g.Verdict == schema.Complete && len(g.Orders) != n {
						t.Errorf("%s is complete with %d orders of %d", g.Interval, len(g.Orders), n)
					}
				}
				if l.calls > 400 {
					t.Errorf("%d calls", l.calls)
				}
			})
		}
	}
}

// A vendor that shows its last page again where there is no page lists nothing more.
func TestWalkKnowsTheLastPageAgain(t *testing.T) {
	t.Parallel()
	l := spread(60, 24*time.Hour)
	l.fault = func(_ int, q source.Query, p *source.Page) error {
		if q.Page == 4 {
			for i := range 20 {
				p.Orders = append(p.Orders, schema.Order{OrderID: fmt.Sprint(i), CreateTime: l.times[i]})
			}
		}
		return nil
	}
	l.whole(t, days(1), l.walk(t, days(1)))
}

// An order that a page has twice is two rows of its count and one order: the vendor contradicts itself, and not even a page
// that is the whole listing is accepted.
func TestWalkKnowsAnOrderThatIsListedTwice(t *testing.T) {
	t.Parallel()
	for name, orders := range map[string]int{"of one page": 5, "of several": 50} {
		for _, counted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, counted %t", name, counted), func(t *testing.T) {
				t.Parallel()
				l := spread(orders, 24*time.Hour)
				l.fault = func(_ int, q source.Query, p *source.Page) error {
					if counted && !q.Start.After(l.times[3]) && !q.End.Before(l.times[3]) {
						p.Total++
					}
					for i := range p.Orders {
						if p.Orders[i].OrderID == "3" {
							again := p.Orders[i]
							again.ProductCode = "other"
							p.Orders = append(p.Orders, again)
						}
					}
					return nil
				}
				var short time.Duration
				for _, g := range l.walk(t, days(1)) {
					if g.Verdict == schema.Short {
						short += g.End.Sub(g.Start)
					}
					if g.Contains(l.times[3]) && g.Verdict != schema.Short {
						t.Errorf("%s: %s with %d orders, TotalCount %d", g.Interval, g.Verdict, len(g.Orders), g.Last)
					}
				}
				if short > 2*time.Hour || l.calls > 100 { // a window, or two at their edge
					t.Errorf("%s are short, %d calls", short, l.calls)
				}
			})
		}
	}
}

// What cannot be asked for in smaller parts is not called complete.
func TestWalkKnowsALimitWithinASecond(t *testing.T) {
	t.Parallel()
	l := spread(60, time.Second)
	l.limited(40, false)
	for _, g := range l.walk(t, days(1)) {
		if len(g.Orders) > 0 && g.Verdict == schema.Complete {
			t.Errorf("%s: %s with %d orders", g.Interval, g.Verdict, len(g.Orders))
		}
	}
}

// Walks that share what they know of a vendor ask once.
func TestWalksShareTheCeiling(t *testing.T) {
	t.Parallel()
	l := spread(40*30, 30*24*time.Hour)
	w := &Walker{Lister: l, Window: time.Hour, PageSize: 20, Parallel: 4, Ceiling: new(Ceiling)}
	for d := range 30 {
		day := window.Interval{Start: day.AddDate(0, 0, d), End: day.AddDate(0, 0, d+1)}
		for l, err := range w.Walk(t.Context(), day) {
			if err = errors.Join(err, l.Err); err != nil {
				t.Fatal(err)
			}
		}
	}
	if most := 30*4 + 1; l.calls > most {
		t.Errorf("%d calls, %d at the most", l.calls, most)
	}
}

func TestWalkEndsSoonWhereTheTimesAreIgnored(t *testing.T) {
	t.Parallel()
	for _, orders := range []int{2, 100, 2400, 50_000} {
		l := spread(orders, 90*24*time.Hour)
		l.fault = func(_ int, q source.Query, p *source.Page) error {
			*p = source.Page{Total: len(l.times)}
			for i := (q.Page - 1) * q.Size; i < min(len(l.times), q.Page*q.Size); i++ {
				n := len(l.times) - 1 - i
				p.Orders = append(p.Orders, schema.Order{OrderID: fmt.Sprint(n), CreateTime: l.times[n]})
			}
			return nil
		}
		for name, iv := range map[string]window.Interval{
			"the newest": {Start: day.AddDate(0, 0, 89), End: day.AddDate(0, 0, 90)}, "another": {Start: day.AddDate(0, 0, 40), End: day.AddDate(0, 0, 41)},
		} {
			l.calls = 0
			failed := 0
			for _, g := range l.walk(t, iv) {
				if g.Verdict == schema.Failed {
					failed++
				}
			}
			if most := 40; orders > 2 && failed == 0 || l.calls > most {
				t.Errorf("%d orders, %s: %d failed listings, %d calls", orders, name, failed, l.calls)
			}
		}
	}
}

func TestWalkEndsSoonWhereTheCountIsNonsense(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*source.Page){
		"empty pages": func(p *source.Page) { *p = source.Page{Total: 1_000_000_000} },
		"the rows":    func(p *source.Page) { p.Total = 1_000_000_000 },
		"one more":    func(p *source.Page) { p.Total++ },
	} {
		l := spread(300, 24*time.Hour)
		l.fault = func(_ int, _ source.Query, p *source.Page) error { fault(p); return nil }
		for _, g := range l.walk(t, days(1)) {
			if g.Verdict == schema.Complete {
				t.Errorf("%s: %s is complete", name, g.Interval)
			}
		}
		if l.calls > 1000 {
			t.Errorf("%s: %d calls", name, l.calls)
		}
		t.Log(name, l.calls)
	}
}

// A vendor that shows page 1 whatever page it is asked for is asked for ranges of one page, where it heeds the times; and not for
// long where it does not even do that.
func TestWalkEndsSoonWherePagesAreIgnored(t *testing.T) {
	t.Parallel()
	l := spread(1000, 24*time.Hour)
	l.fault = func(_ int, q source.Query, p *source.Page) error {
		if q.Page > 1 {
			q.Page = 1
			*p, _ = (&list{times: l.times}).List(t.Context(), q)
		}
		return nil
	}
	orders := 0
	for _, g := range l.walk(t, days(1)) {
		if orders += len(g.Orders); g.Verdict != schema.Complete {
			t.Errorf("%s is %s: %v", g.Interval, g.Verdict, g.Err)
		}
	}
	if orders != 1000 || l.calls > 1000 {
		t.Errorf("%d orders of 1000, %d calls", orders, l.calls)
	}
	l = &list{fault: func(_ int, q source.Query, p *source.Page) error {
		*p = source.Page{Total: 1000}
		for i := range q.Size {
			p.Orders = append(p.Orders, schema.Order{OrderID: fmt.Sprint(i), CreateTime: q.Start.Add(time.Second)})
		}
		return nil
	}}
	for _, g := range l.walk(t, days(1)) {
		if g.Verdict == schema.Complete {
			t.Errorf("%s is complete", g.Interval)
		}
	}
	if l.calls > 500 {
		t.Errorf("%d calls", l.calls)
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
