package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
)

const (
	// beat is how often a run under way says how far it is.
	beat = 10 * time.Second
	// historyTimeout bounds one write of the history: a run waits for the last one, so it is short.
	historyTimeout = 5 * time.Second
	// mostOwed bounds what is kept for a warehouse that is away.
	mostOwed = 100
)

// history writes sync_runs. It never fails a run: what cannot be written is logged, and the ends of runs are written
// together with the next run.
type history struct {
	mu   sync.Mutex
	owed []sink.Run
}

// outcome is what came of a run, for the history.
type outcome struct {
	summary     engine.Summary
	windows     int // verified
	differences int // left
	err         error
}

// record writes the run under way into the history: now, while it goes on, and when end is called, which must be. Zero
// bounds are those of each account's own ledger.
func (a *App) record(ctx context.Context, kind sink.RunKind, accounts []string, from, to time.Time, p *engine.Progress) (end func(outcome)) {
	host, _ := os.Hostname() // its name is a help for people, no more
	run := sink.Run{
		Kind: kind, State: sink.RunRunning, Accounts: accounts, Process: fmt.Sprintf("%s/%d", host, os.Getpid()), From: from, To: to,
		StartedAt: time.Now().UTC(),
	}
	run.ID, _ = ctx.Value(runKey{}).(string)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends with end
		defer close(stopped)
		every := time.NewTicker(beat)
		defer every.Stop()
		for {
			run.UpdatedAt = time.Now().UTC()
			run.Version++
			progressOf(&run, p)
			a.writeHistory(ctx, run)
			select {
			case <-every.C:
			case <-stop:
				return
			}
		}
	}()
	return func(o outcome) {
		close(stop)
		<-stopped
		run.UpdatedAt = time.Now().UTC()
		run.FinishedAt = run.UpdatedAt
		run.Version++
		progressOf(&run, p)
		o.end(ctx, &run)
		a.writeHistory(ctx, run)
	}
}

// progressOf takes over how far a run is.
func progressOf(r *sink.Run, p *engine.Progress) {
	r.Planned, r.Done = uint64(p.Windows.Load()), uint64(p.Done.Load())
	r.Orders, r.Items = uint64(p.Orders.Load()), uint64(p.Items.Load())
	r.ListCalls, r.DetailCalls = uint64(p.ListCalls.Load()), uint64(p.Details.Load())
}

// end says how a run ended.
func (o outcome) end(ctx context.Context, r *sink.Run) {
	if len(o.summary.Streams) > 0 {
		r.Orders, r.Items = 0, 0 // the summary knows better than the progress
	}
	for _, l := range o.summary.Streams {
		r.Orders += uint64(l.Listed)
		r.Changed += uint64(l.Changed)
		r.Items += uint64(l.Items)
		r.Rejected += uint64(l.Rejected)
	}
	if o.windows > 0 {
		r.Planned, r.Done = uint64(o.windows), uint64(o.windows)
	}
	err := errors.Join(o.err, o.summary.Err())
	if o.differences > 0 {
		err = errors.Join(fmt.Errorf("%d differences are left", o.differences), err)
	}
	switch {
	case ctx.Err() != nil:
		r.State = sink.RunStopped
	case err != nil:
		r.State = sink.RunFailed
	default:
		r.State = sink.RunOK
	}
	if err != nil {
		r.Error = err.Error()
	}
}

// writeHistory writes how a run stands, and what is owed. It does so after a stop too.
func (a *App) writeHistory(ctx context.Context, run sink.Run) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	ctx, end := engine.Late(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	err := a.warehouse.WriteRuns(ctx, append(a.history.owed, run))
	switch {
	case err == nil:
		a.history.owed = nil
		return
	case run.State != sink.RunRunning && len(a.history.owed) < mostOwed:
		a.history.owed = append(a.history.owed, run)
	}
	level := slog.LevelDebug // the next sign of life comes soon
	if run.State != sink.RunRunning {
		level = slog.LevelWarn
	}
	a.log.Log(ctx, level, "the history of runs could not be written", "state", run.State, "error", err)
}

// names are those of all accounts.
func (a *App) names() []string {
	names := make([]string, len(a.logins))
	for i, l := range a.logins {
		names[i] = l.name
	}
	return names
}
