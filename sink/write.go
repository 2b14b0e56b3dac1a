package sink

import (
	"context"
	"slices"
	"time"

	"github.com/ordersync/ordersync/schema"
)

// Batch is what one Write stores: rows of any number of windows, and the ledger rows of these windows.
type Batch = schema.Batch

// Bounds of one insert. The server holds all of it in memory, so it is bounded in bytes too: a row's raw payload may be
// large.
const (
	maxBlockRows  = 100_000
	maxBlockBytes = 64 << 20
)

// Write stores the batches as one, and returns when the server has confirmed all of it. The ledger rows go last, so that a
// window is never recorded before each of its rows is stored (I1). After an error some rows may be stored and no ledger
// row is: writing the same again is always right (I3).
func (s *Sink) Write(ctx context.Context, batches ...Batch) error {
	if err := write(ctx, s, itemTable, of(batches, func(b *Batch) []schema.Item { return b.Items })...); err != nil {
		return err
	}
	if err := write(ctx, s, orderTable, of(batches, func(b *Batch) []schema.Order { return b.Orders })...); err != nil {
		return err
	}
	rejects := of(batches, func(b *Batch) []schema.Reject { return b.Rejects })
	if err := write(ctx, s, rejectTable, only(rejects, func(r schema.Reject) bool { return !r.Resolved })...); err != nil {
		return err
	}
	if err := write(ctx, s, rejectStateTable, only(rejects, func(r schema.Reject) bool { return r.Resolved })...); err != nil {
		return err
	}
	return write(ctx, s, windowTable, of(batches, func(b *Batch) []schema.Window { return b.Windows })...)
}

// of returns the rows of one kind of each batch.
func of[T any](batches []Batch, rows func(*Batch) []T) [][]T {
	out := make([][]T, len(batches))
	for i := range batches {
		out[i] = rows(&batches[i])
	}
	return out
}

// only returns the rows of a kind of each batch.
func only[T any](rows [][]T, kind func(T) bool) [][]T {
	out := make([][]T, len(rows))
	for i := range rows {
		for _, r := range rows[i] {
			if kind(r) {
				out[i] = append(out[i], r)
			}
		}
	}
	return out
}

// table says how rows of type T are written.
type table[T any] struct {
	name    string
	columns []column[T]
	// label names a row for people, in errors.
	label func(*T) string
	// compare orders rows by the table's sorting key, then by version.
	compare func(a, b *T) int
	// partition is the time whose month is the row's partition; nil where the table has none.
	partition func(*T) time.Time
	// deleted tells tombstones; nil where the table has none.
	deleted func(*T) bool
	// size is about the number of bytes of a row.
	size func(*T) int
}

// write stores rows of one table. An insert into one partition is all or nothing; where there are several, the tombstones
// go first: an order that moves from one month to another must never be seen in both (I9).
func write[T any](ctx context.Context, s *Sink, t *table[T], rows ...[]T) error {
	parts := split(t, rows...)
	if len(parts) > 1 && t.deleted != nil {
		parts = tombstonesFirst(t, parts)
	}
	for _, part := range parts {
		for _, chunk := range chunks(t, part, maxBlockRows, maxBlockBytes) {
			if err := s.insert(ctx, newBlock(t, chunk)); err != nil {
				return err
			}
		}
	}
	return nil
}

// split sorts rows into their partitions: an insert that spans partitions would not be atomic. Rows are handed over in
// the order of the sorting key, which saves the server from sorting them.
func split[T any](t *table[T], rows ...[]T) [][]*T {
	var parts [][]*T
	index := map[int]int{}
	n := 0
	for _, rows := range rows {
		n += len(rows)
	}
	for _, rows := range rows {
		for i := range rows {
			month := 0
			if t.partition != nil {
				year, m, _ := t.partition(&rows[i]).UTC().Date()
				month = year*100 + int(m)
			}
			p, ok := index[month]
			if !ok {
				p = len(parts)
				index[month] = p
				parts = append(parts, nil)
				if p == 0 {
					parts[p] = make([]*T, 0, n)
				}
			}
			parts[p] = append(parts[p], &rows[i])
		}
	}
	for _, part := range parts {
		slices.SortFunc(part, t.compare)
	}
	return parts
}

// tombstonesFirst takes the tombstones out of all partitions and puts them before all other rows.
func tombstonesFirst[T any](t *table[T], parts [][]*T) [][]*T {
	var gone, rest [][]*T
	for _, part := range parts {
		var tombstones, rows []*T
		for i, row := range part {
			if !t.deleted(row) {
				if tombstones != nil {
					rows = append(rows, row)
				}
				continue
			}
			if tombstones == nil {
				rows = slices.Clone(part[:i]) // most partitions have none, and stay as they are
			}
			tombstones = append(tombstones, row)
		}
		if tombstones == nil {
			rows = part
		} else {
			gone = append(gone, tombstones)
		}
		if len(rows) > 0 {
			rest = append(rest, rows)
		}
	}
	return append(gone, rest...)
}

// chunks cuts rows into blocks of bounded length and size. A single row that is larger than the bound is a block of
// its own.
func chunks[T any](t *table[T], rows []*T, maxRows, maxBytes int) [][]*T {
	var out [][]*T
	start, bytes := 0, 0
	for i, r := range rows {
		n := t.size(r)
		if i > start && (i-start == maxRows || bytes+n > maxBytes) {
			out = append(out, rows[start:i])
			start, bytes = i, 0
		}
		bytes += n
	}
	if start < len(rows) {
		out = append(out, rows[start:])
	}
	return out
}
