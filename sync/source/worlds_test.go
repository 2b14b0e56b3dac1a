package source

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"
)

// vendor counts calls as a vendor may, for tests in a synctest bubble.
type vendor struct {
	mu     sync.Mutex
	quota  float64
	admit  func(v *vendor, now time.Time) bool
	random *rand.Rand

	// What the kinds of counters remember:
	arrivals []time.Time
	tokens   float64
	filled   time.Time
}

// sliding allows quota calls in any second.
func sliding(v *vendor, now time.Time) bool {
	for len(v.arrivals) > 0 && now.Sub(v.arrivals[0]) >= v.window() {
		v.arrivals = v.arrivals[1:]
	}
	return v.count(now)
}

// fixed allows quota calls in each second of a clock.
func fixed(v *vendor, now time.Time) bool {
	if w := v.window(); len(v.arrivals) > 0 && !v.arrivals[0].Add(377*time.Millisecond).Truncate(w).Equal(now.Add(377*time.Millisecond).Truncate(w)) {
		v.arrivals = v.arrivals[:0]
	}
	return v.count(now)
}

// window is one second, or more where the quota is no whole number: 2.5 calls a second are 5 in two seconds.
func (v *vendor) window() time.Duration {
	return time.Duration(v.most() / v.quota * float64(time.Second))
}

func (v *vendor) most() float64 {
	n := 1.
	for n < v.quota {
		n++
	}
	return n
}

func (v *vendor) count(now time.Time) bool {
	if float64(len(v.arrivals)) >= v.most() {
		return false
	}
	v.arrivals = append(v.arrivals, now)
	return true
}

// bucket has a token for each call and gets quota new ones a second, up to a second's.
func bucket(v *vendor, now time.Time) bool {
	if v.filled.IsZero() {
		v.tokens, v.filled = v.quota, now
	}
	v.tokens = min(v.quota, v.tokens+v.quota*now.Sub(v.filled).Seconds())
	if v.filled = now; v.tokens < 1 {
		return false
	}
	v.tokens--
	return true
}

func (v *vendor) arrive(noise float64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !(v.random.Float64() < noise) && v.admit(v, time.Now())
}

// world is what a budget has to live with.
type world struct {
	name    string
	noise   float64                                               // share of the calls that a gateway throttles at random
	others  func(ctx context.Context, quota float64, call func()) // another client with the same quota; nil for none
	changes bool                                                  // the vendor lowers the quota to a third after a minute, and raises it again after four
	slow    bool                                                  // only where there is time
	// What is wanted after the first 30 seconds, as a mean over the vendors' counters and latencies: the share that is used of
	// what the others leave, and the share of the calls that are throttled. Of a quota of 5 half is two or three calls in a
	// second, of which one is a lot: there these are the third.
	used, throttled             float64
	usedOfFive, throttledOfFive float64
}

// steady takes half of the quota in even steps.
func steady(ctx context.Context, quota float64, call func()) {
	every(ctx, time.Duration(2/quota*float64(time.Second)), call)
}

// bursts takes it once a second, at once.
func bursts(ctx context.Context, quota float64, call func()) {
	every(ctx, time.Second, func() {
		for range int(quota / 2) {
			call()
		}
	})
}

// gusts takes all of two seconds in the first moment of them.
func gusts(ctx context.Context, quota float64, call func()) {
	every(ctx, 2*time.Second, func() {
		for range int(quota) {
			call()
		}
	})
}

// waves takes nine tenths of the quota for a minute and a tenth for the next.
func waves(ctx context.Context, quota float64, call func()) {
	began, n := time.Now(), 0
	every(ctx, time.Duration(1/quota*float64(time.Second)), func() {
		if n++; (time.Since(began)%(2*time.Minute) < time.Minute) == (n%10 != 0) {
			call()
		}
	})
}

func every(ctx context.Context, d time.Duration, do func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// second is what happened in a second of a simulation, by calls.
type second struct{ ok, throttled, others float64 }

const simulated = 6 * time.Minute

// simulate runs a budget in a world, and gives what happened in each second.
func simulate(t *testing.T, seed uint64, w world, quota float64, admit func(*vendor, time.Time) bool, latency time.Duration) []second {
	t.Helper()
	v := &vendor{quota: quota, admit: admit, random: rand.New(rand.NewPCG(seed, 1))}
	b := NewBudget(quota)
	began := time.Now()
	seconds := make([]second, int(simulated/time.Second))
	count := func(add func(*second)) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if i := int(time.Since(began) / time.Second); i < len(seconds) {
			add(&seconds[i])
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), simulated)
	defer cancel()
	var wg sync.WaitGroup
	if w.others != nil {
		wg.Go(func() {
			time.Sleep(time.Duration(rand.Float64() * float64(time.Second)))
			w.others(ctx, quota, func() {
				if v.arrive(0) {
					count(func(s *second) { s.others++ })
				}
			})
		})
	}
	if w.changes {
		for at, q := range map[time.Duration]float64{time.Minute: quota / 3, 4 * time.Minute: quota} {
			time.AfterFunc(at, func() {
				v.mu.Lock()
				defer v.mu.Unlock()
				v.quota, v.arrivals, v.tokens = q, nil, min(v.tokens, q)
			})
		}
	}
	way := min(latency/2, 100*time.Millisecond)
	for range max(8, int(3*quota)) {
		wg.Go(func() {
			for {
				p, err := b.Acquire(ctx)
				if err != nil {
					return
				}
				p.Sent()
				time.Sleep(way + rand.N(12*time.Millisecond)) // by then it is counted
				reason := OK
				if !v.arrive(w.noise) {
					reason = Throttled
				}
				count(func(s *second) {
					if reason == OK {
						s.ok++
					} else {
						s.throttled++
					}
				})
				time.Sleep(max(0, time.Duration(float64(latency)*(0.8+0.4*rand.Float64()))-way))
				p.Done(reason, 0)
			}
		})
	}
	wg.Wait()
	return seconds
}

