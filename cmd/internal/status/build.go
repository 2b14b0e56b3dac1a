package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/window"
)

// Query says what the heat maps show; the zero Query is the usual view.
type Query struct {
	From   time.Time // the first day; zero for the days that end today
	Days   int       // zero for DefaultDays
	Stream string    // the one stream, as account or account/owner; empty for as many as fit
}

// Bounds of a report: it has to be read, and made while others wait for it.
const (
	DefaultDays = 35
	MaxDays     = 100
	maxMaps     = 3 // where there are more streams, a map is shown of the one that is asked for
	spendDays   = 30
	topProducts = 10
	runsShown   = 20
	runsSince   = 90 * 24 * time.Hour // nobody asks for older runs here; sync_runs has them
	runningFor  = 30 * 24 * time.Hour // no run takes longer
	atOnce      = 4                   // queries, so that a sync under way keeps its connections
)

// StreamError says that there is no stream of that name.
type StreamError struct{ Name string }

func (e *StreamError) Error() string { return fmt.Sprintf("there is no account %q", e.Name) }

// Expected is a stream that the configuration names.
type Expected struct {
	schema.Stream
	ByID    bool // its orders cannot be listed, so they are tracked by their ids
	Filters schema.Filters
	// ListQuota and DetailQuota are the account's, in calls a second.
	ListQuota, DetailQuota float64
	Slowed                 []diagnosis.Slowed // calls of the account, where this process makes them
}

