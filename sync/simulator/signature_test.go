package simulator

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

const note = "a b*c~d+e/中"

// The vectors were computed with the vendor's own SDK.

func TestSignatureACS3Vector(t *testing.T) {
	q := url.Values{"CreateTimeStart": {"2024-01-01T00:00:00Z"}, "PageNum": {"1"}, "Empty": {""}, "Note": {note}}
	r := httptest.NewRequest("POST", "http://business.aliyuncs.com/?"+q.Encode(), nil)
	for k, v := range map[string]string{
		"X-Acs-Action": "QueryOrders", "X-Acs-Version": "2017-12-14", "X-Acs-Date": "2024-01-02T03:04:05Z",
		"X-Acs-Signature-Nonce": "nonce-1",
		"X-Acs-Content-Sha256":  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"Authorization": "ACS3-HMAC-SHA256 Credential=testid," +
			"SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
			"Signature=e137df63a1b13074491889610ee95d5105ca0a7b92acdedba6653afa19d709bb",
	} {
		r.Header.Set(k, v)
	}
	c, refusal := readClaim(r, r.URL.Query(), r.URL.Query(), nil)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if !c.verify("testsecret") {
		t.Errorf("the vendor's signature is refused; signed text:\n%s", c.toSign)
	}
	if c.verify("testsecre") || c.verify("") {
		t.Error("a wrong secret is accepted")
	}
	for _, h := range []string{"X-Acs-Action", "X-Acs-Version", "X-Acs-Date", "X-Acs-Signature-Nonce"} {
		changed := r.Clone(t.Context())
		changed.Header.Set(h, "2024-01-02T03:04:06Z")
		if c, refusal := readClaim(changed, r.URL.Query(), r.URL.Query(), nil); refusal != nil || c.verify("testsecret") {
			t.Errorf("%s can be changed without notice", h)
		}
	}
}

func v1Args() url.Values {
	return url.Values{
		"AccessKeyId": {"testid"}, "Action": {"QueryOrders"}, "CreateTimeEnd": {"2024-01-02T00:00:00Z"},
		"CreateTimeStart": {"2024-01-01T00:00:00Z"}, "Format": {"json"}, "PageNum": {"1"}, "PageSize": {"20"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"nonce-1"}, "SignatureVersion": {"1.0"},
		"Timestamp": {"2024-01-02T03:04:05Z"}, "Version": {"2017-12-14"}, "Note": {note},
	}
}

func TestSignatureV1Vector(t *testing.T) {
	for method, signature := range map[string]string{
		"POST": "BeK5cTUv0fnVp4TVgXE344PS+aU=", "GET": "4Z/Q0olVtVy7ZyYqnUjv6coEN9I=",
	} {
		args := v1Args()
		args.Set("Signature", signature)
		r := httptest.NewRequest(method, "/?"+args.Encode(), nil)
		c, refusal := readClaim(r, r.URL.Query(), r.URL.Query(), nil)
		if refusal != nil {
			t.Fatal(refusal)
		}
		if !c.verify("testsecret") || c.verify("other") {
			t.Errorf("%s: verification is wrong; signed text:\n%s", method, c.toSign)
		}
	}
}

func TestV1OverTheWire(t *testing.T) {
	a := testAccount(50, func(o *Options) {
		c, _ := readV1("POST", url.Values{ // the vector's own time
			"Signature": {"x"}, "SignatureNonce": {"x"}, "Timestamp": {"2024-01-02T03:04:05Z"}, "SignatureMethod": {v1}, "SignatureVersion": {"1.0"},
		})
		o.Now = fixedClock(c.at)
	})
	s := New(a)
	args := v1Args()
	args.Set("Signature", "BeK5cTUv0fnVp4TVgXE344PS+aU=")
	if r := ask(t, s, httptest.NewRequest("POST", "/?"+args.Encode(), nil)); r.Code != "Success" {
		t.Errorf("POST: %s", r.raw)
	}
	args.Set("Signature", "4Z/Q0olVtVy7ZyYqnUjv6coEN9I=")
	if r := ask(t, s, httptest.NewRequest("GET", "/?"+args.Encode(), nil)); r.Code != "SignatureNonceUsed" {
		t.Errorf("the same nonce again: %s", r.raw)
	}
	for name, code := range map[string]string{
		"Format": "InvalidParameter", "Timestamp": "MissingParameter", "Signature": "MissingParameter",
		"AccessKeyId": "MissingParameter", "Action": "MissingParameter", "Version": "MissingParameter",
	} {
		less := v1Args()
		less.Set("Signature", "x")
		less.Del(name)
		if r := ask(t, s, httptest.NewRequest("GET", "/?"+less.Encode(), nil)); r.Code != code || r.status != 400 {
			t.Errorf("without %s: %s", name, r.raw)
		}
	}
}

func TestFormBody(t *testing.T) {
	a := testAccount(50)
	s := New(a)
	id := a.IDs(day, day.AddDate(0, 1, 0))[0]
	body := "OrderId=" + id
	r := httptest.NewRequest("POST", "/", http.NoBody)
	full := signed(a, "", "GetOrderDetail", nil, func(r *http.Request) {
		r.Header.Set("X-Acs-Content-Sha256", sha256Hex(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	})
	r.Header, r.Body = full.Header, bodyOf(body)
	if got := ask(t, s, r); len(got.rows()) == 0 {
		t.Errorf("a form is not read: %s", got.raw)
	}
}
