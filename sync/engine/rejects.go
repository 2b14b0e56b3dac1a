package engine

import (
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// openRejects are the unresolved rejects of a lane, the accepted ones included, so that a record rejected again is the
// same reject and one that became a row is resolved.
type openRejects struct {
	mu      *sync.Mutex
	byID    map[string]schema.Reject
	byOrder map[string][]string // ids
}

func indexRejects(rejects []schema.Reject) openRejects {
	o := openRejects{mu: new(sync.Mutex), byID: map[string]schema.Reject{}, byOrder: map[string][]string{}}
	for _, j := range rejects {
		o.byID[j.ID] = j
		if j.OrderID != "" {
			o.byOrder[j.OrderID] = append(o.byOrder[j.OrderID], j.ID)
		}
	}
	return o
}

// waits reports whether an order's missing detail is not to be asked for now: because an operator accepted that it is
// missing, or because it is too early.
func (o openRejects) waits(orderID string, now time.Time, eager bool) (wait, accepted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range o.byOrder[orderID] {
		if j, ok := o.byID[id]; ok && j.Stage == schema.RejectDetail {
			accepted = !j.AcceptedAt.IsZero()
			return accepted || !eager && j.NextAttempt.After(now), accepted
		}
	}
	return false, false
}

// hasLines reports whether a line of the order could not become an item, and nobody accepted that.
func (o openRejects) hasLines(orderID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range o.byOrder[orderID] {
		if j, ok := o.byID[id]; ok && j.Stage == schema.RejectItem && j.AcceptedAt.IsZero() {
			return true
		}
	}
	return false
}

// windows gives the starts, in Unix seconds, of the windows with such rejects.
func (o openRejects) windows(such func(schema.Reject) bool, size time.Duration) map[int64]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[int64]bool{}
	for _, j := range o.byID {
		if such(j) {
			out[j.WindowStart.UTC().Truncate(size).Unix()] = true
		}
	}
	return out
}

// lines gives the orders with a line that could not become an item and is due to be tried again.
func (o openRejects) lines(now time.Time) []schema.OrderRef {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []schema.OrderRef
	for _, j := range o.byID {
		if j.Stage == schema.RejectItem && j.AcceptedAt.IsZero() && !j.NextAttempt.After(now) {
			out = append(out, schema.OrderRef{OrderID: j.OrderID, CreateTime: j.CreateTime})
		}
	}
	return out
}

// listed counts the rows of an interval that were listed and could not become orders.
func (o openRejects) listed(iv window.Interval) int {
	n := 0
	for _, j := range o.list(schema.RejectList) {
		if iv.Contains(placed(j)) {
			n++
		}
	}
	return n
}

// list gives the rejects of a stage.
func (o openRejects) list(stage string) []schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []schema.Reject
	for _, j := range o.byID {
		if j.Stage == stage {
			out = append(out, j)
		}
	}
	return out
}

// placed is where in time a reject belongs.
func placed(j schema.Reject) time.Time {
	if j.CreateTime.IsZero() {
		return j.WindowStart
	}
	return j.CreateTime
}

// drop resolves one reject and gives the row that says so.
func (o openRejects) drop(j schema.Reject, now time.Time) schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.resolved(j, now)
}

// seen makes the row of a record that is rejected now: a new reject, or the old one again. It reports false where there
// is nothing to write, and whether an operator accepted it.
func (o openRejects) seen(j schema.Reject, now, windowStart time.Time) (row schema.Reject, write, accepted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, again := o.byID[j.ID]
	j.WindowStart, j.LastSeen, j.FirstSeen, j.Attempts = windowStart, now, now, 1
	if again && old.Reason == j.Reason {
		if !old.AcceptedAt.IsZero() {
			return old, false, true
		}
		if old.NextAttempt.After(now) {
			return old, false, false // seen by the way, in a listing that was read anyhow
		}
		j.FirstSeen, j.Attempts = old.FirstSeen, old.Attempts+1
	}
	j.NextAttempt = window.RetryAt(now, j.Attempts)
	j.Version = max(uint64(now.UnixNano()), old.Version+1)
	o.byID[j.ID] = j
	return j, true, false
}

// resolve gives the rows that resolve an order's rejects, but for those that are still true.
func (o openRejects) resolve(orderID string, still []schema.Reject, now time.Time) []schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []schema.Reject
next:
	for _, id := range o.byOrder[orderID] {
		for i := range still {
			if still[i].ID == id {
				continue next
			}
		}
		if j, ok := o.byID[id]; ok {
			out = append(out, o.resolved(j, now))
		}
	}
	return out
}

// gone gives the rows that resolve the rejects of a complete listing that it did not show any more.
func (o openRejects) gone(l walk.Listing, now time.Time) []schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	still := make(map[string]bool, len(l.Rejects))
	for i := range l.Rejects {
		still[l.Rejects[i].ID] = true
	}
	var out []schema.Reject
	for id, j := range o.byID {
		if j.Stage == schema.RejectList && !still[id] && l.Contains(placed(j)) {
			out = append(out, o.resolved(j, now))
		}
	}
	return out
}

// resolved forgets a reject and gives the row that says so. The lock is held.
func (o openRejects) resolved(j schema.Reject, now time.Time) schema.Reject {
	delete(o.byID, j.ID)
	j.Resolved, j.LastSeen = true, now
	j.Version = max(uint64(now.UnixNano()), j.Version+1)
	return j
}
