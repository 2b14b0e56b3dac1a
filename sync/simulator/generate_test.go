package simulator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What a realistic account must have, so that nobody later tests against a tame one by accident.
func TestAccountIsRealistic(t *testing.T) {
	a := NewAccount(Options{Seed: 1, Orders: 20_000, From: day, To: day.AddDate(0, 0, 60), Now: fixedClock(day.AddDate(0, 0, 60))})
	count := map[string]int{}
	hours := map[time.Time]int{}
	var before time.Time
	all := a.IDs(time.Time{}, time.Time{})
	if len(all) != 20_000 || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != 20_000 {
		t.Fatalf("%d orders, or ids that are not unique and growing", len(all))
	}
	items := map[string]bool{}
	for _, id := range all {
		o, ok := a.Order(id)
		if !ok || len(id) != 15 {
			t.Fatalf("order %s", id)
		}
		if o.CreateTime.Before(a.o.From) || !o.CreateTime.Before(a.o.To) || o.CreateTime.Before(before) {
			t.Fatalf("order %s is created at %v", id, o.CreateTime)
		}
		hours[o.CreateTime.Truncate(time.Hour)]++
		if o.CreateTime.Equal(o.CreateTime.Truncate(time.Hour)) {
			count["on the hour"]++
		}
		if o.CreateTime.Equal(before) {
			count["same second"]++
		}
		before = o.CreateTime
		count[o.OrderType]++
		count[o.SubscriptionType]++
		count["status "+o.PaymentStatus]++
		count["product "+o.ProductCode]++
		count["currency "+o.Currency]++
		if age := a.o.To.Sub(o.CreateTime); o.PaymentStatus == "Unpaid" && age > unpaidLife {
			t.Errorf("order %s is unpaid after %v", id, age)
		}
		refund := o.OrderType == "Refund"
		if refund != (o.PaymentStatus == "") || refund && o.Pretax.Decimal.IsPositive() || !refund && o.Pretax.Decimal.IsNegative() {
			t.Errorf("order %s is a %s with status %q of %v", id, o.OrderType, o.PaymentStatus, o.Pretax.Decimal)
		}
		if o.RelatedOrderID != "" {
			if e, ok := a.Order(o.RelatedOrderID); !ok || o.RelatedOrderID >= id || e.ProductCode != o.ProductCode {
				t.Errorf("order %s refers to %s", id, o.RelatedOrderID)
			}
		} else if o.OrderType != "New" {
			t.Errorf("order %s is a %s of nothing", id, o.OrderType)
		}
		if !o.Tax.Valid {
			count["no tax"]++
		}
		if o.Pretax.Decimal.Exponent() == -12 {
			count["12 decimals"]++
		}
		if o.PretaxGross.Decimal.IntPart() > 99_999 {
			count["big"]++
		}
		sum := o.Items[0].Pretax.Decimal
		for i, item := range o.Items {
			if items[item.ItemID] {
				t.Fatalf("item id %s twice", item.ItemID)
			}
			items[item.ItemID] = true
			if i > 0 {
				sum = sum.Add(item.Pretax.Decimal)
			}
			if len(o.Items) == 1 != (item.ItemID == id) {
				t.Errorf("order %s has %d items and the item id %s", id, len(o.Items), item.ItemID)
			}
			if y := item.UsageEndTime; o.SubscriptionType == "PayAsYouGo" && o.OrderType != "Refund" && (y.Year() != 2122 || y.Hour() != 16) {
				t.Errorf("order %s ends at %v", id, y)
			}
			if item.Config+item.OriginalConfig == "" || !strings.Contains(item.Config+item.OriginalConfig, ":[") {
				t.Errorf("order %s has the configuration %q", id, item.Config)
			}
			if item.Operator != "" {
				count["operator"]++
			}
		}
		if !sum.Equal(o.Pretax.Decimal) {
			count["does not add up"]++
		}
	}
	for what, least := range map[string]int{
		"New": 8000, "Renew": 1000, "Upgrade": 500, "Downgrade": 100, "Convert": 100, "Refund": 400, "ResizeDisk": 20,
		"Subscription": 8000, "PayAsYouGo": 6000, "status Unpaid": 30, "status Paid": 15000, "status Cancelled": 300,
		"product ecs": 2000, "product domain": 300, "product alikafka": 100, "currency CNY": 19000, "currency USD": 100,
		"on the hour": 100, "same second": 100, "no tax": 3000, "12 decimals": 2000, "big": 50, "operator": 3000, "does not add up": 20,
	} {
		if count[what] < least {
			t.Errorf("%s: %d, want at least %d", what, count[what], least)
		}
	}
	if n := count["does not add up"]; n > 400 {
		t.Errorf("%d orders do not add up: meant to be a few", n)
	}
	quiet, busiest := 0, 0
	for h := a.o.From; h.Before(a.o.To); h = h.Add(time.Hour) {
		if hours[h] == 0 {
			quiet++
		}
		busiest = max(busiest, hours[h])
	}
	if quiet < 30 || quiet > 700 || busiest < 400 || busiest > 550 {
		t.Errorf("%d quiet hours, %d orders in the busiest", quiet, busiest)
	}
	if got := len(items); got < 31_000 || got > 33_000 {
		t.Errorf("%d items: about 1.6 an order expected", got)
	}
}

