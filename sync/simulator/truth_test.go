package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// amount reads an amount as it came: a string or a JSON number.
func amount(t testing.TB, row map[string]any, key string) decimal.NullDecimal {
	t.Helper()
	v, ok := row[key]
	if !ok {
		return decimal.NullDecimal{}
	}
	d, err := decimal.NewFromString(fmt.Sprint(v))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return decimal.NewNullDecimal(d)
}

func (s Amounts) plus(t testing.TB, row map[string]any) Amounts {
	t.Helper()
	return Amounts{
		PretaxGross: s.PretaxGross.Add(amount(t, row, "PretaxGrossAmount").Decimal),
		Pretax:      s.Pretax.Add(amount(t, row, "PretaxAmount").Decimal),
		PretaxLocal: s.PretaxLocal.Add(amount(t, row, "PretaxAmountLocal").Decimal),
		Tax:         s.Tax.Add(amount(t, row, "Tax").Decimal),
		AfterTax:    s.AfterTax.Add(amount(t, row, "AfterTaxAmount").Decimal),
	}
}

// observe computes a Truth from what the wire says, and checks every order of it against Account.Order.
func observe(t testing.TB, s *Server, a *Account, from, to time.Time) Truth {
	t.Helper()
	truth := Truth{Statuses: map[string]int{}, OrderAmounts: map[string]Amounts{}, ItemAmounts: map[string]Amounts{}}
	for _, row := range list(t, s, a, from, to.Add(-time.Second)) {
		id := row["OrderId"].(string)
		truth.Orders++
		status, _ := row["PaymentStatus"].(string)
		truth.Statuses[status]++
		truth.IDDigest ^= xxhash.Sum64String(id)
		currency := row["Currency"].(string)
		truth.OrderAmounts[currency] = truth.OrderAmounts[currency].plus(t, row)

		detail := callAPI(t, s, a, "GetOrderDetail", "OrderId", id)
		for _, item := range detail.rows() {
			truth.Items++
			truth.ItemIDDigest ^= xxhash.Sum64String(item["SubOrderId"].(string))
			truth.ItemAmounts[currency] = truth.ItemAmounts[currency].plus(t, item)
		}
		seen, _ := a.Order(id)
		if d := cmp.Diff(seen, read(t, row, detail.rows())); d != "" {
			t.Fatalf("order %s: truth (-) and wire (+) differ:\n%s\n%s", id, d, detail.raw)
		}
	}
	return truth
}

// read makes an Order of wire rows.
func read(t testing.TB, row map[string]any, items []map[string]any) Order {
	t.Helper()
	text := func(m map[string]any, k string) string { s, _ := m[k].(string); return s }
	at := func(m map[string]any, k string) (v time.Time) {
		if s := text(m, k); s != "" {
			var err error
			if v, err = time.Parse(time.RFC3339, s); err != nil {
				t.Fatal(err)
			}
		}
		return v
	}
	o := Order{
		OrderID: text(row, "OrderId"), RelatedOrderID: text(row, "RelatedOrderId"), OrderType: text(row, "OrderType"),
		PaymentStatus: text(row, "PaymentStatus"), ProductCode: text(row, "ProductCode"), ProductType: text(row, "ProductType"),
		CommodityCode: text(row, "CommodityCode"), SubscriptionType: text(row, "SubscriptionType"),
		CreateTime: at(row, "CreateTime"), PaymentTime: at(row, "PaymentTime"),
		Currency: text(row, "Currency"), PaymentCurrency: text(row, "PaymentCurrency"),
		Prices: Prices{PretaxGross: amount(t, row, "PretaxGrossAmount"), Pretax: amount(t, row, "PretaxAmount"),
			PretaxLocal: amount(t, row, "PretaxAmountLocal"), Tax: amount(t, row, "Tax"), AfterTax: amount(t, row, "AfterTaxAmount")},
	}
	for _, m := range items {
		i := Item{
			ItemID: text(m, "SubOrderId"), OrderSubType: text(m, "OrderSubType"), Region: text(m, "Region"),
			Config: text(m, "Config"), OriginalConfig: text(m, "OriginalConfig"), Operator: text(m, "Operator"),
			UsageStartTime: at(m, "UsageStartTime"), UsageEndTime: at(m, "UsageEndTime"),
			Prices: Prices{PretaxGross: amount(t, m, "PretaxGrossAmount"), Pretax: amount(t, m, "PretaxAmount"),
				PretaxLocal: amount(t, m, "PretaxAmountLocal"), Tax: amount(t, m, "Tax"), AfterTax: amount(t, m, "AfterTaxAmount")},
			Quantity: int(amount(t, m, "Quantity").Decimal.IntPart()),
		}
		if i.OrderSubType == strings.ToLower(i.OrderSubType) {
			i.Lower = true
			i.OrderSubType = strings.NewReplacer("productsuborder", "ProductSubOrder", "refundsuborder", "RefundSubOrder").Replace(i.OrderSubType)
		}
		if s := text(m, "InstanceIDs"); s != "" {
			if err := json.Unmarshal([]byte(s), &i.InstanceIDs); err != nil {
				t.Fatal(err)
			}
		} else if list, ok := m["InstanceIDs"].([]any); ok {
			for _, v := range list {
				i.InstanceIDs = append(i.InstanceIDs, v.(string))
			}
		}
		if infos, ok := m["ExtendInfos"].(map[string]any); ok {
			i.ExtendInfos = map[string]string{}
			for k, v := range infos {
				i.ExtendInfos[k] = v.(string)
			}
		}
		for _, k := range []string{"OrderId", "CreateTime", "PaymentTime", "Currency", "ProductCode", "SubscriptionType", "RelatedOrderId"} {
			if m[k] != row[k] {
				t.Fatalf("order %s: %s is %v in the row and %v in the line", o.OrderID, k, row[k], m[k])
			}
		}
		if !strings.EqualFold(text(m, "PaymentStatus"), o.PaymentStatus) || !strings.EqualFold(text(m, "OrderType"), o.OrderType) {
			t.Fatalf("order %s: status or type differ between row and line", o.OrderID)
		}
		o.Items = append(o.Items, i)
	}
	return o
}

