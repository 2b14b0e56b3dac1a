package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// orderLine is an order as track and cancel report it.
type orderLine struct {
	OrderID string `json:"order_id"`
	schema.Stream
	Stored        bool       `json:"stored"`
	OrderType     string     `json:"order_type,omitempty"`
	ProductCode   string     `json:"product_code,omitempty"`
	Amount        string     `json:"pretax_amount,omitempty"`
	Currency      string     `json:"currency,omitempty"`
	PaymentStatus string     `json:"payment_status"`
	CreateTime    *time.Time `json:"create_time"`
	Items         uint32     `json:"items"`
	Error         string     `json:"error,omitempty"`
}

// readOrders says what the warehouse holds of orders, in the order of the ids, and why it lacks some.
func readOrders(ctx context.Context, w *app.Warehouse, of schema.Stream, ids []string) ([]orderLine, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	orders, err := w.OrdersByID(ctx, of, schema.MinTime, schema.MaxTime, ids)
	if err != nil {
		return nil, err
	}
	rejects, err := w.RejectsOfOrders(ctx, of, ids)
	if err != nil {
		return nil, err
	}
	byID := map[string]schema.Order{}
	for _, o := range orders {
		byID[o.OrderID] = o
	}
	why := map[string]string{}
	for _, r := range rejects {
		why[r.OrderID] = r.Message
	}
	lines := make([]orderLine, len(ids))
	for i, id := range ids {
		o, stored := byID[id]
		lines[i] = orderLine{
			OrderID: id, Stream: of, Stored: stored, OrderType: o.OrderType, ProductCode: o.ProductCode,
			Currency: o.Currency, PaymentStatus: o.PaymentStatus, CreateTime: format.TimeOrNull(o.CreateTime), Items: o.ItemCount, Error: why[id],
		}
		if o.Pretax.Valid {
			lines[i].Amount = o.Pretax.Decimal.String()
		}
	}
	return lines, nil
}

// ordersTable prints orders; extra is a last column, where it is not nil.
func (p *program) ordersTable(lines []orderLine, now time.Time, title string, extra func(orderLine) string) {
	rows := [][]any{{"order", "account", "type", "product", "amount", "age", "status", title}}
	for _, l := range lines {
		age := "-"
		if l.CreateTime != nil {
			age = span(now.Sub(*l.CreateTime))
		}
		rows = append(rows, []any{
			printable(l.OrderID), l.Stream, printable(l.OrderType), printable(l.ProductCode),
			strings.TrimSpace(l.Amount + " " + l.Currency), age, printable(l.PaymentStatus), extra(l),
		})
	}
	p.table(rows)
}

// fetchError is what a verb ends with that asked for single orders.
func fetchError(ctx context.Context, s stream.Summary, err error) error {
	if refused(s) {
		return &exitError{exitEnvironment, s.Err()}
	}
	return stopped(ctx, errors.Join(err, s.Err()))
}

// refused reports whether a vendor has refused our credentials, whatever else went wrong.
func refused(s stream.Summary) bool {
	return slices.ContainsFunc(s.Streams, func(o stream.Outcome) bool { return source.ReasonOf(o.Err) == source.Auth })
}

// whyMissing says of each cause for which orders could not be fetched the first such order, and how many more there are.
func whyMissing(lines []orderLine) error {
	var errs []error
	more := map[string]int{} // by what the cause is when the ids of its calls are left out
	for _, l := range lines {
		more[source.Cause(l.Error)]++
	}
	for _, l := range lines {
		cause := source.Cause(l.Error)
		n := more[cause]
		if l.Error == "" || n == 0 {
			continue
		}
		others := ""
		if n > 1 {
			others = fmt.Sprintf(" (and %s more)", count(n-1))
		}
		errs = append(errs, fmt.Errorf("order %s%s: %s", l.OrderID, others, l.Error))
		more[cause] = 0
	}
	return errors.Join(errs...)
}

// stopped returns the cause of a stop the place of the errors that it led to.
func stopped(ctx context.Context, err error) error {
	if wasInterrupted(ctx) {
		return fmt.Errorf("%w; run the same command again to go on", context.Cause(ctx))
	}
	return err
}
