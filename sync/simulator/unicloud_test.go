package simulator

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func unicloudAccount(orders int, change ...func(*Options)) *Account {
	return testAccount(orders, append([]func(*Options){func(o *Options) { o.Vendor = VendorUniCloud }}, change...)...)
}

// unicloudRows are the rows of an answer of QueryOrders.
func unicloudRows(m map[string]any) (rows []map[string]any) {
	list, _ := m["OrderList"].(map[string]any)
	all, _ := list["Order"].([]any)
	for _, row := range all {
		rows = append(rows, row.(map[string]any))
	}
	return rows
}

// unicloudList reads all pages over the wire.
func unicloudList(t testing.TB, s *Server, a *Account, args ...string) (rows []map[string]any) {
	t.Helper()
	for page := 1; ; page++ {
		status, m := answer(t, s, v1Signed(a, "GET", "", append([]string{"Action", "QueryOrders", "Page", strconv.Itoa(page), "Size", "50"}, args...)...))
		if status != 200 || m["RequestId"] != nil || m["Code"] != nil || m["PageNum"] != json.Number(strconv.Itoa(page)) || m["PageSize"] != json.Number("50") {
			t.Fatalf("page %d: %d %.300v", page, status, m)
		}
		got := unicloudRows(m)
		if rows = append(rows, got...); len(got) == 0 {
			if m["TotalCount"] != json.Number(strconv.Itoa(len(rows))) {
				t.Fatalf("%d rows, TotalCount %v", len(rows), m["TotalCount"])
			}
			return rows
		}
	}
}

func unicloudDetail(t testing.TB, s *Server, a *Account, id string) map[string]any {
	t.Helper()
	status, m := answer(t, s, v1Signed(a, "GET", "", "Action", "OrderDetail", "OrderId", id))
	order, ok := m["Order"].(map[string]any)
	if status != 200 || !ok || len(m) != 1 {
		t.Fatalf("%d %v", status, m)
	}
	return order
}

