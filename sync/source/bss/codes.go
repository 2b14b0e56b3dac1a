package bss

import (
	"slices"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/wire"
)

// Hints of this API's own codes; expand fills what is in braces.
const (
	hintSite  = "the account does not belong to the site {site}, or may not use this API: try `site: {other site}`"
	hintOwner = "the owner id is not a customer or member of this login: check {owners}"
)

// codes is the table of the vendor's error codes; the first row that fits wins. InvalidOwner and InternalError are from
// the document of QueryOrders; NotApplicable, MissingParameter to InvalidCaller, and InvalidOwner again, are the table that
// the pages of CancelOrder and its sibling actions share. The rest is the gateway's.
var codes = slices.Concat([]wire.Code{
	{Code: "InvalidOwner", Status: 400, Reason: source.BadRequest, Hint: hintOwner},
	{Code: "NotApplicable", Status: 400, Reason: source.Auth, Hint: hintSite},
	{Code: "InvalidCaller", Status: 400, Reason: source.Auth, Hint: hintSite},
	{Code: "InvalidModuleCode", Status: 400, Reason: source.BadRequest},
	{Code: "InvalidConfigCode", Status: 400, Reason: source.BadRequest},
}, wire.GatewayCodes)
