package bss

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source"
)

// Every row of the table decides, whatever the HTTP status is.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	var status int
	var body string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { say(status, body)(w, r) })
	c := client(t, s.URL)
	for n, row := range codes {
		names := []string{row.code}
		switch row.match {
		case prefix:
			names = append(names, row.code+".Something")
		case containing:
			names = append(names, "Some"+row.code+"Thing")
		}
		for _, name := range names {
			want := row
			for _, earlier := range codes[:n] { // an exact row comes before its prefix
				if earlier.match == exactly && earlier.code == name {
					want = earlier
				}
			}
			for _, status = range []int{200, 400, 429, 500, max(row.status, 200)} {
				body = fmt.Sprintf(`{"Success":false,"Code":%q,"Message":"m","RequestId":"R","HostId":"h"}`, name)
				_, err := c.List(t.Context(), testQuery)
				e := failed(t, err)
				if e.Reason != want.reason || e.Code != name || e.Fresh != want.fresh || e.HTTPStatus != status || e.RequestID != "R" || e.Message != "m" {
					t.Errorf("%s in HTTP %d: %+v", name, status, e)
				}
				if want.hint != "" && e.Hint == "" || strings.ContainsAny(e.Hint, "{}") {
					t.Errorf("%s: hint %q", name, e.Hint)
				}
			}
		}
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	body := ""
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { say(400, body)(w, r) })
	for site, other := range map[string]string{China: International, International: China} {
		c := client(t, s.URL, func(o *Options) { o.Site = site })
		body = `{"Code":"NotApplicable"}`
		_, err := c.List(t.Context(), testQuery)
		if e := failed(t, err); !strings.Contains(e.Hint, "`site: "+other+"`") {
			t.Errorf("%s: %s", site, e.Hint)
		}
		body = `{"Code":"Forbidden.RAM"}`
		_, err = c.List(t.Context(), testQuery)
		if e := failed(t, err); !strings.Contains(e.Hint, "bss:DescribeOrderList") {
			t.Error(e.Hint)
		}
		_, err = c.Detail(t.Context(), "", "1")
		if e := failed(t, err); !strings.Contains(e.Hint, "bss:DescribeOrderDetail") {
			t.Error(e.Hint)
		}
	}
}

func TestStatusWithoutAKnownCode(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]source.Reason{
		200: source.Unknown, 301: source.Unavailable, 304: source.Unavailable, 400: source.BadRequest, 401: source.Auth, 403: source.Auth,
		404: source.NotFound, 405: source.BadRequest, 408: source.Timeout, 409: source.BadRequest, 418: source.BadRequest, 429: source.Throttled,
		500: source.Unavailable, 502: source.Unavailable, 503: source.Unavailable, 504: source.Timeout, 599: source.Unavailable,
	} {
		if got := reasonOfStatus(status); got != want {
			t.Errorf("HTTP %d: %s, want %s", status, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := utc("2026-01-02T03:04:05Z")
	for _, tc := range []struct {
		name, value string
		reason      source.Reason
		want        time.Duration
	}{
		{"Retry-After", "3", source.Throttled, 3 * time.Second},
		{"Retry-After", " 3 ", source.Unavailable, 3 * time.Second},
		{"Retry-After", "3", source.BadRequest, 0},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:15 GMT", source.Throttled, 10 * time.Second},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:00 GMT", source.Throttled, 0},
		{"Retry-After", "-3", source.Throttled, 0},
		{"Retry-After", "soon", source.Throttled, 0},
		{"Retry-After", "999999999999", source.Throttled, 0},
		{"Retry-After", "999999", source.Throttled, maxRetryAfter},
		{"X-Ratelimit-User", "Limit:10,Remain:0,TimeLeft:250", source.Throttled, 250 * time.Millisecond},
		{"X-Ratelimit-User-Api", "Limit:10, Remain:0, TimeLeft:250", source.Throttled, 250 * time.Millisecond},
		{"X-Ratelimit-User", "Limit:10,Remain:5,TimeLeft:250", source.Unavailable, 0},
		{"X-Ratelimit-User", "TimeLeft:-1", source.Throttled, 0},
		{"X-Ratelimit-User", "TimeLeft:x", source.Throttled, 0},
		{"X-Ratelimit-User", "TimeLeft:9223372036854775807", source.Throttled, maxRetryAfter},
		{"X-Ratelimit-User", "", source.Throttled, 0},
	} {
		if got := retryAfter(http.Header{tc.name: {tc.value}}, tc.reason, now); got != tc.want {
			t.Errorf("%s: %s, %s: %v, want %v", tc.name, tc.value, tc.reason, got, tc.want)
		}
	}
}

// No error shows a secret, whoever put it there (I10).
func TestErrorsAreScrubbed(t *testing.T) {
	t.Parallel()
	const token = "CAISsecuritytoken0123456789"
	leak := "Specified signature is not matched with our calculation. server string to sign is: POST x-acs-accesskey-id:" + testKey +
		" x-acs-security-token:" + token + " https://user:hunter2@host/?AccessKeyId=" + testKey + "&Signature=2Vl%2FdwIb%3D&SecurityToken=" + token +
		` {"AccessKeySecret":"othersecret"} secret ` + testSecret
	for name, answer := range map[string]http.HandlerFunc{
		"message":   say(403, fmt.Sprintf(`{"Code":"SignatureDoesNotMatch","Message":%q,"RequestId":%q}`, leak, testKey)),
		"code":      say(400, fmt.Sprintf(`{"Code":%q}`, testKey)),
		"HTML":      say(502, strings.Repeat("x", 100)+leak),
		"non-JSON":  say(200, strings.Repeat("x", 110)+leak),
		"odd count": say(200, fmt.Sprintf(`{"Success":true,"Data":{"TotalCount":%q}}`, leak)),
		"redirect":  say(302, "", "Location", "https://user:hunter2@host/?AccessKeyId="+testKey+"&Signature=2Vl%2FdwIb%3D"),
	} {
		s := serve(t, answer)
		c := client(t, s.URL, func(o *Options) { o.Credentials.SecurityToken = token })
		_, err := c.List(t.Context(), testQuery)
		text := fmt.Sprintf("%v %+v", err, *failed(t, err))
		for _, secret := range []string{testKey, testKey[:8], testSecret, testSecret[:12], token, token[:8], "hunter2", "2Vl", "othersecret"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s: %s", name, secret, text)
			}
		}
	}
}