// The truth is what a naive reader of the wire adds up.
func TestTruthIsTheWire(t *testing.T) {
	for _, site := range []string{SiteChina, SiteInternational} {
		t.Run(site, func(t *testing.T) {
			t.Parallel()
			a := testAccount(3000, func(o *Options) { o.Site, o.Seed = site, 11 })
			s := New(a)
			from, to := a.o.From, a.o.To
			got := observe(t, s, a, from, to)
			if d := cmp.Diff(a.Truth(from, to), got); d != "" {
				t.Errorf("truth (-) and wire (+) differ:\n%s", d)
			}
			if d := cmp.Diff(a.Truth(time.Time{}, time.Time{}), got); d != "" {
				t.Errorf("the open range differs:\n%s", d)
			}
			if got.Orders != 3000 || got.Items < 4200 || got.Items > 5400 {
				t.Errorf("%d orders with %d items", got.Orders, got.Items)
			}
			if len(got.OrderAmounts) != 2 || len(got.Statuses) != 4 {
				t.Errorf("currencies and statuses: %v %v", got.OrderAmounts, got.Statuses)
			}
		})
	}
}

// Hours tile the truth: counts add up and digests cancel out.
func TestTruthOfHours(t *testing.T) {
	a := testAccount(2000)
	whole := a.Truth(time.Time{}, time.Time{})
	var sum Truth
	for h := a.o.From; h.Before(a.o.To); h = h.Add(time.Hour) {
		part := a.Truth(h, h.Add(time.Hour))
		sum.Orders += part.Orders
		sum.Items += part.Items
		sum.IDDigest ^= part.IDDigest
		sum.ItemIDDigest ^= part.ItemIDDigest
		if n := len(a.IDs(h, h.Add(time.Hour))); n != part.Orders {
			t.Errorf("%v: %d ids, %d orders", h, n, part.Orders)
		}
	}
	if sum.Orders != whole.Orders || sum.Items != whole.Items || sum.IDDigest != whole.IDDigest || sum.ItemIDDigest != whole.ItemIDDigest {
		t.Errorf("the hours add up to %+v, not %+v", sum, whole)
	}
}

