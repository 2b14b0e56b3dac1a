package simulator

import (
	"fmt"
	"net/http"
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
	return &Error{Status: 403, Code: "NoPermission", Message: "You are not authorized to perform this action: " + action + "."}
}

// errThrottled is the quota's refusal. The vendor's SDK reads the header; TimeLeft looks like milliseconds.
func errThrottled(limit float64, retry time.Duration) *Error {
	left := (retry + time.Millisecond - 1) / time.Millisecond
	return &Error{
		Status: 400, Code: "Throttling.User", Message: "Request was denied due to user flow control.",
		header: http.Header{"X-Ratelimit-User-Api": {fmt.Sprintf("Limit:%g,Remain:0,TimeLeft:%d", limit, left)}},
	}
}

// append writes the error's body.
func (e *Error) append(b []byte, requestID, host string) []byte {
	b = appendString(append(b, `{"RequestId":`...), requestID)
	b = appendString(append(b, `,"Code":`...), e.Code)
	b = appendString(append(b, `,"Message":`...), e.Message)
	if e.Status == http.StatusOK {
		return append(b, `,"Success":false}`...)
	}
	b = appendString(append(b, `,"HostId":`...), host)
	b = appendString(append(b, `,"Recommend":`...), "https://api.aliyun.com/troubleshoot?q="+e.Code+"&product=BssOpenApi&requestId="+requestID)
	return append(b, '}')
}
