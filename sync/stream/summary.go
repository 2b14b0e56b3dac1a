package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Outcome is what a run did to one stream.
type Outcome struct {
	schema.Stream
	ByID      bool // its orders cannot be listed, so it has no windows
	Windows   map[schema.Verdict]int
	Listed    int
	Changed   int // orders that were new or changed
	Items     int
	ListCalls int
	Details   int
	Rechecked int // orders whose detail was fetched again because it may have come too early

	// What is not complete at the end of the run, within what it was asked for; of a scheduled run, anywhere in the stream. What an
	// operator has accepted is left out.
	Rejected int   // records that are not rows
	Pending  int   // orders without their detail
	Waiting  int   // windows that are to be listed again and were not listed in this run, beside those in Windows
	Unswept  bool  // whether unpaid orders before the lookback have moved on could not be found out
	Err      error // why the stream's run ended early
	// Why a record is no row, and an order without its detail: one of those that this run has met. Empty where it met none of them.
	RejectedError, PendingError string

	Faults []Fault // why windows are short or failed
}

// Fault is one cause for which windows of a run are short or failed: a vendor that is away has one, however many windows that
// costs.
type Fault struct {
	Verdict     schema.Verdict
	Cause       string // what tells it from others; the same at each run
	Error       string // of the window that met it first
	Windows     int
	First, Last time.Time // starts of the earliest and the latest of the windows
}

// fault counts a window that is short or failed.
func (s *Outcome) fault(w schema.Window) {
	cause := source.Cause(w.Error)
	i := slices.IndexFunc(s.Faults, func(f Fault) bool { return f.Verdict == w.Verdict && f.Cause == cause })
	if i < 0 {
		s.Faults = append(s.Faults, Fault{w.Verdict, cause, w.Error, 1, w.Start, w.Start})
		return
	}
	f := &s.Faults[i]
	f.Windows++
	if w.Start.Before(f.First) {
		f.First = w.Start
	}
	if w.Start.After(f.Last) {
		f.Last = w.Start
	}
}

// Summary is what a run did.
type Summary struct {
	Started time.Time
	Streams []Outcome
	// A scheduled run does not ask each of many streams: it was not the turn of those that are quiet, and there was no time for those
	// that are left. Unasked is what is left undone of both.
	Quiet, Left int
	Unasked     []Outcome
	// Late are those of the left that the run before had left, too, and QuotaUsed says that it is for want of list quota that streams are left.
	Late      int
	QuotaUsed bool
}

// Err says in one error what the run left undone; nil for a run that lost nothing (I8).
func (s Summary) Err() error {
	var errs []error
	for _, l := range slices.Concat(s.Streams, s.Unasked) {
		if err := l.err(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s Outcome) err() error {
	var undone []string
	for _, v := range []schema.Verdict{schema.Short, schema.Failed} {
		if n := s.Windows[v]; n > 0 {
			undone = append(undone, schema.Plural(n, "window")+" "+string(v))
		}
	}
	if s.Waiting > 0 {
		undone = append(undone, schema.Plural(s.Waiting, "window")+" to be listed by a later run")
	}
	if s.Rejected > 0 {
		undone = append(undone, schema.Plural(s.Rejected, "record")+" rejected")
	}
	if s.Pending > 0 {
		undone = append(undone, schema.Plural(s.Pending, "order")+" without items")
	}
	if s.Unswept {
		undone = append(undone, "the unpaid orders before the lookback could not be listed")
	}
	switch {
	case s.Err != nil:
		return fmt.Errorf("%s: %w", s.Stream, s.Err)
	case len(undone) > 0:
		return fmt.Errorf("%s: %s%s", s.Stream, strings.Join(undone, ", "), s.because())
	}
	return nil
}

// rejected notes why a record that is not a row is none, of the first one that the run meets.
func (s *Outcome) rejected(j *schema.Reject) {
	why := &s.RejectedError
	if j.Stage == schema.RejectDetail {
		why = &s.PendingError
	}
	if *why == "" {
		*why = j.Message
	}
}

// Why says of each stream that has records which are no rows, or orders without their details, why that is so of one of them. It is
// no part of Err, which the history keeps: they may be healed or accepted any time, and the warehouse knows of each.
func (s Summary) Why() error {
	var errs []error
	for _, l := range s.Streams {
		switch why := cmp.Or(l.PendingError, l.RejectedError); {
		case l.Rejected+l.Pending == 0:
		case why == "":
			errs = append(errs, fmt.Errorf("%s: %s", l.Stream, ShowsWhy))
		default:
			errs = append(errs, fmt.Errorf("%s, one of them: %s", l.Stream, why))
		}
	}
	return errors.Join(errs...)
}

// because says why most of the windows that are short or failed are, in the words of one of them; failed ones come first.
func (s Outcome) because() string {
	if len(s.Faults) == 0 {
		return ""
	}
	worst := slices.MaxFunc(s.Faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(string(b.Verdict), string(a.Verdict)), a.Windows-b.Windows) // failed is before short
	})
	return ", because: " + worst.Error
}

