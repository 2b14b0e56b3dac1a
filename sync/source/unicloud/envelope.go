package unicloud

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// parseEnvelope checks the whole answer, once, and takes it apart. HTTP 200 means success; should such an answer have a
// code and no data, it is a failure all the same.
func parseEnvelope(body string) (wire.Envelope, error) {
	var e wire.Envelope
	if err := wire.Object(body); err != nil {
		return e, err
	}
	e.Data = gjson.Result{Type: gjson.JSON, Raw: body}
	data := false
	each(body, func(key string, _, v gjson.Result) {
		switch key {
		case "order", "orderList", "totalCount":
			data = data || v.Type != gjson.Null
		default:
			e.Field(key, v)
		}
	})
	e.Failed = e.Code != "" && !data
	return e, nil
}

// each calls yield with the fields of an object, which must be JSON. The service pads keys with blanks, and begins them
// with a capital at the top and with a small letter in lines; name is the key without either.
func each(raw string, yield func(name string, k, v gjson.Result)) {
	field.Each(raw, func(k, v gjson.Result) bool {
		name := strings.TrimSpace(field.Str(k))
		if name != "" && name[0] >= 'A' && name[0] <= 'Z' {
			if known, ok := names[name]; ok {
				name = known
			} else {
				name = strings.ToLower(name[:1]) + name[1:]
			}
		}
		yield(name, k, v)
		return true
	})
}

// names spares making the common names anew for every row.
var names = map[string]string{
	"Id": "id", "OrderStatus": "orderStatus", "OrderCategory": "orderCategory", "ChargeType": "chargeType",
	"ProductCategory": "productCategory", "CreateTime": "createTime", "PayTime": "payTime", "TotalPrice": "totalPrice",
	"FinalPrice": "finalPrice", "ProductRegionId": "productRegionId", "ProductRegionName": "productRegionName",
	"ItemCount": "itemCount", "Items": "items", "Order": "order", "OrderList": "orderList", "TotalCount": "totalCount",
}

// page makes rows of a listing.
func (d Decoder) page(a *wire.Answer, stream schema.Stream, size int) (source.Page, error) {
	var total, wrapper, rows gjson.Result
	each(a.Data.Raw, func(name string, _, v gjson.Result) {
		switch name {
		case "totalCount":
			total = v
		case "orderList":
			wrapper = v
		}
	})
	var p source.Page
	var err error
	if p.Total, err = count("TotalCount", total); err != nil {
		return source.Page{}, err
	}
	switch {
	case wrapper.IsObject():
		each(wrapper.Raw, func(name string, _, v gjson.Result) {
			if name == "order" {
				rows = v
			}
		})
	case wrapper.Type != gjson.Null:
		return source.Page{}, &wire.ShapeError{Err: errors.New("OrderList is not an object"), Raw: wrapper.Raw}
	}
	switch {
	case rows.Type == gjson.Null:
		return p, nil
	case !rows.IsArray():
		return source.Page{}, &wire.ShapeError{Err: errors.New("OrderList.Order is not an array"), Raw: rows.Raw}
	}
	// A row has at least some hundred bytes: what the answer claims is never what is allocated.
	p.Orders = make([]schema.Order, 0, min(size, len(rows.Raw)/100))
	rows.ForEach(func(_, v gjson.Result) bool {
		p.Orders = append(p.Orders, schema.Order{})
		o := &p.Orders[len(p.Orders)-1]
		if r := d.decodeRow(stream, v.Raw, o, field.Row{}); r.Reason != "" {
			p.Rejects = append(p.Rejects, field.RejectedOrder(o, &r))
			p.Orders = p.Orders[:len(p.Orders)-1]
			return true
		}
		o.Version, o.FetchedAt = a.Version, a.FetchedAt
		return true
	})
	return p, nil
}

// count reads a count. Without TotalCount a listing cannot be proved whole.
func count(name string, v gjson.Result) (int, error) {
	if v.Type == gjson.Number || v.Type == gjson.String {
		if n, err := strconv.ParseUint(field.Plain(v), 10, 31); err == nil {
			return int(n), nil
		}
	}
	if v.Type == gjson.Null {
		return 0, fmt.Errorf("%s is missing", name)
	}
	return 0, &wire.ShapeError{Err: fmt.Errorf("%s is not a count", name), Raw: v.Raw}
}

// detail takes a detail apart: the order's part without its lines, and the lines.
func (d Decoder) detail(a *wire.Answer, stream schema.Stream, orderID string) (source.Detail, error) {
	var order gjson.Result
	present := false
	each(a.Data.Raw, func(name string, _, v gjson.Result) {
		if name == "order" {
			order, present = v, true
		}
	})
	switch {
	case !present:
		return source.Detail{}, errors.New("there is no Order")
	case order.Type == gjson.Null:
		return source.Detail{}, errNoOrder
	case !order.IsObject():
		return source.Detail{}, &wire.ShapeError{Err: errors.New("Order is not an object"), Raw: order.Raw}
	}
	var (
		part            strings.Builder
		id, items, said gjson.Result
	)
	part.Grow(len(order.Raw))
	each(order.Raw, func(name string, k, v gjson.Result) {
		switch name {
		case "items":
			items = v
			return
		case "id":
			id = v
		case "itemCount":
			said = v
		}
		part.WriteByte("{,"[min(part.Len(), 1)])
		part.WriteString(k.Raw)
		part.WriteByte(':')
		part.WriteString(v.Raw)
	})
	if part.Len() == 0 {
		return source.Detail{}, errNoOrder
	}
	part.WriteByte('}')
	if got := field.Plain(id); got != orderID {
		return source.Detail{}, &wire.ShapeError{Err: fmt.Errorf("the detail is of order %s", field.Excerpt(got)), Raw: order.Raw}
	}
	var lines []string
	if items.Type != gjson.Null {
		if !items.IsArray() {
			return source.Detail{}, &wire.ShapeError{Err: errors.New("the Items are not an array"), Raw: items.Raw}
		}
		items.ForEach(func(_, v gjson.Result) bool {
			lines = append(lines, v.Raw)
			return true
		})
	}
	if said.Type != gjson.Null {
		n, err := count("ItemCount", said)
		if err != nil {
			return source.Detail{}, err
		}
		if n > len(lines) {
			return source.Detail{}, fmt.Errorf("the Items are %d, and ItemCount is %d", len(lines), n)
		}
	}
	out := d.assemble(stream, orderID, part.String(), lines)
	for k := range out.Items {
		out.Items[k].Version, out.Items[k].FetchedAt = a.Version, a.FetchedAt
	}
	if out.Order != nil {
		out.Order.Version, out.Order.FetchedAt = a.Version, a.FetchedAt
	}
	return out, nil
}
