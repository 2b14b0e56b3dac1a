package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func stamp(t time.Time) string { return t.Format(timeLayout) }

func TestPaging(t *testing.T) {
	a := testAccount(0)
	s := New(a)
	var want []string
	for i := range 45 {
		want = append(want, a.Add(1, day.Add(time.Duration(i)*time.Minute))...)
	}
	slices.Reverse(want) // the newest first
	for _, c := range []struct {
		page, size   string
		first, count int
	}{
		{"1", "20", 0, 20}, {"2", "20", 20, 20}, {"3", "20", 40, 5}, {"4", "20", 45, 0}, {"", "", 0, 20}, {"3", "", 40, 5},
		{"1", "45", 0, 45}, {"2", "45", 45, 0}, {"1", "300", 0, 45}, {"45", "1", 44, 1}, {"46", "1", 45, 0},
		{"2147483647", "300", 0, 0},
	} {
		r := callAPI(t, s, a, "QueryOrders", "CreateTimeStart", stamp(day), "CreateTimeEnd", stamp(day.Add(time.Hour)), "PageNum", c.page, "PageSize", c.size)
		got := ids(r.rows())
		if r.Data.TotalCount != 45 || len(got) != c.count || c.count > 0 && !slices.Equal(got, want[c.first:c.first+c.count]) {
			t.Errorf("page %q of %q: %d rows of %d: %v", c.page, c.size, len(got), r.Data.TotalCount, got)
		}
		if c.page != "" && fmt.Sprint(r.Data.PageNum) != c.page || c.size != "" && fmt.Sprint(r.Data.PageSize) != c.size {
			t.Errorf("page %q of %q is echoed as %d of %d", c.page, c.size, r.Data.PageNum, r.Data.PageSize)
		}
	}
	old := testAccount(100, func(o *Options) { o.OldestFirst = true })
	if got := ids(list(t, New(old), old, old.o.From, old.o.To)); !slices.Equal(got, old.IDs(time.Time{}, time.Time{})) {
		t.Error("OldestFirst is not oldest first")
	}
}

func TestBoundaries(t *testing.T) {
	start, end := day.Add(time.Hour), day.Add(2*time.Hour)
	for boundary, want := range map[Boundary][]time.Duration{
		BothIncluded:    {0, time.Second, time.Hour - time.Second, time.Hour},
		StartIncluded:   {0, time.Second, time.Hour - time.Second},
		EndIncluded:     {time.Second, time.Hour - time.Second, time.Hour},
		NeitherIncluded: {time.Second, time.Hour - time.Second},
	} {
		a := testAccount(0, func(o *Options) { o.Boundary, o.OldestFirst = boundary, true })
		for _, at := range []time.Duration{-time.Second, 0, time.Second, time.Hour - time.Second, time.Hour, time.Hour + time.Second} {
			a.Add(1, start.Add(at))
		}
		var got []time.Duration
		for _, row := range list(t, New(a), a, start, end) {
			at, _ := time.Parse(time.RFC3339, row["CreateTime"].(string))
			got = append(got, at.Sub(start))
		}
		if !slices.Equal(got, want) {
			t.Errorf("boundary %d: %v, want %v", boundary, got, want)
		}
		for _, r := range [][2]time.Time{{end, start}, {start.Add(time.Minute), start.Add(time.Minute)}} {
			if rows := list(t, New(a), a, r[0], r[1]); len(rows) != 0 {
				t.Errorf("boundary %d: an empty range has %d rows", boundary, len(rows))
			}
		}
	}
}

// Without a range the vendor answers about the last hour.
func TestDefaultRange(t *testing.T) {
	now := day.Add(30 * time.Hour)
	a := testAccount(0, func(o *Options) { o.Now = fixedClock(now) })
	s := New(a)
	early := a.Add(1, now.Add(-90*time.Minute))[0]
	late := a.Add(1, now.Add(-30*time.Minute))[0]
	for _, c := range []struct {
		args, want []string
	}{
		{nil, []string{late}},
		{[]string{"CreateTimeStart", "", "CreateTimeEnd", ""}, []string{late}}, // the SDK sends what is empty
		{[]string{"CreateTimeStart", stamp(now.Add(-2 * time.Hour))}, []string{late, early}},
		{[]string{"CreateTimeEnd", stamp(now.Add(-time.Hour))}, []string{early}},
	} {
		if got := ids(callAPI(t, s, a, "QueryOrders", c.args...).rows()); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.args, got, c.want)
		}
	}
}

