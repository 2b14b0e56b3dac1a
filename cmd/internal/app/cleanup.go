package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// cleanups undo what was begun, in the opposite order: what was begun last may need what was begun first.
type cleanups struct {
	mu   sync.Mutex
	list []cleanup
}

type cleanup struct {
	name  string
	limit time.Duration // zero for all the time there is
	do    func(context.Context) error
}

// lateGrace is what each clean-up still gets after the time is up: one that hung must not keep the others from being done.
const lateGrace = time.Second

func (c *cleanups) add(name string, do func(context.Context) error) {
	c.addWithin(name, 0, do)
}

// addWithin adds a clean-up that gets no more than a limit of the time, so that something is left for those after it.
func (c *cleanups) addWithin(name string, limit time.Duration, do func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, cleanup{name, limit, do})
}

// run runs each clean-up once, whatever became of the others, and joins their errors. One that is not done when ctx ends
// is left behind and named: a stop must end.
func (c *cleanups) run(ctx context.Context) error {
	c.mu.Lock()
	list := c.list
	c.list = nil
	c.mu.Unlock()
	var errs []error
	for i := len(list) - 1; i >= 0; i-- {
		if err := list[i].run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", list[i].name, err))
		}
	}
	return errors.Join(errs...)
}

func (c cleanup) run(ctx context.Context) error {
	if c.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.limit)
		defer cancel()
	}
	done := make(chan error, 1)
	go func() { done <- c.do(ctx) }() // ends with the clean-up
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(lateGrace):
		return context.Cause(ctx)
	}
}
