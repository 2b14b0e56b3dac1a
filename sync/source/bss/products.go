package bss

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// MaxProductPage is the documented maximum of QueryProductList's PageSize.
const MaxProductPage = 300

// Products asks for one page of the vendor's products by QueryProductList, from page 1, and for how many there are in
// all. size is at most MaxProductPage, which is also the default. A name that cannot be read fails its page: names are
// fetched whole again, and there is nowhere to keep half of one.
func (c *Client) Products(ctx context.Context, page, size int) (products []schema.Product, total int, err error) {
	if size <= 0 {
		size = MaxProductPage
	}
	if size > MaxProductPage {
		return nil, 0, c.wire.Refuse(productList, fmt.Errorf("a page of %d products: the vendor returns at most %d", size, MaxProductPage))
	}
	// Without QueryTotalCount the vendor's TotalCount means nothing.
	a, err := c.wire.Send(ctx, productList, append(paging(page, size), wire.Arg{Name: "QueryTotalCount", Value: "true"}))
	if err != nil {
		return nil, 0, err
	}
	products, total, err = c.products(&a)
	if err != nil {
		return nil, 0, c.wire.Malformed(&a, err)
	}
	return products, total, nil
}

func (c *Client) products(a *wire.Answer) ([]schema.Product, int, error) {
	list, count, err := rows(a.Data, "ProductList", "Product")
	if err != nil {
		return nil, 0, err
	}
	total, err := wire.Count(totalCount, count)
	if err != nil {
		return nil, 0, err
	}
	var products []schema.Product
	list.ForEach(func(_, v gjson.Result) bool {
		p := schema.Product{Source: Vendor, Account: c.account, FetchedAt: a.FetchedAt, Version: a.Version}
		if r := decodeProduct(v.Raw, &p); r.Reason != "" {
			err = &wire.ShapeError{Err: errors.New("a product cannot be read: " + r.Message), Raw: v.Raw}
			return false
		}
		products = append(products, p)
		return true
	})
	return products, total, err
}

// decodeProduct reads a product. In the vendor's sample ProductType is empty; without a code there is no product.
func decodeProduct(raw string, p *schema.Product) field.Row {
	var r field.Row
	if !r.Readable(raw) {
		return r
	}
	field.Each(raw, func(k, v gjson.Result) bool {
		for n, f := range [...]struct {
			key string
			to  *string
		}{
			{"ProductCode", &p.ProductCode}, {"ProductName", &p.ProductName}, {"ProductType", &p.ProductType},
			{"SubscriptionType", &p.SubscriptionType},
		} {
			if k.Str == f.key && r.Once(uint8(n), f.key) {
				*f.to = r.Text(f.key, v)
			}
		}
		return true
	})
	if p.ProductCode == "" {
		r.Fail(source.RejectNoID, "ProductCode is missing")
	}
	return r
}
