// Package walk lists ranges of creation time: it pages through what a vendor has of one, and says honestly whether that is
// all of it.
//
// A range is read as one listing: page 1 says TotalCount, the other pages follow in parallel, and page 1 is read once more
// at the end. Above the split threshold, when the vendor fails on it, and when the pages cannot be brought to agree, the
// range is halved. What is accepted:
//
//   - A listing that fits one page is one answer of the vendor: it cannot have shifted. If its distinct rows are as many as
//     TotalCount, it is complete after a single call, or, where the page is full, when the one after it has nothing more.
//   - Any other listing is complete when every page named the same TotalCount, every page held as many rows as that
//     count asks for, the distinct rows are as many as the count, and page 1, read again after all others, still begins
//     with the same rows. Pages that do not fit are read again, a bounded number of times. Where the last page is full, the
//     one after it has nothing more.
//   - A TotalCount is not accepted as all there is only because it agrees with itself: a vendor may count, and list, no
//     further than a limit. One that has named a larger count has no limit here. Where none was named yet, a wider range
//     is asked for, and if that does not name one, two parts, which must not count more rows than were listed of them. See [Ceiling].
//   - An empty or short page before the count is reached is never accepted, and never ends a listing.
//   - A listing that disagrees with itself in the same way twice will do so again: it is halved, down to one page. A
//     single page that names more rows than it holds is as small as a question gets.
//   - A listing most of whose rows were created at other times than was asked for is no answer to the question.
//   - A vendor that contradicts itself time after time is not asked for ever smaller parts of it.
//   - What still does not agree is [schema.Short]: the rows are kept, the reason is recorded, a later run tries again.
package walk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Lister is what this package needs of a vendor.
type Lister interface {
	List(ctx context.Context, q source.Query) (source.Page, error)
}

// Walker lists ranges of one stream.
type Walker struct {
	Lister   Lister
	Stream   schema.Stream
	Window   time.Duration // listings are halved at window edges first
	PageSize int
	Parallel int // pages of one listing in flight

	// PaymentStatus filters the listing; empty for all orders.
	PaymentStatus string
	// Filters narrow it too. A row that they do not leave is a reject: the vendor was not asked for it.
	Filters schema.Filters
	// Ceiling is what is known of how far the vendor counts; the Walkers of one vendor should share it. Nil for nothing.
	Ceiling *Ceiling
}

// Listing is one range that was read to an end.
type Listing struct {
	window.Interval
	Orders  []*schema.Order // distinct, created inside the interval
	Rejects []schema.Reject // rows that are not orders, or not of this range
	Verdict schema.Verdict  // Complete, Short or Failed
	Err     error           // why it is not complete
	First   int             // TotalCount at first read
	Last    int             // TotalCount at last read
	Pages   int
	Calls   int // list calls made for it, with those that led to halving
}

// Unread returns the ids of the orders whose rows could not be read. It reports false where a row does not even say of
// which order it is, so that it may be of any.
func (l *Listing) Unread() (ids []string, named bool) {
	for i := range l.Rejects {
		if l.Rejects[i].OrderID == "" {
			return nil, false
		}
		ids = append(ids, l.Rejects[i].OrderID)
	}
	return ids, true
}

const (
	// MaxPages is the split threshold: a longer listing is halved. Long listings waste fewer calls on half-filled last
	// pages and second looks, short ones waste less when they must be read again, and bound the memory.
	MaxPages = 80
	// maxPagesShort is the threshold of a range of shortRange or less, such as one in which a script renewed thousands
	// of orders. What is asked for beyond its ends, see edge, would be a large part of its halves.
	maxPagesShort = 500
	shortRange    = 250 * time.Second
	// maxRounds bounds how often the pages of one listing are read again before it is halved or given up as short.
	maxRounds = 6
	// maxFailures in a row mean that the vendor is down, and not that it fails on something within the range.
	maxFailures = 5
	minPage     = 5
	// maxContradictions of the vendor in a row, without a listing that is complete, end the halving: from a day down to the
	// second that is wrong there are 18 halvings.
	maxContradictions = 24
	// maxPagesSecond is how many pages a listing may have that cannot be halved, of one second: 100,000 orders.
	maxPagesSecond = 5000
	// edge is how much more than the interval is asked for on each side: no vendor says whether its ends are included.
	edge = time.Second
)

