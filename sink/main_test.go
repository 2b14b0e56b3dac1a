package sink_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

// open opens a sink on a fresh database.
func open(t testing.TB, configure ...func(*sink.Config)) *sink.Sink {
	t.Helper()
	addr, database := warehousetest.Database(t)
	return openAt(t, addr, database, configure...)
}

func openAt(t testing.TB, addr, database string, configure ...func(*sink.Config)) *sink.Sink {
	t.Helper()
	cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	for _, f := range configure {
		f(&cfg)
	}
	s, err := sink.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func write(t testing.TB, s *sink.Sink, b sink.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// texts returns the first column of a query's result, each value as text.
func texts(t testing.TB, conn driver.Conn, query string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT toString(tuple(*)) FROM ("+query+")", args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return out
}

func number(t testing.TB, conn driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), "SELECT toUInt64(("+query+"))").Scan(&n); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return n
}

func exec(t testing.TB, conn driver.Conn, query string) {
	t.Helper()
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	if err := conn.Exec(ctx, query); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
}

var (
	stream = schema.Stream{Source: "bss", Account: "main"}
	day    = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
)

func amount(s string) schema.Money {
	return schema.Money{Decimal: decimal.RequireFromString(s), Valid: true}
}

// order is an order of the n-th minute of the day.
func order(n int) schema.Order {
	created := day.Add(time.Duration(n) * time.Minute)
	return schema.Order{
		Stream: stream, OrderID: fmt.Sprintf("2110597882%05d", n), OrderType: "New", PaymentStatus: "Paid",
		ProductCode: "rds", ProductType: "rds", CommodityCode: "rds", SubscriptionType: "Subscription",
		CreateTime: created, PaymentTime: created.Add(time.Second), Currency: "CNY",
		Amounts:     schema.Amounts{Pretax: amount("10.5"), PretaxGross: amount("12")},
		Fingerprint: uint64(n) + 1, DetailStatus: schema.DetailOK, FetchedAt: created.Add(time.Hour), Version: 1,
		Raw: fmt.Sprintf(`{"OrderId":"2110597882%05d"}`, n),
	}
}

// item is the k-th line item of an order.
func item(o schema.Order, k int) schema.Item {
	return schema.Item{
		Stream: o.Stream, OrderID: o.OrderID, ItemID: fmt.Sprintf("%s-%d", o.OrderID, k), OrderType: o.OrderType,
		OrderSubType: "ProductSubOrder", PaymentStatus: o.PaymentStatus, ProductCode: o.ProductCode,
		CreateTime: o.CreateTime, PaymentTime: o.PaymentTime, Currency: o.Currency,
		Amounts: schema.Amounts{Pretax: amount("10.5")}, InstanceIDs: []string{"rm-1"}, Region: "cn-hangzhou",
		Quantity: amount("1"), UsageStartTime: o.CreateTime, UsageEndTime: o.CreateTime.AddDate(100, 0, 0),
		FetchedAt: o.FetchedAt, Version: o.Version, Raw: "{}",
	}
}

// readable is a view as a query reads it; one that is as of a moment, as of now, and by no function that a cache refuses.
func readable(view string) string {
	if strings.HasSuffix(view, schema.AsOf) {
		return view + "(moment = '" + time.Now().UTC().Format("2006-01-02 15:04:05.000") + "')"
	}
	return view
}

func equal[T any](t testing.TB, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("not as expected (-want +got):\n%s", diff)
	}
}

// readRows is the number of rows that the server reads for a query.
func readRows(t testing.TB, s *sink.Sink, query string) (read uint64) {
	t.Helper()
	ctx := clickhouse.Context(t.Context(), clickhouse.WithProgress(func(p *clickhouse.Progress) { read += p.Rows }))
	rows, err := s.Conn().Query(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return read
}
