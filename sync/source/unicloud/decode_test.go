package unicloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests must not depend on the machine

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

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
	return &wire.Answer{Envelope: e, Action: "Test", Status: 200, Version: 7, FetchedAt: vendortest.UTC("2026-01-02T03:04:05Z")}
}

// The sample of the vendor's document of OrderDetail; only the no-break spaces of its page are plain ones.
func TestVendorsSampleOfADetail(t *testing.T) {
	t.Parallel()
	a := received(t, vendortest.Fixture(t, "order-detail-sample.json"))
	d, err := Decoder{}.detail(a, testStream, "1144119593783001088")
	if err != nil {
		t.Fatal(err)
	}
	const conf = `{"conf":{"地域":"天津","硬盘规格":"高性能HDD云硬盘 50GB","计费模式":"按小时实时付费"}}`
	want := source.Detail{
		PaymentStatus: "PAID", PaymentTime: vendortest.UTC("2019-06-27T05:45:43Z"), Raw: d.Raw,
		Order: &schema.Order{
			Stream: testStream, OrderID: "1144119593783001088", OrderType: "NEW", PaymentStatus: "PAID", ProductCode: "DATA_HARD_DISK",
			SubscriptionType: "postpaid", CreateTime: vendortest.UTC("2019-06-27T05:45:43Z"), PaymentTime: vendortest.UTC("2019-06-27T05:45:43Z"),
			Amounts:   schema.Amounts{PretaxGross: vendortest.Money("0"), Pretax: vendortest.Money("0")},
			ItemCount: 1, FetchedAt: a.FetchedAt, Version: 7, RawDetail: d.Raw,
		},
		Items: []schema.Item{{
			Stream: testStream, OrderID: "1144119593783001088", ItemID: "1144119593787195392", OrderType: "NEW", PaymentStatus: "PAID",
			ProductCode: "DATA_HARD_DISK", CommodityCode: "UNIS_PC_TJ_A_DATADISK_NORMAL-50GB", SubscriptionType: "postpaid",
			PaymentTime: vendortest.UTC("2019-06-27T05:45:43Z"), Amounts: schema.Amounts{PretaxGross: vendortest.Money("0"), Pretax: vendortest.Money("0")},
			InstanceIDs: []string{"35d272a7-4c2b-4079-aa50-45e6f7fa31b6"}, Region: "8b128f0c-e9ad-472c-9c20-451b9f310e94",
			Quantity: vendortest.Money("1"), Config: conf,
			UsageStartTime: vendortest.UTC("2019-06-27T05:45:42Z"), UsageEndTime: vendortest.UTC("2019-06-27T05:45:42Z"),
			ExtendInfos: map[string]string{
				"PayType": "CHARGING_HOURS", "PayTypeName": "按小时实时付费", "PaidAmount": "0", "UpdateTime": "1561614343000",
				"ProductRegionName": "cloudos-tj", "orderNo": "P21784954245923", "productId": "7489", "productName": "DATA_HARD_DISK",
				"productRentUnit": "HOURS", "productRentCount": "0", "isParent": "true",
				"conf.地域": "天津", "conf.硬盘规格": "高性能HDD云硬盘 50GB", "conf.计费模式": "按小时实时付费",
			},
			FetchedAt: a.FetchedAt, Version: 7, Raw: d.Items[0].Raw,
		}},
	}
	if diff := cmp.Diff(want, d, equalMoney); diff != "" {
		t.Error(diff)
	}
	var part map[string]any
	if err := json.Unmarshal([]byte(d.Raw), &part); err != nil || part["OrderNo"] != "P21784954245923" || len(part) != 26 || part["Items"] != nil {
		t.Errorf("%d fields, %v: %s", len(part), err, d.Raw)
	}
	replays(t, Decoder{}, d)
}

