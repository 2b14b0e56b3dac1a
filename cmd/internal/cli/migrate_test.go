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
	objects := func() (n uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, args := range [][]string{{"check"}, {"check", "--json"}, {"status"}, {"sql", "SELECT 1"}, {"rejects"}} {
		w.runWith("", args...)
		if n := objects(); n != 0 {
			t.Errorf("%v made %d objects", args, n)
		}
	}
	// What is not ours is named by everybody, and stays.
	if err := conn.Exec(t.Context(), "CREATE TABLE orders (a Int8) ENGINE = MergeTree ORDER BY a"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"migrate"}, {"backfill", "--from", "-1d"}, {"status"}, {"sql", "--write", "SELECT 1"}, {"run"}} {
		contains(t, w.run(3, args...).err, "the table (MergeTree) orders, not made by ordersync")
	}
	contains(t, w.run(3, "check").out, "FAILED clickhouse", "the table (MergeTree) orders, not made by ordersync")
	if n := objects(); n != 1 {
		t.Errorf("there are %d objects", n)
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
