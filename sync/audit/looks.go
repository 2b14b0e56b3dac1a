package audit

import (
	"context"
	"sync"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// looks are what was looked at, and how.
type looks struct {
	mu      sync.Mutex
	at      map[Depth]*window.Set
	audited window.Set                // the ledger was read, whatever it says
	blind   map[Depth]map[string]bool // orders that were there and could not be looked at
	foreign map[string]bool           // ids of findings of other filters, which these leave out
}

// add notes that an interval was looked at.
func (l *looks) add(d Depth, iv window.Interval) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(d).Add(iv)
	if d == ByRows {
		l.of(ByCount).Add(iv)
	}
}

// of returns what was looked at with a depth. The lock is held.
func (l *looks) of(d Depth) *window.Set {
	if l.at == nil {
		l.at = map[Depth]*window.Set{}
	}
	if l.at[d] == nil {
		l.at[d] = new(window.Set)
	}
	return l.at[d]
}

func (l *looks) audit(iv window.Interval) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.audited.Add(iv)
}

// cannot notes that an order could not be looked at.
func (l *looks) cannot(d Depth, orderID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blind == nil {
		l.blind = map[Depth]map[string]bool{}
	}
	if l.blind[d] == nil {
		l.blind[d] = map[string]bool{}
	}
	l.blind[d][orderID] = true
}

// listing notes a listing that was read to its end.
func (l *looks) listing(x *walk.Listing) {
	unread, named := x.Unread()
	if x.Verdict != schema.Complete || !named {
		return
	}
	for _, id := range unread {
		l.cannot(ByRows, id)
	}
	l.add(ByRows, x.Interval)
}

// covers reports whether all of an interval was looked at.
func (l *looks) covers(d Depth, iv window.Interval) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(d).Covers(iv)
}

// cover reports whether all of where a difference is was looked at, as is needed to say that it is no more.
func (l *looks) cover(d *Difference) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.foreign[d.finding.ID]:
		return false
	case d.Depth == ByLedger && d.Kind != Ledger:
		return l.audited.Covers(d.Interval)
	case d.OrderID != "" && l.blind[d.Depth][d.OrderID]:
		return false
	}
	return l.of(d.Depth).Covers(d.Interval)
}

// narrow finds out which of the findings of before are of other filters than those of the looks of a run, and were not looked at
// for that. It asks the warehouse once.
func (l *looks) narrow(ctx context.Context, r *stream.Run, before []Difference) error {
	if l.foreign != nil {
		return nil
	}
	filters, foreign := r.Stream.Filters.String(), map[string]bool{}
	stored := map[window.Interval]map[string]schema.Known{} // of those that the filters leave
	for i := range before {
		d := &before[i]
		if !d.listed() || d.id() == d.idWith(filters) {
			continue
		}
		shown := filters == "" && (d.OrderID != "" || l.covers(ByRows, d.Interval))
		if !shown && d.OrderID != "" {
			if _, asked := stored[d.Interval]; !asked {
				known, err := r.Store.Known(ctx, d.Stream, d.Start, d.End)
				if err != nil {
					return err
				}
				stored[d.Interval] = known
			}
			_, shown = stored[d.Interval][d.OrderID]
		}
		foreign[d.id()] = !shown
	}
	l.foreign = foreign
	return nil
}
