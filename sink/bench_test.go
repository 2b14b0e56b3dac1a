package sink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// many makes a month of orders and their items as a vendor sends them, newest first.
func many(orders, items int) sink.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var b sink.Batch
	for n := range orders {
		o := order(0)
		o.OrderID = fmt.Sprint(211059788270709 + n*7919)
		o.CreateTime = day.Add(-time.Duration(n) * time.Second / 2)
		o.PaymentTime = o.CreateTime.Add(time.Minute)
		o.ProductCode = pick("rds", "ecs", "oss", "slb", "kafka", "redis", "mongodb", "cdn")
		o.OrderType = pick("New", "Renew", "Upgrade", "Refund")
		o.PaymentStatus = pick("Paid", "Paid", "Paid", "Unpaid", "Cancelled")
		cents := func() schema.Money { return schema.Money{Decimal: decimal.New(r.Int64N(1e7), -2), Valid: true} }
		o.Amounts = schema.Amounts{PretaxGross: cents(), Pretax: cents(), PretaxLocal: cents(), AfterTax: cents()}
		o.Fingerprint = r.Uint64()
		o.Raw = fmt.Sprintf(`{"OrderId":"%s","OrderType":"%s","PaymentStatus":"%s","ProductCode":"%s","ProductType":"%s",`+
			`"CommodityCode":"rds","SubscriptionType":"Subscription","CreateTime":"%s","PaymentTime":"%s","Currency":"CNY",`+
			`"PretaxGrossAmount":"%s","PretaxAmount":"%s","PretaxAmountLocal":"%s","AfterTaxAmount":"%s"}`, o.OrderID, o.OrderType,
			o.PaymentStatus, o.ProductCode, o.ProductType, o.CreateTime, o.PaymentTime, o.PretaxGross.Decimal, o.Pretax.Decimal,
			o.PretaxLocal.Decimal, o.AfterTax.Decimal)
		b.Orders = append(b.Orders, o)
	}
	for n := range items {
		i := item(b.Orders[n%orders], n/orders)
		i.InstanceIDs = []string{fmt.Sprintf("rm-%x", r.Uint64())}
		i.ExtendInfos = map[string]string{"zone": pick("a", "b", "c")}
		i.Amounts = b.Orders[n%orders].Amounts
		i.OriginalConfig = "DBInstanceClass:[DBInstanceClass:rds.mysql.s2.large;];DBInstanceStorage:[Storage:" + pick("20", "50", "100") + ";]"
		i.Raw = strings.Replace(b.Orders[n%orders].Raw, "{", `{"SubOrderId":"`+i.ItemID+`","InstanceIDs":"[\"`+i.InstanceIDs[0]+
			`\"]","Region":"cn-hangzhou","Quantity":"1","OriginalConfig":"`+i.OriginalConfig+`",`, 1)
		b.Items = append(b.Items, i)
	}
	return b
}

// BenchmarkWrite compares Write with what the driver does when it is handed finished columns of the same rows.
//
//	ratio        bare time / Write time
//	us/row       of Write
//	server-us/row CPU time of the server for the inserts of Write, as its profile events tell
func BenchmarkWrite(b *testing.B) {
	batch := many(100_000, 160_000)
	rows := len(batch.Orders) + len(batch.Items)
	bare := columnsOf(batch)
	var wrote, barely time.Duration
	var server int64
	for range b.N {
		s := open(b)
		ctx := countServerCPU(b.Context(), &server)
		start := time.Now()
		if err := s.Write(ctx, batch); err != nil {
			b.Fatal(err)
		}
		wrote += time.Since(start)
		other := open(b)
		start = time.Now()
		bare.insert(b, other.Conn())
		barely += time.Since(start)
		if n, m := number(b, s.Conn(), "SELECT sum(cityHash64(tuple(*))) FROM orders"), number(b, other.Conn(), "SELECT sum(cityHash64(tuple(*))) FROM orders"); n != m {
			b.Fatal("the two ways do not store the same orders")
		}
		if n, m := number(b, s.Conn(), "SELECT sum(cityHash64(tuple(*))) FROM order_items"), number(b, other.Conn(), "SELECT sum(cityHash64(tuple(*))) FROM order_items"); n != m {
			b.Fatal("the two ways do not store the same items")
		}
	}
	b.ReportMetric(barely.Seconds()/wrote.Seconds(), "ratio")
	b.ReportMetric(wrote.Seconds()*1e6/float64(b.N*rows), "us/row")
	b.ReportMetric(float64(server)/float64(b.N*rows), "server-us/row")
	b.ReportMetric(barely.Seconds()*1e6/float64(b.N*rows), "bare-us/row")
}

