package status

import (
	"cmp"
	"slices"
	"time"

	"github.com/ordersync/ordersync/sink"
)

// newSpend puts days and products together by currency, the one with the most orders first.
func newSpend(days, products []sink.Spend, from time.Time) []Spend {
	out := []Spend{}
	for _, x := range days {
		i := slices.IndexFunc(out, func(s Spend) bool { return s.Currency == x.Currency })
		if i < 0 {
			i = len(out)
			s := Spend{Currency: x.Currency, Products: []Product{}}
			for d := range spendDays {
				s.Days = append(s.Days, SpendDay{Day: from.AddDate(0, 0, d)})
			}
			out = append(out, s)
		}
		out[i].add(x)
		out[i].Days[int(x.Day.Sub(from)/(24*time.Hour))].add(x)
	}
	for _, x := range products {
		i := slices.IndexFunc(out, func(s Spend) bool { return s.Currency == x.Currency })
		p := Product{Code: x.ProductCode, Name: x.ProductName}
		p.add(x)
		out[i].Products = append(out[i].Products, p)
	}
	for i := range out {
		slices.SortFunc(out[i].Products, func(a, b Product) int {
			return cmp.Or(b.Amount.Cmp(a.Amount), cmp.Compare(b.Orders, a.Orders), cmp.Compare(a.Code, b.Code))
		})
		out[i].Products = out[i].Products[:min(len(out[i].Products), topProducts)]
	}
	slices.SortFunc(out, func(a, b Spend) int {
		return cmp.Or(cmp.Compare(b.Orders, a.Orders), cmp.Compare(a.Currency, b.Currency))
	})
	return out
}

func (t *Total) add(x sink.Spend) {
	t.Orders += x.Orders
	t.Amount = t.Amount.Add(x.Amount)
}