func TestFilters(t *testing.T) {
	a := testAccount(2000)
	s := New(a)
	all := list(t, s, a, a.o.From, a.o.To)
	for _, args := range [][]string{
		{"PaymentStatus", "Unpaid"}, {"PaymentStatus", "PAID"}, {"PaymentStatus", "cancelled"}, {"PaymentStatus", "Lost"},
		{"OrderType", "Refund"}, {"OrderType", "renew"}, {"OrderType", "Exchange"},
		{"ProductCode", "rds"}, {"ProductCode", "RDS"}, {"ProductType", "alikafka_post"}, {"ProductCode", "nothing"},
		{"SubscriptionType", "Subscription"}, {"SubscriptionType", "PayAsYouGo"},
		{"SubscriptionType", "PayAsYouGo", "ProductCode", "ecs", "OrderType", "New", "PaymentStatus", "Paid"},
	} {
		var want []string
		for _, row := range all {
			keep := true
			for i := 0; i < len(args); i += 2 {
				have, _ := row[args[i]].(string)
				keep = keep && strings.EqualFold(have, args[i+1])
			}
			if keep {
				want = append(want, row["OrderId"].(string))
			}
		}
		if got := ids(list(t, s, a, a.o.From, a.o.To, args...)); !slices.Equal(got, want) {
			t.Errorf("%v: %d rows, want %d", args, len(got), len(want))
		}
		if nothing := args[1] == "Lost" || args[1] == "Exchange" || args[1] == "nothing"; nothing != (len(want) == 0) {
			t.Errorf("%v: %d rows in the whole listing", args, len(want))
		}
	}
	for _, args := range [][]string{{"OrderType", "Degrade"}, {"SubscriptionType", "prepaid"}} {
		if got := callAPI(t, s, a, "QueryOrders", args...); got.Code != "InvalidParameter" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestOwners(t *testing.T) {
	a := testAccount(100)
	customer := testAccount(60, func(o *Options) { o.Seed, o.AccessKeyID = 8, "customer" })
	a.AddOwner("1234567890123456", customer)
	s := New(a)
	rows := list(t, s, a, a.o.From, a.o.To, "OwnerId", "1234567890123456")
	if len(rows) != 60 {
		t.Fatalf("%d rows of the customer, want 60", len(rows))
	}
	id := rows[0]["OrderId"].(string)
	if r := callAPI(t, s, a, "GetOrderDetail", "OrderId", id, "OwnerId", "1234567890123456"); len(r.rows()) == 0 {
		t.Errorf("no detail: %s", r.raw)
	}
	if r := callAPI(t, s, a, "GetOrderDetail", "OrderId", id); len(r.rows()) != 0 {
		t.Errorf("a customer's order is the login's own: %s", r.raw)
	}
	if customer.DetailCalls(id) != 1 || a.Calls()["GetOrderDetail"].OK != 2 || customer.Calls()["GetOrderDetail"].Total != 0 {
		t.Errorf("calls are counted wrongly: %v %v", a.Calls(), customer.Calls())
	}
}

// A list that means nothing comes in every shape, and an order that does not exist is an empty success.
func TestEmptyAnswers(t *testing.T) {
	a := testAccount(0)
	s := New(a)
	shapes := map[string]int{}
	for i := range 40 {
		r := callAPI(t, s, a, "QueryOrders", "CreateTimeStart", stamp(day.Add(time.Duration(i)*time.Hour)), "CreateTimeEnd", stamp(day.Add(100*time.Hour)))
		var body struct{ Data map[string]json.RawMessage }
		if err := json.Unmarshal(r.raw, &body); err != nil || !r.Success || r.Data.TotalCount != 0 || len(r.rows()) != 0 {
			t.Fatalf("not an empty answer: %s", r.raw)
		}
		shapes[string(body.Data["OrderList"])]++
	}
	for _, shape := range []string{"", "{}", "null", `{"Order":[]}`} {
		if shapes[shape] == 0 {
			t.Errorf("the shape %q never came: %v", shape, shapes)
		}
	}
	for _, id := range []string{"1", "211059788270709", "x", "0211059788270709"} {
		if r := callAPI(t, s, a, "GetOrderDetail", "OrderId", id); r.Code != "Success" || len(r.rows()) != 0 || r.status != 200 {
			t.Errorf("order %s: %s", id, r.raw)
		}
	}
}

// Readers and changes at the same time: every answer is whole, and at the end wire and truth agree.
func TestParallel(t *testing.T) {
	a := testAccount(500, func(o *Options) { o.Now = time.Now })
	s := start(t, a)
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer c.CloseIdleConnections()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 40 {
				var r *http.Request
				if w%2 == 0 {
					r = signed(a, s.URL(), "QueryOrders", map[string][]string{"CreateTimeStart": {stamp(day)}, "CreateTimeEnd": {stamp(a.o.To)}, "PageNum": {fmt.Sprint(i%20 + 1)}})
				} else {
					all := a.IDs(time.Time{}, time.Time{})
					r = signed(a, s.URL(), "GetOrderDetail", map[string][]string{"OrderId": {all[i*w%len(all)]}})
				}
				res, err := c.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				var body reply
				if err := json.NewDecoder(res.Body).Decode(&body); err != nil || len(body.rows()) == 0 {
					t.Errorf("call %d of worker %d: %v, %d rows", i, w, err, len(body.rows()))
				}
				res.Body.Close()
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			id := a.Add(1, day.Add(time.Duration(i)*time.Hour))[0]
			a.Change(id)
			a.DropItem(id)
			a.Pay(id)
			a.Truth(day, a.o.To)
			a.Calls()
		}
	})
	wg.Wait()
	if n := s.Requests(); n != 320 {
		t.Errorf("%d requests, want 320", n)
	}
	if calls := a.Calls(); calls["QueryOrders"].OK != 160 || calls["GetOrderDetail"].OK != 160 {
		t.Errorf("calls: %+v", calls)
	}
}

// The same seed, clock and questions return the same bytes; another seed others.
func TestDeterminism(t *testing.T) {
	dump := func(seed uint64) string {
		a := testAccount(300, func(o *Options) { o.Seed = seed })
		s := New(a)
		a.Add(5, day.Add(time.Hour))
		var b strings.Builder
		for page := 1; page < 4; page++ {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, signed(a, "", "QueryOrders", map[string][]string{"CreateTimeStart": {stamp(day)}, "CreateTimeEnd": {stamp(a.o.To)}, "PageNum": {fmt.Sprint(page)}, "PageSize": {"100"}}))
			b.Write(w.Body.Bytes())
		}
		for _, id := range a.IDs(time.Time{}, time.Time{}) {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, signed(a, "", "GetOrderDetail", map[string][]string{"OrderId": {id}}))
			b.Write(w.Body.Bytes())
		}
		return b.String()
	}
	one, two := dump(1), dump(1)
	if one != two {
		t.Error("the same seed gave different bytes")
	}
	if one == dump(2) {
		t.Error("another seed gave the same bytes")
	}
}
