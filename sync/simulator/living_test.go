package simulator

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a clock that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// A living account changes in every way, the same way for the same seed; truth and wire go with it, and every change is
// one that a listing shows.
func TestLiving(t *testing.T) {
	live := func(seed uint64, check bool) (all []Changes, truth Truth) {
		c := &clock{day.AddDate(0, 0, 20)}
		a := testAccount(2000, func(o *Options) { o.Now = c.Now })
		s := New(a)
		l := NewLiving(a, seed)
		rows := map[string]string{} // of the orders that may change, before the step
		read := func() map[string]string {
			now := map[string]string{}
			for _, row := range list(t, s, a, day.AddDate(0, 0, 19), c.now) {
				now[row["OrderId"].(string)] = fmt.Sprint(row)
			}
			return now
		}
		if check {
			rows = read()
		}
		before := 0
		for step := range 50 {
			c.now = c.now.Add(5 * time.Minute)
			ch := l.Step(c.now)
			all = append(all, ch)
			if !check {
				continue
			}
			after := read()
			for id, row := range after {
				touched := slices.Contains(slices.Concat(ch.Changed, ch.Dropped, ch.Paid, ch.Cancelled, ch.Added), id)
				if touched != (rows[id] != row) {
					t.Fatalf("step %d: order %s in %+v: before %s, now %s", step, id, ch, rows[id], row)
				}
			}
			rows = after
			for _, id := range ch.Added {
				o, _ := a.Order(id)
				if o.CreateTime.After(c.now) || !o.CreateTime.After(c.now.Add(-5*time.Minute)) {
					t.Errorf("an order of step %d is created at %v", step, o.CreateTime)
				}
			}
			if a.Len() != 2000+before+len(ch.Added) {
				t.Fatalf("%d orders", a.Len())
			}
			before += len(ch.Added)
			if step == 49 {
				if d := cmp.Diff(a.Truth(day, c.now.Add(time.Second)), observe(t, s, a, day, c.now)); d != "" {
					t.Fatalf("truth (-) and wire (+) differ:\n%s", d)
				}
			}
		}
		for _, id := range a.Unpaid() {
			if o, _ := a.Order(id); c.now.Sub(o.CreateTime) >= unpaidLife {
				t.Errorf("order %s is unpaid since %v", id, o.CreateTime)
			}
		}
		return all, a.Truth(time.Time{}, time.Time{})
	}
	one, truth := live(1, true)
	again, same := live(1, false)
	if !reflect.DeepEqual(one, again) || !cmp.Equal(truth, same) {
		t.Error("the same seed lives another life")
	}
	if other, _ := live(2, false); reflect.DeepEqual(one, other) {
		t.Error("another seed lives the same life")
	}
	var n [5]int
	for _, c := range one {
		n[0], n[1], n[2] = n[0]+len(c.Added), n[1]+len(c.Paid), n[2]+len(c.Cancelled)
		n[3], n[4] = n[3]+len(c.Changed), n[4]+len(c.Dropped)
	}
	if slices.Min(n[:]) < 3 {
		t.Errorf("added, paid, cancelled, changed, dropped: %v", n)
	}
}

// What a vendor does to orders that nobody looks at any more: it delivers late, changes a detail alone, and changes old orders.
// The truth and the wire agree after every step, the rows of a listing do not show what they should not, and every change shows
// in the detail.
func TestLivingChangesWhatNoListingShows(t *testing.T) {
	for _, vendor := range []string{VendorBSS, VendorUniCloud, VendorDomain} {
		live := func(seed uint64) (all []Changes, end []Order) {
			c := &clock{day.AddDate(0, 0, 20)}
			a := testAccount(300, func(o *Options) { o.Now, o.Vendor = c.Now, vendor })
			l := NewLiving(a, seed)
			l.Delivery, l.Details, l.Past = 4*time.Hour, true, true
			for range 150 {
				before := everyOrder(a)
				c.now = c.now.Add(5 * time.Minute)
				ch := l.Step(c.now)
				all = append(all, ch)
				after := everyOrder(a)
				for id, o := range after {
					old, was := before[id]
					detailOnly := slices.Contains(slices.Concat(ch.Delivered, ch.Detailed), id)
					inRow := slices.Contains(slices.Concat(ch.Changed, ch.Dropped, ch.Paid, ch.Cancelled, ch.Past), id)
					if !was {
						if o.PaymentStatus == a.statusName(&order{status: statusPaid}) && o.OrderType != "Refund" && delivered(o, vendor) {
							t.Fatalf("%s: order %s is delivered as it is paid", vendor, id)
						}
						continue
					}
					rowSame, same := reflect.DeepEqual(row(old), row(o)), reflect.DeepEqual(old, o)
					if same != !(detailOnly || inRow) || rowSame == inRow {
						t.Fatalf("%s: order %s in %+v: the same %v, its row %v\n%s", vendor, id, ch, same, rowSame, cmp.Diff(old, o))
					}
					if slices.Contains(ch.Delivered, id) {
						if age := c.now.Sub(o.PaymentTime); age > 4*time.Hour+5*time.Minute || delivered(old, vendor) || !delivered(o, vendor) {
							t.Fatalf("%s: order %s was delivered %v after its payment", vendor, id, age)
						}
					}
				}
				for _, id := range ch.Past {
					if o := after[id]; c.now.Sub(o.CreateTime) < l.Reach {
						t.Errorf("%s: order %s of the past is of %v", vendor, id, o.CreateTime)
					}
				}
			}
			for _, o := range everyOrder(a) {
				end = append(end, o)
			}
			slices.SortFunc(end, func(a, b Order) int { return strings.Compare(a.OrderID, b.OrderID) })
			return all, end
		}
		one, truth := live(1)
		again, same := live(1)
		if !reflect.DeepEqual(one, again) || !reflect.DeepEqual(truth, same) {
			t.Errorf("%s: the same seed lives another life", vendor)
		}
		var n [4]int
		revoked := 0
		for _, c := range one {
			n[0], n[1], n[2], n[3] = n[0]+len(c.Delivered), n[1]+len(c.Detailed), n[2]+len(c.Past), n[3]+len(c.Paid)
		}
		for _, o := range truth {
			if o.PaymentStatus == a(vendor).statusName(&order{status: statusCancelled}) && !o.PaymentTime.IsZero() {
				revoked++
			}
		}
		if slices.Min(n[:]) < 5 || vendor != VendorDomain && revoked == 0 {
			t.Errorf("%s: delivered, detailed, past, paid: %v; %d taken back", vendor, n, revoked)
		}
	}
}

