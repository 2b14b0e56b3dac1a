package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// The whole way of a new user: check, backfill, again, look.
func TestBackfillAndLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configureNew()
	truth := w.account.Truth(time.Time{}, time.Time{})

	r := w.run(0, "check")
	contains(t, r.out, "ok     configuration", "ok     order list of main", "ok     order detail of main",
		"ok     product list of main", "ok     clock of main", "ok     clickhouse")
	if r.err != "" {
		t.Errorf("standard error of check: %s", r.err)
	}
	contains(t, r.out, "is new: `ordersync migrate`, or the first verb that writes, will make its tables and views")
	contains(t, w.run(0, "check", "--json").out, `"ok": true`)

	contains(t, w.run(3, "status").err, "run `ordersync migrate`")
	contains(t, w.run(0, "migrate").out, "What was done: make its tables and views.")
	contains(t, w.run(0, "migrate").out, "are up to date.")
	contains(t, w.run(0, "check").out, "are up to date")
	r = w.run(1, "status")
	contains(t, r.out, "never synced")

	type done struct {
		Skipped  int `json:"windows_skipped"`
		Accounts []struct {
			Windows                map[string]int
			Orders, Changed, Items int
			DetailCalls            int `json:"detail_calls"`
		}
		Error string
	}
	w.account.ResetCounters()
	first := decode[done](t, w.run(0, "backfill", "--from", "-24h", "--json").out)
	a := first.Accounts[0]
	if a.Orders != truth.Orders || a.Items != truth.Items || a.DetailCalls != truth.Orders || first.Skipped != 0 || first.Error != "" {
		t.Errorf("first backfill: %+v", first)
	}
	if calls := w.account.Calls()["GetOrderDetail"].Total; calls != truth.Orders {
		t.Errorf("%d detail calls for %d orders", calls, truth.Orders)
	}

	w.account.ResetCounters()
	r = w.run(0, "backfill", "--from", "-24h")
	contains(t, r.out, " complete already and skipped")
	again := decode[done](t, w.run(0, "backfill", "--from", "-24h", "--force", "--json", "--account", "main").out)
	if a := again.Accounts[0]; a.Orders != truth.Orders || a.Changed != 0 {
		t.Errorf("forced backfill: %+v", again)
	}
	if calls := w.account.Calls()["GetOrderDetail"].Total; calls != 0 {
		t.Errorf("%d detail calls for orders that did not change (I3)", calls)
	}

	r = w.run(0, "sql", "--format", "csv", "SELECT count(), toString(groupBitXor(xxHash64(order_id))) FROM orders")
	if got := strings.Split(r.out, "\n")[1]; !strings.HasPrefix(got, "300,") {
		t.Errorf("orders: %s", got)
	}
	r = w.run(0, "status")
	contains(t, r.out, "up to date", "300")
	type status struct {
		OK       bool
		Accounts []struct {
			Orders     int
			LagSeconds float64 `json:"lag_seconds"`
			Problems   []string
		}
	}
	// It fits a terminal of 80 columns, a day a line, and is plain text where there is none.
	week := w.run(0, "status", "--days", "7").out
	if days := regexp.MustCompile(`(?m)^  [A-Z][a-z]{2} \d{4}-\d\d-\d\d  [# o.]+$`).FindAllString(week, -1); len(days) < 2 || len(days) > 3 {
		t.Errorf("%d days with hours that were synced, of the last 24 of them:\n%s", len(days), week)
	}
	for line := range strings.Lines(week) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 || strings.Contains(line, "\x1b") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	contains(t, w.run(2, "status", "--days", "101").err, "--days 101 is not from 1 to 100")
	contains(t, w.run(2, "status", "--account", "other").err, `--account: there is no account "other"`)
	s := decode[status](t, w.run(0, "status", "--json").out)
	if !s.OK || s.Accounts[0].Orders != 300 || s.Accounts[0].LagSeconds <= 0 || s.Accounts[0].LagSeconds > 2*3600 {
		t.Errorf("%+v", s)
	}
}

