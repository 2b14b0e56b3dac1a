package wire

import (
	"net/http"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source"
)

func TestStatusWithoutAKnownCode(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]source.Reason{
		200: source.Unknown, 301: source.Unavailable, 304: source.Unavailable, 400: source.BadRequest, 401: source.Auth, 403: source.Auth,
		404: source.NotFound, 405: source.BadRequest, 408: source.Timeout, 409: source.BadRequest, 418: source.BadRequest, 429: source.Throttled,
		500: source.Unavailable, 502: source.Unavailable, 503: source.Unavailable, 504: source.Timeout, 599: source.Unavailable,
	} {
		if got := ReasonOfStatus(status); got != want {
			t.Errorf("HTTP %d: %s, want %s", status, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
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
