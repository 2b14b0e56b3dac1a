package sink_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// openCluster opens a sink on two servers, through the given one.
func openCluster(t testing.TB, n *sinktest.Nodes, cluster string, first int, configure ...func(*sink.Config)) *sink.Sink {
	t.Helper()
	return openAt(t, n.Addr(first), n.Database, append(configure, func(c *sink.Config) {
		c.Addr, c.Cluster, c.EachNode = n.Addrs(first), cluster, true
	})...)
}

// What a cluster has is what one server has: the same tables, views, columns and comments, under the same names.
func TestClusterHasTheTablesOfOneServer(t *testing.T) {
	t.Parallel()
	one := open(t)
	n := sinktest.Cluster(t)
	openCluster(t, n, sinktest.TwoShards, 0)
	const (
		columns = `SELECT table, name, type, comment, default_expression, compression_codec FROM system.columns
			WHERE database = currentDatabase() AND NOT endsWith(table, '_local') ORDER BY ALL`
		comments = `SELECT name, comment FROM system.tables
			WHERE database = currentDatabase() AND NOT endsWith(name, '_local') ORDER BY ALL`
		// The tables that hold rows, and the views that feed them.
		storage = `SELECT replaceOne(name, '_local', ''), replaceAll(replaceOne(engine_full, 'Replicated', ''), '_local', ''), comment,
			partition_key, sorting_key FROM system.tables
			WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY ALL`
		columnsOfStorage = `SELECT replaceOne(table, '_local', ''), name, type, comment, compression_codec FROM system.columns
			WHERE database = currentDatabase() AND table IN (SELECT name FROM system.tables
			WHERE database = currentDatabase() AND engine LIKE '%MergeTree') ORDER BY ALL`
		indexes = `SELECT replaceOne(table, '_local', ''), name, type_full, expr, granularity FROM system.data_skipping_indices
			WHERE database = currentDatabase() ORDER BY ALL`
	)
	for node := range 2 {
		conn := n.Conn(t, node)
		for _, query := range []string{columns, comments, storage, columnsOfStorage, indexes} {
			want := texts(t, one.Conn(), query)
			if len(want) < 2 {
				t.Fatalf("%d rows:\n%s", len(want), query)
			}
			equal(t, texts(t, conn, query), want)
		}
		equal(t, texts(t, conn, `SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = '' AND name != 'goose_db_version'`), nil)
	}
}

