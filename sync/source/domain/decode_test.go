package domain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

const testOrder = "D201600000000000"

var testStream = schema.Stream{Source: Vendor, Account: "main"}

var equalMoney = cmp.Comparer(func(a, b schema.Money) bool {
	return a.Valid == b.Valid && (!a.Valid || a.Decimal.Equal(b.Decimal))
})

// received makes an answer of a body, as Send does.
func received(t testing.TB, body string) *wire.Answer {
	t.Helper()
	e, err := parseEnvelope(body)
	if err != nil || e.Failed {
		t.Fatalf("%s is no success: %v", body, err)
	}
	return &wire.Answer{Envelope: e, Body: body, Action: "Test", Status: 200, Version: 7, FetchedAt: vendortest.UTC("2026-01-02T03:04:05Z")}
}

// The JSON and the XML sample of the vendor's document of QueryOrder make the same rows.
func TestVendorsSamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"query-order-sample.json", "query-order-sample.xml"} {
		a := received(t, vendortest.Fixture(t, name))
		if a.RequestID != "2C5964F4-A7F0-401B-9E45-585B17D34A4E" {
			t.Errorf("%s: request id %q", name, a.RequestID)
		}
		d, err := Decoder{}.detail(a, testStream, testOrder)
		if err != nil || len(d.Items) != 1 {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		want := source.Detail{
			PaymentStatus: "Paid", PaymentTime: vendortest.UTC("2016-05-17T09:20:29Z"), Raw: d.Raw,
			Order: &schema.Order{
				Stream: testStream, OrderID: testOrder, OrderType: "activate", PaymentStatus: "Paid", ProductCode: "domain",
				CreateTime: vendortest.UTC("2016-05-17T09:20:23Z"), PaymentTime: vendortest.UTC("2016-05-17T09:20:29Z"), Amounts: schema.Amounts{Pretax: vendortest.Money("8")},
				ItemCount: 1, FetchedAt: a.FetchedAt, Version: 7, RawDetail: d.Raw,
			},
			Items: []schema.Item{{
				Stream: testStream, OrderID: testOrder, ItemID: "T201600000000000", OrderType: "activate", PaymentStatus: "Paid", ProductCode: "domain",
				PaymentTime: vendortest.UTC("2016-05-17T09:20:29Z"), Amounts: schema.Amounts{Pretax: vendortest.Money("4")}, InstanceIDs: []string{"abcdefgh.site"},
				Quantity: vendortest.Money("1"), UsageEndTime: vendortest.UTC("2017-05-17T09:20:38Z"),
				ExtendInfos: map[string]string{
					"UpdateDate": "2016-05-17 17:20:39", "ProductName": ".site 域名", "PeriodNum": "12", "PeriodUnit": "3", "SaleID": "S201600000000000",
					"UserID": "0000000000000000", "BizStatus": "0", "CheckFlag": "true", "ValidFlag": "true",
				},
				FetchedAt: a.FetchedAt, Version: 7, Raw: d.Items[0].Raw,
			}},
		}
		if diff := cmp.Diff(want, d, equalMoney); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		for raw, holds := range map[string]string{d.Raw: "UserID", d.Items[0].Raw: "BizStatus"} {
			if !strings.Contains(raw, holds) || wire.IsXML(raw) != strings.HasSuffix(name, "xml") || strings.Contains(d.Raw, "SubOrderResult") {
				t.Errorf("%s: raw is %s", name, raw)
			}
		}
		replays(t, d)
	}
}

// replays checks that stored payloads make the same rows again.
func replays(t *testing.T, d source.Detail) {
	t.Helper()
	raws := make([]string, len(d.Items))
	for n := range d.Items {
		raws[n] = d.Items[n].Raw
	}
	again := Decoder{}.Detail(testStream, testOrder, d.Raw, raws)
	received := []cmp.Option{
		equalMoney, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(schema.Order{}, "Version", "FetchedAt"), cmpopts.IgnoreFields(schema.Item{}, "Version", "FetchedAt"),
	}
	if diff := cmp.Diff(d, again, received...); diff != "" {
		t.Errorf("replay makes another detail:\n%s", diff)
	}
}