// Walk returns the listings of a range in the order of time; together they tile it. An error ends them, and is there only
// where going on makes no sense: ctx ended, or the credentials are refused. Everything else is in the listings' verdicts.
func (w *Walker) Walk(ctx context.Context, iv window.Interval) iter.Seq2[Listing, error] {
	return func(yield func(Listing, error) bool) {
		k := &walking{Walker: w, yield: yield, ceiling: w.Ceiling}
		if k.ceiling == nil {
			k.ceiling = new(Ceiling)
		}
		if _, err := k.walk(ctx, iv, w.PageSize, unknown); err != nil && !errors.Is(err, errBreak) {
			yield(Listing{}, err)
		}
	}
}

// errBreak ends a Walk whose caller left its loop.
var errBreak = errors.New("the caller has left the loop")

// threshold is how many pages a listing of an interval may have before it is halved.
func threshold(iv window.Interval) int {
	if iv.End.Sub(iv.Start) <= shortRange {
		return maxPagesShort
	}
	return MaxPages
}

// unknown is a TotalCount that nobody knows.
const unknown = -1

// walking is one Walk under way.
type walking struct {
	*Walker
	yield    func(Listing, error) bool
	calls    int // made, and not charged to a listing yet
	failures int // of the vendor, in a row
	ceiling  *Ceiling

	contradictions int // of the vendor, since a listing was complete
	last           string
}

// hand hands a listing to the caller, with the calls that led to it.
func (k *walking) hand(l Listing) error {
	l.Calls, k.calls = k.calls, 0
	if !k.yield(l, nil) {
		return errBreak
	}
	return nil
}

// walk lists an interval, of which it may be known about how many rows it has, and returns its TotalCount.
func (k *walking) walk(ctx context.Context, iv window.Interval, size, about int) (total int, err error) {
	if iv.Empty() {
		return unknown, nil
	}
	if ctx.Err() != nil {
		return unknown, context.Cause(ctx)
	}
	if k.contradictions > maxContradictions {
		return unknown, k.hand(Listing{Interval: iv, Verdict: schema.Failed, Err: fmt.Errorf(
			"not asked for: the source has contradicted itself %d times in a row, last: %s", k.contradictions, k.last)})
	}
	if a, b, ok := iv.Halve(k.Window); ok && about > threshold(iv)*size {
		return about, k.halves(ctx, a, b, size, about) // no call need tell that this is too long
	}
	r, err := k.read(ctx, iv, size, false)
	if err == nil {
		err = k.prove(ctx, r)
	}
	if err != nil && fatal(ctx, err) {
		return unknown, err
	}
	var split *splitError
	disagrees := errors.As(err, &split)
	if disagrees {
		k.contradictions++
		k.last = split.why
	} else if err == nil {
		k.contradictions = 0
	}
	reason := source.ReasonOf(err)
	failed := err != nil && !disagrees && reason.Retryable()
	if failed {
		k.failures++
	} else {
		k.failures = 0
	}
	if reason == source.Timeout {
		size = min(size, max(size/2, minPage)) // fewer rows may come in time
	}
	if disagrees && !split.final || failed && k.failures <= maxFailures {
		if a, b, ok := iv.Halve(k.Window); ok && (!failed || reason == source.Timeout || iv.End.Sub(iv.Start) > k.Window) {
			total = unknown
			if disagrees && split.tooLong {
				total = r.first
			}
			return total, k.halves(ctx, a, b, size, total)
		}
		switch {
		case disagrees && split.tooLong:
			// One second holds more than the threshold: there is no smaller question, so all its pages are read.
			if r, err = k.read(ctx, iv, size, true); err != nil && fatal(ctx, err) {
				return unknown, err
			}
		case size < r.size:
			return k.walk(ctx, iv, size, about)
		}
	}
	l := r.listing(err)
	if l.Verdict == schema.Complete {
		total = r.total
	} else {
		total = unknown
	}
	return total, k.hand(l)
}

