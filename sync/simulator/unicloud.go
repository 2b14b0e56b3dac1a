package simulator

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"
)

// unicloudAPIs are the actions of UniCloud's transaction service. Its documents name no RAM actions.
var unicloudAPIs = []operation{
	{vendor: unicloud, action: "QueryOrders", version: versionUniCloud, quota: Quota.list, ask: askUniCloudList, answer: answerUniCloudList},
	{vendor: unicloud, action: "OrderDetail", version: versionUniCloud, quota: Quota.detail, ask: askUniCloudDetail, act: actKnown(unicloudParameter("OrderId")), answer: answerUniCloudDetail},
}

// actKnown refuses an order that does not exist. UniCloud documents nothing for that, so its code is unconfirmed.
func actKnown(unknown *Error) func(*call) *Error {
	return func(c *call) *Error {
		c.data.mu.RLock()
		defer c.data.mu.RUnlock()
		if c.data.find(c.question.OrderID) == nil {
			return unknown
		}
		return nil
	}
}

// askUniCloudList reads the question of QueryOrders. OrderCategory and OrderStatus are integers whose meanings are
// documented nowhere, so they are checked and then ignored. There is no default range: without one, all orders are meant.
func askUniCloudList(c *call) *Error {
	q := &c.question
	for _, p := range []struct {
		name string
		to   *int
	}{{"Page", &q.Page}, {"Size", &q.Size}} {
		if c.args.Get(p.name) == "" {
			return unicloudMissing(p.name)
		}
		var err *Error
		if *p.to, err = intArg(c.args, p.name, 0); err != nil {
			return unicloudParameter(p.name)
		}
	}
	if q.Size > c.account.o.MaxPageSize {
		return unicloudParameter("Size")
	}
	for _, name := range []string{"OrderCategory", "OrderStatus"} {
		if v := c.args.Get(name); v != "" {
			if _, err := strconv.ParseInt(v, 10, 32); err != nil {
				return unicloudParameter(name)
			}
		}
	}
	var err *Error
	if q.Start, err = localArg(c.args, "StartTime", c.account.o.Zone); err != nil {
		return err
	}
	q.End, err = localArg(c.args, "EndTime", c.account.o.Zone)
	return err
}

func localArg(args url.Values, name string, zone *time.Location) (time.Time, *Error) {
	v := args.Get(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(localLayout, v, zone)
	if err != nil {
		return time.Time{}, unicloudParameter(name)
	}
	return t.UTC(), nil
}

// answerUniCloudList writes one page of a listing. The filtered column is taken to be the creation time.
func answerUniCloudList(c *call, b []byte) []byte {
	a, q := c.data, &c.question
	from, to := c.account.o.Boundary.bounds(q.Start, q.End)
	if q.Start.IsZero() {
		from = math.MinInt64
	}
	if q.End.IsZero() {
		to = math.MaxInt64
	}
	var match func(*order) bool
	if pay, category := c.args.Get("PayType"), c.args.Get("ProductCategory"); pay != "" || category != "" {
		match = func(o *order) bool {
			have, _ := o.payType()
			return (pay == "" || pay == have) && (category == "" || category == unicloudProducts[o.product].category)
		}
	}
	p := c.page(from, to, match)
	w := object{append(b, '{')}
	w.number("TotalCount", c.total(p.total))
	w.number("PageNum", int64(q.Page))
	w.number("PageSize", int64(p.said))
	rows := rowWriter{call: c, b: w.b, list: `"OrderList":{"Order":[`}
	for o := range c.each(&p, match) {
		rows.row(o, func(b []byte) []byte { return a.appendUniCloudRow(b, o) })
	}
	return rows.close(uint64(from)+uint64(q.Page), "}")
}

func askUniCloudDetail(c *call) *Error {
	id := c.args.Get("OrderId")
	if id == "" {
		return unicloudMissing("OrderId")
	}
	if _, err := strconv.ParseInt(id, 10, 64); err != nil { // documented as a Long
		return unicloudParameter("OrderId")
	}
	c.question.OrderID = id
	return nil
}

// answerUniCloudDetail writes an order with its lines. A success has no request id, as the documented sample has none.
func answerUniCloudDetail(c *call, b []byte) []byte {
	a := c.data
	o := a.find(c.question.OrderID)
	atomic.AddUint32(&o.calls, 1)
	var m money
	a.amounts(o, a.form(o), &m)
	b = a.appendUniCloudOrder(append(b, `{"Order":{`...), o, &m)
	rows := rowWriter{call: c, b: b, list: `"Items":[`}
	for n := range o.left() {
		rows.row(o, func(b []byte) []byte { return a.appendUniCloudItem(b, o, &m, n) })
	}
	if rows.written == 0 {
		return append(rows.b, `,"Items":[]}}`...)
	}
	return append(rows.b, "]}}"...)
}

// describeUniCloud turns the order as BSS would have it into what UniCloud's fields say.
func (a *Account) describeUniCloud(o *order, r *Order) {
	r.RelatedOrderID, r.ProductType, r.CommodityCode, r.PaymentCurrency = "", "", "", ""
	r.OrderType, r.SubscriptionType = o.orderCategory(), o.chargeType()
	r.ProductCode = unicloudProducts[o.product].category
	items := r.Items
	for line := range o.left() {
		l := a.line(o, 0, line)
		it := &items[0]
		items = items[1:]
		it.OrderSubType, it.OriginalConfig, it.Operator, it.ExtendInfos, it.Lower = "", "", "", nil, false
		it.Region, it.Config = o.unicloudRegion().id, o.productDescription()
		it.InstanceIDs = nil
		if l.usageEnd != 0 {
			it.InstanceIDs = []string{a.unicloudInstance(o, line)}
			it.UsageEndTime = time.Unix(o.unicloudEnd(&l), 0).UTC()
		}
	}
	r.sharePrice()
}

// sharePrice sets what each line costs after the promotions of its order, which the vendor does not say: its part of that price by
// the list prices, in twelve digits, and for the last line the rest.
func (r *Order) sharePrice() {
	list, left := decimal.Zero, r.Pretax.Decimal
	for _, i := range r.Items {
		list = list.Add(i.PretaxGross.Decimal)
	}
	for n := range r.Items {
		part := left
		if by := r.Items[n].PretaxGross.Decimal; n < len(r.Items)-1 {
			whole := list
			if list.IsZero() {
				by, whole = decimal.NewFromInt(1), decimal.NewFromInt(int64(len(r.Items)))
			}
			part, _ = r.Pretax.Decimal.Mul(by).QuoRem(whole, 12)
		}
		r.Items[n].Pretax = decimal.NewNullDecimal(part)
		left = left.Sub(part)
	}
}

func (o *order) orderCategory() string { return strings.ToUpper(kindNames[o.kind]) }

func (o *order) chargeType() string {
	if o.postpaid {
		return "postpaid"
	}
	return "prepaid"
}
