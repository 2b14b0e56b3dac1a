package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCancelOrder(t *testing.T) {
	a := testAccount(400)
	customer := testAccount(400, func(o *Options) { o.Seed = 8 })
	a.AddOwner("1234567890123456", customer)
	s := start(t, a)
	cancel := func(args ...string) *reply {
		t.Helper()
		v := url.Values{}
		for i := 0; i < len(args); i += 2 {
			v.Set(args[i], args[i+1])
		}
		status, header, body, err := fetch(signed(a, s.URL(), "CancelOrder", v))
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, status, header, body)
	}
	unpaid := a.Unpaid()
	r := cancel("OrderId", unpaid[0])
	if r.status != 200 || r.Code != "Success" || !r.Success || !strings.Contains(string(r.raw), `"Data":{"HostId":"cn"}`) {
		t.Errorf("%d %s", r.status, r.raw)
	}
	if o, _ := a.Order(unpaid[0]); o.PaymentStatus != "Cancelled" || slices.Contains(a.Unpaid(), unpaid[0]) {
		t.Errorf("the order is %s", o.PaymentStatus)
	}
	row := list(t, s, a, day, a.o.To, "PaymentStatus", "Cancelled")
	if !slices.Contains(ids(row), unpaid[0]) {
		t.Error("the listing does not show it as cancelled")
	}
	theirs := customer.Unpaid()[0]
	if r := cancel("OrderId", theirs, "OwnerId", "1234567890123456"); r.Code != "Success" {
		t.Errorf("a customer's order: %s", r.raw)
	}
	if slices.Contains(customer.Unpaid(), theirs) {
		t.Error("the customer's order is still unpaid")
	}
	paid := a.ids(time.Time{}, time.Time{}, func(o *order) bool { return o.status == statusPaid })[0]
	a.SetQuota(Quota{Cancel: -1})
	for name, c := range map[string]struct {
		args []string
		code string
	}{
		"again": {[]string{"OrderId", unpaid[0]}, "InvalidParameter"}, "paid": {[]string{"OrderId", paid}, "InvalidParameter"},
		"unknown": {[]string{"OrderId", "42"}, "InvalidParameter"}, "nothing": {nil, "MissingParameter"},
		"stranger": {[]string{"OrderId", unpaid[1], "OwnerId", "42"}, "InvalidOwner"},
	} {
		if r := cancel(c.args...); r.status != 400 || r.Code != c.code || r.Success || r.RequestId == "" {
			t.Errorf("%s: %d %s, want %s", name, r.status, r.raw, c.code)
		}
	}
	if c := a.Calls()["CancelOrder"]; c.Total != 7 || c.OK != 2 || c.Failed+c.Throttled != 5 {
		t.Errorf("%+v", c)
	}

	// A fault that replaces the answer leaves the order alone; one that breaks the answer off comes after the deed.
	a.SetFault(NewScript(1, Rule{Kind: "unavailable"}).Fault)
	if r := cancel("OrderId", unpaid[1]); r.status != 503 || !slices.Contains(a.Unpaid(), unpaid[1]) {
		t.Errorf("%d %s", r.status, r.raw)
	}
	a.SetFault(NewScript(1, Rule{Kind: "reset"}).Fault)
	if _, _, _, err := fetch(signed(a, s.URL(), "CancelOrder", url.Values{"OrderId": {unpaid[1]}})); err == nil || slices.Contains(a.Unpaid(), unpaid[1]) {
		t.Errorf("%v; the order is still unpaid", err)
	}
}

// Without an option, four cancellations a second are allowed, as documented.
func TestCancelQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for limit, want := range map[float64]int{0: 4, 7: 7, -1: 20} {
			a := NewAccount(Options{Quota: Quota{Cancel: limit}})
			s := New(a)
			for range 20 {
				callAPI(t, s, a, "CancelOrder", "OrderId", "1")
			}
			if c := a.Calls()["CancelOrder"]; c.Failed != want || c.Throttled != 20-want {
				t.Errorf("limit %g: %+v", limit, c)
			}
		}
	})
}

// The quota is the login's: what is asked about customers counts against it, and each customer has none of its own.
func TestQuotaIsSharedByOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAccount(Options{Quota: Quota{List: 5}})
		s := New(a)
		owners := []string{"", "1000000000000001", "1000000000000002", "1000000000000003"}
		for _, id := range owners[1:] {
			a.AddOwner(id, NewAccount(Options{Seed: 2, Orders: 10, Quota: Quota{List: 1}}))
		}
		for i := range 12 {
			r := callAPI(t, s, a, "QueryOrders", "OwnerId", owners[i%4])
			if (r.Code == "Success") != (i < 5) || (r.Code == "Throttling.User") != (i >= 5) {
				t.Errorf("call %d: %s", i, r.raw)
			}
		}
		// A login that may not ask for an owner is told so, and the call counts all the same.
		time.Sleep(time.Second)
		for range 5 {
			if r := callAPI(t, s, a, "QueryOrders", "OwnerId", "1000000000000009"); r.Code != "InvalidOwner" {
				t.Errorf("%s", r.raw)
			}
		}
		if r := callAPI(t, s, a, "QueryOrders"); r.Code != "Throttling.User" {
			t.Errorf("%s", r.raw)
		}
	})
}

