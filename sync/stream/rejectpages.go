package stream

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// Retries returns, a page at a time, the orders that may be fetched again now because their details or lines were rejected:
// those of all windows for a run that somebody asked for, else those that wait longest, a bounded number.
func (o *OpenRejects) Retries(ctx context.Context, now time.Time, all bool) iter.Seq2[[]schema.OrderRef, error] {
	return func(yield func([]schema.OrderRef, error) bool) {
		if all {
			now = schema.MaxTime
		}
		o.mu.Lock()
		windows := slices.Collect(maps.Values(o.windows))
		o.mu.Unlock()
		windows = slices.DeleteFunc(windows, func(w schema.RejectWindow) bool {
			return w.Start.IsZero() || w.DueSingle.IsZero() || w.DueSingle.After(now) // without a window: it is tracked, and not stored
		})
		slices.SortFunc(windows, func(a, b schema.RejectWindow) int {
			return cmp.Or(a.DueSingle.Compare(b.DueSingle), a.Start.Compare(b.Start))
		})
		n := 0
		for _, w := range windows {
			for page, err := range o.Pages(ctx, window.At(w.Start, o.size), false, schema.RejectItem, schema.RejectDetail) {
				var refs []schema.OrderRef
				for _, j := range page {
					if j.AcceptedAt.IsZero() && !j.NextAttempt.After(now) && !j.CreateTime.IsZero() && (all || n < mostRetries) {
						refs = append(refs, schema.OrderRef{OrderID: j.OrderID, CreateTime: j.CreateTime})
						n++
					}
				}
				if !yield(refs, err) || err != nil || !all && n >= mostRetries {
					return
				}
			}
		}
	}
}

// Pages returns the rejects of some stages whose window starts in an interval, a page at a time.
func (o *OpenRejects) Pages(ctx context.Context, iv window.Interval, raw bool, stages ...string) iter.Seq2[[]schema.Reject, error] {
	return func(yield func([]schema.Reject, error) bool) {
		q := schema.RejectQuery{From: iv.Start, To: iv.End, Stages: stages, Most: RejectPage, Raw: raw}
		for {
			page, err := o.store.RejectPage(ctx, o.stream, q)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page) == 0 {
				return
			}
			q.After = page[len(page)-1].ID
			last := len(page) < q.Most
			o.mu.Lock()
			page = slices.DeleteFunc(page, func(j schema.Reject) bool {
				c := o.recent[j.ID]
				return c != nil && (c.Resolved || !iv.Contains(c.WindowStart))
			})
			o.mu.Unlock()
			if !yield(page, nil) || last {
				return
			}
		}
	}
}

// Listed counts the rows of an interval that were listed and could not become orders, beside the stored orders. The windows at
// its ends are looked through.
func (o *OpenRejects) Listed(ctx context.Context, iv window.Interval) (n int, err error) {
	o.mu.Lock()
	var starts []time.Time
	whole := iv.Align(o.size)
	for _, w := range o.windows {
		if w.List > 0 && whole.Contains(w.Start) {
			starts = append(starts, w.Start)
		}
	}
	for at := range o.touched {
		if w := time.Unix(at, 0).UTC(); whole.Contains(w) {
			starts = append(starts, w)
		}
	}
	o.mu.Unlock()
	sums, err := o.Sums(ctx, starts...)
	if err != nil {
		return 0, err
	}
	stored, err := o.Held(ctx, sums)
	if err != nil {
		return 0, err
	}
	for at, w := range sums {
		all := window.At(w.Start, o.size)
		if w.List == stored[at] || all.Clip(iv) == all {
			n += w.List - stored[at]
			continue
		}
		for page, err := range o.Pages(ctx, all, false, schema.RejectList) {
			if err != nil {
				return 0, err
			}
			held := map[string]bool{}
			if stored[at] > 0 {
				if held, err = o.held(ctx, page); err != nil {
					return 0, err
				}
			}
			for _, j := range page {
				if iv.Contains(o.placed(j)) && !held[j.OrderID] {
					n++
				}
			}
		}
	}
	return n, nil
}

// held returns, of the rejects of a window, the ids of the orders that are stored.
func (o *OpenRejects) held(ctx context.Context, rejects []schema.Reject) (map[string]bool, error) {
	row := map[string]schema.Reject{}
	for _, j := range rejects {
		row[j.OrderID] = j
	}
	stored, err := o.store.Places(ctx, o.stream.Account, slices.Collect(maps.Keys(row)))
	out := map[string]bool{}
	for _, p := range stored {
		j := row[p.OrderID]
		out[p.OrderID] = out[p.OrderID] || p.OwnerID == o.stream.OwnerID &&
			(j.CreateTime.IsZero() || o.exact(j) && o.start64(p.CreateTime) == o.start64(j.CreateTime))
	}
	return out, err
}

