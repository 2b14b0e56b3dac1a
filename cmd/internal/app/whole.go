package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// Lacks returns, for each of some ranges in the order of time, what of it is not known of the expected streams, and how that is
// cured; nil for a range that is whole. What an operator accepted is known.
func (w *Warehouse) Lacks(ctx context.Context, expected []status.Expected, ranges ...window.Interval) ([][]error, error) {
	out := make([][]error, len(ranges))
	rejects, err := w.ListRejects(ctx)
	if err != nil || len(ranges) == 0 {
		return out, err
	}
	unresolved := map[schema.Stream][]schema.Reject{}
	for _, r := range rejects {
		if !r.Resolved {
			unresolved[r.Key()] = append(unresolved[r.Key()], r)
		}
	}
	all, err := w.AllOpenFindings(ctx)
	if err != nil {
		return nil, err
	}
	findings := map[schema.Stream][]schema.Finding{}
	for _, f := range all {
		findings[f.Key()] = append(findings[f.Key()], f)
	}
	for _, e := range expected {
		var windows []schema.Window
		if !e.ByID { // of orders that cannot be listed nobody knows what is missing
			const longest = 24 * time.Hour // of a window, which may begin before the range
			windows, err = w.Narrowed(e.Filters).Windows(ctx, e.Stream, ranges[0].Start.Add(-longest), ranges[len(ranges)-1].End)
			if err != nil {
				return nil, err
			}
		}
		for i, iv := range ranges {
			accepted, more := lacksRecords(e.Stream, iv, unresolved[e.Key()], findings[e.Key()])
			out[i] = append(out[i], more...)
			if !e.ByID {
				out[i] = append(out[i], lacksWindows(e.Stream, iv, windows, accepted)...)
			}
		}
	}
	return out, nil
}

// lacksRecords says which records of a stream are no rows, and what a verification found; and counts the orders of which an
// operator accepted that their details are missing.
func lacksRecords(stream schema.Stream, iv window.Interval, rejects []schema.Reject, findings []schema.Finding) (accepted int, out []error) {
	open := 0
	for _, r := range rejects {
		at := r.CreateTime
		if at.IsZero() {
			at = r.WindowStart
		}
		switch inside := at.IsZero() || iv.Contains(at); {
		case !inside:
		case r.AcceptedAt.IsZero():
			open++
		case r.Stage == schema.RejectDetail:
			accepted++
		}
	}
	if open > 0 {
		out = append(out, fmt.Errorf("%s: %s could not be stored: `ordersync rejects --account %s` shows what and why",
			stream, schema.Plural(open, "record"), stream.Account))
	}
	findings = slices.DeleteFunc(slices.Clone(findings), func(f schema.Finding) bool { return !f.Start.Before(iv.End) || !f.End.After(iv.Start) })
	if n := len(findings); n > 0 {
		out = append(out, fmt.Errorf("%s: %s from the source that a verification found: run `ordersync verify --repair --from %s --to %s --account %s`",
			stream, schema.Plural(n, "difference"), rfc3339(iv.Start), rfc3339(iv.End), stream.Account))
	}
	return accepted, out
}

// lacksWindows says which windows of a stream the ledger does not hold as complete (I12), and which details are missing beside
// those that were accepted.
func lacksWindows(stream schema.Stream, iv window.Interval, windows []schema.Window, accepted int) (out []error) {
	var lacking window.Interval // from the first to the last place that is not complete
	why := ""
	lacks := func(part window.Interval, reason string) {
		if !part.Empty() && why == "" {
			why = reason
		}
		lacking = lacking.Extend(part)
	}
	pending := -accepted
	at := iv.Start
	for _, w := range windows {
		part := window.Interval{Start: w.Start, End: w.End}.Clip(iv)
		if part.Empty() {
			continue
		}
		lacks(window.Interval{Start: at, End: part.Start}, "missing")
		switch {
		case w.Verdict == "":
			lacks(part, "listed with other filters")
		case w.Verdict != schema.Complete:
			lacks(part, string(w.Verdict))
		}
		pending += int(w.Pending)
		at = part.End
	}
	lacks(window.Interval{Start: at, End: iv.End}, "missing")
	if !lacking.Empty() {
		out = append(out, fmt.Errorf("%s: the window of %s is %s: run `ordersync backfill --from %[2]s --to %[4]s --account %[5]s`, which lists what is not complete",
			stream, rfc3339(lacking.Start), why, rfc3339(lacking.End), stream.Account))
	}
	if pending > 0 {
		out = append(out, fmt.Errorf("%s: the details of %s are not there yet: run `ordersync backfill --from %s --to %s --account %s`, or wait for the daemon",
			stream, schema.Plural(pending, "order"), rfc3339(iv.Start), rfc3339(iv.End), stream.Account))
	}
	return out
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
