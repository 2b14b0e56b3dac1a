package bss

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

var testStream = schema.Stream{Source: Vendor, Account: "main"}

// equalMoney compares amounts by value and by their number of digits.
var equalMoney = cmp.Comparer(func(a, b schema.Money) bool {
	return a.Valid == b.Valid && (!a.Valid || a.Decimal.Equal(b.Decimal))
})

// received makes an answer of a body, as send does.
func received(t testing.TB, body string) wire.Answer {
	t.Helper()
	e, err := parseEnvelope(body)
	if err != nil {
		t.Fatal(err)
	}
	if e.Failed {
		t.Fatalf("%s is no success", body)
	}
	return wire.Answer{Envelope: e, Action: "Test", Status: 200, Version: 7, FetchedAt: vendortest.UTC("2026-01-02T03:04:05Z")}
}

func TestVendorsSampleOfAListing(t *testing.T) {
	t.Parallel()
	a := received(t, vendortest.Fixture(t, "query-orders-sample.json"))
	p, err := listing(&a, testStream, 20)
	if err != nil {
		t.Fatal(err)
	}
	raw := p.Orders[0].Raw
	want := source.Page{Total: 1, Orders: []schema.Order{{
		Stream: testStream, OrderID: "34532532", RelatedOrderID: "234535345345342", OrderType: "New", PaymentStatus: "Paid",
		ProductCode: "rds", ProductType: "rds", CommodityCode: "ecs", SubscriptionType: "PayAsYouGo",
		CreateTime: vendortest.UTC("2017-06-08T09:41:30Z"), PaymentTime: vendortest.UTC("2017-06-08T09:41:30Z"), Currency: "CNY", PaymentCurrency: "CNY",
		Amounts:     schema.Amounts{PretaxGross: vendortest.Money("0"), Pretax: vendortest.Money("0"), PretaxLocal: vendortest.Money("0"), Tax: vendortest.Money("1"), AfterTax: vendortest.Money("66")},
		Fingerprint: p.Orders[0].Fingerprint, Version: 7, FetchedAt: a.FetchedAt, Raw: raw,
	}}}
	if d := cmp.Diff(want, p, equalMoney); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(raw, "{") || !strings.HasSuffix(raw, "}") || !strings.Contains(raw, `"ProductCode": "rds"`) {
		t.Errorf("raw is not the row as received: %s", raw)
	}
	stored, reject := (Decoder{}).Order(testStream, raw)
	if reject != nil {
		t.Fatal(reject)
	}
	stored.Version, stored.FetchedAt = 7, a.FetchedAt
	if d := cmp.Diff(p.Orders[0], stored, equalMoney); d != "" {
		t.Errorf("replay makes another row:\n%s", d)
	}
}

func TestCapturedDetail(t *testing.T) {
	t.Parallel()
	a := received(t, vendortest.Fixture(t, "detail-captured.json"))
	const id = "211059788270709"
	d, err := detail(&a, testStream, id)
	if err != nil {
		t.Fatal(err)
	}
	want := source.Detail{
		PaymentStatus: "Paid", PaymentTime: vendortest.UTC("2021-08-05T03:12:44Z"),
		Items: []schema.Item{{
			Stream: testStream, OrderID: id, ItemID: id, OrderType: "New", OrderSubType: "ProductSubOrder", PaymentStatus: "Paid",
			ProductCode: "alikafka", ProductType: "alikafka_post", CommodityCode: "alikafka_post", SubscriptionType: "PayAsYouGo",
			PaymentTime: vendortest.UTC("2021-08-05T03:12:44Z"), Currency: "CNY",
			Amounts:     schema.Amounts{PretaxGross: vendortest.Money("0"), Pretax: vendortest.Money("0"), PretaxLocal: vendortest.Money("0"), AfterTax: vendortest.Money("0")},
			InstanceIDs: []string{"alikafka_post-cn-7pp2ab12c001"}, Region: "cn-shanghai", Quantity: vendortest.Money("1"),
			OriginalConfig: "alikafka_post:[region:cn-shanghai;disk_size:500;]",
			UsageStartTime: vendortest.UTC("2021-08-05T03:12:44Z"), UsageEndTime: vendortest.UTC("2121-08-05T16:00:00Z"),
			Version: 7, FetchedAt: a.FetchedAt, Raw: d.Items[0].Raw,
		}},
		Order: &schema.Order{ // of the only line
			Stream: testStream, OrderID: "211059788270709", OrderType: "New", PaymentStatus: "Paid", ProductCode: "alikafka",
			ProductType: "alikafka_post", CommodityCode: "alikafka_post", SubscriptionType: "PayAsYouGo",
			CreateTime: vendortest.UTC("2021-08-05T03:12:44Z"), PaymentTime: vendortest.UTC("2021-08-05T03:12:44Z"), Currency: "CNY",
			Amounts:   schema.Amounts{PretaxGross: vendortest.Money("0"), Pretax: vendortest.Money("0"), PretaxLocal: vendortest.Money("0"), AfterTax: vendortest.Money("0")},
			ItemCount: 1, Version: 7, FetchedAt: a.FetchedAt,
		},
	}
	if diff := cmp.Diff(want, d, equalMoney); diff != "" {
		t.Error(diff)
	}
	stored, reject := decodeLine(testStream, d.Items[0].Raw)
	if reject != nil {
		t.Fatal(reject)
	}
	stored.Version, stored.FetchedAt = 7, a.FetchedAt
	if diff := cmp.Diff(d.Items[0], stored, equalMoney); diff != "" {
		t.Errorf("replay makes another row:\n%s", diff)
	}
}

