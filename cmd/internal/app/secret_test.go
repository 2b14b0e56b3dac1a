package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// Secrets must be in nothing that the app says, whatever goes wrong (I10): the account's, which the vendor refuses here, and
// the warehouse's, which goes away.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	cfg.ClickHouse.Password = "s3cr3t-of-the-warehouse"
	way := newProxy(t, cfg.ClickHouse.Addr[0], cfg.ClickHouse.Password.Reveal())
	cfg.ClickHouse.Addr = []string{way.addr}
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	cfg.Accounts[0].Credentials.AccessKeySecret = "s3cr3t-of-the-account"
	hidden := func(what, text string) {
		t.Helper()
		if strings.Contains(text, "s3cr3t") {
			t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
	var out bytes.Buffer
	var mu sync.Mutex
	log := newLines()
	both := slog.New(slog.NewJSONHandler(io.MultiWriter(&locked{&mu, &out}, log), &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := app.New(app.Options{Config: cfg, Log: both})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages := func() (metrics string) {
		for _, path := range []string{"/", "/?lane=none", "/api/status", "/healthz", "/readyz", "/metrics"} {
			metrics = get(t, a.URL()+path)
			hidden(path, metrics)
		}
		return metrics
	}
	log.wait(t, "something is wrong", 1)
	log.wait(t, "the run is done", log.count("the run is done")+1)
	if metrics := pages(); !strings.Contains(metrics, `ordersync_last_success_timestamp_seconds{account="main"} 0`) {
		t.Errorf("a run that was refused looks like a success:\n%s", metrics)
	}
	for _, table := range []string{"sync_runs", "sync_windows", "rejects", "sync_leases", "sync_range_leases"} {
		var rows []string
		query := "SELECT groupArray(toJSONString(tuple(*))) FROM " + table
		if err := conn.QueryRow(t.Context(), query).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		hidden(table, strings.Join(rows, "\n"))
	}

	way.cut()
	log.wait(t, away, 1)
	pages()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // else it waits for the warehouse to come back
	defer cancel()
	_, err = a.Verify(ctx, time.Now().UTC(), app.VerifyOptions{}, nil)
	if err == nil {
		t.Error("verified without a warehouse")
	}
	hidden("an error", fmt.Sprintf("%v %+v %#v", err, err, err))
	mu.Lock()
	hidden("the log", out.String())
	mu.Unlock()

	// Who has the wrong one is not told which.
	way.open(t)
	cfg.ClickHouse.Password = "s3cr3t-of-yesterday"
	err = newApp(t, cfg, newLines()).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the server ended the connection") {
		t.Errorf("%v", err)
	}
	hidden("an error", fmt.Sprintf("%v %+v %#v", err, err, err))
}

type locked struct {
	mu *sync.Mutex
	to io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}
