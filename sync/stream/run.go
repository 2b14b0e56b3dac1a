package stream

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// Config is what a run on one stream is made of.
type Config struct {
	Stream   Stream
	Siblings bool          // the account has other streams
	Given    time.Time     // the run's time, by this machine's clock
	Window   time.Duration // the length of a window
	Lateness time.Duration // how late an order may come into a window that is past
	Log      *slog.Logger
	Leases   Claims // nil where there are no other processes
	Store    Store
	Commits  Committer
	Progress *Progress
	Memory   *Memory // of the account
	Owners   *Owners // of all streams of the run
}

// Memory is what the runs on the streams of an account learn of its vendor. The zero memory knows nothing.
type Memory struct {
	ceiling walk.Ceiling
	retries backoff
}

// Run is one run's work on one stream.
type Run struct {
	Config
	Now        time.Time // the vendor's, as far as it was known at the start
	began      time.Time // on this machine's clock, when now was taken
	Rejects    *OpenRejects
	ForceRetry bool            // somebody asked for this run: try again what would wait for a later run
	limited    bool            // the run was asked to bring a range in order: scope
	Scope      window.Interval // whole windows
	Asked      map[string]bool // ids of the orders that a run over single orders was asked for

	mu         sync.Mutex
	sum        Outcome
	failures   int              // listings in a row that failed
	complete   map[int64]bool   // starts of the windows that were listed completely, in Unix seconds
	incomplete map[int64]string // why others were not
	got        map[string]bool  // ids of the orders whose detail was asked for and had

	Proving bool          // there are open findings, so that what is listed proves something
	listed  window.Set    // completely
	unread  []string      // ids of orders there whose rows could not be read
	listing chan struct{} // places of those who list

	cache   *cache
	leasing *leasing
	missing *missing
	Moves   *Moves
}

// New makes a run.
func New(c Config) *Run {
	r := &Run{
		Config: c, Now: c.Given.Add(c.Stream.Offset()), began: time.Now(),
		Rejects: newOpenRejects(c.Store, c.Stream.Stream, c.Window, c.Commits.Flush),
		listing: make(chan struct{}, listingsAtOnce),
	}
	r.cache, r.leasing, r.missing, r.Moves = &cache{run: r}, &leasing{run: r}, &missing{run: r}, &Moves{run: r, marks: map[int64]*mark{}}
	return r
}

// Limit says that the run was asked to bring a range in order.
func (r *Run) Limit(iv window.Interval) {
	r.limited, r.Scope = true, iv
}

// Commit hands over rows, or windows whose rows were all handed over before.
func (r *Run) Commit(b schema.Batch) error {
	rejects := slices.Clone(b.Rejects) // what the committer is given is its own
	if err := r.Commits.Add(b); err != nil {
		return err
	}
	r.Rejects.hand(rejects)
	r.Count(func(s *Outcome) {
		for i := range rejects {
			if !rejects[i].Resolved {
				s.rejected(&rejects[i])
			}
		}
	})
	return nil
}

// clock is the time that goes into the ledger and onto rows: the run's now, and what has passed since. Back-offs and the ages of
// details are counted from it, so it must be of the same clock as the now of later runs.
func (r *Run) clock() time.Time { return r.Now.Add(time.Since(r.began)).UTC() }

// Past is the time before which everything is over at the vendor: the run's now by the vendor's clock, which the first
// answers of a process tell. Orders may still come into what this machine alone takes for past.
func (r *Run) Past() time.Time {
	if known := r.Given.Add(r.Stream.Offset()); known.Before(r.Now) {
		return known
	}
	return r.Now
}

// prove notes which orders a listing shows, as far as their rows could be read.
func (r *Run) prove(l *walk.Listing) {
	unread, named := l.Unread()
	if !r.Proving || l.Verdict != schema.Complete || !named {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed.Add(l.Interval)
	r.unread = append(r.unread, unread...)
}

// Proven returns what this run has listed completely, and the ids of the orders there whose rows could not be read.
func (r *Run) Proven() (listed window.Set, unread []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.listed), slices.Clone(r.unread)
}

// completed notes that this run listed all of a window.
func (r *Run) completed(start time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.complete == nil {
		r.complete = map[int64]bool{}
	}
	r.complete[start.Unix()] = true
}

// ListedAll reports whether this run listed all windows of an aligned range completely, and else why one was not, as far as
// that is known.
func (r *Run) ListedAll(iv window.Interval) (why string, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range iv.Tile(r.Window) {
		if at := w.Start.Unix(); !r.complete[at] {
			return r.incomplete[at], false
		}
	}
	return "", true
}