func TestDetailWithEveryField(t *testing.T) {
	t.Parallel()
	a := received(t, vendortest.Fixture(t, "detail-full.json"))
	d, err := detail(&a, testStream, "211059788270710")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Items) != 2 || len(d.Rejects) != 0 {
		t.Fatalf("%d items, rejects %+v", len(d.Items), d.Rejects)
	}
	want := schema.Item{
		Stream: testStream, OrderID: "211059788270710", ItemID: "211059788270711", RelatedOrderID: "211059788270001",
		OrderType: "upgrade", OrderSubType: "productsuborder", PaymentStatus: "paid", ProductCode: "ecs", ProductType: "ecs",
		CommodityCode: "vm", SubscriptionType: "Subscription", PaymentTime: vendortest.UTC("2024-03-14T08:00:01.25Z"),
		Currency: "USD", PaymentCurrency: "JPY",
		Amounts: schema.Amounts{
			PretaxGross: vendortest.Money("1234567.89"), Pretax: vendortest.Money("0.00000001"), PretaxLocal: vendortest.Money("-12.5"),
			Tax: vendortest.Money("12345678901234567890123456.123456789012"), AfterTax: vendortest.Money("1000"),
		},
		InstanceIDs: []string{"i-1", "i-2"}, Region: "ap-southeast-1", Quantity: vendortest.Money("2.5"),
		Config: "Module:[Key:Val;]中文😀", OriginalConfig: "x", Operator: "299999999999999",
		UsageStartTime: vendortest.UTC("2024-03-14T08:00:00Z"), UsageEndTime: vendortest.UTC("2025-03-14T16:00:00Z"),
		ExtendInfos:          map[string]string{"a": "b", "n": "1.50", "t": "true", "o": `{"x":[1,2]}`, "z": ""},
		BillModuleConfig:     `{"billModuleConfig":[{"ApiCode":"a b","Code":"c","Name":"n"}]}`,
		OriginalModuleConfig: `{"originalModuleConfig":[]}`,
		Version:              7, FetchedAt: a.FetchedAt, Raw: d.Items[0].Raw,
	}
	if diff := cmp.Diff(want, d.Items[0], equalMoney); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"rm-9"}, d.Items[1].InstanceIDs); diff != "" {
		t.Errorf("InstanceIds of version 2023-09-30: %s", diff)
	}
	if o := d.Order; o == nil || o.OrderType != "upgrade" || o.ItemCount != 2 || o.Pretax.Valid || o.Tax.Valid || o.Version != 7 {
		t.Errorf("the order of several lines: %+v", o) // whose amounts only the listing says
	}
	if d.PaymentStatus != "paid" { // the other line says PAID
		t.Errorf("PaymentStatus %q", d.PaymentStatus)
	}
	if !d.PaymentTime.IsZero() { // the lines disagree
		t.Errorf("PaymentTime %v", d.PaymentTime)
	}
}

