// Package engine runs the sync: it plans the windows that are due, walks them, fetches the details of what is new or
// changed, and commits rows and ledger to the warehouse. It is the only package that knows all the stages.
//
//	due windows ─► spans (≤ 1 day) ─► listing ─► new and changed orders ─► details ─► batch ─► rows, then ledger
//
// Several spans are under way at once, so that details of one are fetched while the next is listed; what a span found
// goes to one committer, which writes large batches and in each the ledger rows last (I1). A stop ends the fetching and
// commits what was fetched; windows that were not finished are simply not in the ledger and come again (I7).
//
// # How stale an order can be
//
// No vendor can be asked what was modified, so it depends on the age of an order when a change of it is noticed:
//
//   - created within Options.Lookback: by the next tick that succeeds, which lists it again;
//   - stored as unpaid and created within Options.Sweep: by the next tick, too, when it is paid or cancelled, since it is
//     not in the listing of the unpaid any more; where a vendor cannot list those alone, each unpaid order is asked for,
//     or the whole stretch is listed again, whichever costs less;
//   - tracked by its id and unpaid: by the next tick that asks for it, which is the next one within Options.Sweep of its
//     creation, and ever rarer ones after that, down to one a day;
//   - any other change: by the next deep [Engine.Verify], and until then not at all. A change that the list row of an
//     order does not show is never noticed.
//
// An order that appears in a window before the lookback is found by the next Verify, which counts.
//
// # An order is one row
//
// A vendor may correct the creation time of an order, and an order may vanish. Whichever listing shows it at another time, or
// does not show it where it is stored, it is moved or removed in the same run, with its items; see identity.go and
// missing.go. An order that moves or vanishes before the lookback is noticed by the walk that lists its window again, and
// by the next Verify, which counts; one that is fetched by its id, when its detail says so.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// Source is what the engine needs of a vendor: a [source.Caller].
type Source interface {
	walk.Lister
	enrich.Detailer
	// CanList and CanFilterStatus say what the vendor cannot do; see package source.
	CanList() bool
	CanFilterStatus() bool
}

// engineStore is what the engine needs of the warehouse: a sink.Sink.
type engineStore interface {
	auditStore
	// Pending returns some of the orders whose detail is missing and that are no rejects for it, oldest first, after one of
	// them; Unpaid returns the unpaid ones of a range.
	Pending(ctx context.Context, stream schema.Stream, after schema.OrderRef, most int) ([]schema.OrderRef, error)
	Unpaid(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.OrderRef, error)
	// Unsettled returns the tracked orders that are not stored yet, with no creation time, or not settled.
	Unsettled(ctx context.Context, stream schema.Stream) ([]schema.OrderRef, error)
	// Undone returns, oldest first, what is not done before a time: windows that are not complete, and the ranges after the
	// ledger's first window that no window covers, as windows without a verdict.
	Undone(ctx context.Context, stream schema.Stream, before time.Time) ([]schema.Window, error)
	// Writer returns a writer without rows, whose Write commits them as one.
	Writer() schema.Writer
}

// Store is what a run needs to know of the warehouse. Ranges are of creation times, [from, to), and have both ends; no ids
// are no orders.
type Store interface {
	storedOrders
	storedLedger
	storedRejects
}

