// Package app is the one place that wires ordersync together: configuration, vendors' clients, warehouse, engine, daemon,
// metrics and HTTP.
//
//	New ──► Open ──► Backfill ──► Stop    a verb that does one thing and ends; so do Verify, Replay, Track, Fetch, Products, Plan
//	   └──────────► Start ──► … ──► Stop  the daemon; Run is all of it
//
// Everything that Open and Start begin has a named clean-up; Stop runs them last-in-first-out within one time bound, so
// that the run under way commits what it holds while the warehouse is still there. Nothing is global: two apps live in
// one process, each with a registry of its own, and every port may be 0.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// releaseTimeout bounds the release of claims. Those that are not released end by themselves, within a minute.
const releaseTimeout = 1500 * time.Millisecond

// Options are what an App needs.
type Options struct {
	Config *config.Config // checked: what config.Load returned
	Log    *slog.Logger   // nil for silence
	// Registry takes the app's metrics and is what /metrics shows; nil for one of the app's own.
	Registry *prometheus.Registry
	// Progress is told how far the first download of the embedded engine is.
	Progress func(stage string, done, total int64)
	// Offline is for what calls no vendor: no client is made, and no credentials are needed.
	Offline bool
	// FlushEvery bounds how long what was fetched waits for its commit; zero for the engine's own bound.
	FlushEvery time.Duration
}

// App is ordersync, wired.
type App struct {
	cfg      *config.Config
	log      *slog.Logger
	progress func(stage string, done, total int64)
	registry *prometheus.Registry
	metrics  *Metrics
	schedule cron.Schedule // of the start; a reload brings the daemon another
	logins   []*login
	flush    time.Duration
	leases   *daemon.Leases
	troubles *daemon.Troubles
	claims   *daemon.Claims  // after Open
	history  *daemon.History // after Open
	daemon   *daemon.Daemon  // after Open

	warehouse *Warehouse
	web       *server // after Start
	cleanups  cleanups

	// swap guards cfg and logins: a reload writes them while no run is under way, and HTTP may ask at any time.
	swap    sync.RWMutex
	refused atomic.Pointer[string] // why the configuration that was last read again is not the one that works; nil where it is

	stopping sync.Mutex
}

