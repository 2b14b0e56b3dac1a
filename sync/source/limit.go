package source

import (
	"math"
	"time"
)

const (
	// recovery is how long after a cut the rate is back at the limit that was found. It changes little around the limit,
	// and after it grows ever faster: by growth of the quota in the next recovery, by eight times that in the next two. This
	// is the curve of TCP's CUBIC: few calls are throttled while others take a part of the quota that does not change, and
	// all of it is found within a minute when they leave.
	recovery = 20 * time.Second
	growth   = 0.15
	// headroom is the part of a limit that is left unused right after it was found, and noisyHeadroom times the noise on
	// top: the noise is learned there, and must not be learned from calls that were throttled because of their rate.
	headroom, noisyHeadroom = 0.1, 3
	// minShare of the quota is always tried: a budget never starves.
	minShare = 0.05
	// excess is how many more throttles than the noise are looked for. Noise alone is taken for them once in patience
	// seconds at the most while the whole quota is used. Above a limit that was found throttles are expected: probing is
	// what patience is there.
	excess            = 0.08
	patience, probing = 300, 1.2
	// A limit that was probed is kept, but for eroded: a limit that is slightly too high throttles few calls for long. Or
	// it is overshot of the rate at which the probing failed, by when the rate is beyond the limit by about that.
	eroded, overshot = 0.95, 0.87
	// The noise is learned from batches of calls, with a memory of so many calls. A batch with more than noCalm throttles
	// tells that its rate was too high.
	noiseBatch, noiseMemory          = 50, 400
	noiseAtFirst, minNoise, maxNoise = 0.005, 0.001, 0.1
	noCalm                           = 0.09
)

// limiter finds how many calls a second the vendor lets through, by the share of them that it throttles.
//
// One throttle says nothing: a gateway refuses a call now and then because others overload it, however slowly we call. So
// the outcomes of the calls are summed up as evidence that more of them are throttled than this noise (a CUSUM: the
// logarithm of the ratio of both likelihoods, never below zero), and the rate is cut when there is enough of it. The noise
// is what is throttled where the rate cannot be the cause.
type limiter struct {
	quota float64
	limit float64   // what the vendor lets through, as of the last cut
	cut   time.Time // zero before the first

	noise    float64  // the share of throttles that does not depend on the rate
	evidence float64  // that there are more
	seen     outcomes // since the evidence was zero
	calm     outcomes // since the noise was last learned
}

// outcomes counts calls.
type outcomes struct{ calls, throttled float64 }

func (o *outcomes) add(throttled bool) {
	o.calls++
	if throttled {
		o.throttled++
	}
}

func newLimiter(quota float64) limiter {
	return limiter{quota: quota, limit: quota, noise: noiseAtFirst}
}

// rate returns how many calls a second may be made at a time.
func (l *limiter) rate(at time.Time) float64 {
	if l.cut.IsZero() {
		return l.quota
	}
	t := at.Sub(l.cut).Seconds()/recovery.Seconds() - 1
	if t < 0 {
		return l.limit * (1 + l.room()*t*t*t)
	}
	return min(l.quota, l.limit+growth*l.quota*t*t*t)
}

func (l *limiter) room() float64 { return headroom + noisyHeadroom*l.noise }

// answered takes into account whether a call was throttled that was begun at a time.
func (l *limiter) answered(now, began time.Time, throttled bool) {
	if began.Before(l.cut) {
		return // it tells of the rate before the cut
	}
	rate := l.rate(began)
	if rate == l.quota || rate < l.limit*(1-l.room()/3) {
		if l.calm.add(throttled); l.calm.calls == noiseBatch {
			l.learn()
		}
	}
	l.seen.add(throttled)
	if throttled {
		l.evidence += math.Log((l.noise + excess) / l.noise)
	} else {
		l.evidence = max(0, l.evidence+math.Log((1-l.noise-excess)/(1-l.noise)))
	}
	enough, limit := patience*l.quota, rate*(1-(l.seen.throttled+0.7)/(l.seen.calls+10)) // few calls say little
	if rate < l.quota && began.Sub(l.cut) > recovery {
		enough, limit = probing*l.quota, max(eroded*l.limit, overshot*rate)
	}
	if l.evidence > math.Log(max(1, enough)) {
		if rate == l.quota {
			l.calm = outcomes{} // no calm after all
		}
		l.limit, l.cut = max(limit, minShare*l.quota), now
		l.learn()
		l.evidence = 0
	}
	if l.evidence == 0 {
		l.seen = outcomes{}
	}
}

// learn adjusts the noise to the calm calls.
func (l *limiter) learn() {
	if l.calm.throttled <= noCalm*l.calm.calls {
		noise := l.noise + (l.calm.throttled-l.calm.calls*l.noise)/noiseMemory
		l.noise = min(max(noise, minNoise), maxNoise)
	}
	l.calm = outcomes{}
}
