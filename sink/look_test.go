package sink_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// refused checks that a database is opened by nobody, that the error says why, and that nothing was changed.
func refused(t *testing.T, cfg sink.Config, want ...string) {
	t.Helper()
	conn := sinktest.Conn(t, cfg.Database)
	before := definitions(t, conn)
	for verb, open := range map[string]func() error{
		"look": func() error { _, _, err := sink.Look(t.Context(), cfg); return err },
		"open": func() error {
			s, err := sink.Open(t.Context(), cfg)
			if err == nil {
				err = s.Close()
			}
			return err
		},
		"read": func() error {
			s, err := sink.OpenToRead(t.Context(), cfg)
			if err == nil {
				err = s.Close()
			}
			return err
		},
	} {
		err := open()
		if err == nil {
			t.Errorf("%s: no error", verb)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v\nwant it to say %q", verb, err, w)
			}
		}
	}
	equal(t, definitions(t, conn), before)
}

// Whatever has a name of ours and is not ours is named, and stays as it is (I13).
func TestForeignObjectsAreRefused(t *testing.T) {
	t.Parallel()
	const goose = `CREATE TABLE goose_db_version (version_id Int64, is_applied UInt8, date Date DEFAULT now(), tstamp DateTime DEFAULT now())
		ENGINE = MergeTree ORDER BY version_id;`
	for name, c := range map[string]struct{ sql, want string }{
		"table in place of a view":  {"CREATE TABLE orders (a Int8) ENGINE = MergeTree ORDER BY a; INSERT INTO orders VALUES (1)", "the table (MergeTree) orders,"},
		"table of another engine":   {"CREATE TABLE spend (a Int8) ENGINE = Memory", "the table (Memory) spend,"},
		"table in place of a table": {"CREATE TABLE order_rows (a Int8) ENGINE = ReplacingMergeTree ORDER BY a", "the table (ReplacingMergeTree) order_rows,"},
		"table without columns of ours": {"CREATE TABLE sync_leases (account LowCardinality(String), holder String) ENGINE = MergeTree ORDER BY holder",
			"the table (MergeTree) sync_leases,"},
		"view":              {"CREATE VIEW rejects AS SELECT 1 AS a", "the view rejects,"},
		"view, in its name": {"CREATE VIEW products AS SELECT 1 AS a COMMENT 'Mine, not of (ordersync)'", "the view products,"},
		"view over a table": {"CREATE VIEW order_versions AS SELECT 1 AS a", "the view order_versions,"},
		"materialized view": {"CREATE MATERIALIZED VIEW order_versions_feed (a Int8) ENGINE = MergeTree ORDER BY a AS SELECT toInt8(1) AS a", "the materialized view order_versions_feed,"},
		"dictionary": {"CREATE DICTIONARY subscriptions (a UInt64, b String) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)",
			"the dictionary subscriptions,"},
		"two":              {"CREATE VIEW rejects AS SELECT 1 AS a; CREATE TABLE orders (a Int8) ENGINE = Log", "the table (Log) orders, and the view rejects,"},
		"goose of another": {goose + "INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (20240101120000, 1)", "the table (MergeTree) goose_db_version,"},
		"goose with our numbers": {goose + "INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1), (2, 1); CREATE TABLE users (a Int8) ENGINE = Memory",
			"the table (MergeTree) goose_db_version,"},
		"versions of another kind": {"CREATE TABLE goose_db_version (a String) ENGINE = Memory", "the table (Memory) goose_db_version,"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, database := sinktest.Database(t)
			conn := sinktest.Conn(t, database)
			for statement := range strings.SplitSeq(c.sql, ";") {
				if strings.TrimSpace(statement) != "" {
					exec(t, conn, statement)
				}
			}
			refused(t, sink.Config{Addr: []string{addr}, Database: database, Username: "default"}, c.want, "not made by ordersync", "clickhouse.database")
		})
	}
	t.Run("what is detached", func(t *testing.T) {
		t.Parallel()
		addr, database := sinktest.Database(t)
		conn := sinktest.Conn(t, database)
		for _, detach := range []string{"orders", "order_rows PERMANENTLY"} {
			name, _, _ := strings.Cut(detach, " ")
			exec(t, conn, "CREATE TABLE "+name+" (a Int8) ENGINE = MergeTree ORDER BY a")
			exec(t, conn, "DETACH TABLE "+detach)
			refused(t, sink.Config{Addr: []string{addr}, Database: database, Username: "default"}, "the detached table "+name, "ATTACH TABLE "+name, "clickhouse.database")
			exec(t, conn, "ATTACH TABLE "+name)
			exec(t, conn, "DROP TABLE "+name+" SYNC")
		}
	})
	t.Run("what has another name", func(t *testing.T) {
		t.Parallel()
		addr, database := sinktest.Database(t)
		conn := sinktest.Conn(t, database)
		exec(t, conn, "CREATE TABLE users (a Int8) ENGINE = Memory")
		exec(t, conn, "INSERT INTO users VALUES (7)")
		write(t, openAt(t, addr, database), smallBatch())
		equal(t, texts(t, conn, "SELECT a FROM users"), []string{"(7)"})
	})
}

