package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// refresh brings single orders up to date that no due window shows: those whose detail is still missing, and those that
// are stored as unpaid, are older than the lookback, and have moved on. It costs one listing of the unpaid orders and one
// detail call for each such order, whatever the number of orders.
func (e *Engine) refresh(ctx context.Context, r *streamRun, live window.Interval) error {
	var due []schema.OrderRef
	add := func(some []schema.OrderRef) error { // many are fetched a part at a time
		if due = append(due, some...); len(due) < rejectPage {
			return nil
		}
		refs := due
		due = nil
		return r.fetch(ctx, refs)
	}
	if err := r.open.retries(ctx, r.now, r.eager, add); err != nil {
		return err
	}
	for after := (schema.OrderRef{}); ; {
		pending, err := e.store.Pending(ctx, r.stream.Stream, after, rejectPage)
		if err != nil {
			return err
		}
		if len(pending) > 0 {
			after = pending[len(pending)-1]
		}
		last := len(pending) < rejectPage
		if err := add(pending); err != nil {
			return err
		}
		if last {
			break
		}
	}
	tracked, err := e.unsettled(ctx, r, live)
	if err != nil {
		return err
	}
	var moved []schema.OrderRef
	if r.stream.Lists() {
		moved, err = e.sweep(ctx, r, window.Interval{Start: r.now.Add(-e.Sweep).Truncate(time.Second), End: live.Start})
		if err != nil {
			return err
		}
	}
	return r.fetch(ctx, slices.Concat(due, tracked, moved))
}

// sweep finds the orders of an interval that are stored as unpaid and are not listed as unpaid any more.
func (e *Engine) sweep(ctx context.Context, r *streamRun, iv window.Interval) ([]schema.OrderRef, error) {
	if iv.Empty() {
		return nil, nil
	}
	stored, err := e.store.Unpaid(ctx, r.stream.Stream, iv.Start, iv.End)
	if err != nil || len(stored) == 0 {
		return nil, err // nothing can have moved on: not even the listing is needed
	}
	if !r.stream.Source.CanFilterStatus() {
		return e.sweepWhole(ctx, r, iv, stored)
	}
	w := r.walker()
	w.PaymentStatus = "Unpaid"
	unpaid, whole := map[string]bool{}, true
	for l, err := range w.Walk(ctx, iv) {
		if err != nil {
			return nil, err
		}
		r.sumUp(func(s *StreamSummary) { s.ListCalls += l.Calls })
		r.progress.ListCalls.Add(int64(l.Calls))
		whole = whole && l.Verdict == schema.Complete
		for _, o := range l.Orders {
			unpaid[o.OrderID] = true
		}
		for i := range l.Rejects { // a row that cannot be read is of an unpaid order all the same
			unpaid[l.Rejects[i].OrderID] = true
		}
	}
	if !whole {
		// An order that is absent from half a listing has not moved on; the next tick sweeps again.
		r.log.WarnContext(ctx, "the listing of unpaid orders is not whole, so nothing is concluded from it", r.stream.LogAttr())
		r.sumUp(func(s *StreamSummary) { s.Unswept = true })
		return nil, nil
	}
	var moved []schema.OrderRef
	for _, o := range stored {
		if !unpaid[o.OrderID] && r.memory.retries.due(r.stream.String()+"\x00"+o.OrderID, r.now) {
			moved = append(moved, o)
		}
	}
	return moved, nil
}

