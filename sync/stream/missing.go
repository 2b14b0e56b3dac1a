package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// A stored order that a complete listing does not show has moved, has vanished, or the listing is wrong; no single answer says
// which. So its window is not closed by the listing that missed it. At the end of the run the window is listed again, and each
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

// missing are the stored orders that a run's listings did not show.
type missing struct {
	run        *Run
	lookedInto atomic.Int64 // how many of them

	mu       sync.Mutex
	deferred []deferred
	example  string // an order that was listed in this run
	sighted  bool   // the source has shown the detail of an order since one was missing
}

// deferred is a window that was listed completely while stored orders of it were missing.
type deferred struct {
	row     schema.Window // as the listing would have closed it
	job     Job
	missing []schema.OrderRef
}

// unlisted finds the stored orders of a complete listing's interval that it does not show. known is of that interval alone, and
// held are those of them that it shows in rows that cannot be read.
func unlisted(l walk.Listing, known, held map[string]schema.Known) []schema.OrderRef {
	if l.Verdict != schema.Complete || len(known) == 0 {
		return nil
	}
	listed := make(map[string]bool, len(l.Orders)+len(held))
	for _, o := range l.Orders {
		listed[o.OrderID] = true
	}
	for id := range held {
		listed[id] = true
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
func (m *missing) miss(ctx context.Context, l walk.Listing, missing []schema.OrderRef, t *windowCounter) error {
	var gone []string
	_, named := l.Unread()
	for _, o := range missing {
		w := t.at(o.CreateTime)
		switch {
		case !named:
			t.doubt(w, fmt.Sprintf("order %s is stored and not listed, and a listed row without an order id may be it", o.OrderID))
		case !t.job.again:
			t.missing[w.Start.Unix()] = append(t.missing[w.Start.Unix()], o)
		case t.job.repair == nil && m.lookedInto.Add(1) > mostMissing: // the second listings show even less
			t.doubt(w, fmt.Sprintf("order %s is stored and not listed, and so are more than %d others", o.OrderID, mostMissing))
		default:
			vanished, why, err := m.lookInto(ctx, l, o)
			key := m.missingKey(o)
			m.run.Memory.retries.note(key, m.run.Now, why != "")
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
	return m.remove(ctx, l, gone)
}

func (m *missing) missingKey(o schema.OrderRef) string {
	return m.run.Stream.String() + "\x00missing\x00" + o.OrderID
}

// lookInto finds out what became of an order that two listings do not show: it moves it, or says that it vanished, or why
// neither can be said. An error ends the run.
func (m *missing) lookInto(ctx context.Context, l walk.Listing, o schema.OrderRef) (vanished bool, why string, err error) {
	for range 2 {
		d, err := m.run.Stream.Source.Detail(ctx, m.run.Stream.OwnerID, o.OrderID)
		m.run.Count(func(s *Outcome) { s.Details++ })
		switch {
		case err == nil && d.Order == nil:
			return false, "its detail is there, and does not say when it was created", nil
		case err == nil && (Same(d.Order.CreateTime, o.CreateTime) || l.Contains(d.Order.CreateTime)):
			return false, "its detail is there, created at " + d.Order.CreateTime.UTC().Format(time.RFC3339), nil
		case err == nil:
			moved, err := m.run.listedAt(ctx, o.OrderID, d.Order.CreateTime)
			if err != nil {
				return false, "", err
			}
			if moved == nil {
				return false, "its detail says that it was created at " + d.Order.CreateTime.UTC().Format(time.RFC3339) + ", where it is not listed either", nil
			}
			return false, "", m.run.relocate(ctx, moved, o.CreateTime)
		case ctx.Err() != nil || source.ReasonOf(err) == source.Auth || source.ReasonOf(err) == source.Cancelled:
			return false, "", err
		case source.ReasonOf(err) != source.NotFound:
			return false, err.Error(), nil
		}
	}
	ok, err := m.witnessed(ctx, o.OrderID)
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
func (m *missing) witnessed(ctx context.Context, missing string) (bool, error) {
	m.mu.Lock()
	known, listed := m.sighted, m.example
	m.mu.Unlock()
	if known {
		return true, nil
	}
	var ids []string
	if listed != "" && listed != missing {
		ids = append(ids, listed)
	}
	at := always.Start
	for tries := 0; len(ids) < 3 && tries < 20; tries++ { // what is first may be tombstones
		first, err := m.run.Store.First(ctx, m.run.Stream.Stream, at, always.End)
		if err != nil {
			return false, err
		}
		if first.IsZero() {
			break
		}
		at = first.Add(time.Second)
		stored, err := m.run.Store.Known(ctx, m.run.Stream.Stream, first, at)
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
		_, err := m.run.Stream.Source.Detail(ctx, m.run.Stream.OwnerID, id)
		m.run.Count(func(s *Outcome) { s.Details++ })
		if err == nil {
			m.mu.Lock()
			m.sighted = true
			m.mu.Unlock()
			return true, nil
		}
		if ctx.Err() != nil || source.ReasonOf(err) == source.Auth {
			return false, err
		}
	}
	return len(ids) == 0, nil
}

// sight remembers an order that the source lists; see witnessed.
func (m *missing) sight(orderID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.example = orderID
}

func (m *missing) deferWindow(d deferred) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deferred = append(m.deferred, d)
}

// lookAgain lists the windows again in which stored orders are missing, unless there are too many of these, or they were
// asked for just recently and the source contradicted itself.
func (m *missing) lookAgain(ctx context.Context) error {
	m.mu.Lock()
	windows := m.deferred
	m.deferred = nil
	m.mu.Unlock()
	if len(windows) == 0 {
		return nil
	}
	if err := m.run.Commits.Flush(); err != nil {
		return err
	}
	slices.SortFunc(windows, func(a, b deferred) int { return a.row.Start.Compare(b.row.Start) })
	all := 0
	for _, d := range windows {
		all += len(d.missing)
	}
	var jobs []Job
	var out schema.Batch
	for _, d := range windows {
		why := ""
		switch {
		case d.job.repair != nil:
		case all > mostMissing:
			why = fmt.Sprintf("%d stored orders are not listed, such as %s; %d are missing in this run, too many to believe a listing: "+
				"if the source is well and they are really gone, verify --repair asks for each of them", len(d.missing), d.missing[0].OrderID, all)
		case !m.run.ForceRetry && !slices.ContainsFunc(d.missing, func(o schema.OrderRef) bool { return m.run.Memory.retries.due(m.missingKey(o), m.run.Now) }):
			why = fmt.Sprintf("%d stored orders are not listed, such as %s, and their details contradict that; they are asked for again later",
				len(d.missing), d.missing[0].OrderID)
		}
		if why != "" {
			w := d.row
			w.Verdict, w.Error, w.Attempts = schema.Short, why, d.job.prior[w.Start.Unix()].Attempts+1
			m.run.closed(ctx, w)
			out.Windows = append(out.Windows, w)
			continue
		}
		j := d.job
		j.Interval, j.until, j.again = window.Of(d.row), time.Time{}, true
		j.first = d.row
		jobs = append(jobs, j)
	}
	if err := m.run.Commits.Add(out); err != nil {
		return err
	}
	m.run.Progress.Plan(-len(jobs)) // they are planned already
	return m.run.listJobs(ctx, jobs)
}

// remove returns stored orders of a listing's interval, and their items, tombstones. Their history stays.
func (m *missing) remove(ctx context.Context, l walk.Listing, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	orders, err := m.run.Store.OrdersByID(ctx, m.run.Stream.Stream, l.Start, l.End, ids)
	if err != nil {
		return err
	}
	items, err := m.run.Store.ItemsByOrder(ctx, m.run.Stream.Stream, l.Start, l.End, ids)
	if err != nil {
		return err
	}
	now := m.run.clock()
	for i := range orders {
		orders[i].Deleted, orders[i].Version, orders[i].FetchedAt = true, NextVersion(orders[i].Version), now
	}
	for i := range items {
		items[i].Deleted, items[i].Version, items[i].FetchedAt = true, NextVersion(items[i].Version), now
	}
	v, err := m.run.Rejects.Look(ctx, nil, ids)
	if err != nil {
		return err
	}
	defer v.Close()
	var rejects []schema.Reject // what was unavailable of an order that is no more is not missing
	for _, id := range ids {
		rejects = append(rejects, v.resolve(id, l.Rejects, m.run.Now, schema.RejectDetail, schema.RejectItem)...)
	}
	m.run.Log.WarnContext(ctx, "the source does not have these orders any more", m.run.Stream.LogAttr(), "orders", ids)
	return m.run.Commit(schema.Batch{Orders: orders, Items: items, Rejects: rejects})
}
