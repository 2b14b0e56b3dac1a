package source

import (
	"context"
	"sync"
	"time"
)

// Priority orders those who wait for a call budget: live traffic before backfill before verification before scrub.
type Priority int

// Priorities, the most urgent first.
const (
	Live Priority = iota
	Backfill
	Verify
	Scrub
	priorities
)

type priorityKey struct{}

// WithPriority returns a context that gives all calls made with it a priority. Without one a call is Live.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

func priorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}

const (
	// arrivalJitter is how much later than its bytes were written a call may reach the vendor's counter, over the
	// usual. A call that was answered sooner arrived sooner, so on a fast line the margin is smaller.
	arrivalJitter = 15 * time.Millisecond
	// paceSlack is how far a budget may run behind its pace and still catch up: timers are not exact.
	paceSlack = 5 * time.Millisecond
)

// Budget is the call budget of one login and one API: at most quota calls in any second, over all workers.
//
// The vendor counts calls when they arrive, in a sliding second; so a slot is free again one second after its last call
// can have arrived, not after it was asked for. Where others use the same quota, a limiter finds what they leave. It is safe
// for concurrent use.
type Budget struct {
	mu      sync.Mutex
	limiter limiter
	period  time.Duration
	slots   []slot // ring: call number k takes slots[k%len]
	calls   uint64 // granted so far
	pace    time.Time
	pause   Pause
	told    bool                     // of the pause
	watch   func(p Pause, over bool) // nil for nobody
	waiting [priorities][]*waiter
	timer   *time.Timer
}

// slot remembers when the vendor's sliding second lets its next call in.
type slot struct {
	busy bool // its call has not been written yet: nobody knows when it will arrive
	free time.Time
}

type waiter struct {
	granted chan *Permit // closed where the caller does not bear the pause
	ctx     context.Context
	gone    bool
}

// Permit is the right to make one call.
type Permit struct {
	b     *Budget
	slot  int
	began time.Time
	sent  time.Time // when it was written; zero where that is not traced
	done  bool
}

// NewBudget makes a budget of quota calls a second.
func NewBudget(quota float64) *Budget {
	n := max(1, int(quota))
	return &Budget{
		limiter: newLimiter(quota),
		period:  time.Duration(float64(n) / quota * float64(time.Second)),
		slots:   make([]slot, n),
	}
}

// Rate is the number of calls a second that the budget now allows itself.
func (b *Budget) Rate() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limiter.rate(time.Now())
}

// Left is the number of calls that could be made at once, without waiting.
func (b *Budget) Left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.pause.Until.After(now) {
		return 0
	}
	n := 0
	for i := range b.slots {
		if !b.slots[i].busy && !b.slots[i].free.After(now) {
			n++
		}
	}
	return n
}

// Watch has long pauses told to f when they begin and when the first call is made after them. f must not use the budget.
func (b *Budget) Watch(f func(p Pause, over bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watch = f
}

// Paused returns the pause that the vendor has asked for, if it is long and not over.
func (b *Budget) Paused() (p Pause, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pause, b.told && b.pause.Until.After(time.Now())
}

// lastPause returns the last long pause, which may be over.
func (b *Budget) lastPause() (p Pause) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause.Asked >= longPause {
		p = b.pause
	}
	return p
}

// traced reports whether it matters when exactly a call was written. With a lifted quota it does not, and costs.
func (b *Budget) traced() bool { return b.limiter.quota < 1000 }

// Acquire waits for the right to make one call. The permit must be returned with Done.
func (b *Budget) Acquire(ctx context.Context) (*Permit, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p := priorityOf(ctx)
	b.mu.Lock()
	if !b.pause.bears(ctx) {
		defer b.mu.Unlock()
		return nil, &pausedError{Pause: b.pause}
	}
	if w, _ := b.first(); w == nil {
		if permit, _ := b.next(time.Now()); permit != nil {
			b.mu.Unlock()
			return permit, nil
		}
	}
	w := &waiter{granted: make(chan *Permit, 1), ctx: ctx}
	b.waiting[p] = append(b.waiting[p], w)
	b.grant()
	b.mu.Unlock()
	select {
	case permit := <-w.granted:
		if permit == nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			return nil, &pausedError{Pause: b.pause}
		}
		return permit, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	w.gone = true
	b.mu.Unlock()
	select {
	case permit := <-w.granted: // granted in the same moment: the slot was not used
		if permit != nil {
			permit.unused()
		}
	default:
	}
	return nil, context.Cause(ctx)
}

