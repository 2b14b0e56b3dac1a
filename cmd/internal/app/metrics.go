package app

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Metrics are all that ordersync counts. Labels are bounded: accounts and owners come from the configuration, the others are
// small enumerations. Every label set that is known beforehand exists from the start, with zero, because an alert cannot see
// the first event of a series that appears with it.
type Metrics struct {
	lastSuccess *prometheus.GaugeVec     // account
	apiCalls    *prometheus.CounterVec   // account, api, reason
	apiDuration *prometheus.HistogramVec // api
	windows     *prometheus.GaugeVec     // account, verdict
	orders      *prometheus.CounterVec   // account
	items       *prometheus.CounterVec   // account
	rejects     *prometheus.CounterVec   // account, reason
	inserted    *prometheus.CounterVec   // table
	insertTime  *prometheus.HistogramVec // table
	retries     *prometheus.CounterVec   // table
	differences *prometheus.GaugeVec     // account
	verifiedAt  *prometheus.GaugeVec     // account, owner_id
	scrubbed    *prometheus.CounterVec   // account
	scrubFound  *prometheus.CounterVec   // account
	rechecked   *prometheus.CounterVec   // account, why
	openRejects *prometheus.GaugeVec     // account, reason
	diagnosis   *prometheus.GaugeVec     // account, state, cause, says, cure: one series an account
	waiting     *prometheus.GaugeVec     // account
	warehouseUp prometheus.Gauge
	reloaded    prometheus.Gauge
	storedView  *prometheus.GaugeVec // view

	labelled []labelled // all of the above that have labels
	times    sync.Map   // of each account (*times)
	calls    atomic.Int64
}

// labelled is a metric with labels.
type labelled interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
}

// times are what is computed of an account when it is asked for: Unix nanoseconds, 0 where nothing is known.
type times struct {
	completeTo atomic.Int64              // the end of the newest complete range
	oldest     [len(looked)]atomic.Int64 // the oldest look at an order, by what is looked at; see stale
	bound      [len(looked)]atomic.Int64 // within how many nanoseconds each is to come round; 0 for never
}

// rechecks are why details are fetched again.
var rechecks = [...]string{"age", "scrub"}

// looked is what is looked at: list rows and details.
var looked = [...]string{"list", "detail"}

// Label values that are known beforehand.
var (
	apis     = []string{"list", "detail"} // the ones with a budget of the configuration
	calls    = append(slices.Clone(apis), productsAPI)
	verdicts = []schema.Verdict{schema.Complete, schema.Open, schema.Short, schema.Failed}
	tables   = []string{"order_rows", "order_item_rows", "reject_rows", "sync_window_rows", "sync_verifications", "sync_finding_rows", "sync_run_rows"}
)

const namespace = "ordersync"

