package bss

import (
	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// Decoder is the source.Decoder of this vendor.
type Decoder struct{}

var _ source.Decoder = Decoder{}

// Order makes an order of a list row's payload, or a reject where that cannot be done. Version and FetchedAt are not set.
func (Decoder) Order(stream schema.Stream, raw string) (schema.Order, *schema.Reject) {
	var o schema.Order
	if r := decodeOrder(stream, raw, &o, field.Check(raw)); r.Reason != "" {
		reject := field.RejectedOrder(&o, &r)
		return schema.Order{}, &reject
	}
	return o, nil
}

// Detail makes a detail of the payloads of its lines. This vendor has nothing beside them, so raw is not used.
func (Decoder) Detail(stream schema.Stream, orderID, _ string, lines []string) source.Detail {
	l := linesOf(stream, orderID)
	whole, broken := l.Whole(lines)
	d := assemble(&l, whole)
	d.Rejects = append(d.Rejects, broken...)
	return d
}

// decodeOrder reads a list row. What it can read it sets even where the row is to be rejected, for the reject.
func decodeOrder(stream schema.Stream, raw string, o *schema.Order, r field.Row) field.Row {
	o.Stream, o.Raw = stream, raw
	if !r.Readable(raw) {
		return r
	}
	c := common{
		orderID: &o.OrderID, relatedOrderID: &o.RelatedOrderID, orderType: &o.OrderType, paymentStatus: &o.PaymentStatus,
		productCode: &o.ProductCode, productType: &o.ProductType, commodityCode: &o.CommodityCode,
		subscriptionType: &o.SubscriptionType, currency: &o.Currency, paymentCurrency: &o.PaymentCurrency,
		createTime: &o.CreateTime, paymentTime: &o.PaymentTime,
		pretaxGross: &o.PretaxGross, pretax: &o.Pretax, pretaxLocal: &o.PretaxLocal, tax: &o.Tax,
		afterTax: &o.AfterTax,
	}
	field.Each(raw, func(k, v gjson.Result) bool {
		o.Fingerprint ^= field.Hash(k.Str, v.Raw)
		if f := fields[k.Str]; f != fieldUnknown && r.Once(uint8(f), k.Str) {
			c.set(&r, f, k.Str, v)
		}
		return true
	})
	r.Listed(o, "OrderId")
	return r
}

// decodeItem reads a line of a detail. What it can read it sets even where the line is to be rejected, for the reject;
// that includes CreateTime, which is not the line's to set otherwise.
func decodeItem(stream schema.Stream, raw string, i *schema.Item, r field.Row) field.Row {
	i.Stream, i.Raw = stream, raw
	if !r.Readable(raw) {
		return r
	}
	c := common{
		orderID: &i.OrderID, relatedOrderID: &i.RelatedOrderID, orderType: &i.OrderType, paymentStatus: &i.PaymentStatus,
		productCode: &i.ProductCode, productType: &i.ProductType, commodityCode: &i.CommodityCode,
		subscriptionType: &i.SubscriptionType, currency: &i.Currency, paymentCurrency: &i.PaymentCurrency,
		paymentTime: &i.PaymentTime,
		pretaxGross: &i.PretaxGross, pretax: &i.Pretax, pretaxLocal: &i.PretaxLocal, tax: &i.Tax,
		afterTax: &i.AfterTax,
	}
	field.Each(raw, func(k, v gjson.Result) bool {
		key := k.Str
		f := fields[key]
		if f == fieldCreateTime {
			// An item's create time is its order's, so this one is only for a reject to show, and cannot make one.
			i.CreateTime, _ = field.ParseTime(v.Str)
			return true
		}
		if f == fieldUnknown || !r.Once(uint8(f), key) || c.set(&r, f, key, v) {
			return true
		}
		switch f {
		case fieldSubOrderID:
			i.ItemID = r.ID(key, v)
		case fieldOrderSubType:
			i.OrderSubType = r.Text(key, v)
		case fieldInstanceIDs, fieldInstanceIds:
			if ids := r.IDs(key, v); len(i.InstanceIDs) == 0 {
				i.InstanceIDs = ids
			}
		case fieldRegion:
			i.Region = r.Text(key, v)
		case fieldQuantity:
			i.Quantity = r.Quantity(key, v)
		case fieldConfig:
			i.Config = r.Text(key, v)
		case fieldOriginalConfig:
			i.OriginalConfig = r.Text(key, v)
		case fieldOperator:
			i.Operator = r.Text(key, v)
		case fieldUsageStartTime:
			i.UsageStartTime = r.Time(key, v)
		case fieldUsageEndTime:
			i.UsageEndTime = r.End(key, v)
		case fieldExtendInfos:
			i.ExtendInfos = r.Texts(key, v)
		case fieldBillModuleConfig:
			i.BillModuleConfig = field.CompactJSON(v)
		case fieldOriginalModuleConfig:
			i.OriginalModuleConfig = field.CompactJSON(v)
		}
		return true
	})
	if i.OrderID == "" {
		r.Fail(source.RejectNoID, "OrderId is missing")
	}
	return r
}