// countServerCPU adds the CPU time of the server, in microseconds, for what is done with the context.
func countServerCPU(ctx context.Context, us *int64) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithProfileEvents(func(events []clickhouse.ProfileEvent) {
		for _, e := range events {
			// Events come by thread and once more for the query (thread 0).
			if e.ThreadID == 0 && (e.Name == "UserTimeMicroseconds" || e.Name == "SystemTimeMicroseconds") {
				*us += e.Value
			}
		}
	}))
}

// BenchmarkBatch writes, again and again, a batch of the size that a backfill writes, and reports what a row takes of this
// process, where ClickHouse is not.
func BenchmarkBatch(b *testing.B) {
	s := open(b)
	batch := many(2_700, 4_300)
	rows := float64(len(batch.Orders) + len(batch.Items))
	var server int64
	ctx := countServerCPU(b.Context(), &server)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processCPU()
	for b.Loop() {
		if err := s.Write(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric((processCPU()-cpu).Seconds()*1e6/float64(b.N)/rows, "cpu-us/row")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/rows, "B/row")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N)/rows, "allocs/row")
	b.ReportMetric(float64(server)/float64(b.N)/rows, "server-us/row")
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type bareTable struct {
	query   string
	columns []any
}

type bareTables []bareTable

func (tables bareTables) insert(b *testing.B, conn driver.Conn) {
	for _, t := range tables {
		ctx := clickhouse.Context(b.Context(), clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0}))
		batch, err := conn.PrepareBatch(ctx, t.query)
		if err != nil {
			b.Fatal(err)
		}
		for i, c := range t.columns {
			if err := batch.Column(i).Append(c); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			b.Fatal(err)
		}
	}
}

func col[T, V any](rows []T, value func(*T) V) []V {
	out := make([]V, len(rows))
	for i := range rows {
		out[i] = value(&rows[i])
	}
	return out
}

