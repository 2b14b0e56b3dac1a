package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/sink/embedded"
)

// configureWarehouse writes ordersync.yaml for a warehouse of the test's own.
func (w *world) configureWarehouse(clickhouse string) {
	w.t.Helper()
	w.write("ordersync.yaml", fmt.Sprintf(`accounts:
  - name: main
    source: bss
    endpoint: %s
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
    quota: {list: 1000, detail: 1000}
clickhouse: %s
`, w.url, clickhouse))
}

// holdEngine keeps the engine of an embedded warehouse running until the end of the test, so that not each verb has to start one.
func (w *world) holdEngine(folder, database string) {
	w.t.Helper()
	s, err := embedded.Open(w.t.Context(), embedded.Options{Dir: filepath.Join(w.dir, folder), Database: database})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
}

// digests are the counts and digests of all tables and of what most people read, whatever is merged already.
func (w *world) digests() string {
	w.t.Helper()
	tables := strings.Fields(w.run(0, "sql", "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%Replacing%MergeTree' "+
		"ORDER BY name FORMAT TSV").out)
	if len(tables) < 8 {
		w.t.Fatalf("there are only the tables %v", tables)
	}
	var parts []string
	for _, from := range append(tables, "orders", "order_items", "order_history", "spend", "sync_windows", "sync_runs", "rejects") {
		name := from
		if strings.Contains(strings.Join(tables, " ")+" ", from+" ") {
			from += " FINAL"
		}
		parts = append(parts, fmt.Sprintf("SELECT '%s' AS of, count() AS n, groupBitXor(sipHash64(tuple(*))) AS digest FROM %s", name, from))
	}
	return w.run(0, "sql", "SELECT * FROM ("+strings.Join(parts, " UNION ALL ")+") ORDER BY of FORMAT TSV").out
}

// goesOn checks that a restored warehouse is the one that was saved, and that the next run goes on from it: it fetches what is
// new since then, and no more.
func (w *world) goesOn(saved string, since int) {
	w.t.Helper()
	if restored := w.digests(); restored != saved {
		w.t.Errorf("restored:\n%s\nsaved:\n%s", restored, saved)
	}
	contains(w.t, w.run(0, "check").out, "are up to date")
	w.account.Add(5, time.Now())
	w.account.ResetCounters()
	w.run(0, "backfill", "--from", "24h")
	if n := w.account.Calls()["GetOrderDetail"].Total; n != since+5 {
		w.t.Errorf("%d details were fetched, not those of the %d new orders", n, since+5)
	}
	w.run(0, "verify", "--from", "24h", "--deep")
	if n := w.run(0, "sql", "SELECT count() FROM orders FORMAT TSV").out; n != fmt.Sprintln(w.account.Len()) {
		w.t.Errorf("%s orders of %d", n, w.account.Len())
	}
}

// The recipe of sink/README.md for the embedded warehouse.
func TestBackupOfTheEmbeddedWarehouse(t *testing.T) {
	t.Parallel()
	titles, texts := blocks(t, "sh")
	if len(texts) != 2 {
		t.Fatalf("the READMEs have the recipes %q", titles)
	}
	w := newWorld(t, 200)
	w.configureWarehouse("{embedded: ./ordersync-data}")
	w.run(0, "backfill", "--from", "24h")
	saved := w.digests()
	// systemctl is not asked here: nothing runs.
	w.write("systemctl", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(w.dir, "systemctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, recipe := range texts {
		cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", strings.ReplaceAll(recipe, "/var/lib/ordersync", w.dir))
		cmd.Dir = w.dir
		cmd.Env = append(os.Environ(), "PATH="+w.dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", titles[i], err, out)
		}
		if i == 0 { // what comes after the backup
			w.account.Add(3, time.Now())
			w.run(0, "backfill", "--from", "24h")
		}
	}
	w.holdEngine("ordersync-data", "")
	w.goesOn(saved, 3)
}

// The statements of sink/README.md for a server of one's own, from one server to another.
func TestBackupOfAServer(t *testing.T) {
	t.Parallel()
	var statements []string
	for line := range strings.Lines(readFile(t, "../../../sink/README.md")) {
		if strings.HasPrefix(line, "BACKUP ") || strings.HasPrefix(line, "RESTORE ") {
			statements = append(statements, strings.TrimSuffix(strings.TrimSpace(line), ";"))
		}
	}
	if len(statements) != 2 {
		t.Fatalf("sink/README.md has the statements %q", statements)
	}
	w := newWorld(t, 200)
	w.write("disks.xml", `<clickhouse><storage_configuration><disks><backups><type>local</type><path>`+w.dir+`/backups/</path></backups></disks></storage_configuration>
<backups><allowed_disk>backups</allowed_disk></backups></clickhouse>`)
	server := func(name string) driver.Conn {
		t.Helper()
		s, err := embedded.Open(t.Context(), embedded.Options{Dir: filepath.Join(w.dir, name), Open: true, ConfigFile: filepath.Join(w.dir, "disks.xml")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{s.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		w.configureWarehouse(fmt.Sprintf("{addr: [%q], database: ordersync}", s.Addr()))
		return conn
	}
	old := server("old")
	w.run(0, "backfill", "--from", "24h")
	saved := w.digests()
	if err := old.Exec(t.Context(), statements[0]); err != nil {
		t.Fatal(err)
	}
	if err := server("new").Exec(t.Context(), statements[1]); err != nil {
		t.Fatal(err)
	}
	w.goesOn(saved, 0)
}
