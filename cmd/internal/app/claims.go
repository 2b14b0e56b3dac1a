package app

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

// ranges are this process's claims on ranges of creation time, of its daemon and of its verbs; it is the engine's Claims. A
// range is claimed when nobody else has claimed a part of it, before and after. Of two who claim in the same instant both
// see the other and withdraw, and who waits tries again after a random time.
//
// As with leases, a claim that cannot be made or renewed costs calls and nothing else, so the work goes on without it.
type ranges struct {
	log  *slog.Logger
	self *leases
	sink *sink.Sink
	turn *semaphore.Weighted     // held over statements, so that no renewal comes after the release
	held map[sink.RangeLease]int // how often this process has claimed each
}

func newRanges(log *slog.Logger, self *leases, s *sink.Sink) *ranges {
	return &ranges{log: log, self: self, sink: s, turn: semaphore.NewWeighted(1), held: map[sink.RangeLease]int{}}
}

// start keeps the claims alive until the end, which gives back what is left of them.
func (c *ranges) start() (end func(context.Context) error) {
	beats, cancel := context.WithCancel(context.Background())
	var beating sync.WaitGroup
	beating.Go(func() { // ends with end
		for {
			select {
			case <-time.After(c.self.every):
				c.renew(beats)
			case <-beats.Done():
				return
			}
		}
	})
	return func(ctx context.Context) error {
		cancel()
		beating.Wait()
		if err := c.turn.Acquire(ctx, 1); err != nil {
			return err
		}
		defer c.turn.Release(1)
		left := slices.Collect(maps.Keys(c.held))
		clear(c.held)
		return c.sink.ReleaseRanges(ctx, left)
	}
}

func (c *ranges) renew(ctx context.Context) {
	if c.turn.Acquire(ctx, 1) != nil {
		return
	}
	defer c.turn.Release(1)
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if err := c.sink.ClaimRanges(ctx, slices.Collect(maps.Keys(c.held))); err != nil && ctx.Err() == nil {
		c.log.DebugContext(ctx, "the claims on ranges could not be renewed", "error", err)
	}
}

func (c *ranges) lease(stream schema.Stream, iv window.Interval) sink.RangeLease {
	return sink.RangeLease{Stream: stream, From: iv.Start.UTC(), To: iv.End.UTC(), Holder: c.self.holder, Process: c.self.process()}
}

// Claim is part of engine.Claims.
func (c *ranges) Claim(ctx context.Context, stream schema.Stream, ivs []window.Interval, most int) (ours []int, others map[int]string) {
	if c.turn.Acquire(ctx, 1) != nil {
		return nil, nil // stopped
	}
	defer c.turn.Release(1)
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	others, err := c.others(ctx, stream, ivs)
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
	if err != nil {
		c.log.DebugContext(ctx, "ranges could not be claimed: going on without", "error", err)
	}
	for _, i := range ours {
		c.held[c.lease(stream, ivs[i])]++
	}
	return ours, others
}

// withdraw releases the claims, just made, on what others have claimed in the same instant.
func (c *ranges) withdraw(ctx context.Context, stream schema.Stream, ivs []window.Interval, ours *[]int, others map[int]string) error {
	now, err := c.others(ctx, stream, ivs)
	if err != nil {
		return err
	}
	var back []sink.RangeLease
	*ours = slices.DeleteFunc(*ours, func(i int) bool {
		other, taken := now[i]
		if l := c.lease(stream, ivs[i]); taken && c.held[l] == 0 {
			others[i] = other
			back = append(back, l)
			return true
		}
		return false
	})
	return c.sink.ReleaseRanges(ctx, back)
}

// others finds which ranges are claimed by other processes, by index. Claims of processes of this machine that are gone are
// given back for them.
func (c *ranges) others(ctx context.Context, stream schema.Stream, ivs []window.Interval) (map[int]string, error) {
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

// Release is part of engine.Claims.
func (c *ranges) Release(ctx context.Context, stream schema.Stream, ivs []window.Interval) {
	if c.turn.Acquire(ctx, 1) != nil {
		return // they die by themselves
	}
	defer c.turn.Release(1)
	var back []sink.RangeLease
	for _, iv := range ivs {
		l := c.lease(stream, iv)
		switch c.held[l] {
		case 0:
		case 1:
			delete(c.held, l)
			back = append(back, l)
		default:
			c.held[l]--
		}
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if err := c.sink.ReleaseRanges(ctx, back); err != nil {
		c.log.DebugContext(ctx, "claims on ranges could not be given back: they die by themselves", "error", err)
	}
}