func TestPayment(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`"CheckFlag":true,"ValidFlag":true`:                                 "Paid 2016-05-17T09:20:29Z",
		`"CheckFlag":true,"ValidFlag":false`:                                "Paid 2016-05-17T09:20:29Z",
		`"CheckFlag":"true"`:                                                "Paid 2016-05-17T09:20:29Z",
		`"CheckFlag":false,"ValidFlag":true`:                                "Unpaid ",
		`"CheckFlag":false`:                                                 "Unpaid ",
		`"ValidFlag":"false","CheckFlag":"false"`:                           "Cancelled ",
		`"ValidFlag":true`:                                                  " ",
		`"ValidFlag":false`:                                                 " ",
		`"CheckFlag":null,"ValidFlag":true`:                                 " ",
		`"CheckFlag":true,"CheckType":true,"UserID":"0","Unknown":{"a":[]}`: "Paid 2016-05-17T09:20:29Z",
	} {
		body := `{"OrderID":"` + testOrder + `","OrderDate":"2016-05-17 17:20:23","CheckDate":"2016-05-17 17:20:29",` + fields +
			`,"OrderProducts":{"SubOrderResult":[{"TrackID":"T1","CheckDate":"2016-05-17 17:20:29",` + fields + `}]}}`
		d, err := Decoder{}.detail(received(t, body), testStream, testOrder)
		if err != nil || d.Order == nil || len(d.Items) != 1 {
			t.Fatalf("%s: %+v, %v", fields, d, err)
		}
		text := func(status string, at time.Time) string {
			if at.IsZero() {
				return status + " "
			}
			return status + " " + at.Format(time.RFC3339)
		}
		if d.PaymentStatus != d.Order.PaymentStatus || !d.PaymentTime.Equal(d.Order.PaymentTime) || text(d.PaymentStatus, d.PaymentTime) != want ||
			text(d.Items[0].PaymentStatus, d.Items[0].PaymentTime) != want {
			t.Errorf("%s: order %s, item %s, want %s", fields, text(d.PaymentStatus, d.PaymentTime), text(d.Items[0].PaymentStatus, d.Items[0].PaymentTime), want)
		}
		replays(t, d)
	}
	d := Decoder{Location: time.UTC}.Detail(testStream, testOrder, `{"OrderDate":"2016-05-17 17:20:23"}`, nil)
	if d.Order == nil || !d.Order.CreateTime.Equal(vendortest.UTC("2016-05-17T17:20:23Z")) {
		t.Errorf("%+v", d.Order)
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	const id, xid = `"OrderID":"` + testOrder + `"`, `<OrderID>` + testOrder + `</OrderID>`
	for body, want := range map[string]string{ // the number of items, or the error
		`{` + id + `}`:                                         "",
		`{` + id + `,"OrderProducts":null}`:                    "",
		`{` + id + `,"OrderProducts":{}}`:                      "",
		`{` + id + `,"OrderProducts":{"SubOrderResult":null}}`: "",
		`{` + id + `,"OrderProducts":{"SubOrderResult":[]}}`:   "",
		`{` + id + `,"OrderProducts":{"SubOrderResult":[{"TrackID":"T1"},{"TrackID":"T2"}]}}`: "T1 T2",
		`{"Code":"x",` + id + `}`:                                          "",
		`{` + id + `,"OrderProducts":[]}`:                                  "OrderProducts is not an object",
		`{` + id + `,"OrderProducts":{"SubOrderResult":{"TrackID":"T1"}}}`: "not an array",
		`{` + id + `,"OrderProducts":{},"OrderProducts":{}}`:               "OrderProducts comes twice",
		`{"OrderID":"D1"}`:                                                 "the detail is of order D1",
		`{}`:                                                               "there is no OrderID",
		`<QueryOrder>` + xid + `</QueryOrder>`:                             "",
		`<?xml version="1.0" encoding="UTF-8"?><QueryOrder>` + xid + `<OrderProducts/></QueryOrder>` + "\n":                                                                                                  "",
		`<QueryOrderResponse><OrderProducts></OrderProducts>` + xid + `</QueryOrderResponse>`:                                                                                                                "",
		`<QueryOrder>` + xid + `<OrderProducts> <SubOrderResult><TrackID>T&amp;1</TrackID></SubOrderResult> <SubOrderResult><TrackID><![CDATA[T2]]></TrackID></SubOrderResult></OrderProducts></QueryOrder>`: "T&1 T2",
		`<QueryOrder><OrderID>D1</OrderID></QueryOrder>`:                                                                                                                                                     "the detail is of order D1",
		`<QueryOrder/>`: "there is no OrderID",
	} {
		d, err := Decoder{}.detail(received(t, body), testStream, testOrder)
		if err != nil {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", body, err, want)
			}
			continue
		}
		var ids []string
		for _, i := range d.Items {
			ids = append(ids, i.ItemID)
		}
		if got := strings.Join(ids, " "); got != want || len(d.Rejects) > 0 || d.Order != nil {
			t.Errorf("%s: %+v, want %q", body, d, want)
		}
		replays(t, d)
	}
	for _, body := range []string{
		"", " ", "x", "[]", `{"OrderID":`, `<html><OrderID>` + testOrder + `</OrderID></html>`, `<QueryOrder>`, `<QueryOrder></QueryOrde>`,
		`<QueryOrder/><QueryOrder/>`, `<QueryOrder><OrderID>` + "\xff" + `</OrderID></QueryOrder>`, `<QueryOrder>&bomb;</QueryOrder>`,
		strings.Repeat("[", 1<<20),
	} {
		if e, err := parseEnvelope(body); err == nil {
			t.Errorf("%.60q: %+v", body, e)
		}
	}
}