// Build makes a report. The configuration has the schedule and the streams that should be there; where it names none, all
// that the ledger knows should be.
func Build(ctx context.Context, times config.Schedule, expected []Expected, w *sink.Sink, now time.Time, q Query) (*Report, error) {
	var (
		have             stored
		recent, failures []sink.Run
		days, products   []sink.Spend
		year, month, day = now.In(w.Zone()).Date()
		midnight         = func(day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, w.Zone()) }
		spendFrom        = time.Date(year, month, day+1-spendDays, 0, 0, 0, 0, time.UTC) // a day of the calendar, of the reporting zone
	)
	asked := Asked(expected)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	g.Go(func() (err error) {
		days, products, err = w.Spend(gctx, midnight(day+1-spendDays), midnight(day+1))
		return err
	})
	g.Go(func() (err error) { recent, err = w.RecentRuns(gctx, now.Add(-runsSince), runsShown); return err })
	g.Go(func() (err error) {
		failures, err = w.FailedRuns(gctx, now, now.Add(-runsSince), runsShown)
		return err
	})
	g.Go(func() (err error) { have, err = ask(gctx, w, nil, asked, midnight(day), now); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s := newSchedule(times, now)
	r, err := diagnose(ctx, w, &have, s, expected, now)
	if err != nil {
		return nil, err
	}
	r.Failures, r.Runs, r.Spend = newRuns(failures, now), newRuns(recent, now), newSpend(days, products, spendFrom)
	if err := r.maps(ctx, w, s, q, asked); err != nil {
		return nil, err
	}
	return r, nil
}

// ask reads what diagnoses are made of. Orders of today are those created since midnight.
func ask(ctx context.Context, w *sink.Sink, ledger *Ledger, asked map[string]schema.Filters, midnight, now time.Time) (s stored, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	g.Go(func() error {
		streams, faults, err := ledger.read(ctx, w, asked, now)
		s.streams, s.faults = streams, byStream(faults, func(x sink.WindowFault) schema.Stream { return x.Stream })
		return err
	})
	g.Go(func() error {
		all, err := w.RejectCounts(ctx)
		s.rejects = make(map[schema.Stream]sink.RejectCount, len(all))
		for _, c := range all {
			s.rejects[c.Key()] = c
		}
		return err
	})
	g.Go(func() (err error) { s.groups, err = w.RejectGroups(ctx); return err })
	g.Go(func() error {
		all, err := w.LastVerifications(ctx)
		s.verified = byStream(all, func(v sink.Verification) schema.Stream { return v.Stream })
		return err
	})
	g.Go(func() error {
		all, err := w.FindingCounts(ctx)
		s.findings = byStream(all, func(f sink.FindingCount) schema.Stream { return f.Stream })
		return err
	})
	g.Go(func() (err error) { s.successes, err = w.LastSuccesses(ctx, now.Add(-runsSince)); return err })
	g.Go(func() (err error) { s.streaks, err = w.Streaks(ctx, now.Add(-runsSince), reasonPattern); return err })
	g.Go(func() (err error) { s.leases, err = w.LastLeases(ctx); return err })
	g.Go(func() (err error) { s.today, err = w.OrdersSince(ctx, midnight); return err })
	g.Go(func() (err error) { s.running, err = w.RunningRuns(ctx, now, now.Add(-runningFor)); return err })
	g.Go(func() (err error) { s.view, err = w.StoredView(ctx); return err })
	g.Go(func() error { s.refusal.Why, s.refusal.Cure = w.Refusal(ctx); return nil })
	return s, g.Wait()
}

// Diagnose makes a report of nothing but how each stream stands, and of the rejects. Who asks again and again passes the same ledger.
func Diagnose(ctx context.Context, times config.Schedule, expected []Expected, w *sink.Sink, ledger *Ledger, now time.Time) (*Report, error) {
	year, month, day := now.In(w.Zone()).Date()
	have, err := ask(ctx, w, ledger, Asked(expected), time.Date(year, month, day, 0, 0, 0, 0, w.Zone()), now)
	if err != nil {
		return nil, err
	}
	return diagnose(ctx, w, &have, newSchedule(times, now), expected, now)
}

// Asked are the filters of each account that is expected.
func Asked(expected []Expected) map[string]schema.Filters {
	asked := map[string]schema.Filters{}
	for _, e := range expected {
		asked[e.Account] = e.Filters
	}
	return asked
}

// diagnose says how each stream stands, those that the configuration names and those that the ledger knows.
func diagnose(ctx context.Context, w *sink.Sink, have *stored, s schedule, expected []Expected, now time.Time) (*Report, error) {
	r := &Report{
		OK: true, Now: now, NextRun: s.next, Problems: []string{}, Accounts: []Stream{}, Budgets: []Budget{}, Rejects: append([]sink.RejectGroup{}, have.groups...),
		Running: newRuns(have.running, now), ReportingZone: w.Zone().String(),
	}
	if v := have.view; v != nil {
		r.stored(v)
	}
	allowed, err := allAllowances(ctx, w, s.Schedule, expected, now)
	if err != nil {
		return nil, err
	}
	named := make(map[schema.Stream]int, len(expected)) // there may be tens of thousands
	for i, e := range expected {
		named[e.Key()] = i
	}
	streams := withExpected(have.streams, expected)
	orders := map[string]uint64{} // of each account
	for n := range streams {
		l := &streams[n]
		if i, configured := named[l.Key()]; configured && expected[i].ByID {
			if err := byID(ctx, w, l); err != nil {
				return nil, err
			}
		}
		orders[l.Account] += l.Orders
	}
	for _, l := range streams {
		i, configured := named[l.Key()]
		byID := configured && expected[i].ByID
		var slowed []diagnosis.Slowed
		if configured {
			slowed = expected[i].Slowed
		}
		stream := have.stream(l, byID, configured || len(expected) == 0, r.Now, s, allowed[l.Key()], slowed)
		if configured {
			stream.Filters = expected[i].Filters.String()
			within := s.DetailsWithin(orders[l.Account], expected[i].DetailQuota)
			stream.Freshness = newFreshness(l.Compared, l.Detailed, now, s.Scrub, within, within != s.ScrubDetails)
		}
		r.OK = r.OK && !stream.Diagnosis.State.Bad()
		r.Accounts = append(r.Accounts, stream)
	}
	return r, nil
}

// stored takes over of when the stored view is. What is stale is said: who reads it takes it for what is known now.
func (r *Report) stored(v *sink.StoredView) {
	r.StoredView = &StoredView{Name: v.Name, RefreshedAt: format.TimeOrNull(v.At), EverySeconds: v.Every.Seconds(), Error: v.Error, Overdue: v.Overdue(r.Now)}
	if !r.StoredView.Overdue {
		return
	}
	why := "it is on the way, or the server was down"
	if v.Error != "" {
		why = v.Error
	}
	r.OK = false
	r.Problems = append(r.Problems, fmt.Sprintf("%s: %s; the views that are not stored are exact meanwhile, and `ordersync migrate` makes it again, or drops it where reporting.refresh is not set", r.StoredView, why))
}

// byID completes what the ledger does not know of a stream whose orders are tracked by their ids.
func byID(ctx context.Context, w *sink.Sink, l *sink.StreamSummary) (err error) {
	if l.Orders, err = w.CountOrders(ctx, l.Stream); err != nil {
		return err
	}
	ages, err := w.DetailAges(ctx, l.Stream, 24*time.Hour, schema.MinTime, schema.MaxTime)
	for _, a := range ages {
		if l.Detailed.IsZero() || a.DetailedAt.Before(l.Detailed) {
			l.Detailed = a.DetailedAt
		}
	}
	return err
}

// withExpected adds the streams that have no line in the ledger: that is the worst case, not none.
func withExpected(streams []sink.StreamSummary, expected []Expected) []sink.StreamSummary {
	known := make(map[schema.Stream]bool, len(streams))
	for _, l := range streams {
		known[l.Key()] = true
	}
	for _, e := range expected {
		if !known[e.Key()] {
			streams = append(streams, sink.StreamSummary{Stream: e.Stream, Windows: map[schema.Verdict]int{}})
		}
	}
	return streams
}

// byStream groups what is known of streams.
func byStream[T any](all []T, of func(T) schema.Stream) map[schema.Stream][]T {
	out := map[schema.Stream][]T{}
	for _, x := range all {
		out[of(x).Key()] = append(out[of(x).Key()], x)
	}
	return out
}

// maps makes the heat maps of the stream that was asked for, or of all where they are few.
func (r *Report) maps(ctx context.Context, w *sink.Sink, s schedule, q Query, asked map[string]schema.Filters) error {
	days := q.Days
	if days == 0 {
		days = DefaultDays
	}
	days = max(1, min(days, MaxDays))
	from := q.From.UTC().Truncate(24 * time.Hour)
	if q.From.IsZero() {
		from = r.Now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	}
	cell := max(s.Window, time.Hour)
	r.Map = Map{From: from, To: from.AddDate(0, 0, days), Days: days, CellSeconds: int(cell.Seconds())}
	var shown []int
	known := false
	for i := range r.Accounts {
		l := &r.Accounts[i]
		r.Map.LedgerFrom = first(r.Map.LedgerFrom, l.Oldest, time.Time.Before)
		r.Map.LedgerTo = first(r.Map.LedgerTo, l.Newest, time.Time.After)
		if q.Stream == "" || q.Stream == l.Name() {
			known = true
			if !l.ByID && (!l.Unconfigured || q.Stream != "") {
				shown = append(shown, i)
			}
		}
	}
	if !known && q.Stream != "" {
		return &StreamError{q.Stream}
	}
	if len(shown) > max(1, maxMaps*DefaultDays/max(days, DefaultDays)) {
		shown = nil
	}
	r.Map.Streams = len(shown)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, i := range shown {
		l := &r.Accounts[i]
		g.Go(func() error {
			var windows []schema.Window
			var err error
			if filters, configured := asked[l.Account]; configured {
				windows, err = w.Narrowed(filters).Windows(ctx, l.Stream, r.Map.From, r.Map.To)
			} else {
				windows, err = w.Ledger(ctx, l.Stream, r.Map.From, r.Map.To)
			}
			// One that was listed with other filters is as missing as one that was never listed.
			windows = slices.DeleteFunc(windows, func(w schema.Window) bool { return w.Verdict == "" })
			var oldest time.Time
			if l.Oldest != nil {
				oldest = *l.Oldest
			}
			due := r.Now.Add(-s.grace() - l.allowed)
			if l.Unconfigured { // nothing comes after what there is
				due = *l.Newest
			}
			l.Coverage = span{from: from, days: days, cell: cell, due: due, filled: r.filled(l.Account)}.cover(oldest, windows)
			return err
		})
	}
	return g.Wait()
}

// filled is what backfills under way fill of an account.
func (r *Report) filled(account string) (out []window.Interval) {
	for _, x := range r.Running {
		if x.Kind == sink.RunBackfill && x.From != nil && x.To != nil && slices.Contains(x.Accounts, account) {
			out = append(out, window.Interval{Start: *x.From, End: *x.To})
		}
	}
	return out
}

// first is the one of two times that comes first in an order; null is none.
func first(a, b *time.Time, before func(time.Time, time.Time) bool) *time.Time {
	if a == nil || b != nil && before(*b, *a) {
		return b
	}
	return a
}

func newRuns(runs []sink.Run, now time.Time) []Run {
	out := make([]Run, len(runs))
	for i := range runs {
		out[i] = newRun(&runs[i], now)
	}
	return out
}

func newRun(x *sink.Run, now time.Time) Run {
	r := Run{
		ID: x.ID, Kind: x.Kind, State: string(x.State), Process: x.Process, Accounts: x.Accounts, From: format.TimeOrNull(x.From),
		To: format.TimeOrNull(x.To), StartedAt: x.StartedAt, UpdatedAt: x.UpdatedAt, FinishedAt: format.TimeOrNull(x.FinishedAt),
		WindowsPlanned: x.Planned, WindowsDone: x.Done, Orders: x.Orders, Changed: x.Changed, Items: x.Items, Rejected: x.Rejected,
		ListCalls: x.ListCalls, DetailCalls: x.DetailCalls, Share: x.Share, Error: strings.TrimSpace(x.Error),
	}
	until := x.FinishedAt
	switch {
	case x.Lost(now):
		r.State, until = Lost, x.UpdatedAt
	case until.IsZero():
		until = now
		if !x.EndsAt.IsZero() { // as of its last sign of life
			left := max(0, x.EndsAt.Sub(now).Seconds())
			r.ETASeconds = &left
		}
	}
	r.Seconds = max(0, until.Sub(x.StartedAt).Seconds())
	return r
}
