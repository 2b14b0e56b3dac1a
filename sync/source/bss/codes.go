package bss

import (
	"slices"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// Hints of this API's own codes; expand fills what is in braces.
const (
	hintSite  = "the account does not belong to the site {site}, or may not use this API: try `site: {other site}`"
	hintOther = "; an account of another site than {site} is answered so, too: try `site: {other site}`"
	hintOwner = "the owner id is not a customer or member of this login: check {owners}"
)

// codes is the table of the vendor's error codes; the first row that fits wins. InvalidOwner and InternalError are from
// the document of QueryOrders. The host of the wrong site was seen to answer NotApplicable, SignatureDoesNotMatch,
// InternalError, and success with an empty list. NotApplicable, MissingParameter to InvalidCaller, and InvalidOwner again, are the table that
// the pages of CancelOrder and its sibling actions share. The rest is the gateway's. No document has a code for an order that
// is unknown, so no row is of the Reason not_found: a good answer without a line says that.
var codes = slices.Concat([]wire.Code{
	{Code: "InvalidOwner", Status: 400, Reason: source.BadRequest, Hint: hintOwner},
	{Code: "NotApplicable", Status: 400, Reason: source.Auth, Hint: hintSite},
	{Code: "InvalidCaller", Status: 400, Reason: source.Auth, Hint: hintSite},
	{Code: "SignatureDoesNotMatch", Match: wire.Prefix, Status: 403, Reason: source.Auth, Hint: wire.HintSecret + hintOther},
	{Code: "InternalError", Match: wire.Prefix, Status: 500, Reason: source.Unavailable, Hint: "if it stays so, check site" + hintOther},
	{Code: "InvalidModuleCode", Status: 400, Reason: source.BadRequest},
	{Code: "InvalidConfigCode", Status: 400, Reason: source.BadRequest},
}, wire.GatewayCodes)
