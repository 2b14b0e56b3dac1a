// Package daemon decides when a run of an account is made, by which of several processes, and what is told of it: the
// schedule, the leases on accounts and the claims on ranges of creation time, the history of runs, and the log of what is
// wrong. What a run does is the [Account]'s; package app wires the two together and offers the verbs, whose runs have
// claims, history and log as those of the schedule.
//
//	schedule ──due──► run ──leads?──► Account.Run ──► history, log, troubles ──► Account.Due
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/stream"
)

// StopTimeout bounds a stop, whatever hangs: the runs take up to stopGrace, the claims five seconds, and the embedded server
// as many until it is killed. Docker, Kubernetes and systemd kill what takes longer than 30 seconds or more.
const StopTimeout = 27 * time.Second

// stopGrace is how long after a stop all of a run has ended: the engine takes up to 12 seconds to commit the batch in hand,
// and then the history is to be written.
const stopGrace = 15 * time.Second

// Why a run under way ends before its end.
var (
	errStopped  = errors.New("ordersync is stopping")
	errReloaded = errors.New("the configuration is read again")
)

// Account is what scheduled runs work on. Those of its methods that take a context are called one at a time.
type Account interface {
	Name() string
	// Run does the run of a time. The one after it is due at the deadline, which is zero where there is none.
	Run(ctx context.Context, now, deadline time.Time, p *stream.Progress) (stream.Summary, error)
	// Refresh brings the metrics up to date with the warehouse, where other processes have written, too.
	Refresh(ctx context.Context) error
	// Due does what comes more rarely than a run, such as a verification, or has time until the next one, which is due at the
	// deadline, as in Run. What it cannot do it logs.
	Due(ctx context.Context, now, deadline time.Time)
	// Clock is the vendor's clock minus this machine's, where it is known.
	Clock() (offset time.Duration, known bool)
}

// Work is what a daemon does by a configuration.
type Work struct {
	Schedule cron.Schedule
	Lookback time.Duration // how far back a run looks, for the history
	Accounts []Account
}

func (w Work) names() []string {
	names := make([]string, len(w.Accounts))
	for i, a := range w.Accounts {
		names[i] = a.Name()
	}
	return names
}

// Options are what a Daemon needs besides its work.
type Options struct {
	Log      *slog.Logger
	Sink     *sink.Sink
	Ping     func(context.Context) error // asks whether the warehouse is there
	Leases   *Leases
	History  *History
	Troubles *Troubles
	// Up is told whether the warehouse answered.
	Up func(bool)
}

// Daemon makes the scheduled runs of the accounts that it leads.
type Daemon struct {
	Options
	away atomic.Bool // the warehouse did not answer when a run was due

	mu   sync.RWMutex // guards work: a reload writes it while no run is under way, and HTTP may ask at any time
	work Work
	runs *runs // those under way or to come; nil while there are none
	// wrong holds the accounts of which it was said that this machine's clock is not the vendor's.
	wrong sync.Map
}

// runs are those of the schedule from Start to Stop.
type runs struct {
	cancel    context.CancelCauseFunc
	scheduler *scheduler
}

// New returns a daemon that does nothing before Claim and Start.
func New(o Options, w Work) *Daemon { return &Daemon{Options: o, work: w} }

// Claim claims the accounts, and shows how they stand. The end releases them; call it when no run is under way.
func (d *Daemon) Claim(ctx context.Context) (end func(context.Context) error, err error) {
	end, err = d.Leases.start(ctx, d.Sink)
	if err != nil {
		return nil, err
	}
	for _, a := range d.current().Accounts {
		if err := a.Refresh(ctx); err != nil {
			return end, err
		}
	}
	d.Up(true)
	return end, nil
}

// Start runs each account at once and then by the schedule, until Stop. The runs outlive ctx on purpose.
func (d *Daemon) Start(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	work := d.current()
	var all []scheduled
	for _, a := range work.Accounts {
		all = append(all, scheduled{a.Name(), func() { d.run(ctx, a) }, d.Leases.gained(a.Name())})
	}
	s := startScheduler(work.Schedule, func() time.Time { return time.Now().UTC() }, d.Log, all...)
	d.runs = &runs{cancel, s}
}

// Stop ends the schedule and the runs under way, and waits until they have committed what they fetched.
func (d *Daemon) Stop(ctx context.Context) error { return d.stop(ctx, errStopped) }

func (d *Daemon) stop(ctx context.Context, cause error) error {
	if d.runs == nil {
		return nil
	}
	r := d.runs
	d.runs = nil
	ctx, cancel := context.WithTimeout(ctx, StopTimeout)
	defer cancel()
	r.cancel(cause)
	return r.scheduler.stop(ctx)
}

// Replace has the daemon do other work, which next makes when no run is under way any more: those under way commit what they
// have fetched and end, and the schedule starts again, at once. A run goes on from the ledger, so nothing is lost. Where a
// run does not end in time, nothing is changed, and that is the error.
func (d *Daemon) Replace(ctx context.Context, next func() Work) error {
	if err := d.stop(ctx, errReloaded); err != nil {
		if ctx.Err() == nil {
			d.Start(ctx)
		}
		return fmt.Errorf("the runs under way have not ended: %w", err)
	}
	work := next()
	d.mu.Lock()
	d.work = work
	d.mu.Unlock()
	d.Leases.set(work.names())
	if _, err := d.Leases.renew(ctx, d.Sink); err != nil {
		d.Log.Warn("the accounts could not be claimed; it is tried again", "error", err)
	}
	d.Start(ctx)
	return nil
}

// NextRun is when the next scheduled run after a time is due; zero for never.
func (d *Daemon) NextRun(after time.Time) time.Time { return d.current().Schedule.Next(after) }

func (d *Daemon) current() Work {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.work
}
