package sink

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
)

var cancellationTable = &table[schema.Cancellation]{
	name: "cancellation_rows",
	label: func(c *schema.Cancellation) string {
		return "cancellation of order " + c.OrderID + " of " + c.Stream.String()
	},
	size: func(c *schema.Cancellation) int { return overhead + len(c.Error) },
	compare: func(a, b *schema.Cancellation) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Cancellation]{
		label("source", func(c *schema.Cancellation) string { return c.Source }),
		label("account", func(c *schema.Cancellation) string { return c.Account }),
		label("owner_id", func(c *schema.Cancellation) string { return c.OwnerID }),
		text("id", func(c *schema.Cancellation) string { return c.ID }),
		text("order_id", func(c *schema.Cancellation) string { return c.OrderID }),
		moment("requested_at", func(c *schema.Cancellation) time.Time { return c.RequestedAt }),
		text("requested_by", func(c *schema.Cancellation) string { return c.RequestedBy }),
		label("outcome", func(c *schema.Cancellation) string { return c.Outcome }),
		text("request_id", func(c *schema.Cancellation) string { return c.RequestID }),
		text("error", func(c *schema.Cancellation) string { return c.Error }),
		label("payment_status", func(c *schema.Cancellation) string { return c.PaymentStatus }),
		long("version", func(c *schema.Cancellation) uint64 { return c.Version }),
	},
}

// WriteCancellation records a cancellation, or what is known of it by now.
func (s *Sink) WriteCancellation(ctx context.Context, c schema.Cancellation) error {
	return write(ctx, s, cancellationTable, []schema.Cancellation{c})
}
