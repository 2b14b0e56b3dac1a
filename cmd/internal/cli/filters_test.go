package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// An account with filters syncs those orders and no others, by every verb; what it shows says so.
func TestFilters(t *testing.T) {
	t.Parallel()
	for vendor, o := range map[string]simulator.Options{
		"bss": {Orders: 300}, "unicloud": {Orders: 300, Vendor: simulator.VendorUniCloud},
	} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldWith(t, o)
			ids := w.account.IDs(time.Time{}, time.Now().Add(-3*time.Hour))
			first, _ := w.account.Order(ids[0])
			all := "quota: {list: 1000, detail: 1000}"
			only := all + "\n    filters: {product_code: " + first.ProductCode + "}"
			w.configure("source: bss", "source: "+vendor, all, only)
			text, err := os.ReadFile(filepath.Join(w.dir, "ordersync.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			filtered := string(text)
			contains(t, w.run(0, "check").out, "only product_code="+first.ProductCode)
			w.run(0, "plan", "--from", "-24h")
			w.run(0, "backfill", "--from", "-24h")
			w.run(0, "verify")
			w.run(0, "verify", "--deep")
			contains(t, w.run(0, "status").out, "only product_code="+first.ProductCode)
			contains(t, w.run(0, "sql", "--format", "csv", "SELECT 'products', uniqExact(product_code) FROM orders").out, ",1")

			// Without the filters nothing of it is a proof any more, until all is listed again.
			w.write("ordersync.yaml", strings.Replace(filtered, only, all, 1))
			contains(t, w.run(1, "status").out, "listed with other filters")
			w.run(4, "verify")
			w.run(0, "backfill", "--from", "-24h")
			w.run(0, "verify", "--deep")
			w.run(0, "status")

			// And with them again, what is stored beside them is no difference.
			w.write("ordersync.yaml", filtered)
			w.run(4, "verify")
			w.run(0, "backfill", "--from", "-24h")
			w.run(0, "verify", "--deep", "--repair")
			contains(t, w.run(0, "sql", "--format", "csv", "SELECT 'disagree', countIf(NOT agrees) FROM window_audit").out, ",0")
			out := w.run(0, "sql", "--format", "csv", "SELECT uniqExact(product_code) > 1 FROM orders").out
			contains(t, out, "1")
		})
	}
}
