package walk

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// reading is the state of reading one listing.
type reading struct {
	*Walker
	iv     window.Interval
	size   int  // the page size that is asked for
	second bool // it is one second, which is read whatever its length

	mu    sync.Mutex
	calls int
	rows  map[string]row // by identity, the latest read of each
	seen  map[int]view   // by page number, what its latest read showed
	first int            // TotalCount at first read
	total int            // TotalCount as now accepted
	held  int            // rows of page 1 when it was read last
}

// row is an order or a reject.
type row struct {
	order  *schema.Order
	reject *schema.Reject
}

// view is what one read of a page showed.
type view struct {
	total, rows int
	head        string // identity of its first row
	outside     int    // rows created at other times than was asked for
}

// strange reports whether a page shows mostly what was not asked for. A single row may be wrong in its time.
func (v view) strange() bool { return v.outside > 1 && v.outside > v.rows/2 }

// strange says the same of the whole listing.
func (r *reading) strange() error {
	all := view{rows: len(r.rows)}
	for _, row := range r.rows {
		if row.order != nil && !r.asked().Contains(row.order.CreateTime) {
			all.outside++
		}
	}
	if all.strange() {
		return r.ignored()
	}
	return nil
}

// ignored is the error of a vendor that does not heed the times of a question. Smaller questions would be answered alike.
func (r *reading) ignored() error {
	return &source.Error{
		Vendor: r.Stream.Source, API: "list", Account: r.Stream.Account, Reason: source.BadRequest,
		Message: "most of the orders that were listed for " + r.iv.String() + " were created at other times",
		Hint:    "the source seems to ignore the creation times that it is asked for; check accounts[].endpoint and accounts[].api_version",
	}
}

// read reads the listing until it agrees with itself. Its error is nil (complete), a splitError, or the vendor's.
func (r *reading) read(ctx context.Context) error {
	v, err := r.page(ctx, 1)
	if err != nil {
		return err
	}
	r.first, r.total = v.total, v.total
	if v.strange() {
		if v, err = r.page(ctx, 1); err != nil { // not on the word of one answer
			return err
		}
		if v.strange() {
			return r.ignored()
		}
		r.first, r.total = v.total, v.total
	}
	if r.second && r.pages() > maxPagesSecond {
		return &splitError{final: true, why: fmt.Sprintf("TotalCount %d in one second", v.total)}
	}
	if most := threshold(r.iv) * r.size; !r.second && v.total > most {
		return &splitError{tooLong: true, why: fmt.Sprintf("TotalCount %d is above the split threshold of %d", v.total, most)}
	}
	var why, before string
	if v.rows == v.total && v.rows <= r.size && len(r.rows) == v.total { // one answer, which cannot have shifted
		if why, err = r.beyond(ctx); err != nil || why == "" {
			return err
		}
	}
	for range maxRounds {
		if why, err = r.round(ctx); err != nil {
			return err
		}
		if why == "" {
			why, err = r.beyond(ctx)
		}
		if err != nil {
			return err
		}
		if why == "" {
			return r.strange()
		}
		if why == before {
			break
		}
		before = why
	}
	return &splitError{why: why, final: r.pages() == 1 && !r.divides()}
}

// divides reports whether a page that does not agree with its count may do so in parts: not where it names more rows than it
// holds. One of fewer rows may be up to a limit; else it is told which window is wrong, and not for each second of it.
func (r *reading) divides() bool {
	return r.held >= r.total && (r.iv.End.Sub(r.iv.Start) > r.Window || r.total >= min(r.size, leastLimit))
}

// beyond asks for the page after the last one, where that is full, and says what of it was not listed yet.
func (r *reading) beyond(ctx context.Context) (why string, err error) {
	if r.total == 0 || r.total%r.size != 0 {
		return "", nil
	}
	p, err := r.ask(ctx, r.pages()+1)
	r.calls++
	if err != nil {
		if source.ReasonOf(err) == source.BadRequest {
			return "", nil // there is no such page
		}
		return "", err
	}
	n := 0
	for i := range p.Orders { // some sources show the last page again
		if _, listed := r.rows["order "+p.Orders[i].OrderID]; !listed {
			n++
		}
	}
	for i := range p.Rejects {
		if _, listed := r.rows[identity(&p.Rejects[i])]; !listed {
			n++
		}
	}
	if n > 0 {
		return fmt.Sprintf("%d more after the last page of TotalCount %d", n, r.total), nil
	}
	return "", nil
}

