package simulator

import (
	"context"
	"fmt"
	"reflect"
	"slices"
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
