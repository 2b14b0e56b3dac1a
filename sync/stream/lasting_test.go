package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersync/ordersync/sync/stream"
)

// All that is done after a stop has one bound, which counts from the stop.
func TestLasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		parent, stop := context.WithCancel(t.Context())
		lasting, done := stream.Lasting(parent, 10*time.Second)
		defer done()
		ctx := context.WithValue(lasting, key{}, "value")
		early, earlyDone := stream.Late(ctx)
		defer earlyDone()
		time.Sleep(time.Hour)
		if early.Err() != nil || early.Value(key{}) != "value" {
			t.Error(early.Err(), early.Value(key{}))
		}
		stop()
		time.Sleep(6 * time.Second)
		late, lateDone := stream.Late(ctx)
		defer lateDone()
		if ctx.Err() == nil || late.Err() != nil || early.Err() != nil {
			t.Error(ctx.Err(), late.Err(), early.Err())
		}
		time.Sleep(3999 * time.Millisecond)
		if late.Err() != nil {
			t.Error("ended too early")
		}
		time.Sleep(2 * time.Millisecond)
		for _, c := range []context.Context{early, late} {
			if c.Err() == nil || !strings.Contains(context.Cause(c).Error(), "not done within 10s of the stop") {
				t.Error(context.Cause(c))
			}
		}
	})
	// What is over needs nothing any more, and leaves nothing behind.
	synctest.Test(t, func(t *testing.T) {
		ctx, done := stream.Lasting(t.Context(), time.Second)
		late, lateDone := stream.Late(ctx)
		defer lateDone()
		done()
		synctest.Wait()
		if !errors.Is(late.Err(), context.Canceled) {
			t.Error(late.Err())
		}
		if plain, _ := stream.Late(t.Context()); plain.Err() != nil {
			t.Error(plain.Err())
		}
	})
}