// a is an empty account of a vendor, for its words.
func a(vendor string) *Account { return NewAccount(Options{Vendor: vendor}) }

func everyOrder(a *Account) map[string]Order {
	all := map[string]Order{}
	for _, id := range a.IDs(time.Time{}, time.Time{}) {
		all[id], _ = a.Order(id)
	}
	return all
}

// row is what of an order a listing shows.
func row(o Order) Order {
	o.Items = nil
	return o
}

// delivered reports whether a paid order's lines have what they have once it is delivered. The only instance of the Domain
// API's is the domain, which is known from the start.
func delivered(o Order, vendor string) bool {
	for _, i := range o.Items {
		if i.UsageEndTime.IsZero() || vendor != VendorDomain && len(i.InstanceIDs) == 0 {
			return false
		}
	}
	return true
}

// The wire shows what the truth says, before a delivery and after it.
func TestDeliveryOnTheWire(t *testing.T) {
	c := &clock{day.AddDate(0, 0, 20)}
	a := testAccount(50, func(o *Options) { o.Now = c.Now })
	s := New(a)
	a.HoldDeliveries()
	ids := a.Add(40, c.now.Add(-time.Hour))
	for _, deliver := range []bool{false, true} {
		if deliver {
			for _, id := range ids {
				if o, _ := a.Order(id); a.Deliver(id) == nil != (o.PaymentStatus == "Paid") {
					t.Errorf("order %s is %q", id, o.PaymentStatus)
				}
			}
		}
		if d := cmp.Diff(a.Truth(day, c.now), observe(t, s, a, day, c.now)); d != "" {
			t.Errorf("truth (-) and wire (+) differ:\n%s", d)
		}
	}
}

// Renewals and refunds of earlier orders come with the new ones, even in an account that begins empty.
func TestLivingRefersToEarlierOrders(t *testing.T) {
	a := testAccount(0)
	l := NewLiving(a, 4)
	kinds := map[string]int{}
	now := day
	for range 300 {
		now = now.Add(time.Minute)
		for _, id := range l.Step(now).Added {
			o, _ := a.Order(id)
			if kinds[o.OrderType]++; o.RelatedOrderID >= id {
				t.Errorf("order %s refers to %s", id, o.RelatedOrderID)
			}
		}
	}
	if kinds["New"] < 100 || kinds["Renew"] < 5 || kinds["Refund"] < 2 {
		t.Errorf("%v", kinds)
	}
	l.Step(now) // a clock that stands still or goes back adds nothing, and does no harm
	l.Step(now.Add(-time.Hour))
}

func TestLivingRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAccount(Options{Seed: 1, Orders: 100})
		l := NewLiving(a, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		l.Run(ctx, 30*time.Second)
		if l.steps < 19 || l.steps > 20 || a.Len() <= 100 {
			t.Errorf("%d steps, %d orders", l.steps, a.Len())
		}
	})
}

// However fast it lives, some orders wait for their payment, if that is asked for.
func TestLivingLeavesUnpaid(t *testing.T) {
	c := &clock{day.AddDate(0, 0, 20)}
	a := testAccount(2000, func(o *Options) { o.Now = c.Now })
	l := NewLiving(a, 1)
	l.Waiting = 5
	paid := 0
	for range 1000 {
		c.now = c.now.Add(5 * time.Second)
		paid += len(l.Step(c.now).Paid)
		if n := len(a.Unpaid()); n < 5 {
			t.Fatalf("%d orders wait", n)
		}
	}
	if n := len(a.Unpaid()); paid < 20 || n > 10 {
		t.Errorf("%d were paid, %d wait", paid, n)
	}
}
