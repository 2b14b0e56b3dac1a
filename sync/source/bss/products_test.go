package bss

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
)

// The vendor's documented sample of a success has a Message that reads like a failure, and a product without a type.
const productSample = `{"Message":"This API is not applicable for caller.","RequestId":"B7003CE2-D6D9-43A1-B8E5-BF8AB0E4BB17","Code":"Success","Success":true,` +
	`"Data":{"TotalCount":449,"PageSize":20,"PageNum":1,"ProductList":{"Product":[` +
	`{"ProductType":"","ProductName":"云服务器 ECS","ProductCode":"ecs","SubscriptionType":"Subscription"},` +
	`{"ProductType":"rds","ProductName":"ApsaraDB RDS","ProductCode":"rds","SubscriptionType":"PayAsYouGo","More":[1]}]}}}`

func TestProducts(t *testing.T) {
	t.Parallel()
	for _, version := range []string{Version2017, Version2023} {
		var got url.Values
		endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r.URL.Query()
			if r.Header.Get("X-Acs-Action") != "QueryProductList" || r.Header.Get("X-Acs-Version") != "2017-12-14" {
				t.Errorf("%v", r.Header)
			}
			seen(t, r, testSecret)
			_, _ = w.Write([]byte(productSample))
		})
		c := client(t, endpoint, func(o *Options) { o.APIVersion = version; o.NextVersion = func() uint64 { return 42 } })
		products, total, err := c.Products(t.Context(), 3, 100)
		if err != nil || total != 449 {
			t.Fatalf("%d, %v", total, err)
		}
		want := []schema.Product{
			{Source: Vendor, Account: "main", ProductCode: "ecs", ProductName: "云服务器 ECS", SubscriptionType: "Subscription", Version: 42},
			{Source: Vendor, Account: "main", ProductCode: "rds", ProductName: "ApsaraDB RDS", ProductType: "rds", SubscriptionType: "PayAsYouGo", Version: 42},
		}
		if d := cmp.Diff(want, products, cmpopts.IgnoreFields(schema.Product{}, "FetchedAt")); d != "" || products[0].FetchedAt.IsZero() {
			t.Error(d)
		}
		if d := cmp.Diff(url.Values{"PageNum": {"3"}, "PageSize": {"100"}, "QueryTotalCount": {"true"}}, got); d != "" {
			t.Error(d)
		}
		if _, _, err := c.Products(t.Context(), 0, 0); err != nil || got.Get("PageNum") != "1" || got.Get("PageSize") != "300" {
			t.Errorf("%v, %v", got, err)
		}
		if _, _, err := c.Products(t.Context(), 1, 301); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest {
			t.Error(err)
		}
	}
}

