package bss

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// envelope is what all answers have around their data, good and bad ones.
type envelope struct {
	code, text, requestID string
	success               gjson.Result
	data                  gjson.Result
}

var (
	errEmpty     = errors.New("the answer is empty")
	errNotJSON   = errors.New("the answer is not JSON")
	errNotObject = errors.New("the answer is not a JSON object")
	errNoLines   = errors.New("no lines")
)

// shapeError is an answer, or a part of one, that is not what it should be.
type shapeError struct {
	err error
	raw string // the part
}

func (e *shapeError) Error() string { return e.err.Error() }
func (e *shapeError) Unwrap() error { return e.err }

// parseEnvelope checks the whole answer, once, and takes it apart.
func parseEnvelope(body string) (envelope, error) {
	var e envelope
	switch trimmed := strings.TrimLeft(body, " \t\r\n"); {
	case trimmed == "":
		return e, errEmpty
	case !valid(body):
		return e, &shapeError{errNotJSON, trimmed}
	case trimmed[0] != '{':
		return e, &shapeError{errNotObject, trimmed}
	}
	gjson.Result{Type: gjson.JSON, Raw: body}.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "Code":
			e.code = plain(v)
		case "Message":
			e.text = plain(v)
		case "RequestId":
			e.requestID = plain(v)
		case "Success":
			e.success = v
		case "Data":
			e.data = v
		}
		return true
	})
	return e, nil
}

// plain is a value as text.
func plain(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return str(v)
	case gjson.Null:
		return ""
	}
	return v.Raw
}

// succeeded tells what the vendor says of an answer of HTTP 200. Public clients of this API found failures there. It is
// never decided on Message: the vendor's own sample of a success has "This API is not applicable for caller." there.
func (e *envelope) succeeded() bool {
	switch {
	case e.success.Type == gjson.True:
		return true
	case e.success.Type == gjson.False:
		return false
	case e.success.Type == gjson.String && e.success.Str != "":
		return strings.EqualFold(e.success.Str, "true")
	}
	return e.code == "" || strings.EqualFold(e.code, "Success")
}

// orders finds Data.OrderList.Order and Data.TotalCount. An empty result may come without the list, or its wrapper.
func (e *envelope) orders() (list, total gjson.Result, err error) {
	if !e.data.IsObject() {
		return list, total, errors.New("there is no Data")
	}
	var wrapper gjson.Result
	e.data.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "OrderList":
			wrapper = v
		case "TotalCount":
			total = v
		}
		return true
	})
	switch {
	case wrapper.IsObject():
		wrapper.ForEach(func(k, v gjson.Result) bool {
			if k.Str == "Order" {
				list = v
			}
			return true
		})
	case wrapper.Type != gjson.Null:
		return list, total, &shapeError{errors.New("Data.OrderList is not an object"), wrapper.Raw}
	}
	switch {
	case list.Type == gjson.Null:
		list = gjson.Result{} // ForEach takes a null for one element
	case !list.IsArray():
		return list, total, &shapeError{errors.New("Data.OrderList.Order is not an array"), list.Raw}
	}
	return list, total, nil
}

// page makes rows of a listing. size is how many were asked for.
func (a *answer) page(lane schema.Lane, size int) (source.Page, error) {
	list, total, err := a.orders()
	if err != nil {
		return source.Page{}, err
	}
	var p source.Page
	if p.Total, err = count(total); err != nil {
		return source.Page{}, err
	}
	// A row has at least some hundred bytes: what the answer claims is never what is allocated.
	p.Orders = make([]schema.Order, 0, min(size, len(list.Raw)/100))
	list.ForEach(func(_, v gjson.Result) bool {
		p.Orders = append(p.Orders, schema.Order{})
		o := &p.Orders[len(p.Orders)-1]
		if r := decodeOrder(lane, v.Raw, o, reading{}); r.reason != "" {
			p.Rejects = append(p.Rejects, rejectOrder(o, &r))
			p.Orders = p.Orders[:len(p.Orders)-1]
			return true
		}
		o.Version, o.FetchedAt = a.version, a.fetchedAt
		return true
	})
	return p, nil
}

