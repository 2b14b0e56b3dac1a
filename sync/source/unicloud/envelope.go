package unicloud

import (
	"errors"
	"fmt"
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
	var count, wrapper, rows gjson.Result
	each(a.Data.Raw, func(name string, _, v gjson.Result) {
		switch name {
		case "totalCount":
			count = v
		case "orderList":
			wrapper = v
		}
	})
	total, err := wire.Count("TotalCount", count)
	if err != nil {
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
	if rows, err = wire.Array(rows, "OrderList", "Order"); err != nil {
		return source.Page{}, err
	}
	return a.Page(total, rows, size, func(raw string, o *schema.Order) field.Row {
		return d.decodeRow(stream, raw, o, field.Row{})
	}), nil
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
	items, err := wire.Array(items, "Items")
	if err != nil {
		return source.Detail{}, err
	}
	lines := wire.AppendRaw(nil, items)
	if said.Type != gjson.Null {
		n, err := wire.Count("ItemCount", said)
		if err != nil {
			return source.Detail{}, err
		}
		if n > len(lines) {
			return source.Detail{}, fmt.Errorf("the Items are %d, and ItemCount is %d", len(lines), n)
		}
	}
	out := d.assemble(stream, orderID, part.String(), lines)
	a.Stamp(&out)
	return out, nil
}
