package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// Options say how thorough Verify is.
type Options struct {
	// Deep lists everything again and compares each list row, and compares each stored row with its raw payload. It does
	// not ask for details, but where orders cannot be listed.
	Deep bool
	// Repair lists the windows that differ again, those of earlier findings included, and looks again.
	Repair bool
}

const (
	// longestCount is the longest range whose TotalCount is asked for in one call. The vendor documents no limit; public
	// programs ask for a year at once.
	longestCount = 90 * 24 * time.Hour
)

// Verify compares the warehouse with its own ledger, which costs no call, and with the source: TotalCount of a range
// against the stored orders, halving where they differ, so that what agrees costs a call a quarter of a year, and two
// for the largest count, which may be as far as the source counts. Windows
// that are not past their allowed lateness are left out, and open ones that are while nothing after them is complete: the next run
// closes them. Where a vendor cannot list, there is nothing to count: only a deep Verify asks, for each stored order.
func (a *Audit) Verify(ctx context.Context, now, from, to time.Time, o Options, p *stream.Progress) (Report, stream.Summary, error) {
	if p == nil {
		p = new(stream.Progress)
	}
	iv := window.Interval{Start: from, End: to}.Until(now.Add(-a.lateness).Truncate(a.window)).Align(a.window)
	report := Report{From: iv.Start, To: iv.End}
	if iv.Empty() {
		return report, stream.Summary{}, nil
	}
	var mu sync.Mutex
	summary, err := a.runs.Run(ctx, now, p, func(ctx context.Context, r *stream.Run) error {
		iv := iv.Until(r.Past().Add(-a.lateness).Truncate(a.window))
		if iv.Empty() {
			return nil
		}
		r.ForceRetry = true
		r.Limit(iv)
		v := &verification{run: r, warehouse: a.store, iv: iv, Options: o, looks: new(looks)}
		before, err := Findings(ctx, a.store, r.Stream.Stream, iv.Start, iv.End)
		if err != nil {
			return err
		}
		err = v.verify(source.WithPriority(ctx, source.Verify), before)
		left, failed := conclude(ctx, a.store, r, before, v.found, v.looks, v.name())
		mu.Lock()
		defer mu.Unlock()
		report.Differences = append(append(report.Differences, v.found...), left...)
		if r.Stream.Lists() {
			n := v.compared()
			report.Windows += n
			report.LeftOut += len(iv.Tile(a.window)) - n
		}
		return errors.Join(err, failed)
	})
	report.Calls = p.ListCalls.Load() + p.Details.Load()
	return report, summary, err
}

// verification is Verify on one stream.
type verification struct {
	run       *stream.Run
	warehouse Store
	Options
	iv    window.Interval
	found []Difference
	looks *looks

	unproven []unproven
}

// name is what ends a finding, for people.
func (v *verification) name() string {
	if v.Repair {
		return "repair"
	}
	return "verification"
}

// compared counts the windows that were compared with the source. At the ends of what the ledger holds it is asked for
// less than is meant, see question.
func (v *verification) compared() int {
	n := 0
	for _, w := range v.iv.Tile(v.run.Window) {
		if v.looks.covers(ByCount, window.Interval{Start: w.Start.Add(stream.CountEdges), End: w.End.Add(-stream.CountEdges)}) {
			n++
		}
	}
	return n
}

// verify verifies; before are the findings of the interval that are open.
func (v *verification) verify(ctx context.Context, before []Difference) error {
	if !v.run.Stream.Lists() {
		return v.ask(ctx)
	}
	complete, err := v.audit(ctx)
	if err != nil {
		return err
	}
	if err := v.doubled(ctx); err != nil {
		return err
	}
	for _, all := range complete {
		v.run.Progress.Plan(len(all.Tile(v.run.Window)))
	}
	for _, all := range complete {
		if v.Deep {
			err = v.compare(ctx, all)
		} else {
			err = v.counts(ctx, all, all)
		}
		if err != nil {
			return err
		}
	}
	if v.Deep && v.run.Stream.Decoder != nil {
		if err := v.rows(ctx, v.iv); err != nil {
			return err
		}
	}
	if !v.Repair {
		return nil
	}
	if err := v.looks.narrow(ctx, v.run, before); err != nil {
		return err
	}
	for _, d := range before {
		if again := slices.ContainsFunc(v.found, func(f Difference) bool { return f.id() == d.id() }); !again && !v.looks.cover(&d) {
			v.found = append(v.found, d) // this look was not as deep: it is repaired all the same
		}
	}
	if len(v.found) == 0 {
		return nil
	}
	return v.repairAll(ctx)
}

// differ notes a difference that a look of a depth found.
func (v *verification) differ(depth Depth, iv window.Interval, d Difference) {
	d.Stream, d.Interval, d.Depth, d.filters = v.run.Stream.Stream, iv, depth, v.run.Stream.Filters.String()
	v.found = append(v.found, d)
}