// count reads TotalCount. Without it a listing cannot be proved whole.
func count(v gjson.Result) (int, error) {
	if v.Type == gjson.Number || v.Type == gjson.String {
		if n, err := strconv.ParseUint(plain(v), 10, 31); err == nil {
			return int(n), nil
		}
	}
	if v.Type == gjson.Null {
		return 0, errors.New("Data.TotalCount is missing")
	}
	return 0, &shapeError{errors.New("Data.TotalCount is not a count"), v.Raw}
}

// detail makes items of a detail.
func (a *answer) detail(lane schema.Lane, order string) (source.Detail, error) {
	list, _, err := a.orders()
	if err != nil {
		return source.Detail{}, err
	}
	var few [8]string // most orders have one line
	lines := few[:0]
	list.ForEach(func(_, v gjson.Result) bool {
		lines = append(lines, v.Raw)
		return true
	})
	if len(lines) == 0 {
		return source.Detail{}, errNoLines
	}
	d := assemble(lane, order, lines)
	for k := range d.Items {
		d.Items[k].Version, d.Items[k].FetchedAt = a.version, a.fetchedAt
	}
	return d, nil
}

// assemble makes the detail of an order from its lines, each of which is known to be JSON.
func assemble(lane schema.Lane, order string, lines []string) source.Detail {
	d := source.Detail{Items: make([]schema.Item, 0, len(lines))}
	for _, raw := range lines {
		d.Items = append(d.Items, schema.Item{})
		i := &d.Items[len(d.Items)-1]
		r := decodeItem(lane, raw, i, reading{})
		same := false
		if r.reason == "" {
			same = line(&r, d.Items, order, len(lines))
		}
		switch {
		case r.reason != "":
			if i.OrderID == "" || r.reason == rejectWrongOrder {
				i.OrderID = order // whose detail this is
			}
			d.Rejects = append(d.Rejects, rejectItem(i, &r))
			fallthrough
		case same:
			d.Items = d.Items[:len(d.Items)-1]
		default:
			i.CreateTime = zeroTime // it is the order's
		}
	}
	summarize(&d)
	return d
}

// line checks the last of items against the order that was asked for and against the lines before it. It reports true
// for a line that says the same as an earlier one.
func line(r *reading, items []schema.Item, order string, lines int) (same bool) {
	last := len(items) - 1
	i := &items[last]
	if i.OrderID != order {
		r.fail(rejectWrongOrder, fmt.Sprintf("a line of order %s in the detail of order %s", excerpt(i.OrderID), excerpt(order)))
		return false
	}
	if i.ItemID == "" {
		if lines > 1 {
			r.fail(rejectNoItemID, "SubOrderId is missing in an order of several lines")
			return false
		}
		i.ItemID = i.OrderID
	}
	for k := range items[:last] {
		if items[k].ItemID != i.ItemID {
			continue
		}
		if items[k].Raw == i.Raw {
			return true
		}
		r.fail(rejectDuplicateItem, "two different lines have the id "+excerpt(i.ItemID))
		return false
	}
	return false
}

// summarize sets what the lines say of the order as a whole: only where all that say something agree.
func summarize(d *source.Detail) {
	statuses, times := true, true
	for k := range d.Items {
		i := &d.Items[k]
		if i.PaymentStatus != "" {
			if d.PaymentStatus == "" {
				d.PaymentStatus = i.PaymentStatus
			}
			statuses = statuses && strings.EqualFold(d.PaymentStatus, i.PaymentStatus)
		}
		if !i.PaymentTime.IsZero() {
			if d.PaymentTime.IsZero() {
				d.PaymentTime = i.PaymentTime
			}
			times = times && d.PaymentTime.Equal(i.PaymentTime)
		}
	}
	if !statuses {
		d.PaymentStatus = ""
	}
	if !times {
		d.PaymentTime = zeroTime
	}
}
