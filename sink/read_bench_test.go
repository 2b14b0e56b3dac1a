package sink_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// rowsVariable turns BenchmarkRead on: how many orders it makes; there are three times as many line items.
const rowsVariable = "ORDERSYNC_BENCH_ROWS"

// netOfPlain is what the view spend calls net, as somebody would write it for the table plain_items.
const netOfPlain = "multiIf(order_type = 'Refund' OR order_sub_type = 'RefundSubOrder', -abs(pretax_amount), payment_status = 'Paid', pretax_amount, 0)"

// readQueries are the cookbook's aggregate queries, on the views and on plain tables without duplicates. Both must
// give the same.
var readQueries = []struct{ name, view, plain string }{
	{"cost-by-month",
		"SELECT toStartOfMonth(create_time) AS month, currency, payment_status, count(), sum(pretax_amount) FROM orders GROUP BY ALL",
		"SELECT toStartOfMonth(create_time) AS month, currency, payment_status, count(), sum(pretax_amount) FROM plain_orders GROUP BY ALL"},
	{"unpaid",
		"SELECT currency, count(), sum(pretax_amount) FROM unpaid_orders GROUP BY ALL",
		"SELECT currency, count(), sum(pretax_amount) FROM plain_orders WHERE payment_status = 'Unpaid' GROUP BY ALL"},
	{"operators",
		"SELECT operator, currency, uniqExact(order_id), min(create_time), max(create_time), sum(net) FROM spend WHERE operator != '' GROUP BY operator, currency",
		"SELECT operator, currency, uniqExact(order_id), min(create_time), max(create_time), sum(" + netOfPlain + ") FROM plain_items WHERE operator != '' GROUP BY operator, currency"},
	{"spend-by-day",
		"SELECT day, currency, sum(paid), sum(refunded), sum(net) FROM spend GROUP BY day, currency",
		"SELECT toDate(create_time) AS day, currency, sum(if(payment_status = 'Paid', pretax_amount, 0)), sum(if(order_type = 'Refund', abs(pretax_amount), 0)), sum(" + netOfPlain + ") FROM plain_items GROUP BY day, currency"},
	{"spend-by-region",
		"SELECT product_code, region, currency, sum(net) FROM spend GROUP BY ALL",
		"SELECT product_code, region, currency, sum(" + netOfPlain + ") FROM plain_items GROUP BY ALL"},
	{"spend-by-product-name",
		"SELECT product_code, product_name, region, currency, sum(net) FROM spend GROUP BY ALL",
		"SELECT product_code, product_name, region, currency, sum(" + netOfPlain + ") FROM plain_items AS i " +
			"LEFT ANY JOIN products AS p ON p.account = i.account AND p.product_code = i.product_code AND p.product_type = i.product_type " +
			"AND p.subscription_type = i.subscription_type GROUP BY ALL"},
	{"do-not-add-up",
		"SELECT countIf(difference != 0), countIf(difference = 0), max(abs(difference)) FROM order_amount_differences",
		"SELECT countIf(o.pretax_amount - i.amount != 0), countIf(o.pretax_amount - i.amount = 0), max(abs(o.pretax_amount - i.amount)) " +
			"FROM plain_orders AS o LEFT JOIN (SELECT account, create_time, order_id, sum(pretax_amount) AS amount FROM plain_items " +
			"GROUP BY account, create_time, order_id) AS i ON i.account = o.account AND i.create_time = o.create_time AND i.order_id = o.order_id"},
}

