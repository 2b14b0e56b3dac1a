package source

// Reasons of rejects. They are a metric label, so this is all of them.
const (
	RejectJSON           = "not_json"        // a stored payload that is no JSON
	RejectObject         = "not_object"      // a row that is not an object
	RejectUTF8           = "utf8"            // bytes that are no text
	RejectType           = "type"            // a boolean, an array or an object where text is due
	RejectDuplicateField = "duplicate_field" // a declared field that comes twice
	RejectNoID           = "no_id"
	RejectNoCreateTime   = "no_create_time"
	RejectNoItemID       = "no_item_id"     // a line without an id among several
	RejectDuplicateItem  = "duplicate_item" // a second, different line with the same id
	RejectWrongOrder     = "wrong_order"    // a line of an order that was not asked for
	RejectMoney          = "money"
	RejectQuantity       = "quantity"
	RejectTime           = "time"
)

// RejectReasons are all of them.
var RejectReasons = []string{
	RejectJSON, RejectObject, RejectUTF8, RejectType, RejectDuplicateField, RejectNoID, RejectNoCreateTime, RejectNoItemID,
	RejectDuplicateItem, RejectWrongOrder, RejectMoney, RejectQuantity, RejectTime,
}
