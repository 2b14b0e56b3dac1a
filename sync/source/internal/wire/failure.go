package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/field"
	"github.com/ordersync/ordersync/sync/source/keys"
)

// refused is an answer by which the call has failed, from the vendor or, where it is not the vendor's, from something
// before it.
func (c *Client) refused(a *Answer, vendors bool) *source.Error {
	e := c.failure(a)
	row, known := lookUp(c.o.Codes, a.Code)
	if !known {
		// That an order is unknown only a code can say, never a status: what is missing may as well be the API or the host.
		row = Code{Reason: reasonOfStatus(a.Status)}
		if len(a.Denied) > 0 {
			row.Reason = source.Auth
		}
		switch {
		case row.Reason == source.Auth:
			row.Hint = c.o.Permission
		case a.Status == http.StatusNotFound:
			row.Hint = hintVersion
		}
	}
	wait, throttle := retryAfter(a.Header, row.Reason, a.FetchedAt)
	if throttle && row.Reason != source.Throttled {
		row, _ = lookUp(c.o.Codes, throttling)
		row.Reason = source.Throttled
	}
	e.Code, e.Message, e.Reason, e.Fresh = c.Show(a.Code, 100), c.Show(a.Text, 600), row.Reason, row.Fresh
	if row.Hint == hintToken {
		e.Fresh = c.o.Keys.Refused()
	}
	e.RetryAfter = wait
	e.Hint = row.Hint
	if c.o.Expand != nil {
		e.Hint = c.o.Expand(e.Hint, a.Action)
	}
	if row.Hint == hintClock {
		e.Hint += clockError(a.Header, a.FetchedAt)
	}
	if denial := c.denial(a.Denied); denial != "" && !e.Reason.Retryable() {
		e.Hint = denial
	}
	switch location := a.Header.Get("Location"); {
	case a.Status >= 300 && a.Status < 400:
		e.Message = "redirected to " + c.Show(location, 120)
		e.Hint = "redirects are not followed: check endpoint, and look for a proxy that wants a login"
	case !vendors:
		e.Message = c.Show(strings.TrimSpace(a.Body), 120)
		e.Hint = "the answer is not the vendor's: check endpoint; a proxy or a gateway on the way may have given it"
	case a.Code == "" && a.Status < 300:
		e.Message = "the answer says that the call has failed, and names no code; " + e.Message
	case a.Code == "" && a.Text == "":
		e.Message = c.Show(strings.TrimSpace(a.Body), 120)
	}
	return e
}

// denial makes a hint of what the vendor says about a permission that is missing; empty where it says neither what nor why.
func (c *Client) denial(said map[string]string) string {
	say := func(name string) string { return c.Show(said[strings.ToLower(name)], 200) }
	if say("AuthAction")+say("NoPermissionType") == "" {
		return ""
	}
	action, who := cmp.Or(say("AuthAction"), "the call"), cmp.Or(say("AuthPrincipalDisplayName"), "the caller")
	if kind := say("AuthPrincipalType"); kind != "" {
		who = kind + " " + who
	}
	if owner := say("AuthPrincipalOwnerId"); owner != "" {
		who += " of account " + owner
	}
	policy := cmp.Or(say("PolicyType"), "policy")
	switch kind := say("NoPermissionType"); {
	case strings.EqualFold(kind, "ExplicitDeny"):
		return fmt.Sprintf("the vendor says: a policy denies %s to %s (ExplicitDeny, %s): take the Deny out of it", action, who, policy)
	case kind == "":
		return fmt.Sprintf("the vendor says: %s may not do %s (%s): allow it in a policy", who, action, policy)
	default:
		return fmt.Sprintf("the vendor says: no policy allows %s to %s (%s, %s): allow it in a policy", action, who, kind, policy)
	}
}

// Malformed is a good answer that is not what the vendor documents.
func (c *Client) Malformed(a *Answer, err error) *source.Error {
	e := c.failure(a)
	e.Reason, e.Message = source.Malformed, c.Scrub(err.Error())
	var shape *ShapeError
	if errors.As(err, &shape) {
		e.Message += ": " + c.Show(shape.Raw, 120)
	}
	if errors.Is(err, errNotJSON) {
		e.Hint = "the answer may be cut short, or come from a proxy or a login page on the way"
	}
	return e
}

// NotFound is a good answer without the order that was asked for.
func (c *Client) NotFound(a *Answer, message, hint string) *source.Error {
	e := c.failure(a)
	e.Reason, e.Message, e.Hint = source.NotFound, c.Scrub(message), hint
	return e
}

