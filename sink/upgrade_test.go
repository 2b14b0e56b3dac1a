package sink_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// restore fills a database with a warehouse of testdata: what a former commit, whose name the file has, made of it.
// A statement ends with a line that ends in a semicolon.
func restore(t testing.TB, conn driver.Conn, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(text), ";\n") {
		if strings.TrimSpace(statement) != "" {
			exec(t, conn, statement)
		}
	}
}

// definitions is all that the server says of the tables and views of a database, and their indexes.
func definitions(t testing.TB, conn driver.Conn) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for name, query := range map[string]string{
		"tables": `SELECT name, engine, engine_full, comment, replaceAll(create_table_query, currentDatabase() || '.', '')
			FROM system.tables WHERE database = currentDatabase() ORDER BY ALL`,
		"columns": `SELECT table, position, name, type, default_kind, default_expression, comment, compression_codec
			FROM system.columns WHERE database = currentDatabase() ORDER BY ALL`,
		"indexes": `SELECT table, name, type_full, expr, granularity
			FROM system.data_skipping_indices WHERE database = currentDatabase() ORDER BY ALL`,
	} {
		out[name] = texts(t, conn, query)
	}
	return out
}

var storedIn = regexp.MustCompile(`\(?'(\w+)'\)?`)

// rowsOf is each row of the tables that hold some, by table; only columns that were there before count.
func rowsOf(t testing.TB, conn driver.Conn, columns map[string]string) map[string][]string {
	t.Helper()
	if len(columns) == 0 {
		for _, name := range texts(t, conn, `SELECT name FROM system.tables WHERE database = currentDatabase()
			AND engine LIKE '%MergeTree' AND name != 'goose_db_version'`) {
			name = storedIn.FindStringSubmatch(name)[1]
			var list string
			if err := conn.QueryRow(t.Context(), `SELECT arrayStringConcat(groupArray(name), ', ') FROM system.columns
				WHERE database = currentDatabase() AND table = ?`, name).Scan(&list); err != nil {
				t.Fatal(err)
			}
			columns[name] = list
		}
	}
	out := map[string][]string{}
	for name, list := range columns {
		out[name] = texts(t, conn, "SELECT "+list+" FROM "+name+" ORDER BY ALL")
	}
	return out
}

// A warehouse that a former commit made becomes what a new one is: tables, columns, indexes, comments. Its rows stay.
func TestUpgradeOfWarehouses(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/warehouses/*.sql")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	fresh := open(t)
	want := definitions(t, fresh.Conn())
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			addr, database := sinktest.Database(t)
			conn := sinktest.Conn(t, database)
			restore(t, conn, file)
			columns := map[string]string{}
			before := rowsOf(t, conn, columns)
			cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
			former := definitions(t, conn)
			plan, _, err := sink.Look(t.Context(), cfg)
			if err != nil || plan.Empty() || plan.Database {
				t.Fatalf("plan %+v, %v", plan, err)
			}
			equal(t, definitions(t, conn), former) // a look changes nothing
			s := openAt(t, addr, database)
			equal(t, definitions(t, s.Conn()), want)
			equal(t, rowsOf(t, s.Conn(), columns), before)
			if plan, _, err = sink.Look(t.Context(), cfg); err != nil || !plan.Empty() {
				t.Errorf("afterwards there is still to do: %s, %v", plan, err)
			}
			for _, table := range []string{"order_rows", "order_item_rows", "sync_verifications", "sync_window_rows"} {
				if len(before[table]) == 0 {
					t.Errorf("%s has no rows to compare", table)
				}
			}
			contents(t, s)
			// What was stored is the first state of each line item, and since when that is all that was is known.
			equal(t, texts(t, s.Conn(), "SELECT account, order_id, item_id, valid_from, raw FROM order_item_history WHERE valid_to IS NULL ORDER BY ALL"),
				texts(t, s.Conn(), "SELECT account, order_id, item_id, fetched_at, raw FROM order_items ORDER BY ALL"))
			equal(t, texts(t, s.Conn(), "SELECT account, items_since FROM history_since WHERE items_since > orders_since ORDER BY ALL"),
				texts(t, s.Conn(), `SELECT account, max(i.fetched_at) AS last FROM order_item_rows AS i GROUP BY account
					HAVING last > (SELECT min(fetched_at) FROM order_versions AS v WHERE v.account = account) ORDER BY ALL`))
		})
	}
}

// What is renewed while it was being renewed is renewed to its end: a process may be killed after each step.
func TestUpgradeThatWasCutOff(t *testing.T) {
	t.Parallel()
	upgradeCutOff(t, 2, 4)
}

// The same after each step.
func TestSlowUpgradeThatWasCutOff(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "brings a warehouse up to date four times")
	upgradeCutOff(t, 1, 2, 3, 4)
}

// upgradeCutOff does the first of the steps by hand, and leaves the others to the program.
func upgradeCutOff(t *testing.T, done ...int) {
	t.Helper()
	const file = "testdata/warehouses/7860b96.sql"
	fresh := open(t)
	want := definitions(t, fresh.Conn())
	steps := []string{
		"ALTER TABLE sync_verifications MODIFY COMMENT 'Is being copied to sync_verifications (ordersync)'",
		"RENAME TABLE sync_verifications TO sync_verifications_former",
		`CREATE TABLE sync_verifications AS sync_verifications_former ENGINE = ReplacingMergeTree
			ORDER BY (account, owner_id, finished_at) COMMENT 'Verifications (ordersync)'`,
		"INSERT INTO sync_verifications SELECT * FROM sync_verifications_former",
	}
	for _, n := range done {
		addr, database := sinktest.Database(t)
		conn := sinktest.Conn(t, database)
		restore(t, conn, file)
		columns := map[string]string{}
		before := rowsOf(t, conn, columns)
		for _, step := range steps[:n] {
			exec(t, conn, step)
		}
		s := openAt(t, addr, database)
		exec(t, s.Conn(), "OPTIMIZE TABLE sync_verifications FINAL")
		equal(t, rowsOf(t, s.Conn(), columns)["sync_verifications"], before["sync_verifications"])
		if n <= 2 { // the others have the DDL that this test made
			equal(t, slices.DeleteFunc(definitions(t, s.Conn())["tables"], func(s string) bool { return slices.Contains(want["tables"], s) }), nil)
		}
	}
}
