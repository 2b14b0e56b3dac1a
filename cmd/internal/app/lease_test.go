package app_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

const (
	standsBy  = "standing by: another daemon works on the account"
	takesOver = "the daemon that worked on the account is gone: this one takes over"
	never     = "0 0 1 1 *" // but for the run at the start
)

// daemon starts an app that renews its claims every so often.
func daemon(t *testing.T, cfg *config.Config, renews time.Duration) (*app.App, *lines) {
	t.Helper()
	log := newLines()
	a := newApp(t, cfg, log)
	a.ClaimEvery(renews)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a, log
}

func TestSecondDaemonStandsByAndTakesOver(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	first, log := daemon(t, cfg, 50*time.Millisecond)
	log.wait(t, "tick", 1)
	other := *cfg
	other.Schedule.Cron = never
	second, standing := daemon(t, &other, 50*time.Millisecond)
	standing.wait(t, standsBy, 1)
	if got := get(t, second.URL()+"/readyz"); got != "standing by: another daemon works on main\n" {
		t.Errorf("readyz: %s", got)
	}
	waitMetric(t, first, `ordersync_leader{account="main"} 1`)
	waitMetric(t, second, `ordersync_leader{account="main"} 0`)
	log.wait(t, "tick", 3)
	if n := second.Calls(); n != 0 || standing.count(standsBy) != 1 {
		t.Errorf("%d calls while standing by, which was said %d times", n, standing.count(standsBy))
	}
	// A clean stop gives the account back, and the next one does not wait for its schedule.
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	standing.wait(t, takesOver, 1)
	standing.wait(t, "tick", 1)
	waitMetric(t, second, `ordersync_leader{account="main"} 1`)
	if got := get(t, second.URL()+"/readyz"); got != "ok\n" {
		t.Errorf("readyz: %s", got)
	}
}

// Daemons with other accounts do not get in each other's way.
func TestEachAccountHasItsOwnLease(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	with := func(names ...string) *config.Config {
		c := *cfg
		c.Accounts = nil
		for _, name := range names {
			a := cfg.Accounts[0]
			a.Name = name
			c.Accounts = append(c.Accounts, a)
		}
		return &c
	}
	first, _ := daemon(t, with("one", "two"), time.Hour)
	second, log := daemon(t, with("two", "three"), time.Hour)
	for a, want := range map[*app.App][]string{first: {"one", "two"}, second: {"three"}} {
		for _, name := range want {
			waitMetric(t, a, `ordersync_leader{account="`+name+`"} 1`)
		}
	}
	waitMetric(t, second, `ordersync_leader{account="two"} 0`)
	log.wait(t, "tick", 2)
	if log.countOf("tick", "two") > 0 || log.countOf("tick", "three") == 0 {
		t.Errorf("%v", log.all)
	}
}

// A daemon that turns out not to lead ends its run at once, and commits what it fetched.
func TestOutrankedDaemonStops(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	hanging := make(chan struct{})
	var once sync.Once
	account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.OrderID != "" && r.Number > 100 {
			once.Do(func() { close(hanging) })
			return simulator.Action{Hang: true}
		}
		return simulator.Action{}
	})
	_, log := daemon(t, cfg, 20*time.Millisecond)
	<-hanging
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	claimed := `INSERT INTO sync_leases SELECT 'main', 'another', 'elsewhere:1', now64(6) - 1000, now64(6), 0`
	if err := conn.Exec(t.Context(), claimed); err != nil {
		t.Fatal(err)
	}
	log.wait(t, standsBy, 1)
	log.wait(t, "the run was stopped; what it fetched is committed", 1)
	if n := number(t, conn, "SELECT count() FROM orders"); n < 50 {
		t.Errorf("%d orders are stored", n)
	}
}

// A daemon that was killed on this machine is not waited for; one that may live elsewhere is.
func TestClaimsOfTheDead(t *testing.T) {
	t.Parallel()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for process, dead := range map[string]bool{
		fmt.Sprintf("%s:%d", host, gone.ProcessState.Pid()): true,
		fmt.Sprintf("%s:%d", host, os.Getpid()):             true, // a process before this one had the same id
		fmt.Sprintf("%s:%d", host, os.Getppid()):            false,
		fmt.Sprintf("elsewhere:%d", os.Getpid()):            false,
	} {
		_, cfg := vendor(t)
		a := newApp(t, cfg, newLines())
		if err := a.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := sinktest.Conn(t, cfg.ClickHouse.Database).Exec(t.Context(),
			"INSERT INTO sync_leases SELECT 'main', 'another', ?, now64(6) - 1000, now64(6), 0", process)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		leads := 0
		if dead {
			leads = 1
		}
		waitMetric(t, a, fmt.Sprintf(`ordersync_leader{account="main"} %d`, leads))
	}
}

// What is stored is right even where two daemons both believe that they lead: nothing rests on the lease (I3, I9).
func TestTwoDaemonsThatBothLead(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	first, log := daemon(t, cfg, time.Hour)
	log.wait(t, "tick", 3) // by then the first claim was confirmed, and the next one is an hour away
	if err := conn.Exec(t.Context(), "TRUNCATE TABLE sync_leases"); err != nil {
		t.Fatal(err)
	}
	second, log2 := daemon(t, cfg, time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	var living sync.WaitGroup
	living.Go(func() { simulator.NewLiving(account, 1).Run(ctx, 50*time.Millisecond) })
	log.wait(t, "tick", 6)
	log2.wait(t, "tick", 3)
	stop()
	living.Wait()
	log.wait(t, "tick", log.count("tick")+2)
	log2.wait(t, "tick", log2.count("tick")+2)
	for _, a := range []*app.App{first, second} {
		if err := a.Stop(); err != nil {
			t.Fatal(err)
		}
		if a.Calls() == 0 {
			t.Error("one of them did nothing")
		}
	}
	from, to := account.Options().From, time.Now().Add(time.Hour)
	diff, err := compare.Warehouse(t.Context(), conn, "main", from, to, account.Truth(from, to))
	if err != nil || len(diff) > 0 {
		t.Errorf("%v\n%s", err, strings.Join(diff, "\n"))
	}
	for what, query := range map[string]string{
		"windows that do not hold what was recorded": "SELECT countIf(NOT agrees) FROM window_audit",
		"states that are there twice":                "SELECT count() - uniqExact(account, order_id, valid_from) FROM order_history",
		"orders with not exactly one present state":  "SELECT countIf(n != 1) FROM (SELECT countIf(valid_to IS NULL) AS n FROM order_history GROUP BY order_id)",
	} {
		if n := number(t, conn, "SELECT toUInt64(abs(("+query+")))"); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}
