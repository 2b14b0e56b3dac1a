package cli

import "time"

// paceOver is the time over which a rate is taken.
const paceOver = 10 * time.Second

// pace is how fast a task counts, from what it was asked at most once a second.
type pace struct {
	samples []sample // oldest first, of the last paceOver
}

type sample struct {
	at     time.Time
	n      int64  // of what is counted first
	things string // what that is
}

func (p *pace) begin(now time.Time) { p.samples = []sample{{at: now}} }

// see takes a state into account.
func (p *pace) see(now time.Time, s state) {
	if now.Sub(p.samples[len(p.samples)-1].at) < time.Second {
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
