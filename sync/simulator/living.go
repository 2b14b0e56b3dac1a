package simulator

import (
	"context"
	"time"
)

// Living changes an account on and on, as customers and the vendor do: orders are placed, among them renewals and refunds of
// earlier ones, unpaid orders are paid, cancelled, or given up after seven days, amounts change, line items vanish, and what
// the fields below switch on. The truth follows, because all of it happens through the account's own methods. What happens is a
// function of the seed, the account and the times of the steps. It is for one goroutine.
type Living struct {
	// Reach is how old an order may be and still change other than by being paid or cancelled; 20 hours where it is not
	// set. A sync sees such a change only as far as it looks back.
	Reach time.Duration
	// Corrects lets orders move in time, and vanish.
	Corrects bool
	// Delivery is how long after its payment an order of the slowest product is delivered; those of the fastest take a
	// hundredth of that. Until then its lines have no instances and no service period. 0 delivers at once.
	Delivery time.Duration
	// Details lets the details of orders of any age change while their rows in a listing do not.
	Details bool
	// Past lets orders that are older than Reach change: their amounts, and from paid to cancelled. It is seldom.
	Past bool
	// Waiting is how many unpaid orders are left waiting: customers take days to pay, and steps may follow each other by seconds.
	Waiting int

	account *Account
	seed    uint64
	steps   uint64
	last    time.Time
}

// Changes are the ids of the orders that a step touched.
type Changes struct {
	Added, Paid, Cancelled, Changed, Dropped []string
	Moved, Vanished                          []string
	Delivered, Detailed, Past                []string
}

// NewLiving makes it; nothing happens before the first step.
func NewLiving(a *Account, seed uint64) *Living {
	return &Living{Reach: 20 * time.Hour, account: a, seed: seed}
}

// Step lets happen what happens between the step before and now. New orders get creation times from that interval, or
// from the last minute at the first step: where a sync runs between steps, they should be closer than its settle time.
func (l *Living) Step(now time.Time) Changes {
	a, s := l.account, newRandom(l.seed, l.steps, purposeLiving)
	l.steps++
	first := l.last.Unix() + 1
	if l.last.IsZero() {
		first = now.Unix() - 59
	}
	l.last = now

	if l.Delivery > 0 {
		a.HoldDeliveries()
	}
	var c Changes
	unpaid := a.Unpaid()
	for len(unpaid) > 0 { // the oldest first
		if o, _ := a.Order(unpaid[0]); now.Sub(o.CreateTime) < unpaidLife {
			break
		}
		if a.Cancel(unpaid[0]) == nil {
			c.Cancelled = append(c.Cancelled, unpaid[0])
		}
		unpaid = unpaid[1:]
	}
	if len(unpaid) > l.Waiting {
		for range s.n(min(3, 1+len(unpaid)-l.Waiting)) {
			// The account refuses what was already done to the same order.
			if id := unpaid[s.n(len(unpaid))]; s.percent(70) {
				if a.Pay(id) == nil {
					c.Paid = append(c.Paid, id)
				}
			} else if a.Cancel(id) == nil {
				c.Cancelled = append(c.Cancelled, id)
			}
		}
	}
	if recent := a.IDs(now.Add(-l.Reach), now); len(recent) > 0 {
		for range s.n(3) {
			id := recent[s.n(len(recent))]
			o, _ := a.Order(id)
			// Only a line that costs something: the loss of another is in no listing, so no sync could know of it. And
			// only of an order that was not refunded: a refund is never more than its order.
			n := len(o.Items)
			if n > 1 && !o.Items[n-1].PretaxGross.Decimal.IsZero() && s.percent(60) && !a.refunded(id) {
				if a.DropItem(id) == nil {
					c.Dropped = append(c.Dropped, id)
				}
			} else if a.Change(id) == nil {
				c.Changed = append(c.Changed, id)
			}
		}
	}
	if l.Corrects {
		l.correct(now, &s, &c)
	}
	if l.Past && s.percent(20) {
		if id, ok := a.pick(&s, time.Time{}, now.Add(-l.Reach)); ok && (s.percent(50) && a.Revoke(id) == nil || a.Change(id) == nil) {
			c.Past = append(c.Past, id)
		}
	}
	if l.Details {
		if id, ok := a.pick(&s, time.Time{}, now); ok && a.ChangeDetail(id) == nil {
			c.Detailed = append(c.Detailed, id)
		}
	}
	if l.Delivery > 0 {
		for _, id := range a.due(l.Delivery, now) {
			if a.Deliver(id) == nil {
				c.Delivered = append(c.Delivered, id)
			}
		}
	}
	if first <= now.Unix() {
		for range s.n(4) {
			c.Added = append(c.Added, a.Add(1, time.Unix(s.between(first, now.Unix()), 0))...)
		}
	}
	return c
}

// pick chooses an order created in [from, to).
func (a *Account) pick(s *random, from, to time.Time) (id string, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	lo, hi := a.indexes(seconds(from, to))
	if lo == hi {
		return "", false
	}
	return string(a.vendor.appendID(nil, a.orders[lo+s.n(hi-lo)].id)), true
}

// due lists the orders whose delivery is over.
func (a *Account) due(longest time.Duration, now time.Time) []string {
	return a.ids(time.Time{}, time.Time{}, func(o *order) bool {
		if !o.pending {
			return false
		}
		paid, _ := o.paidAt()
		s := newRandom(a.o.Seed, uint64(o.id), purposeDelivery)
		takes := longest * time.Duration(catalog[o.product].effort) / 100 * time.Duration(s.between(50, 100)) / 100
		return !time.Unix(paid, 0).Add(takes).After(now)
	})
}

// refunded reports whether a later order gave something of an order back.
func (a *Account) refunded(id string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.find(id)
	return o != nil && o.part != 0 && o.kind != kindRefund
}

// correct moves some recent orders, by a second up to some hours, and lets some vanish.
func (l *Living) correct(now time.Time, s *random, c *Changes) {
	a := l.account
	for range s.n(4) {
		recent := a.IDs(now.Add(-l.Reach), now.Add(-time.Minute))
		if len(recent) == 0 {
			return
		}
		id := recent[s.n(len(recent))]
		if s.percent(40) {
			if a.Vanish(id) == nil {
				c.Vanished = append(c.Vanished, id)
			}
			continue
		}
		o, _ := a.Order(id)
		by := [...]int64{1, 60, 3600, 4 * 3600}[s.n(4)]
		to := o.CreateTime.Add(time.Duration(s.between(-by, by)) * time.Second)
		if to.Before(now) && a.Move(id, to) == nil {
			c.Moved = append(c.Moved, id)
		}
	}
}

// Run makes a step every so often, by the account's clock, until ctx ends.
func (l *Living) Run(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.Step(l.account.o.Now())
		case <-ctx.Done():
			return
		}
	}
}
