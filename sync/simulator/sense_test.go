package simulator

import (
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// An accountant finds nothing that cannot be: refunds never exceed what they refund, in no line and in no column, a renewal
// begins where the service before it ends, and the prices are a company's.
func TestDataMakeSense(t *testing.T) {
	for _, site := range []string{SiteChina, SiteInternational} {
		now := day.AddDate(0, 0, 90)
		a := NewAccount(Options{Seed: 3, Orders: 20_000, From: day, To: now, Now: fixedClock(now), Site: site})
		sensible(t, a)
		// And it stays so while it lives.
		l := NewLiving(a, 3)
		l.Past, l.Details = true, true
		for range 2000 {
			now = now.Add(10 * time.Minute)
			l.Step(now)
		}
		sensible(t, a)
	}
}

func sensible(t *testing.T, a *Account) {
	t.Helper()
	orders := map[string]Order{}
	back := map[string][5]decimal.Decimal{}
	renewals := map[time.Month]int{}
	var amounts []decimal.Decimal
	partial, free := 0, 0
	for _, id := range a.IDs(time.Time{}, time.Time{}) {
		o, _ := a.Order(id)
		orders[id] = o
		if o.SubscriptionType == "Subscription" && o.OrderType == "New" {
			amounts = append(amounts, o.Pretax.Decimal)
			if !o.Pretax.Decimal.IsPositive() {
				free++
			}
		}
		of, related := orders[o.RelatedOrderID]
		if !related {
			if o.OrderType != "New" {
				t.Errorf("order %s is a %s of nothing", id, o.OrderType)
			}
			continue
		}
		if of.Currency != o.Currency || of.Tax.Valid != o.Tax.Valid || of.PaymentTime.IsZero() || of.PaymentTime.After(o.CreateTime) {
			t.Errorf("%s %s is in %s, of %s in %s, paid %v", o.OrderType, id, o.Currency, of.OrderID, of.Currency, of.PaymentTime)
		}
		lines := map[string]Item{}
		for _, i := range of.Items {
			if len(i.InstanceIDs) > 0 {
				lines[i.InstanceIDs[0]] = i
			}
		}
		for _, i := range o.Items {
			if o.PaymentTime.IsZero() {
				continue
			}
			bought, ok := lines[i.InstanceIDs[0]]
			if !ok && len(lines) == len(of.Items) && len(of.Items) == len(o.Items) {
				t.Errorf("%s %s has the instances %v, which %s does not", o.OrderType, id, i.InstanceIDs, of.OrderID)
			}
			if o.OrderType == "Refund" && ok && i.PretaxGross.Decimal.Neg().GreaterThan(bought.PretaxGross.Decimal) {
				t.Errorf("a line of refund %s gives back %v of %v", id, i.PretaxGross.Decimal, bought.PretaxGross.Decimal)
			}
		}
		switch o.OrderType {
		case "Refund":
			sum := back[of.OrderID]
			for c, d := range []decimal.NullDecimal{o.PretaxGross, o.Pretax, o.PretaxLocal, o.Tax, o.AfterTax} {
				sum[c] = sum[c].Sub(d.Decimal)
				if whole := []decimal.NullDecimal{of.PretaxGross, of.Pretax, of.PretaxLocal, of.Tax, of.AfterTax}[c].Decimal; sum[c].GreaterThan(whole) || d.Decimal.IsPositive() {
					t.Errorf("refund %s makes it %v of order %s, which has %v", id, sum[c], of.OrderID, whole)
				} else if c == 0 && sum[c].LessThan(whole) {
					partial++
				}
			}
			back[of.OrderID] = sum
		case "Renew":
			if !o.PaymentTime.IsZero() && len(of.Items) == len(o.Items) {
				renewals[o.CreateTime.Month()]++
				// The vendor may have given the service before it days more since.
				if gap := of.Items[0].UsageEndTime.Sub(o.Items[0].UsageStartTime); gap < 0 || gap > 31*24*time.Hour {
					t.Errorf("renewal %s begins %v before the end of %s", id, gap, of.OrderID)
				}
			}
		}
	}
	slices.SortFunc(amounts, decimal.Decimal.Cmp)
	median, most := amounts[len(amounts)/2], amounts[len(amounts)-1]
	if median.LessThan(decimal.New(500, 0)) || median.GreaterThan(decimal.New(20_000, 0)) || most.GreaterThan(decimal.New(10_000_000, 0)) || free > 0 {
		t.Errorf("purchases cost %v at the median and %v at the most; %d cost nothing", median, most, free)
	}
	if len(back) < 400 || partial < 100 || len(renewals) < 3 {
		t.Errorf("%d orders were refunded, %d of them in part; renewals by month: %v", len(back), partial, renewals)
	}
	for month, n := range renewals {
		if n < 200 && month != a.o.To.Month() {
			t.Errorf("%d renewals in %v", n, month)
		}
	}
}
