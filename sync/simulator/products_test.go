package simulator

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// productPage is a decoded answer of QueryProductList.
type productPage struct {
	Code, Message string
	Success       bool
	Data          struct {
		PageNum, PageSize, TotalCount int
		ProductList                   struct {
			Product []struct{ ProductCode, ProductName, ProductType, SubscriptionType string }
		}
	}
}

func queryProducts(t testing.TB, s *Server, a *Account, args ...string) (p productPage, all []Product) {
	t.Helper()
	r := callAPI(t, s, a, "QueryProductList", args...)
	if err := json.Unmarshal(r.raw, &p); err != nil || r.status != 200 {
		t.Fatalf("%v: %d %s", err, r.status, r.raw)
	}
	for _, row := range p.Data.ProductList.Product {
		all = append(all, Product{Code: row.ProductCode, Type: row.ProductType, Subscription: row.SubscriptionType, Name: row.ProductName})
	}
	return p, all
}

func TestProducts(t *testing.T) {
	a := testAccount(2000)
	s := New(a)
	for _, size := range []int{20, 100, 300} {
		var got []Product
		for page := 1; ; page++ {
			p, rows := queryProducts(t, s, a, "PageNum", fmt.Sprint(page), "PageSize", fmt.Sprint(size), "QueryTotalCount", "true")
			if p.Data.TotalCount != 449 || p.Data.PageNum != page || p.Data.PageSize != size || !p.Success || p.Code != "Success" {
				t.Fatalf("page %d of %d: %+v", page, size, p)
			}
			// The documented sample is a success with this message.
			if (p.Message == "This API is not applicable for caller.") != (page == 1) {
				t.Errorf("page %d: message %q", page, p.Message)
			}
			if len(rows) == 0 {
				break
			}
			got = append(got, rows...)
		}
		if d := cmp.Diff(Products(), got); d != "" {
			t.Errorf("pages of %d: -list +wire\n%s", size, d)
		}
	}
	if p, rows := queryProducts(t, s, a, "PageNum", "1"); len(rows) != 20 || p.Data.PageSize != 20 || p.Data.TotalCount != 0 {
		t.Errorf("without size and count: %+v", p.Data)
	}

	names, types := map[Product]string{}, map[string]int{}
	empty := 0
	for _, p := range Products() {
		key := p
		key.Name = ""
		if names[key] != "" || p.Name == "" || p.Code == "" {
			t.Errorf("%+v comes twice, or is not named", p)
		}
		names[key] = p.Name
		types[p.Code]++
		if p.Type == "" {
			empty++
		}
	}
	if types["rds"] < 5 || empty < 10 {
		t.Errorf("%d rows of rds, %d rows without a type", types["rds"], empty)
	}
	for _, id := range a.IDs(day, a.o.To) {
		o, _ := a.Order(id)
		if names[Product{Code: o.ProductCode, Type: o.ProductType, Subscription: o.SubscriptionType}] == "" {
			t.Fatalf("the product of order %s is not listed: %s %s %s", id, o.ProductCode, o.ProductType, o.SubscriptionType)
		}
	}
	for _, args := range [][]string{
		{"MissingParameter"}, {"MissingParameter", "PageNum", ""}, {"InvalidParameter", "PageNum", "0"},
		{"InvalidParameter", "PageNum", "1", "PageSize", "301"}, {"InvalidParameter", "PageNum", "1", "QueryTotalCount", "yes"},
	} {
		if r := callAPI(t, s, a, "QueryProductList", args[1:]...); r.Code != args[0] || r.status != 400 {
			t.Errorf("%v: %d %s", args, r.status, r.raw)
		}
	}
}

func TestProductFaults(t *testing.T) {
	a := testAccount(10)
	s := New(a)
	a.SetFault(func(q FaultRequest) Action {
		if q.API != "QueryProductList" || q.Page != 2 || q.Size != 50 {
			t.Errorf("%+v", q)
		}
		act := ShortPage(3)
		act.Total, act.PageSize = func(n int) int { return n + 1 }, 10
		return act
	})
	p, rows := queryProducts(t, s, a, "PageNum", "2", "PageSize", "50", "QueryTotalCount", "true")
	if !cmp.Equal(rows, Products()[10:13]) || p.Data.TotalCount != 450 || p.Data.PageSize != 10 {
		t.Errorf("%+v %v", p.Data, rows)
	}
	// What is about orders, or listings of them, does not happen to products or cancellations.
	var mix []Rule
	for _, k := range Kinds() {
		if k.side&others == 0 {
			mix = append(mix, Rule{Kind: k.Name})
		}
	}
	script := NewScript(1, mix...)
	a.SetFault(script.Fault)
	if _, rows := queryProducts(t, s, a, "PageNum", "1"); len(rows) != 20 || len(script.Injected()) != 0 {
		t.Errorf("%d rows; %v", len(rows), script.Injected())
	}
	a.SetFault(NewScript(1, Rule{Kind: "throttle"}).Fault)
	for _, api := range []string{"QueryProductList", "CancelOrder"} {
		if r := callAPI(t, s, a, api, "PageNum", "1", "OrderId", "1"); r.status == 200 {
			t.Errorf("%s is not throttled: %s", api, r.raw)
		}
	}
}
