package monitoring_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/monitoring"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/simulator"
)

// expand puts in what Grafana does for its variables, and the data source for its macros: see pkg/macros/macros.go in
// grafana/clickhouse-datasource. The time range is that of the dashboard's days, and spend what its money is read from.
func expand(t *testing.T, sql string, days int, spend string) string {
	t.Helper()
	to := time.Now()
	from := fmt.Sprintf("toDateTime(%d)", to.AddDate(0, 0, -days).Unix())
	until := fmt.Sprintf("toDateTime(%d)", to.Unix())
	sql = strings.NewReplacer("${account:singlequote}", "'other','main'", "${currency:singlequote}", "'CNY'", "$__fromTime", from, "$__toTime", until, "${spend}", spend).Replace(sql)
	sql = regexp.MustCompile(`\$__timeFilter\(([^()]+)\)`).ReplaceAllString(sql, "$1 >= "+from+" AND $1 <= "+until)
	if strings.Contains(sql, "$") {
		t.Errorf("%s: what is to be put in there?", sql)
	}
	return sql
}

// Every statement of the dashboard returns rows on the data of the demo, with columns of the kinds that its panel needs.
func TestBusinessDashboard(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	now := time.Now().UTC()
	// As the demo has it, with fewer orders.
	account := simulator.NewAccount(simulator.Options{Seed: 1, Orders: 3000, From: now.Truncate(time.Hour).AddDate(0, 0, -90), To: now})
	server := simulator.New(account)
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg := simulated(server, addr, database)
	cfg.Reporting.Refresh = time.Hour
	a, err := app.New(app.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := a.Backfill(t.Context(), now, now.AddDate(0, 0, -91), now, false, nil); err != nil {
		t.Fatal(err)
	}

	for _, statement := range []string{"SYSTEM REFRESH VIEW spend_stored", "SYSTEM WAIT VIEW spend_stored"} {
		if err := a.Warehouse().Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}

	type query struct {
		title, sql string
		series     bool
	}
	var queries []query
	for _, p := range panels(t, monitoring.Business) {
		for _, target := range p.Targets {
			if target.RawSQL == "" || (target.Format == 0) != (p.Type == "timeseries") {
				t.Errorf("%s: the format %d of %q", p.Title, target.Format, target.RawSQL)
			}
			queries = append(queries, query{p.Title, target.RawSQL, target.Format == 0})
		}
	}
	var d struct {
		Templating struct {
			List []struct {
				Name, Type, Definition string
				Query                  json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(monitoring.Business, &d); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		var q struct{ RawSQL string }
		if err := json.Unmarshal(v.Query, &q); err != nil || q.RawSQL != v.Definition {
			t.Errorf("%s: %s, %v", v.Name, v.Query, err)
		}
		queries = append(queries, query{v.Name, q.RawSQL, false})
	}
	if len(queries) < 20 {
		t.Fatalf("%d statements", len(queries))
	}
	run := func(q query, spend string) {
		t.Helper()
		rows, err := a.Warehouse().Conn().Query(t.Context(), expand(t, q.sql, 90, spend))
		if err != nil {
			t.Errorf("%s: %v", q.title, err)
			return
		}
		n, empty := 0, true
		types := rows.ColumnTypes()
		for rows.Next() {
			values := make([]any, len(types))
			for i, c := range types {
				values[i] = reflect.New(c.ScanType()).Interface()
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatalf("%s: %v", q.title, err)
			}
			n++
			last := reflect.ValueOf(values[len(values)-1]).Elem() // NULL is a nil pointer
			empty = empty && (last.IsZero() || last.Kind() == reflect.Pointer && last.Elem().IsZero() || fmt.Sprint(last.Interface()) == "0")
		}
		if q.series && !strings.HasPrefix(types[0].DatabaseTypeName(), "DateTime") {
			t.Errorf("%s: a series begins with a time, and not with %s", q.title, types[0].DatabaseTypeName())
		}
		if err := rows.Err(); err != nil || n == 0 || empty && q.title != "Unpaid orders" { // whose last column marks what is wrong
			t.Errorf("%s: %d rows, all without a value: %t, %v", q.title, n, empty, err)
		}
	}
	for _, q := range queries {
		for _, spend := range []string{"spend", "spend_stored"} {
			run(q, spend)
		}
	}
}

// simulated is the configuration for a simulated account.
func simulated(server *simulator.Server, addr, database string) *config.Config {
	cfg := config.Default()
	a := config.NewAccount("main", config.SourceBSS)
	a.Endpoint = server.URL()
	a.Credentials = config.Credentials{AccessKeyID: "testid", AccessKeySecret: "testsecret"}
	a.Quota = config.Quota{List: 1000, Detail: 1000}
	cfg.Accounts = []config.Account{a}
	cfg.ClickHouse = config.ClickHouse{Addr: []string{addr}, Database: database, Username: "default"}
	return cfg
}