// grant hands out all permits that are due and arms the timer for the next one. The lock is held.
func (b *Budget) grant() {
	for {
		w, queue := b.first()
		if w == nil {
			return
		}
		permit, wait := b.next(time.Now())
		switch {
		case permit != nil:
			b.waiting[queue] = b.waiting[queue][1:]
			w.granted <- permit
			continue
		case wait == 0: // Sent or Done comes back here
		case b.timer == nil:
			b.timer = time.AfterFunc(wait, b.wake)
		default:
			b.timer.Reset(wait)
		}
		return
	}
}

// next returns the next permit if it is due, and else how long that takes; zero where nobody knows. The lock is held.
func (b *Budget) next(now time.Time) (*Permit, time.Duration) {
	i := int(b.calls % uint64(len(b.slots)))
	if b.slots[i].busy {
		return nil, 0
	}
	if wait := latest(b.pause.Until, b.pace.Add(-paceSlack), b.slots[i].free).Sub(now); wait > 0 {
		return nil, wait
	}
	if b.told {
		b.told = false
		b.tell(true)
	}
	b.calls++
	b.slots[i].busy = true
	b.pace = latest(b.pace, now).Add(time.Duration(float64(time.Second) / b.limiter.rate(now)))
	return &Permit{b: b, slot: i, began: now}, 0
}

func (b *Budget) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grant()
}

// first finds who is next: the most urgent priority, and within it who came first.
func (b *Budget) first() (*waiter, Priority) {
	for p := range b.waiting {
		q := b.waiting[p]
		for len(q) > 0 && q[0].gone {
			q = q[1:]
		}
		b.waiting[p] = q
		if len(q) > 0 {
			return q[0], Priority(p)
		}
	}
	return nil, 0
}

// Sent tells that the call has been written to the connection. After Done it does nothing: an answer may overtake it.
func (p *Permit) Sent() {
	now := time.Now()
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.done {
		return
	}
	p.sent = now
	b.slots[p.slot] = slot{free: now.Add(b.period + arrivalJitter)}
	b.grant()
}

// Done returns the permit and tells the budget how the call ended.
func (p *Permit) Done(reason Reason, retryAfter time.Duration) {
	now := time.Now()
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	p.done = true
	s := &b.slots[p.slot]
	switch {
	case p.sent.IsZero(): // it arrived by now at the latest, if ever
		s.free, s.busy = now.Add(b.period), false
	case now.Sub(p.sent) < arrivalJitter && s.free.Equal(p.sent.Add(b.period+arrivalJitter)):
		s.free = now.Add(b.period)
	}
	if reason == OK || reason == Throttled && !b.pause.Until.After(now) {
		b.limiter.answered(now, p.began, reason == Throttled)
	}
	if until := now.Add(min(retryAfter, maxPause)); retryAfter > 0 && until.After(b.pause.Until) {
		b.hold(Pause{Reason: reason, Asked: retryAfter, Until: until})
	}
	b.grant()
}

// hold begins a pause, or prolongs it. The lock is held.
func (b *Budget) hold(p Pause) {
	b.pause = p
	if p.Asked >= longPause && !b.told {
		b.told = true
		b.tell(false)
	}
	for _, queue := range b.waiting {
		for _, w := range queue {
			if !w.gone && !p.bears(w.ctx) {
				w.gone = true
				close(w.granted)
			}
		}
	}
}

func (b *Budget) tell(over bool) {
	if b.watch != nil {
		b.watch(b.pause, over)
	}
}

// unused returns a permit whose call was never made.
func (p *Permit) unused() {
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots[p.slot].busy = false
	b.grant()
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
