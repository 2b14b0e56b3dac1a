package source

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Client is one vendor's client for one login. Each call is one attempt.
type Client interface {
	List(ctx context.Context, q Query) (Page, error)
	Detail(ctx context.Context, ownerID, orderID string) (Detail, error)
}

// Policy bounds the retries of one call.
type Policy struct {
	Initial    time.Duration // first wait, jittered, doubled each time
	MaxWait    time.Duration // longest wait
	MaxElapsed time.Duration // after this the call has failed
	MaxTries   int           // throttles do not count: they are the budget's business
}

// DefaultPolicy is enough for a vendor's hiccups, and gives up before a scheduled run is over.
var DefaultPolicy = Policy{Initial: 250 * time.Millisecond, MaxWait: 10 * time.Second, MaxElapsed: 2 * time.Minute, MaxTries: 6}

// Observer sees every call, for metrics. api is "list", "detail", …; reason is OK for a good one.
type Observer func(api string, reason Reason, d time.Duration)

// Caller is a Client with its login's call budgets and retries around it. It is safe for concurrent use.
type Caller struct {
	client  Client
	list    *api
	detail  *api
	policy  Policy
	observe Observer
}

// api is one kind of call of one login.
type api struct {
	name   string
	budget *Budget
	// down is set when a call used up its retries on a vendor that does not answer, and cleared by the next call that
	// succeeds. While it is set calls get one try: a thousand orders must not wait two minutes each.
	down atomic.Bool

	waiting atomic.Int64 // calls under way
	// heard is when the vendor last gave a sign of life, or when calls began after a time without any: nanoseconds since began.
	heard atomic.Int64
	mute  atomic.Bool // the last call that ended had no answer
}

// began is where the times of api.heard count from, so that they have a monotonic reading.
var began = time.Now()

// calls notes that a call begins. The function that it returns notes how it ended.
func (a *api) calls() (ended func(Reason)) {
	if a.waiting.Add(1) == 1 && !a.mute.Load() {
		a.heard.Store(int64(time.Since(began)))
	}
	return func(r Reason) {
		a.waiting.Add(-1)
		switch r {
		case Cancelled: // by us
		case Timeout:
			a.mute.Store(true)
		default:
			a.heard.Store(int64(time.Since(began)))
			a.mute.Store(false)
		}
	}
}

// Silence is how long the vendor has left all calls of one kind without an answer.
type Silence struct {
	API   string
	Calls int // under way
	For   time.Duration
}

// Silent returns the silences: of the kinds of calls of which some wait for an answer, or had none the last time.
func (c *Caller) Silent() (out []Silence) {
	for _, a := range []*api{c.list, c.detail} {
		if n := a.waiting.Load(); n > 0 || a.mute.Load() {
			out = append(out, Silence{a.name, int(n), time.Since(began) - time.Duration(a.heard.Load())})
		}
	}
	return out
}

// NewCaller wraps a client. observe may be nil.
func NewCaller(c Client, list, detail *Budget, p Policy, observe Observer) *Caller {
	if observe == nil {
		observe = func(string, Reason, time.Duration) {}
	}
	return &Caller{
		client: c, policy: p, observe: observe,
		list:   &api{name: "list", budget: list},
		detail: &api{name: "detail", budget: detail},
	}
}

// List asks for one page, within the budget, with retries.
func (c *Caller) List(ctx context.Context, q Query) (Page, error) {
	return call(ctx, c, c.list, func(ctx context.Context) (Page, error) { return c.client.List(ctx, q) })
}

// Detail asks for one order's detail, within the budget, with retries.
func (c *Caller) Detail(ctx context.Context, ownerID, orderID string) (Detail, error) {
	return call(ctx, c, c.detail, func(ctx context.Context) (Detail, error) { return c.client.Detail(ctx, ownerID, orderID) })
}

