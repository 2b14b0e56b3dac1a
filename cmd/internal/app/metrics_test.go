package app

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// contract is what dashboards and alerts are built on: every metric with its labels. build_info's labels are free.
var contract = []string{
	"ordersync_api_budget_calls_left{account,api}",
	"ordersync_api_budget_calls_per_second{account,api}",
	"ordersync_api_call_duration_seconds{api}",
	"ordersync_api_calls_total{account,api,reason}",
	"ordersync_build_info{go,revision,version}",
	"ordersync_clock_offset_seconds{account}",
	"ordersync_config_last_reload_successful{}",
	"ordersync_details_rechecked_total{account,why}",
	"ordersync_diagnosis{account,cause,cure,says,state}",
	"ordersync_insert_duration_seconds{table}",
	"ordersync_insert_retries_total{table}",
	"ordersync_insert_rows_total{table}",
	"ordersync_items_written_total{account}",
	"ordersync_lag_seconds{account}",
	"ordersync_last_success_timestamp_seconds{account}",
	"ordersync_leader{account}",
	"ordersync_next_tick_timestamp_seconds{}",
	"ordersync_open_rejects{account,reason}",
	"ordersync_orders_written_total{account}",
	"ordersync_owners_waiting{account}",
	"ordersync_rejects_total{account,reason}",
	"ordersync_scrub_changed_total{account}",
	"ordersync_scrub_windows_total{account}",
	"ordersync_staleness_bound_seconds{account,what}",
	"ordersync_staleness_seconds{account,what}",
	"ordersync_verification_timestamp_seconds{account,owner_id}",
	"ordersync_verify_differences{account}",
	"ordersync_warehouse_up{}",
	"ordersync_windows{account,verdict}",
}

