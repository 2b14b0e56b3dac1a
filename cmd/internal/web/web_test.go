package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/cmd/internal/web"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/sinktest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

func listen(t *testing.T, o web.Options) *web.Server {
	t.Helper()
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	s, err := web.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestPaths(t *testing.T) {
	var away error
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "answer"}, func() float64 { return 42 }))
	s := listen(t, web.Options{
		Metrics: registry,
		Ready:   func(context.Context) error { return away },
	})
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/metrics", 200, "answer 42"},
		{"/healthz", 200, "ok"},
		{"/readyz", 200, "ok"},
		{"/nothing", 404, ""},
	} {
		if status, body := get(t, s.URL()+c.path); status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %q", c.path, status, body)
		}
	}

	away = errors.New("dial tcp 10.0.0.1:9000: password wrong")
	status, body := get(t, s.URL()+"/readyz")
	if status != http.StatusServiceUnavailable || strings.Contains(body, "10.0.0.1") {
		t.Errorf("/readyz without a warehouse: %d %q", status, body)
	}
	if status, _ := get(t, s.URL()+"/healthz"); status != 200 {
		t.Errorf("/healthz without a warehouse: %d: the process is alive all the same", status)
	}
}

// A server that was stopped leaves nothing running.
func TestStopLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := web.Listen("127.0.0.1:0", web.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	get(t, s.URL()+"/healthz")
	http.DefaultClient.CloseIdleConnections()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

func TestReadyIsBounded(t *testing.T) {
	s := listen(t, web.Options{Ready: func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the check has no deadline")
		}
		return ctx.Err()
	}})
	get(t, s.URL()+"/readyz")
}

func TestAddressTaken(t *testing.T) {
	s := listen(t, web.Options{})
	_, err := web.Listen(s.Addr(), web.Options{Metrics: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("no remedy in %v", err)
	}
}

// What is asked for is checked, and an unusable question never reaches the warehouse.
func TestQueries(t *testing.T) {
	t.Parallel()
	var asked []status.Query
	s := listen(t, web.Options{Status: func(_ context.Context, q status.Query) (*status.Report, error) {
		asked = append(asked, q)
		if q.Stream == "other" {
			return nil, &status.StreamError{Name: q.Stream}
		}
		return &status.Report{Map: status.Map{From: q.From, To: q.From.AddDate(0, 0, 1)}}, nil
	}})
	for _, c := range []struct {
		query  string
		status int
		says   string
	}{
		{"", 200, ""},
		{"?from=2024-01-31&days=7&lane=main/1", 200, ""},
		{"?lane=other", 404, "other"},
		{"?days=0", 400, "days"},
		{"?days=101", 400, "days"},
		{"?days=x", 400, "days"},
		{"?from=yesterday", 400, "from"},
		{"?from=0001-01-01", 400, "from"},
	} {
		for _, path := range []string{"/", "/api/status"} {
			if code, body := get(t, s.URL()+path+c.query); code != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%s%s: %d %s", path, c.query, code, body)
			}
		}
	}
	if len(asked) < 3 || asked[1] != (status.Query{From: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC), Days: 7, Stream: "main/1"}) {
		t.Errorf("asked: %+v", asked)
	}
	// Nothing can be done on the page.
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		r, _ := http.NewRequest(method, s.URL()+"/", nil)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

// What is not configured any more is shown for what it is: not behind, and not as a problem.
func TestNotConfigured(t *testing.T) {
	t.Parallel()
	to := time.Date(2024, 1, 31, 5, 0, 0, 0, time.UTC)
	old := status.Stream{Stream: schema.Stream{Account: "old"}, Unconfigured: true, Diagnosis: diagnosis.Diagnosis{State: diagnosis.Unconfigured}, Orders: 1234, OpenRejects: 2, CompleteTo: &to}
	s := listen(t, web.Options{Status: func(_ context.Context, q status.Query) (*status.Report, error) {
		r := &status.Report{OK: true, Map: status.Map{CellSeconds: 3600}, Accounts: []status.Stream{old}}
		if q.Stream != "" {
			r.Accounts[0].Coverage = []status.Day{{Day: to.Truncate(24 * time.Hour), Cells: make([]status.Cell, 24)}}
		}
		return r, nil
	}})
	_, body := get(t, s.URL()+"/")
	for _, part := range []string{`<a href="/?lane=old#coverage">old</a></td>`, `<td class="wide">2024-01-31</td>`, "no record waits for you"} {
		if !strings.Contains(body, part) {
			t.Errorf("no %s in\n%s", part, body)
		}
	}
	if _, body := get(t, s.URL()+"/?lane=old"); !strings.Contains(body, "<span>not configured</span><span>complete to <b>2024-01-31 05:00</b></span>") || strings.Contains(body, "behind <b>") {
		t.Error(body)
	}
}

