package simulator

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// bssAPIs are the actions of Alibaba Cloud's BssOpenApi that the simulator serves.
var bssAPIs = []operation{
	{
		action: "QueryOrders", version: "2017-12-14", ram: "bss:DescribeOrderList",
		quota: func(q Quota) float64 { return q.List }, ask: askList, answer: answerList,
	},
	{
		action: "GetOrderDetail", version: "2017-12-14", ram: "bss:DescribeOrderDetail",
		quota: func(q Quota) float64 { return q.Detail }, ask: askDetail, answer: answerDetail,
	},
}

// unsupportedActions exist at the vendor, but not here.
var unsupportedActions = []string{"QueryProductList", "CancelOrder", "PayOrder", "GetOrders"}

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
	if q.Start, err = timeArg(c.args, "CreateTimeStart"); err != nil {
		return err
	}
	if q.End, err = timeArg(c.args, "CreateTimeEnd"); err != nil {
		return err
	}
	// The vendor documents that without a range the last hour is meant. With one end only, it says nothing.
	if q.End.IsZero() {
		q.End = c.account.o.Now().UTC().Truncate(time.Second)
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
	from, to := c.account.o.Boundary.bounds(q.Start, q.End)
	a.mu.RLock()
	defer a.mu.RUnlock()
	lo, hi := a.span(from, to)
	total := hi - lo
	if !filter.empty() {
		total = 0
		for i := lo; i < hi; i++ {
			if filter.matches(&a.orders[i]) {
				total++
			}
		}
	}
	size, said := q.Size, q.Size
	if limit := c.action.PageSize; limit > 0 {
		size = min(size, limit)
		if !c.action.PageSizeHidden {
			said = size
		}
	}
	b = c.open(b, q.Page, said, total, false)
	// Page numbers may be as large as 2^31 and sizes 2^31: the product fits in 64 bits.
	first := (q.Page - 1) * size
	rows := min(size, total-first)
	if q.Page > 1 && rows > 0 {
		first = max(0, first-c.action.Shift)
		rows = min(rows, total-first)
	}
	if rows <= 0 {
		return closeEmpty(b, uint64(from)+uint64(q.Page))
	}
	w := rowWriter{b: b, drop: c.action.Drop, alter: c.action.Row}
	if filter.empty() {
		for k := first; k < first+rows; k++ {
			w.row(a, c.account.at(lo, hi, k))
		}
	} else {
		seen := 0
		for k := 0; seen < first+rows; k++ {
			i := c.account.at(lo, hi, k)
			if !filter.matches(&a.orders[i]) {
				continue
			}
			if seen >= first {
				w.row(a, i)
			}
			seen++
		}
	}
	return w.close(uint64(from) + uint64(q.Page))
}

// at is the index of the k-th order of [lo, hi) in the direction that the asking login lists.
func (a *Account) at(lo, hi, k int) int {
	if a.o.OldestFirst {
		return lo + k
	}
	return hi - 1 - k
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
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.find(c.question.OrderID)
	if o == nil {
		b = c.open(b, 1, 20, 0, false)
		return closeEmpty(b, uint64(len(c.question.OrderID)))
	}
	atomic.AddUint32(&o.calls, 1)
	var m money
	f := a.form(o)
	a.amounts(o, f, &m)
	b = c.open(b, 1, 20, o.items(), f&formBareDetail != 0)
	w := rowWriter{b: b, drop: c.action.Drop, alter: c.action.Row}
	for n := range int(o.lines) {
		if o.has(n) && w.next() {
			start := len(w.b)
			w.b = a.appendLine(w.b, o, f, &m, n)
			w.altered(o, start)
		}
	}
	return w.close(uint64(o.id))
}

func (o *order) detailCalls() int  { return int(atomic.LoadUint32(&o.calls)) }
func (o *order) resetDetailCalls() { atomic.StoreUint32(&o.calls, 0) }

// open writes the envelope up to the list, without the closing braces. A bare one has nothing but the list in Data, as
// a captured detail shows it.
func (c *call) open(b []byte, page, size, total int, bare bool) []byte {
	if c.action.Total != nil {
		total = c.action.Total(total)
	}
	b = append(append(b, `{"Code":"Success","Message":"Successful!","RequestId":"`...), c.requestID...)
	b = append(b, `","Success":true,"Data":{`...)
	if bare {
		return b
	}
	b = strconv.AppendInt(append(b, `"HostName":"bss-simulator","PageNum":`...), int64(page), 10)
	b = strconv.AppendInt(append(b, `,"PageSize":`...), int64(size), 10)
	return strconv.AppendInt(append(b, `,"TotalCount":`...), int64(total), 10)
}

// closeEmpty ends an envelope that has no rows. Public clients of this API guard against a list that is not there, so
// it comes in every way that can mean nothing.
func closeEmpty(b []byte, variant uint64) []byte {
	comma := ","
	if b[len(b)-1] == '{' {
		comma = ""
	}
	switch s := stream(variant); s.n(4) {
	case 0:
		comma += `"OrderList":{}`
	case 1:
		comma += `"OrderList":{"Order":[]}`
	case 2:
		comma += `"OrderList":null`
	default:
		comma = ""
	}
	return append(append(b, comma...), "}}"...)
}

// rowWriter writes the list of an envelope, without the rows that a fault drops.
type rowWriter struct {
	b       []byte
	drop    func(int) bool
	alter   AlterRow
	seen    int
	written int
}

// next opens a place for a row; false means that the row is dropped.
func (w *rowWriter) next() bool {
	n := w.seen
	w.seen++
	if w.drop != nil && w.drop(n) {
		return false
	}
	switch {
	case w.written > 0:
		w.b = append(w.b, ',')
	case w.b[len(w.b)-1] == '{':
		w.b = append(w.b, `"OrderList":{"Order":[`...)
	default:
		w.b = append(w.b, `,"OrderList":{"Order":[`...)
	}
	w.written++
	return true
}

func (w *rowWriter) row(a *Account, i int) {
	if w.next() {
		start := len(w.b)
		w.b = a.appendRow(w.b, &a.orders[i])
		w.altered(&a.orders[i], start)
	}
}

// altered lets a fault have its way with the row that begins at start.
func (w *rowWriter) altered(o *order, start int) {
	if w.alter != nil {
		row := w.alter(strconv.FormatInt(o.id, 10), w.seen-1, bytes.Clone(w.b[start:]))
		w.b = append(w.b[:start], row...)
	}
}

func (w *rowWriter) close(variant uint64) []byte {
	if w.written == 0 {
		return closeEmpty(w.b, variant)
	}
	return append(w.b, "]}}}"...)
}