// What is behind must look so (I8).
func TestStatusTellsWhatIsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.configure()
	w.run(0, "backfill", "--from", "-24h", "--to", "-20h")
	w.run(0, "backfill", "--from", "-16h", "--to", "-12h")
	contains(t, w.run(1, "status").out, "no daemon works on it", "behind by", "1 gap, ", "main:", "!!!!", "! missing", "not all is well")
	contains(t, w.run(1, "status", "--json").out, `"ok": false`)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	r := w.run(0, "demo", "--orders", "1500", "--days", "40", "--dir", "kept")
	contains(t, r.out, "1,500 orders", "Closed the books of ", "paid or cancelled", "sum(pretax_amount)", "order_items: digest of all ids", "All equal, to the last digit.", "10 details a second", "--serve")
	if strings.Contains(r.out, "DIFFERENT") {
		t.Error(r.out)
	}
	// Its data can be looked at afterwards, by the configuration that it wrote, and every recipe of the README returns rows on it.
	contains(t, w.run(0, "sql", "-c", "kept/ordersync.yaml", "--format", "json", "SELECT count() >= 1500 AS all FROM orders").out, `{"all":1}`)
	titles, recipes := blocks(t, "sql")
	all := strings.ReplaceAll(strings.Join(recipes, ";\n"), "now64(3, 'UTC') - INTERVAL 1 MINUTE", "now64(3, 'UTC')")
	answers := json.NewDecoder(strings.NewReader(w.runWith(all, "sql", "-c", "kept/ordersync.yaml", "--format", "json").out))
	for _, title := range titles {
		var rows []any
		if err := answers.Decode(&rows); err != nil || len(rows) == 0 {
			t.Fatalf("%q returns %d rows, %v", title, len(rows), err)
		}
	}
	contains(t, w.run(2, "demo", "--dir", "kept").err, "is not empty")
}

// The demo that stays up shows a vendor that lives, and every recipe of the README returns rows on it.
func TestDemoLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	p := w.start("demo", "--serve", "--orders", "600", "--days", "40", "--dir", "kept")
	p.output("status and metrics")
	ask := func(query string) string {
		return w.run(0, "sql", "-c", "kept/ordersync.yaml", "--format", "tsv", query).out
	}
	titles, recipes := blocks(t, "sql")
	deadline := time.Now().Add(5 * time.Minute)
	for i, title := range titles {
		// A line names the columns. The history of this warehouse is seconds old.
		recipe := strings.ReplaceAll(recipes[i], "INTERVAL 1 MINUTE", "INTERVAL 0 SECOND")
		for strings.Count(w.runWith("", "sql", "-c", "kept/ordersync.yaml", "--format", "tsv", recipe).out, "\n") < 2 {
			if time.Now().After(deadline) {
				t.Fatalf("%q returns no row", title)
			}
		}
	}
	const seen = `SELECT countIf(change = 1 AND valid_from > create_time) > 600 AND
		countIf(change > 1 AND payment_status = 'Paid') > 0 FROM order_history`
	for !strings.HasSuffix(ask(seen), "\n1\n") {
		if time.Now().After(deadline) {
			t.Fatalf("nothing was ordered and paid: %s", ask("SELECT change, payment_status, count() FROM order_history GROUP BY ALL"))
		}
	}
	p.signal(syscall.SIGINT)
	p.end(0)
}

// Without a configuration the default warehouse is looked at, if it is there.
func TestReadingWithoutConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.run(2, "sql", "SELECT 1")
	w.write("ordersync.yaml", "{}\n")
	w.run(3, "sql", "SELECT 1")
	w.run(0, "migrate") // makes ./ordersync-data
	if err := os.Remove(filepath.Join(w.dir, "ordersync.yaml")); err != nil {
		t.Fatal(err)
	}
	contains(t, w.run(0, "sql", "--format", "tsv", "SELECT currentDatabase() AS d").out, "d\nordersync\n")
	contains(t, w.run(0, "status").out, "The ledger is empty")
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	p := w.start("simulate", "--orders", "10", "--days", "1")
	// It says nothing on standard error; that it serves is known when its output is complete.
	yaml := p.output("quota: {list: 10, detail: 10}\n")
	_, yaml, _ = strings.Cut(yaml, "ordersync.yaml:\n\n")
	addr, database := sinktest.Database(t)
	w.write("ordersync.yaml", fmt.Sprintf("%sclickhouse: {addr: [%q], database: %s}\n", yaml, addr, database))
	contains(t, w.run(0, "check").out, "ok     order list of simulated")
	p.signal(syscall.SIGINT)
	p.end(0)
}
