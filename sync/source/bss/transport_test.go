package bss

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

func TestAnswersThatFail(t *testing.T) {
	t.Parallel()
	const html = "<html><body><h1>502 Bad Gateway</h1></body></html>"
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   source.Error // Reason, HTTPStatus, Code, RequestID, RetryAfter, Fresh
		text   string
	}{
		{"HTML 502", vendortest.Say(502, html), source.Error{Reason: source.Unavailable, HTTPStatus: 502}, "Bad Gateway"},
		{"HTML 504", vendortest.Say(504, html), source.Error{Reason: source.Timeout, HTTPStatus: 504}, ""},
		{"HTML 403", vendortest.Say(403, html), source.Error{Reason: source.Auth, HTTPStatus: 403}, "not the vendor's"},
		{"HTML 404", vendortest.Say(404, html), source.Error{Reason: source.BadRequest, HTTPStatus: 404}, "check endpoint"},
		{"JSON 404", vendortest.Say(404, `{"Code":"Odd"}`), source.Error{Reason: source.BadRequest, HTTPStatus: 404, Code: "Odd"}, "check endpoint"},
		{"JSON 404 of somebody else", vendortest.Say(404, `{"error":"no route"}`), source.Error{Reason: source.BadRequest, HTTPStatus: 404}, "no route"},
		{"no such API", vendortest.Say(404, `{"Code":"InvalidApi.NotFound"}`), source.Error{Reason: source.BadRequest, HTTPStatus: 404, Code: "InvalidApi.NotFound"}, "api_version"},
		{"no such product", vendortest.Say(404, `{"code":"InvalidProduct.NotFound"}`), source.Error{Reason: source.BadRequest, HTTPStatus: 404, Code: "InvalidProduct.NotFound"}, "api_version"},
		{
			"lower case", vendortest.Say(400, `{"code":"InvalidOwner","message":"not yours","requestId":"R-6"}`),
			source.Error{Reason: source.BadRequest, HTTPStatus: 400, Code: "InvalidOwner", RequestID: "R-6"}, "not yours",
		},
		{
			"lower case in 200", vendortest.Say(200, `{"success":false,"code":"Throttling","message":"slow","requestid":"R-7"}`),
			source.Error{Reason: source.Throttled, HTTPStatus: 200, Code: "Throttling", RequestID: "R-7"}, "slow",
		},
		{"rows under another name", vendortest.Say(200, `{"Success":true,"Data":{"TotalCount":0,"Orders":[{"OrderId":"1"}]}}`), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "something else"},
		{
			"a wait is a throttle", vendortest.Say(403, `{"Code":"NotApplicable"}`, "X-Acs-Retry-After", "1500"),
			source.Error{Reason: source.Throttled, HTTPStatus: 403, Code: "NotApplicable", RetryAfter: 1500 * time.Millisecond}, "quota",
		},
		{
			"a wait in 200", vendortest.Say(200, `{"Success":false,"Code":"SYSTEM.X"}`, "X-Acs-Retry-After", "20", "Retry-After", "2"),
			source.Error{Reason: source.Throttled, HTTPStatus: 200, Code: "SYSTEM.X", RetryAfter: 2 * time.Second}, "",
		},
		{
			"what is denied", vendortest.Say(403, `{"Code":"NoPermission","AccessDeniedDetail":{"AuthAction":"bssapi:QueryOrders","AuthPrincipalDisplayName":"reader","AuthPrincipalType":"SubUser","AuthPrincipalOwnerId":"123","NoPermissionType":"ImplicitDeny","PolicyType":"AccountLevelIdentityBasedPolicy"}}`),
			source.Error{Reason: source.Auth, HTTPStatus: 403, Code: "NoPermission"},
			"the vendor says: no policy allows bssapi:QueryOrders to SubUser reader of account 123 (ImplicitDeny, AccountLevelIdentityBasedPolicy)",
		},
		{
			"what is denied, in lower case", vendortest.Say(400, `{"code":"Odd","accessDeniedDetail":{"authAction":"bss:X","noPermissionType":"ExplicitDeny","policyType":"ControlPolicy"}}`),
			source.Error{Reason: source.Auth, HTTPStatus: 400, Code: "Odd"}, "a policy denies bss:X to the caller (ExplicitDeny, ControlPolicy)",
		},
		{
			"what is denied, in code alone", vendortest.Say(403, `{"Code":"NoPermission","AccessDeniedDetail":{"AuthAction":null,"EncodedDiagnosticMessage":"AQEA"}}`),
			source.Error{Reason: source.Auth, HTTPStatus: 403, Code: "NoPermission"}, "needs a policy that allows bss:DescribeOrderList",
		},
		{
			"XML", vendortest.Say(400, "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R-8</RequestId><Code>Throttling.User</Code><Message>slow</Message></Error>"),
			source.Error{Reason: source.Throttled, HTTPStatus: 400, Code: "Throttling.User", RequestID: "R-8"}, "slow",
		},
		{
			"XML of what is denied", vendortest.Say(403, "<Error><Code>NoPermission</Code><AccessDeniedDetail><AuthAction>bss:X</AuthAction></AccessDeniedDetail></Error>"),
			source.Error{Reason: source.Auth, HTTPStatus: 403, Code: "NoPermission"}, "the caller may not do bss:X",
		},
		{"XML without a code", vendortest.Say(503, "<Error><Message>busy</Message></Error>"), source.Error{Reason: source.Unavailable, HTTPStatus: 503}, "not the vendor's"},
		{"half XML", vendortest.Say(404, "<Error><Code>InvalidAccessKeyId.NotFound</Code>"), source.Error{Reason: source.BadRequest, HTTPStatus: 404}, "not the vendor's"},
		{"byte order mark", vendortest.Say(400, "\ufeff"+`{"Code":"Throttling"}`), source.Error{Reason: source.Throttled, HTTPStatus: 400, Code: "Throttling"}, ""},
		{"Success as a number", vendortest.Say(200, `{"Success":0,"Data":{"TotalCount":0}}`), source.Error{Reason: source.Unknown, HTTPStatus: 200}, "no code"},
		{"wrong site by the signature", vendortest.Say(403, `{"Code":"SignatureDoesNotMatch"}`), source.Error{Reason: source.Auth, HTTPStatus: 403, Code: "SignatureDoesNotMatch"}, "`site: international`"},
		{"wrong site by an error", vendortest.Say(500, `{"Code":"InternalError"}`), source.Error{Reason: source.Unavailable, HTTPStatus: 500, Code: "InternalError"}, "`site: international`"},
		{"HTML 200", vendortest.Say(200, html), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "not JSON"},
		{"empty 200", vendortest.Say(200, ""), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "empty"},
		{"blank 200", vendortest.Say(200, " \n"), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "empty"},
		{"empty 500", vendortest.Say(500, ""), source.Error{Reason: source.Unavailable, HTTPStatus: 500}, ""},
		{"half JSON", vendortest.Say(200, emptyPage[:len(emptyPage)-9]), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "not JSON"},
		{"array", vendortest.Say(200, "[]"), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "not a JSON object"},
		{"empty object", vendortest.Say(200, "{}"), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "there is no Data"},
		{"no total", vendortest.Say(200, `{"Success":true,"RequestId":"R-2","Data":{}}`), source.Error{Reason: source.Malformed, HTTPStatus: 200, RequestID: "R-2"}, "TotalCount"},
		{
			"Success false", vendortest.Say(200, `{"Success":false,"Code":"NotApplicable","Message":"no","RequestId":"R-3","Data":{"TotalCount":0}}`),
			source.Error{Reason: source.Auth, HTTPStatus: 200, Code: "NotApplicable", RequestID: "R-3"}, "site: international",
		},
		{"Success as text", vendortest.Say(200, `{"Success":"false","Code":"InternalError"}`), source.Error{Reason: source.Unavailable, HTTPStatus: 200, Code: "InternalError"}, ""},
		{"Success false, no code", vendortest.Say(200, `{"Success":false}`), source.Error{Reason: source.Unknown, HTTPStatus: 200}, "no code"},
		{"code without Success", vendortest.Say(200, `{"Code":"InvalidOwner"}`), source.Error{Reason: source.BadRequest, HTTPStatus: 200, Code: "InvalidOwner"}, "owner_ids"},
		{
			"throttle in 200", vendortest.Say(200, `{"Success":false,"Code":"Throttling.User"}`, "X-Ratelimit-User-Api", "Limit:10,Remain:0,TimeLeft:1234", "X-Ratelimit-User", "TimeLeft:99"),
			source.Error{Reason: source.Throttled, HTTPStatus: 200, Code: "Throttling.User", RetryAfter: 1234 * time.Millisecond}, "",
		},
		{"throttle in 400", vendortest.Say(400, `{"Code":"Throttling"}`), source.Error{Reason: source.Throttled, HTTPStatus: 400, Code: "Throttling"}, ""},
		{"429", vendortest.Say(429, html, "Retry-After", "7"), source.Error{Reason: source.Throttled, HTTPStatus: 429, RetryAfter: 7 * time.Second}, ""},
		{"503, request id in a header", vendortest.Say(503, "", "X-Acs-Request-Id", "R-4"), source.Error{Reason: source.Unavailable, HTTPStatus: 503, RequestID: "R-4"}, ""},
		{"redirect", vendortest.Say(302, "", "Location", "http://127.0.0.1:1/login"), source.Error{Reason: source.Unavailable, HTTPStatus: 302}, "redirects are not followed"},
		{"permission", vendortest.Say(403, `{"Code":"NoPermission","RequestId":"R-5"}`), source.Error{Reason: source.Auth, HTTPStatus: 403, Code: "NoPermission", RequestID: "R-5"}, "bss:DescribeOrderList"},
		{"nonce", vendortest.Say(400, `{"Code":"SignatureNonceUsed"}`), source.Error{Reason: source.Unavailable, HTTPStatus: 400, Code: "SignatureNonceUsed", Fresh: true}, "clock"},
		{
			"clock", vendortest.Say(400, `{"Code":"InvalidTimeStamp.Expired"}`, "Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)),
			source.Error{Reason: source.Auth, HTTPStatus: 400, Code: "InvalidTimeStamp.Expired", Fresh: true}, "ahead of the vendor's",
		},
		{"cut body", cutBody, source.Error{Reason: source.Malformed, HTTPStatus: 200}, "unexpected EOF"},
		{"bad gzip", vendortest.Say(200, "this is no gzip at all", "Content-Encoding", "gzip"), source.Error{Reason: source.Malformed, HTTPStatus: 200}, "gzip"},
		{"no answer", vendortest.HangUp, source.Error{Reason: source.Unavailable}, "EOF"},
		{"reset", vendortest.Reset, source.Error{Reason: source.Unavailable}, "reset"},
		{"reset in the body", resetInBody, source.Error{Reason: source.Unavailable, HTTPStatus: 200}, "reset"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			calls := atomic.Int32{}
			endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); tc.answer(w, r) })
			_, err := client(t, endpoint).List(t.Context(), testQuery)
			e := vendortest.Failed(t, Vendor, err)
			got := source.Error{Reason: e.Reason, HTTPStatus: e.HTTPStatus, Code: e.Code, RequestID: e.RequestID, RetryAfter: e.RetryAfter, Fresh: e.Fresh}
			if got != tc.want || !strings.Contains(e.Error(), tc.text) || calls.Load() != 1 {
				t.Errorf("%d calls, %v\n got %+v\nwant %+v, with %q", calls.Load(), err, got, tc.want, tc.text)
			}
		})
	}
}

