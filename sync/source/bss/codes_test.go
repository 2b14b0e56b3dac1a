package bss

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// Every row of the table decides, whatever the HTTP status is.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	var status int
	var body string
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) { vendortest.Say(status, body)(w, r) })
	c := client(t, endpoint)
	for n, row := range codes {
		names := []string{row.Code}
		switch row.Match {
		case wire.Prefix:
			names = append(names, row.Code+".Something")
		case wire.Containing:
			names = append(names, "Some"+row.Code+"Thing")
		}
		for _, name := range names {
			want := row
			for _, earlier := range codes[:n] { // an exact row comes before its prefix
				if earlier.Match == wire.Exactly && earlier.Code == name {
					want = earlier
				}
			}
			for _, status = range []int{200, 400, 429, 500, max(row.Status, 200)} {
				body = fmt.Sprintf(`{"Success":false,"Code":%q,"Message":"m","RequestId":"R","HostId":"h"}`, name)
				_, err := c.List(t.Context(), testQuery)
				e := vendortest.Failed(t, Vendor, err)
				if e.Reason != want.Reason || e.Code != name || e.Fresh != want.Fresh || e.HTTPStatus != status || e.RequestID != "R" || e.Message != "m" {
					t.Errorf("%s in HTTP %d: %+v", name, status, e)
				}
				if want.Hint != "" && e.Hint == "" || strings.ContainsAny(e.Hint, "{}") {
					t.Errorf("%s: hint %q", name, e.Hint)
				}
			}
		}
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	body := ""
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) { vendortest.Say(400, body)(w, r) })
	for site, other := range map[string]string{China: International, International: China} {
		c := client(t, endpoint, func(o *Options) { o.Site = site })
		body = `{"Code":"NotApplicable"}`
		_, err := c.List(t.Context(), testQuery)
		if e := vendortest.Failed(t, Vendor, err); !strings.Contains(e.Hint, "`site: "+other+"`") {
			t.Errorf("%s: %s", site, e.Hint)
		}
		body = `{"Code":"Forbidden.RAM"}`
		_, err = c.List(t.Context(), testQuery)
		if e := vendortest.Failed(t, Vendor, err); !strings.Contains(e.Hint, "bss:DescribeOrderList") {
			t.Error(e.Hint)
		}
		_, err = c.Detail(t.Context(), "", "1")
		if e := vendortest.Failed(t, Vendor, err); !strings.Contains(e.Hint, "bss:DescribeOrderDetail") {
			t.Error(e.Hint)
		}
	}
}

// No error shows a secret, whoever put it there (I10).
func TestErrorsAreScrubbed(t *testing.T) {
	t.Parallel()
	const token = "CAISsecuritytoken0123456789"
	leak := "Specified signature is not matched with our calculation. server string to sign is: POST x-acs-accesskey-id:" + testKey +
		" x-acs-security-token:" + token + " https://user:hunter2@host/?AccessKeyId=" + testKey + "&Signature=2Vl%2FdwIb%3D&SecurityToken=" + token +
		` {"AccessKeySecret":"othersecret"} secret ` + testSecret
	for name, answer := range map[string]http.HandlerFunc{
		"message":   vendortest.Say(403, fmt.Sprintf(`{"Code":"SignatureDoesNotMatch","Message":%q,"RequestId":%q}`, leak, testKey)),
		"code":      vendortest.Say(400, fmt.Sprintf(`{"Code":%q}`, testKey)),
		"HTML":      vendortest.Say(502, strings.Repeat("x", 100)+leak),
		"non-JSON":  vendortest.Say(200, strings.Repeat("x", 110)+leak),
		"odd count": vendortest.Say(200, fmt.Sprintf(`{"Success":true,"Data":{"TotalCount":%q}}`, leak)),
		"redirect":  vendortest.Say(302, "", "Location", "https://user:hunter2@host/?AccessKeyId="+testKey+"&Signature=2Vl%2FdwIb%3D"),
	} {
		endpoint := vendortest.Serve(t, answer)
		c := client(t, endpoint, func(o *Options) { o.Credentials.SecurityToken = token })
		_, err := c.List(t.Context(), testQuery)
		text := fmt.Sprintf("%v %+v", err, *vendortest.Failed(t, Vendor, err))
		for _, secret := range []string{testKey, testKey[:8], testSecret, testSecret[:12], token, token[:8], "hunter2", "2Vl", "othersecret"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s: %s", name, secret, text)
			}
		}
	}
}
