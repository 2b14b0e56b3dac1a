package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// The daemon verifies all that an account's ledger covers: a quarter of a year that agrees costs one call, so there is
// no reason to leave any of it out.
const (
	verifyEvery = 24 * time.Hour
	// verifyAgain is how soon it comes again after one that found something or failed, so that the metric does not
	// stand for a day after a repair, or be silent for a day about what could not be asked.
	verifyAgain = time.Hour
	// verifyLimit bounds one that finds more and more: the scheduled runs wait for it.
	verifyLimit = 15 * time.Minute
	// verifyAtOnce is how many streams are verified behind one run in any case.
	verifyAtOnce = 20
	// loggedDifferences are named one by one; of more than that the number is enough.
	loggedDifferences = 10
)

var errVerifyLimit = fmt.Errorf("not finished within %s; `ordersync verify` has no such bound", verifyLimit)

// VerifyOptions say what to verify and how.
type VerifyOptions struct {
	audit.Options
	// From and To are creation times. Zero is the bound of each account's own ledger.
	From, To time.Time
}

// Verified is what the verification of one account found.
type Verified struct {
	sink.Verification
	ByID   bool               // its orders cannot be listed: their details are compared
	Found  []audit.Difference // the repaired ones too, and those of earlier verifications that are open
	Err    error              // why it ended early
	Undone error              // what a repair left undone that is no difference, such as a record that could not be stored
	Note   string             // why there was nothing to compare
}

// errNeverSynced is about an account without a ledger.
var errNeverSynced = errors.New("nothing was ever synced: run `ordersync backfill --from …` first")

// Verify compares the warehouse with the source, account by account, and records what came of it. Open must have been
// called. The error is of the verification as a whole; what concerns one account is in its Verified.
func (a *App) Verify(ctx context.Context, now time.Time, o VerifyOptions, p *stream.Progress) (out []Verified, err error) {
	ctx = daemon.WithRun(ctx)
	if p == nil {
		p = new(stream.Progress)
	}
	end := a.history.Record(ctx, sink.RunVerify, a.names(), o.From, o.To, p)
	defer func() { end(verified(out, err)) }()
	ledger, err := a.warehouse.Summaries(ctx, status.Asked(Streams(a.cfg)))
	if err != nil {
		return nil, a.blame(ctx, err)
	}
	for _, l := range a.logins {
		for _, of := range l.streams {
			v, err := a.verify(ctx, now, l, of, ledger, o, p)
			out = append(out, v)
			if err != nil {
				return out, a.blame(ctx, err)
			}
		}
	}
	return out, nil
}

// verified is what the history says of a verification.
func verified(streams []Verified, err error) daemon.Outcome {
	o := daemon.Outcome{Err: err}
	for _, v := range streams {
		o.Windows += v.Windows
		o.Differences += v.Differences
		o.Err = errors.Join(o.Err, v.Err, v.Undone)
	}
	return o
}

// verify verifies one stream of an account. It returns an error where going on with the next one makes no sense.
func (a *App) verify(ctx context.Context, now time.Time, l *login, of stream.Stream, ledger []sink.StreamSummary, o VerifyOptions, p *stream.Progress) (v Verified, err error) {
	v = Verified{Verification: sink.Verification{
		Stream: of.Stream, Whole: o.From.IsZero() && o.To.IsZero(), Deep: o.Deep, StartedAt: time.Now().UTC(),
	}, ByID: !of.Lists()}
	if !of.Lists() && !o.Deep {
		v.Note = onlyDeep
		v.Found, err = audit.Findings(ctx, a.warehouse.Narrowed(of.Filters), of.Stream, o.From, o.To)
		v.Differences = len(v.Found)
		return v, err
	}
	r, err := a.stored(ctx, of, ledger, now, o.From, o.To)
	if err != nil {
		v.Err = err
		return v, nil
	}
	before := l.calls.Load()
	report, summary, err := a.audit(of).Verify(ctx, now, r.Start, r.End, o.Options, p)
	v.From, v.To, v.Windows, v.LeftOut = report.From, report.To, report.Windows, report.LeftOut
	v.Calls, v.FinishedAt = int(l.calls.Load()-before), time.Now().UTC()
	v.Found, v.Differences = report.Differences, report.Left()
	v.Repaired = len(report.Differences) - report.Left()
	if v.Err = daemon.StreamErrors(summary); v.Err == nil {
		v.Undone = summary.Err()
	}
	v.Err = a.blame(ctx, errors.Join(err, v.Err))
	if v.Err != nil {
		v.Error = v.Err.Error()
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errVerifyLimit) {
		return v, context.Cause(ctx) // stopped: that says nothing about the copy
	}
	var environment *EnvironmentError
	if errors.As(v.Err, &environment) || v.Windows+v.LeftOut == 0 {
		return v, nil // there is nowhere, or nothing, to be recorded
	}
	late, end := stream.Late(ctx)
	defer end()
	return v, a.warehouse.WriteVerification(late, v.Verification)
}