func TestOddDetails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, order, lines, items, rejects string }{
		{"no id", ``, `{"OrderID":"` + testOrder + `"}`, "", source.RejectNoItemID},
		{"number as id", ``, `{"TrackID":12}`, "12", ""},
		{"other order", ``, `{"TrackID":"T1","OrderID":"D9"},{"TrackID":"T2"}`, "T2", source.RejectWrongOrder},
		{"odd money of the order", `,"Money":"?"`, `{"TrackID":"T1"}`, "T1", source.RejectMoney},
		{"odd flag of the order", `,"CheckFlag":"maybe"`, `{"TrackID":"T1"}`, "T1", source.RejectType},
		{"twice", `,"Money":"1","Money":"2"`, `{"TrackID":"T1"}`, "T1", source.RejectDuplicateField},
		{"odd money", ``, `{"TrackID":"T1","Money":"1,00"}`, "", source.RejectMoney},
		{"odd amount", ``, `{"TrackID":"T1","Amount":"many"}`, "", source.RejectQuantity},
		{"never ends", ``, `{"TrackID":"T1","DeadDate":"9999-12-31 23:59:59"}`, "T1", ""},
		{"odd end", ``, `{"TrackID":"T1","DeadDate":"2017-13-01 00:00:00"}`, "", source.RejectTime},
		{"odd info", ``, `{"TrackID":"T1","SaleID":[]}`, "", source.RejectType},
		{"empty dates", ``, `{"TrackID":"T1","DeadDate":"","CheckDate":"","UpdateDate":""}`, "T1", ""},
		{"no object", ``, `7,{"TrackID":"T1"}`, "T1", source.RejectObject},
		{"the same line twice", ``, `{"TrackID":"T1"},{"TrackID":"T1"}`, "T1", ""},
		{"two lines of one id", ``, `{"TrackID":"T1"},{"TrackID":"T1","Money":"1"}`, "T1", source.RejectDuplicateItem},
	} {
		body := `{"OrderID":"` + testOrder + `","OrderDate":"2016-05-17 17:20:23"` + tc.order + `,"OrderProducts":{"SubOrderResult":[` + tc.lines + `]}}`
		d, err := Decoder{}.detail(received(t, body), testStream, testOrder)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var items, rejects []string
		for _, i := range d.Items {
			items = append(items, i.ItemID)
			if i.OrderID != testOrder || !i.CreateTime.IsZero() || i.Version != 7 {
				t.Errorf("%s: %+v", tc.name, i)
			}
		}
		for _, r := range d.Rejects {
			rejects = append(rejects, r.Reason)
			if r.OrderID != testOrder || r.Stage != schema.RejectItem || r.Raw == "" || r.CreateTime.IsZero() || len(r.ID) != 16 {
				t.Errorf("%s: %+v", tc.name, r)
			}
		}
		if strings.Join(items, ",") != tc.items || strings.Join(rejects, ",") != tc.rejects || (d.Order == nil) != (tc.order != "") {
			t.Errorf("%s: items %v, rejects %v, order %+v", tc.name, items, rejects, d.Order)
		}
	}
	d := Decoder{}.Detail(testStream, testOrder, `<QueryOrder>`, []string{`{"TrackID":"T1"}`, `{`, `<SubOrderResult><Money><a/></Money><TrackID>T2</TrackID></SubOrderResult>`})
	if len(d.Items) != 1 || len(d.Rejects) != 3 || d.Rejects[0].Reason != source.RejectJSON || d.Rejects[1].Reason != source.RejectJSON || d.Rejects[2].Reason != source.RejectType {
		t.Errorf("%+v", d)
	}
	if _, r := (Decoder{}).Order(testStream, `{"OrderID":"1"}`); r == nil || r.Raw == "" {
		t.Error("there are no list rows")
	}
}

// FuzzAnswer: no answer makes a panic, every line is a row or a reject, and stored payloads make the same rows again.
func FuzzAnswer(f *testing.F) {
	f.Add(vendortest.Fixture(f, "query-order-sample.json"))
	f.Add(vendortest.Fixture(f, "query-order-sample.xml"))
	f.Add(`<QueryOrder><OrderProducts><SubOrderResult><TrackID>1</TrackID><X a="b"><Y/></X></SubOrderResult></OrderProducts><OrderID>` + testOrder + `</OrderID></QueryOrder>`)
	f.Fuzz(func(t *testing.T, body string) {
		e, err := parseEnvelope(body)
		if err != nil || e.Failed {
			return
		}
		d, err := Decoder{}.detail(&wire.Answer{Envelope: e, Body: body, Version: 7}, testStream, testOrder)
		if err != nil {
			return
		}
		for _, i := range d.Items {
			if i.ItemID == "" || i.OrderID != testOrder || i.Raw == "" {
				t.Fatalf("%+v", i)
			}
		}
		for _, r := range d.Rejects {
			if r.Raw == "" || r.Reason == "" || r.ID == "" {
				t.Fatalf("%+v", r)
			}
		}
		if len(d.Rejects) == 0 {
			replays(t, d)
		}
	})
}
