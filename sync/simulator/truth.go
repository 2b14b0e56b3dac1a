package simulator

import (
	"math/big"
	"math/bits"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/shopspring/decimal"
)

// Truth is what an account really holds in a range of creation times. It has the same form for every vendor: Order and
// Item say what the columns of the others mean.
type Truth struct {
	Orders, Items int
	// Statuses counts orders by payment status as the documents spell it; "" is those without one, the refunds. Orders of
	// the Domain API have flags instead: what is settled counts as "Paid", else what is valid as "Unpaid", else as "Cancelled".
	Statuses map[string]int
	// OrderAmounts and ItemAmounts are exact sums by currency, which only BSS names. What is absent adds nothing.
	OrderAmounts, ItemAmounts map[string]Amounts
	// IDDigest is the XOR of xxHash64 over the order ids, ItemIDDigest over the line items' ids.
	IDDigest, ItemIDDigest uint64
}

// Amounts are the sums of the amount columns.
type Amounts struct {
	PretaxGross, Pretax, PretaxLocal, Tax, AfterTax decimal.Decimal
}

// Truth sums up the orders created in [from, to); zero times are open ends.
func (a *Account) Truth(from, to time.Time) Truth {
	t := Truth{Statuses: map[string]int{}, OrderAmounts: map[string]Amounts{}, ItemAmounts: map[string]Amounts{}}
	orders, items := map[string]*ledger{}, map[string]*ledger{}
	var m money
	var text [20]byte
	a.mu.RLock()
	defer a.mu.RUnlock()
	lo, hi := a.indexes(seconds(from, to))
	for i := lo; i < hi; i++ {
		o := &a.orders[i]
		a.amounts(o, a.form(o), &m)
		currency := a.currency(o)
		of, it := orders[currency], items[currency]
		if of == nil {
			of, it = &ledger{}, &ledger{}
			orders[currency], items[currency] = of, it
		}
		t.Orders++
		t.Statuses[a.statusName(o)]++
		t.IDDigest ^= xxhash.Sum64(a.vendor.appendID(text[:0], o.id))
		of.add(&m.order, m.scale)
		for n := range o.left() {
			t.Items++
			t.ItemIDDigest ^= xxhash.Sum64(a.vendor.appendItemID(text[:0], o, n))
			it.add(&m.item[n], m.scale)
		}
	}
	for currency := range orders {
		t.OrderAmounts[currency] = orders[currency].amounts()
		t.ItemAmounts[currency] = items[currency].amounts()
	}
	return t
}

// ledger sums amounts exactly: a 128-bit sum for every column and scale.
type ledger struct {
	hi [columns][13]int64
	lo [columns][13]uint64
}

func (l *ledger) add(v *[columns]int64, scale uint8) {
	for c := range columns {
		lo, carry := bits.Add64(l.lo[c][scale], uint64(v[c]), 0)
		l.lo[c][scale] = lo
		l.hi[c][scale] += v[c]>>63 + int64(carry)
	}
}

func (l *ledger) amounts() Amounts {
	var d [columns]decimal.Decimal
	for c := range columns {
		for scale := range int32(13) {
			v := new(big.Int).Lsh(big.NewInt(l.hi[c][scale]), 64)
			v.Add(v, new(big.Int).SetUint64(l.lo[c][scale]))
			d[c] = d[c].Add(decimal.NewFromBigInt(v, -scale))
		}
	}
	return Amounts{PretaxGross: d[colGross], Pretax: d[colPretax], PretaxLocal: d[colLocal], Tax: d[colTax], AfterTax: d[colAfterTax]}
}

// Order is one order as it really is. Empty strings and zero times stand for what the vendor does not send.
//
// Of UniCloud's fields OrderType is OrderCategory, PaymentStatus is OrderStatus, ProductCode is ProductCategory,
// SubscriptionType is ChargeType, PretaxGross is TotalPrice and Pretax is FinalPrice; PaidAmount, which is what was paid
// so far, is none of them. Of those of the Domain API OrderType is its lines' ActionType and ProductCode their ClassID, Pretax is Money, CreateTime is
// OrderDate, PaymentTime is CheckDate, and PaymentStatus is what Truth counts.
type Order struct {
	OrderID, RelatedOrderID         string
	OrderType, PaymentStatus        string
	ProductCode, ProductType        string
	CommodityCode, SubscriptionType string
	CreateTime, PaymentTime         time.Time
	Currency, PaymentCurrency       string
	Prices
	Items []Item
}

// Prices are the amount columns of an order or of a line.
type Prices struct {
	PretaxGross, Pretax, PretaxLocal, Tax, AfterTax decimal.NullDecimal
}