// Every change is seen on the wire and in the truth alike.
func TestChanges(t *testing.T) {
	a := testAccount(400)
	s := New(a)
	from, to := a.o.From, a.o.To.Add(2*time.Hour)
	check := func(what string) Truth {
		t.Helper()
		truth := a.Truth(from, to)
		if d := cmp.Diff(truth, observe(t, s, a, from, to)); d != "" {
			t.Fatalf("after %s, truth (-) and wire (+) differ:\n%s", what, d)
		}
		return truth
	}
	before := check("nothing")

	unpaid := a.Unpaid()
	if len(unpaid) < 2 || len(unpaid) != before.Statuses["Unpaid"] {
		t.Fatalf("%d unpaid orders, the truth has %v", len(unpaid), before.Statuses)
	}
	oldRow := list(t, s, a, from, to)
	if err := a.Pay(unpaid[0]); err != nil {
		t.Fatal(err)
	}
	if err := a.Cancel(unpaid[1]); err != nil {
		t.Fatal(err)
	}
	if a.Pay(unpaid[0]) == nil || a.Cancel(unpaid[0]) == nil || a.Pay(unpaid[1]) == nil || a.Pay("1") == nil {
		t.Error("only an unpaid order can be paid or cancelled")
	}
	after := check("paying and cancelling")
	if after.Statuses["Unpaid"] != before.Statuses["Unpaid"]-2 || after.Statuses["Paid"] != before.Statuses["Paid"]+1 {
		t.Errorf("statuses went from %v to %v", before.Statuses, after.Statuses)
	}
	if o, _ := a.Order(unpaid[0]); !o.PaymentTime.Equal(a.o.Now()) {
		t.Errorf("paid at %v, the clock says %v", o.PaymentTime, a.o.Now())
	}

	if err := a.Change(unpaid[0]); err != nil {
		t.Fatal(err)
	}
	changed := check("a change")
	if cmp.Equal(changed.OrderAmounts, after.OrderAmounts) || changed.Items != after.Items || changed.IDDigest != after.IDDigest {
		t.Error("a change alters amounts and nothing else")
	}

	for _, id := range a.IDs(from, to) {
		if o, _ := a.Order(id); len(o.Items) == 3 && o.PretaxGross.Decimal.IsPositive() {
			for range 2 {
				if err := a.DropItem(id); err != nil {
					t.Fatal(err)
				}
			}
			if a.DropItem(id) == nil {
				t.Error("the last line item was dropped")
			}
			left, _ := a.Order(id)
			if len(left.Items) != 1 || left.Items[0].ItemID != o.Items[0].ItemID {
				t.Errorf("the first line must stay: %+v", left.Items)
			}
			if !left.PretaxGross.Decimal.Equal(left.Items[0].PretaxGross.Decimal) {
				t.Errorf("the order costs %v, its only line %v", left.PretaxGross.Decimal, left.Items[0].PretaxGross.Decimal)
			}
			break
		}
	}
	if dropped := check("dropping"); dropped.Items != changed.Items-2 || dropped.ItemIDDigest == changed.ItemIDDigest {
		t.Errorf("%d items, want %d", dropped.Items, changed.Items-2)
	}

	// In the middle, in a second that has orders already, and at the end.
	first, _ := a.Order(a.IDs(from, to)[0])
	added := slices.Concat(a.Add(3, day.Add(77*time.Hour)), a.Add(2, first.CreateTime), a.Add(50, a.o.To.Add(time.Hour)), a.Add(1, a.o.To.Add(time.Hour)))
	if got := check("adding"); got.Orders != 456 {
		t.Errorf("%d orders, want 456", got.Orders)
	}
	all := a.IDs(from, to)
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != 456 {
		t.Error("ids are not unique and growing with time")
	}
	for _, id := range added {
		if !slices.Contains(all, id) {
			t.Errorf("added order %s is missing", id)
		}
	}
	if rows := list(t, s, a, from, to); len(rows) == len(oldRow) {
		t.Error("the listing did not grow")
	}
}

// Creation times have whole seconds, and a range may begin and end between two.
func TestTruthBetweenSeconds(t *testing.T) {
	a := testAccount(0)
	a.Add(2, day)
	half := 500 * time.Millisecond
	for _, c := range []struct {
		from, to time.Time
		want     int
	}{
		{day, day.Add(half), 2}, {day.Add(half), day.Add(time.Second), 0}, {day.Add(-half), day, 0}, {day.Add(-half), day.Add(half), 2},
		{time.Time{}, day, 0}, {day, time.Time{}, 2}, {day.Add(time.Second), day, 0},
	} {
		if n := a.Truth(c.from, c.to).Orders; n != c.want {
			t.Errorf("[%v, %v): %d orders, want %d", c.from, c.to, n, c.want)
		}
	}
}

func TestLedger(t *testing.T) {
	var l ledger
	want := decimal.Zero
	s := random(3)
	for i := range 10_000 {
		v := s.between(-1<<62, 1<<62)
		scale := uint8(i % 13)
		l.add(&[columns]int64{v}, scale)
		want = want.Add(decimal.New(v, -int32(scale)))
	}
	if got := l.amounts().PretaxGross; !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOrdersAreSmall(t *testing.T) {
	if size := unsafe.Sizeof(order{}); size != 64 {
		t.Errorf("a record has %d bytes, doc.go says 64", size)
	}
}
