package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/enrich"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// compare lists a range again and compares each order.
func (v *verification) compare(ctx context.Context, all window.Interval) error {
	for _, part := range window.Ranges(all.Tile(v.run.Window)) {
		for l, err := range v.run.Walker().Walk(ctx, part) {
			if err != nil {
				return err
			}
			v.run.Progress.ListCalls.Add(int64(l.Calls))
			if l.Verdict != schema.Complete {
				v.differ(ByRows, l.Interval, Difference{Kind: Undone, Note: fmt.Sprintf("listing it again: %s: %v", l.Verdict, l.Err)})
				continue
			}
			known, err := v.run.Store.Known(ctx, v.run.Stream.Stream, l.Start, l.End)
			if err != nil {
				return err
			}
			var changed []*schema.Order
			for _, o := range l.Orders {
				k, ok := known[o.OrderID]
				delete(known, o.OrderID)
				switch {
				case !ok:
					v.differ(ByRows, window.At(o.CreateTime, v.run.Window), Difference{OrderID: o.OrderID, Source: 1, Kind: Absent})
				case k.Fingerprint != o.Fingerprint:
					changed = append(changed, o)
				}
			}
			if err := v.changed(ctx, l.Interval, changed); err != nil {
				return err
			}
			if err := v.extra(ctx, &l, known); err != nil {
				return err
			}
			v.looks.listing(&l)
		}
		if err := v.run.Compared(ctx, v.equal(part)); err != nil {
			return err
		}
		v.run.Progress.Done.Add(int64(len(part.Tile(v.run.Window))))
	}
	return nil
}

// equal returns the windows of a range whose list rows were compared, all of them, and are as they are stored.
func (v *verification) equal(part window.Interval) []window.Interval {
	return slices.DeleteFunc(part.Tile(v.run.Window), func(w window.Interval) bool {
		return !v.looks.covers(ByRows, w) || slices.ContainsFunc(v.found, func(d Difference) bool { return d.Depth == ByRows && !d.Clip(w).Empty() })
	})
}

// extra looks at the stored orders that a listing does not show.
func (v *verification) extra(ctx context.Context, l *walk.Listing, unlisted map[string]schema.Known) error {
	for id := range v.run.Held(l, unlisted) {
		delete(unlisted, id) // it is there, though it cannot be read
	}
	if len(unlisted) == 0 {
		return nil
	}
	refs, err := v.warehouse.Find(ctx, v.run.Stream.Stream, slices.Collect(maps.Keys(unlisted)))
	if err != nil {
		return err
	}
	for _, o := range refs {
		if l.Contains(o.CreateTime) {
			v.differ(ByRows, window.At(o.CreateTime, v.run.Window), Difference{Kind: Extra, OrderID: o.OrderID, Stored: 1})
		}
	}
	return nil
}

// changed looks at listed orders whose row is not the one that is stored. An order that was fetched by its id since, as by
// a refresh of the unpaid, has the columns of the new row and the payload of the old one, and does not differ.
func (v *verification) changed(ctx context.Context, iv window.Interval, listed []*schema.Order) error {
	if len(listed) == 0 {
		return nil
	}
	orders, err := v.run.Store.OrdersByID(ctx, v.run.Stream.Stream, iv.Start, iv.End, stream.OrderIDs(listed))
	if err != nil {
		return err
	}
	facts := make(map[string]string, len(orders))
	for i := range orders {
		facts[orders[i].OrderID] = orders[i].Facts()
	}
	for _, o := range listed {
		if facts[o.OrderID] != o.Facts() {
			v.differ(ByRows, window.At(o.CreateTime, v.run.Window), Difference{OrderID: o.OrderID, Source: 1, Stored: 1, Kind: Changed})
		}
	}
	return nil
}

// ask compares each stored order of a stream that cannot be listed with its detail.
func (v *verification) ask(ctx context.Context) error {
	if !v.Deep {
		return nil
	}
	var differ []schema.OrderRef
	for _, part := range window.Ranges(v.iv.Tile(v.run.Window)) {
		orders, err := v.warehouse.Orders(ctx, v.run.Stream.Stream, part.Start, part.End)
		if err != nil {
			return err
		}
		if len(orders) == 0 {
			v.looks.add(ByDetail, part)
			continue
		}
		before, err := storedIn(ctx, v.warehouse, v.run, part, orders)
		if err != nil {
			return err
		}
		var checks []schema.Check
		e := enrich.Enricher{Detailer: v.run.Stream.Source, Parallel: v.run.Stream.InFlight}
		for d, err := range e.Enrich(ctx, stream.Pointers(orders), nil) {
			if err != nil {
				return err
			}
			v.run.Progress.Details.Add(1)
			b := before[d.Order.OrderID]
			found := Difference{Kind: Changed, OrderID: d.Order.OrderID, Source: 1, Stored: 1}
			switch {
			case d.Err != nil:
				found.Kind, found.Note = Undone, d.Err.Error()
				v.looks.cannot(ByDetail, found.OrderID)
			case !b.ChangedBy(d):
				checks = append(checks, v.run.Check(d.Order))
				continue
			}
			v.differ(ByDetail, window.At(b.Order.CreateTime, v.run.Window), found)
			differ = append(differ, schema.OrderRef{OrderID: found.OrderID, CreateTime: b.Order.CreateTime})
		}
		v.looks.add(ByDetail, part)
		if err := v.run.Store.WriteChecks(ctx, checks); err != nil {
			return err
		}
	}
	if !v.Repair || len(differ) == 0 {
		return nil
	}
	if err := v.run.Fetch(ctx, differ); err != nil {
		return err
	}
	if err := v.run.Commits.Flush(); err != nil {
		return err
	}
	for i := range v.found {
		d := &v.found[i]
		if d.Repaired = v.run.Had(d.OrderID); !d.Repaired { // what it says now was written
			d.Why = "its detail could not be had"
		}
	}
	return nil
}

// rows compares each stored row of an interval with what its raw payload says.
func (v *verification) rows(ctx context.Context, iv window.Interval) error {
	for _, part := range window.Ranges(iv.Tile(v.run.Window)) {
		for b, err := range rebuild(ctx, v.warehouse, v.run, part) {
			if err != nil {
				return err
			}
			b.make(v.run, false)
			if b.stored.Order.DetailStatus != schema.DetailOK {
				v.looks.cannot(ByPayload, b.stored.Order.OrderID) // its items have no payloads
			}
			if b.differs() {
				v.differ(ByPayload, window.At(b.stored.Order.CreateTime, v.run.Window), Difference{
					Kind: Altered, OrderID: b.order.OrderID, Source: 1, Stored: 1, Note: b.note,
				})
			}
		}
		v.looks.add(ByPayload, part)
	}
	return nil
}
