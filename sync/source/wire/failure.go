package wire

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
	"github.com/ordersync/ordersync/sync/source/field"
)

// refused is an answer by which the call has failed, from the vendor or, where it is not the vendor's, from something
// before it.
func (c *Client) refused(a *Answer, vendors bool) *source.Error {
	e := c.failure(a)
	row, known := LookUp(c.o.Codes, a.Code)
	e.Code, e.Message, e.Reason = c.Show(a.Code, 100), c.Show(a.Text, 600), row.Reason
	switch {
	case known:
	case !vendors && a.Status == http.StatusNotFound:
		e.Reason = source.BadRequest // a wrong endpoint; that there is no such order only the vendor can say
	default:
		if e.Reason = ReasonOfStatus(a.Status); e.Reason == source.Auth {
			row.Hint = c.o.Permission
		}
	}
	e.Fresh = row.Fresh
	if row.Hint == HintToken {
		e.Fresh = c.o.Keys.Refused()
	}
	e.RetryAfter = retryAfter(a.Header, e.Reason, a.FetchedAt)
	e.Hint = row.Hint
	if c.o.Expand != nil {
		e.Hint = c.o.Expand(e.Hint, a.Action)
	}
	if row.Hint == HintClock {
		e.Hint += clockError(a.Header, a.FetchedAt)
	}
	switch location := a.Header.Get("Location"); {
	case a.Status >= 300 && a.Status < 400:
		e.Message = "redirected to " + c.Show(location, 120)
		e.Hint = "redirects are not followed: check endpoint, and look for a proxy that wants a login"
	case !vendors:
		e.Message = c.Show(strings.TrimSpace(a.Body), 120)
		e.Hint = "the answer is not the vendor's: check endpoint; a proxy or a gateway on the way may have given it"
	case a.Code == "" && a.Status < 300:
		e.Message = "the answer says that the call has failed, and gives no code; " + e.Message
	}
	return e
}

// ShapeError is an answer, or a part of one, that is not what it should be.
type ShapeError struct {
	Err error
	Raw string // the part
}

func (e *ShapeError) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e *ShapeError) Unwrap() error { return e.Err }

// What can be wrong with an answer as a whole.
var (
	ErrEmpty     = errors.New("the answer is empty")
	ErrNotJSON   = errors.New("the answer is not JSON")
	ErrNotObject = errors.New("the answer is not a JSON object")
)

// Object checks that an answer is a JSON object, once: its parts need no further check.
func Object(body string) error {
	switch trimmed := strings.TrimLeft(body, " \t\r\n"); {
	case trimmed == "":
		return ErrEmpty
	case !field.Valid(body):
		return &ShapeError{ErrNotJSON, trimmed}
	case trimmed[0] != '{':
		return &ShapeError{ErrNotObject, trimmed}
	}
	return nil
}

// Malformed is a good answer that is not what the vendor documents.
func (c *Client) Malformed(a *Answer, err error) *source.Error {
	e := c.failure(a)
	e.Reason, e.Message = source.Malformed, c.Scrub(err.Error())
	var shape *ShapeError
	if errors.As(err, &shape) {
		e.Message += ": " + c.Show(shape.Raw, 120)
	}
	if errors.Is(err, ErrNotJSON) {
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
	var k *keyError
	if errors.As(err, &k) && k.unavailable {
		e.Reason = source.Unavailable
		e.Hint = "the service that gives the credentials does not answer: the instance's metadata service, STS, or the credentials URI"
	}
	return e
}

// failure starts the error of an answer.
func (c *Client) failure(a *Answer) *source.Error {
	id := a.RequestID
	if id == "" {
		id = a.Header.Get("X-Acs-Request-Id")
	}
	return &source.Error{Vendor: c.o.Vendor, API: a.Action, Account: c.o.Account, HTTPStatus: a.Status, RequestID: c.Show(id, 100)}
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
func (c *Client) Scrub(s string) string { return scrub(s, c.o.Keys.Secrets()...) }

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