// What an order costs after coupons and promotions is shared by its lines, exactly, by their list prices.
func TestFinalPriceIsShared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ order, lines, want string }{
		{`"TotalPrice":100,"CouponAmount":20,"FinalPrice":80,"PaidAmount":80`, `100`, "80"},
		{`"TotalPrice":100,"FinalPrice":100`, `30|"70.00"`, "30 70"},
		{`"TotalPrice":"300","FinalPrice":"100"`, `100|100|100`, "33.333333333333 33.333333333333 33.333333333334"},
		{`"TotalPrice":90,"FinalPrice":0.000000000001`, `30|60`, "0 0.000000000001"},
		{`"TotalPrice":10,"FinalPrice":0`, `4|6`, "0 0"},
		{`"TotalPrice":300,"FinalPrice":270`, `1500|-1200`, "1350 -1080"},
		{`"TotalPrice":-100,"FinalPrice":-80`, `-100`, "-80"},
		{`"TotalPrice":100,"FinalPrice":80`, `100|100`, "40 40"}, // a parent that has the price of its part
		{`"TotalPrice":0,"FinalPrice":5`, `0|0`, "2.5 2.5"},      // by no price, in equal parts
		{`"TotalPrice":99999999999999999999999999.999999999999,"FinalPrice":99999999999999999999999999.999999999999`,
			`99999999999999999999999999.999999999999`, "99999999999999999999999999.999999999999"},
		{`"TotalPrice":1,"FinalPrice":1`, `100000000000000000001|-100000000000000000000.999999999999`, "- -"}, // 10^32 fits no column
		{`"TotalPrice":100`, `60|40`, "- -"},
		{`"FinalPrice":80`, `60|null`, "- -"},
		{`"FinalPrice":80`, `null`, "80"},  // a single line is the order
		{`"FinalPrice":80`, `60|"?"`, "-"}, // one that is rejected may come after all, and then all are shared anew
		{`"FinalPrice":80,"ItemCount":2`, `60|40`, "48 32"},
		{`"FinalPrice":80,"ItemCount":"1"`, `60|40`, "48 32"},
		{`"FinalPrice":80,"ItemCount":3`, `60|40`, "- -"}, // the third one was rejected
		{`"FinalPrice":80`, ``, ""},
	} {
		var lines []string
		for n, price := range strings.Split(c.lines, "|") {
			if price != "" {
				lines = append(lines, fmt.Sprintf(`{"id":%d,"totalPrice":%s}`, n+1, price))
			}
		}
		d := Decoder{}.Detail(testStream, "1", `{"Id":"1","CreateTime":1561614343000,`+c.order+`}`, lines)
		var got []string
		for _, i := range d.Items {
			share := "-"
			if i.Pretax.Valid {
				share = i.Pretax.Decimal.String()
			}
			got = append(got, share)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s of %s: %v, want %s", c.lines, c.order, got, c.want)
		}
		if len(d.Rejects) == 0 {
			slices.Reverse(lines) // the warehouse has the lines in another order than the vendor
			again := Decoder{}.Detail(testStream, "1", d.Raw, lines)
			slices.Reverse(again.Items)
			if diff := cmp.Diff(d.Items, again.Items, equalMoney); diff != "" {
				t.Errorf("%s of %s, the other way round: %s", c.lines, c.order, diff)
			}
		}
	}
}

// replays checks that stored payloads make the same rows again.
func replays(t *testing.T, decoder Decoder, d source.Detail) {
	t.Helper()
	raws := make([]string, len(d.Items))
	for n := range d.Items {
		raws[n] = d.Items[n].Raw
		d.Items[n].Version, d.Items[n].FetchedAt = 0, time.Time{}
	}
	order := ""
	if d.Order != nil {
		o := *d.Order
		o.Version, o.FetchedAt = 0, time.Time{}
		d.Order, order = &o, o.OrderID
	}
	again := decoder.Detail(testStream, order, d.Raw, raws)
	again.Items = append([]schema.Item{}, again.Items...)
	d.Items = append([]schema.Item{}, d.Items...)
	if diff := cmp.Diff(d, again, equalMoney); diff != "" {
		t.Errorf("replay makes another detail:\n%s", diff)
	}
}

// A row with all fields that the vendor documents, in the forms that the sample and the sibling service's samples have.
const fullRow = `{"Id":"1144119593783001089","OrderNo":"P21784954245923","UserId":"1","UserName":"haha","AccountId":"2","AccountName":"h",
	"OrderStatus":"PAID","OrderCategory":"RENEW","PayType":"DAY_MONTH","ChargeType":"prepaid","ProductCategory":"DATA_HARD_DISK",
	"PromotionRule":"","ProductRegionId":"r","ProductRegionName":"tj","InstanceId":"i-1","Note":null,"IsOffine":false,"IsInvoice":true,
	"PayTime":1561614343000,"CreateTime":1561614342999,"UpdateTime":1561614343000,"TotalPrice":12.30,"CouponAmount":0,
	"PromotionAmount":0.01,"FinalPrice":12.29,"PaidAmount":12.29}`