// fillCluster writes a day of orders, and then a part of it again, some through one server and some through the other.
func fillCluster(t testing.TB, sinks ...*sink.Sink) {
	t.Helper()
	b := stored()
	b.Rejects = append(smallBatch().Rejects, unreadable(order(650), order(650).CreateTime), unreadable(order(800), time.Time{}))
	write(t, sinks[0], b)
	again := sink.Batch{}
	for _, o := range b.Orders[:700] {
		o.Version, o.PaymentStatus, o.Fingerprint = 2, "Cancelled", o.Fingerprint+7
		o.FetchedAt = o.FetchedAt.Add(time.Minute)
		gone := item(o, 2)
		gone.Deleted = true
		again.Orders, again.Items = append(again.Orders, o), append(again.Items, item(o, 1), gone)
	}
	for _, w := range b.Windows {
		w.Version = 2
		if w.Start.Before(day.Add(700 * time.Minute)) {
			w.Items = w.Stored
		}
		if w.Start.Equal(day.Add(11 * time.Hour)) { // 700 minutes are 11 hours and 40 minutes
			w.Items = 40 + 2*20
		}
		again.Windows = append(again.Windows, w)
	}
	write(t, sinks[len(sinks)-1], again)
	// The old version comes late, as after a retry: it changes nothing.
	write(t, sinks[0], sink.Batch{Orders: b.Orders[:300], Items: b.Items[:600]})
	closeMay(t, sinks[len(sinks)-1], day.Add(6*time.Hour)) // of the changes some were received before, and some after
	var tracked []schema.Tracked
	for _, id := range []string{order(3).OrderID, order(650).OrderID, "none"} {
		tracked = append(tracked, schema.Tracked{Stream: stream, OrderID: id, AddedAt: day, Version: 1})
	}
	if err := sinks[0].Track(t.Context(), tracked); err != nil {
		t.Fatal(err)
	}
	for i, s := range sinks {
		v := sink.Verification{Stream: stream, From: day, To: day.Add(time.Hour), Whole: true, StartedAt: day, FinishedAt: day.Add(time.Duration(i+1) * time.Minute)}
		if err := s.WriteVerification(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		p := schema.Product{Source: "bss", Account: "main", ProductCode: "rds", ProductType: "rds", SubscriptionType: "Subscription",
			ProductName: fmt.Sprint("name ", i), FetchedAt: day, Version: uint64(i + 1)}
		if err := s.WriteProducts(t.Context(), []schema.Product{p}); err != nil {
			t.Fatal(err)
		}
		r := sink.Run{ID: "1", Kind: sink.RunTick, State: sink.RunOK, Accounts: []string{"main"}, StartedAt: day,
			UpdatedAt: day.Add(time.Duration(i) * time.Minute), FinishedAt: day.Add(time.Duration(i) * time.Minute), Version: uint64(i)}
		if err := s.WriteRuns(t.Context(), []sink.Run{r}); err != nil {
			t.Fatal(err)
		}
	}
}

// answers are what the engine and the verbs ask a sink.
func answers(t testing.TB, s *sink.Sink) map[string]any {
	t.Helper()
	out := map[string]any{}
	keep := func(name string) func(any, error) {
		return func(v any, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = v
		}
	}
	ctx, from, to := t.Context(), day.Add(2*time.Hour), day.Add(14*time.Hour)
	ids := []string{order(650).OrderID, order(800).OrderID, "none"}
	known, err := s.Known(ctx, stream, from, to)
	keep("known")(known, err)
	items, err := s.ItemIDsByOrder(ctx, stream, from, to, ids)
	keep("item ids")(items, err)
	orders, err := s.OrdersByID(ctx, stream, from, to, ids)
	keep("orders")(orders, err)
	windows, err := s.Windows(ctx, stream, from, to)
	keep("windows")(windows, err)
	counts, err := s.Counts(ctx, stream, time.Hour, from, to)
	keep("counts")(counts, err)
	narrowed, err := s.Narrowed(schema.Filters{ProductCode: orders[0].ProductCode}).Counts(ctx, stream, time.Hour, from, to)
	keep("narrowed counts")(narrowed, err)
	summaries, err := s.Summaries(ctx, nil)
	keep("summaries")(summaries, err)
	undone, err := s.Undone(ctx, stream, to)
	keep("undone")(undone, err)
	count, err := s.Count(ctx, stream, from, to)
	keep("count")(count, err)
	rejects, err := warehousetest.OpenRejects(ctx, s, stream)
	keep("rejects")(rejects, err)
	rejected, err := s.RejectWindows(ctx, stream, time.Hour, time.Time{}, schema.MaxTime)
	keep("reject windows")(rejected, err)
	held, err := s.HeldRejects(ctx, stream, time.Hour, rejected)
	keep("rejects of stored orders")(held, err)
	verifications, err := s.LastVerifications(ctx)
	keep("verifications")(verifications, err)
	pending, err := s.Pending(ctx, stream, schema.OrderRef{}, 1_000_000)
	keep("pending")(pending, err)
	found, err := s.Find(ctx, stream, ids)
	keep("found")(found, err)
	unsettled, err := s.Unsettled(ctx, stream)
	keep("unsettled")(unsettled, err)
	days, products, err := s.Spend(ctx, from, to)
	keep("spend")([][]sink.Spend{days, products}, err)
	groups, err := s.RejectGroups(ctx)
	keep("reject groups")(groups, err)
	runs, err := s.RecentRuns(ctx, day, 10)
	keep("runs")(runs, err)
	successes, err := s.LastSuccesses(ctx, day)
	keep("successes")(successes, err)
	return out
}

// everything is what each view shows, also those of later migrations.
func everything(t testing.TB, s *sink.Sink) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	views := texts(t, s.Conn(), "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'")
	if len(views) < len(published) {
		t.Errorf("the views are %v", views)
	}
	for _, view := range views {
		view = strings.Trim(view, "(')")
		out[view] = texts(t, s.Conn(), "SELECT * FROM "+readable(view)+" ORDER BY ALL")
	}
	return out
}

// joins are queries of the kind that people write, over views, with the settings that a server has by itself.
var joins = []string{
	"SELECT count(), sum(i.pretax_amount) FROM orders AS o JOIN order_items AS i USING (account, order_id) WHERE o.payment_status = 'Paid'",
	"SELECT count() FROM orders AS a JOIN orders AS b ON a.account = b.account AND a.order_id = b.order_id",
	"SELECT count() FROM order_items WHERE order_id IN (SELECT order_id FROM orders WHERE payment_status = 'Cancelled')",
	"SELECT count() FROM orders WHERE (account, order_id) NOT IN (SELECT account, order_id FROM order_items WHERE endsWith(item_id, '-2'))",
	"SELECT count() FROM order_history AS h LEFT JOIN orders AS o ON o.order_id = h.order_id WHERE h.payment_status != o.payment_status",
	"SELECT countIf(agrees), count() FROM window_audit",
	"SELECT account, count(), max(last_compared), min(oldest_detail) FROM freshness GROUP BY account ORDER BY account",
	"SELECT (SELECT max(order_id) FROM orders), (SELECT count() FROM order_rows FINAL WHERE order_id IN (SELECT order_id FROM orders ORDER BY order_id LIMIT 100))",
}