// call is the retry decorator: every try waits for the budget anew, and the waits between tries are decided by what the
// last try met.
func call[T any](ctx context.Context, c *Caller, a *api, do func(context.Context) (T, error)) (T, error) {
	began := time.Now()
	first, err := once(ctx, c, a, do)
	if err == nil { // nearly always, so that no retry need be prepared
		a.down.Store(false)
		return first, nil
	}
	w := &waits{api: a, policy: c.policy, began: began}
	return backoff.RetryWithData(func() (t T, _ error) {
		if w.last != nil {
			t, err = once(ctx, c, a, do)
		}
		if w.last = err; err == nil {
			a.down.Store(false)
			return t, nil
		}
		if ctx.Err() != nil || !detailsOf(err).Fresh && (Final(err) || !ReasonOf(err).Retryable()) {
			return t, backoff.Permanent(err)
		}
		return t, err
	}, backoff.WithContext(w, ctx))
}

// once makes one call within the budget.
func once[T any](ctx context.Context, c *Caller, a *api, do func(context.Context) (T, error)) (t T, err error) {
	permit, err := a.budget.Acquire(ctx)
	if err != nil {
		// The budget's own has no name yet. One that ended ctx is another call's, which others may be reading.
		if p, ok := errors.AsType[*pausedError](err); ok && p.api == "" {
			err = &pausedError{p.Pause, a.name}
		}
		return t, err
	}
	if a.budget.traced() {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { permit.Sent() },
		})
	}
	start := time.Now()
	ended := a.calls()
	t, err = do(ctx)
	reason, retryAfter := OK, time.Duration(0)
	if err != nil {
		reason, retryAfter = ReasonOf(err), detailsOf(err).RetryAfter
	}
	ended(reason)
	permit.Done(reason, retryAfter)
	c.observe(a.name, reason, time.Since(start))
	return t, err
}

// waits is the backoff.BackOff of one call: how long to wait after the last error, or to stop.
type waits struct {
	api    *api
	policy Policy
	began  time.Time
	exp    *backoff.ExponentialBackOff // made when it is needed: most calls need none
	last   error
	signed bool // it was signed anew once already
	tries  int
	pauses int // that it waited for
}

// Reset is part of backoff.BackOff.
func (w *waits) Reset() {}

// NextBackOff is part of backoff.BackOff.
func (w *waits) NextBackOff() time.Duration {
	reason, last := ReasonOf(w.last), detailsOf(w.last)
	if p := w.api.budget.lastPause(); p.Until.After(w.began) && w.pauses < w.policy.MaxTries {
		w.pauses++
		w.began = p.Until // what the vendor asked for is no sign that the call fails
	}
	elapsed := time.Since(w.began)
	switch {
	case last.Fresh && w.signed:
		return backoff.Stop
	case last.Fresh:
		w.signed = true
		return 0
	case reason == Throttled && elapsed < w.policy.MaxElapsed:
		return 0 // the budget has been told, and makes everybody wait
	}
	if w.exp == nil {
		// A new one for every call: ExponentialBackOff is not safe to share. The whole call's time is bounded here.
		w.exp = backoff.NewExponentialBackOff(backoff.WithInitialInterval(w.policy.Initial),
			backoff.WithMaxInterval(w.policy.MaxWait), backoff.WithMaxElapsedTime(0))
	}
	w.tries++
	wait := w.exp.NextBackOff() // the budget sees to it that it is as long as the vendor asked for
	if w.tries >= w.limit(reason) || elapsed+wait > w.policy.MaxElapsed {
		if reason == Unavailable || reason == Timeout {
			w.api.down.Store(true)
		}
		return backoff.Stop
	}
	return wait
}

func (w *waits) limit(r Reason) int {
	switch {
	case w.api.down.Load():
		return 1
	case r == Timeout:
		return min(2, w.policy.MaxTries) // who lists has a better answer: a smaller range
	}
	return w.policy.MaxTries
}

// detailsOf returns what the vendor said in an error, or nothing.
func detailsOf(err error) Error {
	var e *Error
	if errors.As(err, &e) {
		return *e
	}
	return Error{}
}