// columnsOf makes the columns once, by month and at most 100,000 rows an insert, as the sink does.
func columnsOf(b sink.Batch) (out bareTables) {
	dec := func(m schema.Money) *decimal.Decimal {
		if !m.Valid {
			return nil
		}
		return &m.Decimal
	}
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	items := byMonth(b.Items, func(i *schema.Item) time.Time { return i.CreateTime })
	for _, r := range items {
		type T = schema.Item
		out = append(out, bareTable{`INSERT INTO order_item_rows (source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type,
			payment_status, product_code, product_type, commodity_code, subscription_type, create_time, payment_time, currency,
			payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount, instance_ids, region,
			quantity, config, original_config, operator, usage_start_time, usage_end_time, extend_infos, bill_module_config,
			original_module_config, fetched_at, version, is_deleted, raw)`, []any{
			col(r, func(i *T) string { return i.Source }), col(r, func(i *T) string { return i.Account }),
			col(r, func(i *T) string { return i.OwnerID }), col(r, func(i *T) string { return i.OrderID }),
			col(r, func(i *T) string { return i.ItemID }), col(r, func(i *T) string { return i.RelatedOrderID }),
			col(r, func(i *T) string { return i.OrderType }), col(r, func(i *T) string { return i.OrderSubType }),
			col(r, func(i *T) string { return i.PaymentStatus }), col(r, func(i *T) string { return i.ProductCode }),
			col(r, func(i *T) string { return i.ProductType }), col(r, func(i *T) string { return i.CommodityCode }),
			col(r, func(i *T) string { return i.SubscriptionType }), col(r, func(i *T) time.Time { return i.CreateTime }),
			col(r, func(i *T) *time.Time { return at(i.PaymentTime) }), col(r, func(i *T) string { return i.Currency }),
			col(r, func(i *T) string { return i.PaymentCurrency }), col(r, func(i *T) *decimal.Decimal { return dec(i.PretaxGross) }),
			col(r, func(i *T) *decimal.Decimal { return dec(i.Pretax) }), col(r, func(i *T) *decimal.Decimal { return dec(i.PretaxLocal) }),
			col(r, func(i *T) *decimal.Decimal { return dec(i.Tax) }), col(r, func(i *T) *decimal.Decimal { return dec(i.AfterTax) }),
			col(r, func(i *T) []string { return i.InstanceIDs }), col(r, func(i *T) string { return i.Region }),
			col(r, func(i *T) *decimal.Decimal { return dec(i.Quantity) }), col(r, func(i *T) string { return i.Config }),
			col(r, func(i *T) string { return i.OriginalConfig }), col(r, func(i *T) string { return i.Operator }),
			col(r, func(i *T) *time.Time { return at(i.UsageStartTime) }), col(r, func(i *T) *time.Time { return at(i.UsageEndTime) }),
			col(r, func(i *T) map[string]string { return i.ExtendInfos }), col(r, func(i *T) string { return i.BillModuleConfig }),
			col(r, func(i *T) string { return i.OriginalModuleConfig }), col(r, func(i *T) time.Time { return i.FetchedAt }),
			col(r, func(i *T) uint64 { return i.Version }), col(r, func(*T) uint8 { return 0 }), col(r, func(i *T) string { return i.Raw }),
		}})
	}
	for _, r := range byMonth(b.Orders, func(o *schema.Order) time.Time { return o.CreateTime }) {
		type T = schema.Order
		out = append(out, bareTable{`INSERT INTO order_rows (source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
			product_type, commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
			pretax_amount, pretax_amount_local, tax, after_tax_amount, fingerprint, detail_status, items, fetched_at, version, is_deleted,
			raw, raw_detail)`, []any{
			col(r, func(o *T) string { return o.Source }), col(r, func(o *T) string { return o.Account }),
			col(r, func(o *T) string { return o.OwnerID }), col(r, func(o *T) string { return o.OrderID }),
			col(r, func(o *T) string { return o.RelatedOrderID }), col(r, func(o *T) string { return o.OrderType }),
			col(r, func(o *T) string { return o.PaymentStatus }), col(r, func(o *T) string { return o.ProductCode }),
			col(r, func(o *T) string { return o.ProductType }), col(r, func(o *T) string { return o.CommodityCode }),
			col(r, func(o *T) string { return o.SubscriptionType }), col(r, func(o *T) time.Time { return o.CreateTime }),
			col(r, func(o *T) *time.Time { return at(o.PaymentTime) }), col(r, func(o *T) string { return o.Currency }),
			col(r, func(o *T) string { return o.PaymentCurrency }), col(r, func(o *T) *decimal.Decimal { return dec(o.PretaxGross) }),
			col(r, func(o *T) *decimal.Decimal { return dec(o.Pretax) }), col(r, func(o *T) *decimal.Decimal { return dec(o.PretaxLocal) }),
			col(r, func(o *T) *decimal.Decimal { return dec(o.Tax) }), col(r, func(o *T) *decimal.Decimal { return dec(o.AfterTax) }),
			col(r, func(o *T) uint64 { return o.Fingerprint }), col(r, func(o *T) string { return o.DetailStatus }),
			col(r, func(o *T) uint32 { return o.ItemCount }), col(r, func(o *T) time.Time { return o.FetchedAt }), col(r, func(o *T) uint64 { return o.Version }),
			col(r, func(*T) uint8 { return 0 }), col(r, func(o *T) string { return o.Raw }), col(r, func(o *T) string { return o.RawDetail }),
		}})
	}
	return out
}

func byMonth[T any](rows []T, created func(*T) time.Time) (out [][]T) {
	index := map[string]int{}
	for i := range rows {
		month := created(&rows[i]).Format("200601")
		n, ok := index[month]
		if !ok || len(out[n]) == 100_000 {
			n = len(out)
			index[month] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], rows[i])
	}
	return out
}
