package bss

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "LTAItestkeyid0001"
	testSecret = "testsecret-0123456789"
	emptyPage  = `{"Code":"Success","Success":true,"RequestId":"R-1","Data":{"TotalCount":0}}`
)

var testQuery = source.Query{Start: vendortest.UTC("2024-01-01T00:00:00Z"), End: vendortest.UTC("2024-01-02T00:00:00Z"), Page: 1, Size: 20}

// client makes a client for an endpoint; it closes its connections with the test.
func client(t testing.TB, endpoint string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Options: source.Options{Account: "main", Endpoint: endpoint}, Credentials: Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret}}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestListAsksAndReads(t *testing.T) {
	t.Parallel()
	var got url.Values
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Query()
		if r.Header.Get("X-Acs-Action") != "QueryOrders" || r.Header.Get("X-Acs-Version") != "2017-12-14" || r.URL.Path != "/" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		_, _ = w.Write([]byte(benchPage(3)))
	})
	var versions atomic.Uint64
	c := client(t, endpoint, func(o *Options) { o.NextVersion = func() uint64 { return versions.Add(1) + 41 } })
	q := testQuery
	q.OwnerID, q.PaymentStatus, q.Page, q.Size, q.End = "1234567890123456", "Unpaid", 7, 3, vendortest.UTC("2024-01-01T01:00:00.5Z")
	q.Filters = schema.Filters{ProductCode: "rds", ProductType: "rds_x", SubscriptionType: "PayAsYouGo", OrderType: "Renew"}
	p, err := c.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"ProductCode": {"rds"}, "ProductType": {"rds_x"}, "SubscriptionType": {"PayAsYouGo"}, "OrderType": {"Renew"},
		"OwnerId": {"1234567890123456"}, "PaymentStatus": {"Unpaid"}, "PageNum": {"7"}, "PageSize": {"3"},
		"CreateTimeStart": {"2024-01-01T00:00:00Z"}, "CreateTimeEnd": {"2024-01-01T01:00:01Z"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if p.Total != 1234 || len(p.Orders) != 3 {
		t.Fatalf("%+v", p)
	}
	for _, o := range p.Orders {
		if o.OwnerID != q.OwnerID || o.Account != "main" || o.Source != "bss" || o.Version != 42 || time.Since(o.FetchedAt) > time.Minute ||
			o.FetchedAt.Location() != time.UTC || o.DetailStatus != "" {
			t.Errorf("%+v", o)
		}
	}
	// Filters that are not set are not sent: an empty one would be sent as `PaymentStatus=`.
	if _, err := c.List(t.Context(), source.Query{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(url.Values{"PageNum": {"1"}, "PageSize": {"20"}}, got); d != "" {
		t.Error(d)
	}
}

func TestDetailAsksAndReads(t *testing.T) {
	t.Parallel()
	body := benchDetail(2)
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Acs-Action") != "GetOrderDetail" || r.URL.RawQuery != "OrderId=211059788270709&OwnerId=17" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		_, _ = w.Write([]byte(body))
	})
	c := client(t, endpoint)
	d, err := c.Detail(t.Context(), "17", "211059788270709")
	if err != nil || len(d.Items) != 2 || len(d.Rejects) != 0 || d.PaymentStatus != "Paid" || d.Items[0].OwnerID != "17" {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, none := range []string{
		`{"Success":true,"Data":{}}`, `{"Success":true,"Data":{"OrderList":null}}`, `{"Success":true,"Data":{"OrderList":{"Order":[]}}}`,
	} {
		body = none
		_, err = c.Detail(t.Context(), "17", "211059788270709")
		if e := vendortest.Failed(t, Vendor, err); e.Reason != source.NotFound || e.Reason.Retryable() || !strings.Contains(e.Error(), "211059788270709") {
			t.Error(err)
		}
	}
	for _, less := range []string{ // than it says: lines that would look deleted, or an order that would
		`{"Success":true}`, strings.Replace(benchDetail(2), `"Data":{`, `"Data":{"TotalCount":3,`, 1), `{"Success":true,"Data":{"TotalCount":"1","OrderList":{}}}`,
	} {
		body = less
		_, err = c.Detail(t.Context(), "17", "211059788270709")
		if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Malformed {
			t.Error(err)
		}
	}
}

func TestCallsThatAreNotMade(t *testing.T) {
	t.Parallel()
	endpoint := vendortest.Serve(t, func(http.ResponseWriter, *http.Request) { t.Error("called") })
	c := client(t, endpoint)
	for _, owner := range []string{"x", "-1", "+1", "1&Action=CancelOrder", "9999999999999999999"} {
		_, err := c.List(t.Context(), source.Query{OwnerID: owner})
		if e := vendortest.Failed(t, Vendor, err); e.Reason != source.BadRequest {
			t.Error(err)
		}
	}
	if _, err := c.Detail(t.Context(), "", ""); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the daemon stops")
	cancel(why)
	_, err := c.List(ctx, testQuery)
	if vendortest.Failed(t, Vendor, err).Reason != source.Cancelled || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	login := Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret}
	named := source.Options{Account: "a"}
	for want, o := range map[string]Options{
		"account":              {Credentials: login},
		"site":                 {Options: named, Site: "mars", Credentials: login},
		"api_version":          {Options: named, APIVersion: "2020-01-01", Credentials: login},
		"write https://host":   {Options: source.Options{Account: "a", Endpoint: "business.aliyuncs.com"}, Credentials: login},
		"only a scheme":        {Options: source.Options{Account: "a", Endpoint: "https://h/path"}, Credentials: login},
		"not a URL":            {Options: source.Options{Account: "a", Endpoint: "http://user:hidden@h:port"}, Credentials: login},
		"access_key_secret":    {Options: named, Credentials: Credentials{AccessKeyID: testKey}},
		"security_token":       {Options: named, Credentials: Credentials{Type: keys.STS, AccessKeyID: testKey, AccessKeySecret: testSecret}},
		"role_arn":             {Options: named, Credentials: Credentials{Type: keys.RAMRoleARN, AccessKeyID: testKey, AccessKeySecret: testSecret}},
		"oidc_token_file":      {Options: named, Credentials: Credentials{OIDCProviderARN: "x", RoleARN: "y"}},
		"uri":                  {Options: named, Credentials: Credentials{Type: keys.CredentialsURI}},
		"none of access_key":   {Options: named, Credentials: Credentials{Type: "magic"}},
		"role_session_expirat": {Options: named, Credentials: Credentials{RoleARN: "r", AccessKeyID: "k", AccessKeySecret: "s", RoleSessionExpiration: 1}},
	} {
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestSites(t *testing.T) {
	t.Parallel()
	for site, host := range map[string]string{
		"": "business.aliyuncs.com", China: "business.aliyuncs.com", International: "business.ap-southeast-1.aliyuncs.com",
	} {
		c := client(t, "", func(o *Options) { o.Site = site })
		if c.String() != "bss main at "+host {
			t.Errorf("%q: %s", site, c)
		}
	}
}

// Nothing that holds credentials shows them, however it is printed (I10).
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	o := Options{Options: source.Options{Account: "main", Endpoint: "http://127.0.0.1:1"}, Credentials: Credentials{
		AccessKeyID: testKey, AccessKeySecret: testSecret, SecurityToken: "token-0123456789",
	}}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	vendortest.Unprinted(t, []any{o, &o, o.Credentials, &o.Credentials, c, struct{ C *Client }{c}}, testKey, testSecret, o.Credentials.SecurityToken)
	if b, err := o.Credentials.MarshalText(); err != nil || strings.Contains(string(b), "test") {
		t.Errorf("%s, %v", b, err)
	}
	if s := o.Credentials.LogValue().String(); strings.Contains(s, "test") {
		t.Error(s)
	}
}

func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("", 8*3600)
	start, end := wholeSeconds(vendortest.UTC("2024-01-01T00:00:00.9Z").In(east), vendortest.UTC("2024-01-01T01:00:00.000000001Z").In(east))
	if start != "2024-01-01T00:00:00Z" || end != "2024-01-01T01:00:01Z" {
		t.Errorf("%s, %s", start, end)
	}
	if _, end := wholeSeconds(time.Time{}, vendortest.UTC("2024-01-01T01:00:00Z")); end != "2024-01-01T01:00:00Z" {
		t.Error(end)
	}
}
