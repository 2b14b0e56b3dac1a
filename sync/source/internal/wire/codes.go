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
	hintToken      = "the security token has expired or is damaged: get new temporary credentials"
	hintClock      = "check that this machine's clock is right (NTP); the vendor refuses times that are more than 15 minutes off"
	HintNonce      = "a request arrived twice: look for a proxy that sends requests again, and at this machine's clock"
	hintNoToken    = "the AccessKey is a temporary one: security_token must be given with it"
	hintVersion    = "this says nothing of an order: the gateway does not know the call; check endpoint and, where there is one, api_version"
	hintThrottle   = "all users and keys of one main account share the quota: lower `quota` if other programs call this API too"
	hintTLS        = "use an https:// endpoint"
)

// throttling is what the gateway's codes of throttling have in common.
const throttling = "Throttling"

// GatewayCodes are the codes of Alibaba Cloud's gateway about keys, signatures, time, throttling and availability, as the
// common tables of its products list them; Rejected.Throttling, SYSTEM.CONCURRENT_OPERATE and those beside it are what the
// vendor's terraform provider retries. They stand behind a product's own codes. None of them speaks of an order: what the
// gateway does not find is a key, an API or a product, so none has the Reason not_found.
var GatewayCodes = []Code{
	{Code: "Throttling", Status: 429, Reason: source.Throttled, Hint: hintThrottle},
	{Code: "Throttling.User", Status: 429, Reason: source.Throttled, Hint: hintThrottle},
	{Code: "Throttling.Api", Status: 400, Reason: source.Throttled, Hint: hintThrottle},
	{Code: "Rejected.Throttling", Reason: source.Throttled, Hint: hintThrottle},
	{Code: throttling, Match: Containing, Reason: source.Throttled, Hint: hintThrottle},
	{Code: "TooManyRequests", Match: Prefix, Status: 429, Reason: source.Throttled, Hint: hintThrottle},
	{Code: "FlowControl", Match: Containing, Reason: source.Throttled, Hint: hintThrottle},

	{Code: "InternalError", Status: 500, Reason: source.Unavailable},
	{Code: "InternalError", Match: Prefix, Status: 500, Reason: source.Unavailable},
	{Code: "ServiceUnavailable", Match: Prefix, Status: 503, Reason: source.Unavailable},
	{Code: "CONCURRENT_OPERATE", Match: Containing, Reason: source.Unavailable}, // SYSTEM.CONCURRENT_OPERATE
	{Code: "SystemBusy", Match: Prefix, Reason: source.Unavailable},
	{Code: "OperationConflict", Match: Prefix, Reason: source.Unavailable},
	{Code: "LastTokenProcessing", Reason: source.Unavailable},
	{Code: "UnknownError", Match: Prefix, Status: 500, Reason: source.Unavailable},
	{Code: "RequestTimeout", Match: Prefix, Status: 408, Reason: source.Timeout},

	{Code: "SignatureNonceUsed", Status: 400, Reason: source.Unavailable, Fresh: true, Hint: HintNonce},
	{Code: "InvalidTimeStamp.Expired", Status: 400, Reason: source.Auth, Fresh: true, Hint: hintClock},
	{Code: "TimeStamp", Match: Containing, Status: 400, Reason: source.Auth, Hint: hintClock}, // InvalidTimeStamp.Format, IllegalTimestamp
	{Code: "InvalidSecurityToken", Match: Prefix, Status: 400, Reason: source.Auth, Hint: hintToken},
	{Code: "AccessKey", Match: Containing, Status: 404, Reason: source.Auth, Hint: HintKey}, // InvalidAccessKeyId.NotFound, NoEnabledAccessKey
	{Code: "IncompleteSignature", Match: Prefix, Status: 400, Reason: source.Auth, Hint: HintSecret},
	{Code: "SignatureDoesNotMatch", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintSecret},
	{Code: "MissingSignature", Match: Prefix, Status: 400, Reason: source.Auth, Hint: HintSecret},
	{Code: "InvalidSignature", Match: Prefix, Status: 400, Reason: source.Auth, Hint: HintSecret}, // InvalidSignatureMethod
	{Code: "MissingSecurityToken", Match: Prefix, Status: 400, Reason: source.Auth, Hint: hintNoToken},
	{Code: "Forbidden.RAM", Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "NoPermission", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "NotAuthorized", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "Unauthorized", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "AccessDenied", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},
	{Code: "Forbidden", Match: Prefix, Status: 403, Reason: source.Auth, Hint: HintPermission},

	{Code: "InvalidAction", Match: Prefix, Status: 404, Reason: source.BadRequest, Hint: hintVersion},
	{Code: "InvalidApi", Match: Prefix, Status: 404, Reason: source.BadRequest, Hint: hintVersion},
	{Code: "InvalidProduct.", Match: Prefix, Status: 404, Reason: source.BadRequest, Hint: hintVersion},
	{Code: "InvalidVersion", Match: Prefix, Status: 400, Reason: source.BadRequest, Hint: hintVersion},
	{Code: "UnsupportedOperation", Match: Prefix, Status: 400, Reason: source.BadRequest, Hint: hintVersion},
	{Code: "InvalidOperation.NotSupportedEndpoint", Status: 404, Reason: source.BadRequest, Hint: hintVersion},
	{Code: "InvalidProtocol.NeedSsl", Status: 400, Reason: source.BadRequest, Hint: hintTLS},
	{Code: "MissingParameter", Match: Prefix, Status: 400, Reason: source.BadRequest},
	{Code: "InvalidParameter", Match: Prefix, Status: 400, Reason: source.BadRequest},
}

// lookUp finds the row of a code, whatever its case. Codes decide before the HTTP status does: throttling is documented
// both as 400 and as 429, and failures come inside 200.
func lookUp(table []Code, vendorCode string) (Code, bool) {
	lower := strings.ToLower(vendorCode)
	for i := range table {
		c := &table[i]
		match := strings.HasPrefix
		switch c.Match {
		case Exactly:
			match = strings.EqualFold
		case Containing:
			match = strings.Contains
		}
		if match(lower, strings.ToLower(c.Code)) {
			return *c, true
		}
	}
	return Code{}, false
}

// reasonOfStatus is for answers with a code that is not in the table, or without one. It is never not_found.
func reasonOfStatus(status int) source.Reason {
	switch {
	case status == 429:
		return source.Throttled
	case status == 408, status == 504:
		return source.Timeout
	case status >= 500:
		return source.Unavailable
	case status == 401, status == 403:
		return source.Auth
	case status >= 400:
		return source.BadRequest
	case status >= 300:
		return source.Unavailable // a redirect: the way to the vendor is not what it should be
	}
	return source.Unknown
}
