package bss

import (
	"strings"

	"github.com/ordersync/ordersync/sync/source"
)

// match is how a row of the table names codes.
type match uint8

const (
	exactly match = iota
	prefix
	containing
)

// code is one row of the table of the vendor's error codes.
type code struct {
	code   string
	match  match
	status int // the HTTP status that the vendor documents for it; 0 where it documents none. It decides nothing.
	reason source.Reason
	fresh  bool // sign anew and try at once
	hint   string
}

// Hints may name {site}, {other site} and {ram action}.
const (
	hintSite       = "the account does not belong to the site {site}, or may not use this API: try `site: {other site}`"
	hintPermission = "the RAM user or role needs a policy that allows {ram action} on all resources (*)"
	hintKey        = "check credentials: the AccessKey does not exist, is disabled, or belongs to another site"
	hintSecret     = "check credentials: the AccessKey secret does not belong to the AccessKey id"
	hintToken      = "the security token has expired or is damaged: get new temporary credentials"
	hintClock      = "check that this machine's clock is right (NTP); the vendor refuses times that are more than 15 minutes off"
	hintNonce      = "a request arrived twice: look for a proxy that sends requests again, and at this machine's clock"
	hintOwner      = "the owner id is not a customer of this login: check owner_ids"
	hintVersion    = "check endpoint and api_version: this host does not know the call"
	hintThrottle   = "all users and keys of one main account share the quota: lower `quota` if other programs call this API too"
	hintTLS        = "use an https:// endpoint"
)

// codes is the table of the vendor's error codes; the first row that fits wins. InvalidOwner and InternalError are from
// the document of QueryOrders, NotApplicable from the pages on sites, MissingParameter to InvalidCaller from the 2019
// pages of sibling actions; the codes about keys, signatures, time, throttling and availability are those of the
// gateway, as its tables for other products list them; Rejected.Throttling is what the vendor's terraform provider retries.
var codes = []code{
	{code: "InvalidOwner", status: 400, reason: source.BadRequest, hint: hintOwner},
	{code: "NotApplicable", status: 400, reason: source.Auth, hint: hintSite},
	{code: "InvalidCaller", status: 400, reason: source.Auth, hint: hintSite},

	{code: "Throttling", status: 429, reason: source.Throttled, hint: hintThrottle},
	{code: "Throttling.User", status: 429, reason: source.Throttled, hint: hintThrottle},
	{code: "Throttling.Api", status: 400, reason: source.Throttled, hint: hintThrottle},
	{code: "Rejected.Throttling", reason: source.Throttled, hint: hintThrottle},
	{code: "Throttling", match: containing, reason: source.Throttled, hint: hintThrottle},

	{code: "InternalError", status: 500, reason: source.Unavailable},
	{code: "InternalError", match: prefix, status: 500, reason: source.Unavailable},
	{code: "ServiceUnavailable", match: prefix, status: 503, reason: source.Unavailable},

	{code: "SignatureNonceUsed", status: 400, reason: source.Unavailable, fresh: true, hint: hintNonce},
	{code: "InvalidTimeStamp.Expired", status: 400, reason: source.Auth, fresh: true, hint: hintClock},
	{code: "InvalidTimeStamp", match: prefix, status: 400, reason: source.Auth, hint: hintClock},
	{code: "InvalidAccessKeyId", match: prefix, status: 404, reason: source.Auth, hint: hintKey},
	{code: "IncompleteSignature", status: 400, reason: source.Auth, hint: hintSecret},
	{code: "SignatureDoesNotMatch", match: prefix, status: 403, reason: source.Auth, hint: hintSecret},
	{code: "InvalidSecurityToken", match: prefix, status: 400, reason: source.Auth, hint: hintToken},
	{code: "Forbidden.RAM", status: 403, reason: source.Auth, hint: hintPermission},
	{code: "NoPermission", status: 403, reason: source.Auth, hint: hintPermission},
	{code: "NotAuthorized", match: prefix, status: 403, reason: source.Auth, hint: hintPermission},
	{code: "Forbidden", match: prefix, status: 403, reason: source.Auth, hint: hintPermission},

	{code: "InvalidAction.NotFound", status: 404, reason: source.BadRequest, hint: hintVersion},
	{code: "InvalidVersion", status: 400, reason: source.BadRequest, hint: hintVersion},
	{code: "InvalidProtocol.NeedSsl", status: 400, reason: source.BadRequest, hint: hintTLS},
	{code: "MissingParameter", match: prefix, status: 400, reason: source.BadRequest},
	{code: "InvalidParameter", match: prefix, status: 400, reason: source.BadRequest},
	{code: "InvalidModuleCode", status: 400, reason: source.BadRequest},
	{code: "InvalidConfigCode", status: 400, reason: source.BadRequest},
}

// lookUp finds the row of a code. Codes decide before the HTTP status does: the vendor documents throttling both as 400
// and as 429, and failures inside 200.
func lookUp(vendorCode string) (code, bool) {
	for _, c := range codes {
		switch c.match {
		case exactly:
			if vendorCode == c.code {
				return c, true
			}
		case prefix:
			if strings.HasPrefix(vendorCode, c.code) {
				return c, true
			}
		case containing:
			if strings.Contains(vendorCode, c.code) {
				return c, true
			}
		}
	}
	return code{}, false
}

// reasonOfStatus is for answers with a code that is not in the table, or without one.
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
	case status == 404:
		return source.NotFound
	case status >= 400:
		return source.BadRequest
	case status >= 300:
		return source.Unavailable // a redirect: the way to the vendor is not what it should be
	}
	return source.Unknown
}
