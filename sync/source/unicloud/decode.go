package unicloud

import (
	"cmp"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
)

// Decoder is the source.Decoder of this vendor. Location must be the Client's.
type Decoder struct {
	Location *time.Location // of times that name no zone; UTC+8 by default
}

var _ source.Decoder = Decoder{}

func (d Decoder) location() *time.Location { return cmp.Or(d.Location, china) }

// Order makes an order of a list row's payload, or a reject where that cannot be done. Version and FetchedAt are not set.
func (d Decoder) Order(stream schema.Stream, raw string) (schema.Order, *schema.Reject) {
	var o schema.Order
	if r := d.decodeRow(stream, raw, &o, field.Check(raw)); r.Reason != "" {
		reject := field.RejectedOrder(&o, &r)
		return schema.Order{}, &reject
	}
	return o, nil
}

// Detail makes a detail of the payloads of the order's part and of its lines.
func (d Decoder) Detail(stream schema.Stream, orderID, raw string, lines []string) source.Detail {
	l := field.Lines{Stream: stream, Order: orderID}
	whole, broken := l.Whole(lines)
	out := d.assemble(stream, orderID, raw, whole)
	out.Rejects = append(out.Rejects, broken...)
	return out
}

// assemble makes a detail of its parts. The lines are known to be JSON.
func (d Decoder) assemble(stream schema.Stream, orderID, raw string, lines []string) source.Detail {
	out := source.Detail{Raw: raw}
	h := head{order: schema.Order{Stream: stream, OrderID: orderID}}
	if raw != "" {
		h.order.OrderID = ""
		r := field.Check(raw)
		if r.Reason == "" {
			r = d.decodeHead(raw, &h, r)
		}
		h.order.OrderID, h.order.RawDetail = orderID, raw
		out.PaymentStatus, out.PaymentTime = h.order.PaymentStatus, h.order.PaymentTime
		switch {
		case r.Reason != "":
			out.Rejects = append(out.Rejects, field.RejectedHead(&h.order, &r))
		case !h.order.CreateTime.IsZero():
			out.Order = &h.order
		}
	}
	l := field.Lines{
		Stream: stream, Order: orderID, Key: "id",
		Decode: func(stream schema.Stream, raw string, i *schema.Item, r field.Row) field.Row {
			return d.decodeItem(stream, raw, i, r, &h)
		},
	}
	items, rejects := l.Items(lines)
	out.Items, out.Rejects = items, append(out.Rejects, rejects...)
	h.order.ItemCount = uint32(len(items))
	if n, _ := strconv.Atoi(h.lines); len(rejects) == 0 && n <= len(items) { // else there are lines that are no items
		field.Share(h.order.Pretax, items)
	}
	return out
}

// decodeRow reads a list row. What it can read it sets even where the row is to be rejected, for the reject.
func (d Decoder) decodeRow(stream schema.Stream, raw string, o *schema.Order, r field.Row) field.Row {
	o.Stream, o.Raw = stream, raw
	if !r.Readable(raw) {
		return r
	}
	each(raw, func(name string, k, v gjson.Result) {
		o.Fingerprint ^= field.Hash(k.Str, v.Raw)
		d.set(o, &r, name, v)
	})
	r.Listed(o, "Id")
	return r
}

// head is what the order's part of a detail says, for the order and for its lines.
type head struct {
	order  schema.Order
	region string
	lines  string            // how many there are (ItemCount); empty = not said
	infos  map[string]string // what has no column, by the vendor's name
}

func (d Decoder) decodeHead(raw string, h *head, r field.Row) field.Row {
	if !r.Readable(raw) {
		return r
	}
	each(raw, func(name string, _, v gjson.Result) {
		switch name {
		case "productRegionId":
			if r.Once(columnRegion, name) {
				h.region = r.Text(name, v)
			}
		case "itemCount":
			h.lines = field.Plain(v)
		default:
			column, known := headInfos[name]
			if !known {
				d.set(&h.order, &r, name, v)
				return
			}
			text := field.Plain(v)
			switch {
			case v.Type == gjson.JSON:
				text = field.CompactJSON(v)
			case v.Type == gjson.Number && strings.HasSuffix(name, "Amount"):
				if m, err := field.ParseNumber(text); err == nil {
					text = m.Decimal.String() // no 1.5E-7, for SQL
				}
			}
			if r.Once(column, name) && text != "" {
				if h.infos == nil {
					h.infos = make(map[string]string, len(headInfos))
				}
				h.infos[strings.ToUpper(name[:1])+name[1:]] = text
			}
		}
	})
	return r
}

// Numbers of declared fields, to tell when one comes twice.
const (
	columnID uint8 = iota
	columnOrderID
	columnType
	columnStatus
	columnProduct
	columnCharge
	columnCreate
	columnPay
	columnTotal
	columnFinal
	columnRegion
	columnSKU
	columnQuantity
	columnStart
	columnEnd
	columnInstance
	columnDescription
	columnInfo // and those behind it
)

