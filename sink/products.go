package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersync/ordersync/schema"
)

var productTable = newTable("product_rows", func(p *schema.Product) string { return "product " + p.ProductCode + " of " + p.Account })

// WriteProducts stores product names; the newest version of each is the one that the view products shows.
func (s *Sink) WriteProducts(ctx context.Context, products []schema.Product) error {
	return write(ctx, s, productTable, products)
}

// ProductsFetched returns when the product names of an account were last received; the zero time where there are none.
func (s *Sink) ProductsFetched(ctx context.Context, account string) (time.Time, error) {
	var n uint64
	var at int64
	err := s.row(ctx, "SELECT count(), toUnixTimestamp64Milli(max(fetched_at)) FROM product_rows WHERE account = ?", []any{account}, &n, &at)
	if err != nil {
		return time.Time{}, fmt.Errorf("read when the product names were received: %w", err)
	}
	if n == 0 {
		return time.Time{}, nil
	}
	return fromMilliseconds(at), nil
}