func metricsOf(t *testing.T, accounts ...string) (*App, *prometheus.Registry) {
	t.Helper()
	cfg := config.Default()
	for _, name := range accounts {
		cfg.Accounts = append(cfg.Accounts, config.NewAccount(name, config.SourceBSS))
	}
	registry := prometheus.NewRegistry()
	a, err := New(Options{Config: cfg, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	return a, registry
}

// Every series exists before anything has happened.
func TestMetricsContract(t *testing.T) {
	_, registry := metricsOf(t, "main")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "ordersync_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		got = append(got, fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ",")))
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", f.GetName())
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(contract, got); diff != "" {
		t.Error(diff)
	}
}

func TestMetricsCount(t *testing.T) {
	a, registry := metricsOf(t, "main", "other")
	m := a.metrics
	m.called("main", "list", source.OK, time.Second)
	m.called("main", "list", source.Throttled, time.Second)
	m.Inserted("order_rows", 7, time.Second)
	m.Retried("order_rows", "network")
	at := time.Unix(1_700_000_000, 0)
	for _, v := range []*status.StoredView{{Name: "before"}, {Name: "spend_stored", RefreshedAt: &at}} {
		m.stored(v)
	}
	if got := testutil.ToFloat64(m.storedView); got != 1_700_000_000 { // of the one series there is
		t.Errorf("the stored view is of %v", got)
	}
	stream := schema.Stream{Source: "bss", Account: "main"}
	m.committed(engine.Written{Account: "main", Orders: 2, Items: 1, Rejects: map[string]int{"money": 1}})
	m.ledger("main", []sink.StreamSummary{
		{Stream: stream, Windows: map[schema.Verdict]int{schema.Complete: 2, schema.Failed: 1}},
		{Stream: schema.Stream{Account: "main", OwnerID: "1"}, Windows: map[schema.Verdict]int{schema.Complete: 1}},
	}, nil)
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP ordersync_insert_retries_total Blocks that had to be sent again.
# TYPE ordersync_insert_retries_total counter
ordersync_insert_retries_total{table="order_item_rows"} 0
ordersync_insert_retries_total{table="order_rows"} 1
ordersync_insert_retries_total{table="reject_rows"} 0
ordersync_insert_retries_total{table="sync_finding_rows"} 0
ordersync_insert_retries_total{table="sync_run_rows"} 0
ordersync_insert_retries_total{table="sync_verifications"} 0
ordersync_insert_retries_total{table="sync_window_rows"} 0
# HELP ordersync_insert_rows_total Rows that the warehouse confirmed.
# TYPE ordersync_insert_rows_total counter
ordersync_insert_rows_total{table="order_item_rows"} 0
ordersync_insert_rows_total{table="order_rows"} 7
ordersync_insert_rows_total{table="reject_rows"} 0
ordersync_insert_rows_total{table="sync_finding_rows"} 0
ordersync_insert_rows_total{table="sync_run_rows"} 0
ordersync_insert_rows_total{table="sync_verifications"} 0
ordersync_insert_rows_total{table="sync_window_rows"} 0
# HELP ordersync_items_written_total Line item rows that the warehouse confirmed, tombstones included.
# TYPE ordersync_items_written_total counter
ordersync_items_written_total{account="main"} 1
ordersync_items_written_total{account="other"} 0
# HELP ordersync_orders_written_total Order rows that the warehouse confirmed.
# TYPE ordersync_orders_written_total counter
ordersync_orders_written_total{account="main"} 2
ordersync_orders_written_total{account="other"} 0
# HELP ordersync_windows Windows in the ledger by verdict.
# TYPE ordersync_windows gauge
ordersync_windows{account="main",verdict="complete"} 3
ordersync_windows{account="main",verdict="failed"} 1
ordersync_windows{account="main",verdict="open"} 0
ordersync_windows{account="main",verdict="short"} 0
ordersync_windows{account="other",verdict="complete"} 0
ordersync_windows{account="other",verdict="failed"} 0
ordersync_windows{account="other",verdict="open"} 0
ordersync_windows{account="other",verdict="short"} 0
`), "ordersync_windows", "ordersync_orders_written_total", "ordersync_items_written_total", "ordersync_insert_rows_total", "ordersync_insert_retries_total")
	if err != nil {
		t.Error(err)
	}
	for reason, want := range map[source.Reason]float64{source.OK: 1, source.Throttled: 1, source.Timeout: 0} {
		if got := testutil.ToFloat64(m.apiCalls.WithLabelValues("main", "list", string(reason))); got != want {
			t.Errorf("calls %s: %v", reason, got)
		}
	}
	if got := testutil.ToFloat64(m.rejects.WithLabelValues("main", "money")); got != 1 {
		t.Errorf("rejects: %v", got)
	}
	if a.Calls() != 2 {
		t.Errorf("calls: %d", a.Calls())
	}
}

func TestLag(t *testing.T) {
	a, _ := metricsOf(t, "main")
	now := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
	if lag := a.metrics.lag("main", now); !math.IsInf(lag, 1) {
		t.Errorf("before the first window: %v", lag)
	}
	own := sink.StreamSummary{Stream: schema.Stream{Account: "main"}, CompleteTo: now.Add(-time.Hour)}
	owner := sink.StreamSummary{Stream: schema.Stream{Account: "main", OwnerID: "1"}, CompleteTo: now.Add(-3 * time.Hour)}
	a.metrics.ledger("main", []sink.StreamSummary{own, owner}, nil)
	if lag := a.metrics.lag("main", now); lag != 3*3600 {
		t.Errorf("the stream furthest behind counts: %v", lag)
	}
	a.metrics.ledger("main", []sink.StreamSummary{own, owner}, map[string]time.Duration{"1": 90 * time.Minute})
	if lag := a.metrics.lag("main", now); lag != 1.5*3600 {
		t.Errorf("an owner that orders nothing may be behind: %v", lag)
	}
	a.metrics.ledger("main", []sink.StreamSummary{own, {Stream: schema.Stream{Account: "main", OwnerID: "2"}}}, map[string]time.Duration{"2": time.Hour})
	if lag := a.metrics.lag("main", now); !math.IsInf(lag, 1) {
		t.Errorf("a stream without any complete window counts: %v", lag)
	}
}

// Each stream has the time of its own last verification, and what ended early is none.
func TestVerificationTime(t *testing.T) {
	cfg := config.Default()
	reseller := config.NewAccount("main", config.SourceBSS)
	reseller.OwnerIDs = []string{"1", "2"}
	domains := config.NewAccount("domains", config.SourceDomain)
	domains.Credentials = config.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}
	cfg.Accounts = []config.Account{reseller, domains}
	registry := prometheus.NewRegistry()
	a, err := New(Options{Config: cfg, Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0)
	verification := func(owner, failure string, at time.Time) sink.Verification {
		return sink.Verification{Stream: schema.Stream{Account: "main", OwnerID: owner}, FinishedAt: at, Error: failure, Differences: 1}
	}
	findings := []sink.FindingCount{{Depth: "counts", Open: 1}, {Depth: "rows", Open: 1}}
	a.metrics.verified("main", []sink.Verification{verification("", "", at), verification("1", "cut", at)}, findings)
	a.metrics.verified("main", []sink.Verification{verification("", "cut", at.Add(time.Hour)), verification("1", "", at.Add(time.Minute))}, findings)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP ordersync_verification_timestamp_seconds When the source's counts, or more, were last compared with everything; 0 where that is not known.
# TYPE ordersync_verification_timestamp_seconds gauge
ordersync_verification_timestamp_seconds{account="main",owner_id=""} 1.7e+09
ordersync_verification_timestamp_seconds{account="main",owner_id="1"} 1.70000006e+09
ordersync_verification_timestamp_seconds{account="main",owner_id="2"} 0
# HELP ordersync_verify_differences Differences that verifications found and that no look of the same depth has ended.
# TYPE ordersync_verify_differences gauge
ordersync_verify_differences{account="domains"} 0
ordersync_verify_differences{account="main"} 2
`), "ordersync_verification_timestamp_seconds", "ordersync_verify_differences"); err != nil {
		t.Error(err)
	}
}

