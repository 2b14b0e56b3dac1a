package sink_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// The stored view is there as long as somebody asks for it, is filled when it is made, and says of when it is and why it is not
// made anew.
func TestStoredView(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	cfg := sink.Config{Addr: []string{addr}, Database: database, Username: "default"}
	without := openAt(t, addr, database)
	if v, err := without.StoredView(t.Context()); v != nil || err != nil {
		t.Errorf("where there is none: %+v, %v", v, err)
	}
	o := order(1)
	write(t, without, sink.Batch{Orders: []schema.Order{o}, Items: []schema.Item{item(o, 1), item(o, 2)}})
	plan := func(cfg sink.Config, want string) {
		t.Helper()
		if plan, _, err := sink.Look(t.Context(), cfg); err != nil || plan.String() != want {
			t.Errorf("the plan is %q, %v, not %q", plan, err, want)
		}
	}
	made := func(cfg sink.Config) *sink.Sink {
		t.Helper()
		s, err := sink.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	asked := func(view string) string {
		return "SELECT account, order_id, item_id, day, kind, net, net_after_tax, list_price, operator_name FROM " + view + " ORDER BY ALL"
	}

	started := time.Now().Truncate(time.Second)
	yearly := cfg
	yearly.Refresh = 365 * 24 * time.Hour // none comes by itself
	plan(yearly, "make the view spend_stored")
	s := made(yearly)
	plan(yearly, "")
	live := texts(t, s.Conn(), asked("spend"))
	if equal(t, texts(t, s.Conn(), asked("spend_stored")), live); len(live) != 2 {
		t.Errorf("spend is %v", live)
	}
	v, err := s.StoredView(t.Context())
	if err != nil || v == nil || v.Name != "spend_stored" || v.Every != yearly.Refresh || v.At.Before(started) || v.At.After(time.Now()) || v.Error != "" ||
		v.Overdue(v.At.Add(2*v.Every)) || !v.Overdue(v.At.Add(3*v.Every)) {
		t.Errorf("just made: %+v, %v", v, err)
	}
	equal(t, texts(t, s.Conn(), "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'spend_stored' AND comment = ''"), nil)

	// What is written comes with the next time, which the server's own statement brings on.
	write(t, s, sink.Batch{Orders: []schema.Order{order(2)}, Items: []schema.Item{item(order(2), 1)}})
	equal(t, texts(t, s.Conn(), asked("spend_stored")), live)
	exec(t, s.Conn(), "SYSTEM REFRESH VIEW spend_stored")
	exec(t, s.Conn(), "SYSTEM WAIT VIEW spend_stored")
	equal(t, texts(t, s.Conn(), asked("spend_stored")), texts(t, s.Conn(), asked("spend")))

	// One that cannot be made anew keeps what it shows, and says so.
	exec(t, s.Conn(), "RENAME TABLE operators TO operators_away")
	exec(t, s.Conn(), "SYSTEM REFRESH VIEW spend_stored")
	_ = s.Conn().Exec(t.Context(), "SYSTEM WAIT VIEW spend_stored") // which fails as it does
	failed, err := s.StoredView(t.Context())
	if err != nil || !strings.Contains(failed.Error, "operators") || strings.Contains(failed.Error, "\n") || failed.At.Before(v.At) {
		t.Errorf("not made anew: %+v, %v", failed, err)
	}
	equal(t, len(texts(t, s.Conn(), asked("spend_stored"))), 3)
	exec(t, s.Conn(), "RENAME TABLE operators_away TO operators")

	// Another period and another zone make it again; nobody but migrate drops it.
	longer := yearly
	longer.Refresh = 366 * 24 * time.Hour
	plan(longer, "make the view spend_stored")
	if v, err = made(longer).StoredView(t.Context()); err != nil || v.Every != longer.Refresh {
		t.Errorf("longer: %+v, %v", v, err)
	}
	longer.Timezone, longer.Reconfigure = "Asia/Shanghai", true
	made(longer)
	equal(t, texts(t, s.Conn(), asked("spend_stored")), texts(t, s.Conn(), asked("spend")))
	cfg.Timezone = longer.Timezone
	plan(cfg, "")
	cfg.Reconfigure = true
	plan(cfg, "drop the view spend_stored")
	made(cfg)
	equal(t, texts(t, s.Conn(), "SELECT name FROM system.tables WHERE database = currentDatabase() AND (name = 'spend_stored' OR startsWith(name, '.inner'))"), nil)

	// What somebody else has under its name is refused and stays (I13).
	exec(t, s.Conn(), "CREATE MATERIALIZED VIEW spend_stored ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a")
	refused(t, cfg, "the materialized view spend_stored, not made by ordersync")
	equal(t, texts(t, s.Conn(), "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'spend_stored'"), []string{"(1)"})
}

// In a cluster each server keeps the rows of all shards.
func TestStoredViewOfACluster(t *testing.T) {
	t.Parallel()
	n := sinktest.Cluster(t)
	b := sink.Batch{}
	for i := range 8 { // of both shards
		b.Orders, b.Items = append(b.Orders, order(i)), append(b.Items, item(order(i), 1))
	}
	write(t, openCluster(t, n, sinktest.TwoShards, 0), b)
	openCluster(t, n, sinktest.TwoShards, 1, func(c *sink.Config) { c.Refresh = time.Hour })
	for node := range 2 {
		equal(t, texts(t, n.Conn(t, node), "SELECT count(), uniqExact(order_id), sum(net) = (SELECT sum(net) FROM spend) FROM spend_stored"), []string{"(8,8,1)"})
	}
	openCluster(t, n, sinktest.TwoShards, 0, func(c *sink.Config) { c.Reconfigure = true })
	for node := range 2 {
		equal(t, texts(t, n.Conn(t, node), "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'spend_stored'"), nil)
	}
}
