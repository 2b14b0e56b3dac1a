package bss

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// totalCount names the count of rows, for messages.
const totalCount = "Data.TotalCount"

var errNoLines = errors.New("no lines")

// parseEnvelope checks the whole answer, once, and takes it apart.
func parseEnvelope(body string) (wire.Envelope, error) {
	var e wire.Envelope
	if err := wire.Object(body); err != nil {
		return e, err
	}
	var success gjson.Result
	field.Each(body, func(k, v gjson.Result) bool {
		switch {
		case strings.EqualFold(k.Str, "Success"):
			success = v
		case strings.EqualFold(k.Str, "Data"):
			e.Data = v
		default:
			e.Field(k.Str, v)
		}
		return true
	})
	e.Failed = !succeeded(success, e.Code)
	return e, nil
}

// succeeded tells what the vendor says of an answer of HTTP 200. Public clients of this API found failures there. It is
// never decided on Message: the vendor's own sample of a success has "This API is not applicable for caller." there.
func succeeded(success gjson.Result, code string) bool {
	if field.Plain(success) != "" {
		return success.Bool() // also of a text, and of a number
	}
	return code == "" || strings.EqualFold(code, "Success")
}

// orders finds Data.OrderList.Order and Data.TotalCount.
func orders(data gjson.Result) (list, total gjson.Result, err error) {
	return rows(data, "OrderList", "Order")
}

// rows finds the array inside a wrapper inside Data, and Data.TotalCount. An empty result may come without the array, or
// its wrapper; but rows under another name are not an empty result.
func rows(data gjson.Result, outer, inner string) (list, total gjson.Result, err error) {
	if !data.IsObject() {
		return list, total, errors.New("there is no Data")
	}
	var wrapper, other gjson.Result
	data.ForEach(func(k, v gjson.Result) bool {
		switch { // in whatever case, as the envelope around it
		case strings.EqualFold(k.Str, outer):
			wrapper = v
		case strings.EqualFold(k.Str, "TotalCount"):
			total = v
		case v.Type == gjson.JSON:
			other = v
		}
		return true
	})
	switch {
	case !wrapper.Exists() && other.Exists():
		return list, total, &wire.ShapeError{Err: errors.New("there is something else in Data than " + outer), Raw: data.Raw}
	case wrapper.IsObject():
		wrapper.ForEach(func(k, v gjson.Result) bool {
			if strings.EqualFold(k.Str, inner) {
				list = v
			}
			return true
		})
	case wrapper.Type != gjson.Null:
		return list, total, &wire.ShapeError{Err: errors.New("Data." + outer + " is not an object"), Raw: wrapper.Raw}
	}
	list, err = wire.Array(list, "Data", outer, inner)
	return list, total, err
}

// listing makes rows of a page. size is how many were asked for.
func listing(a *wire.Answer, stream schema.Stream, size int) (source.Page, error) {
	list, count, err := orders(a.Data)
	if err != nil {
		return source.Page{}, err
	}
	total, err := wire.Count(totalCount, count)
	if err != nil {
		return source.Page{}, err
	}
	return a.Page(total, list, size, func(raw string, o *schema.Order) field.Row {
		return decodeOrder(stream, raw, o, field.Row{})
	}), nil
}

// detail makes items of a detail.
func detail(a *wire.Answer, stream schema.Stream, order string) (source.Detail, error) {
	list, total, err := orders(a.Data)
	if err != nil {
		return source.Detail{}, err
	}
	var few [8]string // most orders have one line
	lines := wire.AppendRaw(few[:0], list)
	// Captured answers have no count; where there is one, lines that it names and that are not here are not gone.
	if n, err := wire.Count(totalCount, total); err == nil && n > len(lines) {
		return source.Detail{}, fmt.Errorf("the lines are %d, and TotalCount is %d", len(lines), n)
	}
	if len(lines) == 0 {
		return source.Detail{}, errNoLines
	}
	l := linesOf(stream, order)
	d := assemble(&l, lines)
	a.Stamp(&d)
	return d, nil
}

// linesOf is how this vendor's lines become items. In the one captured answer of an order of one line its id is the
// order's.
func linesOf(stream schema.Stream, order string) field.Lines {
	return field.Lines{Stream: stream, Order: order, Key: "SubOrderId", Only: true, Decode: decodeItem}
}

// assemble makes the detail of an order from its lines, each of which is known to be JSON. What it says of the order as a
// whole is only what all lines that say something agree on.
func assemble(l *field.Lines, lines []string) source.Detail {
	var d source.Detail
	d.Items, d.Rejects = l.Items(lines)
	d.PaymentStatus = field.Agreed(d.Items, func(i *schema.Item) string { return i.PaymentStatus })
	d.PaymentTime = field.AgreedTime(d.Items, func(i *schema.Item) time.Time { return i.PaymentTime })
	if !l.Created.IsZero() && len(d.Rejects) == 0 {
		d.Order = orderOf(l, &d)
	}
	return d
}

// orderOf makes an order of its lines: what they agree on, and the amounts where there is one line alone. Sums over
// several lines would be a guess at what the listing says, so these amounts stay unknown.
func orderOf(l *field.Lines, d *source.Detail) *schema.Order {
	o := &schema.Order{
		Stream: l.Stream, OrderID: l.Order, CreateTime: l.Created, PaymentStatus: d.PaymentStatus, PaymentTime: d.PaymentTime,
		ItemCount:        uint32(len(d.Items)),
		RelatedOrderID:   field.Agreed(d.Items, func(i *schema.Item) string { return i.RelatedOrderID }),
		OrderType:        field.Agreed(d.Items, func(i *schema.Item) string { return i.OrderType }),
		ProductCode:      field.Agreed(d.Items, func(i *schema.Item) string { return i.ProductCode }),
		ProductType:      field.Agreed(d.Items, func(i *schema.Item) string { return i.ProductType }),
		CommodityCode:    field.Agreed(d.Items, func(i *schema.Item) string { return i.CommodityCode }),
		SubscriptionType: field.Agreed(d.Items, func(i *schema.Item) string { return i.SubscriptionType }),
		Currency:         field.Agreed(d.Items, func(i *schema.Item) string { return i.Currency }),
		PaymentCurrency:  field.Agreed(d.Items, func(i *schema.Item) string { return i.PaymentCurrency }),
	}
	if len(d.Items) == 1 {
		o.Amounts = d.Items[0].Amounts
	}
	return o
}
