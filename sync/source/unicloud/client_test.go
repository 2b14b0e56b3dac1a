package unicloud

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "UNIStestkeyid0001"
	testSecret = "testsecret-0123456789"
	emptyPage  = `{"TotalCount":0,"PageNum":1,"PageSize":10,"OrderList":{"Order":[]}}`
)

var testQuery = source.Query{Start: vendortest.UTC("2024-01-01T00:00:00Z"), End: vendortest.UTC("2024-01-02T00:00:00Z"), Page: 1, Size: 20}

func client(t testing.TB, endpoint string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Options: source.Options{Account: "main", Endpoint: endpoint}, AccessKeyID: testKey, AccessKeySecret: testSecret}
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

// asked returns the arguments of a request without those of the signature, which it checks.
func asked(t *testing.T, r *http.Request, signatureVersion string) url.Values {
	t.Helper()
	q := r.URL.Query()
	var args []wire.Arg
	for k := range q {
		if k != "Signature" {
			args = append(args, wire.Arg{Name: k, Value: q.Get(k)})
		}
	}
	if q.Get("Signature") != wire.SignV1("GET", args, testSecret) || r.Method != http.MethodGet || r.URL.Path != "/transaction" ||
		q.Get("AccessKeyId") != testKey || q.Get("Version") != "2020-07-30" || q.Get("Format") != "json" || q.Get("SignatureVersion") != signatureVersion {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	for _, k := range []string{"Signature", "AccessKeyId", "Version", "Format", "SignatureVersion", "SignatureMethod", "SignatureNonce", "Timestamp"} {
		q.Del(k)
	}
	return q
}

func TestListAsksAndReads(t *testing.T) {
	t.Parallel()
	var got url.Values
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = asked(t, r, "2.0")
		vendortest.Say(200, `{"TotalCount":9,"OrderList":{"Order":[`+fullRow+`]}}`)(w, r)
	})
	c := client(t, endpoint, func(o *Options) { o.SignatureVersion = "2.0"; o.NextVersion = func() uint64 { return 42 } })
	q := testQuery
	q.Page, q.Size, q.End = 7, 3, vendortest.UTC("2024-01-01T01:00:00.5Z")
	p, err := c.List(t.Context(), q)
	if err != nil || p.Total != 9 || len(p.Orders) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	want := url.Values{
		"Action": {"QueryOrders"}, "Page": {"7"}, "Size": {"3"}, "StartTime": {"2024-01-01 08:00:00"}, "EndTime": {"2024-01-01 09:00:01"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if o := p.Orders[0]; o.Version != 42 || o.Stream != testStream || time.Since(o.FetchedAt) > time.Minute || o.FetchedAt.Location() != time.UTC || o.DetailStatus != "" {
		t.Errorf("%+v", o)
	}
	if _, err := c.List(t.Context(), source.Query{}); err != nil || !cmp.Equal(got, url.Values{"Action": {"QueryOrders"}, "Page": {"1"}, "Size": {"20"}}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDetailAsksAndReads(t *testing.T) {
	t.Parallel()
	body := vendortest.Fixture(t, "order-detail-sample.json")
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := asked(t, r, "1.0"); !cmp.Equal(got, url.Values{"Action": {"OrderDetail"}, "OrderId": {"1144119593783001088"}}) {
			t.Errorf("%v", got)
		}
		vendortest.Say(200, body)(w, r)
	})
	c := client(t, endpoint)
	d, err := c.Detail(t.Context(), "", "1144119593783001088")
	if err != nil || len(d.Items) != 1 || d.Order == nil || d.Order.Version == 0 || d.Order.Version != d.Items[0].Version || d.Order.FetchedAt.IsZero() {
		t.Fatalf("%+v, %v", d, err)
	}
	body = `{"Order":null}`
	_, err = c.Detail(t.Context(), "", "1144119593783001088")
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.NotFound || !strings.Contains(e.Error(), "1144119593783001088") {
		t.Error(err)
	}
	body = strings.ReplaceAll(vendortest.Fixture(t, "order-detail-sample.json"), "1144119593783001088", "1144119593783001089")
	_, err = c.Detail(t.Context(), "", "1144119593783001088")
	if e := vendortest.Failed(t, Vendor, err); e.Reason != source.Malformed || !strings.Contains(e.Error(), "1144119593783001089") {
		t.Error(err) // a float64 would not tell the two apart
	}
}

func TestCallsThatAreNotMade(t *testing.T) {
	t.Parallel()
	c := client(t, vendortest.Serve(t, func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	for _, q := range []source.Query{{OwnerID: "1"}, {PaymentStatus: "Unpaid"}, {Filters: schema.Filters{OrderType: "New"}}} {
		if _, err := c.List(t.Context(), q); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest {
			t.Error(err)
		}
	}
	for _, id := range [][2]string{{"", ""}, {"1", "1"}} {
		if _, err := c.Detail(t.Context(), id[0], id[1]); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest {
			t.Error(err)
		}
	}
	if source.CanFilterStatus(c) || !source.CanList(c) {
		t.Error("abilities")
	}
	named := source.Options{Account: "a"}
	for want, o := range map[string]Options{
		"account":            {AccessKeyID: testKey, AccessKeySecret: testSecret},
		"access_key_id":      {Options: named, AccessKeySecret: testSecret},
		"access_key_secret":  {Options: named, AccessKeyID: testKey},
		"write https://host": {Options: source.Options{Account: "a", Endpoint: "h"}, AccessKeyID: testKey, AccessKeySecret: testSecret},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: %v", want, err)
		}
	}
	o := Options{Options: source.Options{Account: "main"}, AccessKeyID: testKey, AccessKeySecret: testSecret}
	vendortest.Unprinted(t, []any{o, &o, c}, testKey, testSecret)
}

// Every row of the table decides, whatever the HTTP status is, and however the message is called.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	var status int
	var body string
	c := client(t, vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) { vendortest.Say(status, body)(w, r) }))
	for _, row := range codes {
		for _, status = range []int{200, 400, 500} {
			for _, key := range []string{"Msg", "Message"} {
				body = fmt.Sprintf(`{"Code":%q,%q:"m","RequestId":"R"}`, row.Code, key)
				_, err := c.Detail(t.Context(), "", "1")
				if e := vendortest.Failed(t, Vendor, err); e.Reason != row.Reason || e.Code != row.Code || e.Fresh != row.Fresh || e.HTTPStatus != status || e.RequestID != "R" || e.Message != "m" ||
					strings.ContainsAny(e.Hint, "{}") || row.Hint != "" && e.Hint == "" {
					t.Errorf("%s in HTTP %d: %+v", row.Code, status, e)
				}
			}
		}
	}
	for code, want := range map[string]source.Reason{ // as documented, and with endings
		"MissingParameter": source.BadRequest, "InvalidCaller": source.Auth, "SystemError": source.Unavailable, "SystemErro": source.Unavailable,
		"InvalidParameter.OrderId": source.BadRequest, "SignatureDoesNotMatch": source.Auth, "InvalidNonce": source.Unavailable, "Throttling.User": source.Throttled,
		"Novel": source.BadRequest, "Novel.NotFound": source.BadRequest,
	} {
		for _, status = range []int{400, 404} {
			for _, key := range []string{"Code", "code", "CODE"} {
				body = fmt.Sprintf(`{%q:%q}`, key, code)
				if _, err := c.List(t.Context(), testQuery); vendortest.Failed(t, Vendor, err).Reason != want {
					t.Error(err)
				}
			}
		}
	}
}

