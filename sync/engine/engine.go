package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// Store is what the engine needs of the warehouse: a sink.Sink.
type Store interface {
	audit.Store
	// Pending returns some of the orders whose detail is missing and that are no rejects for it, oldest first, after one of
	// them; Unpaid returns the unpaid ones of a range.
	Pending(ctx context.Context, stream schema.Stream, after schema.OrderRef, most int) ([]schema.OrderRef, error)
	Unpaid(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.OrderRef, error)
	// Unsettled returns the tracked orders that are not stored yet, with no creation time, or not settled.
	Unsettled(ctx context.Context, stream schema.Stream) ([]schema.OrderRef, error)
	// Provisional returns the orders whose detail is due to be fetched again at some ages; see Options.Recheck.
	Provisional(ctx context.Context, stream schema.Stream, ages []time.Duration, from, now time.Time) ([]schema.OrderRef, error)
	// OldDetails returns orders of a range whose detail was last fetched before a time, the oldest look first; at most so many.
	OldDetails(ctx context.Context, stream schema.Stream, from, to, before time.Time, most int) ([]schema.OrderRef, error)
	// Undone returns, oldest first, what is not done before a time: windows that are not complete, and the ranges after the
	// ledger's first window that no window covers, as windows without a verdict.
	Undone(ctx context.Context, stream schema.Stream, before time.Time) ([]schema.Window, error)
	// Activities returns what is stored of each stream of an account since a time.
	Activities(ctx context.Context, account string, since time.Time) ([]schema.Activity, error)
	// Writer returns a writer without rows, whose Write commits them as one. It is one of some that are filled side by side.
	Writer(of int) schema.Writer
}

// Options are the engine's settings. Durations are as in the configuration.
type Options struct {
	Window   time.Duration
	Settle   time.Duration
	Lookback time.Duration
	Sweep    time.Duration
	// Recheck are the ages, ascending, counted from the later of creation and payment, at which the detail of an order is fetched
	// again that was received younger: at the last one that of every order, at those before it that of orders with a paid line that
	// lacks what most of its product have.
	Recheck []time.Duration
	// Quiet is how seldom a scheduled run may ask a stream, of several of an account, that orders nothing; see [window.Turns]. Zero
	// is in every run.
	Quiet time.Duration
	Log   *slog.Logger
	// Claims keeps other processes from what a run lists; nil where there are none.
	Claims stream.Claims
	// Committed learns what the warehouse has confirmed, from one goroutine at a time of a run; nil for nobody.
	Committed func(Written)
	// FlushRows and FlushEvery bound a batch; zero for sane values.
	FlushRows  int
	FlushEvery time.Duration
	// Engines is how many of a process work side by side: they share the memory that batches may take. Zero is one.
	Engines int
}

// Engine runs the sync of some streams of one account. One run at a time.
type Engine struct {
	Options
	streams []stream.Stream
	store   Store
	one     sync.Mutex
	extra   allowance
	tries   tries
	memory  stream.Memory
	scrubs  scrubs
}

// ErrBusy means that another run of this engine is under way.
var ErrBusy = errors.New("another run is under way")

// New makes an engine of streams that have one account.
func New(store Store, streams []stream.Stream, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Committed == nil {
		o.Committed = func(Written) {}
	}
	o.Engines = max(1, o.Engines)
	if o.FlushRows == 0 {
		o.FlushRows = max(leastFlushRows, flushRows/o.Engines)
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = 10 * time.Second
	}
	return &Engine{Options: o, streams: streams, store: store}
}

// Backfill lists the windows of [from, to) that the ledger does not hold as complete, or all of them with force, and
// tries again what was rejected there. now is the run's time: what lies after it does not exist yet.
func (e *Engine) Backfill(ctx context.Context, now, from, to time.Time, force bool, p *stream.Progress) (stream.Summary, error) {
	if err := stream.Begins(from); err != nil {
		return stream.Summary{}, err
	}
	return e.Run(ctx, now, p, func(ctx context.Context, r *stream.Run) error {
		r.ForceRetry = true
		r.Limit(window.Interval{Start: from, End: to}.Align(e.Window))
		r.Moves.All = true // also what a run left that was killed
		if !r.Stream.Lists() {
			return e.refreshTracked(ctx, r)
		}
		jobs, err := e.backfillJobs(ctx, r, r.Scope, force)
		if err != nil {
			return err
		}
		findings, err := audit.Findings(ctx, e.store, r.Stream.Stream, r.Scope.Start, r.Scope.End)
		if err != nil {
			return err
		}
		r.Proving = len(findings) > 0
		if err := r.List(ctx, jobs); err != nil {
			return err
		}
		return audit.EndFindings(ctx, e.store, r, findings)
	})
}