func newMetrics(accounts []config.Account) *Metrics {
	var all []labelled
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
		all = append(all, v)
		return v
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		all = append(all, v)
		return v
	}
	histogram := func(name, help, label string, buckets []float64) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, []string{label})
		all = append(all, v)
		return v
	}
	m := &Metrics{
		lastSuccess: gauge("last_success_timestamp_seconds",
			"When a run last left nothing undone for the account; 0 before the first.", "account"),
		apiCalls: counter("api_calls_total",
			"Calls to the vendor by how they ended: ok, or why not. Every try counts.", "account", "api", "reason"),
		apiDuration: histogram("api_call_duration_seconds", "Duration of one try of a call, without waiting for the budget.", "api",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}),
		windows: gauge("windows", "Windows in the ledger by verdict.", "account", "verdict"),
		orders:  counter("orders_written_total", "Order rows that the warehouse confirmed.", "account"),
		items:   counter("items_written_total", "Line item rows that the warehouse confirmed, tombstones included.", "account"),
		rejects: counter("rejects_total",
			"Records that could not become rows, each time that one was rejected.", "account", "reason"),
		inserted: counter("insert_rows_total", "Rows that the warehouse confirmed.", "table"),
		insertTime: histogram("insert_duration_seconds", "Duration of an insert, retries included.", "table",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}),
		retries: counter("insert_retries_total", "Blocks that had to be sent again.", "table"),
		differences: gauge("verify_differences",
			"Differences that verifications found and that no look of the same depth has ended.", "account"),
		verifiedAt: gauge("verification_timestamp_seconds",
			"When the source's counts, or more, were last compared with everything; 0 where that is not known.", "account", "owner_id"),
		scrubbed:   counter("scrub_windows_total", "Windows of the past that were compared with the source again.", "account"),
		scrubFound: counter("scrub_changed_total", "Orders that a scrub found to be new or changed.", "account"),
		rechecked: counter("details_rechecked_total",
			"Details that were fetched again without a sign of a change: because they may have come too early (age), or in their turn (scrub).", "account", "why"),
		openRejects: gauge("open_rejects", "Records that could not become rows and wait for an operator.", "account", "reason"),
		diagnosis: gauge("diagnosis", "How an account stands, by its worst stream: 3 stopped, 2 failing, 1 incomplete, 0 nothing is wrong; the labels say why and what "+
			"cures it.", "account", "state", "cause", "says", "cure"),
		waiting: gauge("owners_waiting",
			"Owners whose turn it was in the last run and for which it had no time.", "account"),
		warehouseUp: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "warehouse_up",
			Help: "1 if the warehouse answered at the last scheduled run, else 0; while it is 0, no call is made."}),
		storedView: gauge("stored_view_timestamp_seconds",
			"What the view shows that the server keeps as a table is of then; 0 while it was never made.", "view"),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "config_last_reload_successful",
			Help: "0 if the configuration that was last read again was refused and the one before goes on, else 1."}),
	}
	m.labelled = all
	m.reloaded.Set(1)
	for i := range accounts {
		m.begin(accounts[i].Name)
	}
	for _, api := range calls {
		m.apiDuration.WithLabelValues(api)
	}
	for _, t := range tables {
		m.inserted.WithLabelValues(t)
		m.insertTime.WithLabelValues(t)
		m.retries.WithLabelValues(t)
	}
	return m
}

// begin makes an account's series.
func (m *Metrics) begin(account string) {
	m.of(account)
	m.lastSuccess.WithLabelValues(account)
	m.orders.WithLabelValues(account)
	m.items.WithLabelValues(account)
	m.differences.WithLabelValues(account)
	m.scrubbed.WithLabelValues(account)
	m.scrubFound.WithLabelValues(account)
	for _, why := range rechecks {
		m.rechecked.WithLabelValues(account, why)
	}
	m.diagnosis.WithLabelValues(account, "", "", "", "") // until the first look
	m.waiting.WithLabelValues(account)
	for _, v := range verdicts {
		m.windows.WithLabelValues(account, string(v))
	}
	for _, r := range source.Reasons {
		for _, api := range calls {
			m.apiCalls.WithLabelValues(account, api, string(r))
		}
	}
	for _, r := range rejectReasons() {
		m.rejects.WithLabelValues(account, r)
		m.openRejects.WithLabelValues(account, r)
	}
}

// rejectReasons are why records are rejected, as far as that is known beforehand.
func rejectReasons() []string {
	out := slices.Clone(source.RejectReasons)
	for _, r := range source.Reasons {
		if r != source.OK && r != source.Cancelled && r != source.Auth { // with these no reject is made
			out = append(out, string(r))
		}
	}
	return out
}

// of is where the times of an account are kept.
func (m *Metrics) of(account string) *times {
	v, _ := m.times.LoadOrStore(account, new(times))
	return v.(*times)
}

