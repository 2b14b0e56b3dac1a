package app_test

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

// The daemon finds by itself what changed long before the lookback, and the history shows the runs that found it.
func TestDaemonScrubs(t *testing.T) {
	t.Parallel()
	from := time.Now().UTC().Add(-6 * 24 * time.Hour).Truncate(time.Hour)
	account, cfg := vendor(t, func(o *simulator.Options) { o.From = from })
	cfg.Schedule.Scrub = 10 * time.Second
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	if _, err := a.Backfill(t.Context(), now, from, now, false, nil); err != nil {
		t.Fatal(err)
	}
	for i, id := range account.IDs(from, now.Add(-50*time.Hour)) {
		if i%5 == 0 {
			if err := account.Change(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var diff []string
	for n := 1; n <= 120; n++ {
		log.wait(t, "tick", n)
		var err error
		if diff, err = compare.Warehouse(t.Context(), a.Warehouse().Conn(), "main", from, now, account.Truth(from, now)); err != nil {
			t.Fatal(err)
		}
		if len(diff) == 0 {
			break
		}
	}
	if len(diff) > 0 {
		t.Error(diff)
	}
	runs, err := a.Warehouse().RecentRuns(t.Context(), now.Add(-time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(runs, func(r sink.Run) bool {
		return r.Kind == sink.RunScrub && r.State == sink.RunOK && r.Done > 0 && r.Changed > 0 && r.To.Before(now.Add(-23*time.Hour))
	}) {
		t.Errorf("no run of a scrub found anything: %+v", runs)
	}
	bounds := regexp.MustCompile(`ordersync_staleness_(?:bound_)?seconds{account="main",what="\w+"} (\S+)`).FindAllStringSubmatch(get(t, a.URL()+"/metrics"), -1)
	if err := a.Stop(); err != nil { // what is asked from here on is of one moment
		t.Fatal(err)
	}
	var n []float64
	for _, m := range bounds {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		n = append(n, v)
	}
	// The bounds, then the staleness; of each the detail first. Runs go on while one looks, so that rows become fresh in between.
	if len(n) != 4 || n[0] != (180*24*time.Hour).Seconds() || n[1] != 10 || n[3] <= 0 || n[3] > 60 || n[2] < n[3] {
		t.Errorf("the metrics say %v", bounds)
	}
	again := newApp(t, cfg, newLines())
	if err := again.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := again.Status(t.Context(), status.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var list, detail int64
	if err := again.Warehouse().Conn().QueryRow(t.Context(), "SELECT max(assumeNotNull(status_seconds)), maxIf(assumeNotNull(instances_seconds), isNotNull(instances_seconds)) FROM freshness").Scan(&list, &detail); err != nil {
		t.Fatal(err)
	}
	f := r.Accounts[0].Freshness
	if f.ListSeconds == nil || f.DetailSeconds == nil || math.Abs(*f.ListSeconds-float64(list)) > 5 || math.Abs(*f.DetailSeconds-float64(detail)) > 5 ||
		f.ListBoundSeconds != 10 || !strings.HasPrefix(f.String(), "every order was compared within ") {
		t.Errorf("status says %+v, the view %d and %d", f, list, detail)
	}
}

// Orders are stored as soon after they appear whether the past is compared again or not, also where that takes all of the quota
// that there is.
func TestScrubDelaysNothing(t *testing.T) {
	t.Parallel()
	from := time.Now().UTC().Add(-8 * 24 * time.Hour).Truncate(time.Hour)
	account, cfg := vendor(t, func(o *simulator.Options) { o.From, o.Orders = from, 2000 })
	var daemons []*app.App
	var logs []*lines
	for _, every := range []time.Duration{0, 10 * time.Second} {
		_, own := vendor(t, func(o *simulator.Options) { o.Orders = 0 })
		own.Accounts, own.Schedule.Scrub = slices.Clone(cfg.Accounts), every
		filler := newApp(t, own, newLines())
		if err := filler.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC()
		if _, err := filler.Backfill(t.Context(), now, from, now, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := filler.Stop(); err != nil {
			t.Fatal(err)
		}
		limited := *own
		limited.Accounts = slices.Clone(own.Accounts)
		limited.Accounts[0].Quota.List = 20 // fewer calls than a round takes: a hundred pages and two for each day in ten seconds, beside those of the runs
		log := newLines()
		daemons, logs = append(daemons, newApp(t, &limited, log)), append(logs, log)
	}
	before := time.Now().UTC()
	for i, a := range daemons {
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		logs[i].wait(t, "tick", 1)
	}
	for n := 2; n <= 12; n++ {
		account.Add(2, time.Now().UTC())
		for _, log := range logs {
			log.wait(t, "tick", n)
		}
	}
	var lags [2]float64
	for i, a := range daemons {
		if err := a.Warehouse().Conn().QueryRow(t.Context(), `SELECT max(toUnixTimestamp64Milli(fetched) - toUnixTimestamp64Milli(create_time)) / 1000
			FROM (SELECT create_time, min(fetched_at) AS fetched FROM order_rows WHERE create_time >= ? GROUP BY order_id, create_time)`, before).Scan(&lags[i]); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the longest lag: %.1f s without, %.1f s with a scrub", lags[0], lags[1])
	if lags[1] > lags[0]+3 {
		t.Errorf("the longest lag is %.1f s without and %.1f s with a scrub", lags[0], lags[1])
	}
}
