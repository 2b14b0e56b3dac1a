package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
)

const (
	cancelAPI   = "cancel"
	cancelQuota = 4 // calls a second that the vendor allows for CancelOrder
)

// cancelPolicy sends a cancellation again only after a throttle, or with a fresh signature: in both cases the vendor has
// not looked at it. After anything else nobody knows what became of it, and the order's detail tells.
var cancelPolicy = source.Policy{Initial: time.Second, MaxWait: time.Second, MaxElapsed: 2 * time.Minute, MaxTries: 1}

// Canceller cancels orders. It is apart from App, so that no daemon, schedule or page can come upon it: the verb cancel
// makes one, when a person asked for it.
type Canceller struct {
	app    *App
	budget *source.Budget
}

// NewCanceller returns an open app the right to cancel.
func NewCanceller(a *App) *Canceller {
	return &Canceller{app: a, budget: source.NewBudget(cancelQuota)}
}

// Able says why the orders of an account cannot be cancelled, or nothing.
func (c *Canceller) Able(account string) error {
	l, err := c.app.login(account)
	if err != nil {
		return err
	}
	if _, ok := l.client.(*bss.Client); !ok {
		return fmt.Errorf("orders of account %s cannot be cancelled: its source has no such API", account)
	}
	return nil
}

// Cancel has one order cancelled at the vendor, brings the warehouse up to date with what became of it, and keeps an
// account of all that in the table of cancellations. The error is of what came in its way here; what the vendor said is
// in the Cancellation.
func (c *Canceller) Cancel(ctx context.Context, stream schema.Stream, orderID, by string) (schema.Cancellation, error) {
	ctx = daemon.WithRun(ctx)
	now := time.Now().UTC()
	k := schema.Cancellation{
		Stream: stream, ID: uuid.NewString(), OrderID: orderID, RequestedAt: now, RequestedBy: by,
		Outcome: schema.CancelAsked, Version: uint64(now.UnixNano()),
	}
	if err := c.Able(stream.Account); err != nil {
		return k, err
	}
	if err := c.app.warehouse.WriteCancellation(ctx, k); err != nil {
		return k, c.app.blame(ctx, fmt.Errorf("nothing was cancelled, because it could not be recorded: %w", err))
	}
	c.call(ctx, &k)
	// What was asked of the vendor is followed up and recorded even where somebody stops the program now.
	ctx = context.WithoutCancel(ctx)
	summary, err := c.app.fetch(ctx, now, stream, []string{orderID}, nil)
	err = errors.Join(err, summary.Err())
	if orders, readErr := c.app.warehouse.OrdersByID(ctx, stream, schema.MinTime, schema.MaxTime, []string{orderID}); err == nil && readErr == nil && len(orders) == 1 {
		k.PaymentStatus = orders[0].PaymentStatus
	} else {
		err = errors.Join(err, readErr)
	}
	k.Version++
	return k, c.app.blame(ctx, errors.Join(err, c.app.warehouse.WriteCancellation(ctx, k)))
}

// call makes the call and notes what the vendor said.
func (c *Canceller) call(ctx context.Context, k *schema.Cancellation) {
	l, _ := c.app.login(k.Account)
	vendor := bss.NewCanceller(l.client.(*bss.Client))
	caller := source.NewCaller(l.client, l.list, l.detail, cancelPolicy, l.observer(c.app.metrics))
	asked := false
	id, err := source.Call(ctx, caller, cancelAPI, c.budget, func(ctx context.Context) (string, error) {
		asked = true
		return vendor.Cancel(ctx, k.OwnerID, k.OrderID)
	})
	var refusal *source.Error
	if k.RequestID, k.Outcome = id, schema.CancelDone; err == nil {
		return
	}
	k.Outcome, k.Error = schema.CancelUnknown, err.Error()
	if !asked { // the program was stopped before
		k.Outcome = schema.CancelNotAsked
	}
	if errors.As(err, &refusal) {
		k.RequestID = refusal.RequestID
		switch refusal.Reason {
		case source.Auth, source.BadRequest, source.NotFound, source.Throttled:
			k.Outcome = schema.CancelRefused
		}
	}
}