// Item is one line item; what it shares with its order is not repeated.
//
// Of UniCloud's fields Config is productDescription, PretaxGross is totalPrice, Pretax is what FinalPrice leaves for the line by the
// list prices, the usage times are productStartTime and productEndTime, and Region is the order's ProductRegionId. Of those of the
// Domain API ItemID is TrackID, the one instance is RelatedName, Quantity is Amount, Pretax is Money and UsageEndTime is DeadDate.
type Item struct {
	ItemID, OrderSubType         string
	InstanceIDs                  []string
	Region                       string
	Quantity                     int
	Config, OriginalConfig       string
	Operator                     string
	UsageStartTime, UsageEndTime time.Time
	ExtendInfos                  map[string]string
	Prices
	// Lower says that the detail spells OrderType, PaymentStatus and OrderSubType in lower case.
	Lower bool
}

// Order is the order with an id, with its line items.
func (a *Account) Order(id string) (Order, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.find(id)
	if o == nil {
		return Order{}, false
	}
	var m money
	f := a.form(o)
	a.amounts(o, f, &m)
	p := &catalog[o.product]
	r := Order{
		OrderID: id, OrderType: kindNames[o.kind], PaymentStatus: a.statusName(o),
		ProductCode: p.code, ProductType: p.typ, CommodityCode: o.commodity(), SubscriptionType: o.subscription(),
		CreateTime: time.Unix(o.create, 0).UTC(), Currency: a.currency(o), Prices: a.prices(&m, &m.order, false),
	}
	if o.related != 0 {
		r.RelatedOrderID = strconv.FormatInt(o.related, 10)
	}
	if paid, ok := o.paidAt(); ok {
		r.PaymentTime = time.Unix(paid, 0).UTC()
	}
	if f&formNoPayCurrency == 0 {
		r.PaymentCurrency = r.Currency
	}
	for n := range o.left() {
		r.Items = append(r.Items, a.item(o, f, &m, n))
	}
	switch a.vendor {
	case unicloud:
		a.describeUniCloud(o, &r)
	case domain:
		a.describeDomain(o, &r)
	}
	return r, true
}

func (a *Account) item(o *order, f form, m *money, n int) Item {
	l := a.line(o, f, n)
	i := Item{
		ItemID: string(a.vendor.appendItemID(nil, o, n)), OrderSubType: o.subType(), Region: l.region,
		Quantity: l.quantity, Operator: l.operator, Lower: f&formLower != 0, Prices: a.prices(m, &m.item[n], true),
	}
	for k := range l.instances {
		i.InstanceIDs = append(i.InstanceIDs, string(a.appendInstance(nil, o, n, k)))
	}
	config, original := f.configs()
	if config {
		i.Config = string(a.appendConfig(nil, o, n, false))
	}
	if original {
		i.OriginalConfig = string(a.appendConfig(nil, o, n, true))
	}
	if l.usageEnd != 0 {
		i.UsageStartTime, i.UsageEndTime = time.Unix(l.usageStart, 0).UTC(), time.Unix(l.usageEnd, 0).UTC()
	}
	if f&formExtendInfos != 0 {
		i.ExtendInfos = map[string]string{"buyFrom": buyFrom[uint64(o.id)%4], "seq": strconv.Itoa(n)}
	}
	return i
}

func (a *Account) prices(m *money, v *[columns]int64, item bool) (p Prices) {
	for c, to := range [columns]*decimal.NullDecimal{&p.PretaxGross, &p.Pretax, &p.PretaxLocal, &p.Tax, &p.AfterTax} {
		if a.sent(m, c, item) {
			*to = decimal.NewNullDecimal(decimal.New(v[c], -int32(m.scale)))
		}
	}
	return p
}

// IDs lists the ids of the orders created in [from, to), oldest first; zero times are open ends.
func (a *Account) IDs(from, to time.Time) []string {
	return a.ids(from, to, func(*order) bool { return true })
}

// Unpaid lists the ids of all unpaid orders, oldest first.
func (a *Account) Unpaid() []string {
	return a.ids(time.Time{}, time.Time{}, func(o *order) bool { return o.status == statusUnpaid })
}

func (a *Account) ids(from, to time.Time, match func(*order) bool) []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	lo, hi := a.indexes(seconds(from, to))
	// The ids share one string: a million of them would otherwise be a million allocations.
	width := a.vendor.idWidth
	text := make([]byte, 0, (hi-lo)*width)
	for i := lo; i < hi; i++ {
		if match(&a.orders[i]) {
			text = a.vendor.appendID(text, a.orders[i].id)
		}
	}
	all := string(text)
	ids := make([]string, 0, len(all)/width)
	for ; len(all) >= width; all = all[width:] {
		ids = append(ids, all[:width])
	}
	return ids
}