// BenchmarkRead compares the views with plain tables: how many times longer a query of the cookbook takes. The tables are
// as a daemon leaves them: old months merged to one part, as their setting makes it in an hour, and in the two
// newest 5 % of the orders have a second version, in thirty parts that were not merged yet.
//
//	ORDERSYNC_BENCH_ROWS=10000000 go test -run '^$' -bench BenchmarkRead -benchtime 1x -timeout 1h ./sink
//
//	NAME         fastest time on the view / fastest time on the plain table, of two to five each in turns
//	NAME-cpu     the same of the server's CPU time
//	NAME-stored  fastest time on spend_stored / fastest time on the plain table
func BenchmarkRead(b *testing.B) {
	orders, err := strconv.Atoi(os.Getenv(rowsVariable))
	if err != nil {
		b.Skipf("set %s to the number of orders", rowsVariable)
	}
	addr, database := warehousetest.Database(b)
	s := openAt(b, addr, database)
	conn := s.Conn()
	fillToRead(b, conn, orders)
	var products []schema.Product
	for n, code := range strings.Split(benchCodes, ",") {
		for _, subscription := range []string{"Subscription", "PayAsYouGo"} {
			for k := range 18 { // about as many as the vendor's list has
				products = append(products, schema.Product{Source: "bss", Account: "main", ProductCode: code, ProductType: code + strings.Repeat("_", k),
					SubscriptionType: subscription, ProductName: fmt.Sprint("Product ", n), FetchedAt: day, Version: 1})
			}
		}
	}
	if err := s.WriteProducts(b.Context(), products); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	openAt(b, addr, database, func(c *sink.Config) { c.Refresh = time.Hour })
	say("%-22s %v", "spend_stored filled", time.Since(start).Round(time.Second))
	for range b.N {
		for _, q := range readQueries {
			var view, plain, stored cost
			ofStored := strings.Replace(q.view, "FROM spend ", "FROM spend_stored ", 1)
			begin := time.Now()
			for n := 0; n < 5 && (n < 2 || time.Since(begin) < 20*time.Second); n++ {
				of, on := view.take(b, conn, q.view), plain.take(b, conn, q.plain)
				if of != on {
					b.Fatalf("%s: the view and the plain table do not give the same", q.name)
				}
				if ofStored != q.view && stored.take(b, conn, ofStored) != on {
					b.Fatalf("%s: the stored view and the plain table do not give the same", q.name)
				}
			}
			b.ReportMetric(float64(view.time)/float64(plain.time), q.name)
			b.ReportMetric(float64(view.cpu)/float64(plain.cpu), q.name+"-cpu")
			if ofStored != q.view {
				b.ReportMetric(float64(stored.time)/float64(plain.time), q.name+"-stored")
			}
			say("%-22s stored %8v (CPU %8v)  view %8v (CPU %8v)  plain %8v (CPU %8v)", q.name, stored.time.Round(time.Millisecond), stored.cpu.Round(time.Millisecond), view.time.Round(time.Millisecond), view.cpu.Round(time.Millisecond),
				plain.time.Round(time.Millisecond), plain.cpu.Round(time.Millisecond))
		}
	}
}

// say shows how far a benchmark of many minutes is; its own log comes at the end only.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// cost is the least that a query took.
type cost struct{ time, cpu time.Duration }

// take runs a query and gives a digest of its rows.
func (c *cost) take(b *testing.B, conn driver.Conn, query string) (digest uint64) {
	b.Helper()
	var cpu time.Duration
	ctx := clickhouse.Context(b.Context(), clickhouse.WithProfileEvents(func(events []clickhouse.ProfileEvent) {
		for _, e := range events { // by thread, and once more for the query (thread 0)
			if e.ThreadID == 0 && (e.Name == "UserTimeMicroseconds" || e.Name == "SystemTimeMicroseconds") {
				cpu += time.Duration(e.Value) * time.Microsecond
			}
		}
	}))
	start := time.Now()
	if err := conn.QueryRow(ctx, "SELECT sum(cityHash64(toString(tuple(*)))) FROM ("+query+")").Scan(&digest); err != nil {
		b.Fatalf("%v\n%s", err, query)
	}
	took := time.Since(start)
	if c.time == 0 || took < c.time {
		c.time = took
	}
	if c.cpu == 0 || cpu < c.cpu {
		c.cpu = cpu
	}
	return digest
}

const benchCodes = "ecs,rds,oss,slb,cdn,redisa,polardb,eip,disk,alikafka,csk,sms"