// Odd options still make exactly what was asked for.
func TestAccountSizes(t *testing.T) {
	for _, o := range []Options{
		{Orders: 1}, {Orders: 19}, {Orders: 20}, {Orders: 500, BusyHour: 500}, {Orders: 300, BusyHour: -1},
		{Orders: 200, From: day.Add(20 * time.Minute), To: day.Add(21 * time.Minute)},
		{Orders: 3000, From: day, To: day.Add(time.Second)},
		{Orders: 10_000, From: day.Add(-time.Second), To: day.Add(time.Hour + time.Second)},
		{Orders: 7, From: day.Add(500 * time.Millisecond), To: day.Add(1500 * time.Millisecond)},
		{Orders: 50, From: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(1999, 1, 3, 0, 0, 0, 0, time.UTC)},
	} {
		a := NewAccount(o)
		from, to := a.o.From, a.o.To
		if n := a.Truth(from, to).Orders; n != o.Orders || a.Len() != n || len(a.IDs(from, to)) != n {
			t.Errorf("%+v: %d orders in the range, %d in all", o, n, a.Len())
		}
		if d := a.Truth(from, to).IDDigest; d != a.Truth(time.Time{}, time.Time{}).IDDigest {
			t.Errorf("%+v: orders outside the range", o)
		}
		if o.BusyHour > 0 {
			busiest := 0
			for h := from.Truncate(time.Hour); h.Before(to); h = h.Add(time.Hour) {
				busiest = max(busiest, a.Truth(h, h.Add(time.Hour)).Orders)
			}
			if busiest < o.BusyHour {
				t.Errorf("busy hour: %d, want %d", busiest, o.BusyHour)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("20,000 orders in one second were invented")
		}
	}()
	NewAccount(Options{Orders: 20_000, From: day, To: day.Add(time.Second)})
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v             int64
		scale         uint8
		plain, number string
	}{
		{0, 2, "0.00", "0"}, {0, 0, "0", "0"}, {6600, 2, "66.00", "66"}, {1234567890, 2, "12345678.90", "12345678.9"},
		{123456, 12, "0.000000123456", "1.23456E-7"}, {-123456, 12, "-0.000000123456", "-1.23456E-7"},
		{1, 12, "0.000000000001", "1E-12"}, {1000, 9, "0.000001000", "0.000001"}, {5, 1, "0.5", "0.5"}, {-150, 2, "-1.50", "-1.5"},
		{500_000_000_000_000, 12, "500.000000000000", "500"}, {10, 0, "10", "10"},
	} {
		if got := string(appendDecimal(nil, c.v, c.scale)); got != c.plain {
			t.Errorf("%d, %d: %s, want %s", c.v, c.scale, got, c.plain)
		}
		if got := string(appendNumber(nil, c.v, c.scale)); got != c.number {
			t.Errorf("%d, %d: %s, want %s", c.v, c.scale, got, c.number)
		}
	}
	if got := string(appendString(nil, "a\"b\\c\n中")); got != `"a\"b\\c\u000a中"` {
		t.Errorf("string %s", got)
	}
}
