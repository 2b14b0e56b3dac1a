package compare

import (
	"fmt"
	"maps"
	"strings"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
)

// Rows says in what stored orders and their items differ from what the account holds of these orders, one by one and
// column by column; sums and digests are the business of Warehouse, and so are orders that are not stored at all.
func Rows(orders []schema.Order, items []schema.Item, account *simulator.Account) []string {
	of := make(map[string][]schema.Item, len(orders))
	for _, i := range items {
		of[i.OrderID] = append(of[i.OrderID], i)
	}
	var d rowDifferences
	for _, o := range orders {
		d.order(o, of[o.OrderID], account)
		delete(of, o.OrderID)
	}
	for id := range of {
		d.add("order "+id, "items of an order that is not stored", len(of[id]), 0)
	}
	return d
}

type rowDifferences []string

func (d *rowDifferences) add(what, column string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		*d = append(*d, fmt.Sprintf("%s: %s is %s, not %s", what, column, g, w))
	}
}

func (d *rowDifferences) order(o schema.Order, items []schema.Item, account *simulator.Account) {
	what := "order " + o.OrderID
	want, ok := account.Order(o.OrderID)
	if !ok {
		*d = append(*d, what+": not at the source")
		return
	}
	d.add(what, "related_order_id", o.RelatedOrderID, want.RelatedOrderID)
	d.add(what, "order_type", o.OrderType, want.OrderType)
	d.add(what, "payment_status", o.PaymentStatus, want.PaymentStatus)
	d.add(what, "product_code", o.ProductCode, want.ProductCode)
	d.add(what, "product_type", o.ProductType, want.ProductType)
	d.add(what, "commodity_code", o.CommodityCode, want.CommodityCode)
	d.add(what, "subscription_type", o.SubscriptionType, want.SubscriptionType)
	d.add(what, "create_time", o.CreateTime, want.CreateTime)
	d.add(what, "payment_time", o.PaymentTime, want.PaymentTime)
	d.add(what, "currency", o.Currency, want.Currency)
	d.add(what, "payment_currency", o.PaymentCurrency, want.PaymentCurrency)
	d.money(what, o.Amounts, schema.Amounts(want.Prices))
	d.add(what, "detail_status", o.DetailStatus, schema.DetailOK)
	d.add(what, "items", o.ItemCount, len(want.Items))
	stored := make(map[string]schema.Item, len(items))
	for _, i := range items {
		stored[i.ItemID] = i
	}
	d.add(what, "number of stored items", len(items), len(want.Items))
	for _, i := range want.Items {
		got, ok := stored[i.ItemID]
		if !ok {
			*d = append(*d, what+": item "+i.ItemID+" is missing")
			continue
		}
		d.item(what+" item "+i.ItemID, got, &want, &i)
	}
}

func (d *rowDifferences) item(what string, got schema.Item, order *simulator.Order, want *simulator.Item) {
	spelled := func(s string) string {
		if want.Lower {
			return strings.ToLower(s)
		}
		return s
	}
	d.add(what, "order_type", got.OrderType, spelled(order.OrderType))
	d.add(what, "payment_status", got.PaymentStatus, spelled(order.PaymentStatus))
	d.add(what, "order_sub_type", got.OrderSubType, spelled(want.OrderSubType))
	d.add(what, "create_time", got.CreateTime, order.CreateTime)
	d.add(what, "instance_ids", got.InstanceIDs, want.InstanceIDs)
	d.add(what, "region", got.Region, want.Region)
	d.add(what, "quantity", got.Quantity.Decimal, want.Quantity)
	d.add(what, "config", got.Config, want.Config)
	d.add(what, "original_config", got.OriginalConfig, want.OriginalConfig)
	d.add(what, "operator", got.Operator, want.Operator)
	d.add(what, "usage_start_time", got.UsageStartTime, want.UsageStartTime)
	d.add(what, "usage_end_time", got.UsageEndTime, want.UsageEndTime)
	if !maps.Equal(got.ExtendInfos, want.ExtendInfos) {
		d.add(what, "extend_infos", got.ExtendInfos, want.ExtendInfos)
	}
	d.money(what, got.Amounts, schema.Amounts(want.Prices))
}

func (d *rowDifferences) money(what string, got, want schema.Amounts) {
	all := func(a schema.Amounts) []schema.Money {
		return []schema.Money{a.PretaxGross, a.Pretax, a.PretaxLocal, a.Tax, a.AfterTax}
	}
	g, w := all(got), all(want)
	for i, column := range columns {
		if g[i].Valid != w[i].Valid || !g[i].Decimal.Equal(w[i].Decimal) {
			d.add(what, column, g[i], w[i])
		}
	}
}
