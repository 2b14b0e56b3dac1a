package simulator

import (
	"iter"
	"math/bits"
	"time"
)

// The amount columns, in the order of money's arrays.
const (
	colGross = iota
	colPretax
	colLocal
	colTax
	colAfterTax
	columns
)

// money is every amount of an order and its line items: whole numbers of 10^-scale, so that all of it is exact.
type money struct {
	scale uint8
	noTax bool // the vendor sends no Tax for this order
	order [columns]int64
	item  [maxLines][columns]int64
}

// amounts derives an order's money. What was dropped is not in the order and stays in item, where it is skipped.
func (a *Account) amounts(o *order, f form, m *money) {
	s := newRandom(a.o.Seed, uint64(o.asset), purposeAmounts)
	discount := [8]int64{100, 100, 100, 95, 90, 85, 70, 60}[s.n(8)]
	*m = money{scale: 2, noTax: f&formNoTax != 0}
	var use random
	var class int
	if o.postpaid {
		use = newRandom(a.o.Seed, uint64(o.id), purposeAmounts)
		if class = use.n(100); class >= 40 && class < 90 {
			m.scale = 12
		}
	}
	for i := range int(o.lines) {
		var gross int64
		switch {
		case !o.postpaid:
			gross = a.price(o, i)
		case class < 40: // switching a service on costs nothing; use is billed to the twelfth decimal
		case class < 65:
			gross = use.between(1, 999_999)
		case class < 90:
			gross = use.between(1, 500_000_000_000_000)
		default:
			gross = use.between(1, 99_999)
		}
		if i == 0 && o.kind == kindRefund { // which never exceeds its order
			gross -= min(gross, int64(o.revision))
		} else if i == 0 {
			gross += int64(o.revision) * 1101
		}
		v := &m.item[i]
		v[colGross] = gross
		v[colPretax] = share(gross, discount, 100)
		v[colLocal] = v[colPretax]
		if a.currency(o) == "USD" {
			v[colLocal] = share(v[colPretax], 71234, 10000)
		}
		if !m.noTax {
			v[colTax] = share(v[colPretax], 6, 100)
		}
		v[colAfterTax] = v[colPretax] + v[colTax]
		for c := range columns {
			if o.kind == kindRefund {
				v[c] = -v[c]
			}
			if o.has(i) {
				m.order[c] += v[c]
			}
		}
	}
	// In a few orders the lines do not add up to the order: nothing promises that the vendor's numbers do.
	if own := newRandom(a.o.Seed, uint64(o.id), purposeItems); o.lines > 1 && own.n(64) == 0 {
		m.item[0][colPretax]++
		m.item[0][colAfterTax]++
	}
	a.suitAmounts(o, m)
}

// price is what a line of a subscription costs: its product's list price for the instances and months, and of that what an
// order of its kind takes. An order and those that refer to it have the same prices.
func (a *Account) price(o *order, line int) int64 {
	list := &catalog[o.product].price
	s := newRandom(a.o.Seed, uint64(o.asset), purposeAmounts+uint64(100+line))
	gross := s.between(list[0], list[1]) * int64(a.quantity(o, line)) * int64(o.term)
	if o.kind == kindRefund {
		return share(gross, int64(o.part), 100)
	}
	return share(gross, kindPrices[o.kind], 100)
}

// share is v*num/den, rounded towards zero, without overflow in between.
func share(v, num, den int64) int64 {
	neg := v < 0
	if neg {
		v = -v
	}
	hi, lo := bits.Mul64(uint64(v), uint64(num))
	q, _ := bits.Div64(hi, lo, uint64(den))
	if neg {
		return -int64(q)
	}
	return int64(q)
}

// currency is the site's, with a few exceptions in an account that buys across sites. Only BSS names it.
func (a *Account) currency(o *order) string {
	if a.vendor != bss {
		return ""
	}
	cny := a.o.Site != SiteInternational
	if o.asset%53 == 7 { // as all orders about the same purchase
		cny = !cny
	}
	if cny {
		return "CNY"
	}
	return "USD"
}