func sum(seconds []second) (s second) {
	for _, x := range seconds {
		s.ok += x.ok
		s.throttled += x.throttled
		s.others += x.others
	}
	return s
}

var worlds = []world{
	{name: "alone", used: 0.98, usedOfFive: 0.98},
	{name: "0.2 % at random", noise: 0.002, used: 0.95, throttled: 0.01, usedOfFive: 0.95, throttledOfFive: 0.01},
	{name: "1 % at random", noise: 0.01, used: 0.94, throttled: 0.02, usedOfFive: 0.94, throttledOfFive: 0.02},
	{name: "3 % at random", noise: 0.03, used: 0.85, throttled: 0.04, usedOfFive: 0.75, throttledOfFive: 0.05},
	{name: "half in even steps", others: steady, used: 0.9, throttled: 0.03, usedOfFive: 0.8, throttledOfFive: 0.07},
	{name: "half in bursts", others: bursts, used: 0.9, throttled: 0.04, usedOfFive: 0.85, throttledOfFive: 0.05},
	{name: "half, 1 % at random", others: steady, noise: 0.01, used: 0.88, throttled: 0.05, usedOfFive: 0.75, throttledOfFive: 0.08},
	{name: "bursts, 1 % at random", others: bursts, noise: 0.01, used: 0.88, throttled: 0.05, usedOfFive: 0.85, throttledOfFive: 0.07},
	{name: "a third for three minutes", changes: true, used: 0.9, throttled: 0.04, usedOfFive: 0.85, throttledOfFive: 0.06},
	{name: "8 % at random", noise: 0.08, slow: true, throttled: 1, throttledOfFive: 1},
	{name: "all of every other second", others: gusts, slow: true, throttled: 1, throttledOfFive: 1},
	{name: "nine tenths, one tenth, by minutes", others: waves, slow: true, throttled: 1, throttledOfFive: 1},
}

// TestBudgetInAllWorlds simulates a budget beside what there may be at a vendor, and prints what came of it. With
// ORDERSYNC_SLOW all quotas, more seeds, and worlds in which nothing is promised.
func TestBudgetInAllWorlds(t *testing.T) {
	t.Parallel()
	quotas, seeds := []float64{5, 10, 20}, 1
	slow := os.Getenv("ORDERSYNC_SLOW") != ""
	if slow {
		quotas, seeds = []float64{5, 10, 20, 50, 100}, 5
	}
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "world\tquota\tused\tthrottled %\tlowered, found after s\traised\t")
	for _, w := range worlds {
		for _, quota := range quotas {
			if w.slow && !slow {
				continue
			}
			r := simulateAll(t, w, quota, seeds)
			fmt.Fprintf(table, "%s\t%g\t%.3f\t%.2f\t", w.name, quota, r.used, 100*r.throttled)
			if w.changes {
				fmt.Fprintf(table, "%d\t%d\t", r.lowered, r.raised)
			}
			fmt.Fprintln(table)
			used, throttled := w.used, w.throttled
			if quota == 5 {
				used, throttled = w.usedOfFive, w.throttledOfFive
			}
			if r.used < used || r.throttled > throttled || r.lowered > 60 || r.raised > 60 {
				t.Errorf("%s, quota %g: %+v, wanted %g used and %g throttled", w.name, quota, r, used, throttled)
			}
		}
	}
	_ = table.Flush()
	t.Log("\n" + out.String())
}

// result is what came of the simulations of a world with a quota: means, and the worst times in seconds.
type result struct {
	used, throttled float64
	lowered, raised int // after which a change of the quota was found
}

func simulateAll(t *testing.T, w world, quota float64, seeds int) (r result) {
	t.Helper()
	var mu sync.Mutex
	n := 0.
	t.Run(fmt.Sprintf("%s/%g", w.name, quota), func(t *testing.T) {
		for name, admit := range map[string]func(*vendor, time.Time) bool{"sliding": sliding, "fixed": fixed, "bucket": bucket} {
			for _, latency := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
				for seed := range seeds {
					t.Run(fmt.Sprintf("%s/%s/%d", name, latency, seed), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							one := simulate(t, uint64(seed), w, quota, admit, latency)
							mu.Lock()
							defer mu.Unlock()
							n++
							r.used += (w.of(one, quota) - r.used) / n
							s := sum(w.measured(one))
							r.throttled += (s.throttled/(s.ok+s.throttled) - r.throttled) / n
							if w.changes {
								r.lowered = max(r.lowered, first(one[60:], func(s second) bool { return s.throttled <= max(1, 0.1*s.ok) }))
								r.raised = max(r.raised, first(one[240:], func(s second) bool { return s.ok >= 0.9*5*quota }))
							}
						})
					})
				}
			}
		}
	})
	return r
}

// measured are the seconds that count.
func (w world) measured(all []second) []second {
	if w.changes {
		return all[120:240]
	}
	return all[30:]
}

// of is the share that was used of what there was.
func (w world) of(all []second, quota float64) float64 {
	if w.changes {
		quota /= 3
	}
	measured := w.measured(all)
	s := sum(measured)
	return s.ok / (quota*float64(len(measured)) - s.others)
}

// first returns the second after which five seconds were good.
func first(seconds []second, good func(second) bool) int {
	for i := range seconds[5:] {
		if good(sum(seconds[i : i+5])) {
			return i
		}
	}
	return len(seconds)
}
