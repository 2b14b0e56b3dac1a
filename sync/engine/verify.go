package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// Kind says in what the warehouse and the source, or the warehouse and its ledger, do not agree.
type Kind string

// Kinds of Difference.
const (
	Missing Kind = "missing" // windows that were never walked
	Undone  Kind = "undone"  // a window that the ledger itself holds as short, failed or open
	Ledger  Kind = "ledger"  // the stored rows are not those that the walk of the window saw
	Count   Kind = "count"   // the source counts other than the warehouse
	Absent  Kind = "absent"  // an order of the source that is not stored
	Extra   Kind = "extra"   // a stored order that the source does not list, or one of several rows of an order
	Changed Kind = "changed" // an order that the source lists in another state
	Altered Kind = "altered" // a stored row that is not what its own raw payload says
)

// Difference is one finding of Verify.
type Difference struct {
	schema.Stream
	window.Interval
	Kind     Kind
	Depth    Depth  // of the look that found it
	OrderID  string // where it is about one order
	Source   int    // orders at the source, or in the ledger
	Stored   int    // orders in the warehouse
	Note     string
	FoundAt  time.Time // by an earlier verification, where this one did not look as deep or as far; else zero
	Repaired bool
	Why      string // it was not repaired, where that was tried

	finding schema.Finding // its row, of one found earlier
}

// Report is the result of Verify.
type Report struct {
	From, To    time.Time // what was asked for: closed windows only
	Windows     int       // that were compared with the source
	LeftOut     int       // windows that were not: the ledger does not hold them as complete, or it ended before
	Calls       int64     // made, those of a repair included
	Differences []Difference
}

// Left counts the differences that were not repaired.
func (r Report) Left() int {
	n := 0
	for _, d := range r.Differences {
		if !d.Repaired {
			n++
		}
	}
	return n
}

// VerifyOptions say how thorough Verify is.
type VerifyOptions struct {
	// Deep lists everything again and compares each list row, and compares each stored row with its raw payload. It does
	// not ask for details, but where orders cannot be listed.
	Deep bool
	// Repair walks the windows that differ again, those of earlier findings included, and looks again.
	Repair bool
}

const (
	// longestCount is the longest span whose TotalCount is asked for in one call. The vendor documents no limit; public
	// programs ask for a year at once.
	longestCount = 90 * 24 * time.Hour
	verifyEdge   = time.Second
	verifyEdges  = 10 * time.Second
)

// Runner does one run over all streams of an account, side by side: an engine.
type Runner interface {
	Run(ctx context.Context, now time.Time, p *Progress, work func(context.Context, *streamRun) error) (Summary, error)
}

// Audit compares what is stored of an account with its source and with itself, and brings it in order.
type Audit struct {
	store  auditStore
	runs   Runner
	window time.Duration
	settle time.Duration
}

// NewAudit makes an Audit. window is the length of a window, settle how late an order may come into one that is past.
func NewAudit(store auditStore, runs Runner, window, settle time.Duration) *Audit {
	return &Audit{store: store, runs: runs, window: window, settle: settle}
}

// auditStore is what this package needs of the warehouse. Ranges are of creation times, [from, to), and have both ends.
type auditStore interface {
	Store
	// Orders returns all orders of a range, Items their items, and Count counts the orders.
	Orders(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Order, error)
	Items(ctx context.Context, stream schema.Stream, from, to time.Time) ([]schema.Item, error)
	Count(ctx context.Context, stream schema.Stream, from, to time.Time) (int, error)
	// Find returns those of some orders that are stored, by their ids alone.
	Find(ctx context.Context, stream schema.Stream, ids []string) ([]schema.OrderRef, error)
	// OpenFindings returns the findings of a stream that have not ended; WriteFindings records some, or that they ended.
	OpenFindings(ctx context.Context, stream schema.Stream) ([]schema.Finding, error)
	WriteFindings(ctx context.Context, findings []schema.Finding) error
}

