package status

import (
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/source"
)

// stored is what the warehouse's own tables say, from which the streams are made.
type stored struct {
	streams   []sink.StreamSummary
	rejects   map[schema.Stream]sink.RejectCount
	groups    []sink.RejectGroup
	verified  map[schema.Stream][]sink.Verification // the newest first
	findings  map[schema.Stream][]sink.FindingCount
	faults    map[schema.Stream][]sink.WindowFault
	running   []sink.Run
	successes map[string]time.Time
	streaks   map[string]sink.Streak
	leases    map[string]sink.LastLease
	today     map[schema.Stream]uint64
	refusal   diagnosis.Refusal
	view      *sink.StoredView
}

// stream says how one stands. allowed is how much longer than the others it may go unasked.
func (w *stored) stream(l sink.StreamSummary, byID, configured bool, now time.Time, s schedule, allowed time.Duration, slowed []diagnosis.Slowed) Stream {
	rejects := w.rejects[l.Key()]
	last, compared := verification(w.verified[l.Key()])
	success := w.successes[l.Account]
	a := Stream{
		Stream: l.Stream, ByID: byID, Unconfigured: !configured, Windows: l.Windows, Gaps: l.Gaps, GapSeconds: l.Missing.Seconds(),
		Orders: l.Orders, OrdersToday: w.today[l.Key()], OpenRejects: rejects.Open, Accepted: rejects.Accepted,
		Pending: l.Pending, Verified: last, ComparedAt: compared, Findings: []diagnosis.Differing{}, TargetSeconds: (s.behindAfter() + allowed).Seconds(), allowed: allowed,
		CompleteFrom: format.TimeOrNull(l.CompleteFrom), CompleteTo: format.TimeOrNull(l.CompleteTo),
		Oldest: format.TimeOrNull(l.Oldest), Newest: format.TimeOrNull(l.Newest), LastRun: format.TimeOrNull(l.LastFinished),
		LastSuccess: format.TimeOrNull(success),
	}
	for _, x := range w.findings[l.Key()] {
		a.Findings = append(a.Findings, diagnosis.Differing{Depth: x.Depth, Open: x.Open, Found: x.Found})
	}
	if lease, known := w.leases[l.Account]; known {
		a.Daemon = &diagnosis.Daemon{Live: lease.Live, Process: lease.Process, Since: lease.Since, Seen: lease.Renewed, Stopped: lease.Released}
	}
	f := w.facts(&a, l, now, s)
	f.Slowed = slowed
	if !f.Complete.IsZero() && configured { // of one that nobody works on, what it holds is all there is to say
		lag := now.Sub(f.Complete).Seconds()
		a.LagSeconds = &lag
	}
	a.Diagnosis = diagnosis.Diagnose(f)
	a.Problems = a.Diagnosis.Problems()
	return a
}

// facts are what the diagnosis of a stream is made of.
func (w *stored) facts(a *Stream, l sink.StreamSummary, now time.Time, s schedule) diagnosis.Facts {
	f := diagnosis.Facts{
		Stream: l.Stream, Now: now, Unconfigured: a.Unconfigured, ByID: a.ByID, Target: s.behindAfter() + a.allowed, Every: s.every, Complete: l.CompleteTo, Newest: l.Newest,
		Windows: l.Windows, Unproven: l.Unproven, Gaps: l.Gaps, Missing: l.Missing, Rejects: a.OpenRejects, Refusal: w.refusal, Differences: a.Findings,
		// Those whose missing detail an operator accepted are no problem any more.
		Pending: max(0, int(l.Pending)-w.rejects[l.Key()].AcceptedDetails),
	}
	if a.ByID {
		f.Complete = w.successes[l.Account]
	}
	for _, x := range w.faults[l.Key()] {
		if l.Windows[x.Verdict] > 0 {
			f.Faults = append(f.Faults, diagnosis.Fault{Verdict: x.Verdict, Error: oneLine(x.Error), Windows: x.Windows, From: x.From, To: x.To})
		}
	}
	for _, g := range w.groups {
		if g.Key() == l.Key() && (f.RejectsSince.IsZero() || g.FirstSeen.Before(f.RejectsSince)) {
			f.RejectsSince = g.FirstSeen
		}
	}
	if v := a.Verified; v != nil {
		f.Verified = diagnosis.Verified{Finished: v.Finished, Error: v.Error}
	}
	if a.Daemon != nil {
		f.Daemon = *a.Daemon
	}
	if x, known := w.streaks[l.Account]; known {
		f.Runs = diagnosis.Runs{Last: x.Last, Since: x.Since, Failed: x.Failed, Error: x.Error, ClockOffset: time.Duration(x.ClockOffset * float64(time.Second))}
		if a.Daemon == nil && now.Sub(x.Ticked) > claimsKept {
			f.Daemon.Seen = x.Ticked // who that was is not known any more
		}
	}
	for _, r := range w.running {
		if !slices.Contains(r.Accounts, l.Account) || r.Kind != sink.RunTick && r.Kind != sink.RunBackfill {
			continue
		}
		f.Runs.Running = true
		if r.Kind == sink.RunBackfill {
			f.Runs.Filling = "a backfill of process " + r.Process + " is under way"
			if x := newRun(&r, now); x.ETASeconds != nil {
				left, _ := x.ETA()
				f.Runs.Filling += ", done in " + format.Span(left.Round(time.Second))
			}
		}
	}
	return f
}

