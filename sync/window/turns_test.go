package window_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/window"
)

func TestTurns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	turns := window.Turns{Every: 5 * time.Minute, Quiet: 6 * time.Hour}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		asked window.Asked
		bound time.Duration
	}{
		"it has just ordered":  {window.Asked{At: now, Ordered: ago(time.Minute)}, 5 * time.Minute},
		"an hour ago":          {window.Asked{At: now, Ordered: ago(time.Hour)}, 15 * time.Minute},
		"ten hours ago":        {window.Asked{At: now, Ordered: ago(10 * time.Hour)}, 150 * time.Minute},
		"a week ago":           {window.Asked{At: now, Ordered: ago(7 * 24 * time.Hour)}, 6 * time.Hour},
		"never":                {window.Asked{At: now}, 6 * time.Hour},
		"after it was asked":   {window.Asked{At: ago(time.Hour), Ordered: now}, 5 * time.Minute},
		"it failed once":       {window.Asked{At: now, Failed: 1}, 6*time.Minute + 15*time.Second},
		"it fails for days":    {window.Asked{At: now, Failed: 10_000}, 6 * time.Hour},
		"it orders, and fails": {window.Asked{At: now, Ordered: now, Failed: 10_000}, 5 * time.Minute},
		"it was never asked":   {window.Asked{}, 5 * time.Minute},
	} {
		if got := turns.Bound(c.asked).Round(time.Second); got != c.bound {
			t.Errorf("%s: %s, want %s", name, got, c.bound)
		}
	}
	for _, quiet := range []time.Duration{0, time.Minute, 5 * time.Minute} { // in every run
		turns := window.Turns{Every: 5 * time.Minute, Quiet: quiet}
		if got := turns.Due(now, make([]window.Asked, 3)); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("quiet %s: %v are due", quiet, got)
		}
	}
	got := turns.Due(now, []window.Asked{
		{At: ago(5 * time.Minute), Ordered: ago(10 * time.Minute)},              // as it should be
		{At: ago(50 * time.Minute), Ordered: ago(4*time.Hour + 30*time.Minute)}, // 55 minutes are its bound, and the next run comes before
		{At: ago(50 * time.Minute), Ordered: ago(4 * time.Hour)},                // 47 minutes are
		{At: ago(7 * time.Hour)},                                    // it was left out
		{At: ago(10 * time.Minute), Ordered: ago(30 * time.Minute)}, // it was left out, and missed more runs
		{At: ago(5 * time.Hour)},
	})
	if want := []int{4, 3, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("%v are due, want %v", got, want)
	}
}

// owner orders at random, at a rate of its own.
type owner struct {
	window.Asked
	rate  float64       // orders a day
	next  time.Time     // when it orders next
	bound time.Duration // that held when it was last asked
}

// account is one with many owners, under scheduled runs every five minutes with ten list calls a second.
type account struct {
	owners []owner
	turns  window.Turns
	quota  float64 // list calls a second
	rand   *rand.Rand
	now    time.Time

	calls    float64
	left     int           // owners that the quota did not reach in the last run
	latest   float64       // after how much of its bound an owner was asked, at the worst
	late     time.Duration // how long after its bound an owner was asked, at the worst
	measured map[string][]time.Duration
}

// classes of activity, by orders a day.
var classes = []struct {
	name string
	from float64
}{{"once an hour or more", 24}, {"once a day or more", 1}, {"once a week or more", 1. / 7}, {"once a month or more", 1. / 30}, {"rarer", 0}}

// newAccount has owners whose activity is skewed as Zipf has it.
func newAccount(owners int, perOwner float64, quota float64) *account {
	a := &account{
		turns: window.Turns{Every: 5 * time.Minute, Quiet: 6 * time.Hour}, quota: quota, rand: rand.New(rand.NewPCG(7, uint64(owners))),
		now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), measured: map[string][]time.Duration{}, owners: make([]owner, owners),
	}
	sum := 0.0
	for i := range a.owners {
		a.owners[i].rate = math.Pow(float64(i+1), -1.3)
		sum += a.owners[i].rate
	}
	for i := range a.owners {
		o := &a.owners[i]
		o.rate *= perOwner * float64(owners) / sum
		o.Ordered, o.next = a.now.Add(-a.until(o)), a.now.Add(a.until(o))
		o.At = a.now.Add(-time.Duration(a.rand.Float64() * float64(a.turns.Quiet)))
		o.bound = a.turns.Bound(o.Asked)
	}
	return a
}

// until is how long an owner takes to order again.
func (a *account) until(o *owner) time.Duration {
	return time.Duration(min(a.rand.ExpFloat64()/o.rate, 3650) * 24 * float64(time.Hour))
}

