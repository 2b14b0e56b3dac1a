package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/window"
)

// Claims are this process's claims on ranges of creation time, of its daemon and of its verbs; they are the engine's Claims. A
// range is claimed when nobody else has claimed a part of it, before and after. Of two who claim in the same instant both
// see the other and withdraw, and who waits tries again after a random time.
//
// As with leases, a claim that cannot be made or renewed costs calls and nothing else, so the work goes on without it.
type Claims struct {
	log  *slog.Logger
	self *Leases
	sink *sink.Sink
	turn *semaphore.Weighted // held over statements, so that no renewal comes after the release

	mu   sync.Mutex
	held map[sink.RangeLease]int // how often this process has claimed each
}

// NewClaims returns claims of the holder of leases.
func NewClaims(log *slog.Logger, self *Leases, s *sink.Sink) *Claims {
	return &Claims{log: log, self: self, sink: s, turn: semaphore.NewWeighted(1), held: map[sink.RangeLease]int{}}
}

// Start keeps the claims alive until the end, which releases what is left of them.
func (c *Claims) Start() (end func(context.Context) error) {
	heartbeats, cancel := context.WithCancel(context.Background())
	var renewing sync.WaitGroup
	renewing.Go(func() { // ends with end
		for {
			select {
			case <-time.After(c.self.Every):
				c.renew(heartbeats)
			case <-heartbeats.Done():
				return
			}
		}
	})
	return func(ctx context.Context) error {
		cancel()
		renewing.Wait()
		c.mu.Lock()
		left := slices.Collect(maps.Keys(c.held))
		clear(c.held)
		c.mu.Unlock()
		return c.release(ctx, left)
	}
}

// all are the claims that this process holds.
func (c *Claims) all() []sink.RangeLease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.held))
}

// holds reports whether this process has claimed a range.
func (c *Claims) holds(l sink.RangeLease) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[l] > 0
}

// forget ends one claim on a range, and reports whether it was the last one. A claim that is forgotten is not renewed, so it
// ends by itself where the release does not reach the warehouse.
func (c *Claims) forget(l sink.RangeLease) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[l]--; c.held[l] > 0 {
		return false
	}
	delete(c.held, l)
	return true
}

// inTurn sends statements one after the other, within a bound.
func (c *Claims) inTurn(ctx context.Context, send func(context.Context) error) error {
	if err := c.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.turn.Release(1)
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	return send(ctx)
}

func (c *Claims) renew(ctx context.Context) {
	err := c.inTurn(ctx, func(ctx context.Context) error { return c.sink.ClaimRanges(ctx, c.all()) })
	if err != nil && ctx.Err() == nil {
		c.log.DebugContext(ctx, "the claims on ranges could not be renewed", "error", err)
	}
}

func (c *Claims) lease(stream schema.Stream, iv window.Interval) sink.RangeLease {
	return sink.RangeLease{Stream: stream, From: iv.Start.UTC(), To: iv.End.UTC(), Holder: c.self.holder, Process: c.self.process()}
}

// Claim is part of stream.Claims.
func (c *Claims) Claim(ctx context.Context, stream schema.Stream, ivs []window.Interval, most int) (ours []int, others map[int]string) {
	err := c.inTurn(ctx, func(ctx context.Context) (err error) {
		others, err = c.others(ctx, stream, ivs)
		var mine []sink.RangeLease
		for i, iv := range ivs {
			if _, taken := others[i]; !taken && len(ours) < most {
				ours, mine = append(ours, i), append(mine, c.lease(stream, iv))
			}
		}
		if err == nil && len(mine) > 0 {
			if err = c.sink.ClaimRanges(ctx, mine); err == nil {
				err = c.withdraw(ctx, stream, ivs, &ours, others)
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, i := range ours {
			c.held[c.lease(stream, ivs[i])]++
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		c.log.DebugContext(ctx, "ranges could not be claimed: going on without", "error", err)
	}
	return ours, others
}

// withdraw releases the claims, just made, on what others have claimed in the same instant.
func (c *Claims) withdraw(ctx context.Context, stream schema.Stream, ivs []window.Interval, ours *[]int, others map[int]string) error {
	now, err := c.others(ctx, stream, ivs)
	if err != nil {
		return err
	}
	var back []sink.RangeLease
	*ours = slices.DeleteFunc(*ours, func(i int) bool {
		other, taken := now[i]
		if l := c.lease(stream, ivs[i]); taken && !c.holds(l) {
			others[i] = other
			back = append(back, l)
			return true
		}
		return false
	})
	return c.sink.ReleaseRanges(ctx, back)
}

// others finds which ranges are claimed by other processes, by index. Claims of processes of this machine that are gone are
// released for them.
func (c *Claims) others(ctx context.Context, stream schema.Stream, ivs []window.Interval) (map[int]string, error) {
	all := ivs[0]
	for _, iv := range ivs {
		if iv.Start.Before(all.Start) {
			all.Start = iv.Start
		}
		if iv.End.After(all.End) {
			all.End = iv.End
		}
	}
	out := map[int]string{}
	leases, err := c.sink.RangeLeases(ctx, stream, all.Start, all.End)
	if err != nil {
		return out, err
	}
	var gone []sink.RangeLease
	for _, l := range leases {
		switch {
		case l.Holder == c.self.holder:
			continue
		case c.self.gone(l.Holder, l.Process):
			gone = append(gone, l)
			continue
		}
		for i, iv := range ivs {
			if !iv.Clip(window.Interval{Start: l.From, End: l.To}).Empty() {
				out[i] = l.Process
			}
		}
	}
	return out, c.sink.ReleaseRanges(ctx, gone)
}

// Release is part of stream.Claims.
func (c *Claims) Release(ctx context.Context, stream schema.Stream, ivs []window.Interval) {
	var last []sink.RangeLease
	for _, iv := range ivs {
		if l := c.lease(stream, iv); c.holds(l) && c.forget(l) {
			last = append(last, l)
		}
	}
	if err := c.release(ctx, last); err != nil {
		c.log.DebugContext(ctx, "claims on ranges could not be released: they end by themselves", "error", err)
	}
}

// release tells the warehouse that claims are over, after a renewal that is under way.
func (c *Claims) release(ctx context.Context, leases []sink.RangeLease) error {
	return c.inTurn(ctx, func(ctx context.Context) error { return c.sink.ReleaseRanges(ctx, leases) })
}
