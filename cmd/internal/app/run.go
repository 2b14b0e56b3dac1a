package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// pingTimeout bounds the question whether the warehouse is there.
const pingTimeout = 10 * time.Second

// Backfill fills [from, to): the windows that the ledger does not hold as complete, or all of them with force; of accounts
// that cannot be listed, what is tracked. Open must have been called. The accounts are worked on side by side. The error is
// of the runs as a whole; what they left undone is in the Summary.
func (a *App) Backfill(ctx context.Context, now, from, to time.Time, force bool, p *stream.Progress) (stream.Summary, error) {
	ctx = daemon.WithRun(ctx)
	a.leases.WarnOfDaemons(ctx, a.warehouse.Sink)
	if p == nil {
		p = new(stream.Progress)
	}
	end := a.history.Record(ctx, sink.RunBackfill, a.names(), from, to, p)
	summaries, errs := make([]stream.Summary, len(a.logins)), make([]error, len(a.logins))
	var all sync.WaitGroup
	for i, l := range a.logins {
		all.Go(func() { summaries[i], errs[i] = l.engine.Backfill(ctx, now, from, to, force, p) })
	}
	all.Wait()
	out := stream.Summary{Started: now}
	for _, s := range summaries {
		out.Streams = append(out.Streams, s.Streams...)
	}
	err := a.blame(ctx, joinDistinct(errs))
	a.troubles.Report(ctx, sink.RunBackfill, out)
	end(daemon.Outcome{Summary: out, Err: err})
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

// scheduled is an account as the daemon works on it.
type scheduled struct {
	*App
	login *login
}

// work is what the daemon does by a configuration.
func (a *App) work(cfg *config.Config, schedule cron.Schedule, logins []*login) daemon.Work {
	w := daemon.Work{Schedule: schedule, Lookback: cfg.Schedule.Lookback}
	for _, l := range logins {
		w.Accounts = append(w.Accounts, scheduled{a, l})
	}
	return w
}

// Name is part of daemon.Account.
func (s scheduled) Name() string { return s.login.name }

// Run is part of daemon.Account.
func (s scheduled) Run(ctx context.Context, now, deadline time.Time, p *stream.Progress) (stream.Summary, error) {
	out, err := s.login.engine.Scheduled(ctx, now, deadline, p)
	for _, o := range out.Streams {
		s.metrics.rechecked.WithLabelValues(s.login.name, rechecks[0]).Add(float64(o.Rechecked))
	}
	if err == nil {
		s.metrics.ran(s.login.name, out, s.login.lists(), time.Now())
	}
	return out, err
}

// Due is part of daemon.Account: product names, verifications, and the part of a scrub that there is time for.
func (s scheduled) Due(ctx context.Context, now, deadline time.Time) {
	s.productsDue(ctx, s.login, now)
	s.verifyDue(ctx, s.login, now)
	s.scrubDue(ctx, s.login, now, deadline)
}

// Clock is part of daemon.Account.
func (s scheduled) Clock() (time.Duration, bool) { return s.login.clock() }

// Refresh is part of daemon.Account.
func (s scheduled) Refresh(ctx context.Context) error { return s.refresh(ctx, s.login) }

// names are those of all accounts.
func (a *App) names() []string {
	names := make([]string, len(a.logins))
	for i, l := range a.logins {
		names[i] = l.name
	}
	return names
}

// callers are those who call the vendors, by account.
func (a *App) callers() map[string]*source.Caller {
	a.swap.RLock()
	defer a.swap.RUnlock()
	out := map[string]*source.Caller{}
	for _, l := range a.logins {
		if l.caller != nil {
			out[l.name] = l.caller
		}
	}
	return out
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
	configured := make(map[string]int, len(l.streams)) // owners, by id; there may be tens of thousands
	for i, of := range l.streams {
		configured[of.OwnerID] = i
	}
	l.verified = slices.DeleteFunc(l.verified, func(v sink.Verification) bool { // of an owner that is configured no more
		_, known := configured[v.OwnerID]
		return !known
	})
	findings, err := a.warehouse.AccountFindingCounts(ctx, l.name)
	if err != nil {
		return err
	}
	findings = slices.DeleteFunc(findings, func(f sink.FindingCount) bool {
		_, known := configured[f.OwnerID]
		return !known
	})
	if l.lists() {
		streams := make([]sink.StreamSummary, len(l.streams)) // one that the ledger does not know yet is behind all others
		for _, s := range l.ledger {
			if i, known := configured[s.OwnerID]; known {
				streams[i] = s
			}
		}
		quota, _ := stream.Quotas(l.streams)
		allowed, err := status.Allowances(ctx, a.warehouse.Narrowed(l.streams[0].Filters), l.name, len(l.streams), quota, a.cfg.Schedule, time.Now())
		if err != nil {
			return err
		}
		a.metrics.ledger(l.name, streams, allowed)
	}
	a.metrics.verified(l.name, l.verified, findings)
	return a.scrubState(ctx, l, configured)
}
