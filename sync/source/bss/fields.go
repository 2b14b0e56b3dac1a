package bss

import (
	"time"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// column is a declared field of an order or of a line.
type column uint8

// Declared fields. Those up to fieldAfterTax are common to orders and lines.
const (
	fieldUnknown column = iota
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

// fields are the names in the vendor's SDK structures, of version 2017-12-14 and, for InstanceIds, of 2023-09-30.
var fields = map[string]column{
	"OrderId":              fieldOrderID,
	"RelatedOrderId":       fieldRelatedOrderID,
	"OrderType":            fieldOrderType,
	"PaymentStatus":        fieldPaymentStatus,
	"ProductCode":          fieldProductCode,
	"ProductType":          fieldProductType,
	"CommodityCode":        fieldCommodityCode,
	"SubscriptionType":     fieldSubscriptionType,
	"CreateTime":           fieldCreateTime,
	"PaymentTime":          fieldPaymentTime,
	"Currency":             fieldCurrency,
	"PaymentCurrency":      fieldPaymentCurrency,
	"PretaxGrossAmount":    fieldPretaxGross,
	"PretaxAmount":         fieldPretax,
	"PretaxAmountLocal":    fieldPretaxLocal,
	"Tax":                  fieldTax,
	"AfterTaxAmount":       fieldAfterTax,
	"SubOrderId":           fieldSubOrderID,
	"OrderSubType":         fieldOrderSubType,
	"InstanceIDs":          fieldInstanceIDs,
	"InstanceIds":          fieldInstanceIds,
	"Region":               fieldRegion,
	"Quantity":             fieldQuantity,
	"Config":               fieldConfig,
	"OriginalConfig":       fieldOriginalConfig,
	"Operator":             fieldOperator,
	"UsageStartTime":       fieldUsageStartTime,
	"UsageEndTime":         fieldUsageEndTime,
	"ExtendInfos":          fieldExtendInfos,
	"BillModuleConfig":     fieldBillModuleConfig,
	"OriginalModuleConfig": fieldOriginalModuleConfig,
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
func (c *common) set(r *field.Row, f column, key string, v gjson.Result) bool {
	switch f {
	case fieldOrderID:
		*c.orderID = r.ID(key, v)
	case fieldRelatedOrderID:
		*c.relatedOrderID = r.Text(key, v)
	case fieldOrderType:
		*c.orderType = r.Text(key, v)
	case fieldPaymentStatus:
		*c.paymentStatus = r.Text(key, v)
	case fieldProductCode:
		*c.productCode = r.Text(key, v)
	case fieldProductType:
		*c.productType = r.Text(key, v)
	case fieldCommodityCode:
		*c.commodityCode = r.Text(key, v)
	case fieldSubscriptionType:
		*c.subscriptionType = r.Text(key, v)
	case fieldCreateTime:
		*c.createTime = r.Time(key, v)
	case fieldPaymentTime:
		*c.paymentTime = r.Time(key, v)
	case fieldCurrency:
		*c.currency = r.Text(key, v)
	case fieldPaymentCurrency:
		*c.paymentCurrency = r.Text(key, v)
	case fieldPretaxGross:
		*c.pretaxGross = r.Money(key, v)
	case fieldPretax:
		*c.pretax = r.Money(key, v)
	case fieldPretaxLocal:
		*c.pretaxLocal = r.Money(key, v)
	case fieldTax:
		*c.tax = r.Money(key, v)
	case fieldAfterTax:
		*c.afterTax = r.Money(key, v)
	default:
		return false
	}
	return true
}