// ShowsWhy is what to do where a run does not know why records are no rows, as it did not meet them.
const ShowsWhy = "`ordersync rejects` shows each with its reason"

// Count changes the stream's summary; ranges run side by side.
func (r *Run) Count(change func(*Outcome)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.sum)
}

// Summary ends the stream's run. What is open is counted here, once, of what the warehouse holds: a record can be met several
// times in a run, and be healed after it was met. A run that was stopped counts as well.
func (r *Run) Summary(ctx context.Context, err error) Outcome {
	late, end := Late(ctx)
	defer end()
	rejected, pending, failed := r.left(late)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && failed != nil {
		err = fmt.Errorf("count what is left: %w", failed)
	}
	r.sum.Stream, r.sum.ByID, r.sum.Err = r.Stream.Stream, !r.Stream.Lists(), err
	r.sum.Rejected += rejected
	r.sum.Pending += pending
	return r.sum
}

// left counts the open rejects of what the run was asked to bring in order: records that are not rows, and orders without their
// detail.
func (r *Run) left(ctx context.Context) (rejected, pending int, err error) {
	switch {
	case r.Asked != nil:
		if err := r.Rejects.write(); err != nil {
			return 0, 0, err
		}
		v, err := r.Rejects.Look(ctx, nil, slices.Collect(maps.Keys(r.Asked)))
		if err != nil {
			return 0, 0, err
		}
		defer v.Close()
		for id := range r.Asked {
			for _, j := range v.of(id, schema.RejectList, schema.RejectItem, schema.RejectDetail) {
				switch {
				case !j.AcceptedAt.IsZero():
				case j.Stage == schema.RejectDetail:
					pending++
				default:
					rejected++
				}
			}
		}
		return rejected, pending, nil
	case r.limited:
		return r.Rejects.left(ctx, &r.Scope)
	}
	return r.Rejects.left(ctx, nil) // a scheduled run is to bring all in order
}

// closed takes a window into the summary. Its line is for who looks for one window: a run has a line a stream, and one for each
// cause of what is wrong, since a gap of years has thousands of windows.
func (r *Run) closed(ctx context.Context, w schema.Window) {
	r.Progress.Done.Add(1)
	r.Progress.Orders.Add(int64(w.Listed))
	r.Count(func(s *Outcome) {
		if s.Windows == nil {
			s.Windows = map[schema.Verdict]int{}
		}
		s.Windows[w.Verdict]++
		if w.Verdict == schema.Short || w.Verdict == schema.Failed {
			if r.incomplete == nil {
				r.incomplete = map[int64]string{}
			}
			r.incomplete[w.Start.Unix()] = string(w.Verdict) + ": " + w.Error
			s.fault(w)
		}
		s.Listed += int(w.Listed)
		s.ListCalls += int(w.ListCalls)
		s.Details += int(w.DetailCalls)
	})
	attrs := []any{r.Stream.LogAttr(), "start", w.Start, "verdict", w.Verdict, "listed", w.Listed, "stored", w.Stored, "items", w.Items,
		"rejected", w.Rejected, "pending", w.Pending, "list_calls", w.ListCalls, "detail_calls", w.DetailCalls}
	if w.Error != "" {
		attrs = append(attrs, "error", w.Error)
	}
	r.Log.DebugContext(ctx, "window", attrs...)
}
