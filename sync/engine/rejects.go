package engine

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// openRejects are the unresolved rejects of a stream, the accepted ones included, so that a record rejected again is the
// same reject and one that became a row is resolved.
type openRejects struct {
	size     time.Duration // of a window
	mu       *sync.Mutex
	byID     map[string]schema.Reject
	byOrder  map[string][]string // ids
	met      map[string]bool     // ids of those that this run saw
	versions map[string]uint64   // by id, also of those that were resolved in this run
	healed   map[time.Time]bool  // starts of the windows of those that were resolved and not recounted yet
}

func indexRejects(rejects []schema.Reject, size time.Duration) openRejects {
	o := openRejects{
		size: size, mu: new(sync.Mutex), byID: map[string]schema.Reject{}, byOrder: map[string][]string{},
		met: map[string]bool{}, versions: map[string]uint64{}, healed: map[time.Time]bool{},
	}
	for _, j := range rejects {
		o.byID[j.ID] = j
		o.versions[j.ID] = j.Version
		if j.OrderID != "" {
			o.byOrder[j.OrderID] = append(o.byOrder[j.OrderID], j.ID)
		}
	}
	return o
}

// waits reports whether an order's missing detail is not to be asked for now: because an operator accepted that it is
// missing, or because it is too early.
func (o openRejects) waits(orderID string, now time.Time, eager bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range o.byOrder[orderID] {
		if j, ok := o.byID[id]; ok && j.Stage == schema.RejectDetail {
			return !j.AcceptedAt.IsZero() || !eager && j.NextAttempt.After(now)
		}
	}
	return false
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

// windows returns the starts, in Unix seconds, of the windows in which such rejects may be met again.
func (o openRejects) windows(such func(schema.Reject) bool) map[int64]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[int64]bool{}
	for _, j := range o.byID {
		if such(j) {
			for _, w := range o.stretch(j).Tile(o.size) {
				out[w.Start.Unix()] = true
			}
		}
	}
	return out
}

// lines returns the orders with a line that could not become an item and is due to be tried again.
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

// rejected counts the records of a window that are not rows.
func (o openRejects) rejected(start time.Time) uint32 {
	return uint32(o.counted(start, schema.RejectList, schema.RejectItem))
}

// counted counts the rejects of some stages in the window that starts then.
func (o openRejects) counted(start time.Time, stages ...string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range o.byID {
		if slices.Contains(stages, j.Stage) && o.in(j, start) {
			n++
		}
	}
	return n
}

// left counts what is still open of such rejects, and what nobody has accepted: records that are not rows, and orders
// without their detail.
func (o openRejects) left(such func(schema.Reject) bool) (rejected, pending int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range o.byID {
		switch {
		case !j.AcceptedAt.IsZero() || !such(j):
		case j.Stage == schema.RejectDetail:
			pending++
		default:
			rejected++
		}
	}
	return rejected, pending
}

// listed counts the rows of an interval that were listed and could not become orders.
func (o openRejects) listed(iv window.Interval) int {
	n := 0
	for _, j := range o.list(schema.RejectList) {
		if iv.Contains(o.placed(j)) {
			n++
		}
	}
	return n
}

// list returns the rejects of a stage.
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

// of returns the rejects of a stage of one order.
func (o openRejects) of(orderID, stage string) []schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []schema.Reject
	for _, id := range o.byOrder[orderID] {
		if j, ok := o.byID[id]; ok && j.Stage == stage {
			out = append(out, j)
		}
	}
	return out
}

// placed is where in time a reject belongs: with its order, unless that was listed where it does not belong.
func (o openRejects) placed(j schema.Reject) time.Time {
	if o.exact(j) {
		return j.CreateTime
	}
	return j.WindowStart
}

// exact reports whether it is known which window a reject belongs to. It is not for a row of a listing whose creation
// time cannot be read, or cannot be true.
func (o openRejects) exact(j schema.Reject) bool { return o.in(j, j.CreateTime.UTC().Truncate(o.size)) }

