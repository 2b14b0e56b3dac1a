package bss

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// encode writes what was decoded, as the vendor would.
func encode(t *testing.T, fields map[string]any) string {
	t.Helper()
	for k, v := range fields {
		switch v := v.(type) {
		case schema.Money:
			delete(fields, k)
			if v.Valid {
				fields[k] = v.Decimal.String()
			}
		case time.Time:
			delete(fields, k)
			if !v.IsZero() {
				fields[k] = v.Format(time.RFC3339Nano)
			}
		case json.RawMessage:
			if len(v) == 0 {
				delete(fields, k)
			}
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func orderFields(o *schema.Order) map[string]any {
	return map[string]any{
		"OrderId": o.OrderID, "RelatedOrderId": o.RelatedOrderID, "OrderType": o.OrderType, "PaymentStatus": o.PaymentStatus,
		"ProductCode": o.ProductCode, "ProductType": o.ProductType, "CommodityCode": o.CommodityCode,
		"SubscriptionType": o.SubscriptionType, "CreateTime": o.CreateTime, "PaymentTime": o.PaymentTime, "Currency": o.Currency,
		"PaymentCurrency": o.PaymentCurrency, "PretaxGrossAmount": o.PretaxGross, "PretaxAmount": o.Pretax,
		"PretaxAmountLocal": o.PretaxLocal, "Tax": o.Tax, "AfterTaxAmount": o.AfterTax,
	}
}

func itemFields(t *testing.T, i *schema.Item) map[string]any {
	ids, err := json.Marshal(i.InstanceIDs)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"OrderId": i.OrderID, "SubOrderId": i.ItemID, "RelatedOrderId": i.RelatedOrderID, "OrderType": i.OrderType,
		"OrderSubType": i.OrderSubType, "PaymentStatus": i.PaymentStatus, "ProductCode": i.ProductCode, "ProductType": i.ProductType,
		"CommodityCode": i.CommodityCode, "SubscriptionType": i.SubscriptionType, "PaymentTime": i.PaymentTime,
		"Currency": i.Currency, "PaymentCurrency": i.PaymentCurrency, "PretaxGrossAmount": i.PretaxGross, "PretaxAmount": i.Pretax,
		"PretaxAmountLocal": i.PretaxLocal, "Tax": i.Tax, "AfterTaxAmount": i.AfterTax, "InstanceIDs": string(ids), "Region": i.Region,
		"Quantity": i.Quantity, "Config": i.Config, "OriginalConfig": i.OriginalConfig, "Operator": i.Operator,
		"UsageStartTime": i.UsageStartTime, "UsageEndTime": i.UsageEndTime, "ExtendInfos": i.ExtendInfos,
		"BillModuleConfig": json.RawMessage(i.BillModuleConfig), "OriginalModuleConfig": json.RawMessage(i.OriginalModuleConfig),
	}
}

// FuzzDecodeOrder: never a panic; all is a row or a reject with its payload; a row says what encoding/json reads in the
// payload; and its own encoding is the same row.
func FuzzDecodeOrder(f *testing.F) {
	f.Add(`{"OrderId":"1","CreateTime":"2017-06-08T09:41:30Z","Tax":"1,234.50","PretaxAmount":1e-8,"ProductCode":"\u4e2d\ud83d\ude00\ud800"}`)
	f.Add(`{"OrderId":211059788270709,"CreateTime":"2017-06-08T09:41Z","PaymentTime":null,"X":[{"a":"}"}]}`)
	f.Add(` { } `)
	f.Add(`[[`)
	f.Fuzz(func(t *testing.T, raw string) {
		o, r := (Decoder{}).Order(testStream, raw)
		if r != nil {
			if r.Raw != raw || r.Reason == "" || r.ID == "" || !utf8.ValidString(r.Message) || !utf8.ValidString(r.OrderID) {
				t.Fatalf("%+v", r)
			}
			return
		}
		if o.OrderID == "" || o.CreateTime.IsZero() || o.Fingerprint == 0 || o.Raw != raw || !json.Valid([]byte(raw)) {
			t.Fatalf("%+v", o)
		}
		var standard map[string]any
		if err := json.Unmarshal([]byte(raw), &standard); err != nil {
			t.Fatal(err)
		}
		for k, v := range orderFields(&o) {
			if got, isText := v.(string); isText {
				if want, ok := standard[k].(string); ok && got != want {
					t.Fatalf("%s is %q, encoding/json reads %q", k, got, want)
				}
			}
		}
		again, r := (Decoder{}).Order(testStream, encode(t, orderFields(&o)))
		if r != nil {
			t.Fatalf("its own encoding is refused: %+v", r)
		}
		again.Raw, again.Fingerprint = o.Raw, o.Fingerprint
		if d := cmp.Diff(o, again, equalMoney); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzDecodeItem is FuzzDecodeOrder for lines.
func FuzzDecodeItem(f *testing.F) {
	f.Add(`{"OrderId":"1","SubOrderId":"2","InstanceIDs":"[\"a\",\"b\"]","ExtendInfos":{"a":1},"BillModuleConfig":{"a": [1]}}`)
	f.Add(`{"OrderId":"1","InstanceIds":["x"],"ExtendInfos":"{\"a\":\"b\"}","OriginalModuleConfig":"[ ]"}`)
	f.Add(`{"OrderId":"1","InstanceIDs":"plain","InstanceIds":"","Quantity":"1e2","UsageEndTime":"2121-08-05T16:00:00Z"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		i, r := decodeLine(testStream, raw)
		if r != nil {
			if r.Raw != raw || r.Reason == "" || r.ID == "" || !utf8.ValidString(r.Message) || !utf8.ValidString(r.OrderID) {
				t.Fatalf("%+v", r)
			}
			return
		}
		if i.OrderID == "" || i.ItemID == "" || i.Raw != raw || !json.Valid([]byte(raw)) {
			t.Fatalf("%+v", i)
		}
		again, r := decodeLine(testStream, encode(t, itemFields(t, &i)))
		if r != nil {
			t.Fatalf("its own encoding is refused: %+v", r)
		}
		again.Raw = i.Raw
		// encoding/json writes some characters of embedded JSON in another way; what they mean must be the same.
		for _, pair := range [][2]*string{
			{&i.BillModuleConfig, &again.BillModuleConfig}, {&i.OriginalModuleConfig, &again.OriginalModuleConfig},
		} {
			if !sameJSON(*pair[0], *pair[1]) {
				t.Fatalf("%s became %s", *pair[0], *pair[1])
			}
			*pair[1] = *pair[0]
		}
		if d := cmp.Diff(i, again, equalMoney, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func sameJSON(a, b string) bool {
	var x, y any
	if a == "" || b == "" {
		return a == b
	}
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && cmp.Equal(x, y)
}

// FuzzAnswer: no answer makes a panic, and every row of a page is a row or a reject.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"Code":"Success","Success":true,"Data":{"TotalCount":1,"OrderList":{"Order":[{"OrderId":"1","CreateTime":"2017-06-08T09:41:30Z"},1]}}}`)
	f.Add(`{"Data":{"TotalCount":"2","OrderList":{"Order":[{"OrderId":"1","SubOrderId":"2"},{"OrderId":"1","SubOrderId":"2","Tax":1}]}}}`)
	f.Add(`{"Data":{"TotalCount":"2","OrderList":{"Order":[{}]}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		e, err := parseEnvelope(body)
		if err != nil || e.Failed {
			return
		}
		a := wire.Answer{Envelope: e}
		list, total, err := orders(a.Data)
		if err != nil {
			return
		}
		rows := len(list.Array())
		if p, err := listing(&a, testStream, 20); err == nil && len(p.Orders)+len(p.Rejects) != rows {
			t.Fatalf("%d rows became %d orders and %d rejects", rows, len(p.Orders), len(p.Rejects))
		}
		d, err := detail(&a, testStream, "1")
		named, unnamed := wire.Count(totalCount, total)
		lacking := rows == 0 || unnamed == nil && named > rows
		if (err != nil) != lacking || len(d.Items)+len(d.Rejects) > rows {
			t.Fatalf("%d lines became %d items and %d rejects: %v", rows, len(d.Items), len(d.Rejects), err)
		}
	})
}
