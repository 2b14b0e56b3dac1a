package bss

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
)

// field is a declared field of an order or of a line.
type field uint8

// Declared fields. Those up to fieldAfterTax are common to orders and lines.
const (
	fieldUnknown field = iota
	fieldOrderID
	fieldRelatedOrderID
	fieldOrderType
	fieldPaymentStatus
	fieldProductCode
	fieldProductType
	fieldCommodityCode
	fieldSubscriptionType
	fieldCreateTime
	fieldPaymentTime
	fieldCurrency
	fieldPaymentCurrency
	fieldPretaxGross
	fieldPretax
	fieldPretaxLocal
	fieldTax
	fieldAfterTax

	fieldSubOrderID
	fieldOrderSubType
	fieldInstanceIDs
	fieldInstanceIds
	fieldRegion
	fieldQuantity
	fieldConfig
	fieldOriginalConfig
	fieldOperator
	fieldUsageStartTime
	fieldUsageEndTime
	fieldExtendInfos
	fieldBillModuleConfig
	fieldOriginalModuleConfig
)

// fieldOf knows the names of the vendor's SDK structures, of version 2017-12-14 and, for InstanceIds, of 2023-09-30.
func fieldOf(key string) field {
	switch key {
	case "OrderId":
		return fieldOrderID
	case "RelatedOrderId":
		return fieldRelatedOrderID
	case "OrderType":
		return fieldOrderType
	case "PaymentStatus":
		return fieldPaymentStatus
	case "ProductCode":
		return fieldProductCode
	case "ProductType":
		return fieldProductType
	case "CommodityCode":
		return fieldCommodityCode
	case "SubscriptionType":
		return fieldSubscriptionType
	case "CreateTime":
		return fieldCreateTime
	case "PaymentTime":
		return fieldPaymentTime
	case "Currency":
		return fieldCurrency
	case "PaymentCurrency":
		return fieldPaymentCurrency
	case "PretaxGrossAmount":
		return fieldPretaxGross
	case "PretaxAmount":
		return fieldPretax
	case "PretaxAmountLocal":
		return fieldPretaxLocal
	case "Tax":
		return fieldTax
	case "AfterTaxAmount":
		return fieldAfterTax
	case "SubOrderId":
		return fieldSubOrderID
	case "OrderSubType":
		return fieldOrderSubType
	case "InstanceIDs":
		return fieldInstanceIDs
	case "InstanceIds":
		return fieldInstanceIds
	case "Region":
		return fieldRegion
	case "Quantity":
		return fieldQuantity
	case "Config":
		return fieldConfig
	case "OriginalConfig":
		return fieldOriginalConfig
	case "Operator":
		return fieldOperator
	case "UsageStartTime":
		return fieldUsageStartTime
	case "UsageEndTime":
		return fieldUsageEndTime
	case "ExtendInfos":
		return fieldExtendInfos
	case "BillModuleConfig":
		return fieldBillModuleConfig
	case "OriginalModuleConfig":
		return fieldOriginalModuleConfig
	}
	return fieldUnknown
}

// reading is the state of reading one row: which fields it had, and the first thing that is wrong with it.
type reading struct {
	seen    uint64
	reason  string // a label of a reject; empty while nothing is wrong
	message string
}

// once reports whether a declared field comes for the first time. A second one is an error, because nobody can say which
// of the two is meant (I4).
func (r *reading) once(f field, key string) bool {
	if r.seen&(1<<f) != 0 {
		r.fail(rejectDuplicateField, key+" comes twice")
		return false
	}
	r.seen |= 1 << f
	return true
}

// fail keeps the first thing that is wrong.
func (r *reading) fail(reason, message string) {
	if r.reason == "" {
		r.reason, r.message = reason, message
	}
}

// wrongType says that a value is not of any type that the vendor was ever seen to send for the field.
func (r *reading) wrongType(key string, v gjson.Result) {
	r.fail(rejectType, key+" is "+strings.ToLower(v.Type.String())+": "+excerpt(v.Raw))
}

// text reads a string. The vendor declares every field as a string, and was seen to send numbers: these keep their
// characters as received.
func (r *reading) text(key string, v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return str(v)
	case gjson.Number:
		return v.Raw
	case gjson.Null:
		return ""
	}
	r.wrongType(key, v)
	return ""
}

