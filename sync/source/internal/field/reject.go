package field

import (
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// rejectID is the same whenever the same record is rejected again. subject is the record's id, or its raw payload where
// it has none.
func rejectID(stage, subject string) string {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(stage)
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(subject)
	const width = 16
	s := strconv.FormatUint(d.Sum64(), 16)
	return "0000000000000000"[:width-len(s)] + s
}

// RejectedOrder makes a list row a reject. o is what could be read of it.
func RejectedOrder(o *schema.Order, r *Row) schema.Reject {
	subject := o.OrderID
	if subject == "" {
		subject = o.OwnerID + o.Raw // two owners may have the same odd row
	}
	return schema.Reject{
		Stream:     o.Stream,
		ID:         rejectID(schema.RejectList, subject),
		Stage:      schema.RejectList,
		OrderID:    strings.ToValidUTF8(o.OrderID, "\uFFFD"),
		CreateTime: o.CreateTime,
		Reason:     r.Reason,
		Message:    r.Message,
		Raw:        o.Raw,
	}
}

// RejectedItem makes a line of an order a reject. i is what could be read of it. Lines of one order must not share a
// reject's id, or one would hide the other: it is made of the order's id and the line's, and where the line's is not a
// proper one, of its payload.
func RejectedItem(i *schema.Item, r *Row) schema.Reject {
	subject := i.OrderID + "\x00"
	switch r.Reason {
	case source.RejectDuplicateItem, source.RejectWrongOrder:
		subject += i.Raw
	default:
		if i.ItemID == "" {
			subject += i.Raw
		} else {
			subject += i.ItemID
		}
	}
	return schema.Reject{
		Stream:     i.Stream,
		ID:         rejectID(schema.RejectItem, subject),
		Stage:      schema.RejectItem,
		OrderID:    strings.ToValidUTF8(i.OrderID, "\uFFFD"),
		CreateTime: i.CreateTime,
		Reason:     r.Reason,
		Message:    r.Message,
		Raw:        i.Raw,
	}
}

// RejectedHead makes the part of a detail that speaks of the order as a whole a reject of the detail, beside which its
// lines are stored. o is what could be read of it, and RawDetail the part.
func RejectedHead(o *schema.Order, r *Row) schema.Reject {
	return schema.Reject{
		Stream:     o.Stream,
		ID:         rejectID(schema.RejectItem, o.OrderID+"\x00\x00head"),
		Stage:      schema.RejectItem,
		OrderID:    strings.ToValidUTF8(o.OrderID, "\uFFFD"),
		CreateTime: o.CreateTime,
		Reason:     r.Reason,
		Message:    r.Message,
		Raw:        o.RawDetail,
	}
}