// gone returns the rows that resolve the exact rejects of a window that was listed completely and did not show them any more. met are
// the digests of the ids of those that it showed; only so many of them were there before.
func (o *OpenRejects) gone(ctx context.Context, start time.Time, met map[uint64]bool, before int, now time.Time) (out []schema.Reject, err error) {
	o.mu.Lock()
	w := o.windows[start.Unix()]
	o.mu.Unlock()
	if w.List-w.Loose <= before {
		return nil, nil
	}
	return o.unseen(ctx, start, now, func(j schema.Reject) bool { return o.exact(j) && !met[schema.Digest(j.ID)] })
}

// unseen resolves such rejects of listings of a window.
func (o *OpenRejects) unseen(ctx context.Context, start, now time.Time, such func(schema.Reject) bool) (out []schema.Reject, err error) {
	iv := window.At(start, o.size)
	for page, err := range o.Pages(ctx, iv, false, schema.RejectList) {
		if err != nil {
			return nil, err
		}
		for _, j := range page {
			if such(j) {
				out = append(out, o.Drop(j, now))
			}
		}
	}
	return out, nil
}

// looseWindows returns the starts of the windows with rejects of listings that are not exact; none where more of these were met
// than are remembered.
func (o *OpenRejects) looseWindows() (starts []time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.met) > mostLoose {
		return nil
	}
	for _, w := range o.windows {
		if w.Loose > 0 {
			starts = append(starts, w.Start)
		}
	}
	return starts
}

// goneLoose is gone for the rejects of a window that are not exact, of which this run has listed all places.
func (o *OpenRejects) goneLoose(ctx context.Context, start, now time.Time) (out []schema.Reject, err error) {
	return o.unseen(ctx, start, now, func(j schema.Reject) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return !o.exact(j) && !o.met[schema.Digest(j.ID)]
	})
}

// Payloads returns the rejects of a stage whose window starts in an interval, with their payloads, by order.
func (o *OpenRejects) Payloads(ctx context.Context, iv window.Interval, stage string) (map[string][]schema.Reject, error) {
	out := map[string][]schema.Reject{}
	o.mu.Lock()
	n := 0
	for _, w := range o.windows {
		if iv.Contains(w.Start) {
			n += w.List + w.Item + w.Detail
		}
	}
	o.mu.Unlock()
	if n == 0 {
		return out, nil
	}
	for page, err := range o.Pages(ctx, iv, true, stage) {
		if err != nil {
			return nil, err
		}
		for _, j := range page {
			out[j.OrderID] = append(out[j.OrderID], j)
		}
	}
	return out, nil
}

// resolveGone resolves the rejects without a place in time that this run would have met if they were still there, and corrects
// the ledger where any were resolved. Those of one window were resolved when it was closed.
func (r *Run) resolveGone(ctx context.Context) error {
	var out []schema.Reject
	for _, start := range r.Rejects.looseWindows() {
		all, err := r.listedAround(ctx, loose(start, r.Window))
		if err != nil {
			return err
		}
		if !all {
			continue
		}
		gone, err := r.Rejects.goneLoose(ctx, start, r.Now)
		if err != nil {
			return err
		}
		out = append(out, gone...)
	}
	if err := r.Commit(schema.Batch{Rejects: out}); err != nil {
		return err
	}
	return r.recount(ctx, r.Rejects.takeHealed())
}

// listedAround reports whether this run has listed all of a range completely. At its edges that may reach into windows that are
// not synced at all.
func (r *Run) listedAround(ctx context.Context, iv window.Interval) (bool, error) {
	windows := iv.Tile(r.Window)
	last := len(windows) - 1
	for i, w := range windows {
		if _, all := r.ListedAll(w); all || !w.Start.Before(r.Now) {
			continue
		}
		if i > 0 && i < last {
			return false, nil
		}
		ledger, err := r.Store.Windows(ctx, r.Stream.Stream, w.Start, w.End)
		if err != nil || len(ledger) > 0 {
			return false, err
		}
	}
	return true, nil
}

// WithList returns the starts of the windows with rejects of listings, oldest first.
func (o *OpenRejects) WithList() (out []time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.windows {
		if w.List > 0 {
			out = append(out, w.Start)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