// A cluster of two shards answers everything as one server does, through either of its servers, whatever was merged.
func TestClusterAnswersAsOneServer(t *testing.T) {
	t.Parallel()
	one := open(t)
	fillCluster(t, one, one)
	n := warehousetest.Cluster(t, sinktest.TwoShards)
	sinks := []*sink.Sink{openCluster(t, n, sinktest.TwoShards, 0), openCluster(t, n, sinktest.TwoShards, 1)}
	fillCluster(t, sinks...)
	want, wantAnswers := everything(t, one), answers(t, one)
	equal(t, len(want["orders"]), 24*60)
	equal(t, len(want["order_items"]), 2*24*60-700)
	equal(t, len(want["order_history"]), 24*60+700)
	equal(t, texts(t, one.Conn(), joins[5]), []string{"(36,36)"})
	if len(want["closes"]) == 0 || len(want["spend_at_close"]) == 0 || len(want["changes_since_close"]) == 0 {
		t.Error("nothing is closed")
	}
	// The views are read through one server now, and through the other after all is merged.
	equal(t, everything(t, sinks[0]), want)
	for _, s := range sinks {
		equal(t, answers(t, s), wantAnswers)
	}
	for _, q := range joins {
		want := texts(t, one.Conn(), q)
		for node := range sinks {
			equal(t, texts(t, n.Conn(t, node), q), want)
		}
	}
	for node := range 2 {
		conn := n.Conn(t, node)
		for _, table := range []string{"order_rows", "order_item_rows", "order_versions", "sync_window_rows"} {
			exec(t, conn, "OPTIMIZE TABLE "+table+"_local FINAL")
		}
		// Each server has a good part of the orders.
		if rows := number(t, conn, "SELECT count() FROM order_rows_local FINAL"); rows < 24*60/3 || rows > 24*60*2/3 {
			t.Errorf("server %d has %d orders of %d", node, rows, 24*60)
		}
		// An order and its items, and all its states, share a shard.
		equal(t, number(t, conn, `SELECT count() FROM order_item_rows_local
			WHERE order_id NOT IN (SELECT order_id FROM order_rows_local)`), 0)
		equal(t, number(t, conn, `SELECT count() FROM order_versions_local
			WHERE order_id NOT IN (SELECT order_id FROM order_rows_local)`), 0)
		equal(t, number(t, conn, "SELECT uniqExact(order_id) FROM order_versions_local"),
			number(t, conn, "SELECT uniqExact(order_id) FROM order_rows_local"))
	}
	equal(t, everything(t, sinks[1]), want)
	// A look-up of one order reaches the shards as such.
	for view, which := range map[string]string{"orders": "create_time = '2024-05-07 00:00:00'", "order_history": "order_id = 'none'"} {
		if rows := readRows(t, sinks[0], "SELECT * FROM "+view+" WHERE account = 'main' AND "+which); rows > 100 {
			t.Errorf("%s: %d rows are read where %s, which none has", view, rows, which)
		}
	}
}

// A block that is sent again after a broken connection counts once.
func TestClusterKeepsARepeatedBlockOnce(t *testing.T) {
	t.Parallel()
	n := warehousetest.Cluster(t, sinktest.TwoShards)
	b := stored()
	p := newProxy(t, n.Addr(0))
	seen := &inserts{}
	s := openAt(t, p.addr, n.Database, func(c *sink.Config) { c.Cluster, c.Observer = sinktest.TwoShards, seen })
	p.swallow.Store(true)
	write(t, s, sink.Batch{Orders: b.Orders})
	p.swallow.Store(true)
	if err := s.WriteVerification(t.Context(), sink.Verification{Stream: stream, From: day, To: day, StartedAt: day, FinishedAt: day}); err != nil {
		t.Fatal(err)
	}
	if p.cuts.Load() != 2 || len(seen.retries) != 2 {
		t.Errorf("%d cuts, retries %v", p.cuts.Load(), seen.retries)
	}
	for table, want := range map[string]int{"order_rows": len(b.Orders), "order_versions": len(b.Orders), "sync_verifications": 1} {
		if got := number(t, n.Conn(t, 1), "SELECT count() FROM "+table+" FINAL"); got != uint64(want) {
			t.Errorf("%s: %d rows, want %d", table, got, want)
		}
	}
}

