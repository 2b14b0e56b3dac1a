package sink_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink"
)

func TestLever(t *testing.T) {
	all := many(50_000, 80_000)
	levers := map[string][]string{
		"0 base":      nil,
		"1 no mv":     {"DROP VIEW order_versions_feed"},
		"2 no index":  {"ALTER TABLE order_rows DROP INDEX order_id_bloom", "ALTER TABLE order_rows DROP INDEX detail_status_set", "ALTER TABLE order_rows DROP INDEX payment_status_set", "ALTER TABLE order_item_rows DROP INDEX order_id_bloom", "ALTER TABLE order_versions DROP INDEX order_id_bloom"},
		"3 no merges": {"SYSTEM STOP MERGES order_rows", "SYSTEM STOP MERGES order_item_rows", "SYSTEM STOP MERGES order_versions"},
		"4 raw lz4":   {"ALTER TABLE order_rows MODIFY COLUMN raw CODEC(LZ4)", "ALTER TABLE order_item_rows MODIFY COLUMN raw CODEC(LZ4), MODIFY COLUMN config CODEC(LZ4), MODIFY COLUMN original_config CODEC(LZ4)", "ALTER TABLE order_versions MODIFY COLUMN raw CODEC(LZ4)"},
		"5 no stats":  {"ALTER TABLE order_rows MODIFY SETTING auto_statistics_types=''", "ALTER TABLE order_item_rows MODIFY SETTING auto_statistics_types=''", "ALTER TABLE order_versions MODIFY SETTING auto_statistics_types=''"},
		"6 compact":   {"ALTER TABLE order_rows MODIFY SETTING min_bytes_for_wide_part=100000000", "ALTER TABLE order_item_rows MODIFY SETTING min_bytes_for_wide_part=100000000", "ALTER TABLE order_versions MODIFY SETTING min_bytes_for_wide_part=100000000"},
		"7 no sparse": {"ALTER TABLE order_rows MODIFY SETTING ratio_of_defaults_for_sparse_serialization=1", "ALTER TABLE order_item_rows MODIFY SETTING ratio_of_defaults_for_sparse_serialization=1", "ALTER TABLE order_versions MODIFY SETTING ratio_of_defaults_for_sparse_serialization=1"},
	}
	for _, name := range strings.Split(os.Getenv("LEVERS"), ",") {
		for k, ddl := range levers {
			if !strings.HasPrefix(k, name) {
				continue
			}
			s := open(t)
			for _, q := range ddl {
				if err := s.Conn().Exec(t.Context(), q); err != nil {
					t.Error(q, err)
				}
			}
			events := func() (n uint64) {
				_ = s.Conn().QueryRow(t.Context(), "SELECT sum(value) FROM system.events WHERE event IN ('UserTimeMicroseconds', 'SystemTimeMicroseconds')").Scan(&n)
				return
			}
			before := events()
			var ins int64
			ctx := countServerCPU(t.Context(), &ins)
			c := processCPU()
			n := 17_000
			for at := 0; at < 50_000; at += n {
				to := min(at+n, 50_000)
				b := sink.Batch{Orders: all.Orders[at:to], Items: all.Items[at*8/5 : to*8/5]}
				if err := s.Write(ctx, b); err != nil {
					t.Fatal(err)
				}
			}
			c = processCPU() - c
			time.Sleep(3 * time.Second)
			fmt.Printf("%-12s server %5.2f s, of which inserts %5.2f; own %5.2f\n", k, float64(events()-before)/1e6, float64(ins)/1e6, c.Seconds())
		}
	}
}
