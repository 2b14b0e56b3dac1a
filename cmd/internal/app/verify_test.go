package app_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

const (
	agreed   = "the counts of the copy and the source agree"
	differed = "the verification found differences"
)

func number(t *testing.T, conn driver.Conn, query string) (n uint64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// waitMetric returns when a metric has a value.
func waitMetric(t *testing.T, a *app.App, line string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(get(t, a.URL()+"/metrics"), line+"\n"); {
		if time.Now().After(deadline) {
			t.Fatalf("the metrics never said %s:\n%s", line, get(t, a.URL()+"/metrics"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// The daemon proves its copy once a day, remembers that over a restart, and says what is wrong with the remedy.
func TestDailyVerification(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	cfg.Schedule.Lookback = 2 * time.Hour // what lies further back is not healed by a scheduled run
	now := time.Now().UTC()
	daemon := func() (*app.App, *lines) {
		log := newLines()
		a := newApp(t, cfg, log)
		if err := a.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return a, log
	}
	first, log := daemon()
	if _, err := first.Backfill(t.Context(), now, now.Add(-24*time.Hour), now, false, nil); err != nil {
		t.Fatal(err)
	}
	account.ResetCounters()
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, agreed, 1)
	log.wait(t, "tick", 3)
	if n := log.count(agreed); n != 1 {
		t.Errorf("%d verifications in a few ticks", n)
	}
	metrics := get(t, first.URL()+"/metrics")
	for _, metric := range []string{`ordersync_verify_differences{account="main"} 0`, `ordersync_verification_timestamp_seconds{account="main",owner_id=""} 1.`} {
		if !strings.Contains(metrics, metric) {
			t.Errorf("%s is not in\n%s", metric, metrics)
		}
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	second, log := daemon()
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 2)
	if n := number(t, conn, "SELECT count() FROM sync_verifications"); n != 1 {
		t.Errorf("%d verifications are recorded: a restart is no reason for one", n)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}

	// A day later, and somebody has deleted an order.
	lost := account.IDs(now.Add(-20*time.Hour), now.Add(-5*time.Hour))[0]
	for _, query := range []string{
		"ALTER TABLE order_rows DELETE WHERE order_id = '" + lost + "' SETTINGS mutations_sync = 2",
		"CREATE TABLE old AS sync_verifications",
		"INSERT INTO old SELECT * REPLACE (finished_at - 90000 AS finished_at) FROM sync_verifications",
		"EXCHANGE TABLES old AND sync_verifications",
	} {
		if err := conn.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	third, log := daemon()
	if err := third.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, differed, 1)
	log.mu.Lock()
	for _, line := range log.all {
		if line["msg"] == differed && (line["remedy"] != "ordersync verify --repair --account main" || line["level"] != "WARN") {
			t.Errorf("%v", line)
		}
	}
	log.mu.Unlock()
	// The window differs from its ledger, and from the source.
	waitMetric(t, third, `ordersync_verify_differences{account="main"} 2`)

	// The operator does as he is told, in another process; the daemon sees it.
	operator, _ := daemon()
	found, err := operator.Verify(t.Context(), time.Now().UTC(), app.VerifyOptions{Options: audit.Options{Repair: true}}, nil)
	if err != nil || len(found) != 1 || found[0].Err != nil || found[0].Repaired != 2 || found[0].Differences != 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	waitMetric(t, third, `ordersync_verify_differences{account="main"} 0`)
	if n := log.count(differed); n != 1 {
		t.Errorf("the differences were told %d times", n)
	}
}

// What was found of an owner that is configured no more is nobody's metric: nothing would ever heal it.
func TestVerificationOfWhatIsNotConfigured(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	a := newApp(t, cfg, newLines())
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC()
	for owner, differences := range map[string]int{"": 1, "9": 3} {
		if err := a.Warehouse().WriteVerification(t.Context(), sink.Verification{
			Stream: schema.Stream{Source: config.SourceBSS, Account: "main", OwnerID: owner}, From: at.Add(-time.Hour), To: at, Whole: true,
			Windows: 1, StartedAt: at, FinishedAt: at,
		}); err != nil {
			t.Fatal(err)
		}
		for i := range differences {
			if err := a.Warehouse().WriteFindings(t.Context(), []schema.Finding{{
				Stream: schema.Stream{Source: config.SourceBSS, Account: "main", OwnerID: owner}, ID: fmt.Sprint(i), Kind: "changed", Depth: "rows",
				Start: at.Add(-time.Hour), End: at, FoundAt: at, Version: 1,
			}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if metrics := get(t, a.URL()+"/metrics"); !strings.Contains(metrics, `ordersync_verify_differences{account="main"} 1`) || strings.Contains(metrics, `owner_id="9"`) {
		t.Error(metrics)
	}
}

// An account that was synced for less time than another has no gap where the other one begins.
func TestEachAccountIsVerifiedByItsOwnLedger(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t, func(o *simulator.Options) { o.Orders = 0 })
	other := cfg.Accounts[0]
	other.Name = "other"
	cfg.Accounts = append(cfg.Accounts, other)
	now := time.Now().UTC()
	for ago := 10 * time.Minute; ago < 20*time.Hour; ago += 10 * time.Minute { // as many at any time of the day
		account.Add(1, now.Add(-ago))
	}
	for i, back := range []time.Duration{20 * time.Hour, 8 * time.Hour} {
		one := *cfg
		one.Accounts = []config.Account{cfg.Accounts[i]}
		a := newApp(t, &one, newLines())
		if err := a.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Backfill(t.Context(), now, now.Add(-back), now, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	a := newApp(t, cfg, newLines())
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := a.Verify(t.Context(), now, app.VerifyOptions{}, nil)
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	// The count of the time that an account was synced, and those of its halves: a process that has just begun does not know whether the
	// source counts further than the first, which is of twenty orders or more.
	const calls = 3
	for i, least := range []int{19, 7} {
		v := found[i]
		if v.Err != nil || len(v.Found) > 0 || v.Windows < least || v.Windows > least+2 || v.Calls != calls || !v.Whole {
			t.Errorf("%s: %d windows by %d calls (%v), %d differences: %v", v.Account, v.Windows, v.Calls, v.Whole, len(v.Found), v.Err)
		}
	}
}

// The warehouse goes in the middle of a scheduled run, with rows on their way. The daemon waits, says so, and goes on.
func TestWarehouseGoesDuringATick(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	way := newProxy(t, cfg.ClickHouse.Addr[0], "")
	cfg.ClickHouse.Addr = []string{way.addr}
	var details atomic.Int64
	gone := make(chan struct{})
	account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.OrderID != "" && details.Add(1) == 120 {
			way.cut()
			close(gone)
		}
		return simulator.Action{}
	})
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-gone
	for log.count("insert failed, trying again")+log.count(away) == 0 {
		<-log.changed
	}
	way.open(t)
	waitMetric(t, a, fmt.Sprintf(`ordersync_orders_written_total{account="main"} %d`, orders))
	log.wait(t, "tick", 1)
	if n := log.count(away); n > 1 {
		t.Errorf("%q was said %d times", away, n)
	}
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	o := account.Options()
	diff, err := compare.Warehouse(t.Context(), conn, "main", o.From, o.To, account.Truth(o.From, o.To))
	if err != nil || len(diff) > 0 {
		t.Error(diff, err)
	}
}
