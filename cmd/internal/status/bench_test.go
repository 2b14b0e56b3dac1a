package status_test

import (
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// BenchmarkBuild makes reports of an account with a million orders over two years, and a year of runs.
func BenchmarkBuild(b *testing.B) {
	addr, database := sinktest.Database(b)
	s, err := sink.Open(b.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, query := range []string{
		`INSERT INTO order_rows (source, account, order_id, payment_status, product_code, create_time, currency, pretax_amount, detail_status,
			fetched_at, version, raw) SELECT 'bss', 'main', toString(number), 'Paid', 'p' || toString(number % 40),
			toDateTime64('2024-11-26 00:00:00', 3, 'UTC') + toIntervalSecond(number * 63), 'CNY', number % 1000, 'ok', now(), 1, ''
			FROM numbers(1000000) SETTINGS max_partitions_per_insert_block = 100`,
		`INSERT INTO sync_window_rows (source, account, window_start, window_end, verdict, stored, version) SELECT 'bss', 'main',
			toDateTime64('2024-11-26 00:00:00', 3, 'UTC') + toIntervalHour(number) AS at, at + toIntervalHour(1), 'complete', 57, 1
			FROM numbers(17510)`,
		`INSERT INTO sync_run_rows (id, kind, state, started_at, updated_at, finished_at, version) SELECT toString(number), 'tick',
			if(number % 1000 = 0, 'failed', 'ok'), toDateTime64('2025-11-25 00:00:00', 3, 'UTC') + toIntervalMinute(5 * number) AS at, at, at, 1
			FROM numbers(105000)`,
	} {
		if err := s.Conn().Exec(b.Context(), query); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		r, err := status.Build(b.Context(), config.Default().Schedule, nil, s, now, status.Query{})
		if err != nil || len(r.Failures) != 20 || len(r.Spend) != 1 || r.Spend[0].Orders < 35_000 || len(r.Accounts[0].Coverage) != 35 {
			b.Fatalf("%v: %+v", err, r)
		}
	}
}
