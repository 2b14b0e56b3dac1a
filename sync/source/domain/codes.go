package domain

import (
	"slices"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

const hintPermission = "the RAM user or role may not call the Domain API"

// codes is the table of the vendor's error codes; the first row that fits wins. OrderInformationInvalid is from the
// document of QueryOrder, which points to the gateway's table for the rest; UserNotEXist (so spelt) is from that of
// CreateOrder, whose other codes are about what is ordered.
var codes = slices.Concat([]wire.Code{
	{Code: "OrderInformationInvalid", Status: 400, Reason: source.NotFound, Hint: "check the order id, and that the order is this login's"},
	{Code: "UserNotEXist", Status: 400, Reason: source.Auth, Hint: wire.HintKey},
}, wire.GatewayCodes)

// expand returns a hint that knows this API's policy, whose actions the old documents do not name.
func expand(hint, _ string) string {
	if hint == wire.HintPermission {
		return hintPermission
	}
	return hint
}
