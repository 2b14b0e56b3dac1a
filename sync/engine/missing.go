package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// A stored order that a whole listing does not show has moved, has vanished, or the listing is wrong; no single answer says
// which. So its window is not closed by the walk that missed it. At the end of the walk the window is listed again, and each
// order that is still missing is asked for by its id:
//
//   - the source knows it with another creation time, and lists it there: it moves;
//   - the source says twice that there is no such order, and shows another one: it gets a tombstone, and so do its items;
//   - anything else is a contradiction: the window is short, and says why.
//
// A source that suddenly lists nothing must not empty the warehouse, nor be asked for thousands of orders: where more than
// mostMissing are missing in one run nothing is concluded, and all their windows are short, until somebody asks for a repair.

// mostMissing is how many missing orders a run asks for.
const mostMissing = 50

// deferred is a window that was listed whole while stored orders of it were missing.
type deferred struct {
	row     schema.Window // as the walk would have closed it
	job     job
	missing []schema.OrderRef
}

// unlisted finds the stored orders of a whole listing's interval that it does not show. known is of that interval alone.
func unlisted(l walk.Listing, known map[string]schema.Known) []schema.OrderRef {
	if l.Verdict != schema.Complete || len(known) == 0 {
		return nil
	}
	listed := make(map[string]bool, len(l.Orders)+len(l.Rejects))
	for _, o := range l.Orders {
		listed[o.OrderID] = true
	}
	for i := range l.Rejects {
		listed[l.Rejects[i].OrderID] = true
	}
	var out []schema.OrderRef
	for id, k := range known {
		if !listed[id] {
			out = append(out, schema.OrderRef{OrderID: id, CreateTime: k.CreateTime})
		}
	}
	return out
}

// miss deals with the stored orders that a listing does not show.
func (r *streamRun) miss(ctx context.Context, l walk.Listing, missing []schema.OrderRef, t *tally) error {
	var gone []string
	_, named := l.Unread()
	for _, o := range missing {
		w := t.at(o.CreateTime)
		switch {
		case !named:
			t.doubt(w, fmt.Sprintf("order %s is stored and not listed, and a listed row without an order id may be it", o.OrderID))
		case !t.job.again:
			t.missing[w.Start.Unix()] = append(t.missing[w.Start.Unix()], o)
		case t.job.repair == nil && r.lookedInto.Add(1) > mostMissing: // the second listings show even less
			t.doubt(w, fmt.Sprintf("order %s is stored and not listed, and so are more than %d others", o.OrderID, mostMissing))
		default:
			vanished, why, err := r.lookInto(ctx, l, o)
			key := r.missingKey(o)
			r.memory.retries.note(key, r.now, why != "")
			switch {
			case err != nil:
				return err
			case why != "":
				t.doubt(w, fmt.Sprintf("order %s is stored and not listed: %s", o.OrderID, why))
			case vanished:
				gone = append(gone, o.OrderID)
			}
		}
	}
	return r.remove(ctx, l, gone)
}

func (r *streamRun) missingKey(o schema.OrderRef) string {
	return r.stream.String() + "\x00missing\x00" + o.OrderID
}

// lookInto finds out what became of an order that two listings do not show: it moves it, or says that it vanished, or why
// neither can be said. An error ends the run.
func (r *streamRun) lookInto(ctx context.Context, l walk.Listing, o schema.OrderRef) (vanished bool, why string, err error) {
	for range 2 {
		d, err := r.stream.Source.Detail(ctx, r.stream.OwnerID, o.OrderID)
		r.sumUp(func(s *StreamSummary) { s.Details++ })
		switch {
		case err == nil && d.Order == nil:
			return false, "its detail is there, and does not say when it was created", nil
		case err == nil && (same(d.Order.CreateTime, o.CreateTime) || l.Contains(d.Order.CreateTime)):
			return false, "its detail is there, created at " + d.Order.CreateTime.UTC().Format(time.RFC3339), nil
		case err == nil:
			moved, err := r.listedAt(ctx, o.OrderID, d.Order.CreateTime)
			if err != nil {
				return false, "", err
			}
			if moved == nil {
				return false, "its detail says that it was created at " + d.Order.CreateTime.UTC().Format(time.RFC3339) + ", where it is not listed either", nil
			}
			return false, "", r.relocate(ctx, moved, o.CreateTime)
		case ctx.Err() != nil || source.ReasonOf(err) == source.Auth || source.ReasonOf(err) == source.Cancelled:
			return false, "", err
		case source.ReasonOf(err) != source.NotFound:
			return false, err.Error(), nil
		}
	}
	ok, err := r.witnessed(ctx, o.OrderID)
	if err != nil {
		return false, "", err
	}
	if !ok {
		return false, "the source does not know it, nor any other stored order that it was asked for; check the site and the account's permissions", nil
	}
	return true, "", nil
}

