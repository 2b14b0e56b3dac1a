package domain

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "LTAItestkeyid0001"
	testSecret = "testsecret-0123456789"
	testToken  = "CAIStoken+/=with signs"
)

func client(t testing.TB, endpoint string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Options: source.Options{Account: "main", Endpoint: endpoint}, Credentials: keys.Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret}}
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

// JSON and XML over the wire make the same rows, and what was asked is signed as it arrived.
func TestDetailAsksAndReads(t *testing.T) {
	t.Parallel()
	var details []source.Detail
	for _, format := range []string{JSON, XML} {
		for _, token := range []string{"", testToken} {
			endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				var args []wire.Arg
				for k := range q {
					if k != "Signature" {
						args = append(args, wire.Arg{Name: k, Value: q.Get(k)})
					}
				}
				if q.Get("Signature") != wire.SignV1("POST", args, testSecret) || r.Method != http.MethodPost || r.URL.Path != "/" || q.Get("Action") != "QueryOrder" ||
					q.Get("OrderID") != testOrder || q.Get("Version") != "2016-05-11" || q.Get("Format") != format || q.Get("SignatureVersion") != "1.0" ||
					q.Get("SignatureMethod") != "HMAC-SHA1" || q.Get("SecurityToken") != token || q.Get("AccessKeyId") != testKey {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				vendortest.Say(200, vendortest.Fixture(t, "query-order-sample."+strings.ToLower(format)))(w, r)
			})
			c := client(t, endpoint, func(o *Options) {
				o.Format, o.Credentials.SecurityToken = format, token
				o.NextVersion = func() uint64 { return 42 }
			})
			d, err := c.Detail(t.Context(), "", testOrder)
			if err != nil || len(d.Items) != 1 || len(d.Rejects) != 0 || d.Order == nil || d.Order.Version != 42 || d.Items[0].Version != 42 || d.Order.FetchedAt.IsZero() {
				t.Fatalf("%+v, %v", d, err)
			}
			details = append(details, d)
		}
	}
	for _, d := range details[1:] {
		if diff := cmp.Diff(details[0], d, equalMoney, cmpopts.IgnoreFields(source.Detail{}, "Raw"),
			cmpopts.IgnoreFields(schema.Order{}, "RawDetail", "FetchedAt"), cmpopts.IgnoreFields(schema.Item{}, "Raw", "FetchedAt")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCallsThatAreNotMade(t *testing.T) {
	t.Parallel()
	c := client(t, vendortest.Serve(t, func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	_, err := c.List(t.Context(), source.Query{Page: 1})
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.BadRequest || !strings.Contains(e.Hint, "ordersync track --account main") {
		t.Error(err)
	}
	for _, id := range [][2]string{{"", ""}, {"1", testOrder}} {
		if _, err := c.Detail(t.Context(), id[0], id[1]); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest {
			t.Error(err)
		}
	}
	if source.CanList(c) || source.CanFilterStatus(c) {
		t.Error("abilities")
	}
	login := keys.Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret}
	named := source.Options{Account: "a"}
	for want, o := range map[string]Options{
		"account":            {Credentials: login},
		"access_key_secret":  {Options: named, Credentials: keys.Credentials{AccessKeyID: testKey}},
		"write https://host": {Options: source.Options{Account: "a", Endpoint: "h"}, Credentials: login},
		"format":             {Options: named, Credentials: login, Format: "YAML"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: %v", want, err)
		}
	}
	o := Options{Options: source.Options{Account: "main"}, Credentials: login}
	vendortest.Unprinted(t, []any{o, &o, c}, testKey, testSecret)
	if s := client(t, "").String(); s != "domain main at domain.aliyuncs.com" {
		t.Error(s)
	}
}

// Every row of the table decides, in JSON and in XML, whatever the HTTP status is.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	var status int
	var body string
	c := client(t, vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) { vendortest.Say(status, body)(w, r) }))
	for n, row := range codes {
		want := row
		for _, earlier := range codes[:n] {
			if earlier.Match == wire.Exactly && earlier.Code == row.Code {
				want = earlier
			}
		}
		for _, status = range []int{200, 400, 500, max(row.Status, 200)} {
			for _, form := range []string{
				`{"RequestId":"R","HostId":"h","Code":%q,"Message":"m"}`, `<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R</RequestId><HostId>h</HostId><Code>%s</Code><Message>m</Message></Error>`,
			} {
				body = fmt.Sprintf(form, row.Code)
				_, err := c.Detail(t.Context(), "", testOrder)
				e := vendortest.Failed(t, Vendor, err)
				if e.Reason != want.Reason || e.Code != row.Code || e.Fresh != want.Fresh || e.HTTPStatus != status || e.RequestID != "R" || e.Message != "m" ||
					strings.ContainsAny(e.Hint, "{}") || want.Hint != "" && e.Hint == "" {
					t.Errorf("%s in HTTP %d: %+v", row.Code, status, e)
				}
			}
		}
	}
	// One code alone says that the order is unknown.
	for code, want := range map[string]source.Reason{
		"OrderInformationInvalid": source.NotFound, "InvalidAction.NotFound": source.BadRequest, "InvalidApi.NotFound": source.BadRequest,
		"InvalidProduct.NotFound": source.BadRequest, "Odd.NotFound": source.BadRequest, "": source.BadRequest,
	} {
		status, body = 404, `{"Code":"`+code+`","Message":"m"}`
		if _, err := c.Detail(t.Context(), "", testOrder); vendortest.Failed(t, Vendor, err).Reason != want {
			t.Error(err)
		}
	}
	for _, body = range []string{
		`{"code":"NoPermission","message":"m","accessDeniedDetail":{"AuthAction":"domain:QueryOrder"}}`,
		`<Error><Code>NoPermission</Code><Message>m</Message><AccessDeniedDetail><AuthAction>domain:QueryOrder</AuthAction></AccessDeniedDetail></Error>`,
	} {
		status = 403
		if _, err := c.Detail(t.Context(), "", testOrder); vendortest.Failed(t, Vendor, err).Reason != source.Auth || !strings.Contains(err.Error(), "domain:QueryOrder") {
			t.Error(err)
		}
	}
}