// round reads the pages that do not fit, then page 1 once more, and says what still does not agree.
func (r *reading) round(ctx context.Context) (why string, err error) {
	before := r.seen[1]
	if err := r.fill(ctx); err != nil {
		return "", err
	}
	again, err := r.page(ctx, 1)
	if err != nil {
		return "", err
	}
	if again.total != r.total {
		// Either the count moved or one of the two answers is wrong: a third one decides.
		was := r.total
		if again, err = r.page(ctx, 1); err != nil {
			return "", err
		}
		if r.total = again.total; r.total != was {
			return fmt.Sprintf("TotalCount moved from %d to %d", was, r.total), nil
		}
	}
	if short := again.rows; short > 0 && short < r.size && short < again.total && before.rows == short {
		// Page 1 is short each time: the vendor returns smaller pages than it is asked for. Asking for that size is right
		// whether or not that is the reason.
		asked := r.size
		r.restart(short)
		return fmt.Sprintf("pages of %d hold only %d", asked, short), nil
	}
	if before.total == again.total && before.rows == again.rows && before.head != again.head {
		r.restart(r.size)
		return "the first rows of page 1 changed while the pages were read", nil
	}
	for p := 1; p <= r.pages(); p++ {
		if why := r.misfit(p); why != "" {
			return why, nil
		}
	}
	if len(r.rows) != r.total {
		// Every page is full and yet rows are missing or too many: rows moved between pages.
		n := len(r.rows)
		r.restart(r.size)
		return fmt.Sprintf("distinct rows: %d, TotalCount: %d", n, r.total), nil
	}
	return "", nil
}

// maxMisfits is how many pages of a round may disagree before it is given up: the others would, too.
const maxMisfits = 100

// fill reads, in parallel, all pages whose latest read does not fit the count.
func (r *reading) fill(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, r.Parallel))
	var misfits atomic.Int64
	for p := 2; p <= r.pages() && gctx.Err() == nil && misfits.Load() < maxMisfits; p++ {
		if r.misfit(p) == "" {
			continue
		}
		g.Go(func() error {
			v, err := r.page(gctx, p)
			if err == nil && r.repeats(v) {
				v, err = r.page(gctx, p) // not on the word of one answer
			}
			switch {
			case err == nil && r.repeats(v):
				return &splitError{why: fmt.Sprintf("page %d of %d shows page 1", p, r.pages()), final: r.second}
			case err == nil && r.misfit(p) != "":
				misfits.Add(1)
			case source.ReasonOf(err) == source.BadRequest: // page 1 was answered, so the vendor pages no deeper
				return &splitError{why: fmt.Sprintf("page %d of %d is refused: %v", p, r.pages(), err), final: r.second}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// repeats reports whether a page behind the first one begins as that does: the vendor shows it whatever page it is asked for, and
// only a listing of one page can be read.
func (r *reading) repeats(v view) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return v.head != "" && v.head == r.seen[1].head
}

// restart forgets what was read, because it belongs to another state or size of the listing.
func (r *reading) restart(size int) {
	r.size = size
	clear(r.rows)
	clear(r.seen)
}

func (r *reading) pages() int { return max(1, (r.total+r.size-1)/r.size) }

// misfit says in what the latest read of a page does not fit the count that is accepted.
func (r *reading) misfit(p int) string {
	r.mu.Lock()
	v, ok := r.seen[p]
	r.mu.Unlock()
	want := min(r.size, r.total-(p-1)*r.size)
	switch {
	case !ok:
		return fmt.Sprintf("page %d has not been read", p)
	case v.total != r.total:
		return fmt.Sprintf("page %d says TotalCount %d, others %d", p, v.total, r.total)
	case v.rows != want:
		return fmt.Sprintf("page %d of %d holds %d instead of %d (TotalCount %d)", p, r.pages(), v.rows, want, r.total)
	}
	return ""
}

// page reads one page and takes its rows.
func (r *reading) page(ctx context.Context, n int) (view, error) {
	asked := r.asked()
	p, err := r.ask(ctx, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if err != nil {
		return view{}, err
	}
	v := view{total: p.Total, rows: len(p.Orders) + len(p.Rejects)}
	for i := range p.Orders {
		id := "order " + p.Orders[i].OrderID
		if i == 0 {
			v.head = id
		}
		r.rows[id] = row{order: &p.Orders[i]}
		if !asked.Contains(p.Orders[i].CreateTime) {
			v.outside++
		}
	}
	for i := range p.Rejects {
		id := identity(&p.Rejects[i])
		if v.head == "" {
			v.head = id
		}
		r.rows[id] = row{reject: &p.Rejects[i]}
	}
	r.seen[n] = v
	if n == 1 {
		r.held = v.rows
	}
	return v, nil
}

// identity tells rejected rows apart, even those without an id of their own.
func identity(j *schema.Reject) string {
	if j.OrderID != "" {
		return "order " + j.OrderID
	}
	return "raw " + strconv.FormatUint(xxhash.Sum64String(j.Raw), 16)
}

// ask asks for a page.
func (r *reading) ask(ctx context.Context, n int) (source.Page, error) {
	asked := r.asked()
	return r.Lister.List(ctx, source.Query{
		OwnerID: r.Stream.OwnerID, Start: asked.Start, End: asked.End.Add(-edge), PaymentStatus: r.PaymentStatus, Filters: r.Filters,
		Page: n, Size: r.size,
	})
}