// form is how an order looks on the wire. The same facts come in many dresses, each of them documented or captured: a
// captured response differs from the documents in most of these ways. What nobody was seen to send is for faults alone,
// because the vendor's own SDKs need not read it.
type form uint32

const (
	formNumbers       form = 1 << iota // amounts and Quantity are JSON numbers, as captured, not strings, as documented
	formPlain                          // strings without trailing zeros
	formNoTax                          // the rest of this block: the key is absent
	formNoPayCurrency                  //
	formNoOperator                     //
	formNoInstances                    //
	formNoPayTime                      // where nothing was paid: absent instead of ""
	formNoRelated                      // where there is none: absent instead of ""
	formEmptyConfig                    // Config is "" and OriginalConfig is filled, as captured
	formBothConfigs                    // both are filled
	formExtendInfos                    // present
	formBillModules                    // present
	formOrigModules                    // present
	formLower                          // the detail spells enumerations in lower case, as its document does
	formBareDetail                     // the detail's Data has nothing but OrderList, as captured
	formInstanceIds                    // its name is InstanceIds, as version 2023-09-30 has it
)

func (a *Account) form(o *order) form {
	s := newRandom(a.o.Seed, uint64(o.id), purposeForm)
	var f form
	for _, p := range formOdds {
		if s.n(1000) < p.permille {
			f |= p.form
		}
	}
	// Tax is sent for all orders about the same purchase, or for none of them.
	if t := newRandom(a.o.Seed, uint64(o.asset), purposeForm); t.percent(25) {
		f |= formNoTax
	}
	return f
}

var formOdds = [...]struct {
	form     form
	permille int
}{
	{formNumbers, 333}, {formPlain, 500}, {formNoPayCurrency, 250}, {formNoOperator, 600},
	{formNoInstances, 500}, {formNoPayTime, 600}, {formNoRelated, 700}, {formEmptyConfig, 300}, {formBothConfigs, 400},
	{formExtendInfos, 200}, {formBillModules, 100}, {formOrigModules, 80}, {formLower, 40},
	{formBareDetail, 300},
}

// itemID is the line's id: the order's own where it was created with one line, as captured.
func (o *order) itemID(line int) int64 {
	if o.lines == 1 {
		return o.id
	}
	return o.id + 1 + int64(line)
}

// items is the number of lines that are left.
func (o *order) items() int { return int(o.lines) - bits.OnesCount8(o.dropped) }

// has reports whether a line is still there.
func (o *order) has(line int) bool { return o.dropped&(1<<line) == 0 }

// left are the lines that are still there.
func (o *order) left() iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range int(o.lines) {
			if o.has(n) && !yield(n) {
				return
			}
		}
	}
}

// period is the service period of a paid order in Unix seconds. It ends at 16:00 UTC, midnight in China.
func (o *order) period() (start, end int64) {
	paid, _ := o.paidAt()
	months := time.Month(o.term)
	switch {
	case o.postpaid: // the vendor has no "no end": about a hundred years on
		t := time.Unix(o.create, 0).UTC()
		return o.create, time.Date(2122, t.Month(), min(t.Day(), 28), 16, 0, 0, 0, time.UTC).Unix()
	case o.renews():
		start, paid = o.create+int64(o.starts), o.create+int64(o.starts)
	case o.kind != kindNew: // until the end of the purchase that it is about
		start, paid, months = o.create, o.create+int64(o.starts), 0
	default:
		start = o.create
	}
	t := time.Unix(paid, 0).UTC()
	end = time.Date(t.Year(), t.Month()+months, min(t.Day(), 28), 16, 0, 0, 0, time.UTC).Unix()
	return start, end + int64(o.details)*24*hour
}

// updatedAt is when the order last changed, in Unix seconds.
func (o *order) updatedAt() int64 { return o.create + int64(max(o.payDelay, o.touched, 0)) }

// paidAt is the payment time in Unix seconds; false where there is none.
func (o *order) paidAt() (int64, bool) { return o.create + int64(o.payDelay), o.payDelay >= 0 }
