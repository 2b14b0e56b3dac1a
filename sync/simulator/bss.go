package simulator

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// bssAPIs are the actions of Alibaba Cloud's BssOpenApi that the simulator serves. Which RAM action permits GetOrders is
// unconfirmed.
var bssAPIs = []operation{
	{vendor: bss, action: "QueryOrders", version: version2017, ram: "bss:DescribeOrderList", quota: Quota.list, ask: askList, answer: answerList},
	{vendor: bss, action: "GetOrderDetail", version: version2017, ram: "bss:DescribeOrderDetail", quota: Quota.detail, ask: askDetail, answer: answerDetail},
	{vendor: bss, action: "QueryProductList", version: version2017, ram: "bss:QueryProductList", quota: Quota.other, ask: askProducts, answer: answerProducts},
	{vendor: bss, action: "CancelOrder", version: version2017, ram: "bss:CancelOrder", quota: Quota.cancel, ask: askDetail, act: actCancel, answer: answerCancel},
	{vendor: bss, action: "GetOrders", version: version2023, ram: "bss:DescribeOrderList", quota: Quota.list, ask: askList, answer: answerList},
	{vendor: bss, action: "GetOrderDetail", version: version2023, ram: "bss:DescribeOrderDetail", quota: Quota.detail, ask: askDetail, answer: answerDetail},
}

// unsupportedActions exist at the vendor, but not here.
var unsupportedActions = []string{"PayOrder"}

// listFilter is what a listing asks for beside the time range.
type listFilter struct {
	productCode, productType, subscription, kind, status string
}

func (l *listFilter) empty() bool { return *l == listFilter{} }

// matches compares without regard to case, because the vendor's own documents spell these values in both.
func (l *listFilter) matches(o *order) bool {
	p := &catalog[o.product]
	same := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	return same(l.status, statusNames[o.status]) && same(l.kind, kindNames[o.kind]) &&
		same(l.subscription, o.subscription()) && same(l.productCode, p.code) && same(l.productType, p.typ)
}

// knownValues are the documented values of the filters that have a list of them.
var knownValues = map[string][]string{
	"SubscriptionType": {"Subscription", "PayAsYouGo"},
	"OrderType": {"New", "Renew", "Upgrade", "TempUpgrade", "Downgrade", "Refund", "Convert", "ResizeDisk", "CompensatoryRenew",
		"IncreaseUpgrade", "Exchange", "ChangeOperatingSystem"},
}

// askList reads the question of QueryOrders. An empty value is an unset one: the SDK sends "Key=" for it.
func askList(c *call) *Error {
	q := &c.question
	var err *Error
	if q.Page, err = intArg(c.args, "PageNum", 1); err != nil {
		return err
	}
	if q.Size, err = intArg(c.args, "PageSize", 20); err != nil {
		return err
	}
	if q.Size > c.account.o.MaxPageSize {
		return errParameter("PageSize", c.args.Get("PageSize"))
	}
	q.PaymentStatus = c.args.Get("PaymentStatus")
	// That a value which is not documented is refused is unconfirmed; a product that does not exist has no orders.
	for name, known := range knownValues {
		v := c.args.Get(name)
		if v != "" && !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, v) }) {
			return errParameter(name, v)
		}
	}
	if q.Start, err = timeArg(c.args, "CreateTimeStart"); err != nil {
		return err
	}
	if q.End, err = timeArg(c.args, "CreateTimeEnd"); err != nil {
		return err
	}
	// The vendor documents that without a range the last hour is meant. With one end only, it says nothing.
	if q.End.IsZero() {
		q.End = c.account.now().UTC().Truncate(time.Second)
		if q.Start.IsZero() {
			q.Start = q.End.Add(-time.Hour)
		}
	} else if q.Start.IsZero() {
		q.Start = q.End.Add(-time.Hour)
	}
	return nil
}

func intArg(args url.Values, name string, missing int) (int, *Error) {
	v := args.Get(name)
	if v == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 1 {
		return 0, errParameter(name, v)
	}
	return int(n), nil
}

