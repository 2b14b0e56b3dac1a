package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
)

// direct sends the vendor's requests without its connection pool, which never closes, and without a proxy.
type direct struct{ transport *http.Transport }

func (d direct) Call(r *http.Request, _ *http.Transport) (*http.Response, error) {
	return d.transport.RoundTrip(r)
}

// The vendor's own generic client is understood and gets answers that it understands: the proof that simulator and
// production client do not merely share a mistake about the protocol.
func TestVendorClient(t *testing.T) {
	a := testAccount(60, func(o *Options) { o.Now = time.Now; o.Quota.Detail = 1 })
	a.Add(25, a.o.Now())
	temporary := testAccount(60, func(o *Options) { o.Now = time.Now; o.AccessKeyID, o.SecurityToken = "temporary", "token" })
	s := start(t, a, temporary)
	for name, c := range map[string]struct {
		account           *Account
		method, algorithm string
	}{
		"ACS3 POST": {a, "POST", ""}, "ACS3 GET": {a, "GET", ""}, "V1 POST": {a, "POST", "v2"}, "V1 GET": {a, "GET", "v2"},
		"ACS3 with a token": {temporary, "POST", ""}, "V1 with a token": {temporary, "POST", "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			d := direct{&http.Transport{}}
			defer d.transport.CloseIdleConnections()
			config := &openapiutil.Config{
				AccessKeyId: &c.account.o.AccessKeyID, AccessKeySecret: &c.account.o.AccessKeySecret,
				Endpoint: dara.String(strings.TrimPrefix(s.URL(), "http://")), Protocol: dara.String("HTTP"), HttpClient: d,
			}
			if c.account.o.SecurityToken != "" {
				config.SecurityToken = &c.account.o.SecurityToken
			}
			if c.algorithm != "" {
				config.SignatureAlgorithm = dara.String(c.algorithm)
			}
			client, err := openapi.NewClient(config)
			if err != nil {
				t.Fatal(err)
			}
			client.DisableSDKError = dara.Bool(true)
			call := func(action string, query map[string]any) (map[string]any, error) {
				return client.CallApi(&openapi.Params{
					Action: dara.String(action), Version: dara.String("2017-12-14"), Protocol: dara.String("HTTP"),
					Method: dara.String(c.method), Pathname: dara.String("/"), AuthType: dara.String("AK"), Style: dara.String("RPC"),
					ReqBodyType: dara.String("formData"), BodyType: dara.String("string"),
				}, &openapi.OpenApiRequest{Query: openapiutil.Query(query)}, &dara.RuntimeOptions{})
			}
			result, err := call("QueryOrders", map[string]any{
				"CreateTimeStart": stamp(c.account.o.From), "CreateTimeEnd": stamp(c.account.o.To.AddDate(1, 0, 0)),
				"PageNum": 2, "PageSize": 7, "ProductCode": "", "Note": "a b*c~d+e/中",
			})
			if err != nil {
				t.Fatal(err)
			}
			var body reply
			if err := json.Unmarshal([]byte(result["body"].(string)), &body); err != nil || len(body.rows()) != 7 {
				t.Errorf("%v: %d rows of %s", err, len(body.rows()), result["body"])
			}
			_, err = call("QueryOrders", map[string]any{"OwnerId": int64(1234567890123456)})
			if e, ok := err.(*openapi.ClientError); !ok || *e.Code != "InvalidOwner" || *e.StatusCode != 400 || *e.RequestId == "" {
				t.Errorf("not the vendor's error: %#v", err)
			}
			if name != "ACS3 POST" {
				return
			}
			call("GetOrderDetail", map[string]any{"OrderId": "1"})
			_, err = call("GetOrderDetail", map[string]any{"OrderId": "1"})
			if e, ok := err.(*openapi.ThrottlingError); !ok || *e.Code != "Throttling.User" || *e.RetryAfter < 1 || *e.RetryAfter > 1000 {
				t.Errorf("not the vendor's throttling: %#v", err)
			}
		})
	}
}