// Version 2023-09-30: other names, the same orders.
func TestVersion2023(t *testing.T) {
	a, member, customer := testAccount(200), testAccount(150, func(o *Options) { o.Seed = 8 }), testAccount(100, func(o *Options) { o.Seed = 9 })
	a.AddMember("2000000000000001", member)
	a.AddOwner("1000000000000001", customer)
	s := New(a)
	call := func(action string, args ...string) *reply {
		t.Helper()
		v := url.Values{"CreateTimeStart": {stamp(day)}, "CreateTimeEnd": {stamp(a.o.To)}, "PageSize": {"300"}}
		for i := 0; i < len(args); i += 2 {
			v.Set(args[i], args[i+1])
		}
		return ask(t, s, signed(a, "", action, v, func(r *http.Request) { r.Header.Set("X-Acs-Version", version2023) }))
	}
	for _, c := range []struct {
		name, id string
		data     *Account
	}{{"MemberUid", "", a}, {"MemberUid", "2000000000000001", member}, {"OwnerId", "1000000000000001", customer}} {
		r := call("GetOrders", c.name, c.id)
		want := c.data.IDs(time.Time{}, time.Time{})
		slices.Reverse(want)
		if !slices.Equal(ids(r.rows()), want) || r.Data.TotalCount != len(want) {
			t.Errorf("%s %q: %d rows, want %d", c.name, c.id, len(r.rows()), len(want))
		}
		instances := 0
		for _, id := range want[:40] {
			r := call("GetOrderDetail", c.name, c.id, "OrderId", id)
			o, _ := c.data.Order(id)
			if len(r.rows()) != len(o.Items) {
				t.Fatalf("order %s: %s", id, r.raw)
			}
			for _, line := range r.rows() {
				if line["OrderType"] != strings.ToLower(o.OrderType) {
					t.Errorf("OrderType %v of %s is not in lower case", line["OrderType"], o.OrderType)
				}
				if line["InstanceIDs"] != nil {
					t.Error("the older name of InstanceIds")
				}
				if line["InstanceIds"] != nil {
					instances++
				}
			}
		}
		if instances == 0 {
			t.Error("no line has InstanceIds")
		}
	}
	older := list(t, s, a, day, a.o.To)
	if d := cmp.Diff(older[0], call("GetOrders").rows()[0]); d != "" {
		t.Errorf("the rows of both versions differ:\n%s", d)
	}
	var seen FaultRequest
	a.SetFault(func(q FaultRequest) Action { seen = q; return Action{} })
	call("GetOrders", "MemberUid", "2000000000000001")
	if seen.API != "GetOrders" || seen.Version != version2023 || seen.OwnerID != "2000000000000001" {
		t.Errorf("the fault sees %+v", seen)
	}
	for _, c := range [][]string{
		{"InvalidOwner", "GetOrders", "MemberUid", "42"}, {"InvalidOwner", "GetOrderDetail", "MemberUid", "42", "OrderId", "1"},
		{"InvalidOwner", "GetOrders", "OwnerId", "42"}, {"InvalidOwner", "GetOrders", "MemberUid", "1000000000000001"},
		{"InvalidParameter", "GetOrders", "MemberUid", "me"}, {"InvalidVersion", "QueryOrders"}, {"InvalidVersion", "CancelOrder"},
	} {
		if r := call(c[1], c[2:]...); r.status != 400 || r.Code != c[0] {
			t.Errorf("%v: %d %s", c, r.status, r.raw)
		}
	}
	// The older version does not know the parameter.
	if r := callAPI(t, s, a, "QueryOrders", "MemberUid", "42"); r.Code != "Success" {
		t.Errorf("%s", r.raw)
	}
}

// An account of another site is not served here, in either of the forms that are known.
func TestWrongSite(t *testing.T) {
	for _, status := range []int{400, 200} {
		a := testAccount(50, func(o *Options) { o.Site, o.WrongSite = SiteInternational, status })
		s := New(a)
		for api, args := range map[string][]string{
			"QueryOrders": nil, "GetOrderDetail": {"OrderId", "1"}, "QueryProductList": {"PageNum", "1"}, "CancelOrder": {"OrderId", "1"},
		} {
			r := callAPI(t, s, a, api, args...)
			if r.status != status || r.Code != "NotApplicable" || r.Success || r.Message != "This API is not applicable for caller." {
				t.Errorf("%s: %d %s", api, r.status, r.raw)
			}
			if (r.HostId == "") != (status == 200) {
				t.Errorf("%s: not the form of a %d: %s", api, status, r.raw)
			}
		}
		if s.Errors()["NotApplicable"] != 4 {
			t.Errorf("%v", s.Errors())
		}
	}
}
