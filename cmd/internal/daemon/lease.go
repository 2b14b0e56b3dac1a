package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ordersync/ordersync/sink"
)

// Of several daemons on one warehouse one works on each account, and the others stand by: what they would fetch is
// fetched already, and the quota would be spent twice. Each claims its accounts in the warehouse and renews the claims;
// the oldest live claim leads. An account has a claim of its own, because it has a quota of its own: daemons with other
// accounts do not get in its way.
//
// A claim is no lock. Two daemons may both lead for a moment: when they start in the same instant, or when one has slept
// for longer than a claim lives. That costs calls and nothing else (I3, I9), and ends with the next renewal. So a daemon
// whose claims cannot be renewed goes on: the warehouse that cannot take a claim cannot take rows either.
const (
	// leaseEvery leaves room for two renewals that fail, and for a takeover within a minute.
	leaseEvery   = 15 * time.Second
	leaseTimeout = 10 * time.Second
	// leaseConfirm is how soon a claim that has just begun to lead is looked at again: an older one may have been on its
	// way at the same time.
	leaseConfirm = time.Second
)

// errPreempted is why a run ends when another daemon turns out to lead.
var errPreempted = errors.New("another daemon works on the account")

// thisProcess begins the ids of all holders in this process, so that they are told from those of one that is gone and
// had the same process id, as the first process of a container always has.
var thisProcess = rand.Text()[:12]

// Leases are this process's claims on accounts. A process that works on none still has an identity here, for its [Claims].
type Leases struct {
	// Every is how often claims are renewed; it is changed before the start, by tests.
	Every    time.Duration
	log      *slog.Logger
	accounts []string
	holder   string
	host     string
	mu       sync.Mutex        // guards accounts and claims
	claims   map[string]*claim // by account
}

// claim is what is known of one account's claim.
type claim struct {
	leads  sink.Lease              // as of the last renewal; the zero value before the first
	gained chan struct{}           // holds one when the account came to be led by this daemon: a run is due
	cancel context.CancelCauseFunc // of the run under way; nil where there is none
}

// NewLeases returns leases on accounts that are not claimed yet.
func NewLeases(log *slog.Logger, accounts []string) *Leases {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	l := &Leases{log: log, holder: thisProcess + "-" + rand.Text()[:12], host: host, Every: leaseEvery, claims: map[string]*claim{}}
	l.set(accounts)
	return l
}

// set says which accounts are claimed from now on. The claim of one that is not any more ends by itself, as nobody renews it.
// No run may be under way.
func (l *Leases) set(accounts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.claims {
		if !slices.Contains(accounts, name) {
			delete(l.claims, name)
		}
	}
	for _, name := range accounts {
		if l.claims[name] == nil {
			l.claims[name] = &claim{gained: make(chan struct{}, 1)}
		}
	}
	l.accounts = accounts
}

// claimed are the accounts that are claimed.
func (l *Leases) claimed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accounts
}

// process says for people, and for other daemons of this machine, where this one runs.
func (l *Leases) process() string { return fmt.Sprintf("%s:%d", l.host, os.Getpid()) }

// start claims the accounts and keeps renewing the claims. The end releases them; call it when no run is under way.
func (l *Leases) start(ctx context.Context, s *sink.Sink) (end func(context.Context) error, err error) {
	if _, err := l.renew(ctx, s); err != nil {
		return nil, err
	}
	heartbeats, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	renewing.Go(func() { // ends with end
		wait := min(leaseConfirm, l.Every)
		for {
			select {
			case <-time.After(wait):
			case <-heartbeats.Done():
				return
			}
			wait = l.Every
			// The end waits for a renewal under way: the server may carry out one that was called off after the release.
			gained, err := l.renew(context.WithoutCancel(ctx), s)
			if err != nil && heartbeats.Err() == nil {
				l.log.Debug("the claims on the accounts could not be renewed", "error", err) // the scheduled runs say it where it lasts
			}
			if gained {
				wait = min(leaseConfirm, l.Every)
			}
		}
	})
	return func(ctx context.Context) error {
		cancel()
		renewing.Wait()
		return s.ReleaseLeases(ctx, l.holder)
	}, nil
}

