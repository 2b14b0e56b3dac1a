package enrich

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// vendor answers with two items an order, but for the orders with an error of their own.
type vendor struct {
	errs            map[string]error
	busy, most, all atomic.Int64
}

func (v *vendor) Detail(_ context.Context, _, id string) (source.Detail, error) {
	v.all.Add(1)
	n := v.busy.Add(1)
	defer v.busy.Add(-1)
	for m := v.most.Load(); n > m && !v.most.CompareAndSwap(m, n); m = v.most.Load() {
	}
	time.Sleep(time.Millisecond) // of a synctest bubble
	if err := v.errs[id]; err != nil {
		return source.Detail{}, err
	}
	return source.Detail{PaymentStatus: "paid", Items: []schema.Item{{ItemID: id + "-1"}, {ItemID: id + "-2"}}}, nil
}

func orders(n int) []*schema.Order {
	out := make([]*schema.Order, n)
	for i := range out {
		out[i] = &schema.Order{OrderID: fmt.Sprint(i), PaymentStatus: "Unpaid", Version: 7, CreateTime: time.Unix(int64(i), 0)}
	}
	return out
}

func TestEnrichFetchesEachOrderOnceWithinItsBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{}
		e := Enricher{Detailer: v, Parallel: 5}
		seen := map[string]Result{}
		var err error
		for r, failed := range e.Enrich(t.Context(), orders(100), map[string][]string{"3": {"3-1", "3-9"}}) {
			if err = failed; err == nil {
				seen[r.Order.OrderID] = r
			}
		}
		if err != nil || len(seen) != 100 || v.all.Load() != 100 || v.most.Load() != 5 {
			t.Errorf("%d orders by %d calls, %d at once: %v", len(seen), v.all.Load(), v.most.Load(), err)
		}
		r := seen["3"]
		if r.Order.PaymentStatus != "Paid" || r.Order.ItemCount != 2 || r.Order.DetailStatus != schema.DetailOK {
			t.Errorf("%+v", r.Order)
		}
		i := slices.IndexFunc(r.Items, func(i schema.Item) bool { return i.ItemID == "3-9" })
		if len(r.Items) != 3 || i < 0 || !r.Items[i].Deleted || r.Items[i].Version != 7 || !r.Items[i].CreateTime.Equal(time.Unix(3, 0)) {
			t.Errorf("the item that vanished: %+v", r.Items)
		}
	})
}

func TestEnrichKeepsAnOrderWhoseDetailFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := Enricher{Detailer: &vendor{errs: map[string]error{"1": &source.Error{Reason: source.NotFound}}}, Parallel: 2}
		n := 0
		for r, err := range e.Enrich(t.Context(), orders(3), nil) {
			if n++; err != nil {
				t.Fatal(err)
			}
			if pending := r.Order.DetailStatus == schema.DetailPending; pending != (r.Order.OrderID == "1") || pending != (len(r.Rejects) == 1) {
				t.Errorf("%+v", r)
			}
		}
		if n != 3 {
			t.Errorf("%d orders", n)
		}
	})
}

func TestEnrichEndsWhereGoingOnMakesNoSense(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		errs  map[string]error
		leave bool
	}{
		"refused credentials": {map[string]error{"5": &source.Error{Reason: source.Auth}}, false},
		"nobody takes it":     {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{errs: c.errs}
				e := Enricher{Detailer: v, Parallel: 2}
				var err error
				for _, err = range e.Enrich(t.Context(), orders(1000), nil) {
					if c.leave {
						break
					}
				}
				if c.leave != (err == nil) || v.all.Load() > 20 || v.busy.Load() > 0 {
					t.Errorf("%d calls, %d of them under way: %v", v.all.Load(), v.busy.Load(), err)
				}
			})
		})
	}
}

func TestEnrichEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		v := &vendor{}
		e := Enricher{Detailer: v, Parallel: 2}
		var err error
		for _, err = range e.Enrich(ctx, orders(1000), nil) {
			cancel()
		}
		if !errors.Is(err, context.Canceled) || v.all.Load() > 20 {
			t.Errorf("%d calls: %v", v.all.Load(), err)
		}
	})
}

// A detail that says the same in another word leaves the list row's: to those who group by it a status must not be two.
func TestStatusOfADetail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ row, detail, want string }{
		{"Unpaid", "paid", "Paid"}, {"UNPAID", "PAID", "PAID"}, {"Unpaid", "canceled", "Canceled"}, {"", "paid", "paid"}, {"Paid", "", "Paid"},
		{"Cancelled", "canceled", "Cancelled"}, {"CANCELED", "Cancelled", "CANCELED"}, {"Paid", " PAID ", "Paid"}, {"Paid", "paid", "Paid"},
		{"Frozen", "frozen", "Frozen"}, {"Frozen", "closed", "Closed"}, // words that no document has
	} {
		o := schema.Order{PaymentStatus: c.row}
		Apply(&o, source.Detail{PaymentStatus: c.detail})
		if o.PaymentStatus != c.want {
			t.Errorf("row %q, detail %q: %q, want %q", c.row, c.detail, o.PaymentStatus, c.want)
		}
	}
}
