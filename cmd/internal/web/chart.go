package web

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
)

// chart is the bars of a currency's days, in the units of its drawing.
type chart struct {
	*status.Spend
	Bars   []bar
	Widest decimal.Decimal // the most that a product cost, for the bars of the products
}

// Size of a chart's drawing: a bar and its gap, and the height of the highest.
const (
	barStep   = 10
	barWidth  = 8
	barHeight = 60
)

type bar struct {
	X, Y, Width, Height int
	Title               string
}

func newChart(s *status.Spend) chart {
	c := chart{Spend: s}
	most := decimal.Zero
	for _, d := range s.Days {
		most = decimal.Max(most, d.Amount)
	}
	for i, d := range s.Days {
		h := height(d.Amount, most, barHeight)
		c.Bars = append(c.Bars, bar{
			X: i * barStep, Y: barHeight - h, Width: barWidth, Height: h,
			Title: fmt.Sprintf("%s: %s %s, %s", d.Day.Format("Mon 2006-01-02"), format.Amount(d.Amount), s.Currency, schema.Plural(d.Orders, "order")),
		})
	}
	for _, p := range s.Products {
		c.Widest = decimal.Max(c.Widest, p.Amount)
	}
	return c
}

// Percent is how long the bar of an amount is, of the longest.
func (c chart) Percent(amount decimal.Decimal) int { return height(amount, c.Widest, 100) }

// Box is the drawing's view box.
func (c chart) Box() string { return fmt.Sprintf("0 0 %d %d", len(c.Bars)*barStep, barHeight+1) }

// height draws an amount: one that is there is seen, and one below zero (refunds only) is not drawn.
func height(amount, most decimal.Decimal, full int) int {
	if !amount.IsPositive() {
		return 0
	}
	return max(1, int(amount.Mul(decimal.NewFromInt(int64(full))).Div(most).IntPart()))
}
