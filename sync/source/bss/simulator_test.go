package bss_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
)

var (
	from = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	to   = from.AddDate(0, 0, 7)
)

// start serves accounts and makes a client for the first of them.
func start(t *testing.T, accounts ...*simulator.Account) *bss.Client {
	t.Helper()
	s := simulator.New(accounts...)
	if err := s.Start(":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	o := accounts[0].Options()
	c, err := bss.New(bss.Options{Options: source.Options{Account: "main", Endpoint: s.URL()}, Credentials: bss.Credentials{
		AccessKeyID: o.AccessKeyID, AccessKeySecret: o.AccessKeySecret, SecurityToken: o.SecurityToken,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// What the client reads is what the simulator, which shares no code with it, knows to be true.
func TestRowsEqualTheTruth(t *testing.T) {
	t.Parallel()
	account := simulator.NewAccount(simulator.Options{Seed: 7, Orders: 400, From: from, To: to, SecurityToken: "a+b/c="})
	customer := simulator.NewAccount(simulator.Options{Seed: 8, Orders: 30, From: from, To: to, Site: simulator.SiteInternational, AccessKeyID: "other"})
	account.AddOwner("1234567890123456", customer)
	c := start(t, account)
	compare(t, c, "", account)
	compare(t, c, "1234567890123456", customer)
}

// Faults that change only how the same facts are written change nothing.
func TestOddFormsEqualTheTruth(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"binary-dust", "instance-array", "unknown-fields"} {
		account := simulator.NewAccount(simulator.Options{Seed: 9, Orders: 200, From: from, To: to})
		script := simulator.NewScript(9, simulator.Rule{Kind: kind})
		account.SetFault(script.Fault)
		compare(t, start(t, account), "", account)
		if script.Injected()[kind] < 20 {
			t.Errorf("%v", script.Injected())
		}
	}
}

func compare(t *testing.T, c *bss.Client, owner string, account *simulator.Account) {
	t.Helper()
	stream := schema.Stream{Source: "bss", Account: "main", OwnerID: owner}
	var orders []schema.Order
	for page, total := 1, 1; len(orders) < total; page++ {
		p, err := c.List(t.Context(), source.Query{OwnerID: owner, Start: from, End: to, Page: page, Size: 20})
		if err != nil || len(p.Rejects) > 0 || len(p.Orders) == 0 {
			t.Fatalf("page %d: %d orders, rejects %+v, %v", page, len(p.Orders), p.Rejects, err)
		}
		total = p.Total
		orders = append(orders, p.Orders...)
	}
	if len(orders) != account.Len() {
		t.Fatalf("%d orders, want %d", len(orders), account.Len())
	}
	money := cmp.Comparer(func(a, b decimal.NullDecimal) bool { return a.Valid == b.Valid && a.Decimal.Equal(b.Decimal) })
	received := cmpopts.IgnoreFields(schema.Order{}, "Fingerprint", "FetchedAt", "Version", "Raw")
	receivedItem := cmpopts.IgnoreFields(schema.Item{}, "FetchedAt", "Version", "Raw")
	for _, got := range orders {
		truth, ok := account.Order(got.OrderID)
		if !ok {
			t.Fatalf("order %s is invented", got.OrderID)
		}
		want := schema.Order{
			Stream: stream, OrderID: truth.OrderID, RelatedOrderID: truth.RelatedOrderID, OrderType: truth.OrderType,
			PaymentStatus: truth.PaymentStatus, ProductCode: truth.ProductCode, ProductType: truth.ProductType,
			CommodityCode: truth.CommodityCode, SubscriptionType: truth.SubscriptionType, CreateTime: truth.CreateTime,
			PaymentTime: truth.PaymentTime, Currency: truth.Currency, PaymentCurrency: truth.PaymentCurrency,
			Amounts: schema.Amounts(truth.Prices),
		}
		if d := cmp.Diff(want, got, money, received); d != "" {
			t.Fatalf("%s\n%s", got.Raw, d)
		}
		if again, r := (bss.Decoder{}).Order(stream, got.Raw); r != nil || again.Fingerprint != got.Fingerprint {
			t.Errorf("stored payload: %+v", r)
		}
		detail, err := c.Detail(t.Context(), owner, got.OrderID)
		if err != nil || len(detail.Rejects) > 0 || len(detail.Items) != len(truth.Items) {
			t.Fatalf("%+v, %v", detail, err)
		}
		if !strings.EqualFold(detail.PaymentStatus, truth.PaymentStatus) || !detail.PaymentTime.Equal(truth.PaymentTime) {
			t.Errorf("order %s: %s at %v", got.OrderID, detail.PaymentStatus, detail.PaymentTime)
		}
		for n, item := range truth.Items {
			spell := func(s string) string { return s }
			if item.Lower {
				spell = strings.ToLower
			}
			want := schema.Item{
				Stream: stream, OrderID: truth.OrderID, ItemID: item.ItemID, RelatedOrderID: truth.RelatedOrderID,
				OrderType: spell(truth.OrderType), OrderSubType: spell(item.OrderSubType), PaymentStatus: spell(truth.PaymentStatus),
				ProductCode: truth.ProductCode, ProductType: truth.ProductType, CommodityCode: truth.CommodityCode,
				SubscriptionType: truth.SubscriptionType, PaymentTime: truth.PaymentTime, Currency: truth.Currency,
				PaymentCurrency: truth.PaymentCurrency, InstanceIDs: item.InstanceIDs, Region: item.Region,
				Quantity: decimal.NewNullDecimal(decimal.NewFromInt(int64(item.Quantity))),
				Config:   item.Config, OriginalConfig: item.OriginalConfig, Operator: item.Operator,
				UsageStartTime: item.UsageStartTime, UsageEndTime: item.UsageEndTime, ExtendInfos: item.ExtendInfos,
				Amounts:          schema.Amounts(item.Prices),
				BillModuleConfig: detail.Items[n].BillModuleConfig, OriginalModuleConfig: detail.Items[n].OriginalModuleConfig,
			}
			if d := cmp.Diff(want, detail.Items[n], money, receivedItem, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("%s\n%s", detail.Items[n].Raw, d)
			}
		}
	}
}

func TestRefusalsOfTheSimulator(t *testing.T) {
	t.Parallel()
	account := simulator.NewAccount(simulator.Options{Seed: 7, Orders: 30, From: from, To: to, DeniedActions: []string{"GetOrderDetail"}})
	c := start(t, account)
	list := source.Query{Start: from, End: to, Page: 1, Size: 20}
	reason := func(err error) source.Reason {
		var e *source.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("not a source.Error: %v", err)
		}
		return source.ReasonOf(err)
	}
	_, err := c.Detail(t.Context(), "", account.IDs(from, to)[0])
	if reason(err) != source.Auth || !strings.Contains(err.Error(), "bss:DescribeOrderDetail") {
		t.Error(err)
	}
	account.SetQuota(simulator.Quota{List: 1})
	_, _ = c.List(t.Context(), list)
	if _, err = c.List(t.Context(), list); reason(err) != source.Throttled {
		t.Error(err)
	}
	account.SetQuota(simulator.Quota{})
	for kind, want := range map[string]source.Reason{"acs-retry-after": source.Throttled, "lower-case-error": source.Unavailable} {
		account.SetFault(simulator.NewScript(9, simulator.Rule{Kind: kind}).Fault)
		_, err := c.List(t.Context(), list)
		var e *source.Error
		if reason(err) != want || !errors.As(err, &e) || (e.RetryAfter > 0) != (want == source.Throttled) || e.Message == "" {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for want, action := range map[source.Reason]simulator.Action{
		source.Unavailable: {Status: 502, Body: "<html>"},
		source.Malformed:   {Truncate: 100},
		source.Auth:        {Error: &simulator.Error{Status: 200, Code: "NotApplicable"}},
		source.OK:          simulator.EmptyPage(),
	} {
		account.SetFault(func(simulator.FaultRequest) simulator.Action { return action })
		if _, err := c.List(t.Context(), list); reason(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	account.SetFault(nil)
	if _, err := c.List(t.Context(), source.Query{OwnerID: "99", Start: from, End: to}); reason(err) != source.BadRequest {
		t.Error(err)
	}
}

// A machine whose clock is wrong is told so.
func TestClockOfTheSimulator(t *testing.T) {
	t.Parallel()
	account := simulator.NewAccount(simulator.Options{Seed: 7, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	_, err := start(t, account).List(t.Context(), source.Query{Start: from, End: to})
	var e *source.Error
	if !errors.As(err, &e) || e.Reason != source.Auth || !e.Fresh || !strings.Contains(e.Hint, "clock") {
		t.Errorf("%v", err)
	}
}
