package source

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// vendor is a sliding-second counter as the vendor has it, for tests in a synctest bubble.
type vendor struct {
	mu       sync.Mutex
	quota    int
	arrivals []time.Time
	refused  int
}

func (v *vendor) arrive() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for len(v.arrivals) > 0 && now.Sub(v.arrivals[0]) >= time.Second {
		v.arrivals = v.arrivals[1:]
	}
	if len(v.arrivals) >= v.quota {
		v.refused++
		return false
	}
	v.arrivals = append(v.arrivals, now)
	return true
}

// spend makes calls through the budget from n workers until the time is over, and counts those that were let in.
func spend(t *testing.T, b *Budget, v *vendor, workers int, d time.Duration, latency func() time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	ok := 0
	for range workers {
		wg.Go(func() {
			for {
				p, err := b.Acquire(ctx)
				if err != nil {
					return
				}
				p.Sent()
				time.Sleep(latency() / 2)
				reason := OK
				if !v.arrive() {
					reason = Throttled
				}
				time.Sleep(latency() / 2)
				p.Done(reason, 0)
				if reason == OK {
					mu.Lock()
					ok++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return ok
}

func TestBudgetUsesTheQuotaWithoutAThrottle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base, jitter time.Duration
	}{
		"loopback": {2 * time.Millisecond, 4 * time.Millisecond},
		"near":     {40 * time.Millisecond, 10 * time.Millisecond},
		"far":      {400 * time.Millisecond, 25 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{quota: 10}
				ok := spend(t, NewBudget(10), v, 20, 5*time.Minute, func() time.Duration {
					return c.base + rand.N(c.jitter)
				})
				if v.refused > 0 {
					t.Errorf("%d calls were throttled", v.refused)
				}
				if used := float64(ok) / (10 * 300); used < 0.98 {
					t.Errorf("%.3f of the quota was used", used)
				}
			})
		})
	}
}

func TestBudgetSharesTheQuotaWithAnotherClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{quota: 10}
		ctx, cancel := context.WithCancel(t.Context())
		var other sync.WaitGroup
		other.Go(func() { // takes half of the quota and never looks back
			for ctx.Err() == nil {
				v.arrive()
				time.Sleep(200 * time.Millisecond)
			}
		})
		latency := func() time.Duration { return 20 * time.Millisecond }
		b := NewBudget(10)
		learned := spend(t, b, v, 20, time.Minute, latency)
		if share := float64(v.refused) / float64(learned); share > 0.04 {
			t.Errorf("%.3f of the calls were throttled until it was learned", share)
		}
		v.refused = 0
		ok := spend(t, b, v, 20, 20*time.Minute, latency)
		cancel()
		other.Wait()
		if share := float64(v.refused) / float64(ok); share > 0.02 {
			t.Errorf("%.3f of the calls were throttled", share)
		}
		if used := float64(ok) / (5 * 1200); used < 0.8 {
			t.Errorf("%.3f of the free half was used", used)
		}
		spend(t, b, &vendor{quota: 10}, 20, 4*time.Minute, latency)
		if b.Rate() != 10 {
			t.Errorf("alone again, the rate grew back to %.2f only", b.Rate())
		}
	})
}

func TestBudgetServesLiveTrafficFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1)
		var mu sync.Mutex
		var order []Priority
		var wg sync.WaitGroup
		hold, err := b.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []Priority{Verify, Backfill, Live} {
			wg.Go(func() {
				permit, err := b.Acquire(WithPriority(t.Context(), p))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, p)
				mu.Unlock()
				permit.Done(OK, 0)
			})
			synctest.Wait()
		}
		hold.Done(OK, 0)
		wg.Wait()
		if order[0] != Live || order[1] != Backfill || order[2] != Verify {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestBudgetWaitsAsLongAsTheVendorAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		p, _ := b.Acquire(t.Context())
		p.Done(Throttled, 7*time.Second)
		start := time.Now()
		p, err := b.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Done(OK, 0)
		if d := time.Since(start); d < 7*time.Second || d > 8*time.Second {
			t.Errorf("the next call waited %s", d)
		}
	})
}

func TestBudgetGivesUpWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(0.1)
		hold, _ := b.Acquire(t.Context())
		stop := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(stop)
		if _, err := b.Acquire(ctx); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
		hold.Done(OK, 0)
		start := time.Now()
		p, err := b.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Done(OK, 0)
		if d := time.Since(start); d > 11*time.Second {
			t.Errorf("a waiter that left still held the queue up: %s", d)
		}
	})
}

func BenchmarkBudgetLifted(b *testing.B) {
	bud := NewBudget(100_000)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _ := bud.Acquire(context.Background())
			p.Done(OK, 0)
		}
	})
}
