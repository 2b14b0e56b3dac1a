package daemon

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/window"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

// A run that is ended while the warehouse hangs cannot release its claims there. They must not be renewed for ever: they
// would keep every other process from a range that nobody works on.
func TestAReleaseWhileTheWarehouseHangs(t *testing.T) {
	t.Parallel()
	addr, database := sinktest.Database(t)
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log := slog.New(slog.DiscardHandler)
	stream := schema.Stream{Source: "bss", Account: "main"}
	day := func(n int) window.Interval {
		at := time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC)
		return window.Interval{Start: at, End: at.AddDate(0, 0, 1)}
	}
	c := NewClaims(log, NewLeases(log, nil), s)
	if ours, _ := c.Claim(t.Context(), stream, []window.Interval{day(1), day(2), day(3)}, 9); len(ours) != 3 {
		t.Fatalf("claimed %v", ours)
	}
	if ours, _ := c.Claim(t.Context(), stream, []window.Interval{day(2)}, 9); len(ours) != 1 { // another run of this process
		t.Fatalf("claimed %v", ours)
	}

	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.turn.Acquire(t.Context(), 1); err != nil { // a statement that is not answered
		t.Fatal(err)
	}
	c.Release(over, stream, []window.Interval{day(1), day(2)})
	c.turn.Release(1)
	c.Release(over, stream, []window.Interval{day(3)}) // its turn has come, and the time for it is over

	c.renew(t.Context())
	if held := c.all(); len(held) != 1 || !held[0].From.Equal(day(2).Start) {
		t.Errorf("held: %v", held)
	}
	c.Release(t.Context(), stream, []window.Interval{day(2)})
	other := NewClaims(log, NewLeases(log, nil), s)
	if ours, taken := other.Claim(t.Context(), stream, []window.Interval{day(2)}, 9); len(ours) != 1 {
		t.Errorf("what was released is taken: %v", taken)
	}
}
