package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
)

// pingTimeout bounds the question whether the warehouse is there.
const pingTimeout = 10 * time.Second

// longestWait is how long a scheduled run waits at once when the vendor asks for it. Otherwise it ends, and says until when
// no call is made.
const longestWait = 2 * time.Minute

// Backfill fills [from, to): the windows that the ledger does not hold as complete, or all of them with force; of accounts
// that cannot be listed, what is tracked. Open must have been called. The accounts are worked on side by side. The error is
// of the runs as a whole; what they left undone is in the Summary.
func (a *App) Backfill(ctx context.Context, now, from, to time.Time, force bool, p *engine.Progress) (engine.Summary, error) {
	ctx = withRun(ctx)
	a.tellOfDaemons(ctx)
	if p == nil {
		p = new(engine.Progress)
	}
	end := a.record(ctx, sink.RunBackfill, a.names(), from, to, p)
	summaries, errs := make([]engine.Summary, len(a.logins)), make([]error, len(a.logins))
	var all sync.WaitGroup
	for i, l := range a.logins {
		all.Go(func() { summaries[i], errs[i] = l.engine.Backfill(ctx, now, from, to, force, p) })
	}
	all.Wait()
	out := engine.Summary{Started: now}
	for _, s := range summaries {
		out.Streams = append(out.Streams, s.Streams...)
	}
	err := a.blame(ctx, joinDistinct(errs))
	a.report(ctx, sink.RunBackfill, out)
	end(outcome{summary: out, err: err})
	return out, err
}

// joinDistinct joins errors, of which several may say the same: what ends all runs ends each of them.
func joinDistinct(errs []error) error {
	var out []error
	for _, err := range errs {
		if err != nil && !slices.ContainsFunc(out, func(e error) bool { return e.Error() == err.Error() }) {
			out = append(out, err)
		}
	}
	return errors.Join(out...)
}

// blame makes an error of a run the environment's where the warehouse is not there any more: whether it refused
// something or is away decides about the exit code, and about what the daemon says.
func (a *App) blame(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || a.ping(ctx) == nil {
		return err
	}
	return &EnvironmentError{err}
}

// runOnce does one scheduled run of an account. now is the time of everything in it.
func (a *App) runOnce(ctx context.Context, now time.Time, l *login) (s engine.Summary, err error) {
	if err := a.ping(ctx); err != nil {
		return s, &EnvironmentError{err}
	}
	if !a.leases.led(l.name) { // what the daemon that works on it has done is shown all the same
		return s, a.refresh(ctx, l)
	}
	p := new(engine.Progress)
	end := a.record(ctx, sink.RunTick, []string{l.name}, now.Add(-a.cfg.Schedule.Lookback), now, p)
	defer func() { end(outcome{summary: s, err: err}) }()
	s, err = l.engine.Tick(ctx, now, a.deadline(now), p)
	var environment *EnvironmentError
	if !errors.Is(err, engine.ErrBusy) && errors.As(a.blame(ctx, errors.Join(err, streamErrors(s))), &environment) {
		return s, environment // it went away during the run: nothing more can be asked of it, and one line says so
	}
	if err == nil {
		a.metrics.ran(s, l.lists(), time.Now())
	}
	// The ledger is asked even after a failed run: lag and verdicts are what it says, not what the run believes.
	if !errors.Is(err, engine.ErrBusy) && ctx.Err() == nil {
		err = errors.Join(err, a.refresh(ctx, l))
	}
	a.report(ctx, sink.RunTick, s)
	return s, err
}

// deadline is when the run after that of now is due, by elapsed time; zero for never.
func (a *App) deadline(now time.Time) time.Time {
	next := a.nextRun(now)
	if next.IsZero() {
		return next
	}
	return time.Now().Add(next.Sub(now)) // with a monotonic reading, which those of the schedule lack
}

// streamErrors are the reasons why streams ended early.
func streamErrors(s engine.Summary) error {
	var errs []error
	for _, l := range s.Streams {
		errs = append(errs, l.Err)
	}
	return errors.Join(errs...)
}