func TestShapesOfPages(t *testing.T) {
	t.Parallel()
	const row = `{"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z"}`
	for _, tc := range []struct {
		name, data    string
		total, orders int
		err           string
	}{
		{"one", `{"TotalCount":1,"OrderList":{"Order":[` + row + `]}}`, 1, 1, ""},
		{"text count", `{"TotalCount":"31","OrderList":{"Order":[` + row + `]}}`, 31, 1, ""},
		{"no list", `{"TotalCount":3}`, 3, 0, ""},
		{"null list", `{"TotalCount":3,"OrderList":null}`, 3, 0, ""},
		{"empty list", `{"TotalCount":3,"OrderList":{}}`, 3, 0, ""},
		{"null orders", `{"TotalCount":3,"OrderList":{"Order":null}}`, 3, 0, ""},
		{"no orders", `{"TotalCount":0,"OrderList":{"Order":[]}}`, 0, 0, ""},
		{"no count", `{"OrderList":{"Order":[]}}`, 0, 0, "TotalCount is missing"},
		{"null count", `{"TotalCount":null,"OrderList":{"Order":[]}}`, 0, 0, "TotalCount is missing"},
		{"odd count", `{"TotalCount":1.5}`, 0, 0, "not a count"},
		{"negative count", `{"TotalCount":-1}`, 0, 0, "not a count"},
		{"boolean count", `{"TotalCount":true}`, 0, 0, "not a count"},
		{"huge count", `{"TotalCount":99999999999}`, 0, 0, "not a count"},
		{"text list", `{"TotalCount":1,"OrderList":"x"}`, 0, 0, "not an object"},
		{"array list", `{"TotalCount":1,"OrderList":[]}`, 0, 0, "not an object"},
		{"one object", `{"TotalCount":1,"OrderList":{"Order":` + row + `}}`, 0, 0, "not an array"},
		{"null data", `null`, 0, 0, "there is no Data"},
		{"text data", `"x"`, 0, 0, "there is no Data"},
	} {
		a := received(t, `{"Code":"Success","Success":true,"Data":`+tc.data+`}`)
		p, err := listing(&a, testStream, 20)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v, want %q", tc.name, err, tc.err)
			}
			continue
		}
		if err != nil || p.Total != tc.total || len(p.Orders) != tc.orders || len(p.Rejects) != 0 {
			t.Errorf("%s: %+v, %v", tc.name, p, err)
		}
	}
}

// An odd row never fails its page: it becomes a reject, and the rest goes on.
func TestOddRows(t *testing.T) {
	t.Parallel()
	const good = `"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z"`
	for _, tc := range []struct{ row, reason, order string }{
		{`null`, source.RejectObject, ""},
		{`"x"`, source.RejectObject, ""},
		{`17`, source.RejectObject, ""},
		{`[]`, source.RejectObject, ""},
		{`{}`, source.RejectNoID, ""},
		{`{"OrderId":"","CreateTime":"2024-01-01T00:00:00Z"}`, source.RejectNoID, ""},
		{`{"OrderId":null,"CreateTime":"2024-01-01T00:00:00Z"}`, source.RejectNoID, ""},
		{`{"OrderId":"1"}`, source.RejectNoCreateTime, "1"},
		{`{"OrderId":"1","CreateTime":""}`, source.RejectNoCreateTime, "1"},
		{`{"OrderId":"1","CreateTime":"yesterday"}`, source.RejectTime, "1"},
		{`{"OrderId":"1","CreateTime":"1899-12-31T23:59:59Z"}`, source.RejectTime, "1"},
		{`{"OrderId":"1","CreateTime":"2300-01-01T00:00:00Z"}`, source.RejectTime, "1"},
		{`{"OrderId":"1","CreateTime":1700000000}`, source.RejectType, "1"},
		{`{"OrderId":1e3,"CreateTime":"2024-01-01T00:00:00Z"}`, source.RejectType, ""},
		{`{"OrderId":-1,"CreateTime":"2024-01-01T00:00:00Z"}`, source.RejectType, ""},
		{`{"OrderId":true,"CreateTime":"2024-01-01T00:00:00Z"}`, source.RejectType, ""},
		{`{` + good + `,"Currency":false}`, source.RejectType, "1"},
		{`{` + good + `,"Currency":{}}`, source.RejectType, "1"},
		{`{` + good + `,"Tax":[]}`, source.RejectType, "1"},
		{`{` + good + `,"Tax":true}`, source.RejectType, "1"},
		{`{` + good + `,"Tax":"1,00"}`, source.RejectMoney, "1"},
		{`{` + good + `,"Tax":"0.1234567890123"}`, source.RejectMoney, "1"},
		{`{` + good + `,"Tax":123456789012345678901234567}`, source.RejectMoney, "1"},
		{`{` + good + `,"PaymentTime":"2024-13-01T00:00:00Z"}`, source.RejectTime, "1"},
		{`{` + good + `,"Currency":"CNY","Currency":"USD"}`, source.RejectDuplicateField, "1"},
		{`{` + good + `,"ProductCode":"` + "\xff" + `"}`, source.RejectUTF8, "1"},
	} {
		body := `{"Success":true,"Data":{"TotalCount":3,"OrderList":{"Order":[{"OrderId":"a","CreateTime":"2024-01-01T00:00:00Z"},` +
			tc.row + `,{"OrderId":"b","CreateTime":"2024-01-01T00:00:00Z"}]}}}`
		a := received(t, body)
		p, err := listing(&a, testStream, 20)
		if err != nil {
			t.Errorf("%s: %v", tc.row, err)
			continue
		}
		if len(p.Orders) != 2 || p.Orders[0].OrderID != "a" || p.Orders[1].OrderID != "b" || len(p.Rejects) != 1 {
			t.Errorf("%s: orders %+v, rejects %+v", tc.row, p.Orders, p.Rejects)
			continue
		}
		r := p.Rejects[0]
		if r.Reason != tc.reason || r.OrderID != tc.order || r.Raw != tc.row || r.Stage != schema.RejectList || r.Stream != testStream ||
			len(r.ID) != 16 || r.Message == "" {
			t.Errorf("%s: reject %+v, want reason %s", tc.row, r, tc.reason)
		}
		if strings.Contains(tc.row, "2024-01-01") != !r.CreateTime.IsZero() {
			t.Errorf("%s: CreateTime %v", tc.row, r.CreateTime)
		}
		_, again := (Decoder{}).Order(testStream, tc.row)
		if again == nil || !cmp.Equal(*again, r) {
			t.Errorf("%s: stored payload becomes %+v, the page %+v", tc.row, again, r)
		}
	}
	if _, r := (Decoder{}).Order(testStream, `{"OrderId":`); r == nil || r.Reason != source.RejectJSON {
		t.Errorf("half a payload: %+v", r)
	}
	if _, r := (Decoder{}).Order(testStream, strings.Repeat("[", 1<<20)); r == nil || r.Reason != source.RejectJSON {
		t.Errorf("a deep payload: %v", r.Reason)
	}
}