// onlyDeep is about a stream that has no count to compare with.
const onlyDeep = "the source cannot list its orders, so there is nothing to count: --deep asks for each of them"

// stored is the range from..to of a stream, where a zero bound is that of the stream's ledger, or of its stored orders where
// they cannot be listed and so have no ledger.
func (a *App) stored(ctx context.Context, of stream.Stream, ledger []sink.StreamSummary, now, from, to time.Time) (window.Interval, error) {
	if of.Lists() {
		return ledgerRange(of.Stream, ledger, now, from, to)
	}
	oldest, newest, err := a.warehouse.StoredRange(ctx, of.Stream)
	switch {
	case err != nil:
		return window.Interval{}, err
	case oldest.IsZero():
		return window.Interval{}, fmt.Errorf("%s: nothing is stored: give orders by their ids with `ordersync track --account %s ID…`", of, of.Account)
	}
	all := window.Interval{Start: oldest, End: newest.Add(time.Millisecond)}
	if to.IsZero() {
		to = all.End
	}
	return all.Clip(window.Interval{Start: from, End: to}), nil
}

// ledgerRange is the range from..to of a stream, where a zero bound is that of the stream's ledger.
func ledgerRange(of schema.Stream, ledger []sink.StreamSummary, now, from, to time.Time) (window.Interval, error) {
	i := slices.IndexFunc(ledger, func(l sink.StreamSummary) bool { return l.Account == of.Account && l.OwnerID == of.OwnerID })
	known := i >= 0
	switch {
	case !known && from.IsZero():
		return window.Interval{}, fmt.Errorf("%s: %w", of, errNeverSynced)
	case from.IsZero():
		from = ledger[i].Oldest
	}
	switch {
	case to.IsZero() && known:
		to = ledger[i].Newest
	case to.IsZero():
		to = now
	}
	return window.Interval{Start: from, End: to}, nil
}

// Replay makes the rows of [from, to) again from their stored payloads, without any call. A zero bound is that of each
// account's own ledger. Open must have been called.
func (a *App) Replay(ctx context.Context, now, from, to time.Time, p *stream.Progress) (all stream.Summary, err error) {
	ctx = daemon.WithRun(ctx)
	if p == nil {
		p = new(stream.Progress)
	}
	end := a.history.Record(ctx, sink.RunReplay, a.names(), from, to, p)
	defer func() { end(daemon.Outcome{Summary: all, Err: err}) }()
	all.Started = now
	ledger, err := a.warehouse.Summaries(ctx, status.Asked(Streams(a.cfg)))
	if err != nil {
		return all, a.blame(ctx, err)
	}
	for _, l := range a.logins {
		for _, of := range l.streams {
			r, err := a.stored(ctx, of, ledger, now, from, to)
			if err != nil {
				all.Streams = append(all.Streams, stream.Outcome{Stream: of.Stream, Err: err})
				continue
			}
			s, err := a.audit(of).Replay(ctx, now, r.Start, r.End, p)
			all.Streams = append(all.Streams, s.Streams...)
			if err != nil {
				return all, a.blame(ctx, err)
			}
		}
	}
	return all, nil
}

