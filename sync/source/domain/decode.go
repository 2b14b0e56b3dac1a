package domain

import (
	"cmp"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// china is the zone of times, where no other is configured.
var china = time.FixedZone("UTC+8", 8*60*60)

// Decoder is the source.Decoder of this vendor. Location must be the Client's.
type Decoder struct {
	Location *time.Location // of times, which name no zone; UTC+8 by default
}

var _ source.Decoder = Decoder{}

func (d Decoder) location() *time.Location { return cmp.Or(d.Location, china) }

// Order always returns a reject: this vendor has no list rows, so none can have been stored.
func (d Decoder) Order(stream schema.Stream, raw string) (schema.Order, *schema.Reject) {
	var r field.Row
	r.Fail(source.RejectObject, "the Domain API has no list rows")
	reject := field.RejectedOrder(&schema.Order{Stream: stream, Raw: raw}, &r)
	return schema.Order{}, &reject
}

// Detail makes a detail of the payloads of the order's part and of its lines.
func (d Decoder) Detail(stream schema.Stream, orderID, raw string, lines []string) source.Detail {
	out := source.Detail{Raw: raw}
	o := schema.Order{Stream: stream, OrderID: orderID, RawDetail: raw}
	if raw != "" {
		r := d.decodeOrder(raw, &o)
		out.PaymentStatus, out.PaymentTime = o.PaymentStatus, o.PaymentTime
		switch {
		case r.Reason != "":
			out.Rejects = append(out.Rejects, field.RejectedHead(&o, &r))
		case !o.CreateTime.IsZero():
			out.Order = &o
		}
	}
	l := field.Lines{
		Stream: stream, Order: orderID, Key: "TrackID",
		Decode: func(stream schema.Stream, raw string, i *schema.Item, r field.Row) field.Row {
			i.Stream, i.Raw, i.OrderID, i.CreateTime = stream, raw, orderID, o.CreateTime
			return d.decodeLine(raw, i, r)
		},
	}
	items, rejects := l.Items(lines)
	out.Items, out.Rejects = items, append(out.Rejects, rejects...)
	o.ItemCount = uint32(len(items))
	o.OrderType = field.Agreed(items, func(i *schema.Item) string { return i.OrderType })
	o.ProductCode = field.Agreed(items, func(i *schema.Item) string { return i.ProductCode })
	return out
}

// detail takes an answer apart: the order's part without its lines, and the lines.
func (d Decoder) detail(a *wire.Answer, stream schema.Stream, orderID string) (source.Detail, error) {
	list, err := members(a.Body)
	if err != nil {
		return source.Detail{}, err
	}
	var (
		lines []string
		part  = make([]wire.Member, 0, len(list))
		id    string
		some  bool
	)
	for _, m := range list {
		switch m.Name {
		case "OrderProducts":
			if some {
				return source.Detail{}, errors.New("OrderProducts comes twice")
			}
			some = true
			if lines, err = linesOf(m, wire.IsXML(a.Body)); err != nil {
				return source.Detail{}, err
			}
			continue
		case "OrderID":
			id = field.Plain(m.Value)
		case "RequestId":
			continue // it is the answer's and not the order's: an order that did not change has the same payload
		}
		part = append(part, m)
	}
	switch id {
	case orderID:
	case "":
		return source.Detail{}, errors.New("there is no OrderID")
	default:
		return source.Detail{}, &wire.ShapeError{Err: fmt.Errorf("the detail is of order %s", field.Excerpt(id)), Raw: a.Body}
	}
	out := d.Detail(stream, orderID, build(a.Body, part), lines)
	a.Stamp(&out)
	return out, nil
}

// Numbers of declared fields, to tell when one comes twice.
const (
	columnOrderID uint8 = iota
	columnTrackID
	columnAction
	columnClass
	columnMoney
	columnOrderDate
	columnCheckFlag
	columnCheckDate
	columnValidFlag
	columnAmount
	columnName
	columnDeadDate
	columnInfo // and those behind it
)

var orderColumns = map[string]uint8{
	"OrderDate": columnOrderDate, "Money": columnMoney, "CheckFlag": columnCheckFlag, "CheckDate": columnCheckDate,
	"ValidFlag": columnValidFlag, "OrderID": columnOrderID,
}

var lineColumns = map[string]uint8{
	"OrderID": columnOrderID, "TrackID": columnTrackID, "ActionType": columnAction, "ClassID": columnClass, "Money": columnMoney,
	"OrderDate": columnOrderDate, "CheckFlag": columnCheckFlag, "CheckDate": columnCheckDate, "ValidFlag": columnValidFlag,
	"Amount": columnAmount, "RelatedName": columnName, "DeadDate": columnDeadDate,
	"UpdateDate": columnInfo, "ProductName": columnInfo + 1, "PeriodNum": columnInfo + 2, "PeriodUnit": columnInfo + 3,
	"SaleID": columnInfo + 4, "ParentSaleID": columnInfo + 5, "UserID": columnInfo + 6, "BizStatus": columnInfo + 7,
}

// settlement is what the flags and dates of an order or a line say of its payment.
type settlement struct {
	settled, known, invalid bool
	date                    time.Time
}

func (s *settlement) flags(r *field.Row, column uint8, name string, v gjson.Result) {
	flag, known := r.Flag(name, v)
	switch {
	case column == columnCheckFlag:
		s.settled, s.known = flag, known
	case known:
		s.invalid = !flag
	}
}

// payment returns the status in the words of the column. An order without the flag has none.
func (s *settlement) payment() (status string, at time.Time) {
	switch {
	case s.settled:
		return "Paid", s.date
	case s.known && s.invalid:
		return "Cancelled", at
	case s.known:
		return "Unpaid", at
	}
	return "", at
}

// open takes the payload of an order's part or of a line apart.
func open(raw string, r *field.Row) []wire.Member {
	list, err := members(raw)
	switch {
	case errors.Is(err, wire.ErrNotObject):
		r.Fail(source.RejectObject, "not an object: "+field.Excerpt(raw))
	case err != nil:
		r.Fail(source.RejectJSON, "neither JSON nor XML")
	case !utf8.ValidString(raw):
		r.Fail(source.RejectUTF8, "bytes that are not UTF-8")
	}
	return list
}

// decodeOrder reads the order's part. What it can read it sets even where the part is to be rejected, for the reject.
func (d Decoder) decodeOrder(raw string, o *schema.Order) field.Row {
	var r field.Row
	var s settlement
	for _, m := range open(raw, &r) {
		column, known := orderColumns[m.Name]
		if !known || !r.Once(column, m.Name) {
			continue
		}
		switch column {
		case columnOrderDate:
			o.CreateTime = r.LocalTime(m.Name, m.Value, d.location())
		case columnMoney:
			o.Pretax = r.Money(m.Name, m.Value)
		case columnCheckDate:
			s.date = r.LocalTime(m.Name, m.Value, d.location())
		case columnCheckFlag, columnValidFlag:
			s.flags(&r, column, m.Name, m.Value)
		}
	}
	o.PaymentStatus, o.PaymentTime = s.payment()
	return r
}

// decodeLine reads a line. What it can read it sets even where the line is to be rejected, for the reject.
func (d Decoder) decodeLine(raw string, i *schema.Item, r field.Row) field.Row {
	var s settlement
	i.ExtendInfos = make(map[string]string, 12)
	for _, m := range open(raw, &r) {
		column, known := lineColumns[m.Name]
		if !known || !r.Once(column, m.Name) {
			continue
		}
		switch name, v := m.Name, m.Value; column {
		case columnOrderID:
			if id := r.ID(name, v); id != "" {
				i.OrderID = id
			}
		case columnTrackID:
			i.ItemID = r.ID(name, v)
		case columnAction:
			i.OrderType = r.Text(name, v)
		case columnClass:
			i.ProductCode = r.Text(name, v)
		case columnMoney:
			i.Pretax = r.Money(name, v)
		case columnOrderDate: // the order's own is the item's too
		case columnCheckDate:
			s.date = r.LocalTime(name, v, d.location())
		case columnAmount:
			i.Quantity = r.Quantity(name, v)
		case columnName:
			if s := r.Text(name, v); s != "" {
				i.InstanceIDs = []string{s}
			}
		case columnDeadDate:
			i.UsageEndTime = r.LocalEnd(name, v, d.location())
		case columnCheckFlag, columnValidFlag:
			s.flags(&r, column, name, v)
			fallthrough
		default:
			if text := r.Scalar(name, v); text != "" {
				i.ExtendInfos[name] = text
			}
		}
	}
	if len(i.ExtendInfos) == 0 {
		i.ExtendInfos = nil
	}
	i.PaymentStatus, i.PaymentTime = s.payment()
	return r
}
