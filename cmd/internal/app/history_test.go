package app_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
)

// Every run leaves one row that says what came of it.
func TestHistory(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	a := newApp(t, cfg, newLines())
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	from := now.Add(-24 * time.Hour)
	summary, err := a.Backfill(t.Context(), now, from, now, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(t.Context(), now, app.VerifyOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Replay(t.Context(), now, time.Time{}, time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	if err := conn.Exec(t.Context(), "ALTER TABLE order_rows DELETE WHERE order_id = '"+account.IDs(from, now)[0]+"' SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(t.Context(), now, app.VerifyOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	account.SetFault(func(simulator.FaultRequest) simulator.Action {
		return simulator.Action{Error: &simulator.Error{Code: "NotAuthorized", Status: 403}}
	})
	_, _ = a.Backfill(t.Context(), now, from, now, true, nil)

	runs, err := a.Warehouse().RecentRuns(t.Context(), now.Add(-time.Hour), 10)
	if err != nil || len(runs) != 5 {
		t.Fatalf("%d runs of 5, %v", len(runs), err)
	}
	l := summary.Streams[0]
	for i, want := range []struct {
		kind  sink.RunKind
		state sink.RunState
		error string
		is    func(sink.Run) bool
	}{
		{sink.RunBackfill, sink.RunFailed, "NotAuthorized", func(r sink.Run) bool { return r.Planned >= 24 }},
		{sink.RunVerify, sink.RunFailed, " left", func(r sink.Run) bool { return r.Done > 0 }},
		{sink.RunReplay, sink.RunOK, "", func(r sink.Run) bool { return r.Planned > 0 && r.From.IsZero() }},
		{sink.RunVerify, sink.RunOK, "", func(r sink.Run) bool { return r.Planned >= 23 && r.Planned == r.Done }},
		{sink.RunBackfill, sink.RunOK, "", func(r sink.Run) bool {
			return r.Orders == orders && r.Changed == orders && int(r.Items) == l.Items && int(r.DetailCalls) == l.Details &&
				int(r.ListCalls) == l.ListCalls && r.Planned == r.Done && r.Planned >= 24 && r.From.Equal(from.Truncate(time.Millisecond))
		}},
	} {
		r := runs[i]
		if r.Kind != want.kind || r.State != want.state || !strings.Contains(r.Error, want.error) || want.error == "" && r.Error != "" ||
			!want.is(r) || r.ID == "" || r.FinishedAt.Before(r.StartedAt) || len(r.Accounts) != 1 || !strings.Contains(r.Process, "/") {
			t.Errorf("run %d: %+v", i, r)
		}
	}
}

// So do those that are about single orders and about names, the daemon's too.
func TestHistoryOfTrackAndProducts(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	stream, err := a.Stream("main", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][]string{account.IDs(time.Time{}, time.Time{})[:3], {"1"}} {
		if _, err := a.Track(t.Context(), now, stream, ids, "somebody", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Fetch(t.Context(), now, stream, account.IDs(time.Time{}, time.Time{})[:2], nil); err != nil {
		t.Fatal(err)
	}
	if n := a.Products(t.Context())[0]; n.Err != nil {
		t.Fatal(n.Err)
	}
	runs, err := a.Warehouse().RecentRuns(t.Context(), now.Add(-time.Hour), 10)
	if err != nil || len(runs) != 4 {
		t.Fatalf("%d runs of 4, %v", len(runs), err)
	}
	for i, want := range []struct {
		kind  sink.RunKind
		state sink.RunState
		is    func(sink.Run) bool
	}{
		{sink.RunProducts, sink.RunOK, func(r sink.Run) bool { return r.ListCalls == 2 && r.Error == "" }},
		{sink.RunFetch, sink.RunOK, func(r sink.Run) bool { return r.Planned == 2 && r.DetailCalls == 2 && r.Error == "" }},
		{sink.RunTrack, sink.RunFailed, func(r sink.Run) bool { return r.Planned == 1 && r.DetailCalls == 1 && r.Error != "" }},
		{sink.RunTrack, sink.RunOK, func(r sink.Run) bool {
			return r.Planned == 3 && r.Done == 3 && r.DetailCalls == 3 && r.Items > 0 && r.Error == ""
		}},
	} {
		if r := runs[i]; r.Kind != want.kind || r.State != want.state || !want.is(r) || r.FinishedAt.IsZero() || !slices.Equal(r.Accounts, []string{"main"}) {
			t.Errorf("run %d: %+v", i, r)
		}
	}

	// The names are a day old and the daemon may not ask: no scheduled run fails by that, and the history says so.
	conn := sinktest.Conn(t, cfg.ClickHouse.Database)
	if err := conn.Exec(t.Context(), "TRUNCATE TABLE product_rows"); err != nil {
		t.Fatal(err)
	}
	account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.API != "QueryProductList" {
			return simulator.Action{}
		}
		return simulator.Action{Error: &simulator.Error{Code: "NoPermission", Status: 403}}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "the product names could not be refreshed; those of before stay", 1)
	failed, err := a.Warehouse().FailedRuns(t.Context(), time.Now(), now, 10)
	if err != nil || len(failed) == 0 || failed[0].Kind != sink.RunProducts || !strings.Contains(failed[0].Error, "bss:QueryProductList") {
		t.Errorf("%+v, %v", failed, err)
	}
}

// A run in another process can be watched while it goes on.
func TestHistoryOfARunUnderWay(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	account.SetFault(func(r simulator.FaultRequest) simulator.Action { return simulator.Action{Hang: r.OrderID != ""} })
	a := newApp(t, cfg, newLines())
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var going []sink.Run
	for len(going) == 0 {
		var err error
		if going, err = a.Warehouse().RunningRuns(t.Context(), time.Now(), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	w, err := app.OpenWarehouse(t.Context(), cfg, app.WarehouseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	runs, err := w.RecentRuns(t.Context(), time.Time{}, 10)
	if err != nil || len(runs) != 1 || runs[0].Kind != sink.RunTick || runs[0].State != sink.RunStopped || runs[0].ID != going[0].ID {
		t.Errorf("%+v, %v", runs, err)
	}
}

// A warehouse that is away takes nothing from the runs, and what is owed is written when it is back.
func TestHistoryIsOwed(t *testing.T) {
	t.Parallel()
	_, cfg := vendor(t)
	way := newProxy(t, cfg.ClickHouse.Addr[0], "")
	cfg.ClickHouse.Addr = []string{way.addr}
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	way.cut()
	now := time.Now().UTC()
	short, cancel := context.WithTimeout(t.Context(), time.Second) // the warehouse is waited for much longer
	defer cancel()
	if _, err := a.Verify(short, now, app.VerifyOptions{Options: audit.Options{}}, nil); err == nil {
		t.Fatal("verified without a warehouse")
	}
	log.wait(t, "the history of runs could not be written", 1)
	way.open(t)
	if _, err := a.Backfill(t.Context(), now, now.Add(-2*time.Hour), now, false, nil); err != nil {
		t.Fatal(err)
	}
	runs, err := a.Warehouse().RecentRuns(t.Context(), time.Time{}, 10)
	if err != nil || len(runs) != 2 || runs[1].Kind != sink.RunVerify || runs[1].State != sink.RunStopped {
		t.Errorf("%+v, %v", runs, err)
	}
}
