package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/cmd/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
		Ready: func(context.Context) error { return away },
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
