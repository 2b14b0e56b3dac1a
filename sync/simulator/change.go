package simulator

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Add places n new orders, all in the second of at, and returns their ids.
func (a *Account) Add(n int, at time.Time) []string {
	if n <= 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	create := at.Unix()
	_, i := a.indexes(create, create+1) // after those of the same second
	id, end := idBase(create), idBase(create+1)
	if a.moved {
		for k := range a.orders {
			if at := a.orders[k].id; at > id && at < end {
				id = at
			}
		}
	} else if i > 0 && a.orders[i-1].create == create {
		id = a.orders[i-1].id
	}
	gap := int64(min(900, int((end-id)/int64(n))-minGap))
	if gap < 1 {
		panic(fmt.Sprintf("simulator: no room for %d more orders at %v", n, at))
	}
	s := newRandom(a.o.Seed, a.adds, purposeAdd)
	a.adds++
	added := make([]order, n)
	ids := make([]string, n)
	for k := range added {
		id += minGap + s.between(0, gap-1)
		added[k] = order{id: id, create: create}
		ids[k] = string(a.vendor.appendID(nil, id))
		a.generateOrder(&added[k], &s, a.orders[:i], true)
		added[k].payBy(a.now().Unix())
		a.hold(&added[k])
	}
	a.orders = slices.Insert(a.orders, i, added...)
	return ids
}

// Pay pays an unpaid order now. The documents of the Domain API say that it is settled.
func (a *Account) Pay(id string) error {
	return a.update(id, func(o *order) error {
		if o.status != statusUnpaid {
			return fmt.Errorf("simulator: order %s is %q, so it cannot be paid", id, a.statusName(o))
		}
		o.status = statusPaid
		o.payDelay = a.age(o)
		a.hold(o)
		return nil
	})
}

// HoldDeliveries makes the lines of what is paid from now on come without instances and service period, until Deliver.
func (a *Account) HoldDeliveries() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = true
}

// hold makes an order wait for Deliver, if deliveries are held and there is something to deliver. The caller holds mu.
func (a *Account) hold(o *order) { o.pending = a.held && o.status == statusPaid }

// Deliver fills in the instances and the service period of an order that was held. Its row in a listing stays the same.
func (a *Account) Deliver(id string) error {
	return a.change(id, func(o *order) error {
		if !o.pending {
			return fmt.Errorf("simulator: order %s waits for no delivery", id)
		}
		o.pending = false
		return nil
	})
}

// ChangeDetail alters the configuration of an order's lines, and gives a subscription a day more. The row of the order in a
// listing stays the same. What the vendor shows of an order that is not paid may have neither.
func (a *Account) ChangeDetail(id string) error {
	return a.change(id, func(o *order) error {
		if o.status != statusPaid || o.pending {
			return fmt.Errorf("simulator: order %s is %q, or not delivered", id, a.statusName(o))
		}
		o.details++
		return nil
	})
}

// Revoke cancels an order that was paid, as happens to one long ago. What other orders are about stays.
func (a *Account) Revoke(id string) error {
	return a.update(id, func(o *order) error {
		if o.status != statusPaid || o.postpaid || o.kind != kindNew || o.extended || o.part != 0 || a.vendor == domain {
			return fmt.Errorf("simulator: order %s cannot be taken back", id)
		}
		o.status = statusCancelled
		return nil
	})
}

// Cancel cancels an unpaid order.
func (a *Account) Cancel(id string) error {
	return a.update(id, func(o *order) error {
		if o.status != statusUnpaid {
			return fmt.Errorf("simulator: order %s is %q, so it cannot be cancelled", id, a.statusName(o))
		}
		o.status = statusCancelled
		return nil
	})
}

// Change alters the amounts and the configuration of an order, in its row as well as in its lines.
func (a *Account) Change(id string) error {
	return a.update(id, func(o *order) error {
		o.revision++
		return nil
	})
}

// DropItem makes the last line item of an order vanish and takes its amounts off the order. The row of the order in a
// listing shows that only in its amounts: where the line cost nothing, the row stays the same. The last remaining line
// cannot be dropped.
func (a *Account) DropItem(id string) error {
	return a.update(id, func(o *order) error {
		if o.items() < 2 {
			return fmt.Errorf("simulator: order %s has one line item, which must stay", id)
		}
		left := (uint8(1)<<o.lines - 1) &^ o.dropped
		o.dropped |= 1 << (bits.Len8(left) - 1)
		return nil
	})
}

// Move corrects the creation time of an order, to the second; that of its payment moves with it. It keeps its id.
func (a *Account) Move(id string, to time.Time) error {
	return a.change(id, func(o *order) error {
		moved := *o
		moved.create = to.Unix()
		a.drop(o)
		a.moved = true
		_, i := a.indexes(moved.create, moved.create+1)
		a.orders = slices.Insert(a.orders, i, moved)
		return nil
	})
}

// Vanish removes an order: no listing shows it any more, and its detail is that of an order that never was.
func (a *Account) Vanish(id string) error {
	return a.change(id, func(o *order) error {
		a.drop(o)
		return nil
	})
}

// drop takes an order off the list. The caller holds mu.
func (a *Account) drop(o *order) {
	for i := range a.orders {
		if &a.orders[i] == o {
			a.orders = slices.Delete(a.orders, i, i+1)
			return
		}
	}
}

// update changes an order in a way that a listing shows.
func (a *Account) update(id string, do func(*order) error) error {
	return a.change(id, func(o *order) error {
		err := do(o)
		if err == nil {
			o.touched = a.age(o)
		}
		return err
	})
}

// change does something to an order.
func (a *Account) change(id string, do func(*order) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.find(id)
	if o == nil {
		return fmt.Errorf("simulator: no order %q", id)
	}
	return do(o)
}

// age is how many seconds ago an order was created.
func (a *Account) age(o *order) int32 {
	return int32(max(0, min(a.now().Unix()-o.create, math.MaxInt32)))
}
