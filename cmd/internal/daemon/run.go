package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// longestWait is how long a scheduled run waits at once when the vendor asks for it. Otherwise it ends, and says until when
// no call is made.
const longestWait = 2 * time.Minute

// awayError says that the warehouse does not answer.
type awayError struct{ error }

// runOnce does one scheduled run of an account. now is the time of everything in it; the next one is due at the deadline.
func (d *Daemon) runOnce(ctx context.Context, now, deadline time.Time, a Account) (s stream.Summary, err error) {
	if err := d.Ping(ctx); err != nil {
		return s, awayError{err}
	}
	if !d.Leases.Leads(a.Name()) { // what the daemon that works on it has done is shown all the same
		return s, a.Refresh(ctx)
	}
	p := new(stream.Progress)
	end := d.History.Record(ctx, sink.RunTick, []string{a.Name()}, now.Add(-d.current().Lookback), now, p)
	defer func() {
		offset, _ := a.Clock()
		end(Outcome{Summary: s, ClockOffset: offset, Err: err})
	}()
	s, err = a.Run(ctx, now, deadline, p)
	busy := errors.Is(err, engine.ErrBusy)
	if all := errors.Join(err, StreamErrors(s)); all != nil && !busy && ctx.Err() == nil && d.Ping(ctx) != nil {
		return s, awayError{all} // it went away during the run: nothing more can be asked of it, and one line says so
	}
	// The ledger is asked even after a failed run: lag and verdicts are what it says, not what the run believes.
	if !busy && ctx.Err() == nil {
		err = errors.Join(err, a.Refresh(ctx))
	}
	d.Troubles.Report(ctx, sink.RunTick, s)
	d.Troubles.turns(ctx, a.Name(), s)
	return s, err
}

// deadline is when the run after that of now is due, by elapsed time; zero for never.
func (d *Daemon) deadline(now time.Time) time.Time {
	next := d.NextRun(now)
	if next.IsZero() {
		return next
	}
	return time.Now().Add(next.Sub(now)) // with a monotonic reading, which those of the schedule lack
}

// StreamErrors are the reasons why streams ended early.
func StreamErrors(s stream.Summary) error {
	var errs []error
	for _, l := range s.Streams {
		errs = append(errs, l.Err)
	}
	return errors.Join(errs...)
}

// run is the body of the schedule's loop: a run of one account, then what is due besides, and a line about what went wrong.
// The next one comes whatever happens here.
func (d *Daemon) run(ctx context.Context, a Account) {
	if ctx.Err() != nil {
		return // stopped between two runs
	}
	ctx, over := stream.Lasting(ctx, stopGrace)
	defer over()
	// A run that waited for longer would keep the next ones, and all that the account has besides, waiting too.
	ctx, done := d.Leases.run(source.WithLongestWait(WithRun(ctx), longestWait), a.Name())
	defer done()
	log, subject, who := d.Log.With("account", a.Name()), "run of "+a.Name(), []any{"account", a.Name()}
	start := time.Now()
	deadline := d.deadline(start.UTC())
	_, err := d.runOnce(ctx, start.UTC(), deadline, a)
	d.checkClock(ctx, a)
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Cause(ctx))):
		log.InfoContext(ctx, "the run was stopped; what it fetched is committed")
	case ctx.Err() != nil:
		log.ErrorContext(ctx, "the run was stopped and could not commit all that it fetched; the next run fetches it again", "error", err)
	case errors.Is(err, engine.ErrBusy):
		log.InfoContext(ctx, "scheduled run skipped: another run is under way")
	case errors.As(err, new(awayError)):
		// One line when it goes, one when it comes back, however many accounts and runs lie between.
		level, text := slog.LevelError, "the warehouse does not answer; trying again at every scheduled run"
		if d.away.Swap(true) {
			level, text = slog.LevelDebug, "the warehouse still does not answer"
		}
		d.Log.Log(ctx, level, text, "error", err)
		d.Up(false)
		return
	case err != nil:
		d.Troubles.now(ctx, subject, who, troubleOf(fmt.Errorf("the run failed: %w", err)))
	default:
		d.Troubles.now(ctx, subject, who)
		log.DebugContext(ctx, "the run is done", "took", time.Since(start).Round(time.Millisecond))
	}
	if ctx.Err() != nil {
		return
	}
	d.Up(true) // whatever else went wrong, it was there
	if d.away.Swap(false) {
		d.Log.InfoContext(ctx, "the warehouse answers again")
	}
	if err == nil && d.Leases.Leads(a.Name()) {
		a.Due(ctx, start.UTC(), deadline)
	}
}

// checkClock writes a line when this machine's clock begins to differ from the vendor's, and one when that ends.
func (d *Daemon) checkClock(ctx context.Context, a Account) {
	offset, known := a.Clock()
	_, said := d.wrong.Load(a.Name())
	switch wrong := offset != 0; {
	case !known || wrong == said:
	case wrong:
		d.wrong.Store(a.Name(), true)
		d.Log.WarnContext(ctx, "this machine's clock is not the vendor's; runs go by the vendor's", "account", a.Name(),
			"vendor_minus_ours", offset.Round(time.Second), "remedy", "set the clock by NTP")
	default:
		d.wrong.Delete(a.Name())
		d.Log.InfoContext(ctx, "this machine's clock agrees with the vendor's again", "account", a.Name())
	}
}
