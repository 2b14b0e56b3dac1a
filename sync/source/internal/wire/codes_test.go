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
		404: source.BadRequest, 405: source.BadRequest, 410: source.BadRequest, 408: source.Timeout, 409: source.BadRequest, 418: source.BadRequest, 429: source.Throttled,
		500: source.Unavailable, 502: source.Unavailable, 503: source.Unavailable, 504: source.Timeout, 599: source.Unavailable,
	} {
		if got := reasonOfStatus(status); got != want {
			t.Errorf("HTTP %d: %s, want %s", status, got, want)
		}
	}
}

// The gateway never says that an order is unknown; whatever it does not know is something else.
func TestNoGatewayCodeIsAboutAnOrder(t *testing.T) {
	t.Parallel()
	for _, row := range GatewayCodes {
		if row.Reason == source.NotFound {
			t.Errorf("%+v", row)
		}
	}
	for code, want := range map[string]source.Reason{
		"InvalidApi.NotFound": source.BadRequest, "InvalidProduct.NotFound": source.BadRequest, "InvalidAction.NotFound": source.BadRequest,
		"InvalidVersion.NotFound": source.BadRequest, "InvalidAccessKeyId.NotFound": source.Auth, "InvalidAccessKeyId.Inactive": source.Auth,
		"NoEnabledAccessKey": source.Auth, "MissingSecurityToken": source.Auth, "InvalidSignatureMethod": source.Auth, "IncompleteSignature": source.Auth,
		"InvalidSecurityToken.Malformed": source.Auth, "SignatureDoesNotMatch": source.Auth, "SignatureNonceUsed": source.Unavailable,
		"SYSTEM.CONCURRENT_OPERATE": source.Unavailable, "system.concurrent_operate": source.Unavailable, "throttling.user": source.Throttled,
		"TooManyRequests": source.Throttled, "OperationConflict": source.Unavailable,
	} {
		if row, known := lookUp(GatewayCodes, code); !known || row.Reason != want {
			t.Errorf("%s: %v, %+v; want %s", code, known, row, want)
		}
	}
	for code, want := range map[string]string{ // of which kind a code is, its name says
		"Forbidden.AccessKeyDisabled": HintKey, "InvalidAccessKeySecret": HintKey, "InvalidSecurityToken.MismatchWithAccessKey": hintToken,
		"IllegalTimestamp": hintClock, "InvalidTimeStamp.Format": hintClock, "Forbidden.RAM": HintPermission,
	} {
		if row, _ := lookUp(GatewayCodes, code); row.Hint != want {
			t.Errorf("%s: %+v", code, row)
		}
	}
	for _, code := range []string{"", "Odd.NotFound", "InvalidProductCode", "NotThrottled"} {
		if row, known := lookUp(GatewayCodes, code); known {
			t.Errorf("%s: %+v", code, row)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const acs, user, userAPI, general = "X-Acs-Retry-After", "X-Ratelimit-User", "X-Ratelimit-User-Api", "Retry-After"
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		headers  []string
		reason   source.Reason
		want     time.Duration
		throttle bool
	}{
		{nil, source.Throttled, 0, false},
		{[]string{general, "3"}, source.Throttled, 3 * time.Second, false},
		{[]string{general, " 3 "}, source.Unavailable, 3 * time.Second, false},
		{[]string{general, "3"}, source.BadRequest, 0, false},
		{[]string{general, "Fri, 02 Jan 2026 03:04:15 GMT"}, source.Throttled, 10 * time.Second, false},
		{[]string{general, "Fri, 02 Jan 2026 03:04:00 GMT"}, source.Throttled, 0, false},
		{[]string{general, "Fri, 02 Jan 2026 03:34:05 GMT"}, source.Throttled, 30 * time.Minute, false},
		{[]string{general, "Fri, 02 Jan 2199 03:04:00 GMT"}, source.Throttled, maxRetryAfter, false},
		{[]string{general, "-3"}, source.Throttled, 0, false},
		{[]string{general, "1.5"}, source.Throttled, 0, false},
		{[]string{general, "soon"}, source.Throttled, 0, false},
		{[]string{general, "999999999999"}, source.Throttled, maxRetryAfter, false},
		{[]string{general, "99999999999999999999"}, source.Throttled, maxRetryAfter, false},
		{[]string{general, "3600"}, source.Throttled, time.Hour, false},
		{[]string{general, "315360000"}, source.Throttled, 10 * 365 * 24 * time.Hour, false},

		{[]string{user, "Limit:10,Remain:0,TimeLeft:250"}, source.Throttled, 250 * time.Millisecond, false},
		{[]string{userAPI, "Limit:10, Remain:0, TimeLeft: 250"}, source.Throttled, 250 * time.Millisecond, false},
		{[]string{userAPI, "timeleft:250"}, source.Throttled, 250 * time.Millisecond, false},
		{[]string{userAPI, "TimeLeft:250", user, "TimeLeft:900"}, source.Throttled, 900 * time.Millisecond, false},
		{[]string{user, "Limit:10,Remain:5,TimeLeft:250"}, source.Unavailable, 0, false},
		{[]string{user, "TimeLeft:-1"}, source.Throttled, 0, false},
		{[]string{user, "TimeLeft:x"}, source.Throttled, 0, false},
		{[]string{user, "TimeLeft:9223372036854775807"}, source.Throttled, maxRetryAfter, false},
		{[]string{user, ""}, source.Throttled, 0, false},

		{[]string{acs, "250"}, source.Throttled, 250 * time.Millisecond, true},
		{[]string{acs, " 250 "}, source.BadRequest, 250 * time.Millisecond, true},
		{[]string{acs, "250"}, source.Auth, 250 * time.Millisecond, true},
		{[]string{acs, "1"}, source.Unavailable, time.Millisecond, true},
		{[]string{acs, "0"}, source.BadRequest, 0, false},
		{[]string{acs, "-250"}, source.Throttled, 0, false},
		{[]string{acs, "1.5"}, source.Throttled, 0, false},
		{[]string{acs, "250ms"}, source.Throttled, 0, false},
		{[]string{acs, "soon"}, source.Unavailable, 0, false},
		{[]string{acs, ""}, source.BadRequest, 0, false},
		{[]string{acs, "99999999999999999999"}, source.BadRequest, maxRetryAfter, true},
		{[]string{acs, "250", acs, "300"}, source.BadRequest, 300 * time.Millisecond, true},

		// Where they contradict each other it is the longest.
		{[]string{acs, "250", userAPI, "TimeLeft:700"}, source.Unavailable, 700 * time.Millisecond, true},
		{[]string{acs, "2500", userAPI, "TimeLeft:700"}, source.Throttled, 2500 * time.Millisecond, true},
		{[]string{acs, "250", general, "2"}, source.BadRequest, 2 * time.Second, true},
		{[]string{acs, "0", general, "2"}, source.Throttled, 2 * time.Second, false},
	} {
		h := http.Header{}
		for n := 0; n < len(tc.headers); n += 2 {
			h.Add(tc.headers[n], tc.headers[n+1])
		}
		if got, throttle := retryAfter(h, tc.reason, now); got != tc.want || throttle != tc.throttle {
			t.Errorf("%v, %s: %v, %v; want %v, %v", h, tc.reason, got, throttle, tc.want, tc.throttle)
		}
	}
}