func resetInBody(w http.ResponseWriter, _ *http.Request) {
	conn, rw := vendortest.Hijack(w)
	_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
	_ = rw.Flush()
	time.Sleep(50 * time.Millisecond) // the client must have read this much, or it sees no answer at all
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func cutBody(w http.ResponseWriter, _ *http.Request) {
	conn, rw := vendortest.Hijack(w)
	_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + emptyPage)
	_ = rw.Flush()
	_ = conn.Close()
}

func TestGzip(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "GZIP", "x-gzip"} {
		endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("%v", r.Header)
			}
			w.Header().Set("Content-Encoding", name)
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(benchPage(20)))
			_ = z.Close()
		})
		if p, err := client(t, endpoint).List(t.Context(), testQuery); err != nil || len(p.Orders) != 20 {
			t.Errorf("%s: %d, %v", name, len(p.Orders), err)
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	hang := vendortest.Serve(t, vendortest.Hang)
	slow := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil { // bytes that never end
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	})
	for name, endpoint := range map[string]string{"hang": hang, "slow body": slow} {
		short := client(t, endpoint, func(o *Options) { o.Timeout = 50 * time.Millisecond })
		_, err := short.List(t.Context(), testQuery)
		if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Timeout || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "50ms") {
			t.Errorf("%s, own time-out: %v", name, err)
		}
		long := client(t, endpoint)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = long.List(ctx, testQuery)
		cancel()
		if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, deadline: %v", name, err)
		}
		why := errors.New("a second signal")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { stop(why) })
		_, err = long.List(ctx, testQuery)
		if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Cancelled || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
			t.Errorf("%s, cancelled: %v", name, err)
		}
	}
}

func TestNoConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = client(t, "http://"+l.Addr().String()).List(t.Context(), testQuery)
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Unavailable || e.HTTPStatus != 0 || !strings.Contains(e.Hint, "cannot connect") {
		t.Error(err)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(vendortest.Say(200, emptyPage))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := client(t, s.URL).List(t.Context(), testQuery)
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Unavailable || !strings.Contains(e.Hint, "certificate") {
		t.Error(err)
	}
	if _, err := client(t, s.URL, func(o *Options) { o.Transport = s.Client().Transport }).List(t.Context(), testQuery); err != nil {
		t.Error(err)
	}
}

// The transport must not speak HTTP/2, which may send a request twice by itself.
func TestHTTP1Only(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("%s", r.Proto)
		}
		vendortest.Say(200, emptyPage)(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := wire.NewTransport(*base, 1, s.Client().Transport.(*http.Transport).TLSClientConfig)
	if _, err := client(t, s.URL, func(o *Options) { o.Transport = transport }).List(t.Context(), testQuery); err != nil {
		t.Error(err)
	}
}

func TestNoReplayOfAPost(t *testing.T) {
	t.Parallel()
	vendortest.NoReplay(t, emptyPage, func(r *http.Request) string { return r.Header.Get("X-Acs-Signature-Nonce") },
		func(endpoint string) (func() error, func()) {
			c := client(t, endpoint)
			return func() error {
				_, err := c.List(t.Context(), testQuery)
				if err != nil && vendortest.Failed(t, Vendor, err).Reason != source.Unavailable {
					t.Error(err)
				}
				return err
			}, c.Close
		})
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	const inFlight = 8
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(vendortest.Say(200, emptyPage))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := client(t, s.URL, func(o *Options) { o.MaxInFlight = inFlight })
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for range 50 {
				if _, err := c.List(t.Context(), testQuery); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := connections.Load(); n > inFlight {
		t.Errorf("%d connections for %d calls at a time", n, inFlight)
	}
}

func TestProxy(t *testing.T) {
	var viaProxy atomic.Int32
	proxy := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		viaProxy.Add(1)
		if r.URL.Host != "business.example" {
			t.Errorf("asked for %s", r.URL)
		}
		vendortest.Say(200, emptyPage)(w, r)
	})
	t.Setenv("HTTP_PROXY", strings.Replace(proxy, "http://", "http://someone:password@", 1))
	t.Setenv("HTTPS_PROXY", "http://someone:password@127.0.0.1:1")
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	if _, err := client(t, "http://business.example").List(t.Context(), testQuery); err != nil || viaProxy.Load() != 1 {
		t.Errorf("%d requests through the proxy, %v", viaProxy.Load(), err)
	}
	loopback := vendortest.Serve(t, vendortest.Say(200, emptyPage))
	if _, err := client(t, loopback).List(t.Context(), testQuery); err != nil || viaProxy.Load() != 1 {
		t.Errorf("a loopback address went through the proxy: %v", err)
	}
	_, err := client(t, "https://business.example").List(t.Context(), testQuery)
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Unavailable || strings.Contains(err.Error(), "password") {
		t.Error(err)
	}
}

func TestLongBody(t *testing.T) {
	t.Parallel()
	block := []byte(strings.Repeat(" ", 1<<20))
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 65 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	_, err := client(t, endpoint).List(t.Context(), testQuery)
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Malformed || !strings.Contains(err.Error(), "smaller pages") {
		t.Error(err)
	}
}
