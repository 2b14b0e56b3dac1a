package status

import (
	"context"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/window"
)

// Allowances returns, by owner id, how much longer than from one scheduled run to the next the streams of an account may go
// unasked, because they order nothing. An account of one stream has none.
func Allowances(ctx context.Context, w *sink.Sink, account string, streams int, times config.Schedule, now time.Time) (map[string]time.Duration, error) {
	if streams < 2 || times.Quiet == 0 {
		return nil, nil
	}
	turns := window.Turns{Every: newSchedule(times, now).tick, Quiet: times.Quiet}
	stored, err := w.Activities(ctx, account, now.Add(-turns.Horizon()))
	out := make(map[string]time.Duration, len(stored))
	for _, a := range stored {
		if !a.Answered.IsZero() {
			out[a.OwnerID] = turns.Bound(window.Asked{At: a.Answered, Ordered: a.Ordered}) - turns.Every
		}
	}
	return out, err
}

// allAllowances are those of all accounts, by account and owner id.
func allAllowances(ctx context.Context, w *sink.Sink, times config.Schedule, expected []Expected, now time.Time) (map[schema.Stream]time.Duration, error) {
	streams, out := map[string]int{}, map[schema.Stream]time.Duration{}
	filters := map[string]schema.Filters{}
	for _, e := range expected {
		streams[e.Account]++
		filters[e.Account] = e.Filters
	}
	for account, n := range streams {
		allowed, err := Allowances(ctx, w.Narrowed(filters[account]), account, n, times, now)
		if err != nil {
			return nil, err
		}
		for owner, d := range allowed {
			out[schema.Stream{Account: account, OwnerID: owner}] = d
		}
	}
	return out, nil
}

// key names a stream without its source, which is its account's.
func key(s schema.Stream) schema.Stream { return schema.Stream{Account: s.Account, OwnerID: s.OwnerID} }
