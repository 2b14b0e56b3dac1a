package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// stopGrace bounds how long a stopped run may take to commit what it has fetched, and to record what it has found: whoever
// stops a process waits for half a minute at the most, and the warehouse takes a while to close.
const stopGrace = 12 * time.Second

// committer gathers what the ranges found into large batches and writes them, one at a time. Batches come in the order
// of add, so the ledger row of a window is never written before its rows (I1).
type committer struct {
	engine *Engine
	in     chan delivery
	ended  chan struct{} // closed when the goroutine below has ended
	err    error         // why it ended early; read after ended
}

// delivery is a part of a batch, or a request to write at once what is there.
type delivery struct {
	schema.Batch
	over    *lease        // to be returned after the write; nil for none
	written chan struct{} // closed after the write; nil where nobody waits for it
}

// lease is a range of a stream that this process keeps others from.
type lease struct {
	schema.Stream
	window.Interval
}

// newCommitter starts the goroutine that writes; close ends it. fail stops the run when the warehouse refuses a batch.
func newCommitter(ctx context.Context, e *Engine, fail context.CancelCauseFunc) *committer {
	c := &committer{engine: e, in: make(chan delivery), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		if c.err = c.loop(ctx); c.err != nil {
			fail(c.err)
		}
	}()
	return c
}

// Add hands over rows, or windows whose rows were all handed over before. What it is given is the committer's from then on.
func (c *committer) Add(b schema.Batch) error {
	if b.Rows() == 0 {
		return nil
	}
	return c.deliver(delivery{Batch: b})
}

func (c *committer) deliver(d delivery) error {
	select {
	case c.in <- d:
		return nil
	case <-c.ended:
		return c.err
	}
}

// Release returns a range to the other processes after all that was added before has been written.
func (c *committer) Release(s schema.Stream, iv window.Interval) error {
	return c.deliver(delivery{over: &lease{s, iv}})
}

// Flush returns when all that was added before has been written.
func (c *committer) Flush() error {
	written := make(chan struct{})
	if err := c.deliver(delivery{written: written}); err != nil {
		return err
	}
	select {
	case <-written:
		return nil
	case <-c.ended:
		return c.err
	}
}

// close writes the rest and waits for it.
func (c *committer) close() error {
	close(c.in)
	<-c.ended
	return c.err
}

// What bounds the batches of all engines together, and of one at least. Smaller ones cost the server more CPU: those of 5,000 rows
// twice as much as those of 50,000. Bytes bound them where rows are large. Two are held of each engine: one is written while the next is
// gathered.
const (
	flushRows      = 50_000
	leastFlushRows = 2_500
	flushBytes     = 32 << 20
)

func (c *committer) batch() *batch {
	return &batch{Writer: c.engine.store.Writer(c.engine.Engines), written: Written{Rejects: map[string]int{}}}
}

func (c *committer) full(b *batch) bool {
	return b.rows >= c.engine.FlushRows || b.Size() >= flushBytes/c.engine.Engines
}

func (c *committer) loop(ctx context.Context) error {
	write, end := stream.Late(ctx) // a stop of the run must not stop the last commit
	defer end()
	tick := time.NewTicker(c.engine.FlushEvery)
	defer tick.Stop()
	// While one batch is written the next is gathered.
	gathered := c.batch()
	done := make(chan error, 1)
	writing := false
	settle := func() error { // waits for the write under way
		if !writing {
			return nil
		}
		writing = false
		return <-done
	}
	flush := func() error {
		if err := settle(); err != nil || gathered.empty() {
			return err
		}
		b := gathered
		gathered, writing = c.batch(), true
		go func() { done <- c.write(write, b) }() // settle waits for it
		return nil
	}
	for {
		var written chan struct{}
		select {
		case more, ok := <-c.in:
			if !ok {
				if err := flush(); err != nil {
					return err
				}
				return settle()
			}
			if err := gathered.add(more); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			written = more.written
			if !c.full(gathered) && written == nil {
				continue
			}
		case err := <-done:
			writing = false
			if err != nil {
				return err
			}
			continue
		case <-tick.C:
		}
		if err := flush(); err != nil {
			return err
		}
		if written != nil {
			if err := settle(); err != nil {
				return err
			}
			close(written)
		}
	}
}

// batch is what is written together.
type batch struct {
	schema.Writer
	rows    int      // orders and items
	any     bool     // whether there are rows, of whatever kind
	written Written  // its account is named when it is
	over    []*lease // whose rows these are
}

// Written counts the rows of an account that the warehouse confirmed together.
type Written struct {
	Account       string
	Orders, Items int
	Windows       int
	Rejects       map[string]int // by reason; those that are resolved are not counted
}

// add takes over what was delivered.
func (b *batch) add(d delivery) error {
	if d.over != nil {
		b.over = append(b.over, d.over)
	}
	b.rows += len(d.Orders) + len(d.Items)
	b.any = b.any || d.Rows() > 0
	b.written.Orders += len(d.Orders)
	b.written.Items += len(d.Items)
	b.written.Windows += len(d.Windows)
	for i := range d.Rejects {
		if r := &d.Rejects[i]; !r.Resolved {
			b.written.Rejects[r.Reason]++
		}
	}
	return b.Add(d.Batch)
}

// empty reports whether there is nothing to write, and nothing to release after it.
func (b *batch) empty() bool { return !b.any && len(b.over) == 0 }

// write stores a batch and then releases the ranges whose rows it held.
func (c *committer) write(ctx context.Context, b *batch) error {
	if err := b.Write(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if b.any {
		b.written.Account = c.engine.streams[0].Account
		c.engine.Committed(b.written)
	}
	ranges := map[schema.Stream][]window.Interval{}
	for _, l := range b.over {
		ranges[l.Stream] = append(ranges[l.Stream], l.Interval)
	}
	for s, over := range ranges {
		c.engine.Claims.Release(ctx, s, over)
	}
	return nil
}
