package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/simulator"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

const orders = 200

// vendor serves a simulated account and returns the configuration of a daemon for it, on a database of its own.
func vendor(t *testing.T, change ...func(*simulator.Options)) (*simulator.Account, *config.Config) {
	t.Helper()
	addr, database := warehousetest.Database(t)
	o := simulator.Options{Orders: orders, From: time.Now().Add(-20 * time.Hour), To: time.Now()}
	for _, f := range change {
		f(&o)
	}
	account := simulator.NewAccount(o)
	server := simulator.New(account)
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg := config.Default()
	a := config.NewAccount("main", config.SourceBSS)
	a.Endpoint = server.URL()
	a.Credentials = config.Credentials{AccessKeyID: "testid", AccessKeySecret: "testsecret"}
	a.Quota = config.Quota{List: 1000, Detail: 1000}
	cfg.Accounts = []config.Account{a}
	cfg.ClickHouse = config.ClickHouse{Addr: []string{addr}, Database: database, Username: "default"}
	cfg.Schedule.Cron = "@every 1s"
	cfg.HTTP.Listen = "127.0.0.1:0"
	return account, cfg
}

// lines is a log that can be waited for.
type lines struct {
	mu      sync.Mutex
	all     []map[string]any
	changed chan struct{}
}

func newLines() *lines { return &lines{changed: make(chan struct{}, 1)} }

func (l *lines) Write(b []byte) (int, error) {
	line := map[string]any{}
	if err := json.Unmarshal(b, &line); err != nil {
		return 0, err
	}
	l.mu.Lock()
	l.all = append(l.all, line)
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (l *lines) count(message string) int { return l.countOf(message, "") }

// countOf counts the lines with a message of one account, or of all where it is empty.
func (l *lines) countOf(message, account string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if line["msg"] == message && (account == "" || line["account"] == account) {
			n++
		}
	}
	return n
}

// wait returns when a message was logged n times.
func (l *lines) wait(t *testing.T, message string, n int) {
	t.Helper()
	for {
		if l.count(message) >= n {
			return
		}
		select {
		case <-l.changed:
		case <-time.After(30 * time.Second):
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Fatalf("%q was not logged %d times in %v", message, n, l.all)
		}
	}
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// newApp makes an app and stops it at the end of the test.
func newApp(t *testing.T, cfg *config.Config, log *lines) *app.App {
	t.Helper()
	a, err := app.New(app.Options{Config: cfg, Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestStartStopLeavesNothing(t *testing.T) {
	_, cfg := vendor(t)
	before := goleak.IgnoreCurrent() // the tests' server and simulator
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 2)
	if got := get(t, a.URL()+"/readyz"); got != "ok\n" {
		t.Errorf("readyz: %s", got)
	}
	for range 2 { // again does nothing
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	}
	goleak.VerifyNone(t, before)
}

func TestTwoAppsInOneProcess(t *testing.T) {
	t.Parallel()
	var apps [2]*app.App
	for i := range apps {
		_, cfg := vendor(t, func(o *simulator.Options) { o.Orders = 100 * (i + 1) })
		log := newLines()
		apps[i] = newApp(t, cfg, log)
		if err := apps[i].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		log.wait(t, "tick", 1)
	}
	for i, want := range []string{"100", "200"} {
		if metrics := get(t, apps[i].URL()+"/metrics"); !strings.Contains(metrics, `ordersync_orders_written_total{account="main"} `+want+"\n") {
			t.Errorf("app %d did not write %s orders:\n%s", i, want, metrics)
		}
	}
}

func TestEveryLineOfARunHasItsID(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 2)
	ids := map[any]bool{}
	for _, line := range log.all {
		if line["msg"] == "tick" {
			ids[line["run"]] = true
			if line["account"] != "main" {
				t.Errorf("no account in %v", line)
			}
		}
	}
	if len(ids) < 2 || ids[nil] {
		t.Errorf("two runs have the ids %v", ids)
	}
}

// A window has a line for who asks for everything. At info a run has one line a stream, however many windows it walks.
func TestOneLineARun(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	if _, err := a.Backfill(t.Context(), now, now.Add(-20*24*time.Hour), now, false, nil); err != nil { // 480 windows, most of them empty
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 3)
	log.mu.Lock()
	defer log.mu.Unlock()
	windows, said := 0, map[string]int{}
	for _, line := range log.all {
		switch {
		case line["msg"] == "window":
			windows++
			if line["run"] == nil || line["account"] != "main" || line["error"] != nil || line["level"] != "DEBUG" {
				t.Errorf("a line without its run or account: %v", line)
			}
		case line["level"] != "DEBUG":
			said[fmt.Sprint(line["msg"])]++
		}
	}
	if windows < 480+2*24 {
		t.Errorf("%d windows have a line", windows)
	}
	if said["backfill"] != 1 || said["tick"] < 3 {
		t.Errorf("said %v", said)
	}
	delete(said, "tick")
	delete(said, "scheduled runs are skipped: the run before them is still under way") // on a machine that is busy
	delete(said, "the run is over during which scheduled runs were skipped")
	for what, n := range said {
		if n > 1 {
			t.Errorf("%s is said %d times", what, n)
		}
	}
}

// A vendor that fails every call for one cause is one thing that is wrong: it is told when it begins, with the cause and how
// many windows it costs, and when it ends.
func TestOneCauseIsToldOnce(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	away := func(r simulator.FaultRequest) simulator.Action {
		if r.API != "QueryOrders" {
			return simulator.Action{}
		}
		return simulator.Action{Error: &simulator.Error{Status: http.StatusForbidden, Code: "NotAuthorized", Message: "no"}}
	}
	account.SetFault(away)
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 3)
	account.SetFault(nil)
	log.wait(t, "what was wrong has ended", 1)
	log.wait(t, "tick", log.count("tick")+2)
	account.SetFault(away)
	log.wait(t, "something is wrong", 2)
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, line := range log.all {
		switch line["msg"] {
		case "something is wrong":
			if text := fmt.Sprint(line["error"]); !strings.Contains(text, "NotAuthorized") || line["account"] != "main" || line["level"] != "ERROR" {
				t.Errorf("%v", line)
			}
		case "what was wrong has ended":
			if !strings.Contains(fmt.Sprint(line["cause"]), "NotAuthorized") || line["after"] == nil || line["runs"].(float64) < 3 || line["level"] != "INFO" {
				t.Errorf("%v", line)
			}
		default:
			if line["level"] == "ERROR" || line["level"] == "WARN" {
				t.Errorf("something else is loud: %v", line)
			}
		}
	}
}

// What goes wrong at every scheduled run is an error once an hour; that there was a run is said each time.
func TestRepeatedErrorsAreRateLimited(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	cfg.Accounts[0].Credentials.AccessKeySecret = "another"
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 4)
	log.mu.Lock()
	defer log.mu.Unlock()
	loud := map[string]int{}
	for _, line := range log.all {
		if line["level"] == "ERROR" || line["level"] == "WARN" {
			loud[fmt.Sprintln(line["msg"], line["account"], line["start"], line["verdict"])]++
		}
		if line["msg"] == "tick" && line["ok"] != false {
			t.Errorf("a tick that is not ok says %v", line)
		}
	}
	if loud["something is wrong main <nil> <nil>\n"] != 1 {
		t.Errorf("errors: %v", loud)
	}
	for what, n := range loud {
		if n > 1 {
			t.Errorf("%s was said %d times", what, n)
		}
	}
}