// audit holds the stored rows against the ledger and returns the ranges that the ledger holds as complete.
func (v *verification) audit(ctx context.Context) (complete window.Set, err error) {
	ledger, err := v.run.Store.Windows(ctx, v.run.Stream.Stream, v.iv.Start, v.run.Now)
	if err != nil {
		return nil, err
	}
	counts, err := v.run.Store.Counts(ctx, v.run.Stream.Stream, v.run.Window, v.iv.Start, v.iv.End)
	if err != nil {
		return nil, err
	}
	known := make(map[int64]schema.Window, len(ledger))
	var newest time.Time // window that is complete
	for _, w := range ledger {
		known[w.Start.Unix()] = w
		if w.Verdict == schema.Complete && w.Start.After(newest) {
			newest = w.Start
		}
	}
	var missing window.Set
	for _, iv := range v.iv.Tile(v.run.Window) {
		w, ok := known[iv.Start.Unix()]
		c := counts[iv.Start]
		switch {
		case !ok || w.Verdict == "": // never listed, or with other filters
			missing.Add(iv)
			continue
		case w.Verdict == schema.Open && iv.Start.After(newest):
			continue // the next run closes it
		case w.Verdict != schema.Complete:
			v.differ(ByLedger, iv, Difference{Kind: Undone, Source: int(w.Listed), Stored: int(c.Stored), Note: string(w.Verdict) + ": " + w.Error})
			continue
		case w.Stored != c.Stored || w.IDDigest != c.IDDigest:
			v.differ(ByLedger, iv, Difference{Kind: Ledger, Source: int(w.Stored), Stored: int(c.Stored), Note: "the stored orders are not those that were listed"})
		case w.Items != c.Items:
			v.differ(ByLedger, iv, Difference{Kind: Ledger, Source: int(w.Stored), Stored: int(c.Stored),
				Note: fmt.Sprintf("items: %d in the ledger, %d stored", w.Items, c.Items)})
		}
		v.looks.add(ByLedger, iv)
		complete.Add(iv)
	}
	for _, iv := range missing {
		v.differ(ByLedger, iv, Difference{Kind: Missing, Note: v.neverListed()})
	}
	v.looks.audit(v.iv)
	return complete, nil
}

// neverListed says of windows that the ledger does not prove anything about them.
func (v *verification) neverListed() string {
	if f := v.run.Stream.Filters.String(); f != "" {
		return "never listed with the filters " + f + "; backfill it"
	}
	return "never listed; backfill it"
}

// doubled finds the orders that are stored with several creation times (I11). Which of them is right only the source knows.
func (v *verification) doubled(ctx context.Context) error {
	ids, err := v.run.Store.Doubled(ctx, v.run.Stream.Stream)
	if err != nil || len(ids) == 0 {
		return err
	}
	stored, err := v.run.Store.Places(ctx, v.run.Stream.Account, ids)
	if err != nil {
		return err
	}
	for _, p := range stored {
		if p.OwnerID == v.run.Stream.OwnerID && v.iv.Contains(p.CreateTime) {
			v.differ(ByLedger, window.At(p.CreateTime, v.run.Window), Difference{
				Kind: Extra, OrderID: p.OrderID, Source: 1, Stored: 2, Note: "the order is stored with more than one creation time",
			})
		}
	}
	return nil
}

// counts compares the source's TotalCount of an interval of a range with what is stored.
func (v *verification) counts(ctx context.Context, iv, all window.Interval) error {
	err := v.count(ctx, iv, all)
	for err == nil && len(v.unproven) > 0 {
		u := v.unproven[0]
		if v.unproven = v.unproven[1:]; v.run.Exact(u.Count) {
			v.counted(u.Interval, u.Count)
			continue
		}
		err = v.halve(ctx, u.Interval, all)
	}
	return err
}

// unproven is an interval whose count agrees, and may be as far as the source counts.
type unproven struct {
	window.Interval
	stream.Count
}

// count compares the source's TotalCount of an interval of a range with what is stored, and halves it where they differ. What
// may be as far as the source counts is left for later: it is halved too, unless the source names a larger count meanwhile.
func (v *verification) count(ctx context.Context, iv, all window.Interval) error {
	if iv.End.Sub(iv.Start) > longestCount {
		return v.halve(ctx, iv, all)
	}
	c, err := v.run.AskCount(ctx, iv, all)
	long := iv.End.Sub(iv.Start) > v.run.Window
	switch {
	case source.ReasonOf(err) == source.Timeout && long:
		return v.halve(ctx, iv, all)
	case err != nil:
		return err
	case c.Agrees && c.Exact:
		v.counted(iv, c)
		return nil
	case c.Agrees && long:
		v.unproven = append(v.unproven, unproven{iv, c})
		return nil
	case c.Agrees:
		return v.compare(ctx, iv) // its listing is proven
	case long:
		return v.halve(ctx, iv, all)
	}
	v.counted(iv, c)
	v.differ(ByCount, c.Asked.Clip(iv), Difference{Kind: Count, Source: c.Total, Stored: c.Stored, Note: "TotalCount of the source"})
	return nil
}

// counted notes that the count of an interval was looked at.
func (v *verification) counted(iv window.Interval, c stream.Count) {
	v.looks.add(ByCount, c.Asked.Clip(iv))
	v.run.Progress.Done.Add(int64(len(iv.Tile(v.run.Window))))
}

func (v *verification) halve(ctx context.Context, iv, all window.Interval) error {
	a, b, _ := iv.Halve(v.run.Window)
	if err := v.count(ctx, a, all); err != nil {
		return err
	}
	return v.count(ctx, b, all)
}
