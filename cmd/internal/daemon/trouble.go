package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// A daemon meets what is wrong at every run until somebody sees to it. The log tells of it by its cause: a line when it
// begins, one when it ends, with how long it took, and a reminder an hour in between; however many windows and runs it costs.

// trouble is one thing that is wrong, for one cause.
type trouble struct {
	cause string // what tells it from others of the same subject; it is the same at each run
	what  string // the cause in words, where it is not that
	attrs []any  // what a person wants to know of it
	why   string // of one of several that are wrong; empty where a run did not meet one
}

// Troubles remember what is wrong, by subject and cause.
type Troubles struct {
	log  *slog.Logger
	mu   sync.Mutex
	open map[string]map[string]*openTrouble
}

type openTrouble struct {
	since, said time.Time
	met         int    // how often, so far
	what        string // in the words in which it was told
	why         string
}

// NewTroubles returns the memory of nothing wrong. It tells of each thing once, so the log need not look for repetitions.
func NewTroubles(to slog.Handler) *Troubles {
	return &Troubles{log: slog.New(runHandler{to}), open: map[string]map[string]*openTrouble{}}
}

// now says what is wrong with a subject, all of it: what was wrong before and is not mentioned any more has ended. The
// attributes who are the subject, for people.
func (t *Troubles) now(ctx context.Context, subject string, who []any, wrong ...trouble) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.open[subject]
	t.open[subject] = map[string]*openTrouble{}
	for _, w := range wrong {
		o, known := before[w.cause]
		delete(before, w.cause)
		if !known {
			o = &openTrouble{since: time.Now(), said: time.Now(), what: cmp.Or(w.what, w.cause)}
		}
		if w.why != "" {
			o.why = w.why
		}
		attrs := append(append([]any{}, who...), w.attrs...)
		if o.why != "" {
			attrs = append(attrs, "because", o.why)
		}
		switch {
		case !known:
			t.log.ErrorContext(ctx, "something is wrong", attrs...)
		case time.Since(o.said) >= repeatEvery:
			o.said = time.Now()
			t.log.ErrorContext(ctx, "something is still wrong", append(attrs, "since", o.since.UTC(), "runs", o.met)...)
		}
		o.met++
		t.open[subject][w.cause] = o
	}
	for _, o := range before {
		t.log.InfoContext(ctx, "what was wrong has ended", append(append([]any{}, who...), "cause", o.what,
			"after", time.Since(o.since).Round(time.Second), "runs", o.met)...)
	}
}

// troublesOf are what is wrong with a stream after a run.
func troublesOf(l stream.Outcome) (wrong []trouble) {
	if l.Err != nil {
		wrong = append(wrong, troubleOf(l.Err))
	}
	for _, f := range l.Faults {
		wrong = append(wrong, trouble{cause: string(f.Verdict) + ": " + f.Cause, what: string(f.Verdict) + ": " + f.Error,
			attrs: []any{"verdict", f.Verdict, "windows", f.Windows, "first", f.First, "last", f.Last, "error", f.Error}})
	}
	for _, left := range []struct {
		n               int
		noun, what, why string
		more            []any
	}{
		{l.Waiting, "window", "left to a later run", "", nil},
		{l.Rejected, "record", "rejected", l.RejectedError, []any{"remedy", stream.ShowsWhy}},
		{l.Pending, "order", "without items", l.PendingError, []any{"remedy", stream.ShowsWhy}},
	} {
		if left.n > 0 {
			wrong = append(wrong, trouble{cause: left.noun + "s " + left.what, why: left.why,
				attrs: append([]any{"error", schema.Plural(left.n, left.noun) + " " + left.what}, left.more...)})
		}
	}
	if l.Unswept {
		const what = "the unpaid orders before the lookback could not be listed"
		wrong = append(wrong, trouble{cause: what, attrs: []any{"error", what}})
	}
	return wrong
}

// troubleOf is an error as a trouble.
func troubleOf(err error) trouble {
	t := trouble{cause: causeOf(err), attrs: []any{"error", err}}
	if !errors.As(err, new(*source.Error)) {
		t.what = err.Error()
	}
	return t
}

// causeOf is what of an error is the same at each run.
func causeOf(err error) string {
	if e, ok := errors.AsType[*source.Error](err); ok {
		return fmt.Sprintf("%s %s: %s %s", e.Vendor, e.API, e.Reason, e.Code)
	}
	return source.Cause(err.Error())
}