// What cannot be listed has no windows: it is as old as the last run that got all of it.
func TestLagOfWhatCannotBeListed(t *testing.T) {
	a, _ := metricsOf(t, "main")
	now := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
	main := stream.Outcome{Stream: schema.Stream{Account: "main"}}
	a.metrics.ran("main", stream.Summary{Streams: []stream.Outcome{main}}, false, now.Add(-time.Minute))
	main.Pending = 1
	a.metrics.ran("main", stream.Summary{Streams: []stream.Outcome{main}}, false, now)
	if lag := a.metrics.lag("main", now); lag != 60 {
		t.Errorf("%v", lag)
	}
}

// A run that lost data anywhere does not look green (I8).
func TestLastSuccess(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	good := stream.Outcome{Stream: schema.Stream{Account: "main"}, Windows: map[schema.Verdict]int{schema.Complete: 3, schema.Open: 1}}
	bad := map[string]func(*stream.Outcome){
		"error":    func(l *stream.Outcome) { l.Err = errors.New("broken") },
		"short":    func(l *stream.Outcome) { l.Windows = map[schema.Verdict]int{schema.Short: 1} },
		"failed":   func(l *stream.Outcome) { l.Windows = map[schema.Verdict]int{schema.Failed: 1} },
		"rejected": func(l *stream.Outcome) { l.Rejected = 1 },
		"pending":  func(l *stream.Outcome) { l.Pending = 1 },
	}
	for name, spoil := range bad {
		a, _ := metricsOf(t, "main", "other")
		l := good
		l.OwnerID = "1"
		spoil(&l)
		other := good
		other.Account = "other"
		a.metrics.ran("main", stream.Summary{Streams: []stream.Outcome{good, l}}, true, now)
		a.metrics.ran("main", stream.Summary{Streams: []stream.Outcome{good}, Quiet: 1, Unasked: []stream.Outcome{l}}, true, now)
		a.metrics.ran("other", stream.Summary{Streams: []stream.Outcome{other}}, true, now)
		if got := testutil.ToFloat64(a.metrics.lastSuccess.WithLabelValues("main")); got != 0 {
			t.Errorf("%s in one stream: the account is a success at %v", name, got)
		}
		if got := testutil.ToFloat64(a.metrics.lastSuccess.WithLabelValues("other")); got != 1_700_000_000 {
			t.Errorf("%s in another account: %v", name, got)
		}
	}
}

// The verifications of many owners are spread over the day, and none is left out for long.
func TestVerificationsAreSpread(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct{ owners, most int }{{1, 1}, {20, 20}, {3000, 20}, {30_000, 208}} {
		l := &login{}
		for i := range c.owners {
			of := schema.Stream{Account: "main", OwnerID: fmt.Sprint(i)}
			l.streams = append(l.streams, stream.Stream{Stream: of, Source: source.NewCaller(nil, nil, nil, source.Policy{}, nil)})
			l.ledger = append(l.ledger, sink.StreamSummary{Stream: of})
		}
		var last time.Time
		for at := now; len(l.verified) < c.owners; at = at.Add(5 * time.Minute) {
			due := l.toVerify(at, 5*time.Minute)
			if len(due) == 0 || len(due) > c.most {
				t.Fatalf("%d of %d owners are verified at once", len(due), c.owners)
			}
			for _, of := range due {
				l.verified = append(l.verified, sink.Verification{Stream: of.Stream, FinishedAt: at})
			}
			last = at
		}
		if last.Sub(now) > verifyEvery {
			t.Errorf("all of %d owners are verified after %s", c.owners, last.Sub(now))
		}
		if due := l.toVerify(last, 5*time.Minute); len(due) > 0 {
			t.Errorf("%d owners are verified again", len(due))
		}
		due := l.toVerify(now.Add(verifyEvery), 5*time.Minute)
		if len(due) == 0 || due[0].OwnerID != "0" {
			t.Errorf("a day later: %v", due)
		}
	}
}
