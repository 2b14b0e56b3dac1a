package simulator

import (
	"bytes"
	"iter"
)

// page is which rows of a listing a call gets.
type page struct {
	lo, hi      int // the orders in the range, by index
	total       int // how many of them match
	first, rows int // the page's place in the listing
	said        int // the page size that the answer names
}

// page counts the orders created in [from, to) that match, all of them where match is nil, and finds the page's place.
// The caller holds the lock of the data.
func (c *call) page(from, to int64, match func(*order) bool) (p page) {
	a, q := c.data, &c.question
	if c.account.clock.Load() != nil {
		to = min(to, c.account.now().Unix()+1)
	}
	p.lo, p.hi = a.indexes(from, to)
	p.total = p.hi - p.lo
	if match != nil {
		p.total = 0
		for i := p.lo; i < p.hi; i++ {
			if match(&a.orders[i]) {
				p.total++
			}
		}
	}
	size, said := c.size()
	p.said = said
	// Page numbers may be as large as 2^31 and sizes 2^31: the product fits in 64 bits.
	p.first = (q.Page - 1) * size
	p.rows = min(size, p.total-p.first)
	if q.Page > 1 && p.rows > 0 {
		p.first = max(0, p.first-c.action.Shift)
		p.rows = min(p.rows, p.total-p.first)
	}
	return p
}

// total is the TotalCount that the answer says.
func (c *call) total(n int) int64 {
	if c.action.Total != nil {
		n = c.action.Total(n)
	}
	return int64(n)
}

// size is how many rows a page has at most, and how many the answer says.
func (c *call) size() (size, said int) {
	size, said = c.question.Size, c.question.Size
	if limit := c.action.PageSize; limit > 0 {
		size = min(size, limit)
		if !c.action.PageSizeHidden {
			said = size
		}
	}
	return size, said
}

// each returns the orders of a page, in the direction that the asking login lists.
func (c *call) each(p *page, match func(*order) bool) iter.Seq[*order] {
	return func(yield func(*order) bool) {
		seen, first := 0, 0
		if match == nil {
			seen, first = p.first, p.first
		}
		for k := first; p.rows > 0 && seen < p.first+p.rows; k++ {
			i := p.hi - 1 - k
			if c.account.o.OldestFirst {
				i = p.lo + k
			}
			o := &c.data.orders[i]
			if match != nil && !match(o) {
				continue
			}
			if seen >= p.first && !yield(o) {
				return
			}
			seen++
		}
	}
}

// closeEmpty ends an envelope that has no rows. Public clients of this API guard against a list that is not there, so
// it comes in every way that can mean nothing.
func closeEmpty(b []byte, variant uint64, end string) []byte {
	comma := ","
	if b[len(b)-1] == '{' {
		comma = ""
	}
	switch s := random(variant); s.n(4) {
	case 0:
		comma += `"OrderList":{}`
	case 1:
		comma += `"OrderList":{"Order":[]}`
	case 2:
		comma += `"OrderList":null`
	default:
		comma = ""
	}
	return append(append(b, comma...), end...)
}

// rowWriter writes the list of an envelope, without the rows that a fault drops, and altered as it has them.
type rowWriter struct {
	call    *call
	b       []byte
	list    string // the JSON that opens it
	seen    int
	written int
}

// row writes a row, or a line, of an order.
func (w *rowWriter) row(o *order, write func(b []byte) []byte) {
	n, f := w.seen, &w.call.action
	w.seen++
	if f.Drop != nil && f.Drop(n) {
		return
	}
	switch {
	case w.written > 0:
		w.b = append(w.b, ',')
	case w.b[len(w.b)-1] == '{':
		w.b = append(w.b, w.list...)
	default:
		w.b = append(append(w.b, ','), w.list...)
	}
	w.written++
	start := len(w.b)
	w.b = write(w.b)
	if f.Row != nil {
		row := f.Row(string(w.call.data.vendor.appendID(nil, o.id)), n, bytes.Clone(w.b[start:]))
		w.b = append(w.b[:start], row...)
	}
}

// close ends the list and the envelope, whose closing braces are end.
func (w *rowWriter) close(variant uint64, end string) []byte {
	if w.written == 0 {
		return closeEmpty(w.b, variant, end)
	}
	return append(append(w.b, "]}"...), end...)
}