// run asks whose turn it is, as far as the quota goes, and reports for how many of them it did not.
func (a *account) run(measure bool) {
	asked := make([]window.Asked, len(a.owners))
	for i := range a.owners {
		asked[i] = a.owners[i].Asked
	}
	due := a.turns.Due(a.now, asked)
	calls := 0.0
	a.left = 0
	for k, i := range due {
		if calls/a.quota > 0.9*a.turns.Every.Seconds() {
			a.left = len(due) - k
			break
		}
		o := &a.owners[i]
		calls += 2 // one for each day that the last 24 hours touch
		if a.now.Sub(o.Ordered) < 24*time.Hour {
			calls += 2 // and its first page again
		}
		at := a.now.Add(time.Duration(calls / a.quota * float64(time.Second)))
		if measure {
			a.latest = max(a.latest, float64(at.Sub(o.At))/float64(o.bound))
			a.late = max(a.late, at.Sub(o.At)-o.bound)
		}
		for !o.next.After(at) {
			if measure {
				a.meet(o, at.Sub(o.next))
			}
			o.Ordered, o.next = o.next, o.next.Add(a.until(o))
			calls += 1. / 20
		}
		o.At = at
		o.bound = a.turns.Bound(o.Asked)
	}
	a.calls += calls
	a.now = a.now.Add(a.turns.Every)
}

func (a *account) meet(o *owner, took time.Duration) {
	for _, c := range classes {
		if o.rate >= c.from {
			a.measured[c.name] = append(a.measured[c.name], took)
			return
		}
	}
}

// owners is how many there are, how much they order, and how many list calls a second there are for them.
type owners struct {
	n        int
	perOwner float64 // orders a day
	quota    float64
	enough   bool // each is asked within its bound
}

// Each of many owners is asked within its bound, with ten calls a second, and nobody starves with fewer.
func TestTurnsOfManyOwners(t *testing.T) {
	t.Parallel()
	// A tenth of the owners, who need about as much of their quota as those of the slow form do of theirs.
	for _, c := range []owners{{300, 5, 1, true}, {3000, 1, 1.5, true}, {300, 5, 0.05, false}} {
		c.test(t)
	}
}

// The same of 3,000 and of 30,000 owners. It prints the time from an order to its row, which is in the README.
func TestTurnsOfManyOwnersSlow(t *testing.T) {
	t.Parallel()
	if os.Getenv("ORDERSYNC_SLOW") == "" {
		t.Skip("takes more than a minute with the race detector; ORDERSYNC_SLOW=1 runs it")
	}
	for _, c := range []owners{{3000, 5, 10, true}, {30_000, 1, 10, true}, {3000, 5, 0.5, false}} {
		c.test(t)
	}
}

func (c owners) test(t *testing.T) {
	t.Helper()
	t.Run(fmt.Sprintf("%d owners, %g calls a second", c.n, c.quota), func(t *testing.T) {
		t.Parallel()
		a := newAccount(c.n, c.perOwner, c.quota)
		const day = 24 * 12
		for range 3 * day / 2 {
			a.run(false)
		}
		a.calls = 0
		left := 0
		for range 2 * day {
			a.run(true)
			left += a.left
		}
		t.Logf("%.0f calls a run, %d left out in a run, asked after %.2f of the bound at the latest", a.calls/2/day, left/2/day, a.latest)
		for _, class := range classes {
			took, n := a.measured[class.name], 0
			for _, o := range a.owners {
				if o.rate >= class.from {
					n++
				}
			}
			slices.Sort(took)
			if len(took) > 0 {
				t.Logf("%-22s %6d owners %7d orders: p50 %8s, p99 %8s", class.name, n, len(took), took[len(took)/2].Round(time.Second), took[len(took)*99/100].Round(time.Second))
			}
		}
		switch {
		case c.enough && a.late > a.turns.Every:
			t.Errorf("an owner was asked %s after its bound", a.late)
		case a.latest > 8: // keeping all bounds would take nearly five times the calls that there are
			t.Errorf("an owner was asked after %.2f of its bound", a.latest)
		}
	})
}

// Few owners have no turns: their orders come with the next run, as those of an account without owners do.
func TestFewHaveNoTurns(t *testing.T) {
	t.Parallel()
	const every, quiet = 5 * time.Minute, 6 * time.Hour
	for _, c := range []struct {
		streams int
		quota   float64
		every   time.Duration
		turns   bool
	}{
		{1, 0, every, false}, {1, 0.01, every, false}, {3, 10, every, false}, {150, 10, every, false}, {151, 10, every, true}, {3, 0.1, every, true},
		{150, 10, time.Minute, true}, {30_000, 10, every, true}, {30_000, 10_000, every, false}, {50, 0, every, true}, {50, 10, 0, true},
	} {
		turns := window.TurnsOf(c.streams, c.quota, c.every, quiet)
		if turns.Every != c.every || (turns.Quiet == quiet) != c.turns {
			t.Errorf("%+v: %+v", c, turns)
		}
	}
}
