package domain_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/domain"
	"github.com/ordersync/ordersync/sync/source/keys"
)

var money = cmp.Comparer(func(a, b decimal.NullDecimal) bool { return a.Valid == b.Valid && a.Decimal.Equal(b.Decimal) })

// What the client reads is what the simulator, which shares no code with it, knows to be true, in both formats.
func TestRowsEqualTheTruth(t *testing.T) {
	t.Parallel()
	from := time.Date(2016, 5, 2, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 0, 7)
	account := simulator.NewAccount(simulator.Options{Vendor: simulator.VendorDomain, Seed: 7, Orders: 300, From: from, To: to, SecurityToken: "a+b/c="})
	s := simulator.New(account)
	if err := s.Start(":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	login := account.Options()
	stream := schema.Stream{Source: domain.Vendor, Account: "main"}
	statuses := map[string]bool{}
	for _, format := range []string{domain.JSON, domain.XML} {
		c, err := domain.New(domain.Options{Options: source.Options{Account: "main", Endpoint: s.URL()}, Format: format, Credentials: keys.Credentials{
			AccessKeyID: login.AccessKeyID, AccessKeySecret: login.AccessKeySecret, SecurityToken: login.SecurityToken,
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for _, id := range account.IDs(from, to) {
			truth, _ := account.Order(id)
			d, err := c.Detail(t.Context(), "", id)
			if err != nil || len(d.Rejects) > 0 || len(d.Items) != len(truth.Items) || d.Order == nil {
				t.Fatalf("%s: %+v, %v", id, d, err)
			}
			statuses[truth.PaymentStatus] = true
			want := schema.Order{
				Stream: stream, OrderID: id, OrderType: truth.OrderType, PaymentStatus: truth.PaymentStatus, ProductCode: truth.ProductCode,
				CreateTime: truth.CreateTime, PaymentTime: truth.PaymentTime, Amounts: schema.Amounts{Pretax: truth.Pretax}, ItemCount: uint32(len(truth.Items)),
			}
			if diff := cmp.Diff(want, *d.Order, money, cmpopts.IgnoreFields(schema.Order{}, "FetchedAt", "Version", "RawDetail")); diff != "" {
				t.Fatalf("%s\n%s", d.Raw, diff)
			}
			for n, item := range truth.Items {
				want := schema.Item{
					Stream: stream, OrderID: id, ItemID: item.ItemID, OrderType: truth.OrderType, PaymentStatus: truth.PaymentStatus,
					ProductCode: truth.ProductCode, PaymentTime: truth.PaymentTime, InstanceIDs: item.InstanceIDs,
					Quantity: decimal.NewNullDecimal(decimal.NewFromInt(int64(item.Quantity))), UsageEndTime: item.UsageEndTime,
					Amounts: schema.Amounts{Pretax: item.Pretax},
				}
				if diff := cmp.Diff(want, d.Items[n], money, cmpopts.IgnoreFields(schema.Item{}, "FetchedAt", "Version", "Raw", "ExtendInfos")); diff != "" {
					t.Fatalf("%s\n%s", d.Items[n].Raw, diff)
				}
			}
		}
		if _, err := c.Detail(t.Context(), "", "D1"); source.ReasonOf(err) != source.NotFound {
			t.Errorf("%s: %v", format, err)
		}
	}
	if !statuses["Paid"] || !statuses["Unpaid"] || !statuses["Cancelled"] {
		t.Errorf("%v", statuses)
	}
}
