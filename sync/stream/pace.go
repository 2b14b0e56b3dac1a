package stream

import (
	"math"
	"sync"
	"time"
)

const (
	etaFirst   = 3 * time.Second  // before this nothing is said: the first orders say little
	etaSettles = 15 * time.Second // what is shown follows what is computed with this time constant, or with a third of the time that has passed
	// speedOver is the time constant of the speed of the whole, at first. Later it is a third of the time that has passed: a
	// run of hours must not change its mind about its end every minute.
	speedOver = 30 * time.Second
)

// Pace is how fast a work goes and when it will end, from how far it was whenever somebody looked. Its zero value is a work that
// begins when somebody looks first. It is safe for concurrent use.
type Pace struct {
	mu          sync.Mutex
	start, seen time.Time
	share       float64
	speed       float64 // share a second
	end         time.Time
}

// Look returns how much of the work is done and when all of it will be, as it seems; a share of 0 and the zero time while nobody
// knows. The more often somebody looks, up to once a second, the better it knows.
func (p *Progress) Look(now time.Time) (share float64, ends time.Time) {
	share, _ = p.Share()
	return share, p.pace.Ends(now, share)
}

// Ends returns when a work will end of which a share is done at a time; zero while nobody knows, as where the share is 0.
func (p *Pace) Ends(now time.Time, share float64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.start.IsZero() {
		p.start, p.seen = now, now
	}
	if passed := now.Sub(p.seen); share > 0 && passed >= time.Second {
		p.aim(now, passed, share)
		p.seen = now
	}
	if !p.end.After(now) {
		return time.Time{}
	}
	return p.end
}

// aim moves the end that is shown towards the end that the speed promises.
func (p *Pace) aim(now time.Time, passed time.Duration, share float64) {
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
	p.end = p.end.Add(time.Duration(follows(passed, min(etaSettles, elapsed/3)) * float64(end.Sub(p.end))))
}

// follows is the share of a change that a smoothed value takes over in the time that has passed.
func follows(passed, constant time.Duration) float64 {
	return 1 - math.Exp(-passed.Seconds()/constant.Seconds())
}
