package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// A check, and every verb that only reads, makes nothing: no database, no table, no folder.
func TestCheckChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.configureNew()
	conn := sinktest.Conn(t, w.database)
	looks := [][]string{
		{"check"}, {"check", "--json"}, {"status"}, {"status", "--json"}, {"sql", "SELECT 1"}, {"sql", "--login"}, {"rejects"}, {"rejects", "--all"}, {"rejects", "--raw", "1"},
		{"plan", "--from", "-1d"}, {"cancel", "--unpaid-older-than", "0h", "--dry-run"}, {"close", "2026-10", "--check"}, {"export", "--every", "month", "--to", "archive"},
		{"grants"}, {"monitoring", "dashboard"}, {"completion", "bash"}, {"healthcheck"},
	}
	exec := func(statement string) {
		t.Helper()
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	// all is what there is, with the newest insert into each table.
	all := func() (everything string) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT toString(groupArray((name, create_table_query, metadata_modification_time, newest))) FROM
			(SELECT * FROM system.tables LEFT JOIN (SELECT table, max(max_block_number) AS newest FROM system.parts
				WHERE database = currentDatabase() GROUP BY table) AS p ON system.tables.name = p.table WHERE database = currentDatabase() ORDER BY name)`).Scan(&everything); err != nil {
			t.Fatal(err)
		}
		return everything
	}
	objects := func() (n uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, args := range looks {
		w.runWith("", args...)
		if n := objects(); n != 0 {
			t.Errorf("%v made %d objects", args, n)
		}
	}
	// What is not ours is named by everybody, and stays.
	exec("CREATE TABLE orders (a Int8) ENGINE = MergeTree ORDER BY a")
	for _, args := range [][]string{{"migrate"}, {"backfill", "--from", "-1d"}, {"status"}, {"sql", "--write", "SELECT 1"}, {"run"}} {
		contains(t, w.run(3, args...).err, "the table (MergeTree) orders, not made by ordersync")
	}
	contains(t, w.run(3, "check").out, "FAILED clickhouse", "the table (MergeTree) orders, not made by ordersync")
	if n := objects(); n != 1 {
		t.Errorf("there are %d objects", n)
	}
	// A warehouse that is up to date, and one where something of ours is missing or of another version.
	exec("DROP TABLE orders SYNC")
	w.run(0, "backfill", "--from", "-2d")
	for _, harm := range []string{"SELECT 1", "DROP VIEW spend", "DROP TABLE operators SYNC", "CREATE OR REPLACE VIEW unpaid_orders AS SELECT 1 AS a COMMENT 'Old (ordersync 1.1-00000000)'"} {
		exec(harm)
		before := all()
		for _, args := range looks {
			w.runWith("", args...)
		}
		if after := all(); after != before {
			t.Fatalf("%s: one of %v changed the warehouse:\n%s\n%s", harm, looks, before, after)
		}
	}
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.configure()
	w.run(0, "migrate")
	w.sql("DROP TABLE order_versions SYNC")
	contains(t, w.run(0, "check").out, "warn   clickhouse", "make the missing table order_versions", "`ordersync migrate`")
	contains(t, w.run(3, "status").err, "order_versions", "run `ordersync migrate`")
	contains(t, w.run(0, "migrate").out, "What was done: make the missing table order_versions.")
	contains(t, w.run(0, "check").out, "ok     clickhouse")
	w.run(1, "status")
}

// The folder of an embedded server is not made by looking.
func TestCheckOfAnEmbeddedWarehouse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.configure("clickhouse: {addr: [", "clickhouse: {embedded: data} #")
	contains(t, w.run(0, "check").out, "ok     clickhouse               the folder", "is new", "`ordersync migrate`")
	contains(t, w.run(3, "status").err, "there is no warehouse yet in", "run `ordersync migrate`")
	if _, err := os.Stat(filepath.Join(w.dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
	w.run(0, "migrate")
	contains(t, w.run(0, "check").out, "are up to date")
}
