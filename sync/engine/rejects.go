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

// waits reports whether it is too early to ask for an order's detail again, or an operator accepted that it is missing.
func (o openRejects) waits(orderID string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range o.byOrder[orderID] {
		if j := o.byID[id]; j.Stage == schema.RejectDetail {
			return !j.AcceptedAt.IsZero() || j.NextAttempt.After(now)
		}
	}
	return false
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
		at := j.CreateTime
		if at.IsZero() {
			at = j.WindowStart
		}
		if j.Stage == schema.RejectList && !still[id] && l.Contains(at) {
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
