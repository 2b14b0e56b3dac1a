package source

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever asks for a pause, it is honoured by all calls, told once when it begins and once when calls are made again, and
// costs no quota after it.
func TestPausesAreHonoured(t *testing.T) {
	t.Parallel()
	for _, reason := range []Reason{Throttled, Unavailable} {
		for _, asked := range []time.Duration{time.Second, time.Minute, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				s := &script{errs: times(1, &Error{Reason: reason, RetryAfter: asked})}
				b := NewBudget(10)
				var told []string
				b.Watch(func(p Pause, over bool) {
					if told = append(told, p.String()); over != (len(told) == 2) {
						t.Errorf("%s: over %v", p, over)
					}
				})
				c := NewCaller(s, b, NewBudget(10), DefaultPolicy, nil)
				start := time.Now()
				if _, err := c.List(t.Context(), Query{}); err != nil || s.calls != 2 {
					t.Errorf("%s: %d calls, %v", asked, s.calls, err)
				}
				if d := time.Since(start); d < asked || d > asked+time.Second {
					t.Errorf("%s: it took %s", asked, d)
				}
				if want := 2 * min(1, int(asked/longPause)); len(told) != want {
					t.Errorf("%s: told %q", asked, told)
				}
				if b.Rate() != 10 {
					t.Errorf("%s: slowed to %g", asked, b.Rate())
				}
				s.errs = append(s.errs, nil, &Error{Reason: Throttled}) // a hiccup later is no failure
				if _, err := c.List(t.Context(), Query{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A vendor that asks for ten years is asked again after an hour, and what it asked for is said, with the cap.
func TestPauseIsCapped(t *testing.T) {
	t.Parallel()
	for asked, says := range map[time.Duration]string{
		time.Hour:                 "the vendor asked for 1h0m0s: no call before 2000-01-01 01:00:00Z",
		2 * time.Hour:             "the vendor asked for 2h0m0s, of which ordersync waits 1h0m0s: no call before 2000-01-01 01:00:00Z",
		10 * 365 * 24 * time.Hour: "the vendor asked for 87600h0m0s, of which ordersync waits 1h0m0s: no call before 2000-01-01 01:00:00Z",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{errs: times(1, &Error{Reason: Throttled, RetryAfter: asked})}
			b := NewBudget(10)
			var told []string
			b.Watch(func(p Pause, _ bool) { told = append(told, p.String()) })
			start := time.Now()
			if _, err := NewCaller(s, b, b, DefaultPolicy, nil).List(t.Context(), Query{}); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d < time.Hour || d > time.Hour+time.Second || len(told) != 2 || told[0] != says {
				t.Errorf("%s: waited %s, told %q", asked, d, told)
			}
		})
	}
}

// All calls that are in flight when the vendor asks for a pause are refused for the same reason, and count once.
func TestPauseInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(20)
		var permits []*Permit
		for range 20 {
			p, err := b.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			permits = append(permits, p)
		}
		for _, p := range permits {
			p.Done(Throttled, time.Minute)
		}
		if b.Rate() != 20 {
			t.Errorf("slowed to %g", b.Rate())
		}
	})
}

// Who does not bear a pause is told at once until when it is, whether he comes before it or after, and makes no call.
func TestPausesThatAreTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: times(1, &Error{Reason: Throttled, RetryAfter: time.Hour})}
		b := NewBudget(1)
		c := NewCaller(s, b, b, DefaultPolicy, nil)
		ctx := WithLongestWait(t.Context(), time.Minute)
		errs := make(chan error, 5)
		start := time.Now()
		for range 5 { // one makes its call, the others wait for theirs
			go func() {
				_, err := c.List(ctx, Query{})
				errs <- err
			}()
		}
		synctest.Wait()
		for range 5 {
			err := <-errs
			if !Final(err) || ReasonOf(err) != Throttled || !strings.Contains(err.Error(), "the vendor asked for 1h0m0s: no call before 2000-01-01 01:00:00Z") {
				t.Errorf("%v", err)
			}
		}
		if _, err := c.Detail(ctx, "", "1"); !Final(err) || s.calls != 1 || time.Since(start) > time.Second {
			t.Errorf("%d calls in %s: %v", s.calls, time.Since(start), err)
		}
		if p, ok := b.Paused(); !ok || p.Asked != time.Hour {
			t.Errorf("%v %v", p, ok)
		}
		stopped, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		if _, err := c.List(stopped, Query{}); !errors.Is(err, context.Canceled) {
			t.Errorf("who waits can be stopped: %v", err)
		}
		time.Sleep(time.Hour - 2*time.Minute)
		if _, err := c.List(ctx, Query{}); err != nil { // the rest is bearable
			t.Error(err)
		}
		if _, ok := b.Paused(); ok || s.calls != 2 {
			t.Errorf("%d calls", s.calls)
		}
	})
}

// A pause that ended one call, and with it the context of others, is that call's: the others report it, and do not change it.
func TestAPauseIsOfItsOwnCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&pausedError{api: "list"})
	_, err := NewCaller(&script{}, NewBudget(10), NewBudget(10), DefaultPolicy, nil).Detail(ctx, "", "1")
	p, ok := errors.AsType[*pausedError](err)
	if !ok || p.api != "list" {
		t.Errorf("%v, and the context ended by %v", err, context.Cause(ctx))
	}
}