// fillToRead makes the rows of three years on the server itself. Payloads are short: none of the queries reads them.
func fillToRead(b *testing.B, conn driver.Conn, orders int) {
	b.Helper()
	run := func(query string, settings clickhouse.Settings) {
		b.Helper()
		if err := conn.Exec(clickhouse.Context(b.Context(), clickhouse.WithSettings(settings)), query); err != nil {
			b.Fatalf("%v\n%s", err, query)
		}
	}
	// A statement that takes minutes ends in a time-out, so that long work is done by parts.
	const part = 1_000_000
	parts := func(rows int, query string, settings clickhouse.Settings) {
		b.Helper()
		start := time.Now()
		for from := 0; from < rows; from += part {
			run(fmt.Sprintf("%s FROM numbers(%d, %d)", query, from, min(part, rows-from)), settings)
		}
		say("%.30s…: %v", query, time.Since(start).Round(time.Second))
	}
	fill := clickhouse.Settings{"max_partitions_per_insert_block": 1000, "max_insert_threads": 1}
	wait := clickhouse.Settings{"alter_sync": 2}
	run("DROP VIEW order_versions_feed", nil) // nothing here reads the history
	// What an order has, by its number n. Unpaid ones are of the last eight days: the vendor cancels older ones.
	const years = 94_600_000 // seconds
	common := fmt.Sprintf(`intHash64(n) AS h, splitByChar(',', '%s')[h %% 12 + 1] AS code,
		toDateTime64('2022-01-01 00:00:00', 3, 'UTC') + toIntervalSecond(intDiv(n * %d, %d)) AS created,
		['New', 'New', 'New', 'Renew', 'Renew', 'Upgrade', 'Refund', 'New'][h %% 8 + 1] AS type,
		multiIf(type = 'Refund', '', h %% 5 > 0, 'Paid', n < %d, 'Cancelled', 'Unpaid') AS status,
		if(h %% 3 = 0, 'PayAsYouGo', 'Subscription') AS subscription, if(h %% 53 = 7, 'USD', 'CNY') AS money,
		toDecimal128(h %% 2000000, 12) / 300 AS third, toString(200000000000000 + n * 37) AS id`, benchCodes, years, orders, orders-orders/140)
	const shared = `source, account, order_id, order_type, payment_status, product_code, product_type, commodity_code, subscription_type,
		create_time, payment_time, currency, fetched_at, version, raw`
	const values = `'bss', 'main', id, type, status, code, code, code, subscription, created, created + 60, money, created + 3600, 1, '{}'`
	parts(orders, fmt.Sprintf(`INSERT INTO order_rows (%s, pretax_amount, after_tax_amount, fingerprint, detail_status, items)
		WITH number AS n, %s SELECT %s, 3 * third, 3 * third, h, 'ok', 3`, shared, common, values), fill)
	parts(3*orders, fmt.Sprintf(`INSERT INTO order_item_rows (%s, item_id, order_sub_type, pretax_amount, after_tax_amount, instance_ids, region, operator,
			usage_start_time, usage_end_time)
		WITH intDiv(number, 3) AS n, %s, intHash64(number) AS g
		SELECT %s, toString(200000000000000 + n * 37 + number %% 3), if(type = 'Refund', 'RefundSubOrder', 'ProductSubOrder'), third, third,
			[concat('i-', lower(hex(g)))], ['cn-hangzhou', 'cn-shanghai', 'cn-beijing', 'ap-southeast-1', 'us-west-1'][g %% 5 + 1],
			if(g %% 3 = 0, '', toString(204837465920183746 + g %% 40)), created, created + toIntervalMonth(1 + g %% 12)`,
		shared, common, values), fill)

	const plain = "account, create_time, order_id, order_type, payment_status, product_code, product_type, subscription_type, currency, pretax_amount"
	for _, t := range []struct{ plain, rows, view, key, more string }{
		{"plain_orders", "order_rows", "orders", "account, create_time, order_id", ""},
		{"plain_items", "order_item_rows", "order_items", "account, create_time, order_id, item_id", ", item_id, order_sub_type, region, operator"},
	} {
		start := time.Now()
		from := fmt.Sprintf("SELECT %s%s FROM %s WHERE ", plain, t.more, t.view)
		run(fmt.Sprintf("CREATE TABLE %s ENGINE = MergeTree PARTITION BY toYYYYMM(create_time) ORDER BY (%s) AS %s 0", t.plain, t.key, from), nil)
		for month := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC); month.Year() < 2025; month = month.AddDate(0, 1, 0) {
			id := month.Format("200601")
			run("INSERT INTO "+t.plain+" "+from+" toYYYYMM(create_time) = "+id, fill)
			run("OPTIMIZE TABLE "+t.plain+" PARTITION ID '"+id+"' FINAL", wait)
			run("OPTIMIZE TABLE "+t.rows+" PARTITION ID '"+id+"' FINAL", wait)
		}
		say("%s and %s: %v", t.plain, t.rows, time.Since(start).Round(time.Second))
		run("SYSTEM STOP MERGES "+t.rows, nil)
		for tick := range 30 { // each one has changes of two days
			run(fmt.Sprintf(`INSERT INTO %s SELECT * REPLACE (version + 1 AS version) FROM %s FINAL
				WHERE cityHash64(order_id) %% 20 = 0 AND create_time >= toDateTime64('2022-01-01 00:00:00', 3, 'UTC') + toIntervalSecond(%d)
				AND create_time < toDateTime64('2022-01-01 00:00:00', 3, 'UTC') + toIntervalSecond(%d)`,
				t.rows, t.rows, years-(30-tick)*2*86400, years-(29-tick)*2*86400), fill)
		}
	}
}