// storedOrders are the stored orders.
type storedOrders interface {
	// Known returns what is stored of the orders of a range, by id.
	Known(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string]schema.Known, error)
	// First returns the creation time of the oldest order of a range that is stored, or of which an item is; zero for none.
	First(ctx context.Context, stream schema.Stream, from, to time.Time) (time.Time, error)
	// ItemIDs returns the ids of the items of a range, by order id.
	ItemIDs(ctx context.Context, stream schema.Stream, from, to time.Time) (map[string][]string, error)
	// OrdersByID, ItemsByOrder and ItemIDsByOrder return some orders of a range, their items, and the ids of these.
	OrdersByID(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) ([]schema.Order, error)
	ItemsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) ([]schema.Item, error)
	ItemIDsByOrder(ctx context.Context, stream schema.Stream, from, to time.Time, ids []string) (map[string][]string, error)
	// Places returns all stored rows of some orders of an account, whatever their creation time and owner; of the rows of one
	// order the newest comes last. HasOrders reports whether the account ever had one. Doubled returns the ids of the orders
	// that are stored with more than one creation time.
	Places(ctx context.Context, account string, ids []string) ([]schema.Place, error)
	HasOrders(ctx context.Context, account string) (bool, error)
	Doubled(ctx context.Context, stream schema.Stream) ([]string, error)
}

// storedLedger is what is recorded of windows.
type storedLedger interface {
	// Windows returns the ledger rows that start in [from, to), oldest first. One that was listed with other filters has no
	// verdict.
	Windows(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Window, error)
	// Counts recomputes the windows of a range from the stored rows; windows without an order are left out.
	Counts(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) (map[time.Time]schema.Window, error)
}

// storedRejects are the rejects of a stream that are not resolved, the accepted ones included.
type storedRejects interface {
	// RejectWindows counts them by windows that start in a range, with a zero from all of them.
	RejectWindows(ctx context.Context, stream schema.Stream, window time.Duration, from, to time.Time) ([]schema.RejectWindow, error)
	// RejectPage returns some of a range, with payloads where it is asked for these.
	RejectPage(ctx context.Context, stream schema.Stream, q schema.RejectQuery) ([]schema.Reject, error)
	// RejectsOf returns those with some ids, and those of some orders.
	RejectsOf(ctx context.Context, stream schema.Stream, ids, orderIDs []string) ([]schema.Reject, error)
}

// Stream is one stream and how to reach it.
type Stream struct {
	schema.Stream
	Source Source
	// Filters narrow the listings. The Store must be narrowed by them too, see [sink.Sink.Narrowed].
	//
	// [sink.Sink.Narrowed]: https://pkg.go.dev/github.com/ordersync/ordersync/sink#Sink.Narrowed
	Filters  schema.Filters
	Decoder  source.Decoder
	PageSize int
	InFlight int // listings, and details, under way at once
	// Clock tells the vendor's clock minus this machine's, as far as it is known by now; nil for none.
	Clock func() (offset time.Duration, known bool)
}

// offset is the vendor's clock minus this machine's; zero where it is not known.
func (l Stream) offset() time.Duration {
	if l.Clock == nil {
		return 0
	}
	offset, _ := l.Clock()
	return offset
}

// Lists reports whether the stream's orders can be listed. Those of one that cannot are tracked, one by one.
func (l Stream) Lists() bool { return l.Source.CanList() }

// Options are the engine's settings. Durations are as in the configuration.
type Options struct {
	Window   time.Duration
	Settle   time.Duration
	Lookback time.Duration
	Sweep    time.Duration
	Log      *slog.Logger
	// Claims keeps other processes from what a run lists; nil where there are none.
	Claims Claims
	// Committed learns what the warehouse has confirmed, from one goroutine at a time of a run; nil for nobody.
	Committed func(Written)
	// FlushRows and FlushEvery bound a batch; zero for sane values.
	FlushRows  int
	FlushEvery time.Duration
}

// Engine runs the sync of some streams. One run at a time.
type Engine struct {
	Options
	streams []Stream
	store   engineStore
	one     sync.Mutex
	memory  map[string]*memory // by account
}

// ErrBusy means that another run of this engine is under way.
var ErrBusy = errors.New("another run is under way")

// New makes an engine.
func New(store engineStore, streams []Stream, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Committed == nil {
		o.Committed = func(Written) {}
	}
	if o.FlushRows == 0 {
		o.FlushRows = 50_000 // fewer cost the server more CPU: 5,000 more than twice as much
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = 10 * time.Second
	}
	e := &Engine{Options: o, streams: streams, store: store, memory: map[string]*memory{}}
	for _, s := range streams {
		e.memory[s.Account] = new(memory)
	}
	return e
}

