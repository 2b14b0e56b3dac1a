package wire

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/keys"
)

func args(pairs ...string) []Arg {
	var out []Arg
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, Arg{pairs[i], pairs[i+1]})
	}
	return out
}

const odd = "a+b c*~/=&%:;\"'()[]{}!$,?@#中é\u00a0😀"

// Signatures that the vendor's SDK and an independent implementation agree on.
func TestKnownSignatures(t *testing.T) {
	t.Parallel()
	bss := args("AccessKeyId", "testid", "Action", "QueryOrders", "CreateTimeEnd", "2024-01-02T00:00:00Z", "CreateTimeStart", "2024-01-01T00:00:00Z",
		"Format", "json", "PageNum", "1", "PageSize", "20", "SignatureMethod", "HMAC-SHA1", "SignatureNonce", "nonce-1", "SignatureVersion", "1.0",
		"Timestamp", "2024-01-02T03:04:05Z", "Version", "2017-12-14", "Note", "a b*c~d+e/中")
	unicloud := args("Action", "OrderDetail", "OrderId", "1119146845965123584", "AccessKeyId", "testid", "Format", "json", "SignatureMethod", "HMAC-SHA1",
		"SignatureNonce", "nonce-1", "SignatureVersion", "1.0", "Timestamp", "2024-01-02T03:04:05Z", "Version", "2020-07-30")
	for _, tc := range []struct {
		method, secret, want string
		args                 []Arg
	}{
		{"POST", "testsecret", "BeK5cTUv0fnVp4TVgXE344PS+aU=", bss},
		{"GET", "testsecret", "4Z/Q0olVtVy7ZyYqnUjv6coEN9I=", bss},
		{"GET", "testsecret", "77swYg5t9L1gl0DUGZyqFQDF8F0=", unicloud},
		{"GET", "testsecret", "466jQ0wZ71nv+BdkJBzlRBwFlXU=", nil},
		{"GET", "s ecret/+=中", "ErZfXq5lcT5gEUSdqZivk5IKVPI=", args("OrderId", "211059788270709")},
		{"POST", "testsecret", "qgkudwbYkvtCu6wwHsyFAVyqV0s=", args("OrderId", odd, "Empty", "")},
	} {
		if got := SignV1(tc.method, tc.args, tc.secret); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.method, got, tc.want)
		}
	}
}

func TestKnownACS3Signatures(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		key  keys.Key
		args []Arg
		want string
	}{
		{keys.Key{ID: "testid", Secret: "testsecret"}, nil, "5b6990da72ae70ad239cce6bc32d38980456c9403a4f4e8192746028a5d6f171"},
		{keys.Key{ID: "testid", Secret: "s ecret/+=中"}, args("OrderId", "211059788270709"), "927d0f30cc0a022f9f9795034288dd0a7b71232052fb18792147dc4395b9fa08"},
		{keys.Key{ID: "testid", Secret: "testsecret", Token: "token+/=."}, args("OrderId", odd, "Empty", ""), "da262e0a84c94f481011e7b8942d88eaff92789709279dc0d0497fa7b6753f6e"},
	} {
		h := http.Header{
			"X-Acs-Action": {"GetOrderDetail"}, "X-Acs-Version": {"2017-12-14"}, "X-Acs-Date": {"2024-01-02T03:04:05Z"},
			"X-Acs-Signature-Nonce": {"nonce-1"}, "X-Acs-Content-Sha256": {emptySHA256}, "X-Acs-Credentials-Provider": {"static_ak"},
			"Accept": {"application/json"},
		}
		names := "host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version"
		if tc.key.Token != "" {
			h["X-Acs-Accesskey-Id"], h["X-Acs-Security-Token"] = []string{tc.key.ID}, []string{tc.key.Token}
			names = "host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version"
		}
		Sort(tc.args)
		want := "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=" + names + ",Signature=" + tc.want
		if got := signACS3("h.example:8080", Encode(tc.args), h, tc.key); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// What arrives is signed as it arrived, and a GET has no body and no sign of one.
func TestV1OnTheWire(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, token := range []string{"", "token+/=with signs"} {
			v := V1{Method: method, Format: "json", Version: "2020-07-30", SignatureVersion: "2.0"}
			var got *http.Request
			endpoint := vendortest.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if len(body) > 0 || len(r.TransferEncoding) > 0 || r.ContentLength != 0 {
					t.Errorf("%s: a body: %q %v %d", method, body, r.TransferEncoding, r.ContentLength)
				}
				got = r
			})
			base, err := url.Parse(endpoint + "/transaction")
			if err != nil {
				t.Fatal(err)
			}
			transport := NewTransport(*base, 1, nil)
			resp, err := transport.RoundTrip(v.Request(t.Context(), *base, "OrderDetail", args("OrderId", "1", "Note", "a b*c~d+e/中&x=y"), keys.Key{ID: testKey, Secret: testSecret, Token: token}))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			transport.CloseIdleConnections()
			q := got.URL.Query()
			var signed []Arg
			for k := range q {
				if k != "Signature" {
					signed = append(signed, Arg{k, q.Get(k)})
				}
			}
			if want := SignV1(method, signed, testSecret); q.Get("Signature") != want || got.Method != method || got.URL.Path != "/transaction" {
				t.Errorf("%s %s: the signature does not match what arrived, %s", got.Method, got.URL, want)
			}
			at, err := time.Parse(time.RFC3339, q.Get("Timestamp"))
			if err != nil || time.Since(at).Abs() > time.Minute || len(q.Get("SignatureNonce")) != 32 || q.Get("SecurityToken") != token ||
				q.Get("Note") != "a b*c~d+e/中&x=y" || q.Get("SignatureVersion") != "2.0" || q.Get("Version") != "2020-07-30" || q.Get("Action") != "OrderDetail" {
				t.Errorf("%v", q)
			}
		}
	}
}

// A plain GET is sent again by itself.
func TestNoReplayOfAGet(t *testing.T) {
	t.Parallel()
	vendortest.NoReplay(t, `{"RequestId":"R"}`, func(r *http.Request) string { return r.URL.Query().Get("SignatureNonce") },
		func(endpoint string) (func() error, func()) {
			c := client(t, endpoint)
			return func() error {
				_, err := c.Send(t.Context(), "Test", nil)
				if err != nil && (vendortest.Failed(t, "test", err).Reason != source.Unavailable || strings.Contains(err.Error(), "Signature=")) {
					t.Error(err)
				}
				return err
			}, c.Close
		})
}

func TestArgs(t *testing.T) {
	t.Parallel()
	a := args("b", "x y", "a", "中&=", "c", "")
	Sort(a)
	if got := Encode(a); got != "a=%E4%B8%AD%26%3D&b=x%20y&c=" {
		t.Error(got)
	}
}

func BenchmarkACS3(b *testing.B) {
	key := keys.Key{ID: "testid", Secret: "testsecret", Provider: "static_ak"}
	base := url.URL{Scheme: "https", Host: "business.aliyuncs.com", Path: "/"}
	b.ReportAllocs()
	for b.Loop() {
		ACS3(b.Context(), base, "2017-12-14", "GetOrderDetail", []Arg{{Name: "OrderId", Value: "211059788270709"}}, key)
	}
}
