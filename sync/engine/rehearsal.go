package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// invented is a source of as many orders as a forecast counted. It keeps numbers, not orders, so that its memory is that
// of the days and not of the orders in them. Within a day they are evenly spread.
type invented struct {
	parts []part
	total int
	calls atomic.Int64
}

// part is a stretch with n orders, at whole seconds.
type part struct {
	start, length int64 // Unix seconds
	first, n      int   // the first order's number
}

// add spreads the orders of a group over its units: those that are stored where they are, the others by chance, as
// customers do.
func (v *invented) add(g group, rnd *rand.Rand) {
	n, ends := make([]int, len(g.units)), make([]int, len(g.units)) // ends: open windows up to the end of each unit
	open, left := 0, g.orders
	for i, u := range g.units {
		open += u.open
		ends[i] = open
		n[i] = min(u.listed, left)
		left -= n[i]
	}
	if len(n) == 1 || open == 0 {
		n[0] += left
		left = 0
	}
	for range left {
		n[sort.SearchInts(ends, rnd.IntN(open)+1)]++
	}
	for i, u := range g.units {
		p := part{start: u.Start.Unix(), length: int64(u.End.Sub(u.Start) / time.Second), first: v.total, n: n[i]}
		if p.length > 0 {
			v.parts = append(v.parts, p)
			v.total += p.n
		}
	}
}

// before counts the orders that were created before a time.
func (v *invented) before(at time.Time) int {
	t := at.Unix()
	if at.Nanosecond() > 0 {
		t++
	}
	i, found := slices.BinarySearchFunc(v.parts, t, func(p part, t int64) int { return int(p.start - t) })
	switch {
	case found:
		return v.parts[i].first
	case i == 0:
		return 0
	}
	p := v.parts[i-1]
	// Order k of n is created at second (k+½)×length/n, rounded down: not at an edge, where two listings would show it.
	in := min(t-p.start, p.length)
	return p.first + int((2*in*int64(p.n)+p.length-1)/(2*p.length))
}

// at is when an order was created.
func (v *invented) at(number int) time.Time {
	i := sort.Search(len(v.parts), func(i int) bool { return v.parts[i].first > number }) - 1
	p := v.parts[i]
	return time.Unix(p.start+(2*int64(number-p.first)+1)*p.length/int64(2*p.n), 0).UTC()
}

// List is part of Source.
func (v *invented) List(ctx context.Context, q source.Query) (source.Page, error) {
	v.calls.Add(1)
	first, end := v.before(q.Start), v.before(q.End.Add(time.Second)) // both ends included
	p := source.Page{Total: end - first}
	for k := first + (q.Page-1)*q.Size; k < min(end, first+q.Page*q.Size); k++ {
		p.Orders = append(p.Orders, schema.Order{OrderID: strconv.Itoa(k), CreateTime: v.at(k), DetailStatus: schema.DetailOK})
	}
	return p, context.Cause(ctx)
}

// Detail is part of Source.
func (v *invented) Detail(_ context.Context, _, id string) (source.Detail, error) {
	return source.Detail{}, fmt.Errorf("the detail of the invented order %s", id)
}

// CanList is part of Source.
func (v *invented) CanList() bool { return true }

// CanFilterStatus is part of Source.
func (v *invented) CanFilterStatus() bool { return true }

// noStore is a store that holds all invented orders, and in which nothing is written.
type noStore struct {
	engineStore // what is not about orders
	*invented
	ledger []schema.Window
}

// First is part of Store: there is no blank stretch.
func (s *noStore) First(_ context.Context, _ schema.Stream, from, _ time.Time) (time.Time, error) {
	return from, nil
}

// Known is part of Store.
func (s *noStore) Known(_ context.Context, _ schema.Stream, from, to time.Time) (map[string]schema.Known, error) {
	first, end := s.before(from), s.before(to)
	out := make(map[string]schema.Known, end-first)
	for k := first; k < end; k++ {
		out[strconv.Itoa(k)] = schema.Known{CreateTime: s.at(k), DetailStatus: schema.DetailOK}
	}
	return out, nil
}

// HasOrders, Places and Doubled are part of Store: every order is where it was invented.
func (s *noStore) HasOrders(context.Context, string) (bool, error) { return true, nil }

func (s *noStore) Places(context.Context, string, []string) ([]schema.Place, error) { return nil, nil }

func (s *noStore) Doubled(context.Context, schema.Stream) ([]string, error) { return nil, nil }

// Windows is part of Store.
func (s *noStore) Windows(_ context.Context, _ schema.Stream, from, to time.Time) ([]schema.Window, error) {
	var out []schema.Window
	for _, w := range s.ledger {
		if !w.Start.Before(from) && w.Start.Before(to) {
			out = append(out, w)
		}
	}
	return out, nil
}

// OpenFindings is part of Store: what lists invented orders proves nothing.
func (s *noStore) OpenFindings(context.Context, schema.Stream) ([]schema.Finding, error) {
	return nil, nil
}

// Writer is part of Store.
func (s *noStore) Writer() schema.Writer { return nowhere{} }

type nowhere struct{}

func (nowhere) Add(schema.Batch) error      { return nil }
func (nowhere) Size() int                   { return 0 }
func (nowhere) Write(context.Context) error { return nil }