func TestRejectIDs(t *testing.T) {
	t.Parallel()
	id := func(raw string) string {
		_, r := (Decoder{}).Order(testStream, raw)
		return r.ID
	}
	if id(`{"OrderId":"1"}`) != id(`{"OrderId":"1","Tax":"x"}`) {
		t.Error("the same order has two ids of rejects")
	}
	if id(`{"OrderId":"1"}`) == id(`{"OrderId":"2"}`) || id(`{"Tax":"1"}`) == id(`{"Tax":"2"}`) {
		t.Error("two records share an id")
	}
	_, item := decodeLine(testStream, `{"OrderId":"1","Tax":"x"}`)
	if item.ID == id(`{"OrderId":"1"}`) || item.Stage != schema.RejectItem {
		t.Error("an item's reject hides an order's")
	}
}

func TestOddLines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, lines string
		items       string // ids
		rejects     string // reasons
	}{
		{"no sub order id, one line", `{"OrderId":"1"}`, "1", ""},
		{"no sub order id, two lines", `{"OrderId":"1"},{"OrderId":"1","SubOrderId":"2"}`, "2", source.RejectNoItemID},
		{"numbers", `{"OrderId":1,"SubOrderId":2}`, "2", ""},
		{"other order", `{"OrderId":"9","SubOrderId":"1"},{"OrderId":"1","SubOrderId":"2"}`, "2", source.RejectWrongOrder},
		{"no order", `{"SubOrderId":"1"},{"OrderId":"1","SubOrderId":"2"}`, "2", source.RejectNoID},
		{"same line twice", `{"OrderId":"1","SubOrderId":"2","Tax":1},{"OrderId":"1","SubOrderId":"2","Tax":1}`, "2", ""},
		{"two lines of one id", `{"OrderId":"1","SubOrderId":"2","Tax":1},{"OrderId":"1","SubOrderId":"2","Tax":2}`, "2", source.RejectDuplicateItem},
		{"odd money", `{"OrderId":"1","SubOrderId":"2","Tax":"?"},{"OrderId":"1","SubOrderId":"3"}`, "3", source.RejectMoney},
		{"odd quantity", `{"OrderId":"1","SubOrderId":"2","Quantity":"many"}`, "", source.RejectQuantity},
		{"odd usage time", `{"OrderId":"1","SubOrderId":"2","UsageEndTime":"9999-13-01T00:00:00Z"}`, "", source.RejectTime},
		{"never begins", `{"OrderId":"1","SubOrderId":"2","UsageStartTime":"9999-01-01T00:00:00Z"}`, "", source.RejectTime},
		{"never ends", `{"OrderId":"1","SubOrderId":"2","UsageEndTime":"2999-09-08T16:00:00Z"}`, "2", ""},
		{"dust as text", `{"OrderId":"1","SubOrderId":"2","PretaxAmount":"0.10000000000000001"}`, "", source.RejectMoney},
		{"dust", `{"OrderId":"1","SubOrderId":"2","PretaxAmount":0.10000000000000001}`, "2", ""},
		{"dust, then text", `{"OrderId":"1","SubOrderId":"2","Tax":0.10000000000000001,"PretaxAmount":"0.10000000000000001"}`, "", source.RejectMoney},
		{"odd instances", `{"OrderId":"1","SubOrderId":"2","InstanceIDs":"[[1]]"}`, "", source.RejectType},
		{"odd infos", `{"OrderId":"1","SubOrderId":"2","ExtendInfos":[1]}`, "", source.RejectType},
		{"no object", `null,{"OrderId":"1","SubOrderId":"2"}`, "2", source.RejectObject},
		{"odd create time is the order's matter", `{"OrderId":"1","SubOrderId":"2","CreateTime":"?"}`, "2", ""},
	} {
		a := received(t, `{"Success":true,"Data":{"OrderList":{"Order":[`+tc.lines+`]}}}`)
		d, err := detail(&a, testStream, "1")
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var items, rejects []string
		for _, i := range d.Items {
			items = append(items, i.ItemID)
			if i.OrderID != "1" || !i.CreateTime.IsZero() || i.Version != 7 {
				t.Errorf("%s: %+v", tc.name, i)
			}
		}
		for _, r := range d.Rejects {
			rejects = append(rejects, r.Reason)
			if r.OrderID != "1" || r.Stage != schema.RejectItem || r.Raw == "" {
				t.Errorf("%s: %+v", tc.name, r)
			}
		}
		if strings.Join(items, ",") != tc.items || strings.Join(rejects, ",") != tc.rejects {
			t.Errorf("%s: items %v, rejects %v", tc.name, items, rejects)
		}
	}
}