func TestAnswersThatFail(t *testing.T) {
	t.Parallel()
	leak := "https://user:hunter2@host/?AccessKeyId=" + testKey + "&Signature=2Vl%2FdwIb%3D " + testSecret
	vendortest.Failures(t, Vendor, map[string]vendortest.Failure{
		"HTML 502":   vendortest.Fails(vendortest.Say(502, "<html>Bad Gateway</html>"), source.Unavailable, 502, "Bad Gateway"),
		"HTML 404":   vendortest.Fails(vendortest.Say(404, "<html>"), source.BadRequest, 404, "check endpoint"),
		"HTML 200":   vendortest.Fails(vendortest.Say(200, "<html>"), source.Malformed, 200, "not JSON"),
		"empty":      vendortest.Fails(vendortest.Say(200, ""), source.Malformed, 200, "empty"),
		"empty 500":  vendortest.Fails(vendortest.Say(500, ""), source.Unavailable, 500, ""),
		"half JSON":  vendortest.Fails(vendortest.Say(200, emptyPage[:40]), source.Malformed, 200, "not JSON"),
		"429":        vendortest.Fails(vendortest.Say(429, "", "Retry-After", "7"), source.Throttled, 429, ""),
		"401":        vendortest.Fails(vendortest.Say(401, `{}`), source.Auth, 401, "signature_version"),
		"redirect":   vendortest.Fails(vendortest.Say(302, "", "Location", "http://h/login"), source.Unavailable, 302, "redirects are not followed"),
		"hang up":    vendortest.Fails(vendortest.HangUp, source.Unavailable, 0, "EOF"),
		"reset":      vendortest.Fails(vendortest.Reset, source.Unavailable, 0, "reset"),
		"hang":       vendortest.Fails(vendortest.Hang, source.Timeout, 0, "300ms"),
		"leak":       vendortest.Fails(vendortest.Say(400, fmt.Sprintf(`{"Code":"InvalidCaller","Msg":%q,"RequestId":%q}`, leak, testKey)), source.Auth, 400, "***"),
		"HTML leak":  vendortest.Fails(vendortest.Say(500, leak), source.Unavailable, 500, "***"),
		"shape leak": vendortest.Fails(vendortest.Say(200, fmt.Sprintf(`{"TotalCount":%q}`, leak)), source.Malformed, 200, "***"),
	}, []string{testKey, testSecret, "hunter2", "2Vl"}, func(ctx context.Context, t *testing.T, o source.Options) error {
		_, err := client(t, "", func(all *Options) {
			all.Options = o
		}).List(ctx, testQuery)
		return err
	})
}