// headInfos are the fields of an order that go into extend_infos of its lines.
var headInfos = map[string]uint8{
	"productRegionName": columnInfo, "payType": columnInfo + 1, "payTypeName": columnInfo + 2, "paidAmount": columnInfo + 3,
	"couponAmount": columnInfo + 4, "promotionAmount": columnInfo + 5, "updateTime": columnInfo + 6,
}

// orderColumns are the fields that list rows and orders of a detail share.
var orderColumns = map[string]uint8{
	"id": columnID, "orderCategory": columnType, "orderStatus": columnStatus, "productCategory": columnProduct, "chargeType": columnCharge,
	"createTime": columnCreate, "payTime": columnPay, "totalPrice": columnTotal, "finalPrice": columnFinal,
}

// set reads one of these fields.
func (d Decoder) set(o *schema.Order, r *field.Row, name string, v gjson.Result) {
	column, known := orderColumns[name]
	if !known || !r.Once(column, name) {
		return
	}
	switch column {
	case columnID:
		o.OrderID = r.ID(name, v)
	case columnType:
		o.OrderType = r.Text(name, v)
	case columnStatus:
		o.PaymentStatus = r.Text(name, v)
	case columnProduct:
		o.ProductCode = r.Text(name, v)
	case columnCharge:
		o.SubscriptionType = r.Text(name, v)
	case columnCreate:
		o.CreateTime = r.LocalTime(name, v, d.location())
	case columnPay:
		o.PaymentTime = r.LocalTime(name, v, d.location())
	case columnTotal:
		o.PretaxGross = r.Money(name, v)
	case columnFinal:
		o.Pretax = r.Money(name, v)
	}
}

// decodeItem reads a line of a detail. What it can read it sets even where the line is to be rejected, for the reject.
func (d Decoder) decodeItem(stream schema.Stream, raw string, i *schema.Item, r field.Row, h *head) field.Row {
	i.Stream, i.Raw, i.CreateTime = stream, raw, h.order.CreateTime
	i.OrderID = h.order.OrderID // in whose detail it is; a line may say otherwise
	i.OrderType, i.PaymentStatus, i.PaymentTime = h.order.OrderType, h.order.PaymentStatus, h.order.PaymentTime
	i.SubscriptionType, i.Region = h.order.SubscriptionType, h.region
	if !r.Readable(raw) {
		return r
	}
	i.ExtendInfos = make(map[string]string, 20)
	maps.Copy(i.ExtendInfos, h.infos)
	each(raw, func(name string, _, v gjson.Result) {
		column, known := lineColumns[name]
		if !known || !r.Once(column, name) {
			return
		}
		switch column {
		case columnID:
			i.ItemID = r.ID(name, v)
		case columnOrderID:
			if id := r.ID(name, v); id != "" {
				i.OrderID = id
			}
		case columnProduct:
			i.ProductCode = r.Text(name, v)
		case columnSKU:
			i.CommodityCode = r.Text(name, v)
		case columnQuantity:
			i.Quantity = r.Quantity(name, v)
		case columnTotal:
			i.PretaxGross = r.Money(name, v)
		case columnStart:
			i.UsageStartTime = r.LocalTime(name, v, d.location())
		case columnEnd:
			i.UsageEndTime = r.LocalEnd(name, v, d.location())
		case columnInstance:
			i.InstanceIDs = r.IDs(name, v)
		case columnDescription:
			i.Config = r.Text(name, v)
			describe(i.ExtendInfos, i.Config)
		default:
			if v.Type != gjson.Null {
				i.ExtendInfos[name] = r.Scalar(name, v)
			}
		}
	})
	if len(i.ExtendInfos) == 0 {
		i.ExtendInfos = nil
	}
	return r
}

// lineColumns are the fields of a line that go anywhere.
var lineColumns = map[string]uint8{
	"id": columnID, "orderId": columnOrderID, "productCategory": columnProduct, "productSku": columnSKU, "quantity": columnQuantity,
	"totalPrice": columnTotal, "productStartTime": columnStart, "productEndTime": columnEnd, "instanceId": columnInstance,
	"productDescription": columnDescription, "orderNo": columnInfo, "productId": columnInfo + 1, "productName": columnInfo + 2,
	"productRentUnit": columnInfo + 3, "productRentCount": columnInfo + 4, "isParent": columnInfo + 5,
}

// describe puts the entries of a description, which is JSON inside a string, where SQL can ask for them by name. What is
// not of that form is in the column config as it came.
func describe(infos map[string]string, description string) {
	if !strings.HasPrefix(strings.TrimSpace(description), "{") || !field.Valid(description) {
		return
	}
	field.Each(description, func(k, v gjson.Result) bool {
		if strings.TrimSpace(field.Str(k)) == "conf" && v.IsObject() {
			v.ForEach(func(k, v gjson.Result) bool {
				value := field.Plain(v)
				if v.Type == gjson.JSON {
					value = field.CompactJSON(v)
				}
				infos["conf."+strings.TrimSpace(field.Str(k))] = value
				return true
			})
		}
		return true
	})
}
