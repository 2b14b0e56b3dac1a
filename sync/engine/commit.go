package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// stopGrace bounds how long a stopped run may take to commit what it has fetched, and to record what it has found: whoever
// stops a process waits for half a minute at the most, and the warehouse takes a while to close.
const stopGrace = 12 * time.Second

// committer gathers what the spans found into large batches and writes them, one at a time. Batches come in the order
// of add, so the ledger row of a window is never written before its rows (I1).
type committer struct {
	engine *Engine
	in     chan delivery
	ended  chan struct{} // closed when the goroutine below has ended
	err    error         // why it ended early; read after ended
	chunks sync.Pool     // *schema.Batch, empty, with room for a chunk of orders
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
	c := &committer{engine: e, in: make(chan delivery, 4), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		if c.err = c.loop(ctx); c.err != nil {
			fail(c.err)
		}
	}()
	return c
}

// room is a batch without rows that has memory for n orders, a chunk at the most, and their items.
func (c *committer) room(n int) schema.Batch {
	if n >= chunk {
		if b, ok := c.chunks.Get().(*schema.Batch); ok {
			return *b
		}
	}
	n = min(n, chunk)
	return schema.Batch{Orders: make([]schema.Order, 0, n), Items: make([]schema.Item, 0, 2*n)}
}

// recycle keeps the memory of a batch that was written for the next ones: the rows of a backfill take more than anything
// else that it throws away.
func (c *committer) recycle(b schema.Batch) {
	if cap(b.Orders) != chunk {
		return // not from room
	}
	clear(b.Orders) // they must not keep payloads alive
	clear(b.Items)
	c.chunks.Put(&schema.Batch{Orders: b.Orders[:0], Items: b.Items[:0]})
}

// add hands over rows, or windows whose rows were all handed over before. What it is given is the committer's from then on.
func (c *committer) add(b schema.Batch) error {
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

// release returns a range to the other processes after all that was added before has been written.
func (c *committer) release(s schema.Stream, iv window.Interval) error {
	return c.deliver(delivery{over: &lease{s, iv}})
}

// flush returns when all that was added before has been written.
func (c *committer) flush() error {
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

func (c *committer) loop(ctx context.Context) error {
	write, end := Late(ctx) // a stop of the run must not stop the last commit
	defer end()
	tick := time.NewTicker(c.engine.FlushEvery)
	defer tick.Stop()
	// While some batches are written the next are gathered.
	var gathered, writing []schema.Batch
	var over []*lease // whose rows are gathered
	rows := 0         // orders and items that are gathered
	done := make(chan error, 1)
	wrote := func(err error) error {
		clear(writing) // they must not keep payloads alive
		writing = writing[:0]
		return err
	}
	settle := func() error { // waits for the write under way
		if len(writing) == 0 {
			return nil
		}
		return wrote(<-done)
	}
	flush := func() error {
		if err := settle(); err != nil || len(gathered) == 0 {
			return err
		}
		gathered, writing, rows = writing, gathered, 0
		go func(batches []schema.Batch, over []*lease) { // settle waits for it
			err := c.write(write, batches)
			if err == nil {
				for _, l := range over {
					c.engine.Claims.Release(write, l.Stream, []window.Interval{l.Interval})
				}
			}
			done <- err
		}(writing, over)
		over = nil
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
			if more.over != nil {
				over = append(over, more.over)
			}
			if more.Rows() > 0 || more.over != nil {
				gathered = append(gathered, more.Batch)
				rows += len(more.Orders) + len(more.Items)
			}
			written = more.written
			if rows < c.engine.FlushRows && written == nil {
				continue
			}
		case err := <-done:
			if err = wrote(err); err != nil {
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

func (c *committer) write(ctx context.Context, batches []schema.Batch) error {
	if err := c.engine.store.Write(ctx, batches...); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, b := range batches {
		c.engine.Committed(b)
		c.recycle(b)
	}
	return nil
}
