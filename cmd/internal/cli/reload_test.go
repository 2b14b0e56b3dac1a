package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGHUP reads the configuration again: accounts come and go, a configuration that is wrong is refused and said where people
// look, what needs a restart is named, and nothing ends but the daemon when it is told to.
func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure()
	text, err := os.ReadFile(filepath.Join(w.dir, "ordersync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	one := string(text)
	from, to := strings.Index(one, "  - name: main"), strings.Index(one, "clickhouse:")
	main := one[from:to]
	second := strings.Replace(main, "name: main", "name: second", 1)
	with := func(accounts string) string { return one[:from] + accounts + one[to:] }

	p := w.start("run")
	var served struct{ URL string }
	if err := json.Unmarshal([]byte(p.wait("http is served")), &served); err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		t.Helper()
		resp, err := http.Get(served.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	reload := func(text, says string) string {
		t.Helper()
		w.write("ordersync.yaml", text)
		p.signal(syscall.SIGHUP)
		return p.wait(says)
	}
	tick := func(account string) {
		t.Helper()
		for !strings.Contains(p.wait(`"msg":"tick"`), `"account":"`+account+`"`) {
		}
	}
	tick("main")
	const written = `ordersync_orders_written_total{account="main"} 100`
	contains(t, get("/metrics"), written, "ordersync_config_last_reload_successful 1")

	// One more account, and the one before goes on with what it has counted.
	contains(t, reload(with(main+second), "the configuration was read again"), "main, second", `"new":1`, `"gone":0`)
	tick("second")
	tick("main")
	contains(t, get("/metrics"), written, `ordersync_orders_written_total{account="second"} 100`,
		`ordersync_lag_seconds{account="second"}`, `ordersync_leader{account="second"} 1`)
	contains(t, get("/readyz"), "ok")

	// What is wrong is refused, all of it named; a file that is not there is wrong too.
	for _, wrong := range []struct{ text, says string }{
		{with(main + main), "names are unique"},
		{strings.Replace(one, "source: bss", "source: bsss", 1), "bsss"},
		{one + "nonsense: 1\n", "nonsense"},
		{with(""), "account"},
		{strings.Replace(one, "schedule: {cron", "schedule: {window: 30m, cron", 1), "schedule.window"},
		{strings.Replace(one, "${TEST_SECRET}", "${NO_SUCH_SECRET}", 1), "NO_SUCH_SECRET"},
	} {
		line := reload(wrong.text, "the configuration is refused")
		contains(t, line, wrong.says)
		if strings.Contains(line, secret) {
			t.Errorf("the log shows the secret (I10): %s", line)
		}
		contains(t, get("/metrics"), "ordersync_config_last_reload_successful 0", written)
	}
	if status := get("/api/status"); !strings.Contains(status, "read again at") || !strings.Contains(status, `"ok":false`) {
		t.Errorf("the status does not tell of the refusal: %.500s", status)
	}
	tick("second")

	// A changed account goes on with its counters; what cannot be changed is named and stays.
	changed := strings.Replace(strings.Replace(main, "list: 1000", "list: 900", 1), "source: bss", "source: bss\n    page_size: 50", 1)
	text2 := strings.Replace(with(changed), `listen: "127.0.0.1:0"`, `listen: "127.0.0.1:1"`, 1)
	w.write("ordersync.yaml", text2)
	p.signal(syscall.SIGHUP)
	contains(t, p.wait("need a restart"), `"sections":"http"`)
	contains(t, p.wait("the configuration was read again"), `"new":1`, `"gone":2`)
	tick("main")
	metrics := get("/metrics")
	contains(t, metrics, written, "ordersync_config_last_reload_successful 1", `ordersync_api_budget_calls_per_second{account="main",api="list"} 900`)
	if strings.Contains(metrics, `account="second"`) {
		for line := range strings.Lines(metrics) {
			if strings.Contains(line, `account="second"`) {
				t.Errorf("an account that is gone still has metrics: %s", line)
			}
		}
	}

	// A run that hangs at the vendor ends cleanly, and its account goes on.
	hanging := hang(w.account, 0)
	w.account.Add(5, time.Now().UTC().Add(-time.Minute))
	<-hanging
	reload(with(main+second), "the configuration was read again")
	w.account.SetFault(nil)
	tick("second")
	p.signal(syscall.SIGTERM)
	contains(t, p.end(0), "stopping", "stopped")
}