// witnessed reports whether the source shows the detail of another order: one that was listed in this run, or else one of
// the stored ones. A source that does not know any order, as one of the wrong site, says nothing about one. Where no other
// order is stored there is nobody to ask.
func (r *streamRun) witnessed(ctx context.Context, missing string) (bool, error) {
	r.mu.Lock()
	known, listed := r.sighted, r.example
	r.mu.Unlock()
	if known {
		return true, nil
	}
	var ids []string
	if listed != "" && listed != missing {
		ids = append(ids, listed)
	}
	at := always.Start
	for tries := 0; len(ids) < 3 && tries < 20; tries++ { // what is first may be tombstones
		first, err := r.store.First(ctx, r.stream.Stream, at, always.End)
		if err != nil {
			return false, err
		}
		if first.IsZero() {
			break
		}
		at = first.Add(time.Second)
		stored, err := r.store.Known(ctx, r.stream.Stream, first, at)
		if err != nil {
			return false, err
		}
		for id := range stored {
			if id != missing {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids[:min(len(ids), 3)] {
		_, err := r.stream.Source.Detail(ctx, r.stream.OwnerID, id)
		r.sumUp(func(s *StreamSummary) { s.Details++ })
		if err == nil {
			r.mu.Lock()
			r.sighted = true
			r.mu.Unlock()
			return true, nil
		}
		if ctx.Err() != nil || source.ReasonOf(err) == source.Auth {
			return false, err
		}
	}
	return len(ids) == 0, nil
}

func (r *streamRun) deferWindow(d deferred) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deferred = append(r.deferred, d)
}

// lookAgain walks the windows again in which stored orders are missing, unless there are too many of these, or they were
// asked for just recently and the source contradicted itself.
func (r *streamRun) lookAgain(ctx context.Context) error {
	r.mu.Lock()
	windows := r.deferred
	r.deferred = nil
	r.mu.Unlock()
	if len(windows) == 0 {
		return nil
	}
	if err := r.commits.flush(); err != nil {
		return err
	}
	slices.SortFunc(windows, func(a, b deferred) int { return a.row.Start.Compare(b.row.Start) })
	all := 0
	for _, d := range windows {
		all += len(d.missing)
	}
	var jobs []job
	var out schema.Batch
	for _, d := range windows {
		why := ""
		switch {
		case d.job.repair != nil:
		case all > mostMissing:
			why = fmt.Sprintf("%d stored orders are not listed, such as %s; %d are missing in this run, too many to believe a listing: "+
				"if the source is well and they are really gone, verify --repair asks for each of them", len(d.missing), d.missing[0].OrderID, all)
		case !r.eager && !slices.ContainsFunc(d.missing, func(o schema.OrderRef) bool { return r.memory.retries.due(r.missingKey(o), r.now) }):
			why = fmt.Sprintf("%d stored orders are not listed, such as %s, and their details contradict that; they are asked for again later",
				len(d.missing), d.missing[0].OrderID)
		}
		if why != "" {
			w := d.row
			w.Verdict, w.Error, w.Attempts = schema.Short, why, d.job.prior[w.Start.Unix()].Attempts+1
			r.closed(ctx, w)
			out.Windows = append(out.Windows, w)
			continue
		}
		j := d.job
		j.Interval, j.until, j.again = window.Interval{Start: d.row.Start, End: d.row.End}, time.Time{}, true
		j.first = d.row
		jobs = append(jobs, j)
	}
	if err := r.commits.add(out); err != nil {
		return err
	}
	r.progress.plan(-len(jobs)) // they are planned already
	return r.spans(ctx, jobs)
}