func TestListing(t *testing.T) {
	t.Parallel()
	const textRow = `{" Id ": 1144119593783001099, "OrderStatus ":"UNPAID","CreateTime":"2019-06-27 13:45:43","PayTime":null,` +
		`"TotalPrice":"1,234.5000","FinalPrice":"0.0001","ChargeType":null}`
	a := received(t, `{"TotalCount":31,"PageNum":1,"PageSize":10,"OrderList":{"Order":[`+fullRow+`,`+textRow+`]}}`)
	p, err := Decoder{}.page(a, testStream, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := source.Page{Total: 31, Orders: []schema.Order{
		{
			Stream: testStream, OrderID: "1144119593783001089", OrderType: "RENEW", PaymentStatus: "PAID", ProductCode: "DATA_HARD_DISK",
			SubscriptionType: "prepaid", CreateTime: vendortest.UTC("2019-06-27T05:45:42.999Z"), PaymentTime: vendortest.UTC("2019-06-27T05:45:43Z"),
			Amounts:     schema.Amounts{PretaxGross: vendortest.Money("12.3"), Pretax: vendortest.Money("12.29")},
			Fingerprint: p.Orders[0].Fingerprint, Version: 7, FetchedAt: a.FetchedAt, Raw: fullRow,
		},
		{
			Stream: testStream, OrderID: "1144119593783001099", PaymentStatus: "UNPAID", CreateTime: vendortest.UTC("2019-06-27T05:45:43Z"),
			Amounts:     schema.Amounts{PretaxGross: vendortest.Money("1234.5"), Pretax: vendortest.Money("0.0001")},
			Fingerprint: p.Orders[1].Fingerprint, Version: 7, FetchedAt: a.FetchedAt, Raw: textRow,
		},
	}}
	if d := cmp.Diff(want, p, equalMoney); d != "" {
		t.Error(d)
	}
	if !schema.IsUnpaid(p.Orders[1].PaymentStatus) {
		t.Error("an unpaid order is not taken for one")
	}
	for _, o := range p.Orders {
		stored, reject := Decoder{}.Order(testStream, o.Raw)
		o.Version, o.FetchedAt = 0, time.Time{}
		if d := cmp.Diff(o, stored, equalMoney); reject != nil || d != "" {
			t.Errorf("replay: %+v\n%s", reject, d)
		}
	}
	east, _ := Decoder{Location: time.UTC}.Order(testStream, textRow)
	if !east.CreateTime.Equal(vendortest.UTC("2019-06-27T13:45:43Z")) {
		t.Errorf("in UTC it is %v", east.CreateTime)
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	print := func(raw string) uint64 {
		o, r := Decoder{}.Order(testStream, raw)
		if r != nil {
			t.Fatal(r.Message)
		}
		return o.Fingerprint
	}
	base := print(`{"Id":"1","CreateTime":1,"X":1}`)
	if base == 0 || print(`{ "X":1, "CreateTime" : 1, "Id":"1"}`) != base {
		t.Error("the order of keys, or white space, changes the fingerprint")
	}
	for _, other := range []string{`{"Id":"1","CreateTime":1,"X":2}`, `{"Id":"1","CreateTime":1}`, `{"Id":"1","CreateTime":1,"X":1,"Note":null}`} {
		if print(other) == base {
			t.Errorf("%s has the same fingerprint", other)
		}
	}
}

// An odd row never fails its page: it becomes a reject, and the rest goes on.
func TestOddRows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ row, reason, order string }{
		{`null`, source.RejectObject, ""},
		{`[]`, source.RejectObject, ""},
		{`{}`, source.RejectNoID, ""},
		{`{"Id":1e3,"CreateTime":1}`, source.RejectType, ""},
		{`{"Id":true,"CreateTime":1}`, source.RejectType, ""},
		{`{"Id":"1"}`, source.RejectNoCreateTime, "1"},
		{`{"Id":"1","CreateTime":null}`, source.RejectNoCreateTime, "1"},
		{`{"Id":"1","CreateTime":"yesterday"}`, source.RejectTime, "1"},
		{`{"Id":"1","CreateTime":99999999999999}`, source.RejectTime, "1"},
		{`{"Id":"1","CreateTime":{}}`, source.RejectType, "1"},
		{`{"Id":"1","CreateTime":1,"PayTime":"2019-06-27"}`, source.RejectTime, "1"},
		{`{"Id":"1","CreateTime":1,"TotalPrice":"free"}`, source.RejectMoney, "1"},
		{`{"Id":"1","CreateTime":1,"FinalPrice":0.1234567890123}`, source.RejectMoney, "1"},
		{`{"Id":"1","CreateTime":1,"OrderStatus":["PAID"]}`, source.RejectType, "1"},
		{`{"Id":"1","CreateTime":1,"OrderStatus":"PAID"," OrderStatus":"NEW"}`, source.RejectDuplicateField, "1"},
		{`{"Id":"1","CreateTime":1,"Note":"` + "\xff" + `"}`, source.RejectUTF8, "1"},
	} {
		a := received(t, `{"TotalCount":"3","OrderList":{"Order":[{"Id":"a","CreateTime":1},`+tc.row+`,{"Id":"b","CreateTime":1}]}}`)
		p, err := Decoder{}.page(a, testStream, 20)
		if err != nil || len(p.Orders) != 2 || len(p.Rejects) != 1 || p.Total != 3 {
			t.Errorf("%s: %+v, %v", tc.row, p, err)
			continue
		}
		if r := p.Rejects[0]; r.Reason != tc.reason || r.OrderID != tc.order || r.Raw != tc.row || r.Stage != schema.RejectList || r.Stream != testStream {
			t.Errorf("%s: reject %+v, want reason %s", tc.row, r, tc.reason)
		}
		if _, again := (Decoder{}).Order(testStream, tc.row); again == nil || !cmp.Equal(*again, p.Rejects[0]) {
			t.Errorf("%s: stored payload becomes %+v", tc.row, again)
		}
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{ // empty: good
		`{"TotalCount":0}`:                                        "",
		`{"TotalCount":0,"OrderList":null}`:                       "",
		`{"TotalCount":0,"OrderList":{}}`:                         "",
		`{"TotalCount":0,"OrderList":{"Order":null}}`:             "",
		`{" TotalCount ":0,"OrderList ":{"Order":[]}}`:            "",
		`{"Code":"200","TotalCount":0,"OrderList":{"Order":[]}}`:  "",
		`{"OrderList":{"Order":[]}}`:                              "TotalCount is missing",
		`{}`:                                                      "TotalCount is missing",
		`{"TotalCount":-1}`:                                       "not a count",
		`{"TotalCount":1,"OrderList":[]}`:                         "OrderList is not an object",
		`{"TotalCount":1,"OrderList":{"Order":{"Id":"1"}}}`:       "Order is not an array",
		`{"TotalCount":99999999999,"OrderList":{"Order":"none"}}`: "not a count",
	} {
		_, err := Decoder{}.page(received(t, body), testStream, 20)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	for body, want := range map[string]string{
		`{"Order":{"Id":"1"}}`:                                   "",
		`{"Order":{"Id":1,"Items":null}}`:                        "",
		`{"Order":{"Id":"1","Items":[],"ItemCount":0}}`:          "",
		`{"Order":{"Id":"1","Items":[{"id":2}],"ItemCount":0}}`:  "",
		`{"Order":{"Id":"1","Items":[{"id":2}],"ItemCount":2}}`:  "the Items are 1, and ItemCount is 2",
		`{"Order":{"Id":"1","Items":null,"ItemCount":1}}`:        "the Items are 0",
		`{"Order":{"Id":"1","ItemCount":"many"}}`:                "ItemCount is not a count",
		`{"Order":{"Id":"2"}}`:                                   "the detail is of order 2",
		`{"Order":{"Items":[]}}`:                                 errNoOrder.Error(),
		`{"Order":{}}`:                                           errNoOrder.Error(),
		`{"Order":null}`:                                         errNoOrder.Error(),
		`{"Order":[]}`:                                           "Order is not an object",
		`{"Order":{"Id":"1","Items":{"id":1}}}`:                  "Items is not an array",
		`{"TotalCount":1}`:                                       "there is no Order",
		`{" Order ":{" Id ":"1"," Items ":[{" id ":1}]}}`:        "",
		`{"Order":{"Id":"1","CreateTime":1,"Items":[{"id":2}]}}`: "",
	} {
		d, err := Decoder{}.detail(received(t, body), testStream, "1")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v, want %q", body, d, err, want)
		}
	}
}

func TestOddDetails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, order, lines string // beside Id and CreateTime
		items, rejects     string
	}{
		{"ids as text", ``, `{"id":"2","orderId":"1"}`, "2", ""},
		{"no order id", ``, `{"id":2}`, "2", ""},
		{"no id", ``, `{"orderId":1}`, "", source.RejectNoItemID},
		{"other order", ``, `{"id":2,"orderId":9},{"id":3}`, "3", source.RejectWrongOrder},
		{"odd money in the order", `"TotalPrice":"?",`, `{"id":2}`, "2", source.RejectMoney},
		{"odd time in the order", `"PayTime":"?",`, `{"id":2}`, "2", source.RejectTime},
		{"odd money in a line", ``, `{"id":2,"totalPrice":"?"},{"id":3}`, "3", source.RejectMoney},
		{"odd quantity", ``, `{"id":2,"quantity":"many"}`, "", source.RejectQuantity},
		{"never ends", ``, `{"id":2,"productEndTime":253402271999000}`, "2", ""},
		{"odd end", ``, `{"id":2,"productEndTime":"?"}`, "", source.RejectTime},
		{"odd info", ``, `{"id":2,"productId":[1]}`, "", source.RejectType},
		{"no object", ``, `7,{"id":3}`, "3", source.RejectObject},
		{"the same line twice", ``, `{"id":2},{"id":2}`, "2", ""},
		{"two lines of one id", ``, `{"id":2},{"id":"2"}`, "2", source.RejectDuplicateItem},
		{"null and odd descriptions", ``, `{"id":2,"productDescription":null},{"id":3,"productDescription":"plain"},{"id":4,"productDescription":"{\"conf\":[1]}"}`, "2,3,4", ""},
	} {
		a := received(t, `{"Order":{"Id":"1",`+tc.order+`"CreateTime":1561614343000,"Items":[`+tc.lines+`]}}`)
		d, err := Decoder{}.detail(a, testStream, "1")
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
			if r.OrderID != "1" || r.Stage != schema.RejectItem || r.Raw == "" || r.CreateTime.IsZero() || len(r.ID) != 16 {
				t.Errorf("%s: %+v", tc.name, r)
			}
		}
		if strings.Join(items, ",") != tc.items || strings.Join(rejects, ",") != tc.rejects || (d.Order == nil) != (tc.order != "") {
			t.Errorf("%s: items %v, rejects %v, order %+v", tc.name, items, rejects, d.Order)
		}
		if len(d.Rejects) == 0 {
			replays(t, Decoder{}, d)
		}
	}
	d := Decoder{}.Detail(testStream, "1", `{"Id":`, []string{`{"id":2}`, `{`})
	if len(d.Items) != 1 || len(d.Rejects) != 2 || d.Rejects[0].Reason != source.RejectJSON || d.Rejects[1].Reason != source.RejectJSON || d.Rejects[0].ID == d.Rejects[1].ID {
		t.Errorf("%+v", d)
	}
}