// One shard is away: everything says so, with the remedy, and after it is back the same batch makes all whole.
func TestShardAway(t *testing.T) {
	t.Parallel()
	n := sinktest.OwnCluster(t)
	openCluster(t, n, sinktest.TwoShards, 0)
	s := openAt(t, n.Addr(0), n.Database, func(c *sink.Config) { c.Cluster, c.MaxElapsedTime = sinktest.TwoShards, time.Second })
	b := stored()
	write(t, s, sink.Batch{Orders: b.Orders[:100], Items: b.Items[:200]})
	n.Stop(t, 1)
	const remedy = "a shard of the cluster does not answer, or lacks a table: start its server; nothing is lost"
	err := s.Write(t.Context(), b)
	if err == nil || !strings.Contains(err.Error(), "given up after 1s, reason network") || !strings.Contains(err.Error(), remedy) {
		t.Errorf("write: %v", err)
	}
	_, err = s.Known(t.Context(), stream, day, day.Add(time.Hour))
	if err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("read: %v", err)
	}
	if err = s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("ping: %v", err)
	}
	_, err = sink.Open(t.Context(), sink.Config{Addr: []string{n.Addr(0)}, Database: n.Database, Cluster: sinktest.TwoShards, MaxElapsedTime: time.Second})
	if err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("open: %v", err)
	}
	n.Start(t, 1)
	// Nothing was recorded that is not stored (I1).
	equal(t, number(t, s.Conn(), "SELECT count() FROM sync_windows"), 0)
	write(t, s, b)
	one := open(t)
	write(t, one, b)
	equal(t, contents(t, s), contents(t, one))
}

// Replicas follow each other with a delay; here, with an infinite one. Writes and reads go to the same one, whichever
// server they come through.
func TestReadsSeeWritesInSpiteOfReplicas(t *testing.T) {
	t.Parallel()
	n := warehousetest.Cluster(t, sinktest.TwoReplicas)
	one := open(t)
	fillCluster(t, one, one)
	sinks := []*sink.Sink{openCluster(t, n, sinktest.TwoReplicas, 0), openCluster(t, n, sinktest.TwoReplicas, 1)}
	fillCluster(t, sinks...)
	want, wantAnswers := everything(t, one), answers(t, one)
	for _, s := range sinks {
		equal(t, answers(t, s), wantAnswers)
	}
	// The views are read through the server that has no rows.
	equal(t, number(t, n.Conn(t, 1), "SELECT count() FROM order_rows_local"), 0)
	equal(t, everything(t, sinks[1]), want)
}

// Tables of one kind are not taken for those of the other.
func TestClusterThatIsNotTheTables(t *testing.T) {
	t.Parallel()
	n := warehousetest.Cluster(t, sinktest.TwoShards)
	other := sinktest.Cluster(t)
	openAt(t, other.Addr(0), other.Database)
	fresh := sinktest.Cluster(t)
	for name, c := range map[string]struct {
		nodes         *sinktest.Nodes
		cluster, want string
	}{
		"forgotten":       {n, "", "its tables are those of the cluster two_shards: set clickhouse.cluster: two_shards"},
		"another":         {n, sinktest.TwoReplicas, "its tables are those of the cluster two_shards"},
		"made for one":    {other, sinktest.TwoShards, "its tables are those of one server, and clickhouse.cluster is two_shards: give another"},
		"unknown":         {fresh, "nowhere", "clickhouse.cluster must name a cluster of remote_servers"},
		"without Keeper":  {fresh, sinktest.TwoShards, "clickhouse.cluster needs ClickHouse Keeper"},
		"nothing changed": {n, sinktest.TwoShards, ""},
	} {
		cfg := sink.Config{Addr: []string{c.nodes.Addr(0)}, Database: c.nodes.Database, Cluster: c.cluster}
		s, err := sink.Open(t.Context(), cfg)
		if err == nil {
			err = s.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Contains([]*sinktest.Nodes{n, other}, c.nodes) {
			continue
		}
		s, err = sink.OpenToRead(t.Context(), cfg)
		if err == nil {
			err = s.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, to read: %v", name, err)
		}
	}
}

// The rows of one server move to a cluster by being inserted there, table by table, as sink/README.md says.
func TestSlowMoveToACluster(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "fills two warehouses and reads every view of both")
	one := open(t)
	fillCluster(t, one, one)
	n := warehousetest.Cluster(t, sinktest.TwoShards)
	s := openCluster(t, n, sinktest.TwoShards, 0)
	server := sinktest.Server(t).Addr()
	var database string
	if err := one.Conn().QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	rows, err := one.Query(t.Context(), `SELECT name FROM system.tables
		WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'goose_db_version'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for row, err := range rows.All() {
		if err != nil {
			t.Fatal(err)
		}
		exec(t, n.Conn(t, 1), fmt.Sprintf("INSERT INTO %s SETTINGS distributed_foreground_insert = 1 SELECT * FROM remote('%s', '%s', '%[1]s')",
			row[0], server, database))
	}
	equal(t, everything(t, s), everything(t, one))
	equal(t, answers(t, s), answers(t, one))
}
