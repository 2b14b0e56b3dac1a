package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/audit"
)

// AccountPlan is what a backfill of one account would cost. Its streams share the account's quota.
type AccountPlan struct {
	Account string
	Quota   config.Quota
	Streams []audit.Estimate
}

// Total adds up the streams.
func (p AccountPlan) Total() audit.Estimate {
	t := audit.Estimate{Stream: schema.Stream{Account: p.Account}}
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

// Time is how long the calls of an estimate take at the account's quota. Listings and details have a quota each and are
// asked for side by side.
func (p AccountPlan) Time(f audit.Estimate) time.Duration {
	seconds := max(float64(f.ListCalls)/p.Quota.List, float64(f.DetailCalls)/p.Quota.Detail)
	return time.Duration(seconds * float64(time.Second))
}

// OpenToPlan opens the warehouse to read, if there is one: it makes no table, and no folder. Plan needs no more.
func (a *App) OpenToPlan(ctx context.Context) error {
	err := a.openWarehouse(ctx, true)
	if refused, ok := errors.AsType[*sink.ConnectError](err); errors.Is(err, errNoFolder) || ok && refused.NoTables {
		return nil // nothing is stored
	}
	return err
}

// Plan says about what Backfill would cost with the same arguments, account by account, by a few calls. OpenToPlan must have
// been called. What went wrong is in the estimate of the stream that it concerns.
func (a *App) Plan(ctx context.Context, now, from, to time.Time, force bool) []AccountPlan {
	ctx = daemon.WithRun(ctx)
	out := make([]AccountPlan, len(a.logins))
	var all sync.WaitGroup
	for i, l := range a.logins {
		out[i] = AccountPlan{Account: l.name, Quota: a.cfg.Accounts[i].Quota, Streams: make([]audit.Estimate, len(l.streams))}
		for k, stream := range l.streams {
			all.Go(func() {
				var stored audit.Stored
				if a.warehouse != nil {
					stored = a.warehouse.Narrowed(stream.Filters)
				}
				e := audit.EstimateBackfill(ctx, stream, stored, audit.EstimateOptions{
					Window: a.cfg.Schedule.Window, Now: now, From: from, To: to, Force: force,
				})
				if stored != nil {
					e.Err = a.blame(ctx, e.Err)
				}
				out[i].Streams[k] = e
			})
		}
	}
	all.Wait()
	return out
}