func timeArg(args url.Values, name string) (time.Time, *Error) {
	v := args.Get(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(timeLayout, v)
	if err != nil {
		return time.Time{}, errParameter(name, v)
	}
	return t, nil
}

// bounds turns a question's range into a half-open one of Unix seconds.
func (b Boundary) bounds(start, end time.Time) (int64, int64) {
	lo, hi := start.Unix(), end.Unix()+1
	if b == EndIncluded || b == NeitherIncluded {
		lo++
	}
	if b == StartIncluded || b == NeitherIncluded {
		hi--
	}
	return lo, hi
}

// answerList writes one page of a listing.
func answerList(c *call, b []byte) []byte {
	a, q := c.data, &c.question
	filter := listFilter{
		productCode: c.args.Get("ProductCode"), productType: c.args.Get("ProductType"),
		subscription: c.args.Get("SubscriptionType"), kind: c.args.Get("OrderType"), status: q.PaymentStatus,
	}
	var match func(*order) bool
	if !filter.empty() {
		match = filter.matches
	}
	from, to := c.account.o.Boundary.bounds(q.Start, q.End)
	p := c.page(from, to, match)
	variant := uint64(from) + uint64(q.Page)
	w := rowWriter{call: c, b: c.open(b, q.Page, p.said, p.total, false), list: bssList}
	for o := range c.each(&p, match) {
		w.row(o, func(b []byte) []byte { return a.appendRow(b, o) })
	}
	return w.close(variant, "}}")
}

func askDetail(c *call) *Error {
	c.question.OrderID = c.args.Get("OrderId")
	if c.question.OrderID == "" {
		return errMissing("OrderId")
	}
	return nil
}

// answerDetail writes an order's line items. What the vendor answers about an order that does not exist is unconfirmed;
// here it is a success with no line.
func answerDetail(c *call, b []byte) []byte {
	a := c.data
	o := a.find(c.question.OrderID)
	if o == nil {
		b = c.open(b, 1, 20, 0, false)
		return closeEmpty(b, uint64(len(c.question.OrderID)), "}}")
	}
	atomic.AddUint32(&o.calls, 1)
	var m money
	f := a.form(o)
	if c.question.Version == version2023 { // its examples are in lower case
		f |= formLower | formInstanceIds
	}
	a.amounts(o, f, &m)
	b = c.open(b, 1, 20, o.items(), f&formBareDetail != 0)
	w := rowWriter{call: c, b: b, list: bssList}
	for n := range o.left() {
		w.row(o, func(b []byte) []byte { return a.appendLine(b, o, f, &m, n) })
	}
	return w.close(uint64(o.id), "}}")
}

// open writes the envelope up to the list, without the closing braces. A bare one has nothing but the list in Data, as
// a captured detail shows it.
func (c *call) open(b []byte, page, size, total int, bare bool) []byte {
	w := c.envelope(b, "Successful!")
	if !bare {
		w.text("HostName", "bss-simulator")
		w.number("PageNum", int64(page))
		w.number("PageSize", int64(size))
		w.number("TotalCount", c.total(total))
	}
	return w.b
}

// envelope writes a success up to what is in Data, which is what the object goes on with.
func (c *call) envelope(b []byte, message string) object {
	w := object{append(b, '{')}
	w.text("Code", "Success")
	w.text("Message", message)
	w.text("RequestId", c.requestID)
	w.flag("Success", true)
	w.raw("Data", "{")
	return w
}

const bssList = `"OrderList":{"Order":[`

// actCancel cancels an order, if it is unpaid. The vendor documents no code for an order that is not, nor for one that
// does not exist: that it is InvalidParameter, one of the codes on the action's page, is unconfirmed.
func actCancel(c *call) *Error {
	if c.data.Cancel(c.question.OrderID) != nil {
		return &Error{Status: 400, Code: "InvalidParameter", Message: "The specified parameter OrderId is not valid: it is not an unpaid order."}
	}
	return nil
}

func answerCancel(c *call, b []byte) []byte {
	w := c.envelope(b, "Successful!")
	w.text("HostId", "cn")
	return append(w.b, "}}"...)
}