func TestShapesOfProducts(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{ // empty: good
		`{"TotalCount":0}`:                                                                   "",
		`{"TotalCount":0,"ProductList":null}`:                                                "",
		`{"TotalCount":0,"ProductList":{"Product":[]}}`:                                      "",
		`{"ProductList":{"Product":[]}}`:                                                     "TotalCount is missing",
		`{"TotalCount":1,"ProductList":{"Product":[{"ProductName":"x"}]}}`:                   "ProductCode is missing",
		`{"TotalCount":1,"ProductList":{"Product":[{"ProductCode":"x","ProductCode":"y"}]}}`: "comes twice",
		`{"TotalCount":1,"ProductList":{"Product":[{"ProductCode":["x"]}]}}`:                 "ProductCode is json",
		`{"TotalCount":1,"ProductList":{"Product":[7]}}`:                                     "not an object",
		`{"TotalCount":1,"ProductList":{"Product":{}}}`:                                      "not an array",
		`{"TotalCount":1,"ProductList":[]}`:                                                  "not an object",
		`null`:                                                                               "there is no Data",
	} {
		endpoint := vendortest.Serve(t, vendortest.Say(200, `{"Code":"Success","Data":`+data+`}`))
		_, _, err := client(t, endpoint).Products(t.Context(), 1, 10)
		if want == "" && err != nil || want != "" && (vendortest.Failed(t, Vendor, err).Reason != source.Malformed || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	answer := `{"Code":"Success","Message":"Successful!","RequestId":"30D2285E","Success":true,"Data":{"HostId":"cn"}}`
	calls := 0
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.Header.Get("X-Acs-Action") != "CancelOrder" || r.Header.Get("X-Acs-Version") != "2017-12-14" || r.URL.RawQuery != "OrderId=73465432785&OwnerId=17" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		seen(t, r, testSecret)
		vendortest.Say(200, answer)(w, r)
	})
	c := NewCanceller(client(t, endpoint))
	if id, err := c.Cancel(t.Context(), "17", "73465432785"); err != nil || id != "30D2285E" {
		t.Errorf("%s, %v", id, err)
	}
	for body, want := range map[string]source.Reason{
		`{}`: source.Malformed, `{"RequestId":"R"}`: source.Malformed, `<html>`: source.Malformed,
		`{"Success":false,"Code":"InvalidParameter"}`: source.BadRequest, `{"Success":false}`: source.Unknown,
		`{"Success":"true","RequestId":"R"}`: source.OK, `{"Code":"Success"}`: source.OK,
	} {
		answer = body
		if _, err := c.Cancel(t.Context(), "17", "73465432785"); source.ReasonOf(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	calls = 0
	for _, bad := range [][2]string{{"", ""}, {"x", "1"}, {"-1", "1"}} {
		if _, err := c.Cancel(t.Context(), bad[0], bad[1]); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest {
			t.Error(err)
		}
	}
	members := NewCanceller(client(t, endpoint, func(o *Options) { o.APIVersion = Version2023 }))
	if _, err := members.Cancel(t.Context(), "17", "1"); vendortest.Failed(t, Vendor, err).Reason != source.BadRequest || !strings.Contains(err.Error(), "member") {
		t.Error(err)
	}
	if calls != 0 {
		t.Errorf("%d calls", calls)
	}
}

// Nothing generic can cancel an order: what the engine holds has no such method.
func TestCancelIsOutOfReach(t *testing.T) {
	t.Parallel()
	c := client(t, "http://127.0.0.1:1")
	for _, v := range []any{c, source.Client(c), source.NewCaller(c, source.NewBudget(1), source.NewBudget(1), source.DefaultPolicy, nil)} {
		for m := range reflect.TypeOf(v).Methods() {
			if strings.Contains(m.Name, "Cancel") {
				t.Errorf("%T has %s", v, m.Name)
			}
		}
	}
}

// The codes that the pages of CancelOrder and QueryProductList document, and what a missing permission asks for.
func TestCodesOfProductsAndCancel(t *testing.T) {
	t.Parallel()
	body := ""
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) { vendortest.Say(400, body)(w, r) })
	c := client(t, endpoint)
	for code, want := range map[string]source.Reason{
		"NotApplicable": source.Auth, "MissingParameter": source.BadRequest, "InvalidParameter": source.BadRequest,
		"InvalidModuleCode": source.BadRequest, "InvalidConfigCode": source.BadRequest, "InvalidOwner": source.BadRequest,
		"InvalidCaller": source.Auth, "InternalError": source.Unavailable, "Throttling.User": source.Throttled, "NoPermission": source.Auth,
	} {
		body = fmt.Sprintf(`{"Code":%q,"Message":"m","RequestId":"R-7"}`, code)
		_, _, err := c.Products(t.Context(), 1, 10)
		if e := vendortest.Failed(t, Vendor, err); e.Reason != want || e.Code != code || code == "NoPermission" && !strings.Contains(e.Hint, "bss:QueryProductList") {
			t.Errorf("QueryProductList: %v", err)
		}
		_, err = NewCanceller(c).Cancel(t.Context(), "", "1")
		if e := vendortest.Failed(t, Vendor, err); e.Reason != want || e.API != "CancelOrder" || e.RequestID != "R-7" || code == "NoPermission" && !strings.Contains(e.Hint, "bss:CancelOrder") {
			t.Errorf("CancelOrder: %v", err)
		}
	}
}

// Version 2023-09-30: GetOrders instead of QueryOrders, members instead of customers, InstanceIds instead of InstanceIDs.
func TestVersion2023(t *testing.T) {
	t.Parallel()
	var action, query string
	body := benchPage(2)
	status := 200
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		action, query = r.Header.Get("X-Acs-Action"), r.URL.RawQuery
		if r.Header.Get("X-Acs-Version") != "2023-09-30" {
			t.Errorf("%v", r.Header)
		}
		seen(t, r, testSecret)
		vendortest.Say(status, body)(w, r)
	})
	c := client(t, endpoint, func(o *Options) { o.APIVersion = Version2023 })
	q := testQuery
	q.OwnerID = "1234567890123456"
	p, err := c.List(t.Context(), q)
	if err != nil || len(p.Orders) != 2 || p.Orders[0].OwnerID != q.OwnerID || action != "GetOrders" || !strings.Contains(query, "&MemberUid=1234567890123456&") || strings.Contains(query, "OwnerId") {
		t.Errorf("%s %s: %+v, %v", action, query, p, err)
	}
	body = strings.ReplaceAll(benchDetail(2), "InstanceIDs", "InstanceIds")
	d, err := c.Detail(t.Context(), "17", "211059788270709")
	if err != nil || len(d.Items) != 2 || !cmp.Equal(d.Items[1].InstanceIDs, []string{"alikafka_post-cn-7pp2ab12c001"}) || d.Items[0].OwnerID != "17" ||
		action != "GetOrderDetail" || query != "MemberUid=17&OrderId=211059788270709" {
		t.Errorf("%s %s: %+v, %v", action, query, d, err)
	}
	status, body = 400, `{"Code":"InvalidOwner"}`
	if _, err := c.List(t.Context(), q); !strings.Contains(vendortest.Failed(t, Vendor, err).Hint, "member_uids") {
		t.Error(err)
	}
}
