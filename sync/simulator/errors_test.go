package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func bodyOf(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

// Every refusal, over the wire, in the vendor's form.
func TestErrors(t *testing.T) {
	a := testAccount(50, func(o *Options) { o.DeniedActions = nil })
	denied := testAccount(50, func(o *Options) {
		o.AccessKeyID, o.DeniedActions = "denied", []string{"bss:DescribeOrderList", "GetOrderDetail"}
	})
	temporary := testAccount(50, func(o *Options) { o.AccessKeyID, o.SecurityToken = "temporary", "token" })
	s := start(t, a, denied, temporary)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	args := func(kv ...string) url.Values {
		v := url.Values{}
		for i := 0; i+1 < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return v
	}
	build := func(a *Account, action string, v url.Values, change ...func(*http.Request)) func() *http.Request {
		return func() *http.Request { return signed(a, s.URL(), action, v, change...) }
	}
	after := func(f func(*http.Request)) func() *http.Request { // changed after signing
		return func() *http.Request {
			r := signed(a, s.URL(), "QueryOrders", nil)
			f(r)
			return r
		}
	}
	stranger := testAccount(0, func(o *Options) { o.AccessKeyID = "stranger" })
	thief := testAccount(0, func(o *Options) { o.AccessKeySecret = "guessed" })
	for name, c := range map[string]struct {
		request func() *http.Request
		status  int
		code    string
	}{
		"unknown key":       {build(stranger, "QueryOrders", nil), 404, "InvalidAccessKeyId.NotFound"},
		"wrong secret":      {build(thief, "QueryOrders", nil), 403, "SignatureDoesNotMatch"},
		"changed query":     {after(func(r *http.Request) { r.URL.RawQuery = "PageNum=2" }), 403, "SignatureDoesNotMatch"},
		"changed method":    {after(func(r *http.Request) { r.Method = "GET" }), 403, "SignatureDoesNotMatch"},
		"changed body":      {after(func(r *http.Request) { r.Body, r.ContentLength = bodyOf("x"), 1 }), 403, "SignatureDoesNotMatch"},
		"other algorithm":   {after(header("Authorization", "ACS3-HMAC-SM3 Credential=testid")), 400, "IncompleteSignature"},
		"no credential":     {after(header("Authorization", "ACS3-HMAC-SHA256 SignedHeaders=a")), 400, "IncompleteSignature"},
		"unsigned headers":  {after(header("Authorization", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=x")), 400, "IncompleteSignature"},
		"not signed":        {func() *http.Request { r, _ := http.NewRequest("POST", s.URL(), nil); return r }, 400, "MissingParameter"},
		"old time stamp":    {build(a, "QueryOrders", nil, header("X-Acs-Date", a.o.Now().Add(-16*time.Minute).Format(timeLayout))), 400, "InvalidTimeStamp.Expired"},
		"future time stamp": {build(a, "QueryOrders", nil, header("X-Acs-Date", a.o.Now().Add(16*time.Minute).Format(timeLayout))), 400, "InvalidTimeStamp.Expired"},
		"odd time stamp":    {build(a, "QueryOrders", nil, header("X-Acs-Date", "yesterday")), 400, "InvalidTimeStamp.Format"},
		"no nonce":          {build(a, "QueryOrders", nil, header("X-Acs-Signature-Nonce", "")), 400, "MissingParameter"},
		"no date":           {build(a, "QueryOrders", nil, header("X-Acs-Date", "")), 400, "MissingParameter"},
		"no version":        {build(a, "QueryOrders", nil, header("X-Acs-Version", "")), 400, "MissingParameter"},
		"other version":     {build(a, "QueryOrders", nil, header("X-Acs-Version", "2014-05-26")), 400, "InvalidVersion"},
		"unknown action":    {build(a, "DescribeRegions", nil), 404, "InvalidAction.NotFound"},
		"unsupported":       {build(a, "PayOrder", nil), 400, "UnsupportedOperation"},
		"other path":        {func() *http.Request { return signed(a, s.URL()+"/transaction", "QueryOrders", nil) }, 404, "InvalidAction.NotFound"},
		"denied by RAM":     {build(denied, "QueryOrders", nil), 403, "NoPermission"},
		"denied by API":     {build(denied, "GetOrderDetail", args("OrderId", "1")), 403, "NoPermission"},
		"no token":          {build(temporary, "QueryOrders", nil), 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		"no order id":       {build(a, "GetOrderDetail", nil), 400, "MissingParameter"},
		"unknown owner":     {build(a, "QueryOrders", args("OwnerId", "42")), 400, "InvalidOwner"},
		"owner of detail":   {build(a, "GetOrderDetail", args("OwnerId", "42", "OrderId", "1")), 400, "InvalidOwner"},
		"odd owner":         {build(a, "QueryOrders", args("OwnerId", "me")), 400, "InvalidParameter"},
		"page 0":            {build(a, "QueryOrders", args("PageNum", "0")), 400, "InvalidParameter"},
		"odd page":          {build(a, "QueryOrders", args("PageNum", "first")), 400, "InvalidParameter"},
		"size 0":            {build(a, "QueryOrders", args("PageSize", "0")), 400, "InvalidParameter"},
		"size 301":          {build(a, "QueryOrders", args("PageSize", "301")), 400, "InvalidParameter"},
		"odd start":         {build(a, "QueryOrders", args("CreateTimeStart", "2026-03-02 00:00:00")), 400, "InvalidParameter"},
		"odd end":           {build(a, "QueryOrders", args("CreateTimeEnd", "2026-03-02")), 400, "InvalidParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body, err := fetch(c.request())
			if err != nil {
				t.Fatal(err)
			}
			r := decode(t, status, header, body)
			if status != c.status || r.Code != c.code {
				t.Errorf("got %d %s, want %d %s", status, body, c.status, c.code)
			}
			if r.Message == "" || r.RequestId == "" || r.HostId == "" || !strings.HasPrefix(r.Recommend, "https://") || r.Success {
				t.Errorf("not the vendor's form: %s", body)
			}
		})
	}
	if n := s.Errors()["InvalidAccessKeyId.NotFound"]; n != 1 {
		t.Errorf("%d unknown keys counted, want 1", n)
	}
	if n := stranger.Calls()["QueryOrders"].Total; n != 0 {
		t.Errorf("an unknown caller was counted as %d calls", n)
	}
	if c := denied.Calls()["QueryOrders"]; c.Total != 1 || c.Failed != 1 || c.OK != 0 {
		t.Errorf("a denied call is counted as %+v", c)
	}
}

func TestNonces(t *testing.T) {
	a := testAccount(50)
	s := New(a)
	same := func(r *http.Request) { r.Header.Set("X-Acs-Signature-Nonce", "once") }
	if r := ask(t, s, signed(a, "", "QueryOrders", nil, same)); r.Code != "Success" {
		t.Fatalf("first: %s", r.raw)
	}
	if r := ask(t, s, signed(a, "", "QueryOrders", nil, same)); r.Code != "SignatureNonceUsed" || r.status != 400 {
		t.Errorf("second: %s", r.raw)
	}
	// A request that is not signed rightly must not burn a nonce.
	bad := signed(a, "", "QueryOrders", nil, func(r *http.Request) { r.Header.Set("X-Acs-Signature-Nonce", "twice") })
	bad.Header.Set("Authorization", strings.Replace(bad.Header.Get("Authorization"), "Signature=", "Signature=0", 1))
	ask(t, s, bad)
	if r := ask(t, s, signed(a, "", "QueryOrders", nil, func(r *http.Request) { r.Header.Set("X-Acs-Signature-Nonce", "twice") })); r.Code != "Success" {
		t.Errorf("after a forged request: %s", r.raw)
	}
}

func TestNoncesAreBounded(t *testing.T) {
	var n nonces
	now := day
	for i := range 3 * noncesKept {
		if !n.use("id", requestID(uint64(i)), now) {
			t.Fatalf("nonce %d is new and was refused", i)
		}
	}
	if kept := len(n.young) + len(n.older); kept > 2*noncesKept {
		t.Errorf("%d nonces kept", kept)
	}
	if n.use("id", requestID(3*noncesKept-1), now) || n.use("id", requestID(2*noncesKept), now) {
		t.Error("a recent nonce was forgotten")
	}
	n.use("id", "early", now)
	if n.use("id", "early", now.Add(2*skew)) {
		t.Error("a nonce was forgotten while its time stamp was valid")
	}
}

func TestDefaultsWithoutListener(t *testing.T) {
	a := NewAccount(Options{})
	if a.AccessKeyID() != "testid" || a.AccessKeySecret() != "testsecret" || a.Options().MaxPageSize != 300 {
		t.Errorf("defaults: %+v", a.Options())
	}
	s := New(a)
	if s.URL() != "" || s.Close() != nil {
		t.Error("a server that never listened has no URL and closes quietly")
	}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("a closed server answers")
		}
	}()
	s.ServeHTTP(httptest.NewRecorder(), signed(a, "", "QueryOrders", nil))
}
