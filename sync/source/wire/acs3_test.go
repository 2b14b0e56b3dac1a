package wire

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
)

// A signature that the vendor's SDK and an independent implementation agree on.
func TestKnownACS3Signature(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"X-Acs-Action": {"QueryOrders"}, "X-Acs-Version": {"2017-12-14"}, "X-Acs-Date": {"2024-01-02T03:04:05Z"},
		"X-Acs-Signature-Nonce": {"nonce-1"}, "X-Acs-Content-Sha256": {emptySHA256}, "Accept": {"application/json"},
	}
	a := args("CreateTimeStart", "2024-01-01T00:00:00Z", "PageNum", "1", "Empty", "", "Note", "a b*c~d+e/中")
	Sort(a)
	got := signACS3("business.aliyuncs.com", Encode(a), h, Key{ID: "testid", Secret: "testsecret"})
	want := "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
		"Signature=e137df63a1b13074491889610ee95d5105ca0a7b92acdedba6653afa19d709bb"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever is asked for, the signature is the one that the vendor's own function gives.
func TestACS3SignsAsTheVendorDoes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		const letters = "abcXYZ019 -_.~*+/&=%:;\"'()[]{}!$,?@#中é\u00a0"
		all := []rune(letters)
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteRune(all[r.IntN(len(all))])
		}
		return b.String()
	}
	for range 500 {
		a := args("OrderId", word(), "PageNum", word(), "CreateTimeStart", word(), "Aa", word())[:r.IntN(5)]
		key := Key{ID: "id", Secret: word(), Provider: "static_ak"}
		if r.IntN(2) == 0 {
			key.Token = "token" + strings.TrimSpace(word()) + "."
		}
		req := ACS3(t.Context(), url.URL{Scheme: "https", Host: "h.example:8080", Path: "/"}, "2017-12-14", "GetOrderDetail", "ua", a, key)
		query, headers := map[string]*string{}, map[string]*string{"host": &req.Host}
		for k, v := range req.URL.Query() {
			query[k] = &v[0]
		}
		for name := range req.Header {
			if strings.HasPrefix(name, "X-Acs-") {
				headers[strings.ToLower(name)] = &req.Header[name][0]
			}
		}
		want := *openapiutil.GetAuthorization(
			&dara.Request{Method: dara.String("POST"), Pathname: dara.String("/"), Query: query, Headers: headers},
			dara.String(acs3), dara.String(emptySHA256), &key.ID, &key.Secret)
		if got := req.Header.Get("Authorization"); got != want {
			t.Fatalf("%s\n got %s\nwant %s", req.URL, got, want)
		}
	}
}

func BenchmarkACS3(b *testing.B) {
	key := Key{ID: "testid", Secret: "testsecret", Provider: "static_ak"}
	base := url.URL{Scheme: "https", Host: "business.aliyuncs.com", Path: "/"}
	b.ReportAllocs()
	for b.Loop() {
		ACS3(b.Context(), base, "2017-12-14", "GetOrderDetail", "ua", []Arg{{Name: "OrderId", Value: "211059788270709"}}, key)
	}
}