// str is the text of a JSON string. gjson swallows the escape after half a surrogate pair; encoding/json does not.
func str(v gjson.Result) string {
	if len(v.Raw) == len(v.Str)+len(`""`) || !strings.Contains(v.Raw, `\ud`) && !strings.Contains(v.Raw, `\uD`) {
		return v.Str
	}
	var s string
	if json.Unmarshal([]byte(v.Raw), &s) != nil {
		return v.Str // cannot be: it is JSON
	}
	return s
}

// id reads an order's or a line's id. As a JSON number it must be a plain one: 1e3 would be a guess.
func (r *reading) id(key string, v gjson.Result) string {
	s := r.text(key, v)
	if v.Type == gjson.Number {
		for _, c := range []byte(s) {
			if c < '0' || c > '9' {
				r.wrongType(key, v)
				return ""
			}
		}
	}
	return s
}

// money reads an amount from its characters (I5). Empty, null and absent mean that nothing is known.
func (r *reading) money(key string, v gjson.Result, reason string) schema.Money {
	var s string
	switch v.Type {
	case gjson.String:
		s = v.Str
	case gjson.Number:
		s = v.Raw
	case gjson.Null:
	default:
		r.wrongType(key, v)
	}
	if strings.TrimSpace(s) == "" {
		return schema.Money{}
	}
	m, err := parseMoney(s)
	if err != nil {
		r.fail(reason, key+": "+err.Error()+": "+excerpt(s))
		return schema.Money{}
	}
	return m
}

// time reads a time as UTC (I6). Empty, null and absent mean that there is none.
func (r *reading) time(key string, v gjson.Result) time.Time {
	switch v.Type {
	case gjson.Null:
		return time.Time{}
	case gjson.String:
		if v.Str == "" {
			return time.Time{}
		}
		t, err := parseTime(v.Str)
		if err != nil {
			r.fail(rejectTime, key+": "+err.Error()+": "+excerpt(v.Str))
		}
		return t
	}
	r.wrongType(key, v)
	return time.Time{}
}

// common are the places of the fields that orders and lines share.
type common struct {
	orderID, relatedOrderID, orderType, paymentStatus         *string
	productCode, productType, commodityCode, subscriptionType *string
	currency, paymentCurrency                                 *string
	createTime, paymentTime                                   *time.Time
	pretaxGross, pretax, pretaxLocal, tax, afterTax           *schema.Money
}

// set reads one of the common fields; it reports false for any other.
func (c *common) set(r *reading, f field, key string, v gjson.Result) bool {
	switch f {
	case fieldOrderID:
		*c.orderID = r.id(key, v)
	case fieldRelatedOrderID:
		*c.relatedOrderID = r.text(key, v)
	case fieldOrderType:
		*c.orderType = r.text(key, v)
	case fieldPaymentStatus:
		*c.paymentStatus = r.text(key, v)
	case fieldProductCode:
		*c.productCode = r.text(key, v)
	case fieldProductType:
		*c.productType = r.text(key, v)
	case fieldCommodityCode:
		*c.commodityCode = r.text(key, v)
	case fieldSubscriptionType:
		*c.subscriptionType = r.text(key, v)
	case fieldCreateTime:
		*c.createTime = r.time(key, v)
	case fieldPaymentTime:
		*c.paymentTime = r.time(key, v)
	case fieldCurrency:
		*c.currency = r.text(key, v)
	case fieldPaymentCurrency:
		*c.paymentCurrency = r.text(key, v)
	case fieldPretaxGross:
		*c.pretaxGross = r.money(key, v, rejectMoney)
	case fieldPretax:
		*c.pretax = r.money(key, v, rejectMoney)
	case fieldPretaxLocal:
		*c.pretaxLocal = r.money(key, v, rejectMoney)
	case fieldTax:
		*c.tax = r.money(key, v, rejectMoney)
	case fieldAfterTax:
		*c.afterTax = r.money(key, v, rejectMoney)
	default:
		return false
	}
	return true
}

// excerpt is the start of a text, for messages.
func excerpt(s string) string { return cut(s, 120) }

// cut is at most limit bytes of a text, and proper UTF-8.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
