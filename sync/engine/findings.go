package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
	"github.com/ordersync/ordersync/sync/window"
)

// # When a finding ends (I12)
//
// A difference that was found is a fact of its own: it stays open, whatever other verifications say, until a look of the
// same depth at all of where it is does not find it again. The looks, and what each of them proves:
//
//   - the ledger, held against the stored rows, proves what is about the ledger: a window that it holds as complete is
//     neither missing nor undone, and where its numbers agree with the rows it does not differ from them;
//   - a TotalCount that agrees proves a number, of the seconds that were asked for, and nothing of any order;
//   - a listing that was read whole and compared with the stored rows proves the list rows of its interval, and so their
//     number; not those of records that could not be read;
//   - the stored rows, made again of their payloads, prove the columns of the orders that have all their payloads;
//   - the detail of an order, asked for by its id, proves that order.
//
// An ordinary run lists windows too. Once it has committed what such a listing showed, the listing has proven the list
// rows of the orders in it. It proves their number where the ledger agrees with the stored rows as well, and that an order
// is not there too much where that order is not stored any more.

// Depth says what was compared.
type Depth string

// Depths. Each proves something of its own; ByRows proves what ByCount does.
const (
	ByLedger  Depth = "ledger"   // the stored rows with the ledger
	ByCount   Depth = "counts"   // their number with the source's
	ByRows    Depth = "rows"     // with the list rows of the source
	ByPayload Depth = "payloads" // with the payloads that they were made of
	ByDetail  Depth = "details"  // with the details of the source
)

// findingTimeout bounds the writing of findings after a stop.
const findingTimeout = 30 * time.Second

// looks are what was looked at, and how.
type looks struct {
	mu      sync.Mutex
	at      map[Depth]*window.Set
	audited window.Set                // the ledger was read, whatever it says
	blind   map[Depth]map[string]bool // orders that were there and could not be looked at
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
	case d.Depth == ByLedger && d.Kind != Ledger:
		return l.audited.Covers(d.Interval)
	case d.OrderID != "" && l.blind[d.Depth][d.OrderID]:
		return false
	}
	return l.of(d.Depth).Covers(d.Interval)
}

// id is the same for the same difference found again.
func (d *Difference) id() string {
	text := fmt.Sprintf("%s\x00%s\x00%d\x00%d\x00%s", d.Kind, d.Depth, d.Start.UnixMilli(), d.End.UnixMilli(), d.OrderID)
	return strconv.FormatUint(schema.Digest(text), 16)
}

// alike reports whether two differences say the same of places that meet.
func (d *Difference) alike(o *Difference) bool {
	return d.Kind == o.Kind && d.Depth == o.Depth && d.OrderID == o.OrderID && !d.Clip(o.Interval).Empty()
}

// earlierFinding is a finding as a difference of a report.
func earlierFinding(f schema.Finding) Difference {
	return Difference{
		Stream: f.Stream, Interval: window.Interval{Start: f.Start, End: f.End}, Kind: Kind(f.Kind), Depth: Depth(f.Depth),
		OrderID: f.OrderID, Source: f.AtSource, Stored: f.Stored, Note: f.Note, FoundAt: f.FoundAt, finding: f,
	}
}

// Findings returns the open findings of a stream that lie in [from, to), or partly so; a zero time is no bound.
func Findings(ctx context.Context, store auditStore, stream schema.Stream, from, to time.Time) ([]Difference, error) {
	findings, err := store.OpenFindings(ctx, stream)
	if err != nil {
		return nil, err
	}
	var out []Difference
	for _, f := range findings {
		if (from.IsZero() || f.End.After(from)) && (to.IsZero() || f.Start.Before(to)) {
			out = append(out, earlierFinding(f))
		}
	}
	return out, nil
}

