package stream

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/sync/window"
)

const (
	countEdge = time.Second
	// CountEdges bounds how much more, or less, than a range is asked for on each side by a question for its count.
	CountEdges = 10 * time.Second
)

// Count is what the source counts of an interval of a range, and what is stored there.
type Count struct {
	Asked  window.Interval // the part of the interval that it was asked for
	Total  int             // at the source
	Stored int             // at the most
	Agrees bool
	// Exact says that the source would have counted further. A count that agrees and is not exact proves nothing: there may be
	// more.
	Exact bool
}

// AskCount asks for the source's count of an interval of a range, and compares it with what is stored.
func (r *Run) AskCount(ctx context.Context, iv, all window.Interval) (Count, error) {
	asked, least, most, err := r.question(ctx, iv, all)
	c := Count{Asked: asked, Stored: most}
	if err != nil {
		return c, err
	}
	if asked.Empty() {
		c.Agrees, c.Exact = true, true
		return c, nil
	}
	c.Total, err = r.Stream.Total(ctx, asked)
	r.Progress.ListCalls.Add(1)
	c.Agrees = err == nil && least <= c.Total && c.Total <= most
	if c.Agrees {
		c.Exact = r.Memory.ceiling.Agrees(c.Total, r.Stream.PageSize)
	}
	return c, err
}

// Exact reports whether a count that agreed has turned out to be exact since.
func (r *Run) Exact(c Count) bool {
	return c.Exact || r.Memory.ceiling.Exact(c.Total, r.Stream.PageSize)
}

// question returns the times to ask for, and how many orders the source should count between them. As in a listing, more is
// asked for on each side than is meant. Whether the orders of the outermost seconds count depends on the vendor, so where
// there are any, both answers are right, and one could hide that an order is missing. So seconds without orders are
// looked for. Beyond the ends of the range nothing is known to be stored, so there it is asked for less than is meant,
// and never for an order that nobody has synced.
func (r *Run) question(ctx context.Context, iv, all window.Interval) (asked window.Interval, least, most int, err error) {
	for edge := countEdge; edge <= CountEdges; edge += time.Second {
		asked = window.Interval{Start: iv.Start.Add(-edge), End: iv.End.Add(edge)}
		if iv.Start.Equal(all.Start) {
			asked.Start = iv.Start.Add(edge - countEdge)
		}
		if iv.End.Equal(all.End) {
			asked.End = iv.End.Add(-edge)
		}
		if most, err = r.countStored(ctx, window.Interval{Start: asked.Start, End: asked.End.Add(time.Second)}); err != nil {
			break
		}
		least, err = r.countStored(ctx, window.Interval{Start: asked.Start.Add(time.Second), End: asked.End})
		if err != nil || least == most {
			break
		}
	}
	return asked, least, most, err
}

// countStored counts what should be at the source: the stored orders, and the listed rows that could not become orders.
func (r *Run) countStored(ctx context.Context, iv window.Interval) (int, error) {
	n, err := r.Store.Count(ctx, r.Stream.Stream, iv.Start, iv.End)
	if err != nil {
		return 0, err
	}
	rejected, err := r.Rejects.Listed(ctx, iv)
	return n + rejected, err
}