// millisOf reads milliseconds since 1970; null is no time.
func millisOf(t testing.TB, v any) time.Time {
	t.Helper()
	if v == nil {
		return time.Time{}
	}
	n, err := strconv.ParseInt(string(v.(json.Number)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(n).UTC()
}

func numberOf(t testing.TB, v any) decimal.NullDecimal {
	t.Helper()
	d, err := decimal.NewFromString(string(v.(json.Number)))
	if err != nil {
		t.Fatal(err)
	}
	return decimal.NewNullDecimal(d)
}

// readUniCloud makes an Order of what the wire says of one.
func readUniCloud(t testing.TB, row, detail map[string]any) Order {
	t.Helper()
	for _, k := range []string{"Id", "OrderNo", "OrderStatus", "OrderCategory", "PayType", "ChargeType", "CreateTime", "PayTime", "UpdateTime", "TotalPrice", "FinalPrice", "PaidAmount"} {
		if row[k] != detail[k] {
			t.Fatalf("%s is %v in the row and %v in the detail", k, row[k], detail[k])
		}
	}
	text := func(m map[string]any, k string) string { s, _ := m[k].(string); return s }
	o := Order{
		OrderID: text(row, "Id"), OrderType: text(row, "OrderCategory"), PaymentStatus: text(row, "OrderStatus"),
		ProductCode: text(row, "ProductCategory"), SubscriptionType: text(row, "ChargeType"),
		CreateTime: millisOf(t, row["CreateTime"]), PaymentTime: millisOf(t, row["PayTime"]),
		Prices: Prices{PretaxGross: numberOf(t, row["TotalPrice"]), Pretax: numberOf(t, row["FinalPrice"])},
	}
	want := "0"
	if o.PaymentStatus == "PAID" {
		want = numberOf(t, row["FinalPrice"]).Decimal.String()
	}
	if got := numberOf(t, row["PaidAmount"]).Decimal.String(); got != want {
		t.Errorf("order %s: %s of %s paid", o.OrderID, got, want)
	}
	if row["TotalPrice"] != row["FinalPrice"] && numberOf(t, row["PromotionAmount"]).Decimal.IsZero() {
		t.Errorf("order %s: a price reduced by nothing", o.OrderID)
	}
	for i, v := range detail["Items"].([]any) {
		m := v.(map[string]any)
		id := string(m["id"].(json.Number))
		if string(m["orderId"].(json.Number)) != o.OrderID || m["orderNo"] != row["OrderNo"] || len(id) != 19 || m["isParent"] != (i == 0) {
			t.Errorf("order %s: item %v", o.OrderID, m)
		}
		if n, _ := strconv.ParseInt(id, 10, 64); int64(float64(n)) == n {
			t.Errorf("item %s survives a float", id)
		}
		item := Item{
			ItemID: id, Quantity: int(numberOf(t, m["quantity"]).Decimal.IntPart()), Prices: Prices{PretaxGross: numberOf(t, m["totalPrice"])},
			UsageStartTime: millisOf(t, m["productStartTime"]), UsageEndTime: millisOf(t, m["productEndTime"]),
			Config: text(m, "productDescription"), Region: text(detail, "ProductRegionId"),
		}
		if m["instanceId"] != nil {
			item.InstanceIDs = []string{text(m, "instanceId")}
		}
		var description struct{ Conf map[string]string }
		if err := json.Unmarshal([]byte(item.Config), &description); err != nil || description.Conf["地域"] == "" || len(description.Conf) != 3 {
			t.Errorf("order %s: description %s", o.OrderID, item.Config)
		}
		o.Items = append(o.Items, item)
	}
	if string(detail["ItemCount"].(json.Number)) != strconv.Itoa(len(o.Items)) {
		t.Errorf("order %s: ItemCount %v", o.OrderID, detail["ItemCount"])
	}
	return o
}

// observeUniCloud computes a Truth from the wire and compares every order with Account.Order.
func observeUniCloud(t testing.TB, s *Server, a *Account) Truth {
	t.Helper()
	truth := Truth{Statuses: map[string]int{}, OrderAmounts: map[string]Amounts{}, ItemAmounts: map[string]Amounts{}}
	var orders, items Amounts
	for _, row := range unicloudList(t, s, a) {
		o := readUniCloud(t, row, unicloudDetail(t, s, a, row["Id"].(string)))
		want, ok := a.Order(o.OrderID)
		price := decimal.Zero
		for n := range want.Items { // a line has no price on the wire
			price, want.Items[n].Pretax = price.Add(want.Items[n].Pretax.Decimal), decimal.NullDecimal{}
		}
		if len(want.Items) > 0 && !price.Equal(want.Pretax.Decimal) {
			t.Fatalf("the lines of %s cost %s, and the order %s", o.OrderID, price, want.Pretax.Decimal)
		}
		items.Pretax = items.Pretax.Add(price)
		if !ok || !cmp.Equal(want, o) {
			t.Fatalf("truth (-) and wire (+) differ:\n%s", cmp.Diff(want, o))
		}
		truth.Orders++
		truth.Statuses[o.PaymentStatus]++
		truth.IDDigest ^= xxhash.Sum64String(o.OrderID)
		orders.PretaxGross = orders.PretaxGross.Add(o.PretaxGross.Decimal)
		orders.Pretax = orders.Pretax.Add(o.Pretax.Decimal)
		for _, i := range o.Items {
			truth.Items++
			truth.ItemIDDigest ^= xxhash.Sum64String(i.ItemID)
			items.PretaxGross = items.PretaxGross.Add(i.PretaxGross.Decimal)
		}
	}
	truth.OrderAmounts[""], truth.ItemAmounts[""] = orders, items
	return truth
}

func TestUniCloudTruthIsTheWire(t *testing.T) {
	a := unicloudAccount(1500)
	s := New(a)
	got := observeUniCloud(t, s, a)
	if d := cmp.Diff(a.Truth(time.Time{}, time.Time{}), got); d != "" {
		t.Errorf("truth (-) and wire (+) differ:\n%s", d)
	}
	if got.Orders != 1500 || len(got.Statuses) != 3 || got.Statuses["PAID"] < 1000 || got.Statuses["UNPAID"] == 0 {
		t.Errorf("%+v", got)
	}
	for _, id := range a.IDs(time.Time{}, time.Time{}) {
		if n, err := strconv.ParseInt(id, 10, 64); len(id) != 19 || err != nil || int64(float64(n)) == n {
			t.Fatalf("order id %s survives a float", id)
		}
	}

	// Changes show, and move UpdateTime.
	a.o.Now = fixedClock(a.o.To.Add(time.Hour))
	unpaid := a.Unpaid()
	before := unicloudDetail(t, s, a, unpaid[0])
	if a.Pay(unpaid[0]) != nil || a.Cancel(unpaid[1]) != nil || a.Change(unpaid[2]) != nil {
		t.Fatal("an unpaid order cannot be changed")
	}
	after := unicloudDetail(t, s, a, unpaid[0])
	if before["PayTime"] != nil || after["OrderStatus"] != "PAID" || !millisOf(t, after["UpdateTime"]).Equal(a.o.Now()) || after["PaidAmount"] != after["FinalPrice"] {
		t.Errorf("before %v\nafter %v", before, after)
	}
	added := a.Add(2, a.o.To.Add(time.Minute))
	for _, id := range a.IDs(time.Time{}, time.Time{}) {
		if o, _ := a.Order(id); len(o.Items) > 1 {
			if err := a.DropItem(id); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if d := cmp.Diff(a.Truth(time.Time{}, time.Time{}), observeUniCloud(t, s, a)); d != "" || len(added[0]) != 19 || a.DetailCalls(unpaid[0]) < 3 {
		t.Errorf("after changes, truth (-) and wire (+) differ:\n%s", d)
	}
}

// A detail has the keys and types of the documented sample, and the listing's rows are those of its table.
func TestUniCloudSample(t *testing.T) {
	a := unicloudAccount(500)
	s := New(a)
	want := shape(sample(t, "unicloud-order-detail.json")["Order"])
	seen := 0
	for _, row := range unicloudList(t, s, a) {
		if row["PayType"] == "CHARGING_HOURS" {
			seen++
			if d := cmp.Diff(want, shape(unicloudDetail(t, s, a, row["Id"].(string)))); d != "" {
				t.Fatalf("sample (-) and detail (+) differ:\n%s", d)
			}
		}
		wantRow := map[string]any{}
		for types, keys := range map[string]string{
			"string": "Id OrderNo UserId UserName AccountId AccountName OrderStatus OrderCategory PayType ChargeType ProductCategory ProductRegionId ProductRegionName",
			"bool":   "IsOffine IsInvoice", "number": "CreateTime UpdateTime PayTime TotalPrice CouponAmount PromotionAmount FinalPrice PaidAmount",
			"null": "Note PromotionRule InstanceId",
		} {
			for key := range strings.FieldsSeq(keys) {
				wantRow[key] = types
			}
		}
		if row["OrderCategory"] == "RENEW" {
			wantRow["InstanceId"] = "string"
		}
		if row["OrderStatus"] != "PAID" {
			wantRow["PayTime"] = "null"
		}
		if d := cmp.Diff(any(wantRow), shape(row)); d != "" {
			t.Fatalf("table (-) and row (+) differ:\n%s", d)
		}
	}
	if seen == 0 {
		t.Error("no order is paid by the hour")
	}
}

// Filters have no zone: what they mean is the account's.
func TestUniCloudTimes(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip(err)
	}
	for name, zone := range map[string]*time.Location{"": nil, "UTC": time.UTC, "New York": newYork} {
		a := unicloudAccount(0, func(o *Options) { o.Zone, o.OldestFirst, o.DatesAsText = zone, true, name == "UTC" })
		if zone == nil {
			zone = time.FixedZone("", 8*3600)
		}
		s := New(a)
		start := time.Date(2026, 3, 5, 0, 0, 0, 0, zone)
		for _, at := range []time.Duration{-time.Second, 0, time.Minute, time.Hour, time.Hour + time.Second} {
			a.Add(1, start.Add(at))
		}
		all := a.IDs(time.Time{}, time.Time{})
		for _, c := range []struct {
			args []string
			want []string
		}{
			{nil, all},
			{[]string{"StartTime", "2026-03-05 00:00:00", "EndTime", "2026-03-05 01:00:00"}, all[1:4]},
			{[]string{"StartTime", "2026-03-05 00:00:01"}, all[2:]},
			{[]string{"EndTime", "2026-03-04 23:59:59"}, all[:1]},
			{[]string{"StartTime", "2026-03-06 00:00:00"}, nil},
		} {
			rows := unicloudList(t, s, a, c.args...)
			var got []string
			for _, row := range rows {
				got = append(got, row["Id"].(string))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v: %v, want %v", name, c.args, got, c.want)
			}
			if text, ok := rowValue(rows, "CreateTime").(string); ok != (name == "UTC" && rows != nil) {
				t.Errorf("%s: CreateTime is %v", name, rowValue(rows, "CreateTime"))
			} else if ok {
				if _, err := time.Parse(localLayout, text); err != nil {
					t.Error(err)
				}
			}
		}
		var seen FaultRequest
		a.SetFault(func(q FaultRequest) Action { seen = q; return Action{} })
		unicloudList(t, s, a, "StartTime", "2026-03-05 00:00:00")
		if !seen.Start.Equal(start) || !seen.End.IsZero() || seen.API != "QueryOrders" || seen.Version != "2020-07-30" || seen.Size != 50 {
			t.Errorf("%s: the fault sees %+v", name, seen)
		}
	}
}

func rowValue(rows []map[string]any, key string) any {
	if len(rows) == 0 {
		return nil
	}
	return rows[0][key]
}

func TestUniCloudFilters(t *testing.T) {
	a := unicloudAccount(600)
	s := New(a)
	all := unicloudList(t, s, a)
	for _, args := range [][]string{
		{"PayType", "DAY_MONTH"}, {"ProductCategory", "DATA_HARD_DISK"}, {"PayType", "YEAR_MONTH", "ProductCategory", "RDS"},
		{"PayType", "day_month"}, {"OrderStatus", "2"}, {"OrderCategory", "1"}, // the last two mean nothing that is known
	} {
		want := 0
		for _, row := range all {
			keep := true
			for i := 0; i < len(args); i += 2 {
				keep = keep && (row[args[i]] == args[i+1] || strings.HasPrefix(args[i], "Order"))
			}
			if keep {
				want++
			}
		}
		if got := unicloudList(t, s, a, args...); len(got) != want || want == 0 != (args[1] == "day_month") {
			t.Errorf("%v: %d rows, want %d", args, len(got), want)
		}
	}
}