func TestInstanceIDs(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][]string{
		`null`:                  nil,
		`""`:                    nil,
		`" "`:                   nil,
		`"[]"`:                  nil,
		`"null"`:                nil,
		`[]`:                    nil,
		`"[\"rm-1\"]"`:          {"rm-1"},
		`"[\"rm-1\",\"rm-2\"]"`: {"rm-1", "rm-2"},
		`["rm-1","rm-2"]`:       {"rm-1", "rm-2"},
		`"[17, null, \"\"]"`:    {"17"},
		`"rm-1"`:                {"rm-1"},
		`"17"`:                  {"17"},
		`"\"rm-1\""`:            {"rm-1"},
		`"[rm-1, rm-2]"`:        {"[rm-1, rm-2]"},
		`"[\"\\u4e2d\"]"`:       {"中"},
	} {
		i, r := decodeLine(testStream, `{"OrderId":"1","InstanceIDs":`+value+`}`)
		if r != nil || !cmp.Equal(want, i.InstanceIDs) {
			t.Errorf("%s: %q, %v", value, i.InstanceIDs, r)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	print := func(raw string) uint64 {
		o, r := (Decoder{}).Order(testStream, raw)
		if r != nil {
			t.Fatal(r.Message)
		}
		return o.Fingerprint
	}
	base := print(`{"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z","X":1}`)
	if print(`{ "X":1,  "CreateTime":"2024-01-01T00:00:00Z", "OrderId" : "1"}`) != base {
		t.Error("the order of keys, or white space, changes the fingerprint")
	}
	for _, other := range []string{
		`{"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z","X":2}`,
		`{"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z","X":"1"}`,
		`{"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z","Y":1}`,
		`{"OrderId":"1","CreateTime":"2024-01-01T00:00:00Z"}`,
	} {
		if print(other) == base {
			t.Errorf("%s has the same fingerprint", other)
		}
	}
	if base == 0 {
		t.Error("zero means that no row was seen")
	}
}

// decodeLine decodes a single line as replay does.
func decodeLine(stream schema.Stream, raw string) (schema.Item, *schema.Reject) {
	d := Decoder{}.Detail(stream, gjson.Get(raw, "OrderId").String(), "", []string{raw})
	if len(d.Rejects) > 0 {
		return schema.Item{}, &d.Rejects[0]
	}
	return d.Items[0], nil
}
