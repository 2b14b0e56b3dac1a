package sink

import (
	"cmp"
	"context"
	"maps"
	"slices"

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

// Write stores the batches as one, and returns when the server has confirmed all of it. After an error some rows may be
// stored and no ledger row is: writing the same again is always right (I3).
func (s *Sink) Write(ctx context.Context, batches ...Batch) error {
	w := s.Writer(1)
	for _, b := range batches {
		if err := w.Add(b); err != nil {
			return err
		}
	}
	return w.Write(ctx)
}

// Writer returns a writer without rows, one of some that are filled side by side and share the memory of what is not encoded yet.
func (s *Sink) Writer(of int) schema.Writer {
	most := max(leastPacketBytes, maxPacketBytes/of)
	return &writer{
		sink:  s,
		items: gather(itemTable, most), orders: gather(orderTable, most), rejects: gather(rejectTable, most),
		resolved: gather(rejectStateTable, most), windows: gather(windowTable, most),
	}
}

type writer struct {
	sink    *Sink
	items   *gathered[schema.Item]
	orders  *gathered[schema.Order]
	rejects *gathered[schema.Reject]
	// resolved are rejects that became rows: that needs no copy of the payload.
	resolved *gathered[rejectState]
	windows  *gathered[schema.Window]
}

// Add is part of [schema.Writer].
func (w *writer) Add(b Batch) error {
	var open []schema.Reject
	var resolved []rejectState
	for _, r := range b.Rejects {
		if r.Resolved {
			resolved = append(resolved, rejectState{r, r.Payload()})
		} else {
			open = append(open, r)
		}
	}
	return cmp.Or(w.items.add(b.Items), w.orders.add(b.Orders), w.rejects.add(open), w.resolved.add(resolved), w.windows.add(b.Windows))
}

// Size is part of [schema.Writer].
func (w *writer) Size() int {
	return w.items.size + w.orders.size + w.rejects.size + w.resolved.size + w.windows.size
}

// Write is part of [schema.Writer]. An order that is stored is not fetched again, so it follows its items and the rejects of
// its lines. The ledger rows go last, so that a window is never recorded before each of its rows is stored (I1).
func (w *writer) Write(ctx context.Context) error {
	for _, send := range []func(context.Context, *Sink) error{w.rejects.send, w.items.send, w.orders.send, w.resolved.send, w.windows.send} {
		if err := send(ctx, w.sink); err != nil {
			return err
		}
	}
	return nil
}

// write stores rows of one table.
func write[T any](ctx context.Context, s *Sink, t *table[T], rows []T) error {
	g := gather(t, maxPacketBytes)
	if err := g.add(rows); err != nil {
		return err
	}
	return g.send(ctx, s)
}

// gathered is rows of one table that are to be sent. Those that came last wait as they are, all others encoded and
// compressed: they take a tenth of the memory then, for as long as an insert and its retries may take.
type gathered[T any] struct {
	table *table[T]
	most  int              // bytes that wait as they are
	parts map[int]*part[T] // by place
	// What is not encoded yet.
	openRows, openBytes int
	// size is about how many bytes all rows take.
	size int
}

// part is the rows of one place.
type part[T any] struct {
	open    []*T
	packets []packet
}

func gather[T any](t *table[T], most int) *gathered[T] {
	return &gathered[T]{table: t, most: most, parts: map[int]*part[T]{}}
}

// add takes rows over, which must not change any more. It fails on a value that does not fit its column.
func (g *gathered[T]) add(rows []T) error {
	for i := range rows {
		row := &rows[i]
		n := g.table.size(row)
		if g.openRows == maxPacketRows || g.openRows > 0 && g.openBytes+n > g.most {
			if err := g.encode(); err != nil {
				return err
			}
		}
		place := 0
		if g.table.place != nil {
			place = g.table.place(row)
		}
		p := g.parts[place]
		if p == nil {
			p = &part[T]{}
			g.parts[place] = p
		}
		p.open = append(p.open, row)
		g.openRows++
		g.openBytes += n
		g.size += n
	}
	return nil
}

// encode makes packets of the rows that wait as they are.
func (g *gathered[T]) encode() error {
	for _, p := range g.parts {
		if len(p.open) == 0 {
			continue
		}
		made, err := encode(g.table, p.open)
		if err != nil {
			return err
		}
		p.packets = append(p.packets, made)
		g.size += len(made.data)
		clear(p.open) // it must not keep the rows alive
		p.open = p.open[:0]
	}
	g.size -= g.openBytes
	g.openRows, g.openBytes = 0, 0
	return nil
}

// send stores the rows. An insert into one partition is all or nothing; where there are several, the tombstones go first: an
// order that moves from one month to another must never be seen in both (I9).
func (g *gathered[T]) send(ctx context.Context, s *Sink) error {
	if err := g.encode(); err != nil {
		return err
	}
	var inserts [][]packet
	places := slices.Sorted(maps.Keys(g.parts))
	for _, place := range places {
		inserts = append(inserts, g.parts[place].packets)
	}
	if len(places) == 2 && places[0] == -places[1] {
		inserts = [][]packet{append(inserts[0], inserts[1]...)}
	}
	for _, packets := range inserts {
		for _, chunk := range chunks(packets, maxBlockRows, maxBlockBytes) {
			if err := s.insert(ctx, newBlock(g.table, chunk)); err != nil {
				return err
			}
		}
	}
	return nil
}
