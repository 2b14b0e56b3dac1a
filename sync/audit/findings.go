package audit

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// findingTimeout bounds the writing of findings after a stop.
const findingTimeout = 30 * time.Second

// Findings returns the open findings of a stream that lie in [from, to), or partly so; a zero time is no bound.
func Findings(ctx context.Context, store Store, stream schema.Stream, from, to time.Time) ([]Difference, error) {
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
func conclude(ctx context.Context, store Store, r *stream.Run, before, found []Difference, l *looks, by string) (left []Difference, err error) {
	ctx, end := stream.Late(ctx)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, findingTimeout)
	defer cancel()
	if err := l.narrow(ctx, r, before); err != nil {
		return before, err
	}
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
			f.EndedAt, f.EndedBy, f.Version = now, by, stream.NextVersion(f.Version)
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
			AtSource: d.Source, Stored: d.Stored, Note: d.Note, FoundAt: at, Version: stream.NextVersion(version),
		})
	}
	left = slices.DeleteFunc(left, func(d Difference) bool { // what is said already
		return slices.ContainsFunc(found, func(f Difference) bool { return !f.Repaired && f.alike(&d) })
	})
	return left, store.WriteFindings(ctx, out)
}

// EndFindings ends those of the findings of earlier verifications that an ordinary run has proven to be no more, by what it
// listed completely.
func EndFindings(ctx context.Context, store Store, r *stream.Run, open []Difference) error {
	listed, unread := r.Proven()
	var before []Difference
	for _, d := range open {
		if listed.Covers(d.Align(r.Window).Clip(window.Interval{Start: d.Start, End: r.Now})) {
			before = append(before, d)
		}
	}
	if len(before) == 0 {
		return nil
	}
	if err := r.Commits.Flush(); err != nil {
		return err
	}
	var windows window.Set
	for i := range before {
		windows.Add(before[i].Align(r.Window))
	}
	v := &verification{run: r, warehouse: store, looks: new(looks)}
	proven := new(looks) // numbers are proven only where the ledger agrees with the rows
	for _, iv := range windows {
		v.iv = iv
		complete, err := v.audit(ctx)
		if err != nil {
			return err
		}
		for _, c := range complete {
			if listed.Covers(c.Until(r.Now)) && v.looks.covers(ByLedger, c) {
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
		stored, err := store.Find(ctx, r.Stream.Stream, ids)
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
	_, err := conclude(ctx, store, r, before, found, proven, "run")
	return err
}
