package simulator

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The vector is computed from the documented rule; the path of the signature is "/" though the URL's is not.
func TestUniCloudSignature(t *testing.T) {
	at, _ := time.Parse(time.RFC3339, "2024-01-02T03:04:05Z")
	a := unicloudAccount(0, func(o *Options) { o.Now = fixedClock(at) })
	v := url.Values{
		"Action": {"OrderDetail"}, "OrderId": {"1119146845965123584"}, "AccessKeyId": {"testid"}, "Format": {"json"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"nonce-1"}, "SignatureVersion": {"1.0"},
		"Timestamp": {"2024-01-02T03:04:05Z"}, "Version": {"2020-07-30"}, "Signature": {"77swYg5t9L1gl0DUGZyqFQDF8F0="},
	}
	// The signature is good, so the refusal is about the order.
	status, m := answer(t, New(a), httptest.NewRequest("GET", "/transaction?"+v.Encode(), nil))
	if status != 400 || m["Code"] != "InvalidParameter" || !strings.Contains(fmt.Sprint(m), "OrderId") {
		t.Errorf("%d %v", status, m)
	}
	v.Set("Signature", "77swYg5t9L1gl0DUGZyqFQDF8F1=")
	if status, m := answer(t, New(a), httptest.NewRequest("GET", "/transaction?"+v.Encode(), nil)); status != 400 || m["Code"] != "InvalidCaller" {
		t.Errorf("%d %v", status, m)
	}
}

func TestUniCloudErrors(t *testing.T) {
	a := unicloudAccount(50)
	two := unicloudAccount(50, func(o *Options) { o.AccessKeyID, o.SignatureVersion = "two", "2.0" })
	denied := unicloudAccount(50, func(o *Options) { o.AccessKeyID, o.DeniedActions = "denied", []string{"OrderDetail"} })
	s := start(t, a, two, denied)
	id := a.IDs(time.Time{}, time.Time{})[0]
	stranger := unicloudAccount(0, func(o *Options) { o.AccessKeyID = "stranger" })
	forms := map[string]int{}
	for name, c := range map[string]struct {
		account *Account
		args    []string
		code    string
		message string
	}{
		"no order id":       {a, []string{"Action", "OrderDetail"}, "MissingParameter", "The specified parameter OrderId is necessary for this request."},
		"text as order id":  {a, []string{"Action", "OrderDetail", "OrderId", "P1"}, "InvalidParameter", ""},
		"unknown order":     {a, []string{"Action", "OrderDetail", "OrderId", "1119146845965123584"}, "InvalidParameter", ""},
		"no page":           {a, []string{"Action", "QueryOrders", "Size", "10"}, "MissingParameter", "The specified parameter Page is necessary for this request."},
		"no size":           {a, []string{"Action", "QueryOrders", "Page", "1"}, "MissingParameter", ""},
		"page 0":            {a, []string{"Action", "QueryOrders", "Page", "0", "Size", "10"}, "InvalidParameter", ""},
		"size 301":          {a, []string{"Action", "QueryOrders", "Page", "1", "Size", "301"}, "InvalidParameter", ""},
		"UTC in a filter":   {a, []string{"Action", "QueryOrders", "Page", "1", "Size", "10", "StartTime", "2026-03-05T00:00:00Z"}, "InvalidParameter", ""},
		"status as a word":  {a, []string{"Action", "QueryOrders", "Page", "1", "Size", "10", "OrderStatus", "PAID"}, "InvalidParameter", ""},
		"unknown key":       {stranger, []string{"Action", "OrderDetail", "OrderId", id}, "InvalidCaller", "The specified caller doesn’t exists."},
		"wrong signature":   {a, []string{"Action", "OrderDetail", "OrderId", id, "Signature", "x"}, "InvalidCaller", ""},
		"denied":            {denied, []string{"Action", "OrderDetail", "OrderId", id}, "InvalidCaller", ""},
		"no signature":      {a, []string{"Action", "OrderDetail", "OrderId", id, "Signature", ""}, "MissingParameter", ""},
		"other format":      {a, []string{"Action", "OrderDetail", "OrderId", id, "Format", "XML"}, "InvalidParameter", ""},
		"other version":     {a, []string{"Action", "OrderDetail", "OrderId", id, "Version", "2017-12-14"}, "InvalidParameter", ""},
		"unknown action":    {a, []string{"Action", "OrderList"}, "InvalidParameter", ""},
		"old":               {a, []string{"Action", "OrderDetail", "OrderId", id, "Timestamp", "2020-01-01T00:00:00Z"}, "InvalidParameter", ""},
		"compact time":      {a, []string{"Action", "OrderDetail", "OrderId", id, "Timestamp", "20260302T000000Z"}, "InvalidParameter", ""},
		"signature 3.0":     {a, []string{"Action", "OrderDetail", "OrderId", id, "SignatureVersion", "3.0"}, "InvalidCaller", ""},
		"signature not 2.0": {two, []string{"Action", "OrderDetail", "OrderId", id}, "InvalidCaller", ""},
	} {
		status, header, body, err := fetch(v1Signed(c.account, "GET", s.URL(), c.args...))
		if err != nil {
			t.Fatal(err)
		}
		m := jsonObject(t, body)
		msg, hasMsg := m["Msg"].(string)
		message, hasMessage := m["Message"].(string)
		forms[fmt.Sprint(hasMsg)]++
		if status != 400 || m["Code"] != c.code || m["RequestId"] == "" || len(m) != 3 || hasMsg == hasMessage || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s, want %s", name, status, body, c.code)
		}
		if c.message != "" && msg+message != c.message {
			t.Errorf("%s: %q, want %q", name, msg+message, c.message)
		}
	}
	if len(forms) != 2 {
		t.Errorf("the message always has the same key: %v", forms)
	}
	for _, c := range []struct {
		account *Account
		method  string
		args    []string
	}{
		{a, "GET", nil}, {a, "POST", nil}, {a, "GET", []string{"SignatureVersion", "2.0"}}, {two, "GET", []string{"SignatureVersion", "2.0"}},
		{a, "GET", []string{"Format", "-"}}, {a, "GET", []string{"Note", "a b*c~d+e/中"}},
	} {
		args := append([]string{"Action", "OrderDetail", "OrderId", id}, c.args...)
		if status, _, body, err := fetch(v1Signed(c.account, c.method, s.URL(), args...)); err != nil || status != 200 {
			t.Errorf("%s %v: %v %d %s", c.method, c.args, err, status, body)
		}
	}
	headers := signed(a, s.URL()+"/transaction", "OrderDetail", nil)
	headers.URL.Path = "/transaction"
	sign(headers, a.o.AccessKeyID, a.o.AccessKeySecret)
	if status, _, body, _ := fetch(headers); status != 400 || strings.Contains(string(body), "Order\"") {
		t.Errorf("the signature of another company: %d %s", status, body)
	}
}