// An interval only ever grows, in whatever way the vendor takes a time that its zone's clocks show twice.
func TestIntervalsInZones(t *testing.T) {
	t.Parallel()
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		loc                    *time.Location
		start, end, from, till string
	}{
		{china, "2024-01-01T16:00:00.9Z", "2024-01-01T16:00:00.1Z", "2024-01-02 00:00:00", "2024-01-02 00:00:01"},
		{time.UTC, "2024-01-01T16:00:00Z", "2024-01-01T17:00:00Z", "2024-01-01 16:00:00", "2024-01-01 17:00:00"},
		{york, "2016-11-06T04:59:59Z", "2016-11-06T07:00:00Z", "2016-11-06 00:59:59", "2016-11-06 02:00:00"},
		{york, "2016-11-06T05:00:00Z", "2016-11-06T06:00:00Z", "2016-11-06 00:59:59", "2016-11-06 02:00:00"}, // 1:00 to 1:00
		{york, "2016-11-06T06:30:00Z", "2016-11-06T06:59:59Z", "2016-11-06 00:59:59", "2016-11-06 02:00:00"},
		{york, "2016-03-13T06:00:00Z", "2016-03-13T07:00:00Z", "2016-03-13 01:00:00", "2016-03-13 03:00:00"},
	} {
		if from, till := notAfter(vendortest.UTC(tc.start), tc.loc), notBefore(vendortest.UTC(tc.end), tc.loc); from != tc.from || till != tc.till {
			t.Errorf("%s to %s in %s: %s to %s, want %s to %s", tc.start, tc.end, tc.loc, from, till, tc.from, tc.till)
		}
	}
}