// tick is the loop's body: a run of one account, the product names and a verification when they are due, and a line about
// what went wrong. The next tick comes whatever happens here.
func (a *App) tick(ctx context.Context, l *login) {
	if ctx.Err() != nil {
		return // stopped between two ticks
	}
	ctx, over := engine.Lasting(ctx, stopGrace)
	defer over()
	// A run that waited for longer would keep the next ones, and all that the account has besides, waiting too.
	ctx, done := a.leases.run(source.WithLongestWait(withRun(ctx), longestWait), l.name)
	defer done()
	log := a.log.With("account", l.name)
	start := time.Now()
	_, err := a.runOnce(ctx, start.UTC(), l)
	a.tellClock(ctx, l)
	var environment *EnvironmentError
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Cause(ctx))):
		log.InfoContext(ctx, "the run was stopped; what it fetched is committed")
	case ctx.Err() != nil:
		log.ErrorContext(ctx, "the run was stopped and could not commit all that it fetched; the next run fetches it again", "error", err)
	case errors.Is(err, engine.ErrBusy):
		log.InfoContext(ctx, "tick skipped: another run is under way")
	case errors.As(err, &environment):
		// One line when it goes, one when it comes back, however many accounts and ticks lie between.
		level, text := slog.LevelError, "the warehouse does not answer; trying again at every tick"
		if a.away.Swap(true) {
			level, text = slog.LevelDebug, "the warehouse still does not answer"
		}
		a.log.Log(ctx, level, text, "error", err)
		a.metrics.warehouseUp.Set(0)
		return
	case err != nil:
		a.troubles.now(ctx, "run of "+l.name, []any{"account", l.name}, trouble{causeOf(err), []any{"error", fmt.Errorf("the run failed: %w", err)}})
	default:
		a.troubles.now(ctx, "run of "+l.name, []any{"account", l.name})
		log.DebugContext(ctx, "the run is done", "took", time.Since(start).Round(time.Millisecond))
	}
	if a.away.Swap(false) { // whatever else went wrong, it was there
		a.log.InfoContext(ctx, "the warehouse answers again")
	}
	if err == nil && ctx.Err() == nil && a.leases.led(l.name) {
		a.productsDue(ctx, l, start.UTC())
		a.verifyDue(ctx, l, start.UTC())
	}
}

// tellClock writes a line when this machine's clock begins to differ from the vendor's, and one when that ends.
func (a *App) tellClock(ctx context.Context, l *login) {
	offset, known := l.clock()
	switch wrong := offset != 0; {
	case !known || wrong == l.wrong:
		return
	case wrong:
		a.log.WarnContext(ctx, "this machine's clock is not the vendor's; runs go by the vendor's", "account", l.name,
			"vendor_minus_ours", offset.Round(time.Second), "remedy", "set the clock by NTP")
	default:
		a.log.InfoContext(ctx, "this machine's clock agrees with the vendor's again", "account", l.name)
	}
	l.wrong = !l.wrong
}

// report writes one line a stream, and tells what is wrong with it. what is the kind of the run.
func (a *App) report(ctx context.Context, what sink.RunKind, s engine.Summary) {
	for _, l := range s.Streams {
		attrs := []any{l.Stream.LogAttr(), "windows", windows(l), "listed", l.Listed, "changed", l.Changed,
			"items", l.Items, "list_calls", l.ListCalls, "detail_calls", l.Details}
		err := (engine.Summary{Streams: []engine.StreamSummary{l}}).Err()
		if ctx.Err() != nil {
			a.log.InfoContext(ctx, string(what)+": stopped before its end", attrs...)
			continue
		}
		a.log.InfoContext(ctx, string(what), append(attrs, "ok", err == nil)...)
		a.troubles.now(ctx, fmt.Sprint(what, " of ", l.Stream), []any{"kind", what, l.Stream.LogAttr()}, troublesOf(l)...)
	}
}

// windows are the counts by verdict, as a group of a log line.
func windows(l engine.StreamSummary) slog.Value {
	var attrs []slog.Attr
	for _, v := range []schema.Verdict{schema.Complete, schema.Open, schema.Short, schema.Failed} {
		if n := l.Windows[v]; n > 0 {
			attrs = append(attrs, slog.Int(string(v), n))
		}
	}
	return slog.GroupValue(attrs...)
}

func (a *App) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := a.warehouse.Ping(ctx); err != nil {
		native, _ := a.warehouse.Addresses()
		return fmt.Errorf("clickhouse %s: %w", native, err)
	}
	return nil
}

// refresh brings what comes from the warehouse's own tables up to date: they also know what other processes did.
func (a *App) refresh(ctx context.Context, l *login) (err error) {
	if l.ledger, err = a.warehouse.Narrowed(l.streams[0].Filters).AccountSummaries(ctx, l.name); err != nil {
		return err
	}
	if l.verified, err = a.warehouse.LastAccountVerifications(ctx, l.name); err != nil {
		return err
	}
	l.verified = slices.DeleteFunc(l.verified, func(v sink.Verification) bool { // of an owner that is configured no more
		return !slices.ContainsFunc(l.streams, func(stream engine.Stream) bool { return stream.OwnerID == v.OwnerID })
	})
	findings, err := a.warehouse.AccountFindingCounts(ctx, l.name)
	if err != nil {
		return err
	}
	findings = slices.DeleteFunc(findings, func(f sink.FindingCount) bool {
		return !slices.ContainsFunc(l.streams, func(stream engine.Stream) bool { return stream.OwnerID == f.OwnerID })
	})
	if l.lists() {
		streams := make([]sink.StreamSummary, len(l.streams)) // one that the ledger does not know yet is behind all others
		for i, stream := range l.streams {
			for _, s := range l.ledger {
				if s.OwnerID == stream.OwnerID {
					streams[i] = s
				}
			}
		}
		a.metrics.ledger(l.name, streams)
	}
	a.metrics.verified(l.name, l.verified, findings)
	a.metrics.warehouseUp.Set(1)
	return nil
}
