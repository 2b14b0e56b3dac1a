package wire

import (
	"strings"

	"github.com/ordersync/ordersync/sync/source"
)

// Match is how a row of a table names codes.
type Match uint8

// Matches.
const (
	Exactly Match = iota
	Prefix
	Containing
)

// Code is one row of a table of a vendor's error codes.
type Code struct {
	Code   string
	Match  Match
	Status int // the HTTP status that the vendor documents for it; 0 where it documents none. It decides nothing.
	Reason source.Reason
	Fresh  bool // sign anew and try at once
	Hint   string
}

// Hints of codes that gateways share. Options.Expand fills what is in braces.
const (
	HintPermission = "the RAM user or role needs a policy that allows {ram action} on all resources (*)"
	HintKey        = "check credentials: the AccessKey does not exist, is disabled, or belongs to another site"
	HintSecret     = "check credentials: the AccessKey secret does not belong to the AccessKey id"
	HintToken      = "the security token has expired or is damaged: get new temporary credentials"
	HintClock      = "check that this machine's clock is right (NTP); the vendor refuses times that are more than 15 minutes off"
	HintNonce      = "a request arrived twice: look for a proxy that sends requests again, and at this machine's clock"
	HintVersion    = "check endpoint and api_version: this host does not know the call"
	HintThrottle   = "all users and keys of one main account share the quota: lower `quota` if other programs call this API too"
	HintTLS        = "use an https:// endpoint"
)

// GatewayCodes are the codes of Alibaba Cloud's gateway about keys, signatures, time, throttling and availability, as the
// common tables of its products list them; Rejected.Throttling is what the vendor's terraform provider retries. They stand
// behind a product's own codes.
var GatewayCodes = []Code{
	{Code: "Throttling", Status: 429, Reason: source.Throttled, Hint: HintThrottle},
	{Code: "Throttling.User", Status: 429, Reason: source.Throttled, Hint: HintThrottle},
	{Code: "Throttling.Api", Status: 400, Reason: source.Throttled, Hint: HintThrottle},
	{Code: "Rejected.Throttling", Reason: source.Throttled, Hint: HintThrottle},
	{Code: "Throttling", Match: Containing, Reason: source.Throttled, Hint: HintThrottle},

	{Code: "InternalError", Status: 500, Reason: source.Unavailable},
	{Code: "InternalError", Match: Prefix, Status: 500, Reason: source.Unavailable},
	{Code: "ServiceUnavailable", Match: Prefix, Status: 503, Reason: source.Unavailable},

	{Code: "SignatureNonceUsed", Status: 400, Reason: source.Unavailable, Fresh: true, Hint: HintNonce},
	{Code: "InvalidTimeStamp.Expired", Status: 400, Reason: source.Auth, Fresh: true, Hint: HintClock},
	{Code: "InvalidTimeStamp", Match: Prefix, Status: 400, Reason: source.Auth, Hint: HintClock},
	{Code: "InvalidAccessKeyId", Match: Prefix, Status: 404, Reason: source.Auth, Hint: HintKey},
	{Code: "IncompleteSignature", Status: 400, Reason: source.Auth, Hint: HintSecret},
	{Code: "SignatureDoesNotMatch", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintSecret},
	{Code: "InvalidSecurityToken", Match: Prefix, Status: 400, Reason: source.Auth, Hint: HintToken},
	{Code: "Forbidden.RAM", Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "NoPermission", Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "NotAuthorized", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "Forbidden", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},

	{Code: "InvalidAction.NotFound", Status: 404, Reason: source.BadRequest, Hint: HintVersion},
	{Code: "InvalidVersion", Status: 400, Reason: source.BadRequest, Hint: HintVersion},
	{Code: "InvalidProtocol.NeedSsl", Status: 400, Reason: source.BadRequest, Hint: HintTLS},
	{Code: "MissingParameter", Match: Prefix, Status: 400, Reason: source.BadRequest},
	{Code: "InvalidParameter", Match: Prefix, Status: 400, Reason: source.BadRequest},
}

// LookUp finds the row of a code. Codes decide before the HTTP status does: throttling is documented both as 400 and as
// 429, and failures come inside 200.
func LookUp(table []Code, vendorCode string) (Code, bool) {
	for i := range table {
		c := &table[i]
		switch c.Match {
		case Exactly:
			if vendorCode == c.Code {
				return *c, true
			}
		case Prefix:
			if strings.HasPrefix(vendorCode, c.Code) {
				return *c, true
			}
		case Containing:
			if strings.Contains(vendorCode, c.Code) {
				return *c, true
			}
		}
	}
	return Code{}, false
}

// ReasonOfStatus is for answers with a code that is not in the table, or without one.
func ReasonOfStatus(status int) source.Reason {
	switch {
	case status == 429:
		return source.Throttled
	case status == 408, status == 504:
		return source.Timeout
	case status >= 500:
		return source.Unavailable
	case status == 401, status == 403:
		return source.Auth
	case status == 404:
		return source.NotFound
	case status >= 400:
		return source.BadRequest
	case status >= 300:
		return source.Unavailable // a redirect: the way to the vendor is not what it should be
	}
	return source.Unknown
}