// reclaim releases the stale claims of processes of this machine that are gone, so that a daemon that crashed and is started again
// works at once, and one that stands by beside it takes over at its next renewal. Where host names lie, a live daemon may
// lose its claims by that: it then stands by.
func (l *Leases) reclaim(ctx context.Context, s *sink.Sink) error {
	leads, err := s.Leases(ctx)
	if err != nil {
		return err
	}
	for _, x := range leads {
		if !l.gone(x.Holder, x.Process) {
			continue
		}
		if err := s.ReleaseLeases(ctx, x.Holder); err != nil {
			return err
		}
	}
	return nil
}

// gone reports whether a holder was a process of this machine that is gone.
func (l *Leases) gone(holder, process string) bool {
	var pid int
	at, found := strings.CutPrefix(process, l.host+":")
	if _, err := fmt.Sscan(at, &pid); !found || err != nil || strings.HasPrefix(holder, thisProcess) {
		return false
	}
	if pid == os.Getpid() {
		return true
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(syscall.Signal(0))
	}
	return errors.Is(err, os.ErrProcessDone)
}

// renew renews the claims, and reports whether this daemon has come to lead an account.
func (l *Leases) renew(ctx context.Context, s *sink.Sink) (gained bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if err := l.reclaim(ctx, s); err != nil {
		return false, err
	}
	leads, err := s.ClaimLeases(ctx, l.holder, l.process(), l.claimed())
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, c := range l.claims {
		before := c.leads
		c.leads = leads[name]
		switch {
		case c.leads.Holder == before.Holder:
		case c.leads.Holder != l.holder:
			l.log.Warn("standing by: another daemon works on the account", "account", name, "daemon", c.leads.Process, "since", c.leads.Since)
			if c.cancel != nil {
				c.cancel(errPreempted)
			}
		case before.Holder != "": // else it is the first claim, and the first run comes anyway
			l.log.Info("the daemon that worked on the account is gone: this one takes over", "account", name, "before", before.Process)
			gained = true
			select {
			case c.gained <- struct{}{}:
			default:
			}
		}
	}
	return gained, nil
}

// Leads reports whether this daemon works on an account.
func (l *Leases) Leads(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[name]
	return c != nil && c.leads.Holder == l.holder
}

// LeadsAny reports whether this daemon works on any account.
func (l *Leases) LeadsAny() bool { return slices.ContainsFunc(l.claimed(), l.Leads) }

// gained tells that an account came to be led by this daemon.
func (l *Leases) gained(name string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claims[name].gained
}

// run returns the context of a run, which ends when another daemon turns out to lead the account. done must be called.
func (l *Leases) run(ctx context.Context, name string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[name]
	c.cancel = cancel
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		c.cancel = nil
		cancel(nil)
	}
}

// Ready is what /readyz says: a daemon that stands by is ready for that, and must not be held for one that failed.
func (l *Leases) Ready() string {
	away := slices.DeleteFunc(slices.Clone(l.claimed()), l.Leads)
	if len(away) == 0 {
		return "ok"
	}
	return "standing by: another daemon works on " + strings.Join(away, ", ")
}

// WarnOfDaemons warns that a daemon works on the accounts that a verb is about to work on.
func (l *Leases) WarnOfDaemons(ctx context.Context, s *sink.Sink) {
	leads, err := s.Leases(ctx)
	if err != nil {
		return // only a hint is lost
	}
	for _, name := range l.claimed() {
		if x, ok := leads[name]; ok && x.Holder != l.holder {
			l.log.WarnContext(ctx, "a daemon works on the account, too: the two share its quota, and each is slower", "account", name, "daemon", x.Process)
		}
	}
}
