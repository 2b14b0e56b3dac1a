package bss

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"

	"github.com/ordersync/ordersync/sync/source"
)

// refused is an answer by which the call has failed, from the vendor or, where it is not JSON, from something before it.
func (c *Client) refused(a answer, body string, isJSON bool) *source.Error {
	e := c.failure(a)
	row, known := lookUp(a.code)
	e.Code, e.Message, e.Reason = c.show(a.code, 100), c.show(a.text, 600), row.reason
	switch {
	case known:
	case !isJSON && a.status == http.StatusNotFound:
		e.Reason = source.BadRequest // a wrong endpoint; that there is no such order only the vendor can say
	default:
		if e.Reason = reasonOfStatus(a.status); e.Reason == source.Auth {
			row.hint = hintPermission
		}
	}
	e.Fresh = row.fresh
	if row.hint == hintToken {
		e.Fresh = c.keys.refused()
	}
	e.RetryAfter = retryAfter(a.header, e.Reason, a.fetchedAt)
	e.Hint = strings.NewReplacer("{site}", c.site, "{other site}", otherSite(c.site), "{ram action}", ramActions[a.action]).Replace(row.hint)
	if row.hint == hintClock {
		e.Hint += clockError(a.header, a.fetchedAt)
	}
	switch location := a.header.Get("Location"); {
	case a.status >= 300 && a.status < 400:
		e.Message = "redirected to " + c.show(location, 120)
		e.Hint = "redirects are not followed: check endpoint, and look for a proxy that wants a login"
	case !isJSON:
		e.Message = c.show(strings.TrimSpace(body), 120)
		e.Hint = "the answer is not the vendor's: check endpoint; a proxy or a gateway on the way may have given it"
	case a.code == "" && a.status < 300:
		e.Message = "the vendor says Success: false and no code; " + e.Message
	}
	return e
}

// malformed is a good answer that is not what the vendor documents.
func (c *Client) malformed(a answer, err error) *source.Error {
	e := c.failure(a)
	e.Reason, e.Message = source.Malformed, c.scrub(err.Error())
	var shape *shapeError
	if errors.As(err, &shape) {
		e.Message += ": " + c.show(shape.raw, 120)
	}
	if errors.Is(err, errNotJSON) {
		e.Hint = "the answer may be cut short, or come from a proxy or a login page on the way"
	}
	return e
}

// notFound is a detail without a line.
func (c *Client) notFound(a answer, order string) *source.Error {
	e := c.failure(a)
	e.Reason = source.NotFound
	e.Message = "the vendor has no lines of order " + excerpt(order)
	e.Hint = "check that the order is this login's (or the given owner's) and of the site " + c.site
	return e
}

// refuse is a call that is wrong before it is made.
func (c *Client) refuse(action string, err error) *source.Error {
	return &source.Error{Vendor: Vendor, API: action, Account: c.account, Reason: source.BadRequest, Message: err.Error()}
}

// keyless is a call that could not be signed.
func (c *Client) keyless(ctx, callCtx context.Context, action string, err error) *source.Error {
	if callCtx.Err() != nil {
		return c.broken(ctx, callCtx, action, 0, err)
	}
	e := &source.Error{Vendor: Vendor, API: action, Account: c.account, Reason: source.Auth, Err: err}
	e.Message = "no credentials"
	e.Hint = "check credentials: keys, role and trust policy; `default` looks at the environment, profiles and the instance's role"
	var k *keyError
	if errors.As(err, &k) && k.unavailable {
		e.Reason = source.Unavailable
		e.Hint = "the service that gives the credentials does not answer: the instance's metadata service, STS, or the credentials URI"
	}
	return e
}

// failure starts the error of an answer.
func (c *Client) failure(a answer) *source.Error {
	id := a.requestID
	if id == "" {
		id = a.header.Get("X-Acs-Request-Id")
	}
	return &source.Error{Vendor: Vendor, API: a.action, Account: c.account, HTTPStatus: a.status, RequestID: c.show(id, 100)}
}

func otherSite(site string) string {
	if site == China {
		return International
	}
	return China
}

// maxRetryAfter bounds what an odd header can ask for.
const maxRetryAfter = time.Hour

// retryAfter reads how long the vendor asks us to wait: Retry-After in seconds or as a date, and for a throttle the
// TimeLeft of the two x-ratelimit headers that the vendor's SDK reads, in milliseconds.
func retryAfter(h http.Header, reason source.Reason, now time.Time) time.Duration {
	var wait time.Duration
	if !reason.Retryable() {
		return 0
	}
	if v := strings.TrimSpace(h.Get("Retry-After")); v != "" {
		if s, err := strconv.ParseUint(v, 10, 31); err == nil {
			wait = time.Duration(s) * time.Second
		} else if t, err := http.ParseTime(v); err == nil {
			wait = t.Sub(now)
		}
	}
	if reason == source.Throttled {
		limits := make(map[string]*string, 2)
		for _, name := range []string{"x-ratelimit-user-api", "x-ratelimit-user"} {
			if v := h.Get(name); v != "" {
				v = strings.ReplaceAll(v, " ", "")
				limits[name] = &v
			}
		}
		if ms := openapiutil.GetThrottlingTimeLeft(limits); ms != nil {
			wait = max(wait, time.Duration(min(max(*ms, 0), maxRetryAfter.Milliseconds()))*time.Millisecond)
		}
	}
	return min(max(wait, 0), maxRetryAfter)
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

// sensitive finds what looks like a secret in a text: signatures (the vendor repeats the string that it signed), keys
// in a query or in JSON, and passwords in URLs.
var sensitive = regexp.MustCompile(`(?i)((?:signature|security-?_?token|access-?_?key-?_?id|access-?_?key-?_?secret|credential)["']?(?:=|:|%3D|%3A)\s*["']?)[^\s,;&"'<>\\]+|(://)[^/@\s"]+@`)

// show is the start of a text that others wrote, without secrets. It is scrubbed before it is cut, so that no part of a
// secret stays.
func (c *Client) show(s string, limit int) string {
	const most = 16 << 10
	if len(s) > most {
		s = s[:most]
	}
	return cut(c.scrub(s), limit)
}

// scrub takes secrets out of a text that others wrote (I10).
func (c *Client) scrub(s string) string { return scrub(s, c.keys.secrets()...) }

func scrub(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	if strings.ContainsAny(s, "=:%") {
		s = sensitive.ReplaceAllString(s, "$1$2***")
	}
	return s
}

// scrubError is the error itself where its text is harmless.
func (c *Client) scrubError(err error) error {
	if text := c.scrub(err.Error()); text != err.Error() {
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
