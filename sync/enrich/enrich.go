// Package enrich fetches the line items of orders, a bounded number at a time. Whoever calls it has already left out the
// orders that did not change: one detail call per order is what a sync spends its quota on.
package enrich

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Detailer is what enrich needs of a vendor.
type Detailer interface {
	Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error)
}

// Enricher fetches details with at most Parallel calls in flight.
type Enricher struct {
	Detailer Detailer
	Parallel int
}

// Result is one order with its detail.
type Result struct {
	Order   *schema.Order   // one of those that were asked for, brought up to date; DetailPending where the detail is unavailable
	Items   []schema.Item   // the order's line items, and tombstones for stored ones that vanished
	Rejects []schema.Reject // lines that are not items, or the order itself where its detail is unavailable
	Err     error           // why the detail is unavailable
	Created time.Time       // when the order was created by its detail; zero where that does not say
}

// Enrich fetches the detail of each order and returns the results as they come, in no order. stored has the ids of the
// items that the warehouse holds now, by order id. An error ends the results, and is there only where going on makes no
// sense: ctx ended, or no other call would fare better; a detail that is unavailable is in its Result (I4). What was fetched
// when the error came is returned before it. The goroutines that fetch have ended when the loop over the results has.
func (e *Enricher) Enrich(ctx context.Context, orders []*schema.Order, stored map[string][]string) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		g, ctx := errgroup.WithContext(ctx)
		results := make(chan Result) // is read until it is closed, so that whoever sends need not look at ctx
		var next atomic.Int64
		// Workers, and not a goroutine an order: a goroutine's stack has to grow before it can make a call.
		for range min(max(1, e.Parallel), len(orders)) {
			g.Go(func() error {
				for ctx.Err() == nil {
					i := int(next.Add(1)) - 1
					if i >= len(orders) {
						return nil
					}
					r := e.one(ctx, orders[i], stored[orders[i].OrderID])
					if r.Err != nil && (ctx.Err() != nil || source.Final(r.Err)) {
						return r.Err
					}
					results <- r
				}
				return context.Cause(ctx)
			})
		}
		var err error
		go func() { // ends with the workers
			err = g.Wait()
			close(results)
		}()
		left := false
		for r := range results {
			if !left && !yield(r, nil) {
				left = true
				leave()
			}
		}
		if err != nil && !left {
			yield(Result{}, err)
		}
	}
}

func (e *Enricher) one(ctx context.Context, o *schema.Order, stored []string) Result {
	d, err := e.Detailer.Detail(ctx, o.OwnerID, o.OrderID)
	if err == nil && o.Fingerprint == 0 {
		err = unlisted(o, d.Order)
	}
	if err != nil {
		o.DetailStatus = schema.DetailPending
		return Result{Order: o, Err: err, Rejects: []schema.Reject{Missing(o, err)}}
	}
	var created time.Time
	if d.Order != nil {
		created = d.Order.CreateTime
	}
	items := Apply(o, d)
	return Result{Order: o, Created: created, Items: append(items, tombstones(o, items, stored)...), Rejects: d.Rejects}
}

// unlisted takes over an order that no listing has shown, which is what its detail says.
func unlisted(o, detail *schema.Order) error {
	switch {
	case detail != nil:
		version, stream := o.Version, o.Stream
		*o = *detail
		o.Version, o.Stream = max(o.Version, version), stream
	case o.CreateTime.IsZero():
		return &source.Error{
			Vendor: o.Source, API: "detail", Account: o.Account, Reason: source.Malformed,
			Message: "the detail does not say when the order was created, so it has no place in the warehouse",
		}
	}
	return nil
}

// Apply brings an order up to date with its detail, which is newer than its list row, and puts the order's identity on
// the items.
func Apply(o *schema.Order, d source.Detail) []schema.Item {
	o.DetailStatus = schema.DetailOK
	o.RawDetail = d.Raw
	if d.PaymentStatus != "" && !sameStatus(d.PaymentStatus, o.PaymentStatus) {
		o.PaymentStatus = spelledLike(o.PaymentStatus, d.PaymentStatus)
	}
	if !d.PaymentTime.IsZero() {
		o.PaymentTime = d.PaymentTime
	}
	for i := range d.Items {
		it := &d.Items[i]
		it.Stream, it.OrderID, it.CreateTime, it.Version = o.Stream, o.OrderID, o.CreateTime, o.Version
	}
	for i := range d.Rejects {
		r := &d.Rejects[i]
		r.Stream, r.OrderID, r.CreateTime = o.Stream, o.OrderID, o.CreateTime
	}
	o.ItemCount = uint32(len(d.Items))
	return d.Items
}

// sameStatus reports whether two words for a payment status mean the same: details say canceled where list rows say Cancelled.
func sameStatus(a, b string) bool {
	state := schema.PaymentState(a)
	return strings.EqualFold(a, b) || state == schema.PaymentState(b) && state != schema.StateOther
}

// spelledLike returns a detail's status a capital where the list row's has one. Details may spell all in lower case, and to
// those who group by it a status must not be two.
func spelledLike(row, detail string) string {
	if row == "" || row[0] < 'A' || row[0] > 'Z' {
		return detail
	}
	return strings.ToUpper(detail[:1]) + detail[1:]
}

// tombstones marks the stored items that a refreshed detail no longer has.
func tombstones(o *schema.Order, items []schema.Item, stored []string) []schema.Item {
	var out []schema.Item
next:
	for _, id := range stored {
		for i := range items {
			if items[i].ItemID == id {
				continue next
			}
		}
		out = append(out, schema.Item{
			Stream: o.Stream, OrderID: o.OrderID, ItemID: id, CreateTime: o.CreateTime,
			FetchedAt: o.FetchedAt, Version: o.Version, Deleted: true,
		})
	}
	return out
}

// Missing is the reject of an order whose detail is unavailable. Its list row is stored and says so.
func Missing(o *schema.Order, err error) schema.Reject {
	return schema.Reject{
		Stream: o.Stream, ID: "detail-" + o.OrderID, Stage: schema.RejectDetail, OrderID: o.OrderID, CreateTime: o.CreateTime,
		Reason: string(source.ReasonOf(err)), Message: err.Error(), Raw: o.Raw,
	}
}