const (
	// silence is how long a vendor may leave all calls under way without an answer before the log says so. A call may take
	// longer; a run that says nothing for a minute looks dead.
	silence = 10 * time.Second
	// hearEvery is how often that is looked at.
	hearEvery = 2 * time.Second
)

// Listen tells of vendors that leave the calls of an account without an answer, until stop is called. callers are asked
// for each time: a reload changes them.
func (t *Troubles) Listen(callers func() map[string]*source.Caller) (stop func()) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { // ends with stop
		for {
			select {
			case <-time.After(hearEvery):
			case <-end:
				return
			}
			for account, c := range callers() {
				t.hear(account, c)
			}
		}
	})
	return func() { close(end); done.Wait() }
}

// hear looks whether the vendor of an account answers.
func (t *Troubles) hear(account string, c *source.Caller) {
	var wrong []trouble
	for _, s := range c.Silent() {
		if s.For >= silence {
			wrong = append(wrong, trouble{cause: s.API + " calls are not answered", attrs: []any{"error", "the vendor does not answer", "api", s.API,
				"calls", s.Calls, "for", s.For.Round(time.Second)}})
		}
	}
	t.now(context.Background(), "vendor of "+account, []any{"account", account}, wrong...)
}

// Slowed tells of the calls of an account that are slower than the quota allows, because something else uses it: what is said of them,
// which is empty where none are, and what helps.
func (t *Troubles) Slowed(account, says, remedy string) {
	var wrong []trouble
	if says != "" {
		wrong = append(wrong, trouble{cause: "calls are throttled", attrs: []any{"error", says, "remedy", remedy}})
	}
	t.now(context.Background(), "quota of "+account, []any{"account", account}, wrong...)
}

// mostLines is how many streams of a run have a line each. Of more, those have one that changed, and the others at the level debug.
const mostLines = 20

// Report writes one line a stream about a run of a kind, and tells what is wrong with it.
func (t *Troubles) Report(ctx context.Context, kind sink.RunKind, s stream.Summary) {
	for _, l := range s.Streams {
		attrs := []any{l.Stream.LogAttr(), "windows", windows(l), "listed", l.Listed, "changed", l.Changed,
			"items", l.Items, "list_calls", l.ListCalls, "detail_calls", l.Details}
		err := (stream.Summary{Streams: []stream.Outcome{l}}).Err()
		if ctx.Err() != nil {
			t.log.InfoContext(ctx, string(kind)+": stopped before its end", attrs...)
			continue
		}
		level := slog.LevelInfo
		if len(s.Streams) > mostLines && l.Changed == 0 && err == nil {
			level = slog.LevelDebug
		}
		t.log.Log(ctx, level, string(kind), append(attrs, "ok", err == nil)...)
		t.now(ctx, fmt.Sprint(kind, " of ", l.Stream), []any{"kind", kind, l.Stream.LogAttr()}, troublesOf(l)...)
	}
}

// turns writes one line about which of the streams of an account a run has asked, where that is not all, and tells of those that
// wait for the list quota.
func (t *Troubles) turns(ctx context.Context, account string, s stream.Summary) {
	all := len(s.Streams) + s.Quiet + s.Left
	if all < 2 || ctx.Err() != nil {
		return
	}
	who := []any{"account", account}
	if len(s.Streams) < all {
		t.log.InfoContext(ctx, "owners that were asked", append(who, "asked", len(s.Streams), "quiet", s.Quiet, "waiting", s.Left)...)
	}
	var wrong []trouble
	if s.Late > 0 { // that one run leaves some is nothing: the next one begins with them
		what, remedy := "owners wait longer than they should: the runs take too long to ask all whose turn it is, though they do not use up the list quota",
			"see why calls take so long (ordersync_api_call_duration_seconds), or the warehouse, or this machine; or raise schedule.quiet"
		if s.QuotaUsed {
			what, remedy = "owners wait longer than they should: the list quota is too small to ask all whose turn it is",
				"raise quota.list as far as the vendor allows, or schedule.quiet"
		}
		wrong = append(wrong, trouble{cause: what, attrs: []any{"error", what, "waiting", s.Late, "remedy", remedy}})
	}
	t.now(ctx, "turns of "+account, who, wrong...)
}

// windows are the counts by verdict, as a group of a log line.
func windows(l stream.Outcome) slog.Value {
	var attrs []slog.Attr
	for _, v := range []schema.Verdict{schema.Complete, schema.Open, schema.Short, schema.Failed} {
		if n := l.Windows[v]; n > 0 {
			attrs = append(attrs, slog.Int(string(v), n))
		}
	}
	return slog.GroupValue(attrs...)
}
