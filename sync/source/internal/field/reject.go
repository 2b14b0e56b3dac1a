package field

import (
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// RejectedOrder makes a list row a reject. o is what could be read of it.
func RejectedOrder(o *schema.Order, r *Row) schema.Reject {
	subject := o.OrderID
	if subject == "" {
		subject = o.OwnerID + o.Raw // two owners may have the same odd row
	}
	return rejected(schema.RejectList, subject, o, o.Raw, r)
}

// rejectedItem makes a line of an order a reject. i is what could be read of it. Lines of one order must not share a
// reject's id, or one would hide the other: it is made of the order's id and the line's, and where the line's is not a
// proper one, of its payload.
func rejectedItem(i *schema.Item, r *Row) schema.Reject {
	line := i.ItemID
	if line == "" || r.Reason == source.RejectDuplicateItem || r.Reason == source.RejectWrongOrder {
		line = i.Raw
	}
	o := schema.Order{Stream: i.Stream, OrderID: i.OrderID, CreateTime: i.CreateTime}
	return rejected(schema.RejectItem, i.OrderID+"\x00"+line, &o, i.Raw, r)
}

// RejectedHead makes the part of a detail that speaks of the order as a whole a reject of the detail, beside which its
// lines are stored. o is what could be read of it, and RawDetail the part.
func RejectedHead(o *schema.Order, r *Row) schema.Reject {
	return rejected(schema.RejectItem, o.OrderID+"\x00\x00head", o, o.RawDetail, r)
}

// rejected makes a reject of a record of an order. It has the same id whenever the same record is rejected again: subject is
// the record's id, or its raw payload where it has none.
func rejected(stage, subject string, o *schema.Order, raw string, r *Row) schema.Reject {
	return schema.Reject{
		Stream:     o.Stream,
		ID:         fmt.Sprintf("%016x", xxhash.Sum64String(stage+"\x00"+subject)),
		Stage:      stage,
		OrderID:    strings.ToValidUTF8(o.OrderID, "\uFFFD"),
		CreateTime: o.CreateTime,
		Reason:     r.Reason,
		Message:    r.Message,
		Raw:        raw,
	}
}
