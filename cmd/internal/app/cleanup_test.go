package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCleanups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cleanups
		var order []string
		release := make(chan struct{})
		step := func(name string, err error) {
			c.add(name, func(context.Context) error {
				order = append(order, name)
				return err
			})
		}
		step("first", errors.New("broken"))
		c.add("slow", func(context.Context) error {
			<-release
			return nil
		})
		step("last", nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := c.run(ctx)
		if err == nil || err.Error() != "stop slow: context deadline exceeded\nstop first: broken" {
			t.Errorf("%v", err)
		}
		if diff := cmp.Diff([]string{"last", "first"}, order); diff != "" {
			t.Error(diff)
		}
		if err := c.run(t.Context()); err != nil {
			t.Errorf("a clean-up ran twice: %v", err)
		}
		close(release)
	})
}