// keyless is a call that could not be signed.
func (c *Client) keyless(ctx, callCtx context.Context, action string, err error) *source.Error {
	if callCtx.Err() != nil {
		return c.broken(ctx, callCtx, action, 0, err)
	}
	e := &source.Error{Vendor: c.o.Vendor, API: action, Account: c.o.Account, Reason: source.Auth, Err: err}
	e.Message = "no credentials"
	e.Hint = "check credentials: keys, role and trust policy; `default` looks at the environment, profiles and the instance's role"
	var k *keys.Error
	if errors.As(err, &k) && k.Unavailable {
		e.Reason = source.Unavailable
		e.Hint = "the service that provides the credentials does not answer: the instance's metadata service, STS, or the credentials URI"
	}
	return e
}

// failure starts the error of an answer.
func (c *Client) failure(a *Answer) *source.Error {
	id := cmp.Or(a.RequestID, a.Header.Get("X-Acs-Request-Id"))
	return &source.Error{Vendor: c.o.Vendor, API: a.Action, Account: c.o.Account, HTTPStatus: a.Status, RequestID: c.Show(id, 100)}
}

// maxRetryAfter is more than any header means. How long a pause is at most is the budget's business.
const maxRetryAfter = 100 * 365 * 24 * time.Hour

// timeLeft finds the milliseconds in the vendor's former headers: Limit:10,Remain:0,TimeLeft:250.
var timeLeft = regexp.MustCompile(`(?i)\bTimeLeft\s*:\s*([0-9]+)`)

// retryAfter reads how long a failure asks us to wait, at most maxRetryAfter: the longest that its headers name. reason is
// what else is known of it; throttle reports that it is a throttle by its headers alone.
//
//	x-acs-retry-after                          milliseconds, a whole number above zero; the vendor's present way, by which
//	                                           a failure is a throttle whatever its code is
//	x-ratelimit-user-api, x-ratelimit-user     the TimeLeft of a throttle, in milliseconds; the vendor's former way, which
//	                                           says nothing of other failures
//	Retry-After                                seconds, or a date; HTTP's way, which proxies use too
//
// What is none of these is as if it were not there.
func retryAfter(h http.Header, reason source.Reason, now time.Time) (wait time.Duration, throttle bool) {
	longest := func(digits string, unit time.Duration) bool {
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // a number that is too large is n's largest
			return false
		}
		wait = max(wait, time.Duration(min(n, uint64(maxRetryAfter/unit)))*unit)
		return n > 0
	}
	for _, v := range h.Values("X-Acs-Retry-After") {
		if longest(strings.TrimSpace(v), time.Millisecond) {
			throttle = true
		}
	}
	if !throttle && !reason.Retryable() {
		return 0, false
	}
	for _, name := range []string{"X-Ratelimit-User-Api", "X-Ratelimit-User"} {
		for _, v := range h.Values(name) {
			if !throttle && reason != source.Throttled {
				continue
			}
			if left := timeLeft.FindStringSubmatch(v); left != nil {
				longest(left[1], time.Millisecond)
			}
		}
	}
	for _, v := range h.Values("Retry-After") {
		v = strings.TrimSpace(v)
		if t, err := http.ParseTime(v); err == nil {
			wait = max(wait, min(t.Sub(now), maxRetryAfter))
		} else {
			longest(v, time.Second)
		}
	}
	return wait, throttle
}

// clockError tells how far the clock is off, by the answer's Date.
func clockError(h http.Header, now time.Time) string {
	t, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return ""
	}
	switch d := now.Sub(t).Round(time.Second); {
	case d >= 2*time.Second:
		return "; it is " + d.String() + " ahead of the vendor's"
	case d <= -2*time.Second:
		return "; it is " + (-d).String() + " behind the vendor's"
	}
	return ""
}

// Show is the start of a text that others wrote, without secrets. It is scrubbed before it is cut, so that no part of a
// secret stays.
func (c *Client) Show(s string, limit int) string {
	const most = 16 << 10
	if len(s) > most {
		s = s[:most]
	}
	return field.Cut(c.Scrub(s), limit)
}

// Scrub takes secrets out of a text that others wrote (I10).
func (c *Client) Scrub(s string) string { return keys.Scrub(s, c.o.Keys.Secrets()...) }

// scrubError is the error itself where its text is harmless.
func (c *Client) scrubError(err error) error {
	if text := c.Scrub(err.Error()); text != err.Error() {
		return &scrubbedError{text, err}
	}
	return err
}

// scrubbedError has another text than its cause.
type scrubbedError struct {
	text string
	err  error
}

func (e *scrubbedError) Error() string { return e.text }
func (e *scrubbedError) Unwrap() error { return e.err }
