package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
)

// Stream finds a configured stream. account may be empty where only one is configured; owner is empty for its own orders.
func (a *App) Stream(account, owner string) (schema.Stream, error) {
	var names []string
	for _, l := range a.logins {
		names = append(names, l.name)
		if l.name != account && (account != "" || len(a.logins) > 1) {
			continue
		}
		for _, stream := range l.streams {
			if stream.OwnerID == owner {
				return stream.Stream, nil
			}
		}
		return schema.Stream{}, fmt.Errorf("%s is not an owner or member of account %s: add it to the configuration", owner, l.name)
	}
	if account == "" {
		return schema.Stream{}, fmt.Errorf("which account? --account is one of: %s", strings.Join(names, ", "))
	}
	return schema.Stream{}, fmt.Errorf("there is no account %q (there are: %s)", account, strings.Join(names, ", "))
}

// Track records that orders are to be kept fresh until they are settled, and fetches them. Open must have been called.
func (a *App) Track(ctx context.Context, now time.Time, stream schema.Stream, ids []string, by string, p *engine.Progress) (engine.Summary, error) {
	var tracked []schema.Tracked
	for _, id := range ids {
		tracked = append(tracked, schema.Tracked{Stream: stream, OrderID: id, AddedAt: now, AddedBy: by, Version: uint64(now.UnixNano())})
	}
	return a.recorded(ctx, sink.RunTrack, stream, p, func(ctx context.Context, p *engine.Progress) (engine.Summary, error) {
		if err := a.warehouse.Track(ctx, tracked); err != nil {
			return engine.Summary{}, a.blame(ctx, err)
		}
		return a.fetch(ctx, now, stream, ids, p)
	})
}

// Fetch brings orders up to date by their ids. Open must have been called.
func (a *App) Fetch(ctx context.Context, now time.Time, stream schema.Stream, ids []string, p *engine.Progress) (engine.Summary, error) {
	return a.recorded(ctx, sink.RunFetch, stream, p, func(ctx context.Context, p *engine.Progress) (engine.Summary, error) {
		return a.fetch(ctx, now, stream, ids, p)
	})
}

// recorded is a run over single orders, with its row in the history.
func (a *App) recorded(ctx context.Context, kind sink.RunKind, stream schema.Stream, p *engine.Progress, run func(context.Context, *engine.Progress) (engine.Summary, error)) (engine.Summary, error) {
	ctx = daemon.WithRun(ctx)
	if p == nil {
		p = new(engine.Progress)
	}
	end := a.history.Record(ctx, kind, []string{stream.Account}, time.Time{}, time.Time{}, p)
	s, err := run(ctx, p)
	end(daemon.Outcome{Summary: s, Err: err})
	return s, err
}

func (a *App) fetch(ctx context.Context, now time.Time, stream schema.Stream, ids []string, p *engine.Progress) (engine.Summary, error) {
	l, err := a.login(stream.Account)
	if err != nil {
		return engine.Summary{}, err
	}
	s, err := l.engine.Fetch(ctx, now, stream, ids, p)
	return s, a.blame(ctx, err)
}

// login finds an account by its name.
func (a *App) login(account string) (*login, error) {
	for _, l := range a.logins {
		if l.name == account {
			return l, nil
		}
	}
	return nil, fmt.Errorf("there is no account %q", account)
}
