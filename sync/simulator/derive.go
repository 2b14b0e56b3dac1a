package simulator

import "math/bits"

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

// amounts derives an order's money. What was dropped is taken off the order and stays in item, where it is skipped.
func (a *Account) amounts(o *order, f form, m *money) {
	s := newStream(a.o.Seed, uint64(o.id), purposeAmounts)
	*m = money{noTax: f&formNoTax != 0}
	gross, class := int64(0), s.n(100)
	if o.postpaid {
		switch { // switching a service on costs nothing; use is billed to the twelfth decimal
		case class < 40:
			m.scale = 2
		case class < 65:
			gross, m.scale = s.between(1, 999_999), 12
		case class < 90:
			gross, m.scale = s.between(1, 500_000_000_000_000), 12
		default:
			gross, m.scale = s.between(1, 99_999), 2
		}
	} else {
		switch {
		case class < 2:
			gross, m.scale = s.between(1_000_000_000, 1_999_999_999), 2
		case class < 12:
			gross, m.scale = s.between(1, 5_000_000_000), 6
		default:
			gross, m.scale = s.between(100, 2_000_000), 2
		}
	}
	gross += int64(o.revision) * 1101
	discount := [8]int64{100, 100, 100, 95, 90, 85, 70, 0}[s.n(8)]
	m.order[colGross] = gross
	m.order[colPretax] = share(gross, discount, 100)
	m.order[colLocal] = m.order[colPretax]
	if a.currency(o) == "USD" {
		m.order[colLocal] = share(m.order[colPretax], 71234, 10000)
	}
	if !m.noTax {
		m.order[colTax] = share(m.order[colPretax], 6, 100)
	}
	m.order[colAfterTax] = m.order[colPretax] + m.order[colTax]
	if o.kind == kindRefund {
		for c := range m.order {
			m.order[c] = -m.order[c]
		}
	}
	if a.vendor == bss {
		a.split(o, m)
		return
	}
	a.suitOrder(m)
	a.split(o, m)
	a.suitItems(o, m)
}

// split shares an order's amounts out over its lines; the last line takes what rounding leaves.
func (a *Account) split(o *order, m *money) {
	lines := int(o.lines)
	if lines == 1 {
		m.item[0] = m.order
		return
	}
	s := newStream(a.o.Seed, uint64(o.id), purposeItems)
	var weight [maxLines]int64
	var sum int64
	for i := range lines {
		weight[i] = s.between(1, 9)
		sum += weight[i]
	}
	for c := range columns {
		rest := m.order[c]
		for i := range lines - 1 {
			m.item[i][c] = share(m.order[c], weight[i], sum)
			rest -= m.item[i][c]
		}
		m.item[lines-1][c] = rest
	}
	for i := range lines {
		if o.dropped&(1<<i) != 0 {
			for c := range columns {
				m.order[c] -= m.item[i][c]
			}
		}
	}
	// In a few orders the lines do not add up to the order: nothing promises that the vendor's numbers do.
	if s.n(64) == 0 {
		i := bits.TrailingZeros8(^o.dropped)
		m.item[i][colPretax]++
		m.item[i][colAfterTax]++
	}
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
	if uint64(o.id)%53 == 7 {
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
	s := newStream(a.o.Seed, uint64(o.id), purposeForm)
	var f form
	for _, p := range formOdds {
		if s.n(1000) < p.permille {
			f |= p.form
		}
	}
	return f
}

var formOdds = [...]struct {
	form     form
	permille int
}{
	{formNumbers, 333}, {formPlain, 500}, {formNoTax, 250}, {formNoPayCurrency, 250}, {formNoOperator, 600},
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

// updatedAt is when the order last changed, in Unix seconds.
func (o *order) updatedAt() int64 { return o.create + int64(max(o.payDelay, o.touched, 0)) }

// paidAt is the payment time in Unix seconds; false where there is none.
func (o *order) paidAt() (int64, bool) { return o.create + int64(o.payDelay), o.payDelay >= 0 }