func TestAnswersThatFail(t *testing.T) {
	t.Parallel()
	leak := "https://user:hunter2@host/?AccessKeyId=" + testKey + "&Signature=2Vl%2FdwIb%3D&SecurityToken=" + testToken + " " + testSecret
	vendortest.Failures(t, Vendor, map[string]vendortest.Failure{
		"HTML 502":    vendortest.Fails(vendortest.Say(502, "<html>Bad Gateway</html>"), source.Unavailable, 502, "not the vendor's"),
		"XHTML 200":   vendortest.Fails(vendortest.Say(200, "<html><body></body></html>"), source.Malformed, 200, "the root is html"),
		"empty":       vendortest.Fails(vendortest.Say(200, ""), source.Malformed, 200, "empty"),
		"no order":    vendortest.Fails(vendortest.Say(200, `{"RequestId":"R"}`), source.Malformed, 200, "no OrderID"),
		"other order": vendortest.Fails(vendortest.Say(200, `{"OrderID":"D9"}`), source.Malformed, 200, "D9"),
		"half XML":    vendortest.Fails(vendortest.Say(200, vendortest.Fixture(t, "query-order-sample.xml")[:300]), source.Malformed, 200, "not JSON, nor XML"),
		"429":         vendortest.Fails(vendortest.Say(429, "", "Retry-After", "7"), source.Throttled, 429, ""),
		"403":         vendortest.Fails(vendortest.Say(403, `{}`), source.Auth, 403, "Domain API"),
		"hang up":     vendortest.Fails(vendortest.HangUp, source.Unavailable, 0, "EOF"),
		"reset":       vendortest.Fails(vendortest.Reset, source.Unavailable, 0, "reset"),
		"hang":        vendortest.Fails(vendortest.Hang, source.Timeout, 0, "300ms"),
		"leak":        vendortest.Fails(vendortest.Say(403, fmt.Sprintf(`{"Code":"SignatureDoesNotMatch","Message":%q,"RequestId":%q}`, leak, testKey)), source.Auth, 403, "***"),
		"HTML leak":   vendortest.Fails(vendortest.Say(500, leak), source.Unavailable, 500, "***"),
		"XML leak":    vendortest.Fails(vendortest.Say(200, "<QueryOrder><OrderID>"+strings.ReplaceAll(leak, "&", "&amp;")+"</OrderID></QueryOrder>"), source.Malformed, 200, "***"),
	}, []string{testKey, testSecret, testToken, "hunter2", "2Vl"}, func(ctx context.Context, t *testing.T, o source.Options) error {
		_, err := client(t, "", func(all *Options) {
			all.Options = o
			all.Credentials.SecurityToken = testToken
		}).Detail(ctx, "", testOrder)
		return err
	})
}
