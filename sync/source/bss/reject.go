package bss

import (
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/ordersync/ordersync/schema"
)

// Reasons of rejects. They are a metric label, so this is all of them.
const (
	rejectJSON           = "not_json"        // a stored payload that is no JSON
	rejectObject         = "not_object"      // a row that is not an object
	rejectUTF8           = "utf8"            // bytes that are no text
	rejectType           = "type"            // a boolean, an array or an object where text is due
	rejectDuplicateField = "duplicate_field" // a declared field that comes twice
	rejectNoID           = "no_id"
	rejectNoCreateTime   = "no_create_time"
	rejectNoItemID       = "no_item_id"     // a line without an id among several
	rejectDuplicateItem  = "duplicate_item" // a second, different line with the same id
	rejectWrongOrder     = "wrong_order"    // a line of an order that was not asked for
	rejectMoney          = "money"
	rejectQuantity       = "quantity"
	rejectTime           = "time"
)

// RejectReasons are all reasons for which this package rejects a record.
var RejectReasons = []string{
	rejectJSON, rejectObject, rejectUTF8, rejectType, rejectDuplicateField, rejectNoID, rejectNoCreateTime, rejectNoItemID,
	rejectDuplicateItem, rejectWrongOrder, rejectMoney, rejectQuantity, rejectTime,
}

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

// rejectOrder makes a list row a reject. o is what could be read of it.
func rejectOrder(o *schema.Order, r *reading) schema.Reject {
	subject := o.OrderID
	if subject == "" {
		subject = o.Raw
	}
	return schema.Reject{
		Lane:       o.Lane,
		ID:         rejectID(schema.RejectList, subject),
		Stage:      schema.RejectList,
		OrderID:    strings.ToValidUTF8(o.OrderID, "\uFFFD"),
		CreateTime: o.CreateTime,
		Reason:     r.reason,
		Message:    r.message,
		Raw:        o.Raw,
	}
}

// rejectItem makes a line of an order a reject. i is what could be read of it. Lines of one order must not share a
// reject's id, or one would hide the other: it is made of the order's id and the line's, and where the line's is not a
// proper one, of its payload.
func rejectItem(i *schema.Item, r *reading) schema.Reject {
	subject := i.OrderID + "\x00"
	switch r.reason {
	case rejectDuplicateItem, rejectWrongOrder:
		subject += i.Raw
	default:
		if i.ItemID == "" {
			subject += i.Raw
		} else {
			subject += i.ItemID
		}
	}
	return schema.Reject{
		Lane:       i.Lane,
		ID:         rejectID(schema.RejectItem, subject),
		Stage:      schema.RejectItem,
		OrderID:    strings.ToValidUTF8(i.OrderID, "\uFFFD"),
		CreateTime: i.CreateTime,
		Reason:     r.reason,
		Message:    r.message,
		Raw:        i.Raw,
	}
}