// conclude says which of the findings that were open before have ended: those that looks cover and that were not found
// again, or were repaired. It records that together with what was found, and returns those that are still open beside it.
// It does so after a stop too: what was found is known, and what was looked at was looked at.
func conclude(ctx context.Context, store auditStore, before, found []Difference, l *looks, by string) (left []Difference, err error) {
	ctx, end := Late(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, findingTimeout)
	defer cancel()
	now := time.Now().UTC()
	var out []schema.Finding
	again, repaired := map[string]bool{}, map[string]bool{}
	for i := range found {
		again[found[i].id()] = !found[i].Repaired
		repaired[found[i].id()] = found[i].Repaired
	}
	for _, d := range before {
		id := d.id()
		if !again[id] && (repaired[id] || l.cover(&d)) {
			f := d.finding
			f.EndedAt, f.EndedBy, f.Version = now, by, nextVersion(f.Version)
			out = append(out, f)
			continue
		}
		left = append(left, d)
	}
	for i := range found {
		d := &found[i]
		version := uint64(0)
		known := slices.ContainsFunc(left, func(b Difference) bool {
			if b.id() == d.id() {
				version = b.finding.Version
				return false
			}
			return b.alike(d) && !d.Start.Before(b.Start) && !d.End.After(b.End)
		})
		if known || d.Repaired && version == 0 {
			continue // it is a part of one that is open, or it came and went within this run
		}
		at := d.FoundAt
		if at.IsZero() {
			at = now
		}
		out = append(out, schema.Finding{
			Stream: d.Stream, ID: d.id(), Kind: string(d.Kind), Depth: string(d.Depth), Start: d.Start, End: d.End, OrderID: d.OrderID,
			AtSource: d.Source, Stored: d.Stored, Note: d.Note, FoundAt: at, Version: nextVersion(version),
		})
	}
	left = slices.DeleteFunc(left, func(d Difference) bool { // what is said already
		return slices.ContainsFunc(found, func(f Difference) bool { return !f.Repaired && f.alike(&d) })
	})
	return left, store.WriteFindings(ctx, out)
}

// EndFindings ends those of the findings of earlier verifications that an ordinary run has proven to be no more, by what it
// listed completely.
func EndFindings(ctx context.Context, store auditStore, r *streamRun, open []Difference) error {
	listed, unread := r.proven()
	var before []Difference
	for _, d := range open {
		if listed.Covers(d.Align(r.window).Clip(window.Interval{Start: d.Start, End: r.now})) {
			before = append(before, d)
		}
	}
	if len(before) == 0 {
		return nil
	}
	if err := r.commits.flush(); err != nil {
		return err
	}
	var windows window.Set
	for i := range before {
		windows.Add(before[i].Align(r.window))
	}
	v := &verification{streamRun: r, warehouse: store, looks: new(looks)}
	proven := new(looks) // numbers are proven only where the ledger agrees with the rows
	for _, iv := range windows {
		v.iv = iv
		complete, err := v.audit(ctx)
		if err != nil {
			return err
		}
		for _, c := range complete {
			if listed.Covers(c.Clip(window.Interval{Start: c.Start, End: r.now})) && v.looks.covers(ByLedger, c) {
				proven.add(ByRows, c)
			}
		}
	}
	*proven.of(ByLedger), proven.audited = *v.looks.of(ByLedger), v.looks.audited
	for _, id := range unread {
		proven.cannot(ByRows, id)
	}
	found := v.found
	var ids []string
	for i := range before {
		if before[i].Kind == Extra {
			ids = append(ids, before[i].OrderID)
		}
	}
	if len(ids) > 0 {
		stored, err := store.Find(ctx, r.stream.Stream, ids)
		if err != nil {
			return err
		}
		for i := range before {
			if slices.ContainsFunc(stored, func(o schema.OrderRef) bool {
				return o.OrderID == before[i].OrderID && before[i].Contains(o.CreateTime)
			}) {
				found = append(found, before[i])
			}
		}
	}
	// What the audit finds in passing is not what this run was asked for: only what was open already is concluded.
	found = slices.DeleteFunc(found, func(d Difference) bool {
		return !slices.ContainsFunc(before, func(b Difference) bool { return b.id() == d.id() })
	})
	_, err := conclude(ctx, store, before, found, proven, "run")
	return err
}