// New wires an app. It opens nothing and calls nobody; what it refuses is a mistake in the configuration.
func New(o Options) (*App, error) {
	schedule, err := cron.ParseStandard(o.Config.Schedule.Cron)
	if err != nil {
		return nil, &config.Error{File: o.Config.File, Problems: []config.Problem{{
			Field: "schedule.cron", Message: err.Error(),
		}}}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	a := &App{cfg: o.Config, progress: o.Progress, registry: o.Registry, schedule: schedule, flush: o.FlushEvery}
	a.log, a.troubles = daemon.NewLog(o.Log.Handler()), daemon.NewTroubles(o.Log.Handler())
	a.metrics = newMetrics(o.Config.Accounts)
	for i := range o.Config.Accounts {
		l, err := newLogin(&o.Config.Accounts[i], a.metrics, o.Offline)
		if err != nil {
			return nil, &config.Error{File: o.Config.File, Problems: []config.Problem{{
				Field: fmt.Sprintf("accounts[%d]", i), Message: err.Error(),
			}}}
		}
		l.watchPauses(a.log)
		a.logins = append(a.logins, l)
	}
	a.leases = daemon.NewLeases(a.log, a.names())
	if err := a.metrics.register(o.Registry, a.nextRun); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	for _, l := range a.logins {
		if err := a.metrics.account(o.Registry, l, a.leases); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return a, nil
}

// openWarehouse opens the warehouse, which the cleanups close, if its windows are those of the configuration.
func (a *App) openWarehouse(ctx context.Context, readOnly bool) error {
	w, err := OpenWarehouse(ctx, a.cfg, WarehouseOptions{Log: a.log, Progress: a.progress, Observer: a.metrics, ReadOnly: readOnly})
	if err != nil {
		return err
	}
	if err := w.CheckWindow(ctx, a.cfg.Schedule.Window); err != nil {
		return errors.Join(err, w.Close())
	}
	a.warehouse = w
	a.cleanups.add("warehouse", func(context.Context) error { return w.Close() })
	return nil
}

// Open opens the warehouse, starting the embedded server where the configuration says so. ctx bounds the opening only.
func (a *App) Open(ctx context.Context) error {
	if a.warehouse != nil {
		return nil
	}
	if err := a.openWarehouse(ctx, false); err != nil {
		return err
	}
	a.history = daemon.NewHistory(a.log, a.warehouse.Sink)
	a.claims = daemon.NewClaims(a.log, a.leases, a.warehouse.Sink)
	a.cleanups.addWithin("claims", releaseTimeout, a.claims.Start())
	a.cleanups.add("accounts", func(context.Context) error {
		for _, l := range a.logins {
			l.close()
		}
		return nil
	})
	for _, l := range a.logins {
		l.engine = a.newEngine(l.streams...)
	}
	a.daemon = daemon.New(daemon.Options{
		Log: a.log, Sink: a.warehouse.Sink, Ping: a.ping, Leases: a.leases, History: a.history, Troubles: a.troubles, Up: a.metrics.answers,
	}, a.work(a.cfg, a.schedule, a.logins))
	stop := a.troubles.Listen(a.callers)
	a.cleanups.add("vendors", func(context.Context) error {
		stop()
		return nil
	})
	native, http := a.warehouse.Addresses()
	a.log.Info("the warehouse is open", "native", native, "http", http, "database", a.cfg.ClickHouse.Database)
	return nil
}

// newEngine makes an engine for some streams of one account, which share its filters.
func (a *App) newEngine(streams ...stream.Stream) *engine.Engine {
	return engine.New(a.warehouse.Narrowed(streams[0].Filters), streams, engine.Options{
		Window: a.cfg.Schedule.Window, Settle: a.cfg.Schedule.Settle, Lookback: a.cfg.Schedule.Lookback,
		Sweep: a.cfg.Schedule.Sweep, Recheck: a.cfg.Schedule.Recheck, Quiet: a.cfg.Schedule.Quiet, Log: a.log, Claims: a.claims, Committed: a.metrics.committed,
		FlushEvery: a.flush, Engines: len(a.cfg.Accounts),
	})
}

// audit checks one stream, by runs of an engine of its own.
func (a *App) audit(of stream.Stream) *audit.Audit {
	return audit.New(a.warehouse.Narrowed(of.Filters), a.newEngine(of), a.cfg.Schedule.Window, a.cfg.Schedule.Settle)
}

// Warehouse is what Open opened.
func (a *App) Warehouse() *Warehouse { return a.warehouse }

// Calls is the number of calls made to all vendors so far, whatever came of them.
func (a *App) Calls() int64 { return a.metrics.calls.Load() }

// Limits are the calls a second that the budgets of all accounts allow themselves now.
func (a *App) Limits() (q config.Quota) {
	for _, l := range a.logins {
		q.List += l.list.Rate()
		q.Detail += l.detail.Rate()
	}
	return q
}

// Pause returns the longest pause that a vendor has asked for, if calls wait for one now.
func (a *App) Pause() (longest source.Pause, ok bool) {
	for _, l := range a.logins {
		for _, b := range []*source.Budget{l.list, l.detail} {
			if p, paused := b.Paused(); paused && p.Until.After(longest.Until) {
				longest, ok = p, true
			}
		}
	}
	return longest, ok
}

// Start opens what is not open yet, serves HTTP, runs once and then by the schedule. ctx bounds the start only: what was
// started goes on until Stop. After an error nothing is left running.
func (a *App) Start(ctx context.Context) error {
	if err := a.start(ctx); err != nil {
		return errors.Join(err, a.Stop())
	}
	return nil
}

func (a *App) start(ctx context.Context) error {
	if err := a.Open(ctx); err != nil {
		return err
	}
	for i := range a.cfg.Accounts {
		for _, warning := range a.cfg.Accounts[i].InTheClear() {
			a.log.Warn("the connection to a vendor is not protected", "account", a.cfg.Accounts[i].Name, "warning", warning)
		}
	}
	for _, warning := range a.cfg.InTheClear() {
		a.log.Warn("a connection is not protected", "warning", warning)
	}
	release, err := a.daemon.Claim(ctx)
	if release != nil {
		a.cleanups.addWithin("leases", releaseTimeout, release)
	}
	if err != nil {
		return err
	}
	if err := a.serve(ctx); err != nil {
		return err
	}
	a.daemon.Start(ctx)
	a.cleanups.add("schedule", a.daemon.Stop)
	a.watch()
	return nil
}

// nextRun is when the next scheduled run is due; zero for never.
func (a *App) nextRun() time.Time {
	now := time.Now().UTC()
	if a.daemon == nil {
		return a.schedule.Next(now)
	}
	return a.daemon.NextRun(now)
}

// URL is where HTTP is served, after Start; empty while another daemon has the address.
func (a *App) URL() string { return a.web.URL() }

// Stop ends everything that was opened or started, last-in-first-out, and waits for it: the run under way commits what
// it has fetched. It may be called again, and then does nothing.
func (a *App) Stop() error {
	a.stopping.Lock()
	defer a.stopping.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), daemon.StopTimeout)
	defer cancel()
	return a.cleanups.run(ctx)
}

// Run is the daemon: it starts, works until ctx ends, and stops. Being told to stop is no error.
func (a *App) Run(ctx context.Context) error { return a.RunReloading(ctx, nil, nil) }
