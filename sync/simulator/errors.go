package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Error is a refusal in the vendor's form: a code and a message in a body {Code, Message, RequestId, HostId, Recommend}
// with an HTTP status. With status 200 it becomes what public clients of this API guard against: an answer with
// Success false.
type Error struct {
	Status  int
	Code    string
	Message string
	header  http.Header
	denied  string // the permission that is missing, where that is why
}

// Error makes it usable as a Go error.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Errors that need no argument. Codes and statuses are from the vendor's tables for this and sibling APIs.
var (
	errSignature     = &Error{Status: 403, Code: "SignatureDoesNotMatch", Message: "Specified signature is not matched with our calculation."}
	errIncomplete    = &Error{Status: 400, Code: "IncompleteSignature", Message: "The request signature does not conform to Aliyun standards."}
	errNonceUsed     = &Error{Status: 400, Code: "SignatureNonceUsed", Message: "Specified signature nonce was used already."}
	errExpired       = &Error{Status: 400, Code: "InvalidTimeStamp.Expired", Message: "Specified time stamp or date value is expired."}
	errTimeFormat    = &Error{Status: 400, Code: "InvalidTimeStamp.Format", Message: "Specified time stamp or date value is not well formatted."}
	errUnknownKey    = &Error{Status: 404, Code: "InvalidAccessKeyId.NotFound", Message: "Specified access key is not found."}
	errUnknownAction = &Error{Status: 404, Code: "InvalidAction.NotFound", Message: "Specified api is not found, please check your url and method."}
	errUnsupported   = &Error{Status: 400, Code: "UnsupportedOperation", Message: "The specified action is not supported."}
	errVersion       = &Error{Status: 400, Code: "InvalidVersion", Message: "Specified parameter Version is not valid."}
	errToken         = &Error{Status: 400, Code: "InvalidSecurityToken.MismatchWithAccessKey", Message: "Specified SecurityToken mismatch with the AccessKey."}
	errNotApplicable = &Error{Status: 400, Code: "NotApplicable", Message: "This API is not applicable for caller."}
	errOwner         = &Error{Status: 400, Code: "InvalidOwner", Message: "The specified owner doesn't belong to caller."}
	errTooLarge      = &Error{Status: 413, Code: "RequestBodyTooLarge", Message: "The request body is too large."}
	errMethod        = &Error{Status: 405, Code: "UnsupportedHTTPMethod", Message: "This http method is not supported."}
)

func errMissing(parameter string) *Error {
	return &Error{Status: 400, Code: "MissingParameter", Message: "The input parameter " + parameter + " that is mandatory for processing this request is not supplied."}
}

func errParameter(parameter, value string) *Error {
	return &Error{Status: 400, Code: "InvalidParameter", Message: fmt.Sprintf("The specified parameter %s is not valid: %q.", parameter, value)}
}

func errPermission(action string) *Error {
	return &Error{Status: 403, Code: "NoPermission", Message: "You are not authorized to perform this action: " + action + ".", denied: action}
}

// errThrottled is the quota's refusal. The vendor's SDKs of today read the first header, those of yesterday the second;
// both are in milliseconds.
func errThrottled(limit float64, retry time.Duration) *Error {
	left := (retry + time.Millisecond - 1) / time.Millisecond
	e := coded(400, "Throttling.User")
	e.header = http.Header{
		"X-Acs-Retry-After":    {strconv.FormatInt(int64(left), 10)},
		"X-Ratelimit-User-Api": {fmt.Sprintf("Limit:%g,Remain:0,TimeLeft:%d", limit, left)},
	}
	return e
}

// appendBSSError writes the error's body as BSS has it.
func appendBSSError(b []byte, x *exchange, e *Error) []byte {
	w := object{append(b, '{')}
	w.text("RequestId", x.id)
	w.text("Code", e.Code)
	w.text("Message", e.Message)
	if e.denied != "" {
		w.key("AccessDeniedDetail")
		d := object{append(w.b, '{')}
		d.text("AuthAction", e.denied)
		d.text("AuthPrincipalDisplayName", "simulated-user")
		d.text("AuthPrincipalType", "SubUser")
		d.text("NoPermissionType", "ImplicitDeny")
		d.text("PolicyType", "AccountLevelIdentityBasedPolicy")
		w.b = append(d.b, '}')
	}
	if e.Status == http.StatusOK {
		w.flag("Success", false)
	} else {
		w.text("HostId", x.r.Host)
		w.text("Recommend", "https://api.aliyun.com/troubleshoot?q="+e.Code+"&product=BssOpenApi&requestId="+x.id)
	}
	return append(w.b, '}')
}

// appendDomainError writes it as the Domain API's generation of the gateway does, in the format that was asked for.
func appendDomainError(b []byte, x *exchange, e *Error) []byte {
	w := object{append(b, '{')}
	w.text("RequestId", x.id)
	w.text("HostId", x.r.Host)
	w.text("Code", e.Code)
	w.text("Message", e.Message)
	return x.format(append(w.b, '}'), "Error")
}

// appendUniCloudError writes it as UniCloud does. Its documents promise code, message and request id; a public client
// reads Msg where others would read Message, so both come.
func appendUniCloudError(b []byte, x *exchange, e *Error) []byte {
	w := object{append(b, '{')}
	w.text("Code", e.Code)
	if x.id[len(x.id)-1]&1 == 0 {
		w.text("Msg", e.Message)
	} else {
		w.text("Message", e.Message)
	}
	w.text("RequestId", x.id)
	return append(w.b, '}')
}

// unicloudErrors are the documented codes for what the gateway finds. That a caller who is unknown, signs wrongly or may
// not do this is an InvalidCaller is unconfirmed. Nothing at all is known of throttling: its code stays.
var unicloudErrors = map[string]*Error{
	"InternalError":                              {Status: 500, Code: "SystemError", Message: "System Error"},
	"InvalidAccessKeyId.NotFound":                errUniCloudCaller,
	"SignatureDoesNotMatch":                      errUniCloudCaller,
	"IncompleteSignature":                        errUniCloudCaller,
	"NoPermission":                               errUniCloudCaller,
	"InvalidSecurityToken.MismatchWithAccessKey": errUniCloudCaller,
	"InvalidTimeStamp.Expired":                   unicloudParameter("Timestamp"),
	"InvalidTimeStamp.Format":                    unicloudParameter("Timestamp"),
	"SignatureNonceUsed":                         unicloudParameter("SignatureNonce"),
	"InvalidVersion":                             unicloudParameter("Version"),
	"InvalidAction.NotFound":                     unicloudParameter("Action"),
}

var errUniCloudCaller = &Error{Status: 400, Code: "InvalidCaller", Message: "The specified caller doesn’t exists."}

func unicloudParameter(name string) *Error {
	return &Error{Status: 400, Code: "InvalidParameter", Message: "The specified parameter " + name + " is not valid."}
}

func unicloudMissing(name string) *Error {
	return &Error{Status: 400, Code: "MissingParameter", Message: "The specified parameter " + name + " is necessary for this request."}
}

// unicloudError translates a refusal. One in a 200 stays in a 200.
func unicloudError(e *Error) *Error {
	known := unicloudErrors[e.Code]
	if known == nil {
		return e
	}
	own := *known
	if e.Status == http.StatusOK {
		own.Status = http.StatusOK
	}
	return &own
}
