package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/cmd/internal/status"
)

// RunReloading is Run, and reads the configuration again whenever the channel says so. A configuration that is wrong is
// refused with its errors, in the log, in the metric config_last_reload_successful and in the status, and the one before goes on.
func (a *App) RunReloading(ctx context.Context, again <-chan os.Signal, load func() (*config.Config, error)) error {
	if err := a.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var failed error
	for working := true; working; {
		select {
		case <-ctx.Done():
			a.log.Info("stopping: the batch in hand is committed first", "cause", context.Cause(ctx))
			working = false
		case failed = <-a.web.failed:
			working = false
		case <-again:
			cfg, err := load()
			if err == nil {
				err = a.reload(ctx, cfg)
			}
			if ctx.Err() == nil { // else it was no refusal
				a.reloaded(err)
			}
		}
	}
	if err := errors.Join(failed, a.Stop()); err != nil {
		return err
	}
	a.log.Info("stopped")
	return nil
}

// reloaded tells what became of a reload.
func (a *App) reloaded(err error) {
	if err == nil {
		a.refused.Store(nil)
		a.metrics.reloaded.Set(1)
		return
	}
	text := fmt.Sprintf("the configuration was read again at %s and refused, so the one before goes on: %v",
		time.Now().UTC().Format("2006-01-02 15:04:05"), err)
	a.refused.Store(&text)
	a.metrics.reloaded.Set(0)
	a.log.Error("the configuration is refused; the one before goes on", "error", err)
}

// refusal adds to a report that the configuration on disk is not the one that works.
func (a *App) refusal(r *status.Report) {
	if text := a.refused.Load(); text != nil {
		r.Problems = append(r.Problems, *text)
		r.OK = false
	}
}

// reload takes another configuration over. All that can be refused of it is, before anything is changed. Then the runs
// under way commit what they have fetched and end, and the schedule starts again, at once: a run goes on from the ledger,
// so the ones of accounts that stay have lost nothing. These accounts keep their clients, and their budgets what they have
// learned; the claims of accounts that are gone end within a minute. Where a run does not end in time, nothing is changed.
func (a *App) reload(ctx context.Context, cfg *config.Config) error {
	if err := cfg.RequireAccounts(); err != nil {
		return err
	}
	schedule, err := cron.ParseStandard(cfg.Schedule.Cron)
	if err != nil {
		return fmt.Errorf("schedule.cron: %w", err)
	}
	if cfg.Schedule.Window != a.cfg.Schedule.Window {
		return fmt.Errorf("schedule.window: %s cannot become %s while the daemon runs: start it anew", a.cfg.Schedule.Window, cfg.Schedule.Window)
	}
	next := *cfg
	a.keep(&next)
	var logins, added []*login
	for i := range next.Accounts {
		account := &next.Accounts[i]
		l := a.unchanged(account)
		if l == nil {
			if l, err = newLogin(account, a.metrics, false); err != nil {
				for _, l := range added {
					l.close()
				}
				return fmt.Errorf("accounts[%d]: %w", i, err)
			}
			l.watchPauses(a.log)
			added = append(added, l)
		}
		logins = append(logins, l)
	}
	err = a.daemon.Replace(ctx, func() daemon.Work { return a.swapTo(&next, schedule, logins, added) })
	if err != nil {
		for _, l := range added {
			l.close()
		}
	}
	return err
}

// swapTo makes a configuration the one that works. No run is under way.
func (a *App) swapTo(next *config.Config, schedule cron.Schedule, logins, added []*login) daemon.Work {
	removed := slices.DeleteFunc(slices.Clone(a.logins), func(l *login) bool { return slices.Contains(logins, l) })
	a.swap.Lock()
	a.cfg, a.logins = next, logins
	a.swap.Unlock()
	for _, l := range removed {
		a.metrics.forget(a.registry, l, slices.ContainsFunc(logins, func(x *login) bool { return x.name == l.name }))
		l.close()
	}
	for _, l := range logins {
		l.engine = a.newEngine(l.streams...)
	}
	for _, l := range added {
		if err := a.metrics.account(a.registry, l, a.leases); err != nil {
			a.log.Error("an account is without its metrics", "account", l.name, "error", err)
		}
	}
	a.log.Info("the configuration was read again", "accounts", strings.Join(a.names(), ", "), "new", len(added), "gone", len(removed))
	return a.work(next, schedule, logins)
}

// keep leaves in a configuration what cannot be changed while the daemon runs, and names what was changed of it.
func (a *App) keep(next *config.Config) {
	var changed []string
	for _, section := range []struct {
		name     string
		old, new any
	}{
		{"clickhouse", a.cfg.ClickHouse, next.ClickHouse}, {"reporting", a.cfg.Reporting, next.Reporting}, {"http", a.cfg.HTTP, next.HTTP}, {"log", a.cfg.Log, next.Log},
	} {
		if !reflect.DeepEqual(section.old, section.new) {
			changed = append(changed, section.name)
		}
	}
	next.ClickHouse, next.Reporting, next.HTTP, next.Log = a.cfg.ClickHouse, a.cfg.Reporting, a.cfg.HTTP, a.cfg.Log
	if len(changed) > 0 {
		a.log.Warn("these sections of the configuration are changed and need a restart; until then they stay as they were", "sections", strings.Join(changed, ", "))
	}
}

// unchanged is the login of an account whose configuration is as it was; nil where there is none.
func (a *App) unchanged(account *config.Account) *login {
	for i, l := range a.logins {
		if reflect.DeepEqual(a.cfg.Accounts[i], *account) {
			return l
		}
	}
	return nil
}
