package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/daemon"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/stream"
)

// Stream finds a configured stream. account may be empty where only one is configured; owner is empty for its own orders.
func (a *App) Stream(account, owner string) (schema.Stream, error) {
	var names []string
	for _, l := range a.logins {
		names = append(names, l.name)
		if l.name != account && (account != "" || len(a.logins) > 1) {
			continue
		}
		for _, of := range l.streams {
			if of.OwnerID == owner {
				return of.Stream, nil
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
func (a *App) Track(ctx context.Context, now time.Time, of schema.Stream, ids []string, by string, p *stream.Progress) (stream.Summary, error) {
	var tracked []schema.Tracked
	for _, id := range ids {
		tracked = append(tracked, schema.Tracked{Stream: of, OrderID: id, AddedAt: now, AddedBy: by, Version: uint64(now.UnixNano())})
	}
	return a.recorded(ctx, sink.RunTrack, of, p, func(ctx context.Context, p *stream.Progress) (stream.Summary, error) {
		if err := a.warehouse.Track(ctx, tracked); err != nil {
			return stream.Summary{}, a.blame(ctx, err)
		}
		return a.fetch(ctx, now, of, ids, p)
	})
}

// Fetch brings orders up to date by their ids. Open must have been called.
func (a *App) Fetch(ctx context.Context, now time.Time, of schema.Stream, ids []string, p *stream.Progress) (stream.Summary, error) {
	return a.recorded(ctx, sink.RunFetch, of, p, func(ctx context.Context, p *stream.Progress) (stream.Summary, error) {
		return a.fetch(ctx, now, of, ids, p)
	})
}

// recorded is a run over single orders, with its row in the history.
func (a *App) recorded(ctx context.Context, kind sink.RunKind, of schema.Stream, p *stream.Progress, run func(context.Context, *stream.Progress) (stream.Summary, error)) (stream.Summary, error) {
	ctx = daemon.WithRun(ctx)
	if p == nil {
		p = new(stream.Progress)
	}
	end := a.history.Record(ctx, kind, []string{of.Account}, time.Time{}, time.Time{}, p)
	s, err := run(ctx, p)
	end(daemon.Outcome{Summary: s, Err: err})
	return s, err
}

func (a *App) fetch(ctx context.Context, now time.Time, of schema.Stream, ids []string, p *stream.Progress) (stream.Summary, error) {
	l, err := a.login(of.Account)
	if err != nil {
		return stream.Summary{}, err
	}
	s, err := l.engine.Fetch(ctx, now, of, ids, p)
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
