package sink_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// opposites are values of pinned settings that are neither theirs nor the other one of 0 and 1.
var opposites = map[string]string{
	"join_default_strictness": "ANY", "union_default_mode": "DISTINCT", "count_distinct_implementation": "uniqHLL12",
	"session_timezone": "Asia/Shanghai", "date_time_output_format": "iso",
	"read_overflow_mode": "break", "result_overflow_mode": "break", "group_by_overflow_mode": "any", "sort_overflow_mode": "break",
	"set_overflow_mode": "break", "join_overflow_mode": "break", "distinct_overflow_mode": "break", "transfer_overflow_mode": "break",
	"timeout_overflow_mode": "break", "read_overflow_mode_leaf": "break", "timeout_overflow_mode_leaf": "break",
}

// hostile is a profile in which each pinned setting has another value than ours.
func hostile(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, value := range schema.ConnectionSettings(nil) {
		switch value {
		case 0:
			out[name] = "1"
		case 1:
			out[name] = "0"
		default:
			out[name] = opposites[name]
		}
	}
	// The server's own queries do not live with these.
	for _, name := range []string{"limit", "offset", "additional_result_filter", "additional_table_filters", "use_query_cache"} {
		delete(out, name)
	}
	for name, value := range out {
		if value == "" {
			t.Errorf("%s has no opposite", name)
		}
	}
	return out
}

// fillForSettings writes something of everything: all views have rows, and joins that find no partner.
func fillForSettings(t testing.TB, s *sink.Sink) {
	t.Helper()
	fillCluster(t, s, s)
	b := &books{now: time.Now().UTC().Truncate(24 * time.Hour)}
	b.add("i-1", "New", "Paid", nil, "1200")
	b.add("i-1", "Upgrade", "Cancelled", nil, "1500", "refund -1200")
	b.add("i-2", "Refund", "", func(o *schema.Order, _ []schema.Item) { o.RelatedOrderID = b.Orders[0].OrderID }, "refund 1200")
	b.add("i-3", "New", "Unpaid", nil, "7")
	write(t, s, b.Batch)
}

// The profile of the program's user changes no answer, and cannot keep the tables from being made.
func TestHostileProfileOfTheProgram(t *testing.T) {
	t.Parallel()
	server, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Open: true, Settings: hostile(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s, one := openAt(t, server.Addr(), "hostile"), open(t)
	if got := texts(t, plain(t, server.Addr(), "hostile"), "SELECT getSetting('join_use_nulls')"); got[0] != "(true)" {
		t.Fatalf("the server does not have the profile: %v", got)
	}
	fillForSettings(t, s)
	fillForSettings(t, one)
	equal(t, everything(t, s), everything(t, one))
	equal(t, answers(t, s), answers(t, one))
	definition := "SELECT name, replaceAll(as_select, currentDatabase() || '.', '') FROM system.tables WHERE database = currentDatabase() ORDER BY name"
	equal(t, texts(t, s.Conn(), definition), texts(t, one.Conn(), definition))
	if plan, _, err := sink.Look(t.Context(), sink.Config{Addr: []string{server.Addr()}, Database: "hostile", Username: "default"}); err != nil || !plan.Empty() {
		t.Errorf("%s, %v", plan, err)
	}
}

// plain is a connection without any settings, as another program's.
func plain(t testing.TB, addr, database string) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: clickhouse.Auth{Database: database, Username: "default"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// digest sums up all views in one query, but what depends on the moment.
func digest(t testing.TB, conn driver.Conn, settings clickhouse.Settings) string {
	t.Helper()
	var parts []string
	for _, v := range schema.Views() {
		if v.IsStored() {
			continue
		}
		columns := "*"
		if v.Name == "unpaid_orders" {
			columns = "* EXCEPT (age_hours)"
		}
		parts = append(parts, fmt.Sprintf("ifNull(toString((SELECT concat('%s ', toString(count()), ' ', toString(sum(cityHash64(toString(tuple(%s)))))) FROM %[3]s)), '%[1]s 0 0')", v.Name, columns, readable(v.Name)))
	}
	var text string
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(settings))
	if err := conn.QueryRow(ctx, "SELECT concat("+strings.Join(parts, ", ', ', ")+")").Scan(&text); err != nil {
		return strings.SplitN(err.Error(), "\n", 2)[0]
	}
	return text
}

// Who reads the views with another profile reads the same, and so does one who may only read.
func TestHostileProfileOfAReader(t *testing.T) {
	t.Parallel()
	conn, want := filledForSettings(t)
	for _, readonly := range []int{1, 2} {
		if got := digest(t, conn, clickhouse.Settings{"readonly": readonly}); got != want {
			t.Errorf("readonly = %d\n%s\nwant\n%s", readonly, got, want)
		}
	}
	if got := digest(t, conn, hostileOfViews(t)); got != want {
		t.Errorf("with the opposite of all that is pinned:\n%s\nwant\n%s", got, want)
	}
}

// A limit of a profile that would cut off what a view reads is an error, whatever the profile says: half of an answer looks whole.
func TestLimitsOfAReader(t *testing.T) {
	t.Parallel()
	conn, want := filledForSettings(t)
	for limit, mode := range map[string]string{
		"max_rows_to_read": "read_overflow_mode", "max_bytes_to_read": "read_overflow_mode", "max_rows_to_read_leaf": "read_overflow_mode_leaf",
		"max_rows_to_group_by": "group_by_overflow_mode", "max_rows_in_set": "set_overflow_mode", "max_rows_in_join": "join_overflow_mode",
		"max_rows_in_distinct": "distinct_overflow_mode", "max_rows_to_sort": "sort_overflow_mode",
	} {
		value := "break"
		if mode == "group_by_overflow_mode" {
			value = "any"
		}
		if got := digest(t, conn, clickhouse.Settings{limit: 1, mode: value}); got != want && !strings.HasPrefix(got, "code: ") {
			t.Errorf("%s, %s = %s:\n%s\nwant\n%s", limit, mode, value, got, want)
		}
	}
}

// The same of each pinned setting by itself, since one might hide what another does.
func TestSlowHostileProfileOfAReader(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "reads all views once for each pinned setting")
	conn, want := filledForSettings(t)
	for name, value := range hostileOfViews(t) {
		if got := digest(t, conn, clickhouse.Settings{name: value}); got != want {
			t.Errorf("%s = %v\n%s\nwant\n%s", name, value, got, want)
		}
	}
}

