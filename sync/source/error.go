package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"
)

// Reason is the small enumeration that is a metric label, decides about retries and picks the exit code.
type Reason string

// Reasons of an Error, and OK, the label of a call without one.
const (
	OK          Reason = "ok"
	Throttled   Reason = "throttled"   // too many calls; the whole budget slows down
	Unavailable Reason = "unavailable" // the vendor or the way to it is broken for now
	Timeout     Reason = "timeout"     // no answer in time; a smaller question may help
	Auth        Reason = "auth"        // the credentials or their permissions are refused
	BadRequest  Reason = "bad_request" // the vendor will not answer this question
	NotFound    Reason = "not_found"   // no such order
	Malformed   Reason = "malformed"   // an answer that is not what the vendor documents
	Cancelled   Reason = "cancelled"   // we stopped waiting
	Unknown     Reason = "unknown"
)

// Reasons lists all of them, for metrics that must exist before their first event.
var Reasons = []Reason{OK, Throttled, Unavailable, Timeout, Auth, BadRequest, NotFound, Malformed, Cancelled, Unknown}

// Retryable reports whether the same call may succeed a little later.
func (r Reason) Retryable() bool {
	switch r {
	case Throttled, Unavailable, Timeout, Malformed, Unknown:
		return true
	}
	return false
}

// Error is a failed call to a vendor, with all that is needed to find it again on the vendor's side and to act on it.
type Error struct {
	Vendor     string
	API        string
	Account    string
	Code       string // the vendor's own code, empty where there is none
	Message    string
	Reason     Reason
	HTTPStatus int // 0 where no answer came
	RequestID  string
	RetryAfter time.Duration // how long the vendor asks us to wait; 0 where it does not say
	Fresh      bool          // the call must be signed anew and sent at once (a nonce or a clock was refused)
	Hint       string        // what a person can do about it
	Err        error         // the cause, where there is one beside the vendor's answer
}

// Error says what failed, why, how to find it, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Vendor, e.API)
	if e.Account != "" {
		fmt.Fprintf(&b, " (account %s)", e.Account)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.Code != "" {
		fmt.Fprintf(&b, ": %s", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, " [HTTP %d]", e.HTTPStatus)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request %s]", e.RequestID)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	return b.String()
}

// ReasonPattern finds the reason of an [Error], or of a call that a pause kept back, in its text: ledger and history keep texts.
const ReasonPattern = `: (throttled|unavailable|timeout|auth|bad_request|not_found|malformed|unknown)(?::| \[|; |$)`

var reasonInText = regexp.MustCompile(ReasonPattern)

// ReasonIn returns the reason of the first [Error] in a text, or "" where there is none.
func ReasonIn(text string) Reason {
	if m := reasonInText.FindStringSubmatch(text); m != nil {
		return Reason(m[1])
	}
	return ""
}

// Varying is what differs in the text of an error each time although its cause is one: the vendor's id of a call, numbers.
const Varying = ` ?\[request [^\]]*\]|[0-9]+`

var varying = regexp.MustCompile(Varying)

// Cause is an error's text without what differs each time that the same thing is wrong.
func Cause(text string) string { return varying.ReplaceAllString(text, "") }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf classifies any error: OK for nil, the Reason of an Error, and what the standard library's errors mean.
func ReasonOf(err error) Reason {
	if err == nil {
		return OK
	}
	var e *Error
	var p *pausedError
	var n net.Error
	switch {
	case errors.As(err, &p):
		return p.Reason
	case errors.As(err, &e):
		return e.Reason
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &n) && n.Timeout():
		return Timeout
	case errors.As(err, &n):
		return Unavailable
	}
	return Unknown
}