// claimsKept is how long the warehouse keeps the claims of daemons that are gone.
const claimsKept = 24 * time.Hour

// reasonPattern and varying are how the warehouse groups errors by cause.
const (
	reasonPattern = source.ReasonPattern
	varying       = source.Varying
)

// verification returns the last one of those of a stream, the newest of which comes first, and when one was last finished.
func verification(all []sink.Verification) (last *Verification, compared *time.Time) {
	for _, v := range all {
		if last == nil {
			last = &Verification{
				From: v.From, To: v.To, Finished: v.FinishedAt, Compared: ComparedCounts, Windows: v.Windows, LeftOut: v.LeftOut,
				Calls: v.Calls, Differences: v.Differences, Error: v.Error,
			}
			if v.Deep {
				last.Compared = ComparedRows
			}
		}
		if v.Error == "" && compared == nil {
			compared = format.TimeOrNull(v.FinishedAt)
		}
	}
	return last, compared
}

// Glance returns the streams with the worst first; of equal ones the one that is further behind. Those that the configuration
// does not name come last.
func (r *Report) Glance() []*Stream {
	out := make([]*Stream, len(r.Accounts))
	for i := range r.Accounts {
		out[i] = &r.Accounts[i]
	}
	slices.SortStableFunc(out, func(a, b *Stream) int {
		if a.Diagnosis.State != b.Diagnosis.State {
			return a.Diagnosis.State.Rank() - b.Diagnosis.State.Rank()
		}
		behind := func(l *Stream) float64 {
			if l.LagSeconds == nil {
				return 1e18
			}
			return *l.LagSeconds
		}
		switch x, y := behind(a), behind(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out
}

// Behind is the lag beside the one that a daemon in good health stays below, for people: "12m (1h13m)".
func (l *Stream) Behind() string {
	target := format.Span(time.Duration(l.TargetSeconds) * time.Second)
	lag, ok := l.Lag()
	switch {
	case ok:
		return brief(lag) + " (" + target + ")"
	case l.Unconfigured:
		return "–"
	}
	return "never"
}

// Whole is until when it is complete, for people.
func (l *Stream) Whole(now time.Time) string {
	to := l.CompleteTo
	if l.ByID {
		to = l.LastSuccess
	}
	if to == nil {
		return "never"
	}
	return short(*to, now)
}

// ComparedWithin is how long ago each order of it was last compared with the source, or its detail where it cannot be listed, for
// people.
func (l *Stream) ComparedWithin() string {
	within := l.Freshness.ListSeconds
	if within == nil {
		within = l.Freshness.DetailSeconds
	}
	if within == nil {
		return "never"
	}
	return "≤ " + brief(time.Duration(*within*float64(time.Second)))
}

// brief is a duration without seconds where there are minutes: nobody waits for them.
func brief(d time.Duration) string {
	if d >= time.Minute {
		return strings.TrimSuffix(format.Span(d.Truncate(time.Minute)), "0s")
	}
	return format.Span(d.Round(time.Second))
}

// short is a time in few characters: of today, or a day of this year.
func short(t, now time.Time) string {
	t = t.UTC()
	switch {
	case t.Format(time.DateOnly) == now.UTC().Format(time.DateOnly):
		return t.Format("15:04")
	case t.Year() == now.UTC().Year():
		return t.Format("01-02 15:04")
	}
	return t.Format(time.DateOnly)
}

// Since is since when it stands as it does, for people.
func (l *Stream) Since(now time.Time) string {
	if l.Diagnosis.Since == nil {
		return "–"
	}
	if t := *l.Diagnosis.Since; now.Sub(t) >= 24*time.Hour {
		return t.UTC().Format("01-02")
	}
	return l.Diagnosis.Since.UTC().Format("15:04")
}
