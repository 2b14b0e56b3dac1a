package bss

import (
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// DecodeOrder makes an order of a list row's payload, or a reject where that cannot be done. Version and FetchedAt are
// not set.
func DecodeOrder(lane schema.Lane, raw string) (schema.Order, *schema.Reject) {
	var o schema.Order
	if r := decodeOrder(lane, raw, &o, check(raw)); r.reason != "" {
		reject := rejectOrder(&o, &r)
		return schema.Order{}, &reject
	}
	return o, nil
}

// Decoder is the source.Decoder of this vendor.
type Decoder struct{}

var _ source.Decoder = Decoder{}

// Order is DecodeOrder.
func (Decoder) Order(lane schema.Lane, raw string) (schema.Order, *schema.Reject) {
	return DecodeOrder(lane, raw)
}

// Detail makes a detail of the payloads of its lines. This vendor has nothing beside them, so raw is not used.
func (Decoder) Detail(lane schema.Lane, orderID, _ string, lines []string) source.Detail {
	whole := make([]string, 0, len(lines))
	var broken []schema.Reject
	for _, raw := range lines {
		if r := check(raw); r.reason != "" {
			broken = append(broken, rejectItem(&schema.Item{Lane: lane, OrderID: orderID, Raw: raw}, &r))
			continue
		}
		whole = append(whole, raw)
	}
	d := assemble(lane, orderID, whole)
	d.Rejects = append(d.Rejects, broken...)
	return d
}

// check says what is wrong with a payload as a whole. Rows of an answer need no such check: the answer had it.
func check(raw string) reading {
	var r reading
	if !valid(raw) {
		r.fail(rejectJSON, "not JSON")
	}
	return r
}

// maxDepth of nesting is what encoding/json allows. Checking JSON takes stack for every level, and a hostile answer
// must not be able to take all of it.
const maxDepth = 10_000

// valid reports whether s is JSON.
func valid(s string) bool {
	// As many brackets are cheap to count and rare to find.
	if strings.Count(s, "[")+strings.Count(s, "{") > maxDepth && depth(s) > maxDepth {
		return false
	}
	return gjson.Valid(s)
}

// depth of nesting, of JSON; of anything else at least as much as a check would see before it stops.
func depth(s string) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

// decodeOrder reads a list row. What it can read it sets even where the row is to be rejected, for the reject.
func decodeOrder(lane schema.Lane, raw string, o *schema.Order, r reading) reading {
	o.Lane, o.Raw = lane, raw
	if !readable(raw, &r) {
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
	gjson.Result{Type: gjson.JSON, Raw: raw}.ForEach(func(k, v gjson.Result) bool {
		o.Fingerprint ^= hashField(k.Str, v.Raw)
		if f := fieldOf(k.Str); f != fieldUnknown && r.once(f, k.Str) {
			c.set(&r, f, k.Str, v)
		}
		return true
	})
	if o.Fingerprint == 0 {
		o.Fingerprint = 1 // zero means that no list row was seen
	}
	if o.OrderID == "" {
		r.fail(rejectNoID, "OrderId is missing")
	}
	if o.CreateTime.IsZero() {
		r.fail(rejectNoCreateTime, "CreateTime is missing")
	}
	return r
}

// decodeItem reads a line of a detail. What it can read it sets even where the line is to be rejected, for the reject;
// that includes CreateTime, which is not the line's to set otherwise.
func decodeItem(lane schema.Lane, raw string, i *schema.Item, r reading) reading {
	i.Lane, i.Raw = lane, raw
	if !readable(raw, &r) {
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
	gjson.Result{Type: gjson.JSON, Raw: raw}.ForEach(func(k, v gjson.Result) bool {
		key := k.Str
		f := fieldOf(key)
		if f == fieldCreateTime {
			// An item's create time is its order's, so this one is only for a reject to show, and cannot make one.
			i.CreateTime, _ = parseTime(v.Str)
			return true
		}
		if f == fieldUnknown || !r.once(f, key) || c.set(&r, f, key, v) {
			return true
		}
		switch f {
		case fieldSubOrderID:
			i.ItemID = r.id(key, v)
		case fieldOrderSubType:
			i.OrderSubType = r.text(key, v)
		case fieldInstanceIDs, fieldInstanceIds:
			if ids := r.ids(key, v); len(i.InstanceIDs) == 0 {
				i.InstanceIDs = ids
			}
		case fieldRegion:
			i.Region = r.text(key, v)
		case fieldQuantity:
			i.Quantity = r.money(key, v, rejectQuantity)
		case fieldConfig:
			i.Config = r.text(key, v)
		case fieldOriginalConfig:
			i.OriginalConfig = r.text(key, v)
		case fieldOperator:
			i.Operator = r.text(key, v)
		case fieldUsageStartTime:
			i.UsageStartTime = r.time(key, v)
		case fieldUsageEndTime:
			i.UsageEndTime = r.time(key, v)
		case fieldExtendInfos:
			i.ExtendInfos = r.infos(key, v)
		case fieldBillModuleConfig:
			i.BillModuleConfig = compactJSON(v)
		case fieldOriginalModuleConfig:
			i.OriginalModuleConfig = compactJSON(v)
		}
		return true
	})
	if i.OrderID == "" {
		r.fail(rejectNoID, "OrderId is missing")
	}
	return r
}

// readable reports whether a row has fields to read.
func readable(raw string, r *reading) bool {
	switch {
	case r.reason == rejectJSON:
	case !strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), "{"):
		r.fail(rejectObject, "not an object: "+excerpt(raw))
	default:
		if !utf8.ValidString(raw) {
			r.fail(rejectUTF8, "bytes that are not UTF-8")
		}
		return true
	}
	return false
}

// hashField hashes a field as received. The fingerprint of a row is the XOR of its fields' hashes, so that the order of
// the keys does not matter.
func hashField(key, raw string) uint64 {
	var buf [192]byte // holds nearly every field, so nothing is allocated
	b := append(buf[:0], key...)
	b = append(b, ':')
	b = append(b, raw...)
	return xxhash.Sum64(b)
}
