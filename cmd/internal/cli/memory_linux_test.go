package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// ordersVariable adds a number of orders to those of BenchmarkBackfillOfAYear, such as 1000000.
const ordersVariable = "ORDERSYNC_BENCH_ORDERS"

// BenchmarkBackfillOfAYear runs the program, with quotas lifted, over a year of orders. The vendor and ClickHouse are
// processes of their own. Reported: the most memory that the program ever had resident, and the most active parts that
// any partition has when it is done; 20 or more fail.
func BenchmarkBackfillOfAYear(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if n, err := strconv.Atoi(os.Getenv(ordersVariable)); err == nil {
		sizes = append(sizes, n)
	}
	for _, orders := range sizes {
		b.Run(fmt.Sprintf("orders=%d", orders), func(b *testing.B) {
			for b.Loop() {
				peak, parts := backfillAYear(b, orders)
				b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
				b.ReportMetric(float64(parts), "parts/partition")
				if parts >= 20 {
					b.Errorf("a partition has %d active parts", parts)
				}
			}
			b.ReportMetric(float64(orders)/(b.Elapsed().Seconds()/float64(b.N)), "orders/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func backfillAYear(b *testing.B, orders int) (peak int64, parts uint64) {
	dir := b.TempDir()
	program := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(b.Context(), os.Args[0], args...)
		c.Dir, c.Stderr, c.Env = dir, os.Stderr, append(environ(), asProgram+"=1")
		return c
	}
	vendor := program("simulate", "--orders", strconv.Itoa(orders), "--days", "365", "--quota-list", "0", "--quota-detail", "0")
	out, err := vendor.StdoutPipe()
	if err == nil {
		err = vendor.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = vendor.Process.Kill(); _ = vendor.Wait() }()
	addr, database := sinktest.Database(b)
	config := accountsOf(b, out) + fmt.Sprintf("clickhouse: {addr: [%q], database: %s}\n", addr, database)
	if err := os.WriteFile(filepath.Join(dir, "ordersync.yaml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	backfill := program("backfill", "--from", time.Now().UTC().AddDate(-1, 0, -2).Format(time.DateOnly))
	if err := backfill.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- backfill.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case err := <-done:
			if running = false; err != nil {
				b.Fatal(err)
			}
		case <-tick.C: // the process takes the number with it when it ends
			peak = max(peak, resident(backfill.Process.Pid))
		}
	}
	conn := sinktest.Conn(b, database)
	var stored uint64
	if err := conn.QueryRow(b.Context(), "SELECT count() FROM orders").Scan(&stored); err != nil || stored != uint64(orders) {
		b.Fatalf("%d orders of %d are stored, %v", stored, orders, err)
	}
	err = conn.QueryRow(b.Context(), `SELECT max(n) FROM (SELECT count() AS n FROM system.parts
		WHERE database = currentDatabase() AND active GROUP BY table, partition)`).Scan(&parts)
	if err != nil {
		b.Fatal(err)
	}
	return peak, parts
}

// accountsOf reads what the simulated vendor says belongs into ordersync.yaml.
func accountsOf(b *testing.B, from io.Reader) string {
	var text strings.Builder
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if text.Len() > 0 || lines.Text() == "accounts:" {
			text.WriteString(lines.Text() + "\n")
		}
		if strings.Contains(lines.Text(), "quota:") {
			return text.String()
		}
	}
	b.Fatal("the simulated vendor did not start")
	return ""
}

// resident is the most memory that a process has had resident, in bytes; 0 once it has ended.
func resident(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	text, _, _ = strings.Cut(text, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n << 10
}
