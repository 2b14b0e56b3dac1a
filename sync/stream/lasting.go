package stream

import (
	"context"
	"fmt"
	"time"
)

// What a run has done is recorded after a stop too, and all of that together within one bound: whoever stops a process does
// not wait for a sum of bounds.

type lastingKey struct{}

// Lasting returns ctx with something that outlives it: the context that [Late] returns of it, or of a context made of it, ends
// a grace after ctx, whenever it is asked for. done ends that one at once and must be called.
func Lasting(ctx context.Context, grace time.Duration) (lasting context.Context, done func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		over := time.AfterFunc(grace, func() { cancel(fmt.Errorf("it was not done within %s of the stop", grace)) })
		context.AfterFunc(late, func() { over.Stop() })
	})
	return context.WithValue(ctx, lastingKey{}, late), func() {
		stop()
		cancel(nil)
	}
}

// Late returns a context for what is to be done after a stop as well: the one of [Lasting], with the values of ctx. Without
// that the caller has to set a bound.
func Late(ctx context.Context) (late context.Context, done func()) {
	end, ok := ctx.Value(lastingKey{}).(context.Context)
	if !ok {
		return context.WithoutCancel(ctx), func() {}
	}
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(end, func() { cancel(context.Cause(end)) })
	return late, func() {
		stop()
		cancel(nil)
	}
}