// Quotas, counters and scripts of faults work as for BSS; refusals have this vendor's codes.
func TestUniCloudFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := unicloudAccount(60, func(o *Options) { o.Now, o.Quota = time.Now, Quota{List: 3, Detail: 2} })
		s := New(a)
		id := a.IDs(time.Time{}, time.Time{})[0]
		for i := range 5 {
			status, m := answer(t, s, v1Signed(a, "GET", "", "Action", "OrderDetail", "OrderId", id))
			if status != map[bool]int{true: 200, false: 400}[i < 2] || i >= 2 && m["Code"] != "Throttling.User" {
				t.Errorf("call %d: %d %v", i, status, m)
			}
		}
		if c := a.Calls()["OrderDetail"]; c.Total != 5 || c.OK != 2 || c.Throttled != 3 {
			t.Errorf("%+v", c)
		}
	})
	a := unicloudAccount(120)
	s := New(a)
	id := a.IDs(time.Time{}, time.Time{})[0]
	get := func(kind string, detail bool) (int, map[string]any, *Script) {
		t.Helper()
		script := NewScript(3, Rule{Kind: kind})
		a.SetFault(script.Fault)
		args := []string{"Action", "QueryOrders", "Page", "1", "Size", "20"}
		if detail {
			args = []string{"Action", "OrderDetail", "OrderId", id}
		}
		status, m := answer(t, s, v1Signed(a, "GET", "", args...))
		if script.Injected()[kind] == 0 {
			t.Errorf("%s did not happen", kind)
		}
		return status, m, script
	}
	for _, detail := range []bool{false, true} {
		if status, m, _ := get("internal-error", detail); status != 500 || m["Code"] != "SystemError" {
			t.Errorf("%d %v", status, m)
		}
		if status, m, _ := get("error200", detail); status != 200 || m["Code"] != "SystemError" || m["Success"] != nil {
			t.Errorf("%d %v", status, m)
		}
		if status, m, _ := get("no-permission", detail); status != 400 || m["Code"] != "InvalidCaller" {
			t.Errorf("%d %v", status, m)
		}
		if _, m, _ := get("wrong-shape", detail); m["Success"] != nil {
			t.Errorf("%v", m)
		}
	}
	if _, m, _ := get("total-zero", false); m["TotalCount"] != json.Number("0") || len(unicloudRows(m)) != 20 {
		t.Errorf("%v", m)
	}
	if _, m, _ := get("page-cap", false); len(unicloudRows(m)) >= 20 || m["PageSize"] != json.Number(strconv.Itoa(len(unicloudRows(m)))) {
		t.Errorf("%v", m)
	}
	if _, m, _ := get("empty-page", false); m["TotalCount"] != json.Number("120") || len(unicloudRows(m)) != 0 {
		t.Errorf("%v", m)
	}
	for kind, gone := range map[string]string{"no-order-id": "Id", "no-create-time": "CreateTime"} {
		if _, m, script := get(kind, false); len(script.Losses()) != 20 {
			t.Errorf("%s: %d losses", kind, len(script.Losses()))
		} else if _, ok := unicloudRows(m)[0][gone]; ok {
			t.Errorf("%s: %v", kind, unicloudRows(m)[0])
		}
	}
	if _, m, _ := get("bad-amount", false); unicloudRows(m)[0]["FinalPrice"] != "12,34.5x" {
		t.Errorf("%v", unicloudRows(m)[0])
	}
	if _, m, script := get("bad-line", true); len(script.Losses()) != 1 || script.Losses()[0].OrderID != id || m["Order"] == nil {
		t.Errorf("%v %v", script.Losses(), m)
	}
	a.SetFault(func(FaultRequest) Action { return EmptyPage() })
	if status, m := answer(t, s, v1Signed(a, "GET", "", "Action", "OrderDetail", "OrderId", id)); status != 200 || len(m["Order"].(map[string]any)["Items"].([]any)) != 0 {
		t.Errorf("%d %v", status, m)
	}
}
