package app

import (
	"context"
	"sync"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/engine"
)

// AccountPlan is what a backfill of one account would cost. Its streams share the account's quota.
type AccountPlan struct {
	Account string
	Quota   config.Quota
	Streams []engine.Forecast
}

// Total adds up the streams.
func (p AccountPlan) Total() engine.Forecast {
	t := engine.Forecast{Stream: schema.Stream{Account: p.Account}}
	for _, f := range p.Streams {
		t.Windows += f.Windows
		t.Skipped += f.Skipped
		t.Orders += f.Orders
		t.Stored += f.Stored
		t.ListCalls += f.ListCalls
		t.DetailCalls += f.DetailCalls
		t.Calls += f.Calls
		t.Estimated = t.Estimated || f.Estimated
	}
	return t
}

// Time is how long the calls of a forecast take at the account's quota. Listings and details have a quota each and are
// asked for side by side.
func (p AccountPlan) Time(f engine.Forecast) time.Duration {
	seconds := max(float64(f.ListCalls)/p.Quota.List, float64(f.DetailCalls)/p.Quota.Detail)
	return time.Duration(seconds * float64(time.Second))
}

// Plan says what Backfill would cost with the same arguments, account by account, by a few calls. Open must have been
// called. The error is of the plan as a whole; what concerns one stream is in its forecast.
func (a *App) Plan(ctx context.Context, now, from, to time.Time, force bool, p *engine.Progress) ([]AccountPlan, error) {
	ctx = daemon.WithRun(ctx)
	out, errs := make([]AccountPlan, len(a.logins)), make([]error, len(a.logins))
	var all sync.WaitGroup
	for i, l := range a.logins {
		all.Go(func() {
			streams, err := l.engine.Forecast(ctx, now, from, to, force, p)
			out[i], errs[i] = AccountPlan{Account: l.name, Quota: a.cfg.Accounts[i].Quota, Streams: streams}, err
		})
	}
	all.Wait()
	return out, a.blame(ctx, joinDistinct(errs))
}
