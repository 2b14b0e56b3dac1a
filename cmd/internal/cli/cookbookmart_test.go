package cli_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/sync/simulator"
)

// mart compares the questions of a controller with the truth, computed from the vendor's own objects.
func (c *cookbook) mart() {
	byID := map[string]*simulator.Order{}
	for n := range c.orders {
		byID[c.orders[n].OrderID] = &c.orders[n]
	}
	c.resources(byID)
	c.discounts()
	c.origins(byID)
	c.types()
	c.operators()
	c.due()
	for _, zone := range []string{"UTC", "Asia/Shanghai", "America/New_York"} {
		c.months(zone)
	}
}

// lines calls f for each line that was paid or gives money back, with what it counts.
func (c *cookbook) lines(f func(o *simulator.Order, i *simulator.Item, net decimal.NullDecimal)) {
	for n := range c.orders {
		o := &c.orders[n]
		for k := range o.Items {
			if _, _, net := spendOf(o, &o.Items[k]); o.OrderType == "Refund" || o.PaymentStatus == "Paid" {
				f(o, &o.Items[k], net)
			}
		}
	}
}

func sorted(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

func (c *cookbook) resources(byID map[string]*simulator.Order) {
	type resource struct {
		id, name, region, currency string
		cost                       decimal.Decimal
		orders                     map[string]bool
	}
	all := map[string]*resource{}
	shared := 0
	c.lines(func(o *simulator.Order, i *simulator.Item, net decimal.NullDecimal) {
		ids := sorted(i.InstanceIDs)
		if origin := byID[o.RelatedOrderID]; len(ids) == 0 && origin != nil {
			for _, x := range origin.Items {
				ids = append(ids, x.InstanceIDs...)
			}
			ids = sorted(ids)
		}
		if len(ids) > 1 {
			shared++
		}
		left := net.Decimal
		for n, id := range ids {
			part := left
			if n < len(ids)-1 {
				part, _ = net.Decimal.QuoRem(decimal.NewFromInt(int64(len(ids))), 12)
			}
			left = left.Sub(part)
			key := row(id, o.Currency)
			if all[key] == nil {
				all[key] = &resource{id: id, currency: o.Currency, orders: map[string]bool{}}
			}
			r := all[key]
			// The newest line names it: orders are in the order of their creation.
			r.name, r.region, r.cost, r.orders[o.OrderID] = c.name(o), i.Region, r.cost.Add(part), true
		}
	})
	if shared == 0 {
		c.t.Error("no line has several instances: the test proves nothing")
	}
	ordered := slices.SortedFunc(maps.Values(all), func(a, b *resource) int {
		return cmp.Or(cmp.Compare(a.currency, b.currency), b.cost.Cmp(a.cost), cmp.Compare(a.id, b.id))
	})
	var want []string
	shown := map[string]int{}
	for _, r := range ordered {
		if shown[r.currency]++; shown[r.currency] <= 10 {
			want = append(want, row(r.id, r.name, r.region, r.currency, r.cost, len(r.orders)))
		}
	}
	c.same("resources", c.ask("Which resources cost the most?"), want)
}

func (c *cookbook) discounts() {
	lists, nets := groups{}, groups{}
	c.lines(func(o *simulator.Order, i *simulator.Item, _ decimal.NullDecimal) {
		if o.OrderType != "Refund" && i.PretaxGross.Valid && i.Pretax.Valid {
			lists.add(i.PretaxGross, o.ProductCode, o.Currency)
			nets.add(i.Pretax, o.ProductCode, o.Currency)
		}
	})
	var want []string
	for key := range lists {
		list := lists[key].amount.Decimal
		discount := list.Sub(nets[key].amount.Decimal)
		percent := decimal.NullDecimal{}
		if !list.IsZero() {
			q, _ := discount.Mul(decimal.NewFromInt(100)).QuoRem(list, 12)
			percent = decimal.NewNullDecimal(q.Round(2))
		}
		want = append(want, row(key, list, discount, percent))
	}
	c.same("discounts", c.ask("What discount do we get on what?"), want)
}

func (c *cookbook) types() {
	spent := groups{}
	c.lines(func(o *simulator.Order, i *simulator.Item, net decimal.NullDecimal) {
		spent.add(net, o.CreateTime.Format("2006-01")+"-01", strings.ToLower(o.OrderType), o.Currency)
	})
	c.same("types", c.ask("What did new orders, renewals, upgrades and refunds come to? (Details spell a type in lower case at times.)"), spent.summed())
}

func (c *cookbook) origins(byID map[string]*simulator.Order) {
	refunds, renewals := groups{}, groups{}
	c.lines(func(o *simulator.Order, i *simulator.Item, _ decimal.NullDecimal) {
		paid, refunded, _ := spendOf(o, i)
		switch o.OrderType {
		case "Refund":
			refunds.add(refunded, o.OrderID)
		case "Renew":
			renewals.add(paid, o.OrderID)
		}
	})
	origin := func(o *simulator.Order) *simulator.Order {
		if from := byID[o.RelatedOrderID]; from != nil {
			return from
		}
		return &simulator.Order{CreateTime: time.Unix(0, 0)} // what is not stored is empty
	}
	var back, again []string
	for id, g := range refunds {
		o := byID[id]
		back = append(back, row(id, o.Currency, g.amount, o.RelatedOrderID, origin(o).CreateTime, origin(o).Pretax))
	}
	for id, g := range renewals {
		o := byID[id]
		again = append(again, row(id, c.name(o), o.Currency, g.amount, o.RelatedOrderID, origin(o).Pretax))
	}
	c.same("refunds", c.ask("What was refunded, and of which order?"), back)
	c.same("renewals", c.ask("What did renewals cost, and what did the order cost that they continue?"), again)
}

func (c *cookbook) operators() {
	names := map[string]string{}
	var file strings.Builder
	spent, orders := groups{}, map[string]map[string]bool{}
	for n := range c.orders {
		o := &c.orders[n]
		for k := range o.Items {
			id := o.Items[k].Operator
			if id == "" {
				continue
			}
			if _, known := names[id]; !known {
				// Every other one gets a name, and the first two the same: two users of one person.
				if names[id] = id; len(names)%2 == 1 {
					names[id] = "Ops, " + fmt.Sprint(len(names)/4)
					fmt.Fprintf(&file, "%s,%q\n", id, names[id])
				}
			}
			key := row(names[id], o.Currency)
			_, _, net := spendOf(o, &o.Items[k])
			if o.OrderType != "Refund" && o.PaymentStatus != "Paid" {
				continue
			}
			spent.add(net, names[id], o.Currency)
			if orders[key] == nil {
				orders[key] = map[string]bool{}
			}
			orders[key][o.OrderID] = true
		}
	}
	c.write("operators.csv", file.String())
	c.run(0, "operators", "import", "operators.csv")
	var want []string
	for key, g := range spent {
		want = append(want, row(key, len(orders[key]), g.amount))
	}
	c.same("operators by name", c.ask("Who ordered for how much, by name?"), want)
}

func (c *cookbook) due() {
	due, after, orders := groups{}, groups{}, map[string]map[string]bool{}
	for n := range c.orders {
		o := &c.orders[n]
		if o.PaymentStatus != "Unpaid" {
			continue
		}
		if orders[o.Currency] == nil {
			orders[o.Currency] = map[string]bool{}
		}
		orders[o.Currency][o.OrderID] = true
		for k := range o.Items {
			i := &o.Items[k]
			afterTax := i.AfterTax
			if !afterTax.Valid && i.Pretax.Valid && i.Tax.Valid {
				afterTax = decimal.NewNullDecimal(i.Pretax.Decimal.Add(i.Tax.Decimal))
			}
			due.add(i.Pretax, o.Currency)
			after.add(afterTax, o.Currency)
		}
	}
	var want []string
	for currency := range orders {
		want = append(want, row(currency, len(orders[currency]), due[currency].amount, after[currency].amount))
	}
	c.same("due", c.ask("What is still to be paid?"), want)
}

// months sets another reporting zone and asks what depends on it.
func (c *cookbook) months(name string) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		c.t.Fatal(err)
	}
	c.configureAgain("http: {", "reporting: {timezone: "+name+"}\nhttp: {")
	if name != "UTC" {
		c.run(3, "sql", "SELECT 1") // the views are of another zone until migrate makes them anew
	}
	c.run(0, "migrate")
	spent, taxes, days, accrued := groups{}, groups{}, groups{}, groups{}
	calendar := func(t time.Time) time.Time {
		year, month, day := t.In(zone).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	month := func(t time.Time) string { return t.Format("2006-01") + "-01" }
	for n := range c.orders {
		o := &c.orders[n]
		for k := range o.Items {
			_, _, net := spendOf(o, &o.Items[k])
			spent.add(net, month(calendar(o.CreateTime)), o.Currency)
			days.add(net, calendar(o.CreateTime).Format(time.DateOnly), o.Currency)
		}
	}
	c.lines(func(o *simulator.Order, i *simulator.Item, net decimal.NullDecimal) {
		tax := i.Tax
		if !tax.Valid && i.AfterTax.Valid && i.Pretax.Valid {
			tax = decimal.NewNullDecimal(i.AfterTax.Decimal.Sub(i.Pretax.Decimal))
		}
		if o.OrderType == "Refund" && tax.Valid {
			tax.Decimal = tax.Decimal.Abs().Neg()
		}
		taxes.add(tax, month(calendar(o.CreateTime)), o.Currency)
		begin, end := o.PaymentTime, time.Time{}
		if begin.IsZero() {
			begin = o.CreateTime
		}
		if o.SubscriptionType == "Subscription" && i.UsageEndTime.After(i.UsageStartTime) {
			begin, end = i.UsageStartTime, i.UsageEndTime
		}
		first, until := calendar(begin), calendar(end)
		if !until.After(first) {
			until = first.AddDate(0, 0, 1)
		}
		period, left := decimal.NewFromInt(int64(until.Sub(first)/(24*time.Hour))), net
		for at := first; at.Before(until); {
			next := time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			part := left
			if next.Before(until) && net.Valid {
				part.Decimal, _ = net.Decimal.Mul(decimal.NewFromInt(int64(next.Sub(at)/(24*time.Hour)))).QuoRem(period, 12)
			}
			left.Decimal = left.Decimal.Sub(part.Decimal)
			accrued.add(part, month(at), o.Currency)
			at = next
		}
	})
	var want []string
	for key, g := range spent {
		tax := decimal.NewNullDecimal(decimal.Zero)
		if taxes[key] != nil && taxes[key].amount.Valid {
			tax = taxes[key].amount
		}
		want = append(want, row(key, g.amount, tax))
	}
	c.same("months of "+name, c.ask("What was spent in each month, by local time?"), want)
	c.same("days of "+name, c.ask("What was spent by day?", "sum(paid) AS paid, sum(refunded) AS refunded, ", ""), days.summed())
	c.same("months of service, "+name, c.ask("What does each month of service cost?"), accrued.summed())
}
