package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/stream"
)

const (
	// heartbeat is how often a run under way says how far it is.
	heartbeat = 10 * time.Second
	// historyTimeout bounds one write of the history: a run waits for the last one, so it is short.
	historyTimeout = 5 * time.Second
	// mostUnsent bounds what is kept for a warehouse that is away.
	mostUnsent = 100
)

// History writes sync_runs. It never fails a run: what cannot be written is logged, and the ends of runs are written
// together with the next run.
type History struct {
	log    *slog.Logger
	sink   *sink.Sink
	mu     sync.Mutex
	unsent []sink.Run
}

// NewHistory returns the history of a warehouse.
func NewHistory(log *slog.Logger, s *sink.Sink) *History { return &History{log: log, sink: s} }

// Outcome is what came of a run, for the history.
type Outcome struct {
	Summary     stream.Summary
	Windows     int           // verified
	Differences int           // left
	ClockOffset time.Duration // the vendor's clock minus this machine's, as far as it is known
	Err         error
}

// Record writes the run under way into the history: now, while it goes on, and when end is called, which must be. Zero
// bounds are those of each account's own ledger.
func (h *History) Record(ctx context.Context, kind sink.RunKind, accounts []string, from, to time.Time, p *stream.Progress) (end func(Outcome)) {
	host, _ := os.Hostname() // its name is a help for people, no more
	run := sink.Run{
		Kind: kind, State: sink.RunRunning, Accounts: accounts, Process: fmt.Sprintf("%s/%d", host, os.Getpid()), From: from, To: to,
		StartedAt: time.Now().UTC(),
	}
	run.ID, _ = ctx.Value(runKey{}).(string)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends with end
		defer close(stopped)
		every := time.NewTicker(heartbeat)
		defer every.Stop()
		for {
			run.UpdatedAt = time.Now().UTC()
			run.Version++
			progressOf(&run, p)
			h.write(ctx, run)
			select {
			case <-every.C:
			case <-stop:
				return
			}
		}
	}()
	return func(o Outcome) {
		close(stop)
		<-stopped
		run.UpdatedAt = time.Now().UTC()
		run.FinishedAt = run.UpdatedAt
		run.Version++
		progressOf(&run, p)
		o.end(ctx, &run)
		h.write(ctx, run)
	}
}

// progressOf takes over how far a run is.
func progressOf(r *sink.Run, p *stream.Progress) {
	r.Planned, r.Done = uint64(p.Windows.Load()), uint64(p.Done.Load())
	r.Orders, r.Items = uint64(p.Orders.Load()), uint64(p.Items.Load())
	r.ListCalls, r.DetailCalls = uint64(p.ListCalls.Load()), uint64(p.Details.Load())
	r.Share, r.EndsAt = p.Look(r.UpdatedAt)
}

// end says how a run ended.
func (o Outcome) end(ctx context.Context, r *sink.Run) {
	if len(o.Summary.Streams) > 0 {
		r.Orders, r.Items = 0, 0 // the summary knows better than the progress
	}
	for _, l := range o.Summary.Streams {
		r.Orders += uint64(l.Listed)
		r.Changed += uint64(l.Changed)
		r.Items += uint64(l.Items)
		r.Rejected += uint64(l.Rejected)
	}
	if o.Windows > 0 {
		r.Planned, r.Done = uint64(o.Windows), uint64(o.Windows)
	}
	r.EndsAt, r.ClockOffset = time.Time{}, o.ClockOffset.Seconds()
	err := errors.Join(o.Err, o.Summary.Err())
	if o.Differences > 0 {
		err = errors.Join(fmt.Errorf("%s left", schema.Plural(o.Differences, "difference")), err)
	}
	switch {
	case ctx.Err() != nil:
		r.State = sink.RunStopped
	case err != nil:
		r.State = sink.RunFailed
	default:
		r.State, r.Share = sink.RunOK, 1
	}
	if err != nil {
		r.Error = err.Error()
	}
}

// write writes how a run stands, and the ends of runs that are unsent. It does so after a stop too.
func (h *History) write(ctx context.Context, run sink.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, end := stream.Late(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	err := h.sink.WriteRuns(ctx, append(h.unsent, run))
	switch {
	case err == nil:
		h.unsent = nil
		return
	case run.State != sink.RunRunning && len(h.unsent) < mostUnsent:
		h.unsent = append(h.unsent, run)
	}
	level := slog.LevelDebug // the next sign of life comes soon
	if run.State != sink.RunRunning {
		level = slog.LevelWarn
	}
	h.log.Log(ctx, level, "the history of runs could not be written", "state", run.State, "error", err)
}
