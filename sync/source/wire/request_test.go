package wire

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// written is the request as net/http writes it.
func written(t testing.TB, r *http.Request) (string, error) {
	t.Helper()
	var b bytes.Buffer
	err := r.Write(&b)
	return b.String(), err
}

func TestRequestsAreWrittenAsNetHTTPDoes(t *testing.T) {
	t.Parallel()
	base := url.URL{Scheme: "https", Host: "business.example.com:8443", Path: "/"}
	deep := url.URL{Scheme: "https", Host: "[::1]:8443", Path: "/a b/中"}
	key := Key{ID: "id", Secret: "secret", Provider: "static_sts"}
	session := Key{ID: "id", Secret: "secret", Token: "token+/=", Provider: "static_sts"}
	get := V1{Method: http.MethodGet, Format: "JSON", Version: "v", SignatureVersion: "1.0", UserAgent: "a (b; c) d/1"}
	post := get
	post.Method = http.MethodPost
	note := args("OrderId", "1", "Note", "a b*c~d+e/中")
	with := func(change func(r *http.Request)) *http.Request {
		r := ACS3(t.Context(), base, "2017-12-14", "QueryOrders", "ua", note, key)
		change(r)
		return r
	}
	for _, tc := range []struct {
		name  string
		r     *http.Request
		plain bool
	}{
		{"ACS3", ACS3(t.Context(), base, "2017-12-14", "QueryOrders", "a (b; c) d/1", note, key), true},
		{"ACS3 with a token", ACS3(t.Context(), deep, "2017-12-14", "QueryOrders", "ua", note, session), true},
		{"V1 GET", get.Request(t.Context(), base, "QueryOrders", note, session), true},
		{"V1 POST", post.Request(t.Context(), deep, "QueryOrders", note, key), true},
		{"empty value", with(func(r *http.Request) { r.Header["X-Empty"] = []string{""} }), true},
		{"body", with(func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }), false},
		{"close", with(func(r *http.Request) { r.Close = true }), false},
		{"other method", with(func(r *http.Request) { r.Method = http.MethodPut }), false},
		{"no query", with(func(r *http.Request) { r.URL.RawQuery = "" }), false},
		{"opaque", with(func(r *http.Request) { r.URL.Opaque = "//x" }), false},
		{"zone", with(func(r *http.Request) { r.Host = "[fe80::1%25eth0]:80" }), false},
		{"international host", with(func(r *http.Request) { r.Host = "bücher.example" }), false},
		{"line in the host", with(func(r *http.Request) { r.Host = "h\r\nX: y" }), false},
		{"line in the query", with(func(r *http.Request) { r.URL.RawQuery = "a=b\r\nX: y" }), false},
		{"line in a value", with(func(r *http.Request) { r.Header["X-Acs-Date"] = []string{"a\r\nX: y"} }), false},
		{"line in a name", with(func(r *http.Request) { r.Header["X: y\r\nX"] = []string{"a"} }), false},
		{"space around a value", with(func(r *http.Request) { r.Header["X-Acs-Date"] = []string{" a"} }), false},
		{"two values", with(func(r *http.Request) { r.Header["X-Acs-Date"] = []string{"a", "b"} }), false},
		{"no value", with(func(r *http.Request) { r.Header["User-Agent"] = []string{} }), false},
		{"no agent", with(func(r *http.Request) { r.Header.Del("User-Agent") }), false},
		{"a host in the header", with(func(r *http.Request) { r.Header["Host"] = []string{"other"} }), false},
		{"a length in the header", with(func(r *http.Request) { r.Header["Content-Length"] = []string{"9"} }), false},
	} {
		got, plain := appendRequest([]byte("before "), tc.r)
		if plain != tc.plain {
			t.Errorf("%s: plain: %v", tc.name, plain)
		}
		if want, err := written(t, tc.r); plain && (err != nil || string(got) != "before "+want) {
			t.Errorf("%s: %v\n got %q\nwant %q", tc.name, err, got, want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(true, "h.example:80", "/", "a=b%20c", "X-Acs-Date", "2024-01-02T03:04:05Z")
	f.Add(false, "[::1]", "/a b", "a=b c", "user-agent", "a")
	f.Add(true, "h\r\nX: y", "//x", "a=\n", "Host", " b\r\n")
	f.Fuzz(func(t *testing.T, post bool, host, path, query, name, value string) {
		r := &http.Request{Method: http.MethodGet, Host: host, URL: &url.URL{Scheme: "http", Host: host, Path: path, RawQuery: query},
			Header: http.Header{"User-Agent": {"ua"}, name: {value}}}
		if post {
			r.Method = http.MethodPost
		}
		got, plain := appendRequest(nil, r)
		if !plain {
			return
		}
		if want, err := written(t, r); err != nil || string(got) != want {
			t.Errorf("%v\n got %q\nwant %q", err, got, want)
		}
		if n := strings.Count(string(got), "\r\n\r\n"); n != 1 || bytes.Count(got, []byte("\n")) > 6 {
			t.Errorf("more than one request: %q", got)
		}
	})
}
