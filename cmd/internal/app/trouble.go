package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
)

// A daemon meets what is wrong at every run until somebody sees to it. The log tells of it by its cause: a line when it
// begins, one when it ends, with how long it took, and a reminder an hour in between; however many windows and runs it costs.

// trouble is one thing that is wrong, for one cause.
type trouble struct {
	cause string // what tells it from others of the same subject; it is the same at each run
	attrs []any  // what a person wants to know of it
}

// troubles remembers what is wrong, by subject and cause.
type troubles struct {
	log  *slog.Logger
	mu   sync.Mutex
	open map[string]map[string]*openTrouble
}

type openTrouble struct {
	since, said time.Time
	met         int // how often, so far
}

func newTroubles(log *slog.Logger) *troubles {
	return &troubles{log: log, open: map[string]map[string]*openTrouble{}}
}

// now says what is wrong with a subject, all of it: what was wrong before and is not mentioned any more has ended. The
// attributes who are the subject, for people.
func (t *troubles) now(ctx context.Context, subject string, who []any, wrong ...trouble) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.open[subject]
	t.open[subject] = map[string]*openTrouble{}
	for _, w := range wrong {
		o, known := before[w.cause]
		delete(before, w.cause)
		attrs := append(append([]any{}, who...), w.attrs...)
		switch {
		case !known:
			o = &openTrouble{since: time.Now(), said: time.Now()}
			t.log.ErrorContext(ctx, "something is wrong", attrs...)
		case time.Since(o.said) >= repeatEvery:
			o.said = time.Now()
			t.log.ErrorContext(ctx, "something is still wrong", append(attrs, "since", o.since.UTC(), "runs", o.met)...)
		}
		o.met++
		t.open[subject][w.cause] = o
	}
	for cause, o := range before {
		t.log.InfoContext(ctx, "what was wrong has ended", append(append([]any{}, who...), "cause", cause,
			"after", time.Since(o.since).Round(time.Second), "runs", o.met)...)
	}
}

// troublesOf are what is wrong with a stream after a run.
func troublesOf(l engine.StreamSummary) (wrong []trouble) {
	if l.Err != nil {
		wrong = append(wrong, trouble{causeOf(l.Err), []any{"error", l.Err}})
	}
	for _, f := range l.Faults {
		wrong = append(wrong, trouble{string(f.Verdict) + ": " + f.Cause,
			[]any{"verdict", f.Verdict, "windows", f.Windows, "first", f.First, "last", f.Last, "error", f.Error}})
	}
	for _, left := range []struct {
		n    int
		what string
	}{
		{l.Waiting, "windows are left to a later run"},
		{l.Rejected, "records are rejected"},
		{l.Pending, "orders are without their items"},
	} {
		if left.n > 0 {
			wrong = append(wrong, trouble{left.what, []any{"error", fmt.Sprint(left.n, " ", left.what)}})
		}
	}
	if l.Unswept {
		const what = "the unpaid orders before the lookback could not be listed"
		wrong = append(wrong, trouble{what, []any{"error", what}})
	}
	return wrong
}

// causeOf is what of an error is the same at each run.
func causeOf(err error) string {
	if e, ok := errors.AsType[*source.Error](err); ok {
		return fmt.Sprintf("%s %s: %s %s", e.Vendor, e.API, e.Reason, e.Code)
	}
	return engine.Cause(err.Error())
}

const (
	// silence is how long a vendor may leave all calls under way without an answer before the log says so. A call may take
	// longer; a run that says nothing for a minute looks dead.
	silence = 10 * time.Second
	// hearEvery is how often that is looked at.
	hearEvery = 2 * time.Second
)

// listen tells of vendors that leave the calls of an account without an answer, until stop is called.
func (a *App) listen() (stop func()) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { // ends with stop
		for {
			select {
			case <-time.After(hearEvery):
			case <-end:
				return
			}
			a.swap.RLock()
			logins := a.logins
			a.swap.RUnlock()
			for _, l := range logins {
				if l.caller != nil {
					a.hear(l)
				}
			}
		}
	})
	return func() { close(end); done.Wait() }
}

// hear looks whether the vendor of an account answers.
func (a *App) hear(l *login) {
	var wrong []trouble
	for _, s := range l.caller.Silent() {
		if s.For >= silence {
			wrong = append(wrong, trouble{s.API + " calls are not answered", []any{"error", "the vendor does not answer", "api", s.API,
				"calls", s.Calls, "for", s.For.Round(time.Second)}})
		}
	}
	a.troubles.now(context.Background(), "vendor of "+l.name, []any{"account", l.name}, wrong...)
}
