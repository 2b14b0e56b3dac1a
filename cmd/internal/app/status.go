package app

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Status reports how everything stands, with the call budgets of this process. Open must have been called.
func (a *App) Status(ctx context.Context, q status.Query) (*status.Report, error) {
	a.swap.RLock()
	cfg, logins := a.cfg, a.logins
	a.swap.RUnlock()
	r, err := status.Build(ctx, cfg.Schedule, expected(cfg, slowed(cfg, logins)), a.warehouse.Sink, time.Now().UTC(), q)
	if err != nil {
		return nil, err
	}
	r.Version = Build().Version
	a.refusal(r)
	for i, l := range logins {
		quota := cfg.Accounts[i].Quota
		r.Budgets = append(r.Budgets, budget(l.name, apis[0], quota.List, l.list), budget(l.name, apis[1], quota.Detail, l.detail))
	}
	return r, nil
}

// Streams are those of the configured accounts.
func Streams(c *config.Config) []status.Expected {
	var out []status.Expected
	for i := range c.Accounts {
		a := &c.Accounts[i]
		byID := !source.CanList(vendors[a.Source].blank)
		for _, owner := range owners(a) {
			out = append(out, status.Expected{Stream: schema.Stream{Source: a.Source, Account: a.Name, OwnerID: owner}, ByID: byID, Filters: Filters(a), ListQuota: a.Quota.List, DetailQuota: a.Quota.Detail})
		}
	}
	return out
}

// slowed are the calls of each account that are slower than its quota allows.
func slowed(cfg *config.Config, logins []*login) map[string][]diagnosis.Slowed {
	out := map[string][]diagnosis.Slowed{}
	for i, l := range logins {
		out[l.name] = l.slowed(cfg.Accounts[i].Quota)
	}
	return out
}

// expected are the streams of the configured accounts, with what is known of the calls of this process.
func expected(cfg *config.Config, slowed map[string][]diagnosis.Slowed) []status.Expected {
	out := Streams(cfg)
	for i := range out {
		out[i].Slowed = slowed[out[i].Account]
	}
	return out
}

// Calls are slow below the first share of their quota, and until they are at the second again. A vendor that allows nearly all of it
// throttles now and then, too.
const (
	slowedBelow = 0.75
	slowedUntil = 0.9
)

// slowed are the calls that are slower than the quota allows.
func (l *login) slowed(quota config.Quota) (out []diagnosis.Slowed) {
	for i, q := range []float64{quota.List, quota.Detail} {
		share := slowedBelow
		if l.slow[i].Load() {
			share = slowedUntil
		}
		rate := []*source.Budget{l.list, l.detail}[i].Rate()
		l.slow[i].Store(rate < share*q)
		if rate < share*q {
			out = append(out, diagnosis.Slowed{API: apis[i], Rate: rate, Quota: q})
		}
	}
	return out
}

func budget(account, api string, quota float64, b *source.Budget) status.Budget {
	out := status.Budget{
		Account: account, API: api, Quota: quota, Rate: b.Rate(), Used: max(0, min(1, 1-float64(b.Left())/max(1, quota))),
	}
	if p, ok := b.Paused(); ok {
		out.Pause, out.Used = p.String(), 0
	}
	return out
}