// Verify compares the warehouse with its own ledger, which costs no call, and with the source: TotalCount of a span
// against the stored orders, halving where they differ, so that what agrees costs a call a quarter of a year. Windows
// that are not past their settle time are left out, and open ones that are while nothing after them is complete: the next run
// closes them. Where a vendor cannot list, there is nothing to count: only a deep Verify asks, for each stored order.
func (a *Audit) Verify(ctx context.Context, now, from, to time.Time, o VerifyOptions, p *Progress) (Report, Summary, error) {
	if p == nil {
		p = new(Progress)
	}
	iv := window.Interval{Start: from, End: to}
	iv = iv.Clip(window.Interval{Start: from, End: now.Add(-a.settle).Truncate(a.window)}).Align(a.window)
	report := Report{From: iv.Start, To: iv.End}
	if iv.Empty() {
		return report, Summary{}, nil
	}
	var mu sync.Mutex
	summary, err := a.runs.Run(ctx, now, p, func(ctx context.Context, r *streamRun) error {
		iv := iv.Clip(window.Interval{Start: iv.Start, End: r.past().Add(-a.settle).Truncate(a.window)})
		if iv.Empty() {
			return nil
		}
		r.eager = true
		r.limit(iv)
		v := &verification{streamRun: r, warehouse: a.store, iv: iv, VerifyOptions: o, looks: new(looks)}
		before, err := Findings(ctx, a.store, r.stream.Stream, iv.Start, iv.End)
		if err != nil {
			return err
		}
		err = v.run(source.WithPriority(ctx, source.Verify), before)
		left, failed := conclude(ctx, a.store, before, v.found, v.looks, v.name())
		mu.Lock()
		defer mu.Unlock()
		report.Differences = append(append(report.Differences, v.found...), left...)
		if r.stream.Lists() {
			n := v.compared()
			report.Windows += n
			report.LeftOut += len(iv.Tile(a.window)) - n
		}
		return errors.Join(err, failed)
	})
	report.Calls = p.ListCalls.Load() + p.Details.Load()
	return report, summary, err
}

// verification is Verify on one stream.
type verification struct {
	*streamRun
	warehouse auditStore
	VerifyOptions
	iv    window.Interval
	found []Difference
	looks *looks
}

// name is what ends a finding, for people.
func (v *verification) name() string {
	if v.Repair {
		return "repair"
	}
	return "verification"
}

// compared counts the windows that were compared with the source. At the ends of what the ledger holds it is asked for
// less than is meant, see question.
func (v *verification) compared() int {
	n := 0
	for _, w := range v.iv.Tile(v.window) {
		if v.looks.covers(ByCount, window.Interval{Start: w.Start.Add(verifyEdges), End: w.End.Add(-verifyEdges)}) {
			n++
		}
	}
	return n
}

// run verifies; before are the findings of the interval that are open.
func (v *verification) run(ctx context.Context, before []Difference) error {
	if !v.stream.Lists() {
		return v.ask(ctx)
	}
	complete, err := v.audit(ctx)
	if err != nil {
		return err
	}
	if err := v.doubled(ctx); err != nil {
		return err
	}
	for _, stretch := range complete {
		v.progress.plan(len(stretch.Tile(v.window)))
	}
	for _, stretch := range complete {
		if v.Deep {
			err = v.compare(ctx, stretch)
		} else {
			err = v.count(ctx, stretch, stretch)
		}
		if err != nil {
			return err
		}
	}
	if v.Deep && v.stream.Decoder != nil {
		if err := v.rows(ctx, v.iv); err != nil {
			return err
		}
	}
	if !v.Repair {
		return nil
	}
	for _, d := range before {
		if again := slices.ContainsFunc(v.found, func(f Difference) bool { return f.id() == d.id() }); !again && !v.looks.cover(&d) {
			v.found = append(v.found, d) // this look was not as deep: it is repaired all the same
		}
	}
	if len(v.found) == 0 {
		return nil
	}
	return v.repairAll(ctx)
}

// differ notes a difference that a look of a depth found.
func (v *verification) differ(depth Depth, iv window.Interval, d Difference) {
	d.Stream, d.Interval, d.Depth = v.stream.Stream, iv, depth
	v.found = append(v.found, d)
}

// audit holds the stored rows against the ledger and gives the stretches that the ledger holds as complete.
func (v *verification) audit(ctx context.Context) (complete window.Set, err error) {
	ledger, err := v.store.Windows(ctx, v.stream.Stream, v.iv.Start, v.now)
	if err != nil {
		return nil, err
	}
	counts, err := v.store.Counts(ctx, v.stream.Stream, v.window, v.iv.Start, v.iv.End)
	if err != nil {
		return nil, err
	}
	known := make(map[int64]schema.Window, len(ledger))
	var newest time.Time // window that is complete
	for _, w := range ledger {
		known[w.Start.Unix()] = w
		if w.Verdict == schema.Complete && w.Start.After(newest) {
			newest = w.Start
		}
	}
	var missing window.Set
	for _, iv := range v.iv.Tile(v.window) {
		w, ok := known[iv.Start.Unix()]
		c := counts[iv.Start]
		switch {
		case !ok || w.Verdict == "": // never walked, or with other filters
			missing.Add(iv)
			continue
		case w.Verdict == schema.Open && iv.Start.After(newest):
			continue // the next run closes it
		case w.Verdict != schema.Complete:
			v.differ(ByLedger, iv, Difference{Kind: Undone, Source: int(w.Listed), Stored: int(c.Stored), Note: string(w.Verdict) + ": " + w.Error})
			continue
		case w.Stored != c.Stored || w.IDDigest != c.IDDigest:
			v.differ(ByLedger, iv, Difference{Kind: Ledger, Source: int(w.Stored), Stored: int(c.Stored), Note: "the stored orders are not those of the walk"})
		case w.Items != c.Items:
			v.differ(ByLedger, iv, Difference{Kind: Ledger, Source: int(w.Stored), Stored: int(c.Stored),
				Note: fmt.Sprintf("%d items in the ledger, %d stored", w.Items, c.Items)})
		}
		v.looks.add(ByLedger, iv)
		complete.Add(iv)
	}
	for _, iv := range missing {
		v.differ(ByLedger, iv, Difference{Kind: Missing, Note: v.neverWalked()})
	}
	v.looks.audit(v.iv)
	return complete, nil
}

