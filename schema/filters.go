package schema

import "strings"

// Filters narrow what is listed of an account to some of its orders. A field that is empty narrows nothing. Values are as the
// vendor documents them; they are compared without regard to case, because vendors spell them in both.
type Filters struct {
	ProductCode      string
	ProductType      string
	SubscriptionType string
	OrderType        string
}

// Filter is one of some Filters: the column of an order, which is also the key of the configuration, and its value.
type Filter struct{ Column, Value string }

// Set are the filters that narrow something, in an order that never changes.
func (f Filters) Set() []Filter {
	var set []Filter
	for _, x := range []Filter{
		{"product_code", f.ProductCode}, {"product_type", f.ProductType},
		{"subscription_type", f.SubscriptionType}, {"order_type", f.OrderType},
	} {
		if x.Value != "" {
			set = append(set, x)
		}
	}
	return set
}

// String names the filters as the ledger and people have them: "product_code=rds, order_type=New", or nothing.
func (f Filters) String() string {
	var texts []string
	for _, x := range f.Set() {
		texts = append(texts, x.Column+"="+x.Value)
	}
	return strings.Join(texts, ", ")
}

// Match reports whether an order is one of those that the filters leave.
func (f Filters) Match(o *Order) bool {
	same := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	return same(f.ProductCode, o.ProductCode) && same(f.ProductType, o.ProductType) &&
		same(f.SubscriptionType, o.SubscriptionType) && same(f.OrderType, o.OrderType)
}