// Without a warehouse the page says so, in its own words: a cause may name what strangers need not know.
func TestWarehouseAway(t *testing.T) {
	t.Parallel()
	s := listen(t, web.Options{Status: func(context.Context, status.Query) (*status.Report, error) {
		return nil, errors.New("dial tcp 10.0.0.1:9000: connection refused")
	}})
	for path, want := range map[string]string{"/": "<h2>No status</h2>", "/api/status": `{"error":"the warehouse does not answer`} {
		code, body := get(t, s.URL()+path)
		if code != http.StatusServiceUnavailable || !strings.Contains(body, want) || strings.Contains(body, "10.0.0.1") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// A warehouse that hangs makes nobody wait: every path answers within two seconds, and the page shows how everything stood
// when the warehouse last answered.
func TestWarehouseHangs(t *testing.T) {
	t.Parallel()
	var hangs atomic.Bool
	wait := func(ctx context.Context) error {
		if hangs.Load() {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	s := listen(t, web.Options{Ready: wait, Status: func(ctx context.Context, q status.Query) (*status.Report, error) {
		return &status.Report{OK: true, Accounts: []status.Stream{{Stream: schema.Stream{Account: "seen before"}}}}, wait(ctx)
	}})
	if code, body := get(t, s.URL()); code != http.StatusOK || !strings.Contains(body, "all is well") {
		t.Fatal(code, body)
	}
	hangs.Store(true)
	<-time.After(web.ReportFor) // until then the report is as good as a new one
	for path, want := range map[string]struct {
		code int
		says []string
	}{
		"/":           {503, []string{"the warehouse does not answer", "this is how everything stood", "seen before", "1 problem"}},
		"/?days=7":    {503, []string{"<h2>No status</h2>"}},
		"/api/status": {503, []string{`{"error":"the warehouse does not answer`}},
		"/readyz":     {503, []string{"the warehouse does not answer"}},
		"/healthz":    {200, []string{"ok"}},
		"/metrics":    {200, nil},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			code, body := get(t, s.URL()+path)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			if code != want.code {
				t.Error(code)
			}
			for _, part := range want.says {
				if !strings.Contains(body, part) {
					t.Errorf("no %q in %s", part, body)
				}
			}
		})
	}
}

// Many who look at the same time cost as much as one.
func TestViewersShareAReport(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	s := listen(t, web.Options{Status: func(context.Context, status.Query) (*status.Report, error) {
		made.Add(1)
		return &status.Report{OK: true}, nil
	}})
	var viewers sync.WaitGroup
	for range 50 {
		viewers.Go(func() { get(t, s.URL()+"/api/status") })
	}
	viewers.Wait()
	get(t, s.URL()+"/")
	// More than once only where they came more than three seconds apart.
	if n := made.Load(); n > 3 {
		t.Errorf("%d reports for 51 views", n)
	}
}

func TestPageAllowsNothing(t *testing.T) {
	t.Parallel()
	s := listen(t, web.Options{Status: func(context.Context, status.Query) (*status.Report, error) {
		return &status.Report{Problems: []string{"<script>alert(1)</script>"}}, nil
	}})
	resp, err := http.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(body), "<script>") || !strings.Contains(string(body), "&lt;script&gt;") {
		t.Errorf("%v: %s", err, body)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'unsafe-inline'; img-src data:;") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
}
