package sink

import (
	"context"

	"github.com/ordersync/ordersync/schema"
)

var cancellationTable = newTable("cancellation_rows", func(c *schema.Cancellation) string {
	return "cancellation of order " + c.OrderID + " of " + c.Stream.String()
})

// WriteCancellation records a cancellation, or what is known of it by now.
func (s *Sink) WriteCancellation(ctx context.Context, c schema.Cancellation) error {
	return write(ctx, s, cancellationTable, []schema.Cancellation{c})
}
