package sink

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
)

var productTable = &table[schema.Product]{
	name:  "product_rows",
	label: func(p *schema.Product) string { return "product " + p.ProductCode + " of " + p.Account },
	size:  func(*schema.Product) int { return overhead },
	compare: func(a, b *schema.Product) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.ProductCode, b.ProductCode),
			strings.Compare(a.ProductType, b.ProductType), strings.Compare(a.SubscriptionType, b.SubscriptionType),
			cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Product]{
		label("source", func(p *schema.Product) string { return p.Source }),
		label("account", func(p *schema.Product) string { return p.Account }),
		label("product_code", func(p *schema.Product) string { return p.ProductCode }),
		label("product_type", func(p *schema.Product) string { return p.ProductType }),
		label("subscription_type", func(p *schema.Product) string { return p.SubscriptionType }),
		text("product_name", func(p *schema.Product) string { return p.ProductName }),
		moment("fetched_at", func(p *schema.Product) time.Time { return p.FetchedAt }),
		long("version", func(p *schema.Product) uint64 { return p.Version }),
	},
}

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