// filledForSettings connects to a warehouse of fillForSettings, and returns the digest of its views.
func filledForSettings(t *testing.T) (driver.Conn, string) {
	t.Helper()
	addr, database := warehousetest.Database(t)
	fillForSettings(t, openAt(t, addr, database))
	conn := sinktest.Conn(t, database)
	return conn, digest(t, conn, nil)
}

// hostileOfViews is the part of a hostile profile that the views pin.
func hostileOfViews(t *testing.T) clickhouse.Settings {
	t.Helper()
	out := clickhouse.Settings{}
	for name, value := range hostile(t) {
		if strings.Contains(schema.Pinned(), name+" = ") {
			out[name] = value
		}
	}
	if len(out) < 8 {
		t.Fatalf("views pin only %v", out)
	}
	return out
}

// Settings that change what a query over the views says in spite of all, each with the reason why that is left to whoever
// sets it.
var leftToTheReader = map[string]string{
	"force_index_by_date": "it refuses", "force_primary_key": "it refuses", "force_optimize_projection": "it refuses",
	"implicit_transaction": "it refuses", "make_distributed_plan": "it refuses", "inject_random_order_for_select_without_order_by": "it refuses",
	"enable_analyzer": "the former analyzer refuses, and no part of a query can have its own", "allow_experimental_analyzer": "the same",
	"enable_global_with_statement": "it refuses", "analyzer_inline_views": "it refuses",
	"asterisk_include_virtual_columns":                                           "it is about the * of the reader",
	"date_time_64_output_format_cut_trailing_zeros_align_to_groups_of_thousands": "it is about text", "output_format_decimal_trailing_zeros": "it is about text",
	"output_format_always_write_decimal_point_in_float_and_decimal": "it is about text", "output_format_native_encode_types_in_binary_format": "the driver cannot read it",
	"discard_query_data": "it discards the answer",
}

// Each setting of the server that is on or off is turned over: what changes an answer is pinned, or known.
func TestSlowEverySettingTurnedOver(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "reads all views with hundreds of settings")
	conn, want := filledForSettings(t)
	rows, err := conn.Query(t.Context(), "SELECT name, value FROM system.settings WHERE type = 'Bool' AND NOT is_obsolete ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	flipped := clickhouse.Settings{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
		if leftToTheReader[name] == "" {
			names = append(names, name)
			flipped[name] = map[string]string{"0": "1", "1": "0"}[value]
		}
	}
	if len(names) < 500 {
		t.Fatalf("there are %d settings", len(names))
	}
	turn := func(names ...string) string {
		settings := clickhouse.Settings{}
		for _, name := range names {
			settings[name] = flipped[name]
		}
		return digest(t, conn, settings)
	}
	// Many at a time, and one by one where those together change something.
	for some := range slices.Chunk(names, 20) {
		if turn(some...) == want {
			continue
		}
		for _, name := range some {
			if got := turn(name); got != want {
				t.Errorf("%s = %v\n%s\nwant\n%s", name, flipped[name], got, want)
			}
		}
	}
}
