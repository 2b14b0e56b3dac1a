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
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
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

// rejected takes over how many records of each account wait for an operator.
func (m *Metrics) rejected(accounts []config.Account, open []sink.RejectGroup) {
	for i := range accounts {
		sums := map[string]int{}
		for _, r := range rejectReasons() {
			sums[r] = 0
		}
		for _, x := range open {
			if x.Account == accounts[i].Name {
				sums[x.Reason] += x.Count
			}
		}
		for reason, n := range sums {
			m.openRejects.WithLabelValues(accounts[i].Name, reason).Set(float64(n))
		}
	}
}

// diagnosed takes over how an account stands. What differs in a text each time is left out, so that a cause has one series.
func (m *Metrics) diagnosed(account string, d *diagnosis.Diagnosis) {
	m.diagnosis.DeletePartialMatch(prometheus.Labels{"account": account})
	m.diagnosis.WithLabelValues(account, string(d.State), string(d.Cause), source.Cause(d.Says), source.Cause(d.Cure)).
		Set(float64(max(0, diagnosis.Filling.Rank()-d.State.Rank())))
}

// stored takes over of when the stored view is.
func (m *Metrics) stored(v *status.StoredView) {
	m.storedView.Reset()
	if v != nil {
		at := 0.0
		if v.RefreshedAt != nil {
			at = seconds(*v.RefreshedAt)
		}
		m.storedView.WithLabelValues(v.Name).Set(at)
	}
}

// of is where the times of an account are kept.
func (m *Metrics) of(account string) *times {
	v, _ := m.times.LoadOrStore(account, new(times))
	return v.(*times)
}

// stale takes over when the oldest looks at an account were, and within what time they are to come round.
func (m *Metrics) stale(account string, compared, detailed time.Time, b engine.Bounds) {
	l := m.of(account)
	l.oldest[0].Store(nanoseconds(compared))
	l.oldest[1].Store(nanoseconds(detailed))
	l.bound[0].Store(int64(b.Rows))
	l.bound[1].Store(int64(b.Details))
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

// called sees every try of every call.
func (m *Metrics) called(account, api string, r source.Reason, d time.Duration) {
	m.calls.Add(1)
	m.apiCalls.WithLabelValues(account, api, string(r)).Inc()
	m.apiDuration.WithLabelValues(api).Observe(d.Seconds())
}

// Inserted is part of sink.Observer.
func (m *Metrics) Inserted(table string, rows int, d time.Duration) {
	m.inserted.WithLabelValues(table).Add(float64(rows))
	m.insertTime.WithLabelValues(table).Observe(d.Seconds())
}

// Retried is part of sink.Observer. The reason is in the log.
func (m *Metrics) Retried(table, _ string) { m.retries.WithLabelValues(table).Inc() }

// committed counts what the warehouse confirmed.
func (m *Metrics) committed(w engine.Written) {
	m.orders.WithLabelValues(w.Account).Add(float64(w.Orders))
	m.items.WithLabelValues(w.Account).Add(float64(w.Items))
	for reason, n := range w.Rejects {
		m.rejects.WithLabelValues(w.Account, reason).Add(float64(n))
	}
}

// answers takes over whether the warehouse answered.
func (m *Metrics) answers(up bool) {
	m.warehouseUp.Set(0)
	if up {
		m.warehouseUp.Set(1)
	}
}

// ran takes a finished run of an account into account: it is a success only when none of its streams lost anything (I8).
// Where orders cannot be listed, a success is all that is ever known to be complete.
func (m *Metrics) ran(account string, s stream.Summary, lists bool, now time.Time) {
	m.waiting.WithLabelValues(account).Set(float64(s.Left))
	if s.Err() != nil || len(s.Streams)+s.Quiet == 0 {
		return
	}
	m.lastSuccess.WithLabelValues(account).Set(seconds(now))
	if !lists {
		m.of(account).completeTo.Store(now.UnixNano())
	}
}

// ledger takes over what the ledger says of an account's streams; of several the one that is furthest behind counts, where those
// that are asked seldom may be behind by what is allowed to their owners.
func (m *Metrics) ledger(account string, streams []sink.StreamSummary, allowed map[string]time.Duration) {
	counts := map[schema.Verdict]int{}
	var end time.Time
	for i, l := range streams {
		to := l.CompleteTo
		if !to.IsZero() {
			to = to.Add(allowed[l.OwnerID])
		}
		if i == 0 || to.Before(end) {
			end = to
		}
		for v, n := range l.Windows {
			counts[v] += n
		}
	}
	m.of(account).completeTo.Store(nanoseconds(end))
	for _, v := range verdicts {
		m.windows.WithLabelValues(account, string(v)).Set(float64(counts[v]))
	}
}

// verified takes over when an account's streams were last verified, and what is open of all that was ever found. A
// verification that ended early says nothing about the rest, so the one before it counts.
func (m *Metrics) verified(account string, last []sink.Verification, findings []sink.FindingCount) {
	for _, v := range last {
		if v.Error == "" {
			m.verifiedAt.WithLabelValues(v.Account, v.OwnerID).Set(seconds(v.FinishedAt))
		}
	}
	sum := 0
	for _, f := range findings {
		sum += f.Open
	}
	m.differences.WithLabelValues(account).Set(float64(sum))
}

// nanoseconds is a time as Unix has it; 0 for none.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// seconds is a time as Prometheus counts it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

var _ sink.Observer = (*Metrics)(nil)
