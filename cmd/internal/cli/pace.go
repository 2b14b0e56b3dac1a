package cli

import (
	"math"
	"time"
)

const (
	paceOver   = 10 * time.Second // over which a rate is taken
	etaFirst   = 3 * time.Second  // before this nothing is said: the first orders say little
	etaSettles = 15 * time.Second // what is shown follows what is computed with this time constant
	// speedOver is the time constant of the speed of the whole, at first. Later it is a third of the time that has passed:
	// a task of hours must not change its mind about its end every minute.
	speedOver = 30 * time.Second
)

// pace is how fast a task goes, from what it was asked at most once a second.
type pace struct {
	samples []sample // oldest first, of the last paceOver
	start   time.Time
	share   float64
	speed   float64 // share a second
	end     time.Time
}

type sample struct {
	at     time.Time
	n      int64  // of what is counted first
	things string // what that is
}

func (p *pace) begin(now time.Time) { p.start, p.samples = now, []sample{{at: now}} }

// see takes a state into account.
func (p *pace) see(now time.Time, s state) {
	passed := now.Sub(p.samples[len(p.samples)-1].at)
	if passed < time.Second {
		return
	}
	x := sample{at: now}
	if len(s.counts) > 0 {
		x.n, x.things = s.counts[0].n, s.counts[0].things
	}
	p.samples = append(p.samples, x)
	for now.Sub(p.samples[1].at) >= paceOver {
		p.samples = p.samples[1:]
	}
	if s.known {
		p.aim(now, passed, s.share)
	}
}

// aim moves the end that is shown towards the end that the speed promises.
func (p *pace) aim(now time.Time, passed time.Duration, share float64) {
	elapsed := now.Sub(p.start)
	if over := max(speedOver, elapsed/3); over == speedOver {
		p.speed = share / elapsed.Seconds()
	} else {
		p.speed += follows(passed, over) * ((share-p.share)/passed.Seconds() - p.speed)
	}
	p.share = share
	if p.speed <= 0 || elapsed < etaFirst {
		return
	}
	const years = 1e9 // more than can be meant, and less than a time.Duration holds
	end := now.Add(time.Duration(min((1-share)/p.speed, years) * float64(time.Second)))
	if p.end.IsZero() {
		p.end = end
	}
	p.end = p.end.Add(time.Duration(follows(passed, etaSettles) * float64(end.Sub(p.end))))
}

// follows is the share of a change that a smoothed value takes over in the time that has passed.
func follows(passed, constant time.Duration) float64 {
	return 1 - math.Exp(-passed.Seconds()/constant.Seconds())
}

// left is the time to the end; false while nobody knows.
func (p *pace) left(now time.Time) (time.Duration, bool) {
	if p.end.IsZero() || !p.end.After(now) {
		return 0, false
	}
	return p.end.Sub(now), true
}

// rate is what was counted a second, of late.
func (p *pace) rate(now time.Time, c counted) float64 {
	rate := 0.0
	for i := len(p.samples) - 1; i >= 0; i-- {
		s := p.samples[i]
		if s.things != c.things && s.n != 0 {
			break // something else was counted before
		}
		over := now.Sub(s.at)
		if over > 0 {
			rate = float64(c.n-s.n) / over.Seconds()
		}
		if over >= paceOver {
			break
		}
	}
	return rate
}

// roughly rounds a time to come: nobody knows it to the second.
func roughly(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return max(d.Round(time.Second), time.Second)
	case d < 2*time.Minute:
		return d.Round(5 * time.Second)
	case d < time.Hour:
		return d.Round(time.Minute)
	case d < 24*time.Hour:
		return d.Round(5 * time.Minute)
	}
	return d.Round(time.Hour)
}
