package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// planned is what plan --json prints.
type planned struct {
	ListCalls   int `json:"list_calls"`
	DetailCalls int `json:"detail_calls"`
	PlanCalls   int `json:"plan_calls"`
	Seconds     float64
	Accounts    []struct {
		Account string
		Seconds float64
		Streams []struct {
			Orders, Stored, Windows int
			Skipped                 int `json:"windows_skipped"`
			ListCalls               int `json:"list_calls"`
			DetailCalls             int `json:"detail_calls"`
			Error                   string
		} `json:"lanes"`
	}
}

// What plan says is what backfill then does, and to say it changes nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configure("quota: {list: 1000, detail: 1000}", "quota: {list: 100, detail: 50}")
	w.account.ResetCounters()
	// Days are listed each by itself: midnight may come between the two.
	to := w.account.Options().To.Truncate(time.Hour).Add(time.Hour)
	from, until := to.Add(-25*time.Hour).Format(time.RFC3339), to.Format(time.RFC3339)
	p := decode[planned](t, w.run(0, "plan", "--from", from, "--to", until, "--json").out)
	calls := w.account.Calls()
	if calls["QueryOrders"].Total != p.PlanCalls || calls["GetOrderDetail"].Total != 0 || p.PlanCalls > 10 {
		t.Errorf("%d calls are said, %+v were made", p.PlanCalls, calls)
	}
	if l := p.Accounts[0].Streams[0]; l.Orders != 300 || l.Stored != 0 || l.Skipped != 0 || p.DetailCalls != 300 || p.Seconds != 6 || l.Error != "" {
		t.Errorf("%+v", p)
	}
	w.account.ResetCounters()
	w.run(0, "backfill", "--from", from, "--to", until)
	calls = w.account.Calls()
	// A list asks for a second more on each side than it is of. What was ordered in such a second is in two lists, and may fill a page
	// of one of them, or make it no single one: up to two calls that a count of the day does not foretell.
	midnight := to.Add(-time.Second).Truncate(24 * time.Hour)
	twice := len(w.account.IDs(midnight.Add(-time.Second), midnight.Add(2*time.Second)))
	if list := calls["QueryOrders"].Total; list < p.ListCalls || list > p.ListCalls+2*twice || calls["GetOrderDetail"].Total != p.DetailCalls {
		t.Errorf("%d list and %d detail calls are said, %d orders are in two lists; came %+v", p.ListCalls, p.DetailCalls, twice, calls)
	}
	r := w.run(0, "plan", "--from", "-24h", "--force")
	contains(t, r.out, "main", "list calls", "300", "at 100 list and 50 detail calls a second", "to estimate this")
	if strings.Contains(r.out, "skipped") {
		t.Error(r.out)
	}
	contains(t, w.run(0, "plan", "--from", "-24h").out, " complete already and skipped")
	for _, line := range strings.Split(r.out, "\n") {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// A plan makes nothing: no table, no database, no folder of a server. Without them nothing is stored.
func TestPlanWithoutAWarehouse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.addr, w.database = sinktest.Database(t) // without tables
	w.configureAgain()
	conn := sinktest.Conn(t, w.database)
	plan := func() {
		t.Helper()
		if p := decode[planned](t, w.run(0, "plan", "--from", "-24h", "--json").out); p.DetailCalls != 100 {
			t.Errorf("%+v", p)
		}
	}
	plan()
	var tables uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = ?", w.database).Scan(&tables); err != nil || tables > 0 {
		t.Errorf("%d tables, %v", tables, err)
	}
	w.configureAgain("database: "+w.database, "database: never_made")
	plan()
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.databases WHERE name = 'never_made'").Scan(&tables); err != nil || tables > 0 {
		t.Errorf("%d databases, %v", tables, err)
	}
	folder := filepath.Join(t.TempDir(), "warehouse")
	w.configureAgain(fmt.Sprintf("{addr: [%q], database: %s, username: default}", w.addr, w.database), fmt.Sprintf("{embedded: %q}", folder))
	plan()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

// Accounts work side by side, each at its own quota; a source that cannot list says so.
func TestPlanOfSeveralAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure("clickhouse:", `  - name: second
    source: bss
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
    quota: {list: 10, detail: 10}
  - name: domains
    source: domain
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
clickhouse:`)
	r := w.run(0, "plan", "--from", "-24h")
	contains(t, r.out, "main", "second", "domains: its source cannot list orders", "in about 10s at 10 list and 10 detail")
	p := decode[planned](t, w.run(0, "plan", "--from", "-24h", "--json").out)
	if p.DetailCalls != 200 || p.Seconds != 10 || len(p.Accounts) != 3 || p.Accounts[0].Seconds != 0.1 {
		t.Errorf("%+v", p)
	}
}

func TestPlanIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.configure("${TEST_SECRET}", "another-secret")
	r := w.run(3, "plan", "--from", "-24h")
	contains(t, r.err, "SignatureDoesNotMatch")
	if strings.Contains(r.out, "ends at") {
		t.Error(r.out)
	}
}

// A warehouse of another reporting zone is one to plan for, too.
func TestPlanInAReportingZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure("http: {", "reporting: {timezone: Asia/Shanghai}\nhttp: {")
	w.run(0, "migrate") // the test's tables are of UTC
	w.run(0, "backfill", "--from", "-24h")
	if p := decode[planned](t, w.run(0, "plan", "--from", "-24h", "--json").out); p.Accounts[0].Streams[0].Skipped == 0 || p.DetailCalls != 0 {
		t.Errorf("%+v", p)
	}
	w.configureAgain("http: {", "reporting: {timezone: Europe/Berlin}\nhttp: {")
	contains(t, w.run(3, "plan", "--from", "-24h").err, "Asia/Shanghai", "Europe/Berlin", "ordersync migrate")
}