// neverWalked says of windows that the ledger does not prove anything about them.
func (v *verification) neverWalked() string {
	if f := v.stream.Filters.String(); f != "" {
		return "never walked with the filters " + f + "; backfill it"
	}
	return "never walked; backfill it"
}

// doubled finds the orders that are stored with several creation times (I11). Which of them is right only the source knows.
func (v *verification) doubled(ctx context.Context) error {
	ids, err := v.store.Doubled(ctx, v.stream.Stream)
	if err != nil || len(ids) == 0 {
		return err
	}
	stored, err := v.store.Places(ctx, v.stream.Account, ids)
	if err != nil {
		return err
	}
	for _, p := range stored {
		if p.OwnerID == v.stream.OwnerID && v.iv.Contains(p.CreateTime) {
			v.differ(ByLedger, window.At(p.CreateTime, v.window), Difference{
				Kind: Extra, OrderID: p.OrderID, Source: 1, Stored: 2, Note: "the order is stored with more than one creation time",
			})
		}
	}
	return nil
}

// count compares the source's TotalCount of an interval of a stretch with what is stored, and halves it where they differ.
func (v *verification) count(ctx context.Context, iv, stretch window.Interval) error {
	if iv.End.Sub(iv.Start) > longestCount {
		return v.halve(ctx, iv, stretch)
	}
	asked, least, most, err := v.question(ctx, iv, stretch)
	if err != nil {
		return err
	}
	p, err := v.stream.Source.List(ctx, source.Query{
		OwnerID: v.stream.OwnerID, Filters: v.stream.Filters, Start: asked.Start, End: asked.End, Page: 1, Size: 1,
	})
	v.progress.ListCalls.Add(1)
	switch {
	case source.ReasonOf(err) == source.Timeout && iv.End.Sub(iv.Start) > v.window:
		return v.halve(ctx, iv, stretch)
	case err != nil:
		return err
	case least <= p.Total && p.Total <= most:
		v.looks.add(ByCount, asked.Clip(iv))
		v.progress.Done.Add(int64(len(iv.Tile(v.window))))
		return nil
	case iv.End.Sub(iv.Start) > v.window:
		return v.halve(ctx, iv, stretch)
	}
	v.progress.Done.Add(1)
	v.looks.add(ByCount, asked.Clip(iv))
	v.differ(ByCount, asked.Clip(iv), Difference{Kind: Count, Source: p.Total, Stored: most, Note: "TotalCount of the source"})
	return nil
}

// question returns the times to ask for, and how many orders the source should count between them. As in a walk, more is
// asked for on each side than is meant. Whether the orders of the outermost seconds count depends on the vendor, so where
// there are any, both answers are right, and one could hide that an order is missing. So seconds without orders are
// looked for. Beyond the ends of the stretch nothing is known to be stored, so there it is asked for less than is meant,
// and never for an order that nobody has synced.
func (v *verification) question(ctx context.Context, iv, stretch window.Interval) (asked window.Interval, least, most int, err error) {
	for edge := verifyEdge; edge <= verifyEdges; edge += time.Second {
		asked = window.Interval{Start: iv.Start.Add(-edge), End: iv.End.Add(edge)}
		if iv.Start.Equal(stretch.Start) {
			asked.Start = iv.Start.Add(edge - verifyEdge)
		}
		if iv.End.Equal(stretch.End) {
			asked.End = iv.End.Add(-edge)
		}
		if most, err = v.stored(ctx, window.Interval{Start: asked.Start, End: asked.End.Add(time.Second)}); err != nil {
			break
		}
		least, err = v.stored(ctx, window.Interval{Start: asked.Start.Add(time.Second), End: asked.End})
		if err != nil || least == most {
			break
		}
	}
	return asked, least, most, err
}

