package walk

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Ceiling is what is known of a limit beyond which a vendor does not count, nor perhaps list: with a limit of 100 each
// listing of 300 orders has 100, and nothing in it that disagrees. A vendor has no limit at or below a count that is less
// than another one that it named. The zero Ceiling knows nothing. Its methods may be called at any time.
type Ceiling struct {
	one   sync.Mutex // of those who ask
	mu    sync.Mutex
	named int // the largest count that was named
}

// Exact reports whether a count is no limit, and so all there is: because it is less than one that was named, or than any
// limit. Pages may be smaller.
func (c *Ceiling) Exact(total, page int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return total < max(c.named, min(page, leastLimit))
}

// Agrees is Exact of a count that agrees with what is stored. It is not exact by that alone, but lesser ones are.
func (c *Ceiling) Agrees(total, page int) (exact bool) {
	exact = c.Exact(total, page)
	c.note(total)
	return exact
}

func (c *Ceiling) note(total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.named = max(c.named, total)
}

// leastLimit is the smallest count that may be a limit. A vendor that counts no further than one page counts at least one of the
// size that it advises; how large the pages are that it is asked for is not its own.
const leastLimit = 20

// Around is how much more is asked for on each side to hear a larger count. Public programs ask for a year at once.
const Around = 30 * 24 * time.Hour

// prove asks whether the count of a listing that agrees with itself can be a limit.
func (k *walking) prove(ctx context.Context, r *reading) error {
	total := r.total
	if k.ceiling.Exact(total, r.size) {
		return nil
	}
	k.ceiling.one.Lock() // whoever waits is spared the questions
	defer k.ceiling.one.Unlock()
	if k.ceiling.Exact(total, r.size) {
		return nil
	}
	asked := r.asked()
	asked.End = asked.End.Add(-edge)
	n, err := k.count(ctx, window.Interval{Start: asked.Start.Add(-Around), End: asked.End.Add(Around)})
	switch {
	case err != nil && fatal(ctx, err):
		return err
	case err == nil && n > total:
		k.ceiling.note(n)
		return nil
	}
	// Not even a wider interval has more, or the vendor does not count it. So the rows are cut in two, and each part has to
	// count as many as were listed. The parts do not meet: a second that belongs to both would be counted twice, and
	// whether an end is included nobody knows.
	at, before, after, loose := r.cut()
	if at.IsZero() {
		return nil // all of one second, and no page more
	}
	for _, part := range []struct {
		window.Interval
		rows int
	}{{window.Interval{Start: asked.Start, End: at.Add(-time.Second)}, before}, {window.Interval{Start: at, End: asked.End}, after}} {
		n, err := k.count(ctx, part.Interval)
		if err != nil {
			return err
		}
		if n > part.rows+loose {
			return &splitError{why: fmt.Sprintf("TotalCount %d, and %d for a part of which %d were listed", total, n, part.rows)}
		}
	}
	k.ceiling.note(total)
	return nil
}

// cut finds a whole second near the middle of the listed rows with rows on both sides of it: their numbers, and that of the
// rows whose time nobody knows. It is zero where all are of one second.
func (r *reading) cut() (at time.Time, before, after, loose int) {
	var seconds []int64
	for _, row := range r.rows {
		created := time.Time{}
		if row.order != nil {
			created = row.order.CreateTime
		} else if row.reject != nil {
			created = row.reject.CreateTime
		}
		if created.IsZero() {
			loose++
			continue
		}
		seconds = append(seconds, created.Unix())
	}
	slices.Sort(seconds)
	if len(seconds) == 0 || seconds[0] == seconds[len(seconds)-1] {
		return time.Time{}, 0, 0, loose
	}
	middle := seconds[len(seconds)/2]
	if middle == seconds[0] {
		middle++
	}
	before, _ = slices.BinarySearch(seconds, middle)
	return time.Unix(middle, 0).UTC(), before, len(seconds) - before, loose
}

// count asks for the TotalCount of an interval, both ends of which the vendor may include or not.
func (k *walking) count(ctx context.Context, iv window.Interval) (int, error) {
	k.calls++
	p, err := k.Lister.List(ctx, source.Query{
		OwnerID: k.Stream.OwnerID, Start: iv.Start, End: iv.End, PaymentStatus: k.PaymentStatus, Filters: k.Filters,
		Page: 1, Size: 1,
	})
	return p.Total, err
}
