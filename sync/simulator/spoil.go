package simulator

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/tidwall/gjson"
)

// The functions here alter a row of a listing or a line of a detail. They know that it is an object in the simulator's
// own compact JSON, or else what another of them made of it, which they leave alone.

type alteration = func(s *random, n int, row rawRow) rawRow

// rawRow is such a row, and by which names its vendor calls the fields of BSS; no JSON stands for a row that is left as
// it was.
type rawRow struct {
	json  []byte
	names map[string]string
}

// names are what the vendor calls the fields of BSS in the rows or lines of this call's answer.
func (q *FaultRequest) names() map[string]string {
	switch {
	case q.Version == versionDomain:
		return domainNames
	case q.Version == versionUniCloud && q.side() == details:
		return unicloudItemNames
	case q.Version == versionUniCloud:
		return unicloudNames
	}
	return nil
}

var (
	unicloudNames = map[string]string{
		"OrderId": "Id", "PretaxAmount": "FinalPrice", "PretaxGrossAmount": "TotalPrice", "OrderType": "OrderCategory",
		"SubscriptionType": "ChargeType", "PaymentStatus": "OrderStatus",
	}
	unicloudItemNames = map[string]string{
		"OrderId": "id", "PretaxAmount": "totalPrice", "PretaxGrossAmount": "totalPrice", "Quantity": "quantity",
		"UsageEndTime": "productEndTime", "OrderType": "productCategory", "SubscriptionType": "productRentUnit",
	}
	domainNames = map[string]string{
		"OrderId": "TrackID", "PretaxAmount": "Money", "PretaxGrossAmount": "Money", "Quantity": "Amount",
		"UsageEndTime": "DeadDate", "OrderType": "ActionType", "SubscriptionType": "ClassID",
	}
)

// with sets a field, or takes it out.
func with(field, value string) alteration {
	return func(_ *random, _ int, row rawRow) rawRow { return row.set(field, value) }
}

var (
	badAmount     = with("PretaxAmount", `"12,34.5x"`)
	longAmount    = with("PretaxGrossAmount", `"1234567890123456789012345678901234567890.12"`)
	noOrderID     = with("OrderId", "")
	badCreateTime = anyOf(with("CreateTime", `"2026-02-30T25:61:00Z"`), with("CreateTime", `"yesterday"`), with("CreateTime", `"20261-03-02T00:00:00Z"`))
	noCreateTime  = with("CreateTime", "")
	unknownStatus = with("PaymentStatus", `"PartiallyPaid"`)
	badQuantity   = with("Quantity", `"many"`)
	badUsage      = with("UsageEndTime", `"2026-02-30T25:61:00Z"`)
)

var rowSpoilers = []alteration{badAmount, longAmount, noOrderID, badCreateTime, noCreateTime, rowIsNumber}

func anyOf(all ...alteration) alteration {
	return func(s *random, n int, row rawRow) rawRow { return all[s.n(len(all))](s, n, row) }
}

// rowIsNumber sends the order's id alone, so that two such rows differ.
func rowIsNumber(_ *random, _ int, row rawRow) rawRow {
	from, to := findField(row.json, row.name("OrderId"))
	if from < 0 {
		return rawRow{}
	}
	return rawRow{slices.Clone(bytes.Trim(row.json[from:to], `"DT`)), row.names}
}

// badLine spoils the first line of a detail.
func badLine(s *random, n int, row rawRow) rawRow {
	if n > 0 {
		return rawRow{}
	}
	return anyOf(badAmount, longAmount, noOrderID, rowIsNumber, badQuantity, badUsage)(s, n, row)
}

func unknownFields(_ *random, _ int, row rawRow) rawRow {
	return row.set("DiscountPlan", `{"Name":"新","Steps":[1,2.50,{}]}`).set("zz", "null")
}

func unknownValues(_ *random, _ int, row rawRow) rawRow {
	return row.set("OrderType", `"Metamorphosis"`).set("SubscriptionType", `"lease-to-own"`)
}

// binaryDust makes the payable amount what a serializer of doubles prints in full: 0.1 becomes 0.10000000000000001. It
// leaves what no double is, what would still have 12 decimals at most, and the Domain API, whose amounts are texts.
func binaryDust(_ *random, _ int, row rawRow) rawRow {
	from, to := findField(row.json, row.name("PretaxAmount"))
	if from < 0 || row.name("PretaxAmount") == domainNames["PretaxAmount"] {
		return rawRow{}
	}
	amount, err := decimal.NewFromString(string(bytes.Trim(row.json[from:to], `"`)))
	if err != nil {
		return rawRow{}
	}
	f := amount.InexactFloat64()
	dusty := strconv.FormatFloat(f, 'g', 17, 64)
	if d, err := decimal.NewFromString(dusty); err != nil || d.Exponent() >= -12 || !amount.Equal(decimal.NewFromFloat(f)) {
		return rawRow{}
	}
	return row.set("PretaxAmount", dusty)
}

// instanceArray takes the array out of the string.
func instanceArray(_ *random, _ int, row rawRow) rawRow {
	list := "[]"
	if from, to := findField(row.json, "InstanceIDs"); from >= 0 && to-from > 2 {
		list = strings.ReplaceAll(string(row.json[from+1:to-1]), `\"`, `"`)
	}
	return row.set("InstanceIDs", list)
}

// name is what the row's vendor calls a field of BSS.
func (r rawRow) name(field string) string {
	if own := r.names[field]; own != "" {
		return own
	}
	return field
}

// set returns the row with another value for a field, or without the field where the value is empty. What is no object
// becomes nothing.
func (r rawRow) set(field, value string) rawRow {
	if len(r.json) == 0 || r.json[0] != '{' {
		return rawRow{}
	}
	row, key := r.json, r.name(field)
	from, to := findField(row, key)
	switch {
	case value == "" && from < 0:
		return rawRow{}
	case value == "":
		from -= len(key) + len(`"":`)
		if row[to] == ',' {
			to++
		} else {
			from-- // the comma before the last field
		}
		row = slices.Concat(row[:from], row[to:])
	case from < 0:
		row = slices.Concat(row[:len(row)-1], []byte(`,"`+key+`":`+value+`}`))
	default:
		row = slices.Concat(row[:from], []byte(value), row[to:])
	}
	return rawRow{row, r.names}
}

// findField finds where a field's value begins and ends; -1 where there is none.
func findField(row []byte, key string) (from, to int) {
	v := gjson.GetBytes(row, key)
	if !v.Exists() {
		return -1, -1
	}
	return v.Index, v.Index + len(v.Raw)
}
