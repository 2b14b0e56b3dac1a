package monitoring_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/monitoring"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/simulator"
)

// variable says what to do where Prometheus is missing: "require" fails the tests that need it, otherwise they are
// skipped, and say so.
const variable = "ORDERSYNC_TEST_PROMETHEUS"

// program finds a program of Prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv(variable) == "require":
		t.Fatalf("%s=require: %v (it is in Debian's package prometheus)", variable, err)
	}
	t.Skipf("%v (it is in Debian's package prometheus; %s=require makes this a failure)", err, variable)
	return ""
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program(t, "promtool"), args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "rules.yaml")

	short := rules(t)
	for _, r := range short.Groups[0].Rules {
		delete(r.Annotations, "description")
		delete(r.Annotations, "runbook")
	}
	content, err := yaml.Marshal(short)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("testdata/rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), content)
	write(t, filepath.Join(dir, "rules.test.yaml"), tests)
	promtool(t, "test", "rules", filepath.Join(dir, "rules.test.yaml"))
}

// No rule is without a case in which it fires and one in which it is silent.
func TestRulesAreTested(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Tests []struct {
			Cases []struct {
				Alert  string `yaml:"alertname"`
				Alerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(content, &f); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for i, test := range f.Tests {
		for _, c := range test.Cases {
			if len(c.Alerts) > 0 {
				fires[c.Alert] = true
			} else if i == 0 {
				silent[c.Alert] = true
			}
		}
	}
	for _, r := range rules(t).Groups[0].Rules {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: fires in a test: %t, is silent in the healthy case: %t", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

// daemon starts ordersync on a simulated account and a database of its own, with a scheduled run every second, and returns the
// address of its metrics.
func daemon(t *testing.T, change ...func(*config.Config)) string {
	t.Helper()
	addr, database := warehousetest.Database(t)
	server := simulator.New(simulator.NewAccount(simulator.Options{Orders: 200, From: time.Now().Add(-20 * time.Hour), To: time.Now()}))
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg := simulated(server, addr, database)
	cfg.Schedule.Cron = "@every 1s"
	cfg.HTTP.Listen = "127.0.0.1:0"
	for _, f := range change {
		f(cfg)
	}
	d, err := app.New(app.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(d.URL(), "http://")
}

// server is a Prometheus.
type server struct {
	t   *testing.T
	url string
}

// startPrometheus starts one that scrapes target every second and loads the rules. It ends with the test.
func startPrometheus(t *testing.T, target string) server {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), monitoring.Rules)
	write(t, filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs: [{job_name: ordersync, static_configs: [{targets: [%q]}]}]
`, target))
	cmd := exec.CommandContext(t.Context(), program(t, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	ready := make(chan string, 1)
	ended := make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		var addr string
		listening := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			fmt.Fprintln(&said, s.Text())
			if m := listening.FindStringSubmatch(s.Text()); m != nil {
				addr = m[1]
			}
			if strings.Contains(s.Text(), "Server is ready to receive web requests.") {
				ready <- addr
			}
		}
	}()
	t.Cleanup(func() {
		<-ended
		_ = cmd.Wait() // it was told to end
	})
	select {
	case addr := <-ready:
		return server{t, "http://" + addr}
	case <-ended:
		t.Fatalf("prometheus ended:\n%s", said.String())
		return server{}
	}
}

// get asks the API.
func (s server) get(path string, params url.Values, into any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path+"?"+params.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		s.t.Fatalf("%s %v: %s %s %v", path, params, resp.Status, answer.Error, err)
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		s.t.Fatal(err)
	}
}

// query returns the labels of each series of an expression's value.
func (s server) query(expr string) (series []map[string]string) {
	s.t.Helper()
	var data struct {
		Result []struct{ Metric map[string]string }
	}
	s.get("/api/v1/query", url.Values{"query": {expr}}, &data)
	for _, r := range data.Result {
		series = append(series, r.Metric)
	}
	return series
}

// until asks again until the answer is yes; a minute is enough.
func (s server) until(what string, yes func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-ctx.Done():
			s.t.Fatalf("%s: it did not come", what)
		}
	}
}

// A real Prometheus scrapes a real daemon: every panel shows something, every rule has what it asks for, and none fires.
func TestPrometheusScrapesADaemon(t *testing.T) {
	t.Parallel()
	program(t, "prometheus") // skips before anything is started
	p := startPrometheus(t, daemon(t))
	p.until("the target is up, and three scrapes after a run that was a success", func() bool {
		return len(p.query(`up{job="ordersync"} == 1`)) == 1 &&
			len(p.query(`count_over_time((ordersync_last_success_timestamp_seconds{account="main"} > 0)[1m:1s]) >= 3`)) == 1
	})
	for _, q := range dashboardQueries(t) {
		series := p.query(q.expr)
		if len(series) == 0 {
			t.Errorf("%s shows nothing: %s", q.where, q.expr)
		}
		for _, labels := range series {
			for _, label := range q.labels {
				if labels[label] == "" {
					t.Errorf("%s: the legend names %s, which is not in %v", q.where, label, labels)
				}
			}
		}
	}
	for _, q := range ruleQueries(t) {
		p.query(q.expr)
		for _, s := range selectors(parse(t, q)) {
			if len(p.query(s.expr)) == 0 {
				t.Errorf("%s: %s has no data", q.where, s.expr)
			}
		}
	}
	type state struct{ Name, Health, State, LastError string }
	var loaded []state
	p.until("all rules are evaluated", func() bool {
		var data struct{ Groups []struct{ Rules []state } }
		p.get("/api/v1/rules", nil, &data)
		loaded = data.Groups[0].Rules
		for _, r := range loaded {
			if r.Health == "unknown" {
				return false
			}
		}
		return true
	})
	if want := len(rules(t).Groups[0].Rules); len(loaded) != want {
		t.Errorf("%d rules are loaded instead of %d", len(loaded), want)
	}
	for _, r := range loaded {
		if r.Health != "ok" {
			t.Errorf("%s: %s: %s", r.Name, r.Health, r.LastError)
		}
		// What waits for its time would not be silent for long; before the first run all was behind.
		if r.State == "firing" {
			t.Errorf("%s fires for a healthy daemon", r.Name)
		}
	}
	p.until("no rule sees anything wrong", func() bool {
		for _, q := range ruleQueries(t) {
			if len(p.query(q.expr)) > 0 {
				return false
			}
		}
		return true
	})
}

// The alert of an account that stands still says why, in the vendor's words, and what cures it.
func TestPrometheusTellsTheCause(t *testing.T) {
	t.Parallel()
	program(t, "prometheus")
	p := startPrometheus(t, daemon(t, func(c *config.Config) { c.Accounts[0].Credentials.AccessKeySecret = "another" }))
	var alerts []map[string]string
	p.until("the alert", func() bool {
		alerts = p.query(`ALERTS{alertname="OrdersyncAccountStopped"}`)
		return len(alerts) > 0
	})
	a := alerts[0]
	if a["account"] != "main" || a["state"] != "stopped" || a["cause"] != "credentials" || !strings.Contains(a["says"], "SignatureDoesNotMatch") ||
		!strings.Contains(a["cure"], "secret does not belong") || strings.Contains(a["says"], "request") || a["instance"] != "" {
		t.Errorf("%v", a)
	}
}