// Backfill walks the windows of [from, to) that the ledger does not hold as complete, or all of them with force, and
// tries again what was rejected there. now is the run's time: what lies after it does not exist yet.
func (e *Engine) Backfill(ctx context.Context, now, from, to time.Time, force bool, p *Progress) (Summary, error) {
	if err := begins(from); err != nil {
		return Summary{}, err
	}
	return e.Run(ctx, now, p, func(ctx context.Context, r *streamRun) error {
		r.eager = true
		r.limit(window.Interval{Start: from, End: to}.Align(e.Window))
		r.searchAll = true // also what a run left that was killed
		if !r.stream.Lists() {
			return e.refreshTracked(ctx, r)
		}
		jobs, err := e.backfillJobs(ctx, r, r.scope, force)
		if err != nil {
			return err
		}
		findings, err := Findings(ctx, e.store, r.stream.Stream, r.scope.Start, r.scope.End)
		if err != nil {
			return err
		}
		r.proving = len(findings) > 0
		if err := r.walk(ctx, jobs); err != nil {
			return err
		}
		return EndFindings(ctx, e.store, r, findings)
	})
}

// begins refuses a range that begins before there can be orders: it would be planned window by window. What lies after the
// run's time is cut off by each plan.
func begins(from time.Time) error {
	if err := window.Check(from, from); err != nil {
		return fmt.Errorf("the range to work on: %w", err)
	}
	return nil
}

// Tick is one scheduled run: the open window and the lookback, then the single orders that may have changed before it,
// then whatever the ledger lacks, oldest first. now is the run's time; until is a deadline, by [time.Now], after which
// no further gap is begun, so that the next tick comes in time.
func (e *Engine) Tick(ctx context.Context, now, until time.Time, p *Progress) (Summary, error) {
	return e.Run(ctx, now, p, func(ctx context.Context, r *streamRun) error {
		if !r.stream.Lists() {
			return e.refreshTracked(ctx, r)
		}
		live := window.Interval{Start: r.now.Add(-e.Lookback), End: r.now}.Align(e.Window)
		jobs, gaps, err := e.tickJobs(ctx, r, live, until)
		if err != nil {
			return err
		}
		findings, err := Findings(ctx, e.store, r.stream.Stream, time.Time{}, r.now)
		if err != nil {
			return err
		}
		r.proving = len(findings) > 0
		if err := r.walk(ctx, jobs); err != nil {
			return err
		}
		// The refresh asks the warehouse what is still missing: it must not fetch again what this walk has just fetched.
		if err := r.commits.flush(); err != nil {
			return err
		}
		if err := e.refresh(ctx, r, live); err != nil {
			return err
		}
		if err := r.walk(ctx, gaps); err != nil {
			return err
		}
		return EndFindings(ctx, e.store, r, findings)
	})
}

// job is one span to walk.
type job struct {
	window.Interval // whole windows
	priority        source.Priority
	until           time.Time               // not started after this; zero for whenever
	prior           map[int64]schema.Window // the ledger's rows of due windows, by start; a new window has none
	repair          *repair                 // what verify found; nil otherwise
	again           bool                    // stored orders were missing in the listing before; the job is one window
	first           schema.Window           // that walk, as its row would have been
	claim           *claim                  // that it is a part of; nil for none
	other           string                  // process that holds it; empty for none
}

// Run does one run over all streams: work is called for each of them, side by side.
func (e *Engine) Run(ctx context.Context, now time.Time, p *Progress, work func(context.Context, *streamRun) error) (Summary, error) {
	return e.runOn(ctx, now, p, e.streams, work)
}

