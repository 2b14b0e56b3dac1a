package unicloud_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/unicloud"
)

var (
	from  = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	to    = from.AddDate(0, 0, 7)
	money = cmp.Comparer(func(a, b decimal.NullDecimal) bool { return a.Valid == b.Valid && a.Decimal.Equal(b.Decimal) })
)

// What the client reads is what the simulator, which shares no code with it, knows to be true: with both versions of the
// signature, both forms of dates, and another zone.
func TestRowsEqualTheTruth(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.Options{
		"presumed":   {},
		"configured": {SignatureVersion: "2.0", DatesAsText: true, Zone: time.FixedZone("UTC-3", -3*60*60)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Vendor, o.Seed, o.Orders, o.From, o.To = simulator.VendorUniCloud, 7, 150, from, to
			account := simulator.NewAccount(o)
			s := simulator.New(account)
			if err := s.Start(":0"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			keys := account.Options()
			c, err := unicloud.New(unicloud.Options{
				Options: source.Options{Account: "main", Endpoint: s.URL()}, AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.AccessKeySecret,
				SignatureVersion: o.SignatureVersion, Location: o.Zone,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			compare(t, c, account)
		})
	}
}

func compare(t *testing.T, c *unicloud.Client, account *simulator.Account) {
	t.Helper()
	stream := schema.Stream{Source: unicloud.Vendor, Account: "main"}
	var orders []schema.Order
	for page, total := 1, 1; len(orders) < total; page++ {
		p, err := c.List(t.Context(), source.Query{Start: from, End: to, Page: page, Size: 20})
		if err != nil || len(p.Rejects) > 0 || len(p.Orders) == 0 {
			t.Fatalf("page %d: %d orders, rejects %+v, %v", page, len(p.Orders), p.Rejects, err)
		}
		total = p.Total
		orders = append(orders, p.Orders...)
	}
	if len(orders) != account.Len() {
		t.Fatalf("%d orders, want %d", len(orders), account.Len())
	}
	received := cmpopts.IgnoreFields(schema.Order{}, "Fingerprint", "FetchedAt", "Version", "Raw", "RawDetail", "ItemCount")
	for _, got := range orders {
		truth, ok := account.Order(got.OrderID)
		if !ok {
			t.Fatalf("order %s is invented", got.OrderID)
		}
		want := schema.Order{
			Stream: stream, OrderID: truth.OrderID, OrderType: truth.OrderType, PaymentStatus: truth.PaymentStatus, ProductCode: truth.ProductCode,
			SubscriptionType: truth.SubscriptionType, CreateTime: truth.CreateTime, PaymentTime: truth.PaymentTime,
			Amounts: schema.Amounts{PretaxGross: truth.PretaxGross, Pretax: truth.Pretax},
		}
		if d := cmp.Diff(want, got, money, received); d != "" {
			t.Fatalf("%s\n%s", got.Raw, d)
		}
		detail, err := c.Detail(t.Context(), "", got.OrderID)
		if err != nil || len(detail.Rejects) > 0 || len(detail.Items) != len(truth.Items) || detail.Order == nil {
			t.Fatalf("%+v, %v", detail, err)
		}
		if d := cmp.Diff(want, *detail.Order, money, received); d != "" {
			t.Fatalf("%s\n%s", detail.Raw, d)
		}
		for n, item := range truth.Items {
			got := detail.Items[n]
			want := schema.Item{
				Stream: stream, OrderID: truth.OrderID, ItemID: item.ItemID, OrderType: truth.OrderType, PaymentStatus: truth.PaymentStatus,
				ProductCode: truth.ProductCode, SubscriptionType: truth.SubscriptionType, PaymentTime: truth.PaymentTime,
				InstanceIDs: item.InstanceIDs, Region: item.Region, Quantity: decimal.NewNullDecimal(decimal.NewFromInt(int64(item.Quantity))),
				Config: item.Config, UsageStartTime: item.UsageStartTime, UsageEndTime: item.UsageEndTime,
				Amounts: schema.Amounts{PretaxGross: item.PretaxGross, Pretax: item.Pretax},
			}
			if d := cmp.Diff(want, got, money, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(schema.Item{}, "FetchedAt", "Version", "Raw", "CommodityCode", "ExtendInfos")); d != "" {
				t.Fatalf("%s\n%s", got.Raw, d)
			}
			if got.CommodityCode == "" || got.ExtendInfos["conf.地域"] == "" || got.ExtendInfos["orderNo"] == "" ||
				got.ExtendInfos["PayType"] == "" || got.ExtendInfos["UpdateTime"] == "" || got.ExtendInfos["PaidAmount"] != paid(truth) {
				t.Errorf("%+v", got)
			}
		}
	}
}

func TestRefusalsOfTheSimulator(t *testing.T) {
	t.Parallel()
	account := simulator.NewAccount(simulator.Options{Vendor: simulator.VendorUniCloud, Seed: 7, Orders: 30, From: from, To: to})
	s := simulator.New(account)
	if err := s.Start(":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	keys := account.Options()
	for want, secret := range map[source.Reason]string{source.OK: keys.AccessKeySecret, source.Auth: "wrong"} {
		c, err := unicloud.New(unicloud.Options{Options: source.Options{Account: "main", Endpoint: s.URL()}, AccessKeyID: keys.AccessKeyID, AccessKeySecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.List(t.Context(), source.Query{Start: from, End: to}); source.ReasonOf(err) != want {
			t.Errorf("%s: %v", want, err)
		}
		if want == source.OK {
			if _, err := c.Detail(t.Context(), "", "1"); source.ReasonOf(err) != source.BadRequest {
				t.Error(err)
			}
			account.SetQuota(simulator.Quota{List: 1})
			_, _ = c.List(t.Context(), source.Query{Start: from, End: to})
			if _, err := c.List(t.Context(), source.Query{Start: from, End: to}); source.ReasonOf(err) != source.Throttled {
				t.Error(err)
			}
			account.SetQuota(simulator.Quota{})
		}
		c.Close()
	}
}

// paid is what was paid of an order: all of it, or nothing. Numbers come without zeros at their end.
func paid(o simulator.Order) string {
	if o.PaymentStatus != "PAID" {
		return "0"
	}
	return o.Pretax.Decimal.String()
}
