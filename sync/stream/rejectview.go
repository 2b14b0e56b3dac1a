package stream

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// RejectView is what the warehouse holds of the rejects of some records and orders.
type RejectView struct {
	*OpenRejects
	since   uint64 // what was written when it was read
	byID    map[string]schema.Reject
	byOrder map[string][]string // ids
}

// Look reads the rejects with some ids and of some orders. The caller closes the view.
func (o *OpenRejects) Look(ctx context.Context, ids, orderIDs []string) (*RejectView, error) {
	v := &RejectView{OpenRejects: o, byID: map[string]schema.Reject{}, byOrder: map[string][]string{}}
	o.mu.Lock()
	none, full := len(o.windows)+len(o.touched) == 0, len(o.recent) > mostRecent
	o.mu.Unlock()
	if full {
		if err := o.write(); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	v.since = o.written
	o.views[v] = true
	o.mu.Unlock()
	if none || len(ids)+len(orderIDs) == 0 {
		return v, nil
	}
	rejects, err := o.store.RejectsOf(ctx, o.stream, ids, orderIDs)
	if err != nil {
		v.Close()
		return nil, err
	}
	for _, j := range rejects {
		v.byID[j.ID] = j
		if j.OrderID != "" {
			v.byOrder[j.OrderID] = append(v.byOrder[j.OrderID], j.ID)
		}
	}
	return v, nil
}

// Close ends the view: it is told nothing more.
func (v *RejectView) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.views, v)
}

// get returns the current state of a reject that is not resolved. The lock is held.
func (v *RejectView) get(id string) (schema.Reject, bool) {
	if c := v.recent[id]; c != nil {
		return c.Reject, !c.Resolved
	}
	j, ok := v.byID[id]
	return j, ok
}

// of returns the rejects of some stages of one order.
func (v *RejectView) of(orderID string, stages ...string) []schema.Reject {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []schema.Reject
	ids := slices.Concat(v.byOrder[orderID], v.orders[orderID])
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if j, ok := v.get(id); ok && j.OrderID == orderID && slices.Contains(stages, j.Stage) {
			out = append(out, j)
		}
	}
	return out
}

// Waits reports whether an order's missing detail is not to be asked for now: because an operator accepted that it is
// missing, or because it is too early.
func (v *RejectView) Waits(orderID string, now time.Time, force bool) bool {
	for _, j := range v.of(orderID, schema.RejectDetail) {
		return !j.AcceptedAt.IsZero() || !force && j.NextAttempt.After(now)
	}
	return false
}

// hasLines reports whether a line of the order could not become an item, and nobody accepted that.
func (v *RejectView) hasLines(orderID string) bool {
	return slices.ContainsFunc(v.of(orderID, schema.RejectItem), func(j schema.Reject) bool { return j.AcceptedAt.IsZero() })
}

// seen makes the row of a record that is rejected now: a new reject, or the old one again. It reports false where there
// is nothing to write.
func (v *RejectView) seen(j schema.Reject, now, windowStart time.Time) (row schema.Reject, write bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old, again := v.get(j.ID)
	if again && j.CreateTime.IsZero() {
		windowStart = old.WindowStart // two listings that meet may show it; it stays with the first
	}
	j.WindowStart, j.LastSeen, j.FirstSeen, j.Attempts = windowStart, now, now, 1
	if j.Stage == schema.RejectList && (!v.exact(j) || again && !v.exact(old)) && len(v.met) <= mostLoose {
		v.met[schema.Digest(j.ID)] = true
	}
	if again && old.Covers(&j) {
		return old, false
	}
	if again && old.Reason == j.Reason {
		early := old.NextAttempt.After(now) // seen by the way, in a listing that was read anyhow
		if early && old.Payload() == j.Payload() && old.CreateTime.Equal(j.CreateTime) {
			return old, false
		}
		if j.FirstSeen, j.Attempts = old.FirstSeen, old.Attempts; !early {
			j.Attempts++
		}
	}
	j.NextAttempt = window.RetryAt(now, j.Attempts)
	j.Version = NextVersion(old.Version)
	if again {
		v.touched[v.start64(old.WindowStart)] = true
	}
	v.change(j)
	return j, true
}

// resolve returns the rows that resolve an order's rejects of some stages, but for those that are still true.
func (v *RejectView) resolve(orderID string, still []schema.Reject, now time.Time, stages ...string) []schema.Reject {
	var out []schema.Reject
	for _, j := range v.of(orderID, stages...) {
		if !slices.ContainsFunc(still, func(s schema.Reject) bool { return s.ID == j.ID }) {
			out = append(out, v.Drop(j, now))
		}
	}
	return out
}