// stretch is where in time a reject may lie. One that is not exact was met in a listing that began with its WindowStart;
// no listing goes beyond the end of a day, and each shows a little more than its interval on both sides.
func (o openRejects) stretch(j schema.Reject) window.Interval {
	start := j.WindowStart.UTC().Truncate(o.size)
	if j.Stage != schema.RejectList || o.exact(j) {
		return window.Interval{Start: start, End: start.Add(o.size)}
	}
	return window.Interval{Start: start.Add(-o.size), End: start.Truncate(24*time.Hour).AddDate(0, 0, 1).Add(o.size)}
}

// in reports whether a reject is one of the window that starts then.
func (o openRejects) in(j schema.Reject, start time.Time) bool {
	return window.Interval{Start: start, End: start.Add(o.size)}.Contains(j.WindowStart)
}

// drop resolves one reject and gives the row that says so.
func (o openRejects) drop(j schema.Reject, now time.Time) schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.resolved(j, now)
}

// seen makes the row of a record that is rejected now: a new reject, or the old one again. It reports false where there
// is nothing to write.
func (o openRejects) seen(j schema.Reject, now, windowStart time.Time) (row schema.Reject, write bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, again := o.byID[j.ID]
	o.met[j.ID] = true
	if again && j.CreateTime.IsZero() {
		windowStart = old.WindowStart // two listings that meet may show it; it stays with the first
	}
	j.WindowStart, j.LastSeen, j.FirstSeen, j.Attempts = windowStart, now, now, 1
	if again && old.Covers(&j) {
		return old, false
	}
	if again && old.Reason == j.Reason {
		early := old.NextAttempt.After(now) // seen by the way, in a listing that was read anyhow
		if early && old.Raw == j.Raw && old.CreateTime.Equal(j.CreateTime) {
			return old, false
		}
		if j.FirstSeen, j.Attempts = old.FirstSeen, old.Attempts; !early {
			j.Attempts++
		}
	}
	j.NextAttempt = window.RetryAt(now, j.Attempts)
	j.Version = o.next(j.ID)
	o.byID[j.ID] = j
	if j.OrderID != "" && !slices.Contains(o.byOrder[j.OrderID], j.ID) {
		o.byOrder[j.OrderID] = append(o.byOrder[j.OrderID], j.ID)
	}
	return j, true
}

// resolve returns the rows that resolve an order's rejects of some stages, but for those that are still true.
func (o openRejects) resolve(orderID string, still []schema.Reject, now time.Time, stages ...string) []schema.Reject {
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
		if j, ok := o.byID[id]; ok && slices.Contains(stages, j.Stage) {
			out = append(out, o.resolved(j, now))
		}
	}
	return out
}

// gone returns the rows that resolve the rejects of listings that were whole and did not show them any more. whole says
// that of a stretch.
func (o openRejects) gone(whole func(window.Interval) bool, now time.Time) []schema.Reject {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []schema.Reject
	for id, j := range o.byID {
		if j.Stage == schema.RejectList && !o.met[id] && whole(o.stretch(j)) {
			out = append(out, o.resolved(j, now))
		}
	}
	return out
}

// resolved forgets a reject and gives the row that says so. The lock is held.
func (o openRejects) resolved(j schema.Reject, now time.Time) schema.Reject {
	delete(o.byID, j.ID)
	o.healed[j.WindowStart.UTC().Truncate(o.size)] = true
	j.Resolved, j.LastSeen = true, now
	j.Version = o.next(j.ID)
	return j
}

// takeHealed returns the starts of the windows in which rejects were resolved since it was last asked. A record without a
// creation time may be counted with another window than the one whose walk heals it, and earlier.
func (o openRejects) takeHealed() map[time.Time]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := maps.Clone(o.healed)
	clear(o.healed)
	return out
}

// next is the version of a reject's next row: a record may be resolved and rejected again in one run. The lock is held.
func (o openRejects) next(id string) uint64 {
	o.versions[id] = nextVersion(o.versions[id])
	return o.versions[id]
}

// nextVersion is above a row's version. It comes from this machine's clock and not from the run's time, so that the rows
// of two runs with the same time have different ones.
func nextVersion(before uint64) uint64 { return max(uint64(time.Now().UnixNano()), before+1) }