// On a cluster each server is looked at, also with the form that a table has on each of them.
func TestForeignObjectsOfACluster(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sql, want string
		node      int
	}{
		{"CREATE VIEW spend AS SELECT 1 AS a", "the view spend on ", 1},
		{"CREATE TABLE order_rows_local (a Int8) ENGINE = Memory", "the table (Memory) order_rows_local on ", 1},
		{"CREATE TABLE sync_leases (a Int8) ENGINE = Memory", "the table (Memory) sync_leases on ", 0},
	} {
		n := sinktest.Cluster(t)
		exec(t, n.Conn(t, c.node), c.sql)
		for _, each := range []bool{true, false} {
			cfg := sink.Config{Addr: n.Addrs(0), Database: n.Database, Cluster: sinktest.TwoShards, EachNode: each}
			want := c.want
			if each {
				want = strings.TrimSuffix(want, " on ") + ","
			}
			if _, _, err := sink.Look(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", c.sql, err)
			}
			if _, err := sink.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", c.sql, err)
			}
		}
		for node := range 2 {
			equal(t, len(definitions(t, n.Conn(t, node))["tables"]), map[bool]int{true: 1}[node == c.node])
		}
	}
}

// What was ours and is somebody else's now is not replaced, nor is a view that somebody put into the place of ours.
func TestOursThatIsSomebodyElsesNow(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	s := openAt(t, addr, database)
	exec(t, s.Conn(), "CREATE OR REPLACE VIEW tracked_orders AS SELECT 1 AS mine")
	refused(t, cfg, "the view tracked_orders,")
	exec(t, s.Conn(), "DROP VIEW tracked_orders")
	// Without its comment a table of ours is still known by its columns.
	exec(t, s.Conn(), "ALTER TABLE reject_rows MODIFY COMMENT 'Look here'")
	openAt(t, addr, database)
	equal(t, texts(t, s.Conn(), "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'reject_rows'"),
		[]string{"('Storage of the rejects. Read the view rejects instead (ordersync)')"})
}

// What somebody added to a table of ours stays as it is (I13), and what somebody has dropped of one is said: made again it would
// be empty, and no sum would tell.
func TestColumnsOfOthersAndColumnsThatAreGone(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	s := openAt(t, addr, database)
	exec(t, s.Conn(), "ALTER TABLE operators ADD COLUMN team String COMMENT 'Ours'")
	exec(t, s.Conn(), "ALTER TABLE operators COMMENT COLUMN name 'Whatever'")
	equal(t, openAt(t, addr, database).Made().String(), "correct the comments of the table operators")
	equal(t, texts(t, s.Conn(), "SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'operators' AND name = 'team'"), []string{"('Ours')"})
	exec(t, s.Conn(), "ALTER TABLE product_rows DROP COLUMN product_name")
	refused(t, cfg, "its table product_rows has no column product_name", "backup", "drop the table")
	exec(t, s.Conn(), "ALTER TABLE product_rows ADD COLUMN product_name String")
	exec(t, s.Conn(), "ALTER TABLE sync_run_rows DROP COLUMN share")
	refused(t, cfg, "its table sync_run_rows has no column share")
}