func (v *verification) halve(ctx context.Context, iv, stretch window.Interval) error {
	a, b, _ := iv.Halve(v.window)
	if err := v.count(ctx, a, stretch); err != nil {
		return err
	}
	return v.count(ctx, b, stretch)
}

// stored counts what should be at the source: the stored orders, and the listed rows that could not become orders.
func (v *verification) stored(ctx context.Context, iv window.Interval) (int, error) {
	n, err := v.warehouse.Count(ctx, v.stream.Stream, iv.Start, iv.End)
	if err != nil {
		return 0, err
	}
	rejected, err := v.open.listed(ctx, iv)
	return n + rejected, err
}

// repairAll walks the windows with differences again, fetches the orders that were named, and then looks again, as deep as
// they were found. Repaired is what was listed whole in this run and then not found again (I12).
func (v *verification) repairAll(ctx context.Context) error {
	due, orders := map[int64]bool{}, map[string]bool{}
	for _, d := range v.found {
		for _, w := range d.Align(v.window).Tile(v.window) {
			due[w.Start.Unix()] = true
		}
		if d.OrderID != "" {
			orders[d.OrderID] = true
		}
	}
	ledger, err := v.store.Windows(ctx, v.stream.Stream, v.iv.Start, v.now)
	if err != nil {
		return err
	}
	var windows []window.Interval
	for _, w := range v.iv.Tile(v.window) {
		if due[w.Start.Unix()] {
			windows = append(windows, w)
		}
	}
	jobs := planJobs(windows, ledger, source.Verify, time.Time{})
	shared := &repair{orders: orders} // one for all jobs, which run side by side: its lock is the map's
	for i := range jobs {
		jobs[i].repair = shared
	}
	if err := v.walk(ctx, jobs); err != nil {
		return err
	}
	if err := v.commits.flush(); err != nil {
		return err
	}
	again, err := v.again(ctx)
	for i := range v.found {
		d := &v.found[i]
		why := v.unrepaired(d)
		switch {
		case why != "":
		case slices.ContainsFunc(again.found, func(f Difference) bool { return f.alike(d) }):
			why = "it was listed whole, and still differs"
		case !again.looks.cover(d):
			why = "it was listed whole, and could not be compared again"
		default:
			d.Repaired = true
			continue
		}
		d.Why = why
	}
	for _, f := range again.found { // what came to light only now
		if !slices.ContainsFunc(v.found, func(d Difference) bool { return f.alike(&d) }) {
			v.found = append(v.found, f)
		}
	}
	return err
}

// unrepaired says why nothing was learned of a difference in this run, or nothing.
func (v *verification) unrepaired(d *Difference) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range d.Align(v.window).Tile(v.window) {
		if at := w.Start.Unix(); !v.whole[at] {
			why := "its window was not listed whole"
			if v.unwhole[at] != "" {
				why += ": " + v.unwhole[at]
			}
			return why
		}
	}
	return ""
}

// again looks again at all differences, each as deep as it was found.
func (v *verification) again(ctx context.Context) (*verification, error) {
	again := &verification{streamRun: v.streamRun, warehouse: v.warehouse, iv: v.iv, looks: new(looks)}
	complete, err := again.audit(ctx)
	if err != nil {
		return again, err
	}
	if err := again.doubled(ctx); err != nil {
		return again, err
	}
	at := map[Depth]*window.Set{ByRows: {}, ByCount: {}, ByPayload: {}, ByLedger: {}, ByDetail: {}}
	for i := range v.found {
		d := &v.found[i]
		if v.unrepaired(d) == "" {
			at[d.Depth].Add(d.Align(v.window).Clip(v.iv))
		}
	}
	clipped := func(set *window.Set) (out []window.Interval) {
		for _, iv := range *set {
			for _, c := range complete {
				if part := iv.Clip(c); !part.Empty() {
					out = append(out, part)
				}
			}
		}
		return out
	}
	for _, iv := range clipped(at[ByRows]) {
		if err := again.compare(ctx, iv); err != nil {
			return again, err
		}
	}
	for _, iv := range clipped(at[ByCount]) {
		if again.looks.covers(ByCount, iv) {
			continue
		}
		for _, c := range complete {
			if part := iv.Clip(c); !part.Empty() {
				if err := again.count(ctx, part, c); err != nil {
					return again, err
				}
			}
		}
	}
	for _, iv := range *at[ByPayload] {
		if err := again.rows(ctx, iv); err != nil {
			return again, err
		}
	}
	return again, nil
}