// runOn does one run over some streams, side by side: what fails in one does not touch the others.
func (e *Engine) runOn(ctx context.Context, now time.Time, p *Progress, on []Stream, work func(context.Context, *streamRun) error) (Summary, error) {
	if !e.one.TryLock() {
		return Summary{}, ErrBusy
	}
	defer e.one.Unlock()
	if p == nil {
		p = new(Progress)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, done := Lasting(ctx, stopGrace)
	defer done()
	c := newCommitter(ctx, e, stop)
	summary := Summary{Started: now, Streams: make([]StreamSummary, len(on))}
	gates := newGates(on)
	owners := new(owners)
	var streams errgroup.Group
	var runs []*streamRun
	for i, s := range on {
		r := newRun(runConfig{
			stream: s, given: now, window: e.Window, settle: e.Settle, log: e.Log, leases: e.Claims,
			siblings: slices.ContainsFunc(e.streams, func(o Stream) bool { return o.Account == s.Account && o.Stream != s.Stream }),
			store:    e.store, commits: c, progress: p, memory: e.memory[s.Account], owners: owners,
		})
		r.stream.Source = gates[s.Source]
		runs = append(runs, r)
		streams.Go(func() error {
			err := r.open.start(ctx)
			if err == nil {
				err = work(ctx, r)
			}
			summary.Streams[i] = r.summary(ctx, err)
			return nil
		})
	}
	_ = streams.Wait()
	err := c.close()
	late, end := Late(ctx)
	defer end()
	for _, r := range runs {
		if left := r.claimed(); len(left) > 0 {
			e.Claims.Release(late, r.stream.Stream, left)
		}
	}
	if err != nil {
		return summary, err
	}
	return summary, context.Cause(ctx)
}

// committer takes what a run has found, and writes it in the order in which it came: the ledger row of a window is never
// written before its rows (I1).
type commits interface {
	// add hands over rows, or windows whose rows were all handed over before. What it is given is the committer's from then on.
	add(schema.Batch) error
	// release returns a range to the other processes after all that was added before has been written.
	release(schema.Stream, window.Interval) error
	// flush returns when all that was added before has been written.
	flush() error
}

// runConfig is what a run on one stream is made of.
type runConfig struct {
	stream   Stream
	siblings bool          // the account has other streams
	given    time.Time     // the run's time, by this machine's clock
	window   time.Duration // the length of a window
	settle   time.Duration // how late an order may come into a window that is past
	log      *slog.Logger
	leases   Claims // nil where there are no other processes
	store    Store
	commits  commits
	progress *Progress
	memory   *memory // of the account
	owners   *owners // of all streams of the run
}

// memory is what the runs on the streams of an account learn of its vendor. The zero memory knows nothing.
type memory struct {
	ceiling walk.Ceiling
	retries backoff
}

// streamRun is one run's work on one stream.
type streamRun struct {
	runConfig
	now     time.Time // the vendor's, as far as it was known at the start
	began   time.Time // on this machine's clock, when now was taken
	open    *openRejects
	eager   bool            // somebody asked for this run: try again what would wait for a later tick
	limited bool            // the run was asked to bring a range in order: scope
	scope   window.Interval // whole windows
	asked   map[string]bool // ids of the orders that a run over single orders was asked for

	mu       sync.Mutex
	sum      StreamSummary
	failures int              // listings in a row that failed
	whole    map[int64]bool   // starts of the windows that were listed whole, in Unix seconds
	unwhole  map[int64]string // why others were not
	got      map[string]bool  // ids of the orders whose detail was asked for and had
	claims   []*claim         // that this run made

	proving bool          // there are open findings, so that what is listed proves something
	listed  window.Set    // completely
	unread  []string      // ids of orders there whose rows could not be read
	listing chan struct{} // places of those who list

	deferred   []deferred
	lookedInto atomic.Int64 // missing orders
	example    string       // an order that was listed in this run
	sighted    bool         // the source has shown the detail of an order since one was missing
	written    []string     // ids of the orders that were written
	searchAll  bool         // more were written than that

	blank     blank
	emptyOnce sync.Once
	empty     bool // the account had no order when the run began
	emptyErr  error

	markMu sync.Mutex
	marks  map[int64]*mark // by the window's start, in Unix seconds
}

// newRun makes a run.
func newRun(c runConfig) *streamRun {
	return &streamRun{
		runConfig: c, now: c.given.Add(c.stream.offset()), began: time.Now(),
		open:  newOpenRejects(c.store, c.stream.Stream, c.window, c.commits.flush),
		marks: map[int64]*mark{}, listing: make(chan struct{}, listingsAtOnce),
	}
}

// limit says that the run was asked to bring a range in order.
func (r *streamRun) limit(iv window.Interval) {
	r.limited, r.scope = true, iv
}

// spansAtOnce is how many spans of a stream are under way: enough that there are always details to fetch while the next
// span is listed, few enough that memory stays small.
const spansAtOnce = 4

// listingsAtOnce is how many of them are listed at once: listing is far faster than details, and so these keep all workers
// busy.
const listingsAtOnce = 2

// maxFailedListings in a row end the stream's run: the source is down, and what was not tried comes again later.
const maxFailedListings = 20

// commit hands over rows, or windows whose rows were all handed over before.
func (r *streamRun) commit(b schema.Batch) error {
	rejects := slices.Clone(b.Rejects) // what the committer is given is its own
	if err := r.commits.add(b); err != nil {
		return err
	}
	r.open.hand(rejects)
	return nil
}

// clock is the time that goes into the ledger: the run's now, and what has passed since. Back-offs are counted from it,
// so it must be of the same clock as the now of later runs.
func (r *streamRun) clock() time.Time { return r.now.Add(time.Since(r.began)).UTC() }

// past is the time before which everything is over at the vendor: the run's now by the vendor's clock, which the first
// answers of a process tell. Orders may still come into what this machine alone takes for past.
func (r *streamRun) past() time.Time {
	if known := r.given.Add(r.stream.offset()); known.Before(r.now) {
		return known
	}
	return r.now
}

// walk works off the jobs, and then what came to light in them: stored orders that are missing, rejects that are gone,
// orders that moved.
func (r *streamRun) walk(ctx context.Context, jobs []job) error {
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return r.spans(ctx, jobs) }, r.lookAgain, r.single, r.settleMarks, r.resolveGone,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// spans walks the jobs, several at a time. What another process works on is waited for by a run that somebody asked for,
// and left alone by one of the daemon's.
func (r *streamRun) spans(ctx context.Context, jobs []job) error {
	for _, j := range jobs {
		r.plan(j, 1)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(spansAtOnce)
	late := func(j job) bool {
		late := !j.until.IsZero() && time.Now().After(j.until)
		if late {
			r.sumUp(func(s *StreamSummary) { s.Waiting += len(j.Tile(r.window)) })
		}
		return late
	}
	w := waiting{streamRun: r}
	for len(jobs) > 0 && gctx.Err() == nil {
		if jobs = slices.DeleteFunc(jobs, late); len(jobs) == 0 {
			break
		}
		ours, others, err := r.claim(gctx, jobs)
		if err != nil {
			g.Go(func() error { return err })
			break
		}
		for _, j := range ours {
			if gctx.Err() != nil {
				break
			}
			if late(j) {
				continue
			}
			g.Go(func() error {
				return r.list(source.WithPriority(gctx, j.priority), j)
			})
		}
		jobs = others
		w.wait(gctx, len(ours) > 0, jobs)
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// plan adds a job to the progress, or takes it out with a sign of -1.
func (r *streamRun) plan(j job, sign int) {
	r.progress.plan(sign * len(j.Tile(r.window)))
	r.progress.toList.Add(int64(sign) * int64(r.until(j).End.Sub(j.Start)/time.Second))
}
