package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/notify"
	"github.com/ordersync/ordersync/cmd/internal/status"
)

const (
	// The diagnoses are looked at as often as runs are scheduled, within these bounds.
	looksAtLeast, looksAtMost = time.Second, 30 * time.Second
	// lookTimeout bounds a look at a warehouse that does not answer.
	lookTimeout = 20 * time.Second
	// heldLooks is for how many looks a diagnosis must be the same until it is told, and restLooks how many lie between two
	// messages about an account: a vendor's hiccup fills no chat.
	heldLooks, restLooks = 4, 10
)

// watch looks at the diagnoses of all accounts again and again, for the metrics and for who is to be told.
func (a *App) watch() {
	next := a.schedule.Next(time.Now())
	every := min(max(a.schedule.Next(next).Sub(next), looksAtLeast), looksAtMost)
	changes := &notify.Changes{Hold: heldLooks * every, Every: restLooks * every}
	ctx, cancel := context.WithCancel(context.Background())
	ledger := new(status.Ledger)
	var watching sync.WaitGroup
	watching.Go(func() { // ends with the clean-up
		for {
			a.look(ctx, ledger, changes)
			select {
			case <-time.After(every):
			case <-ctx.Done():
				return
			}
		}
	})
	a.cleanups.add("watch", func(context.Context) error {
		cancel()
		watching.Wait()
		return nil
	})
}

// look takes over how all accounts stand, and posts what has changed of those that this daemon works on.
func (a *App) look(ctx context.Context, ledger *status.Ledger, changes *notify.Changes) {
	a.swap.RLock()
	cfg, logins := a.cfg, a.logins
	a.swap.RUnlock()
	slowed := slowed(cfg, logins)
	for account, calls := range slowed {
		a.troubles.Slowed(account, diagnosis.SlowedText(calls), diagnosis.Unshare)
	}
	now := time.Now().UTC()
	r, err := a.diagnoses(ctx, cfg, expected(cfg, slowed), ledger, now)
	if ctx.Err() != nil {
		return
	}
	a.swap.RLock()
	if a.cfg != cfg { // An account that has gone meanwhile would have its metrics again. The next look goes by what is configured now.
		a.swap.RUnlock()
		return
	}
	var accounts []notify.Account
	if err != nil {
		a.log.DebugContext(ctx, "the diagnoses could not be made", "error", err) // that the warehouse is away the runs log
		for i := range cfg.Accounts {
			accounts = append(accounts, notify.Account{Name: cfg.Accounts[i].Name, Streams: 1, Of: 1, Diagnosis: diagnosis.Away()})
		}
	} else {
		accounts = worst(r)
		a.metrics.rejected(cfg.Accounts, r.Rejects)
		a.metrics.stored(r.StoredView)
	}
	for _, x := range accounts {
		a.metrics.diagnosed(x.Name, &x.Diagnosis)
	}
	a.swap.RUnlock()
	accounts = slices.DeleteFunc(accounts, func(x notify.Account) bool { return !a.leases.Leads(x.Name) })
	n := notify.New(cfg.Notify)
	defer n.Close()
	for _, m := range changes.Of(now, accounts) {
		level := slog.LevelInfo
		if m.State.Bad() {
			level = slog.LevelWarn
		}
		a.log.Log(ctx, level, "diagnosis", "account", m.Account, "state", m.State, "was", m.Was, "since", m.Since, "cause", m.Cause, "says", m.Says,
			"effect", m.Effect, "cure", m.Cure)
		if cfg.Notify.URL == "" {
			continue
		}
		if err := n.Post(ctx, m); err != nil && ctx.Err() == nil {
			changes.Lost(m)
			a.log.WarnContext(ctx, "a message about an account could not be sent; it is tried again", "account", m.Account, "error", err)
		}
	}
}

func (a *App) diagnoses(ctx context.Context, cfg *config.Config, streams []status.Expected, ledger *status.Ledger, now time.Time) (*status.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return status.Diagnose(ctx, cfg.Schedule, streams, a.warehouse.Sink, ledger, now)
}

// worst are the accounts of a report, each as the worst of its streams.
func worst(r *status.Report) (out []notify.Account) {
	for _, l := range r.Glance() { // the worst comes first
		if l.Unconfigured {
			continue
		}
		i := slices.IndexFunc(out, func(x notify.Account) bool { return x.Name == l.Account })
		if i < 0 {
			out = append(out, notify.Account{Name: l.Account, Streams: 1, Of: 1, Diagnosis: l.Diagnosis})
			continue
		}
		out[i].Of++
		if out[i].State == l.Diagnosis.State {
			out[i].Streams++
		}
	}
	return out
}