// halves lists the two halves of an interval of which the TotalCount may be known.
func (k *walking) halves(ctx context.Context, a, b window.Interval, size, total int) error {
	first, err := k.walk(ctx, a, size, unknown)
	if err != nil {
		return err
	}
	rest := unknown
	if total != unknown && first != unknown {
		rest = total - first
	}
	_, err = k.walk(ctx, b, size, rest)
	return err
}

func (k *walking) read(ctx context.Context, iv window.Interval, size int, second bool) (*reading, error) {
	r := &reading{Walker: k.Walker, iv: iv, size: size, second: second, rows: map[string]row{}, seen: map[int]view{}}
	err := r.read(ctx)
	k.calls += r.calls
	return r, err
}

// fatal reports whether all listing of the stream ends here.
func fatal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || source.Final(err) || source.ReasonOf(err) == source.Cancelled
}

// splitError asks for the interval to be halved.
type splitError struct {
	tooLong bool // more rows than the threshold; otherwise the pages did not come to agree
	final   bool // halving would not help
	why     string
}

func (e *splitError) Error() string { return e.why }

func (r *reading) listing(err error) Listing {
	l := Listing{
		Interval: r.iv, Err: err, Pages: r.pages(),
		First: r.first, Last: r.total, Verdict: schema.Complete,
	}
	var split *splitError
	switch {
	case errors.As(err, &split):
		l.Verdict = schema.Short
	case err != nil:
		l.Verdict = schema.Failed
	}
	l.Orders = make([]*schema.Order, 0, len(r.rows))
	for _, row := range r.rows {
		switch {
		case row.reject != nil:
			if row.reject.CreateTime.IsZero() || r.iv.Contains(row.reject.CreateTime) {
				l.Rejects = append(l.Rejects, *row.reject)
			}
		case r.iv.Contains(row.order.CreateTime) && !r.Filters.Match(row.order):
			l.Rejects = append(l.Rejects, unasked(row.order, r.Filters))
		case r.iv.Contains(row.order.CreateTime):
			l.Orders = append(l.Orders, row.order)
		case !r.asked().Contains(row.order.CreateTime):
			l.Rejects = append(l.Rejects, outside(row.order, r.asked()))
		}
	}
	return l
}

// asked is the interval as the vendor may understand it: both ends included.
func (r *reading) asked() window.Interval {
	return window.Interval{Start: r.iv.Start.Add(-edge), End: r.iv.End.Add(edge + time.Second)}
}

// Outside is the reason of a reject that could be read, and was listed where it does not belong.
const Outside = "outside_window"

// outside makes a reject of an order that the vendor lists where it does not belong: no window would ever claim it (I4).
func outside(o *schema.Order, asked window.Interval) schema.Reject {
	return schema.Reject{
		Stream: o.Stream, ID: "outside-" + o.OrderID, Stage: schema.RejectList, OrderID: o.OrderID, CreateTime: o.CreateTime,
		Reason:  Outside,
		Message: fmt.Sprintf("listed for %s but created at %s", asked, o.CreateTime.Format(time.RFC3339Nano)),
		Raw:     o.Raw,
	}
}

// unasked makes a reject of an order that the filters should have kept out of the listing: the ledger proves only what was
// asked for, and what a vendor lists beside that may be a part of something (I4, I12).
func unasked(o *schema.Order, f schema.Filters) schema.Reject {
	have := schema.Filters{ProductCode: o.ProductCode, ProductType: o.ProductType, SubscriptionType: o.SubscriptionType, OrderType: o.OrderType}
	return schema.Reject{
		Stream: o.Stream, ID: "unasked-" + o.OrderID, Stage: schema.RejectList, OrderID: o.OrderID, CreateTime: o.CreateTime,
		Reason:  "outside_filters",
		Message: fmt.Sprintf("listed for %s but has %s: the vendor does not filter by that value as it writes it (accounts[].filters)", f, have),
		Raw:     o.Raw,
	}
}
