package source

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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
		for _, p := range []Priority{Scrub, Verify, Backfill, Live} {
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
		if !slices.Equal(order, []Priority{Live, Backfill, Verify, Scrub}) {
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
