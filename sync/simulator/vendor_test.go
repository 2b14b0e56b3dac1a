package simulator

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// v1Signed builds a request of the older protocol and signs it, on its own and not with the code under test. args are
// name, value, name, value…; they come over the common parameters, and the value "-" takes a parameter away.
func v1Signed(a *Account, method, base string, args ...string) *http.Request {
	v := url.Values{
		"AccessKeyId": {a.o.AccessKeyID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "Format": {"json"},
		"SignatureNonce": {fmt.Sprint("v1-", nonceCount.Add(1))}, "Timestamp": {stamp(a.o.Now().UTC())},
		"Version": {map[*vendor]string{bss: version2017, unicloud: versionUniCloud, domain: versionDomain}[a.vendor]},
	}
	secret := a.o.AccessKeySecret
	for i := 0; i+1 < len(args); i += 2 {
		v.Set(args[i], args[i+1])
		if args[i+1] == "-" {
			v.Del(args[i])
		}
	}
	escape := func(s string) string {
		return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
	}
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = escape(k) + "=" + escape(v.Get(k))
	}
	h := hmac.New(sha1.New, []byte(secret+"&"))
	h.Write([]byte(method + "&%2F&" + escape(strings.Join(keys, "&"))))
	if !v.Has("Signature") {
		v.Set("Signature", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	target := base + a.vendor.path + "?" + v.Encode()
	if base == "" {
		return httptest.NewRequest(method, target, nil)
	}
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		panic(err)
	}
	return r
}

// answer puts a request to the handler and returns the status and the body as JSON, numbers as they are written.
func answer(t testing.TB, s http.Handler, r *http.Request) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, jsonObject(t, w.Body.Bytes())
}

func jsonObject(t testing.TB, body []byte) (m map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("the body is not a JSON object: %v\n%s", err, body)
	}
	return m
}

// shape says of what keys and JSON types a value is made; the entries of an array share one shape.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, inner := range v {
			m[k] = shape(inner)
		}
		return m
	case []any:
		if len(v) == 0 {
			return "empty array"
		}
		return []any{shape(v[0])}
	case nil:
		return "null"
	case json.Number:
		return "number"
	}
	return fmt.Sprintf("%T", v)
}

func sample(t testing.TB, name string) map[string]any {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return jsonObject(t, body)
}

// An answer has the keys and types of the documented sample, where the order's wire form is the documented one.
func TestBSSSample(t *testing.T) {
	a := testAccount(2000)
	want := shape(sample(t, "bss-query-orders.json"))
	seen := 0
	for page := 1; page <= 100; page++ {
		_, got := answer(t, New(a), signed(a, "", "QueryOrders", url.Values{
			"CreateTimeStart": {stamp(day)}, "CreateTimeEnd": {stamp(a.o.To)}, "PageNum": {fmt.Sprint(page)}, "PageSize": {"1"},
		}))
		if cmp.Equal(shape(got), want) {
			seen++
		}
	}
	if seen == 0 {
		t.Error("no row of a hundred has the documented shape")
	}
}

// One server has accounts of all vendors; a key works at its own vendor alone, and the others refuse it in their forms.
func TestVendorsSideBySide(t *testing.T) {
	accounts := map[string]*Account{}
	var all []*Account
	for _, v := range []string{VendorBSS, VendorUniCloud, VendorDomain} {
		accounts[v] = testAccount(50, func(o *Options) { o.Vendor, o.AccessKeyID = v, v })
		all = append(all, accounts[v])
	}
	s := start(t, all...)
	call := func(key *Account, at string, args ...string) (int, string) {
		t.Helper()
		posing := *key.vendor
		posing.path = accounts[at].vendor.path
		r := v1Signed(&Account{o: key.o, vendor: &posing}, "GET", s.URL(), args...)
		status, _, body, err := fetch(r)
		if err != nil {
			t.Fatal(err)
		}
		code, _ := jsonObject(t, body)["Code"].(string)
		return status, code
	}
	ask := map[string][]string{
		VendorBSS:      {"Action", "QueryOrders", "Version", version2017},
		VendorUniCloud: {"Action", "QueryOrders", "Version", versionUniCloud, "Page", "1", "Size", "5"},
		VendorDomain:   {"Action", "QueryOrder", "Version", versionDomain, "OrderID", accounts[VendorDomain].IDs(day, accounts[VendorDomain].o.To)[0]},
	}
	for key, account := range accounts {
		for at, args := range ask {
			status, code := call(account, at, args...)
			want, wantCode := 200, map[string]string{VendorBSS: "Success"}[at]
			if key != at {
				want, wantCode = 404, "InvalidAccessKeyId.NotFound"
				if at == VendorUniCloud {
					want, wantCode = 400, "InvalidCaller"
				}
			}
			if status != want || code != wantCode {
				t.Errorf("the key of %s at %s: %d %q, want %d %q", key, at, status, code, want, wantCode)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an account of a vendor that nobody knows")
		}
	}()
	NewAccount(Options{Vendor: "aws"})
}
