package sink

import (
	"cmp"
	"context"
	"strings"
	"time"
)

// Product is one row of product_rows: the name that people know a product by. An account has its own list, since sites
// differ in language and offer.
type Product struct {
	Source           string
	Account          string
	ProductCode      string
	ProductType      string // may be empty
	SubscriptionType string
	ProductName      string
	FetchedAt        time.Time
	Version          uint64
}

var productTable = &table[Product]{
	name:  "product_rows",
	label: func(p *Product) string { return "product " + p.ProductCode + " of " + p.Account },
	size:  func(*Product) int { return overhead },
	compare: func(a, b *Product) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.ProductCode, b.ProductCode),
			strings.Compare(a.ProductType, b.ProductType), strings.Compare(a.SubscriptionType, b.SubscriptionType),
			cmp.Compare(a.Version, b.Version))
	},
	columns: []column[Product]{
		label("source", func(p *Product) string { return p.Source }),
		label("account", func(p *Product) string { return p.Account }),
		label("product_code", func(p *Product) string { return p.ProductCode }),
		label("product_type", func(p *Product) string { return p.ProductType }),
		label("subscription_type", func(p *Product) string { return p.SubscriptionType }),
		text("product_name", func(p *Product) string { return p.ProductName }),
		moment("fetched_at", func(p *Product) time.Time { return p.FetchedAt }),
		plain("version", "UInt64", func(p *Product) uint64 { return p.Version }),
	},
}

// WriteProducts stores product names; the newest version of each is the one that the view products shows.
func (s *Sink) WriteProducts(ctx context.Context, products []Product) error {
	return write(ctx, s, productTable, products)
}