// verifyDue verifies the streams of an account whose last verification is too long ago; of one that was never synced the
// scheduled run has said why. Scheduled runs call it, so it never runs beside one of the same account.
func (a *App) verifyDue(ctx context.Context, l *login, now time.Time) {
	due := l.toVerify(now, a.daemon.NextRun(now).Sub(now))
	if len(due) == 0 {
		return
	}
	p := new(stream.Progress)
	var done []Verified
	end := a.history.Record(ctx, sink.RunVerify, []string{l.name}, time.Time{}, time.Time{}, p)
	defer func() { end(verified(done, nil)) }()
	ctx, cancel := context.WithTimeoutCause(ctx, verifyLimit, errVerifyLimit)
	defer cancel()
	for _, of := range due {
		v, err := a.verify(ctx, now, l, of, l.ledger, VerifyOptions{}, p)
		done = append(done, v)
		switch {
		case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errVerifyLimit):
			return
		case err != nil:
			a.log.ErrorContext(ctx, "what the verification found could not be recorded", of.LogAttr(), "error", err)
		}
		a.tell(ctx, v)
	}
	late, stop := stream.Late(ctx) // the limit may be over
	defer stop()
	if err := a.refresh(late, l); err != nil {
		a.log.WarnContext(ctx, "the metrics could not be brought up to date after the verification", "account", l.name, "error", err)
	}
}

// toVerify returns the streams that are to be verified now, of which those come first that wait longest. Of many it is no more
// than a run's share of a day, twice, so that the verifications of tens of thousands of owners do not come all at once.
func (l *login) toVerify(now time.Time, every time.Duration) []stream.Stream {
	due := make(map[string]time.Time, len(l.ledger)) // by owner
	for _, s := range l.ledger {
		due[s.OwnerID] = time.Time{} // never
	}
	for _, v := range l.verified {
		if _, synced := due[v.OwnerID]; synced {
			due[v.OwnerID] = nextVerification(v)
		}
	}
	out := slices.DeleteFunc(slices.Clone(l.streams), func(of stream.Stream) bool {
		at, synced := due[of.OwnerID]
		return !of.Lists() || !synced || now.Before(at)
	})
	slices.SortStableFunc(out, func(a, b stream.Stream) int { return due[a.OwnerID].Compare(due[b.OwnerID]) })
	share := 2 * float64(len(l.streams)) * every.Seconds() / verifyEvery.Seconds()
	return out[:min(len(out), max(verifyAtOnce, int(share)))]
}

// nextVerification is when the stream of a verification is to be verified again.
func nextVerification(last sink.Verification) time.Time {
	if last.Differences > 0 || last.Error != "" {
		return last.FinishedAt.Add(verifyAgain)
	}
	return last.FinishedAt.Add(verifyEvery)
}

// tell logs what a verification found.
func (a *App) tell(ctx context.Context, v Verified) {
	for _, d := range v.Found[:min(len(v.Found), loggedDifferences)] {
		a.log.WarnContext(ctx, "difference", v.Stream.LogAttr(), "kind", d.Kind, "start", d.Start, "end", d.End, "order", d.OrderID,
			"source", d.Source, "stored", d.Stored, "note", d.Note, "compared", d.Depth, "found_at", d.FoundAt)
	}
	attrs := []any{v.Stream.LogAttr(), "from", v.From, "to", v.To, "windows", v.Windows, "left_out", v.LeftOut, "calls", v.Calls}
	if n := v.Differences; n > 0 {
		a.log.WarnContext(ctx, "the verification found differences", append(attrs, "differences", n,
			"remedy", "ordersync verify --repair --account "+v.Account)...)
	}
	switch {
	case v.Err != nil:
		a.log.ErrorContext(ctx, "the verification was not finished", append(attrs, "error", v.Err)...)
	case len(v.Found) == 0:
		a.log.InfoContext(ctx, "the counts of the copy and the source agree", attrs...)
	}
}
