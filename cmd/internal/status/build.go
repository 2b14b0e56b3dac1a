package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
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
	maxMaps     = 8
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
	// DetailQuota is the account's, in calls a second.
	DetailQuota float64
}

// Build makes a report. The configuration gives the schedule and the streams that should be there; where it names none, all
// that the ledger knows should be.
func Build(ctx context.Context, times config.Schedule, expected []Expected, w *sink.Sink, now time.Time, q Query) (*Report, error) {
	var (
		streams                   []sink.StreamSummary
		rejects                   []sink.RejectCount
		groups                    []sink.RejectGroup
		verified                  []sink.Verification
		findings                  []sink.FindingCount
		recent, failures, running []sink.Run
		days, products            []sink.Spend
		successes                 map[string]time.Time
		year, month, day          = now.In(w.Zone()).Date()
		spendFrom                 = time.Date(year, month, day+1-spendDays, 0, 0, 0, 0, time.UTC) // a day of the calendar, of the reporting zone
	)
	asked := map[string]schema.Filters{}
	for _, e := range expected {
		asked[e.Account] = e.Filters
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	g.Go(func() (err error) {
		midnight := func(day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, w.Zone()) }
		days, products, err = w.Spend(gctx, midnight(day+1-spendDays), midnight(day+1))
		return err
	})
	g.Go(func() (err error) { streams, err = w.Summaries(gctx, asked); return err })
	g.Go(func() (err error) { rejects, err = w.RejectCounts(gctx); return err })
	g.Go(func() (err error) { groups, err = w.RejectGroups(gctx); return err })
	g.Go(func() (err error) { verified, err = w.LastVerifications(gctx); return err })
	g.Go(func() (err error) { findings, err = w.FindingCounts(gctx); return err })
	g.Go(func() (err error) { recent, err = w.RecentRuns(gctx, now.Add(-runsSince), runsShown); return err })
	g.Go(func() (err error) {
		failures, err = w.FailedRuns(gctx, now, now.Add(-runsSince), runsShown)
		return err
	})
	g.Go(func() (err error) { successes, err = w.LastSuccesses(gctx, now.Add(-runsSince)); return err })
	g.Go(func() (err error) { running, err = w.RunningRuns(gctx, now, now.Add(-runningFor)); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s := newSchedule(times, now)
	r := &Report{
		Now: now, NextTick: s.next, Problems: []string{}, Accounts: []Stream{}, Budgets: []Budget{}, Rejects: []Reject{},
		Running: newRuns(running, now), Failures: newRuns(failures, now), Runs: newRuns(recent, now), Spend: newSpend(days, products, spendFrom),
		ReportingZone: w.Zone().String(),
	}
	allowed, err := allAllowances(ctx, w, times, expected, now)
	if err != nil {
		return nil, err
	}
	streams = withExpected(streams, expected)
	tracked := map[schema.Stream]bool{}
	for _, e := range expected {
		tracked[key(e.Stream)] = e.ByID
	}
	orders := map[string]uint64{} // of each account
	for i := range streams {
		l := &streams[i]
		if tracked[key(l.Stream)] {
			if err := byID(ctx, w, l); err != nil {
				return nil, err
			}
		}
		orders[l.Account] += l.Orders
	}
	for _, l := range streams {
		i := slices.IndexFunc(expected, func(e Expected) bool { return same(e.Stream, l.Stream) })
		byID := i >= 0 && expected[i].ByID
		stream := newStream(l, byID, of(rejects, l.Stream), verification(verified, l.Stream), findingsOf(findings, l.Stream), successes[l.Account], now, s.behindAfter()+allowed[key(l.Stream)])
		stream.allowed = allowed[key(l.Stream)]
		if i >= 0 {
			stream.Filters = expected[i].Filters.String()
			within := times.DetailsWithin(orders[l.Account], expected[i].DetailQuota)
			stream.Freshness = newFreshness(l.Compared, l.Detailed, now, times.Scrub, within, within != times.ScrubDetails)
		}
		if i < 0 && len(expected) > 0 { // nobody works on it any more: it stands here with what it holds
			stream.Unconfigured, stream.LagSeconds, stream.Problems = true, nil, []string{}
		}
		r.Accounts = append(r.Accounts, stream)
	}
	for _, x := range groups {
		r.Rejects = append(r.Rejects, Reject{x.Account, x.OwnerID, x.Stage, x.Reason, x.Count, x.FirstSeen, x.LastSeen})
	}
	if err := r.maps(ctx, w, s, q, asked); err != nil {
		return nil, err
	}
	r.judge(expected)
	return r, nil
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
	for _, e := range expected {
		if !slices.ContainsFunc(streams, func(l sink.StreamSummary) bool { return same(l.Stream, e.Stream) }) {
			streams = append(streams, sink.StreamSummary{Stream: e.Stream, Windows: map[schema.Verdict]int{}})
		}
	}
	return streams
}

// same compares streams as they are told apart: an account has one source.
func same(a, b schema.Stream) bool { return a.Account == b.Account && a.OwnerID == b.OwnerID }

func of(counts []sink.RejectCount, stream schema.Stream) sink.RejectCount {
	for _, c := range counts {
		if same(c.Stream, stream) {
			return c
		}
	}
	return sink.RejectCount{}
}

func verification(all []sink.Verification, stream schema.Stream) *Verification {
	for _, v := range all {
		if same(v.Stream, stream) {
			x := &Verification{
				From: v.From, To: v.To, Finished: v.FinishedAt, Compared: ComparedCounts, Windows: v.Windows, LeftOut: v.LeftOut,
				Calls: v.Calls, Differences: v.Differences, Error: v.Error,
			}
			if v.Deep {
				x.Compared = ComparedRows
			}
			return x
		}
	}
	return nil
}

func findingsOf(all []sink.FindingCount, stream schema.Stream) []Findings {
	out := []Findings{}
	for _, f := range all {
		if same(f.Stream, stream) {
			out = append(out, Findings{f.Depth, f.Open, f.Found})
		}
	}
	return out
}

// maps makes the heat maps of the streams that are shown: the one that was asked for, or the first ones, where those with
// problems come first.
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
	slices.SortStableFunc(shown, func(a, b int) int {
		return min(len(r.Accounts[b].Problems), 1) - min(len(r.Accounts[a].Problems), 1)
	})
	shown = shown[:min(len(shown), max(1, maxMaps*DefaultDays/max(days, DefaultDays)))]
	r.Map.Streams = len(shown)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, i := range shown {
		l := &r.Accounts[i]
		g.Go(func() error {
			stream := schema.Stream{Account: l.Account, OwnerID: l.OwnerID}
			var windows []schema.Window
			var err error
			if filters, configured := asked[l.Account]; configured {
				windows, err = w.Narrowed(filters).Windows(ctx, stream, r.Map.From, r.Map.To)
			} else {
				windows, err = w.Ledger(ctx, stream, r.Map.From, r.Map.To)
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
			l.Coverage = span{from: from, days: days, cell: cell, due: due}.cover(oldest, windows)
			return err
		})
	}
	return g.Wait()
}

// first is the one of two times that comes first in an order; null is none.
func first(a, b *time.Time, before func(time.Time, time.Time) bool) *time.Time {
	if a == nil || b != nil && before(*b, *a) {
		return b
	}
	return a
}

// judge says whether all is well. What is wrong with an account is said there; its last scheduled run matters where that failed and
// nothing else says why.
func (r *Report) judge(expected []Expected) {
	said := map[string]bool{}
	for i := range r.Accounts {
		if l := &r.Accounts[i]; len(l.Problems) > 0 {
			said[l.Account] = true
		}
	}
	r.OK = len(said) == 0
	for i := range r.Runs {
		x := &r.Runs[i]
		account := strings.Join(x.Accounts, ", ")
		configured := len(expected) == 0 || slices.ContainsFunc(expected, func(e Expected) bool { return e.Account == account })
		if x.Kind == sink.RunTick && x.FinishedAt != nil && configured && !said[account] {
			said[account] = true // the newest comes first
			if x.State == string(sink.RunFailed) {
				r.Problems = append(r.Problems, "the last tick of "+account+" failed: "+oneLine(x.Error))
				r.OK = false
			}
		}
	}
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
		ListCalls: x.ListCalls, DetailCalls: x.DetailCalls, Error: strings.TrimSpace(x.Error),
	}
	until := x.FinishedAt
	switch {
	case x.Lost(now):
		r.State, until = Lost, x.UpdatedAt
	case until.IsZero():
		until = now
		if x.Done > 0 && x.Done < x.Planned {
			// The windows to come take as long as those before, as of its last sign of life.
			took := x.UpdatedAt.Sub(x.StartedAt).Seconds()
			left := max(0, took/float64(x.Done)*float64(x.Planned-x.Done)-now.Sub(x.UpdatedAt).Seconds())
			r.ETASeconds = &left
		}
	}
	r.Seconds = max(0, until.Sub(x.StartedAt).Seconds())
	return r
}
