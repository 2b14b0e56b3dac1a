package unicloud

import (
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

const (
	hintCaller   = "check access_key_id and access_key_secret: the vendor does not know the caller, or refuses its signature; signature_version may matter"
	hintThrottle = "lower `quota`: the vendor publishes no limits"
	hintZone     = "if a time is refused, look at timezone; if the signature is, at signature_version and this machine's clock"
)

// codes is the table of the vendor's error codes; the first row that fits wins. MissingParameter, InvalidCaller and
// SystemError are from the document of OrderDetail, InvalidParameter and the spelling SystemErro from the sibling pages on
// bills. Nothing is published about signatures and throttling; the rows behind them take codes by what their names say. No
// code for an order that is unknown is published either, so no row is of the Reason not_found.
var codes = []wire.Code{
	{Code: "InvalidCaller", Status: 400, Reason: source.Auth, Hint: hintCaller},
	{Code: "MissingParameter", Match: wire.Prefix, Status: 400, Reason: source.BadRequest},
	{Code: "InvalidParameter", Match: wire.Prefix, Status: 400, Reason: source.BadRequest, Hint: hintZone},
	{Code: "SystemError", Status: 500, Reason: source.Unavailable},
	{Code: "SystemErro", Match: wire.Prefix, Status: 500, Reason: source.Unavailable},

	{Code: "Throttling", Match: wire.Containing, Reason: source.Throttled, Hint: hintThrottle},
	{Code: "Nonce", Match: wire.Containing, Reason: source.Unavailable, Fresh: true, Hint: wire.HintNonce},
	{Code: "Signature", Match: wire.Containing, Reason: source.Auth, Hint: hintCaller},
	{Code: "AccessKey", Match: wire.Containing, Reason: source.Auth, Hint: hintCaller},
}