// sweepWhole is the sweep of a vendor whose listing cannot be narrowed to the unpaid orders. They are asked for one by
// one, unless listing all orders of the interval again costs less; then only those that changed are asked for.
func (e *Engine) sweepWhole(ctx context.Context, r *streamRun, iv window.Interval, unpaid []schema.OrderRef) ([]schema.OrderRef, error) {
	iv.Start = unpaid[0].CreateTime
	counts, err := r.store.Counts(ctx, r.stream.Stream, 24*time.Hour, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	pages := 0
	for _, day := range counts {
		pages += 2 + int(day.Stored)/max(1, r.stream.PageSize) // the last page is not full, and the first is read twice
	}
	if len(unpaid) <= pages {
		return unpaid, nil
	}
	iv = iv.Align(r.window)
	ledger, err := r.store.Windows(ctx, r.stream.Stream, iv.Start, iv.End)
	if err != nil {
		return nil, err
	}
	return nil, r.walk(ctx, planJobs(iv.Tile(r.window), ledger, source.Live, time.Time{}))
}

// fetch asks for the details of stored orders, writes what they say, and corrects the ledger where items came or went.
func (r *streamRun) fetch(ctx context.Context, refs []schema.OrderRef) error {
	touched := map[time.Time]bool{}
	var suspects []suspect
	lost := map[int64]bool{} // starts of windows, in Unix seconds, with an order that the source does not know any more
	// An order can be due for several reasons, or for several of its lines.
	slices.SortFunc(refs, func(a, b schema.OrderRef) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), strings.Compare(a.OrderID, b.OrderID))
	})
	refs = slices.CompactFunc(refs, func(a, b schema.OrderRef) bool { return a.OrderID == b.OrderID })
	unknown := slices.IndexFunc(refs, func(o schema.OrderRef) bool { return !o.CreateTime.IsZero() })
	if unknown < 0 {
		unknown = len(refs)
	}
	if err := r.fetchNew(ctx, refs[:unknown], touched); err != nil {
		return err
	}
	refs = refs[unknown:]
	for len(refs) > 0 {
		some := refs[:min(len(refs), chunk)]
		refs = refs[len(some):]
		var iv window.Interval
		ids := make([]string, len(some))
		for i, o := range some {
			ids[i] = o.OrderID
			iv = iv.Extend(window.Interval{Start: o.CreateTime, End: o.CreateTime.Add(time.Millisecond)})
			touched[window.At(o.CreateTime, r.window).Start] = true
		}
		orders, err := r.store.OrdersByID(ctx, r.stream.Stream, iv.Start, iv.End, ids)
		if err != nil {
			return fmt.Errorf("%s: read stored orders: %w", r.stream, err)
		}
		before, err := r.held(ctx, iv, orders)
		if err != nil {
			return err
		}
		todo := pointers(orders)
		for _, o := range todo {
			o.Version = newer(nextVersion(o.Version), o.Version)
			o.FetchedAt = time.Now().UTC() // what is written then is of this call, not of the old listing
		}
		out, err := r.rows(ctx, todo)
		if err != nil {
			return err
		}
		for d, err := range r.details(ctx, iv, todo) {
			if err != nil {
				return out.end(err)
			}
			id := d.Order.OrderID
			b := before[id]
			touched[window.At(d.Order.CreateTime, r.window).Start] = true // it may have moved
			switch at := b.Order.CreateTime; {
			case !r.stream.Lists() || b.Order.Fingerprint == 0: // no listing has ever shown it
			case source.ReasonOf(d.Err) == source.NotFound:
				lost[window.At(at, r.window).Start.Unix()] = true
			case !d.Created.IsZero() && !same(d.Created, at) && !same(d.Created, r.said(b)):
				suspects = append(suspects, suspect{OrderRef: schema.OrderRef{OrderID: id, CreateTime: at}, now: d.Created})
			}
			r.memory.retries.note(r.stream.String()+"\x00"+id, r.now, d.Err == nil && schema.IsUnpaid(d.Order.PaymentStatus))
			r.fetched(d)
			if err := out.take(ctx, d, []time.Time{b.Order.CreateTime}, b.ChangedBy(d)); err != nil {
				return out.end(err)
			}
		}
		if err := out.end(nil); err != nil {
			return err
		}
	}
	for _, s := range suspects {
		o, err := r.listedAt(ctx, s.OrderID, s.now)
		if err == nil && o != nil && !same(o.CreateTime, s.CreateTime) {
			err = r.relocate(ctx, o, s.CreateTime)
		}
		if err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return r.recount(ctx, touched) }, r.single, r.settleMarks,
		func(ctx context.Context) error { return r.walkLost(ctx, lost) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// suspect is a stored order whose detail says another creation time than it did before.
type suspect struct {
	schema.OrderRef
	now time.Time
}

// said is the creation time that the stored detail of an order says, which need not be that of its list row: it is of the
// order's lines. Zero where it says none.
func (r *streamRun) said(b *StoredOrder) time.Time {
	if r.stream.Decoder == nil || b.Order.DetailStatus != schema.DetailOK {
		return time.Time{}
	}
	raws := make([]string, len(b.Items))
	for i := range b.Items {
		raws[i] = b.Items[i].Raw
	}
	if d := r.stream.Decoder.Detail(b.Order.Stream, b.Order.OrderID, b.Order.RawDetail, raws); d.Order != nil {
		return d.Order.CreateTime
	}
	return time.Time{}
}

// walkLost walks the windows of the orders that the source does not know by their ids: the listing says whether they are
// gone. Those that this run has listed whole are left out.
func (r *streamRun) walkLost(ctx context.Context, lost map[int64]bool) error {
	var due []window.Interval
	var ledger []schema.Window
	for at := range lost {
		r.mu.Lock()
		done := r.whole[at]
		r.mu.Unlock()
		if done {
			continue
		}
		start := time.Unix(at, 0).UTC()
		rows, err := r.store.Windows(ctx, r.stream.Stream, start, start.Add(r.window)) // none where it was never walked: it claims nothing
		if err != nil {
			return err
		}
		for _, w := range rows {
			if w.Verdict == "" {
				continue // it was listed with other filters
			}
			due, ledger = append(due, window.Interval{Start: w.Start, End: w.End}), append(ledger, w)
		}
	}
	if len(due) == 0 {
		return nil
	}
	slices.SortFunc(due, earliest)
	return r.walk(ctx, planJobs(due, ledger, source.Live, time.Time{}))
}

// held returns some stored orders of an interval with their items, by id.
func (r *streamRun) held(ctx context.Context, iv window.Interval, orders []schema.Order) (map[string]*StoredOrder, error) {
	items, err := r.store.ItemsByOrder(ctx, r.stream.Stream, iv.Start, iv.End, orderIDs(pointers(orders)))
	if err != nil {
		return nil, fmt.Errorf("%s: read stored items: %w", r.stream, err)
	}
	return together(orders, items), nil
}

func refIDs(refs []schema.OrderRef) []string {
	ids := make([]string, len(refs))
	for i := range refs {
		ids[i] = refs[i].OrderID
	}
	return ids
}

func orderIDs(orders []*schema.Order) []string {
	ids := make([]string, len(orders))
	for i, o := range orders {
		ids[i] = o.OrderID
	}
	return ids
}

func pointers(orders []schema.Order) []*schema.Order {
	out := make([]*schema.Order, len(orders))
	for i := range orders {
		out[i] = &orders[i]
	}
	return out
}

// together puts the items to their orders.
func together(orders []schema.Order, items []schema.Item) map[string]*StoredOrder {
	out := make(map[string]*StoredOrder, len(orders))
	for _, o := range orders {
		out[o.OrderID] = &StoredOrder{Order: o}
	}
	for _, i := range items {
		if s := out[i.OrderID]; s != nil {
			s.Items = append(s.Items, i)
		}
	}
	return out
}

// StoredOrder is an order with its items as the warehouse has them.
type StoredOrder struct {
	Order schema.Order
	Items []schema.Item
}

// ChangedBy reports whether what was fetched differs from what is stored.
func (s *StoredOrder) ChangedBy(d enrich.Result) bool {
	if d.Err != nil { // nothing was learned of its lines
		return d.Order.Content() != s.Order.Content()
	}
	return s.Differs(d.Order, d.Items) != ""
}

// Differs says in what an order and its items differ from the stored ones; empty for nothing.
func (s *StoredOrder) Differs(o *schema.Order, items []schema.Item) string {
	if o.Content() != s.Order.Content() {
		return "the order's columns are not those of its raw payload"
	}
	if len(items) != len(s.Items) {
		return "the items are not those of their raw payloads"
	}
	stored := make(map[string]string, len(s.Items))
	for i := range s.Items {
		stored[s.Items[i].ItemID] = s.Items[i].Content()
	}
	for i := range items {
		if stored[items[i].ItemID] != items[i].Content() {
			return "the columns of item " + items[i].ItemID + " are not those of its raw payload"
		}
	}
	return ""
}

// fetched counts an order that was asked for by its id.
func (r *streamRun) fetched(res enrich.Result) {
	r.sumUp(func(s *StreamSummary) {
		s.Details++
		if res.Err == nil {
			if r.got == nil {
				r.got = map[string]bool{}
			}
			r.got[res.Order.OrderID] = true
		}
	})
	if r.asked[res.Order.OrderID] {
		r.progress.Done.Add(1)
	}
}

// recount corrects what the ledger says of items, rejects and pending orders after single orders were fetched.
// The ids and their digest stay what the walk saw: they are the evidence that the stored orders are held against.
func (r *streamRun) recount(ctx context.Context, touched map[time.Time]bool) error {
	if len(touched) == 0 {
		return nil
	}
	if err := r.commits.flush(); err != nil {
		return err
	}
	var all window.Interval
	for start := range touched {
		if !start.IsZero() { // of a reject that nobody knows the time of
			all = all.Extend(window.At(start, r.window))
		}
	}
	ledger, err := r.store.Windows(ctx, r.stream.Stream, all.Start, all.End)
	if err != nil {
		return err
	}
	counts, err := r.store.Counts(ctx, r.stream.Stream, r.window, all.Start, all.End)
	if err != nil {
		return err
	}
	rejects, err := r.open.rejected(ctx, slices.Collect(maps.Keys(touched))...)
	if err != nil {
		return err
	}
	var out schema.Batch
	for _, w := range ledger {
		c, rejected := counts[w.Start.UTC()], rejects[w.Start.Unix()]
		if touched[w.Start.UTC()] && w.Verdict != "" && (w.Items != c.Items || w.Pending != c.Pending || w.Rejected != rejected) {
			w.Items, w.Pending, w.Rejected = c.Items, c.Pending, rejected
			w.Version = nextVersion(w.Version)
			out.Windows = append(out.Windows, w)
		}
	}
	return r.commits.add(out)
}

// backoff remembers the orders that a listing shows as moved on while their detail still says unpaid, so that a vendor who
// contradicts himself costs one call a day and not one a tick.
type backoff struct {
	mu     sync.Mutex
	orders map[string]struct {
		tries uint32
		next  time.Time
	}
}

func (s *backoff) due(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.orders[key].next.After(now)
}

func (s *backoff) note(key string, now time.Time, unmoved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !unmoved {
		delete(s.orders, key)
		return
	}
	if s.orders == nil {
		s.orders = map[string]struct {
			tries uint32
			next  time.Time
		}{}
	}
	o := s.orders[key]
	o.tries++
	o.next = window.RetryAt(now, o.tries)
	s.orders[key] = o
}
