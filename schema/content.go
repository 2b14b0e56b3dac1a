package schema

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Content is all that an order's row says of the order, in one text: equal contents are equal rows, whatever their
// bookkeeping. Amounts compare by value, times by instant.
func (o *Order) Content() string {
	var c content
	c.text(o.Facts(), o.DetailStatus, o.Raw, o.RawDetail)
	c.text(strconv.FormatUint(o.Fingerprint, 10), fmt.Sprint(o.ItemCount), fmt.Sprint(o.Deleted))
	return c.String()
}

// Facts is what an order's columns say of the order, as Content does, without the payloads and what is derived from them:
// two payloads may say the same.
func (o *Order) Facts() string {
	var c content
	c.text(o.Source, o.Account, o.OwnerID, o.OrderID, o.RelatedOrderID, o.OrderType, o.PaymentStatus, o.ProductCode,
		o.ProductType, o.CommodityCode, o.SubscriptionType, o.Currency, o.PaymentCurrency)
	c.times(o.CreateTime, o.PaymentTime)
	c.amounts(o.Amounts)
	return c.String()
}

// Content is all that an item's row says of the item, as for an order.
func (i *Item) Content() string {
	var c content
	c.text(i.Source, i.Account, i.OwnerID, i.OrderID, i.ItemID, i.RelatedOrderID, i.OrderType, i.OrderSubType,
		i.PaymentStatus, i.ProductCode, i.ProductType, i.CommodityCode, i.SubscriptionType, i.Currency, i.PaymentCurrency,
		i.Region, i.Config, i.OriginalConfig, i.Operator, i.BillModuleConfig, i.OriginalModuleConfig, i.Raw)
	c.times(i.CreateTime, i.PaymentTime, i.UsageStartTime, i.UsageEndTime)
	c.amounts(i.Amounts)
	c.money(i.Quantity)
	c.text(i.InstanceIDs...)
	c.text(fmt.Sprint(len(i.InstanceIDs)), fmt.Sprint(i.Deleted))
	for _, k := range slices.Sorted(maps.Keys(i.ExtendInfos)) {
		c.text(k, i.ExtendInfos[k])
	}
	return c.String()
}

// content writes values so that different values give different texts.
type content struct{ strings.Builder }

func (c *content) text(values ...string) {
	for _, v := range values {
		c.WriteString(strconv.Itoa(len(v)))
		c.WriteByte(':')
		c.WriteString(v)
	}
}

func (c *content) times(values ...time.Time) {
	for _, v := range values {
		if v.IsZero() {
			c.text("")
			continue
		}
		c.text(strconv.FormatInt(v.UnixMilli(), 10)) // the precision of the columns
	}
}

func (c *content) money(m Money) {
	if !m.Valid {
		c.text("")
		return
	}
	c.text(m.Decimal.String())
}

func (c *content) amounts(a Amounts) {
	c.money(a.PretaxGross)
	c.money(a.Pretax)
	c.money(a.PretaxLocal)
	c.money(a.Tax)
	c.money(a.AfterTax)
}