func TestRunEndsWithoutErrorWhenTold(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	log := newLines()
	a := newApp(t, cfg, log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	log.wait(t, "tick", 1)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	log.wait(t, "stopped", 1)
}

// A stop in the middle of a run commits what was fetched: that is what a soft stop is for.
func TestStopCommitsWhatWasFetched(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	var details atomic.Int64
	enough := make(chan struct{})
	account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.OrderID == "" {
			return simulator.Action{}
		}
		n := details.Add(1)
		if n == 160 {
			close(enough)
		}
		return simulator.Action{Hang: n > 150} // after some details the vendor answers no more
	})
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-enough
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	var n, complete uint64
	if err := conn.QueryRow(t.Context(), "SELECT count(), (SELECT countIf(verdict = 'complete' AND listed > stored) FROM sync_windows) FROM orders").Scan(&n, &complete); err != nil {
		t.Fatal(err)
	}
	if n == 0 || complete != 0 {
		t.Errorf("%d orders are stored, %d windows claim to be complete and are not", n, complete)
	}
}

func TestUnreachableWarehouseIsTheEnvironment(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	cfg.ClickHouse.Addr = []string{"127.0.0.1:1"}
	cfg.ClickHouse.Password = "correct horse"
	err := newApp(t, cfg, newLines()).Start(t.Context())
	var environment *app.EnvironmentError
	if !errors.As(err, &environment) || strings.Contains(err.Error(), "horse") {
		t.Errorf("%v", err)
	}
}

func TestBackfillThroughTheApp(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	a := newApp(t, cfg, newLines())
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	s, err := a.Backfill(t.Context(), now, now.Add(-24*time.Hour), now, false, nil)
	if err := errors.Join(err, s.Err()); err != nil {
		t.Fatal(err)
	}
	l := s.Streams[0]
	if l.Listed != orders || l.Windows[schema.Short]+l.Windows[schema.Failed] != 0 || account.Calls()["GetOrderDetail"].OK != orders {
		t.Errorf("%+v", l)
	}
	if a.Calls() < orders {
		t.Errorf("%d calls", a.Calls())
	}
}