// A newer program may have given the tables another meaning: an older one neither reads nor writes them.
func TestNewerWarehouseIsRefused(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	s := openAt(t, addr, database)
	newer := schema.CurrentMark()
	newer.Views++
	exec(t, s.Conn(), "CREATE OR REPLACE VIEW spend AS SELECT 1 AS a COMMENT 'Money"+newer.String()+"'")
	refused(t, cfg, "its view spend was made by a newer ordersync", "use a newer ordersync")
	exec(t, s.Conn(), "DROP VIEW spend")
	exec(t, s.Conn(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	refused(t, cfg, "its tables are of version 9999, which this ordersync does not know", "use a newer ordersync")
}

// What is missing is said, and is made again without touching the rest: one object of each kind.
func TestMissingObjectsAreMadeAgain(t *testing.T) {
	t.Parallel()
	views := slices.DeleteFunc(slices.Clone(schema.Views()), schema.View.IsStored)
	names := []string{schema.VersionTable, schema.Tables()[0].Name, views[0].Name, views[len(views)-1].Name}
	for _, table := range schema.Tables() {
		if table.Feeds != "" {
			names = append(names, table.Name, table.Feeds)
			break
		}
	}
	makeAgain(t, names)
}

// What was written while the view was missing that copies it is copied when the view is made again.
func TestWhatAMissingFeedHasMissed(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	s := openAt(t, addr, database)
	exec(t, s.Conn(), "DROP TABLE reject_states_feed SYNC")
	exec(t, s.Conn(), "DROP TABLE order_item_versions_feed SYNC")
	write(t, s, smallBatch())
	openAt(t, addr, database)
	equal(t, texts(t, s.Conn(), "SELECT id FROM reject_states"), []string{"('r1')"})
	equal(t, len(texts(t, s.Conn(), "SELECT item_id FROM order_item_versions")), 3)
}

// The same of all objects.
func TestSlowMissingObjectsAreMadeAgain(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "looks at the warehouse four times for each table and view")
	names := []string{schema.VersionTable}
	for _, table := range schema.Tables() {
		names = append(names, table.Name)
	}
	for _, v := range schema.Views() {
		if !v.IsStored() {
			names = append(names, v.Name)
		}
	}
	makeAgain(t, names)
}

// makeAgain drops each of the objects and opens the warehouse again.
func makeAgain(t *testing.T, names []string) {
	t.Helper()
	fresh := open(t)
	want := definitions(t, fresh.Conn())
	addr, database := warehousetest.Database(t)
	cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	s := openAt(t, addr, database)
	write(t, s, smallBatch())
	for _, name := range names {
		exec(t, s.Conn(), "DROP TABLE "+name+" SYNC")
		plan, _, err := sink.Look(t.Context(), cfg)
		if err != nil || !strings.Contains(plan.String(), name) && name != schema.VersionTable || plan.Empty() || plan.New() {
			t.Errorf("%s: the plan is %s, %v", name, plan, err)
		}
		if name != schema.VersionTable {
			_, err = sink.OpenToRead(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "run `ordersync migrate`") {
				t.Errorf("%s: %v", name, err)
			}
		}
		rows := rowsOf(t, s.Conn(), map[string]string{})
		again := openAt(t, addr, database)
		equal(t, again.Made(), plan)
		equal(t, definitions(t, s.Conn()), want)
		// Where all migrations are run again, two copy what is stored a second time: the same state counts once.
		exec(t, s.Conn(), "OPTIMIZE TABLE order_item_versions FINAL")
		exec(t, s.Conn(), "OPTIMIZE TABLE reject_states FINAL")
		for table, before := range rows {
			equal(t, rowsOf(t, s.Conn(), map[string]string{table: "*"})[table], before)
		}
	}
}
