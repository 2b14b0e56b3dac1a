package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

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

// stale takes over when the oldest looks at an account were, and within what time they are to come round.
func (m *Metrics) stale(account string, compared, detailed time.Time, b engine.Bounds) {
	l := m.of(account)
	l.oldest[0].Store(nanoseconds(compared))
	l.oldest[1].Store(nanoseconds(detailed))
	l.bound[0].Store(int64(b.Rows))
	l.bound[1].Store(int64(b.Details))
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