// FuzzAnswer: no answer makes a panic, every row of a page and every line of a detail is a row or a reject, and stored
// payloads make the same rows again.
func FuzzAnswer(f *testing.F) {
	f.Add(vendortest.Fixture(f, "order-detail-sample.json"))
	f.Add(`{"TotalCount":2,"OrderList":{"Order":[` + fullRow + `,7]}}`)
	f.Add(`{" Order":{"Id ":"1144119593783001088","CreateTime":"2019-06-27 13:45:43","Items":[{"id":1,"productDescription":"{\"conf\":{\"a\":[1]}}"},{"id":1}]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		e, err := parseEnvelope(body)
		if err != nil || e.Failed {
			return
		}
		a := &wire.Answer{Envelope: e, Version: 7}
		if p, err := (Decoder{}).page(a, testStream, 20); err == nil {
			for _, o := range p.Orders {
				again, r := Decoder{}.Order(testStream, o.Raw)
				o.Version = 0
				if r != nil || !cmp.Equal(o, again, equalMoney) || o.OrderID == "" || o.CreateTime.IsZero() || o.Fingerprint == 0 {
					t.Fatalf("%+v\n%+v\n%+v", o, again, r)
				}
			}
			for _, r := range p.Rejects {
				if r.Raw == "" || r.Reason == "" || r.ID == "" {
					t.Fatalf("%+v", r)
				}
			}
		}
		if d, err := (Decoder{}).detail(a, testStream, "1144119593783001088"); err == nil {
			if d.Raw == "" || !json.Valid([]byte(d.Raw)) {
				t.Fatalf("%q", d.Raw)
			}
			for _, i := range d.Items {
				if i.ItemID == "" || i.OrderID != "1144119593783001088" || !json.Valid([]byte(i.Raw)) {
					t.Fatalf("%+v", i)
				}
			}
			if len(d.Rejects) == 0 && d.Order != nil {
				replays(t, Decoder{}, d)
			}
		}
	})
}
