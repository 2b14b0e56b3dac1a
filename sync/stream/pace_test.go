package stream

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A work whose speed halves and doubles from second to second, and whose end is known only roughly: what is shown stays
// calm, and is right in the end.
func TestETAIsCalm(t *testing.T) {
	t.Parallel()
	const whole = 20 * time.Minute
	rnd := rand.New(rand.NewPCG(1, 1))
	start := time.Unix(0, 0)
	var p Progress
	p.Look(start)
	p.toList.Store(1_000_000)
	share, before := 0.0, time.Duration(0)
	for at := time.Second; share < 1; at += time.Second {
		share += (0.5 + 1.5*rnd.Float64()) / 1.25 / whole.Seconds()
		now := start.Add(at)
		guess := share * (1 + 0.03*math.Sin(at.Seconds()/7))
		p.listed.Store(int64(1_000_000 * min(1, guess)))
		_, ends := p.Look(now)
		if ends.IsZero() {
			if at > 2*etaFirst && share < 0.99 {
				t.Fatalf("nothing is said after %s", at)
			}
			continue
		}
		left := ends.Sub(now)
		if truth := whole - at; at > time.Minute && truth > time.Minute && math.Abs(float64(left-truth)) > 0.2*float64(truth)+float64(20*time.Second) {
			t.Errorf("after %s: %s, and it is %s", at, left, truth)
		}
		if jump := left - before; before > 0 && at > time.Minute && math.Abs(float64(jump)) > 0.05*float64(before)+float64(5*time.Second) {
			t.Errorf("after %s: from %s to %s in a second", at, before, left)
		}
		before = left
	}
}

// From the tenth second on the end is known within a factor of 1.5, whoever looks how often: of a run whose details come at a steady
// rate while its listings hurry ahead, also where the vendor lets through less than was asked for from the start.
func TestETAOfABackfill(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		every   time.Duration
		rate    float64 // details a second
		ahead   float64 // how much faster listings are
		startup time.Duration
	}{
		"every second":           {time.Second, 10, 20, time.Second},
		"a heartbeat":            {10 * time.Second, 10, 20, time.Second},
		"listings at their side": {time.Second, 10, 1, time.Second},
		"throttled":              {time.Second, 2.5, 80, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const orders, span = 3000, 720 * 3600
			whole := c.startup + time.Duration(orders/c.rate*float64(time.Second))
			start := time.Unix(0, 0)
			var p Progress
			p.toList.Store(span)
			for at := time.Duration(0); at < whole-5*time.Second; at += c.every {
				if worked := (at - c.startup).Seconds(); worked > 0 {
					done := min(orders, worked*c.rate)
					listed := min(1, done*c.ahead/orders)
					if c.ahead == 1 {
						listed = done / orders
					}
					p.Details.Store(int64(done))
					p.found.Store(int64(max(done, listed*orders)))
					p.listed.Store(int64(listed * span))
				}
				_, ends := p.Look(start.Add(at))
				if at < 10*time.Second {
					continue
				}
				left, truth := ends.Sub(start.Add(at)).Seconds(), (whole - at).Seconds()
				if ends.IsZero() || left > 1.5*truth+3 || left < truth/1.5-3 {
					t.Errorf("after %s: %.0f s left, and it is %.0f", at, left, truth)
				}
			}
		})
	}
}