// Scheduled is one scheduled run: of each stream whose turn it is the open window and the lookback, then the single orders that
// may have changed before it, then whatever the ledger lacks, oldest first. now is the run's time; until is a deadline, by
// [time.Now], after which no further gap is begun, so that the next run comes in time.
func (e *Engine) Scheduled(ctx context.Context, now, until time.Time, p *stream.Progress) (stream.Summary, error) {
	turn, err := e.turn(ctx, now, until)
	if err != nil {
		return stream.Summary{}, err
	}
	s, err := e.runTurn(ctx, now, p, turn, func(ctx context.Context, r *stream.Run, answered func()) error {
		if !r.Stream.Lists() {
			if err := e.refreshTracked(ctx, r); err != nil {
				return err
			}
			return e.recheck(ctx, r, until)
		}
		live := window.Interval{Start: r.Now.Add(-e.Lookback), End: r.Now}.Align(e.Window)
		findings, err := audit.Findings(ctx, e.store, r.Stream.Stream, time.Time{}, r.Now)
		if err != nil {
			return err
		}
		r.Proving = len(findings) > 0
		recent, err := e.recent(ctx, r, live)
		if err != nil {
			return err
		}
		gaps, err := e.gaps(ctx, r, live, until)
		if err != nil {
			return err
		}
		if err := r.List(ctx, stream.Jobs(recent.due, recent.ledger, source.Live, time.Time{})); err != nil {
			return err
		}
		// The refresh asks the warehouse what is still missing: it must not fetch again what this listing has just fetched.
		if err := r.Commits.Flush(); err != nil {
			return err
		}
		if err := e.refresh(ctx, r, live, recent.unlisted); err != nil {
			return err
		}
		answered()
		if err := e.recheck(ctx, r, until); err != nil {
			return err
		}
		if err := r.List(ctx, gaps); err != nil {
			return err
		}
		if err := r.List(ctx, stream.Jobs(recent.later, recent.ledger, source.Verify, time.Time{})); err != nil {
			return err
		}
		return audit.EndFindings(ctx, e.store, r, findings)
	})
	if err == nil && turn.places != nil {
		turn.end(&s, &e.tries)
		e.tries.note(turn.now, s.Streams)
	}
	return s, err
}

// Run does one run over all streams: work is called for each of them, side by side.
func (e *Engine) Run(ctx context.Context, now time.Time, p *stream.Progress, work func(context.Context, *stream.Run) error) (stream.Summary, error) {
	return e.runOn(ctx, now, p, e.streams, work)
}

// runOn does one run over some streams, side by side.
func (e *Engine) runOn(ctx context.Context, now time.Time, p *stream.Progress, on []stream.Stream, work func(context.Context, *stream.Run) error) (stream.Summary, error) {
	return e.runTurn(ctx, now, p, &turn{streams: on}, func(ctx context.Context, r *stream.Run, _ func()) error { return work(ctx, r) })
}

// runTurn does one run over the streams whose turn it is, side by side: what fails in one does not touch the others. The work calls
// answered once the others need not wait for its stream any more; its end does so, too.
func (e *Engine) runTurn(ctx context.Context, now time.Time, p *stream.Progress, t *turn,
	work func(ctx context.Context, r *stream.Run, answered func()) error) (stream.Summary, error) {
	if !e.one.TryLock() {
		return stream.Summary{}, ErrBusy
	}
	defer e.one.Unlock()
	if p == nil {
		p = new(stream.Progress)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, done := stream.Lasting(ctx, stopGrace)
	defer done()
	c := newCommitter(ctx, e, stop)
	summary := stream.Summary{Started: now, Streams: make([]stream.Outcome, len(t.streams))}
	owners := new(stream.Owners)
	var streams errgroup.Group
	var runs []*stream.Run
	for i, s := range stream.Limit(t.streams) {
		answered, more := t.begin(ctx, p.ListCalls.Load)
		if !more {
			break
		}
		r := stream.New(stream.Config{
			Stream: s, Given: now, Window: e.Window, Lateness: e.Settle, Log: e.Log, Leases: e.Claims,
			Siblings: len(e.streams) > 1, Store: e.store, Commits: c, Progress: p, Memory: &e.memory, Owners: owners,
		})
		runs = append(runs, r)
		streams.Go(func() error {
			defer answered()
			err := r.Rejects.Start(ctx)
			if err == nil {
				err = work(ctx, r, answered)
			}
			summary.Streams[i] = r.Summary(ctx, err)
			return nil
		})
	}
	_ = streams.Wait()
	summary.Streams = summary.Streams[:len(runs)] // those that were begun
	err := c.close()
	late, end := stream.Late(ctx)
	defer end()
	for _, r := range runs {
		if left := r.Claimed(); len(left) > 0 {
			e.Claims.Release(late, r.Stream.Stream, left)
		}
	}
	if err != nil {
		return summary, err
	}
	return summary, context.Cause(ctx)
}
