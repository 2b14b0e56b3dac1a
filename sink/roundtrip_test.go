package sink_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

var (
	early   = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	late    = time.Date(2299, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
	exactly = cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })
)

// everyColumn is an order and its items with the values that are hardest to keep.
func everyColumn() (schema.Order, []schema.Item) {
	odd := "“ünï” 订单 \x00 \t\n\\'\"` 🧾"
	o := schema.Order{
		Stream:  schema.Stream{Source: "unicloud", Account: "a'c\\count", OwnerID: "1234567890123456"},
		OrderID: "o-" + odd, RelatedOrderID: "r", OrderType: "Renew", PaymentStatus: "Unpaid", ProductCode: "ecs",
		ProductType: odd, CommodityCode: "vm", SubscriptionType: "PayAsYouGo",
		CreateTime:  time.Date(2024, 2, 29, 23, 59, 59, 999_000_000, time.UTC),
		PaymentTime: late, Currency: "CNY", PaymentCurrency: "USD",
		Amounts: schema.Amounts{
			PretaxGross: amount("99999999999999999999999999.999999999999"),
			Pretax:      amount("-99999999999999999999999999.999999999999"),
			PretaxLocal: amount("0.000000000001"),
			Tax:         amount("-0.000000000001"),
			AfterTax:    amount("12345678901234567.89"),
		},
		Fingerprint: 1<<64 - 1, DetailStatus: schema.DetailPending, ItemCount: 1<<32 - 1, FetchedAt: early, Version: 1<<64 - 2,
		Raw: strings.Repeat("x订", 1<<18), RawDetail: odd,
	}
	full := schema.Item{
		Stream: o.Stream, OrderID: o.OrderID, ItemID: "1", RelatedOrderID: "r", OrderType: "Renew", OrderSubType: "sub",
		PaymentStatus: "Unpaid", ProductCode: "ecs", ProductType: "t", CommodityCode: "vm", SubscriptionType: "s",
		CreateTime: o.CreateTime, PaymentTime: early, Currency: "CNY", PaymentCurrency: "JPY",
		Amounts: schema.Amounts{
			PretaxGross: amount("1e25"), Pretax: amount("0"), PretaxLocal: amount("9223372036854775807"),
			Tax: amount("-9223372036854775808"), AfterTax: amount("0.1"),
		},
		InstanceIDs: []string{"i-1", "", odd}, Region: "cn-shanghai", Quantity: amount("1.5"), Config: odd,
		OriginalConfig: "Module:[Key:Val;]", Operator: "ram",
		UsageStartTime: time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC),
		UsageEndTime:   time.Date(2122, 1, 1, 16, 0, 0, 0, time.UTC),
		ExtendInfos:    map[string]string{"a": "1", odd: odd, "": ""}, BillModuleConfig: "{}", OriginalModuleConfig: "[]",
		FetchedAt: late, Version: 1, Raw: strings.Repeat("r", 1<<20),
	}
	empty := schema.Item{Stream: o.Stream, OrderID: o.OrderID, ItemID: "2", CreateTime: o.CreateTime, FetchedAt: early}
	return o, []schema.Item{full, empty}
}

func TestRoundTripOfEveryColumn(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]string{"compressed": "localhost", "local": "127.0.0.1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, database := warehousetest.Database(t)
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, openAt(t, net.JoinHostPort(host, port), database))
		})
	}
}

func roundTrip(t *testing.T, s *sink.Sink) {
	o, items := everyColumn()
	bare := schema.Order{Stream: o.Stream, OrderID: "bare", CreateTime: o.CreateTime.Add(time.Millisecond), FetchedAt: late}
	write(t, s, sink.Batch{Orders: []schema.Order{bare, o}, Items: items})

	orders, err := s.Orders(t.Context(), o.Stream, o.CreateTime, o.CreateTime.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]schema.Order{o, bare}, orders, exactly); diff != "" {
		t.Errorf("orders differ (-written +read):\n%s", diff)
	}
	got, err := s.ItemsByOrder(t.Context(), o.Stream, o.CreateTime, o.CreateTime.Add(time.Second), []string{o.OrderID})
	if err != nil {
		t.Fatal(err)
	}
	items[1].InstanceIDs, items[1].ExtendInfos = []string{}, map[string]string{}
	if diff := cmp.Diff(items, got, exactly); diff != "" {
		t.Errorf("items differ (-written +read):\n%s", diff)
	}
	// What the server itself says, without the driver's conversions in between.
	for query, want := range map[string]string{
		"SELECT toString(payment_time), toString(fetched_at), toString(pretax_amount) FROM orders WHERE order_id != 'bare'": "('2299-12-31 23:59:59.999','1900-01-01 00:00:00.000','-99999999999999999999999999.999999999999')",
		"SELECT toString(usage_end_time), length(instance_ids), length(extend_infos) FROM order_items WHERE item_id = '1'":  "('2122-01-01 16:00:00.000',3,3)",
		"SELECT payment_time, tax, raw FROM orders WHERE order_id = 'bare'":                                                 "(NULL,NULL,'')",
		"SELECT quantity, usage_end_time, instance_ids, extend_infos FROM order_items WHERE item_id = '2'":                  "(NULL,NULL,[],{})",
	} {
		if got := texts(t, s.Conn(), query); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, want %s", query, got, want)
		}
	}
}
