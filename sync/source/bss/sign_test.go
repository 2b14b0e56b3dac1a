package bss

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
)

// signed computes the signature of a request as a server would, from what arrived.
func signed(r *http.Request, secret string) string {
	q := r.URL.Query()
	var names, pairs []string
	for k := range q {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		v := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(q.Get(k)))
		pairs = append(pairs, k+"="+v)
	}
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	canonical := r.Method + "\n" + r.URL.Path + "\n" + strings.Join(pairs, "&") + "\n"
	for name := range strings.SplitSeq(list, ";") {
		v := r.Header.Get(name)
		if name == "host" {
			v = r.Host
		}
		canonical += name + ":" + v + "\n"
	}
	sum := sha256.Sum256([]byte(canonical + "\n" + list + "\n" + r.Header.Get("X-Acs-Content-Sha256")))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + hex.EncodeToString(sum[:])))
	return hex.EncodeToString(mac.Sum(nil))
}

// arrived is what arrived, but for what is different in every request.
type arrived struct {
	Method, URI, Host, Proto string
	Length                   int64
	Header                   http.Header
	Authorization            string // without the signature
}

func seen(t *testing.T, r *http.Request, secret string) arrived {
	h := r.Header.Clone()
	auth, signature, _ := strings.Cut(h.Get("Authorization"), ",Signature=")
	if want := signed(r, secret); signature != want {
		t.Errorf("the signature does not match what arrived: %s, want %s", signature, want)
	}
	if len(h.Get("X-Acs-Signature-Nonce")) != 32 {
		t.Errorf("nonce %q", h.Get("X-Acs-Signature-Nonce"))
	}
	date, err := time.Parse(time.RFC3339, h.Get("X-Acs-Date"))
	if err != nil || time.Since(date).Abs() > time.Minute {
		t.Errorf("date %q", h.Get("X-Acs-Date"))
	}
	for _, name := range []string{"Authorization", "X-Acs-Signature-Nonce", "X-Acs-Date"} {
		h.Del(name)
	}
	return arrived{r.Method, r.RequestURI, r.Host, r.Proto, r.ContentLength, h, auth}
}

// What we send is what the vendor's own client sends, but for the name of the program: this was recorded from
// darabonba-openapi/v2 2.1.13.
func TestSameAsTheVendorsClient(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]string{"access key": "", "STS": "token+/=with signs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got arrived
			endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = seen(t, r, testSecret)
				vendortest.Say(200, emptyPage)(w, r)
			})
			want := arrived{
				Method: "POST", Host: strings.TrimPrefix(endpoint, "http://"), Proto: "HTTP/1.1",
				URI: "/?CreateTimeEnd=2024-01-02T00%3A00%3A00Z&CreateTimeStart=2024-01-01T00%3A00%3A00Z&OwnerId=1234567890123456&PageNum=1&PageSize=20",
				Header: http.Header{
					"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "Content-Length": {"0"}, "User-Agent": {"ordersync"},
					"X-Acs-Action": {"QueryOrders"}, "X-Acs-Content-Sha256": {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
					"X-Acs-Credentials-Provider": {"static_ak"}, "X-Acs-Version": {"2017-12-14"},
				},
				Authorization: "ACS3-HMAC-SHA256 Credential=" + testKey + ",SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;" +
					"x-acs-date;x-acs-signature-nonce;x-acs-version",
			}
			if token != "" {
				want.Header.Set("X-Acs-Credentials-Provider", "static_sts")
				want.Header.Set("X-Acs-Accesskey-Id", testKey)
				want.Header.Set("X-Acs-Security-Token", token)
				want.Authorization = "ACS3-HMAC-SHA256 Credential=" + testKey + ",SignedHeaders=host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;" +
					"x-acs-credentials-provider;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version"
			}
			c := client(t, endpoint, func(o *Options) { o.Credentials.SecurityToken = token })
			q := testQuery
			q.OwnerID = "1234567890123456"
			if _, err := c.List(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("the vendor's client (-) and ours (+) differ:\n%s", d)
			}
		})
	}
}

func TestEveryCallIsSignedAnew(t *testing.T) {
	t.Parallel()
	nonces := map[string]bool{}
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen(t, r, testSecret)
		nonces[r.Header.Get("X-Acs-Signature-Nonce")] = true
		vendortest.Say(200, emptyPage)(w, r)
	})
	c := client(t, endpoint)
	for range 10 {
		if _, err := c.List(t.Context(), source.Query{PaymentStatus: "a b*c~d+e/中&x=y"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(nonces) != 10 {
		t.Errorf("%d nonces in 10 calls", len(nonces))
	}
}

func BenchmarkSign(b *testing.B) {
	c := client(b, "http://127.0.0.1:1")
	key := keys.Key{ID: testKey, Secret: testSecret, Provider: "static_ak"}
	b.ReportAllocs()
	for b.Loop() {
		c.wire.Request(b.Context(), "GetOrderDetail", []wire.Arg{{Name: "OrderId", Value: "211059788270709"}}, key)
	}
}