// register hands everything that is not of one account to a registry, with what is computed when it is asked for.
func (m *Metrics) register(to prometheus.Registerer, next func() time.Time) error {
	b := Build()
	cs := []prometheus.Collector{
		m.warehouseUp, m.reloaded, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		computed("next_tick_timestamp_seconds", "When the next scheduled run is due.", nil, func() float64 { return seconds(next()) }),
		computed("build_info", "Always 1; the labels say what runs.", prometheus.Labels{
			"version": b.Version, "revision": b.Revision, "go": b.Go,
		}, func() float64 { return 1 }),
	}
	for _, v := range m.labelled {
		cs = append(cs, v)
	}
	return registerAll(to, cs)
}

// account makes an account's series.
func (m *Metrics) account(to prometheus.Registerer, l *login, leases *daemon.Leases) error {
	m.begin(l.name)
	for _, stream := range l.streams {
		if stream.Lists() { // the others are verified by hand only
			m.verifiedAt.WithLabelValues(stream.Account, stream.OwnerID)
		}
	}
	of := prometheus.Labels{"account": l.name}
	l.computed = []prometheus.Collector{
		computed("lag_seconds", "Now minus the end of the newest complete range of windows; +Inf while nothing is complete.",
			of, func() float64 { return m.lag(l.name, time.Now()) }),
		computed("clock_offset_seconds",
			"The vendor's clock minus this machine's, 0 where that is less than the Date of answers can show; NaN while no answer has told.",
			of, func() float64 {
				if offset, known := l.clock(); known {
					return offset.Seconds()
				}
				return math.NaN()
			}),
		computed("leader", "1 where this daemon works on the account, 0 where it stands by for another one.", of, func() float64 {
			if leases.Leads(l.name) {
				return 1
			}
			return 0
		}),
	}
	for i, what := range looked {
		if !l.lists() && what == "list" {
			continue
		}
		labels, of := prometheus.Labels{"account": l.name, "what": what}, m.of(l.name)
		l.computed = append(l.computed,
			computed("staleness_seconds", "How long ago the list rows, or the detail, were last compared of the order for which that is the longest; NaN while nothing is known.",
				labels, func() float64 {
					if at := of.oldest[i].Load(); at != 0 {
						return time.Since(time.Unix(0, at)).Seconds()
					}
					return math.NaN()
				}),
			computed("staleness_bound_seconds", "Within what time each comes round by the configuration; +Inf for never.",
				labels, func() float64 {
					if d := of.bound[i].Load(); d != 0 {
						return time.Duration(d).Seconds()
					}
					return math.Inf(1)
				}))
	}
	for i, b := range []*source.Budget{l.list, l.detail} {
		labels := prometheus.Labels{"account": l.name, "api": apis[i]}
		l.computed = append(l.computed,
			computed("api_budget_calls_per_second", "Calls a second that the budget allows itself now; it learns from throttles.",
				labels, b.Rate),
			computed("api_budget_calls_left", "Calls that could be made at once, without waiting for the budget.",
				labels, func() float64 { return float64(b.Left()) }))
	}
	return registerAll(to, l.computed)
}

// forget ends an account's series, or only what is computed of it where the account goes on in another form: a counter
// must not go back.
func (m *Metrics) forget(from prometheus.Registerer, l *login, goesOn bool) {
	for _, c := range l.computed {
		from.Unregister(c)
	}
	if goesOn {
		return
	}
	of := prometheus.Labels{"account": l.name}
	for _, v := range m.labelled { // those that have no such label keep all they have
		v.DeletePartialMatch(of)
	}
	m.times.Delete(l.name)
}

func registerAll(to prometheus.Registerer, cs []prometheus.Collector) error {
	for _, c := range cs {
		if err := to.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func computed(name, help string, labels prometheus.Labels, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: name, Help: help, ConstLabels: labels,
	}, value)
}

// lag grows while nothing runs: it is the one number that tells of every way in which a daemon can be stuck.
func (m *Metrics) lag(account string, now time.Time) float64 {
	to := m.of(account).completeTo.Load()
	if to == 0 {
		return math.Inf(1)
	}
	return now.Sub(time.Unix(0, to)).Seconds()
}
